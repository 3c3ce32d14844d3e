//! `recspeed schema`: the JSON Schema of experiment specs, for editors and checkers.

use recspeed_types::ExperimentSpec;

use super::failure::CommandError;
use super::output;

/// Prints the schema.
pub(crate) fn print() -> Result<u8, CommandError> {
    let schema = schemars::schema_for!(ExperimentSpec);
    let text = serde_json::to_string_pretty(&schema).map_err(std::io::Error::other)?;
    output::say(&text)?;
    Ok(0)
}
