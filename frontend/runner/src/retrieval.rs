//! Ratings read back from plain columns in the tab's own memory, for the study of that name.

use std::collections::BTreeMap;

use recspeed_data::retrieval::{Columns, Container as _, Plain, measure};
use recspeed_types::study::retrieval::{Asked, Retrieved};
use serde_json::json;
use wasm_bindgen::JsError;

use crate::{outlet, tab};

/// What takes less is done again: a browser's clock may tick only every tenth of a millisecond.
const LEAST_S: f64 = 0.02;

/// Measures, and gives `{ "retrieved": … }` as JSON.
///
/// # Errors
/// What was asked cannot be read, or the columns are no ratings.
pub(crate) fn retrieve(asked: &str, columns: [&[u8]; 4]) -> Result<String, JsError> {
    let asked: Asked = serde_json::from_str(asked)?;
    let plain = Columns::from_le_bytes(columns)?;
    let before = tab::instance_bytes();
    let filled = Plain.fill(plain.clone());
    let resident_bytes = Some(tab::instance_bytes().saturating_sub(before));
    let found = measure(&Plain, &filled, &plain, &asked, LEAST_S, &mut || outlet::clock_ms() / 1e3);
    let retrieved = Retrieved {
        container: "tab".to_owned(),
        versions: BTreeMap::from([("recspeed".to_owned(), env!("CARGO_PKG_VERSION").to_owned())]),
        // A tab's program has one.
        threads: Some(1),
        resident_bytes,
        ..found
    };
    Ok(json!({ "retrieved": retrieved }).to_string())
}
