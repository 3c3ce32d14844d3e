//! Data sets inside a tab: made from the seed, or read from an upload's bytes.

use recspeed_data::{ReadLimits, ReadReport, columns_sha256, generate, read_ratings};
use recspeed_experiment::{LoadedData, RunFailure};
use recspeed_types::FailureCode;
use recspeed_types::spec::{DataFormat, Dataset, Source};
use sha2::{Digest as _, Sha256};

/// Bytes that a packed file may unpack to in a tab.
const MAX_INFLATED_BYTES: u64 = 512 << 20;

/// Why a file cannot be read as it is said to be written, in the words in which the server refuses it; `None` where it can.
pub(crate) fn refusal(format: &str, bytes: &[u8]) -> Option<String> {
    let format = DataFormat::ALL.into_iter().find(|one| one.as_str() == format)?;
    let limits = ReadLimits { max_inflated_bytes: MAX_INFLATED_BYTES, ..ReadLimits::default() };
    let error = read_ratings(format, bytes, limits).err()?;
    let advice = error.advice(format).map_or_else(String::new, |advice| format!(" {advice}"));
    Some(format!("{}.{advice}", error.without_remedy()))
}

/// Brings the rows of a data set.
pub(crate) fn load(
    dataset: &Dataset,
    seed: u64,
    upload: Option<Vec<u8>>,
    name: Option<String>,
) -> Result<LoadedData, RunFailure> {
    match &dataset.source {
        Source::Builtin { entry } => {
            let made = generate(entry, seed);
            let rows = made.interactions.len() as u64;
            Ok(LoadedData {
                sha256: columns_sha256(&made.interactions),
                interactions: made.interactions,
                item_attributes: Some(made.item_attributes),
                user_attributes: None,
                report: ReadReport { lines: rows, rows, ..ReadReport::default() },
                name: entry.title.to_owned(),
                synthetic: true,
                warnings: Vec::new(),
            })
        }
        Source::File { path, .. } => Err(refuse(format!(
            "A tab cannot read `{path}` from a disk; run this on the server, or upload the file and use source = \"upload\"."
        ))),
        Source::Upload { sha256, format, max_bad_share, .. } => {
            let bytes = upload.ok_or_else(|| {
                refuse(
                    "This tab does not hold the uploaded file; choose the file again, or run on the server.".to_owned(),
                )
            })?;
            let found = hexadecimal(&Sha256::digest(&bytes));
            if found != *sha256 {
                return Err(refuse(format!(
                    "The file in this tab is not the one that the spec names: its SHA-256 begins with {}, not {}; choose that file again.",
                    &found[..12],
                    sha256.get(..12).unwrap_or(sha256),
                )));
            }
            let limits = ReadLimits { max_bad_share: *max_bad_share, max_inflated_bytes: MAX_INFLATED_BYTES };
            let read = read_ratings(*format, &bytes, limits).map_err(|error| match error.instead() {
                none if none.is_empty() => refuse(error.to_string()),
                instead => refuse(error.to_string()).refused(instead),
            })?;
            Ok(LoadedData {
                warnings: read.report.warnings_of_times(&read.interactions),
                interactions: read.interactions,
                item_attributes: None,
                user_attributes: None,
                report: read.report,
                name: name.unwrap_or_else(|| "uploaded file".to_owned()),
                sha256: found,
                synthetic: false,
            })
        }
    }
}

fn refuse(cause: String) -> RunFailure {
    RunFailure::new(FailureCode::Data, cause)
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[digit as usize])).collect()
}
