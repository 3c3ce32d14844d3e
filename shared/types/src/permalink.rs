//! A whole spec in a URL: the canonical spec, minus defaults, packed by zlib, base64url, with the version in front.
//!
//! `#x=1.eNq…` needs no server. The version is that of the defaults which were left out, so a link from version N opens
//! in every later version; zlib's checksum finds damage, and a bound on the inflated size stops decompression bombs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};
use serde_json::{Map, Value};

use crate::limits::{MAX_PERMALINK_CHARS, MAX_SPEC_BYTES};
use crate::spec::{ExperimentSpec, SPEC_VERSION, SpecParseError};

/// A link that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PermalinkError {
    /// Longer than any link that the page makes.
    #[error(
        "the link has {chars} characters; a link of this lab has at most {MAX_PERMALINK_CHARS}; ask its sender for the TOML"
    )]
    TooLong {
        /// Its length.
        chars: usize,
    },
    /// A spec that no link holds.
    #[error(
        "the experiment makes a link of {chars} characters, and a link has at most {MAX_PERMALINK_CHARS}; run it on a server and share the run, or give its TOML"
    )]
    SpecTooLong {
        /// The length that it would have.
        chars: usize,
    },
    /// Made by a newer lab.
    #[error("the link is of version {version}; this lab opens links up to version {SPEC_VERSION}: update the lab")]
    LaterVersion {
        /// The version in the link.
        version: u64,
    },
    /// Some characters are missing or changed.
    #[error("the link is damaged ({what}); copy it again, whole")]
    Damaged {
        /// Which check failed.
        what: &'static str,
    },
    /// Inflates to more than any spec.
    #[error(
        "the link unpacks to more than {MAX_SPEC_BYTES} bytes, which no spec has; it was not made by this lab; ask its sender for the TOML"
    )]
    TooLarge,
    /// Whole, but no spec of this lab.
    #[error("the link holds no spec that this lab understands: {0}")]
    Spec(#[from] SpecParseError),
}

/// The payload of a permalink, to be put after `#x=`.
///
/// # Errors
/// [`PermalinkError::SpecTooLong`]: [`decode_permalink`] would not open it.
pub fn encode_permalink(spec: &ExperimentSpec) -> Result<String, PermalinkError> {
    let mut spec = spec.clone();
    spec.recommender = spec.recommender.without_defaults();
    let mut value = serde_json::to_value(&spec).unwrap_or_default();
    // An empty name is not written; what stands in the defaults and not in the spec would be taken for something removed.
    if let Value::Object(fields) = &mut value {
        fields.entry("name").or_insert_with(|| Value::String(String::new()));
    }
    let short = without(&value, &defaults_v1()).unwrap_or_else(|| Value::Object(Map::new()));
    let packed = compress_to_vec_zlib(short.to_string().as_bytes(), 9);
    let payload = format!("{SPEC_VERSION}.{}", URL_SAFE_NO_PAD.encode(packed));
    if payload.len() > MAX_PERMALINK_CHARS {
        return Err(PermalinkError::SpecTooLong { chars: payload.len() });
    }
    Ok(payload)
}

/// What is wrong with a damaged link, for whoever followed it: not how it is packed.
const CHARACTERS: &str = "characters are missing or changed";
const BEGINNING: &str = "its beginning is missing or changed";

/// Opens the payload of a permalink, with or without the leading `#x=`. The spec is not yet checked by
/// [`ExperimentSpec::resolve`]: a link may carry values that this lab's limits refuse, and the page shows them.
///
/// # Errors
/// [`PermalinkError`]: too long, damaged, of a later version, a decompression bomb, or no spec.
pub fn decode_permalink(payload: &str) -> Result<ExperimentSpec, PermalinkError> {
    let payload = payload.trim();
    let payload = payload.strip_prefix('#').unwrap_or(payload);
    let payload = payload.strip_prefix("x=").unwrap_or(payload);
    if payload.len() > MAX_PERMALINK_CHARS {
        return Err(PermalinkError::TooLong { chars: payload.chars().count() });
    }
    let (version, packed) = payload.split_once('.').ok_or(PermalinkError::Damaged { what: BEGINNING })?;
    let version: u64 = version.parse().map_err(|_| PermalinkError::Damaged { what: BEGINNING })?;
    match version {
        0 => return Err(PermalinkError::Damaged { what: BEGINNING }),
        1 => {}
        _ => return Err(PermalinkError::LaterVersion { version }),
    }
    let packed = URL_SAFE_NO_PAD.decode(packed).map_err(|_| PermalinkError::Damaged { what: CHARACTERS })?;
    let bytes = decompress_to_vec_zlib_with_limit(&packed, MAX_SPEC_BYTES).map_err(|error| match error.status {
        TINFLStatus::HasMoreOutput => PermalinkError::TooLarge,
        _ => PermalinkError::Damaged { what: CHARACTERS },
    })?;
    // As text, as everything else is read: a second reader, of bytes, would be code that the page carries for this alone.
    let short = std::str::from_utf8(&bytes).ok().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let short = short.ok_or(PermalinkError::Damaged { what: CHARACTERS })?;
    Ok(ExperimentSpec::from_value(merged(&defaults_v1(), short))?)
}

/// What a link of version 1 may leave out. Frozen: when a later lab changes its defaults, old links must still mean what
/// they meant. As text: built field by field it would be several times as much code of the page.
const DEFAULTS_V1: &str = r#"{
    "version": 1,
    "name": "",
    "seed": 42,
    "dataset": { "source": "builtin", "id": "beauty-synthetic-10k" },
    "split": { "kind": "random" },
    "recommender": { "kind": "mlp" },
    "engine": { "kind": "burn", "device": "flex" },
    "strategy": { "kind": "single" },
    "evaluation": { "metrics": ["rmse", "mae"], "candidates": "unseen", "threshold": 4.0 }
}"#;

fn defaults_v1() -> Value {
    serde_json::from_str(DEFAULTS_V1).unwrap_or_default()
}

/// `value` without what `default` has too; what only `default` has becomes an explicit null.
fn without(value: &Value, default: &Value) -> Option<Value> {
    match (value, default) {
        (Value::Object(value), Value::Object(default)) => {
            let mut rest = Map::new();
            for (key, item) in value {
                match default.get(key) {
                    Some(usual) => {
                        if let Some(item) = without(item, usual) {
                            rest.insert(key.clone(), item);
                        }
                    }
                    None => {
                        rest.insert(key.clone(), item.clone());
                    }
                }
            }
            for key in default.keys().filter(|key| !value.contains_key(*key)) {
                rest.insert(key.clone(), Value::Null);
            }
            (!rest.is_empty()).then_some(Value::Object(rest))
        }
        _ => (value != default).then(|| value.clone()),
    }
}

/// The inverse of [`without`].
fn merged(default: &Value, rest: Value) -> Value {
    match (default, rest) {
        (Value::Object(default), Value::Object(rest)) => {
            let mut whole = default.clone();
            for (key, item) in rest {
                let usual = whole.remove(&key);
                match (usual, item) {
                    (Some(_), Value::Null) => {}
                    (Some(usual), item) => {
                        whole.insert(key, merged(&usual, item));
                    }
                    (None, item) => {
                        whole.insert(key, item);
                    }
                }
            }
            Value::Object(whole)
        }
        (_, rest) => rest,
    }
}
