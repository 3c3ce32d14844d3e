//! How a data file is written: told, or judged by its first line and its name.

use std::path::Path;

use recspeed_datasets::Beginning;
use recspeed_types::spec::{ColumnNames, DataFormat};

use super::DataError;

/// The format of this name.
///
/// # Errors
/// A sentence with every name.
pub(super) fn parse(text: &str) -> Result<DataFormat, String> {
    DataFormat::ALL
        .into_iter()
        .find(|format| format.as_str() == text)
        .ok_or_else(|| format!("no format is called `{text}`; known: {}", names()))
}

/// Names of a table's columns, as `user=reviewerID,item=asin`.
///
/// # Errors
/// A sentence with what can be named.
pub(super) fn parse_columns(text: &str) -> Result<ColumnNames, String> {
    let mut columns = ColumnNames::default();
    for part in text.split(',') {
        let (what, name) = part.split_once('=').unwrap_or((part, ""));
        let place = match what.trim() {
            "user" => &mut columns.user,
            "item" => &mut columns.item,
            "rating" => &mut columns.rating,
            "timestamp" => &mut columns.timestamp,
            _ => return Err(format!("`{part}` names no column; write user=NAME,item=NAME,rating=NAME,timestamp=NAME")),
        };
        if name.trim().is_empty() {
            return Err(format!("`{part}` has no name behind =; write {}=NAME", what.trim()));
        }
        *place = Some(name.trim().to_owned());
    }
    Ok(columns)
}

/// Every format.
pub(super) fn names() -> String {
    DataFormat::ALL.map(DataFormat::as_str).join(", ")
}

/// The format that was told, or the one that the file looks like.
///
/// # Errors
/// [`DataError::Read`], or [`DataError::Format`] when it looks like none.
pub(super) fn told_or_judged(told: Option<DataFormat>, path: &Path) -> Result<DataFormat, DataError> {
    if let Some(format) = told {
        return Ok(format);
    }
    let beginning = std::fs::metadata(path)
        .and_then(|found| {
            // To open a pipe is to wait for somebody who writes.
            let pipe = || std::io::Error::new(std::io::ErrorKind::InvalidInput, "it is not a regular file");
            if found.is_file() { Beginning::read(path) } else { Err(pipe()) }
        })
        .map_err(|cause| DataError::Read { path: path.display().to_string(), cause })?;
    beginning.format(path).ok_or_else(|| DataError::Format { file: path.display().to_string(), allowed: names() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_one_by_one() {
        let columns = parse_columns("user=reviewerID, item=asin").unwrap();
        assert_eq!((columns.user.as_deref(), columns.item.as_deref()), (Some("reviewerID"), Some("asin")));
        assert_eq!(columns.rating, None);
        assert!(parse_columns("usr=x").unwrap_err().starts_with("`usr=x` names no column; write user=NAME"));
        assert_eq!(parse_columns("item=").unwrap_err(), "`item=` has no name behind =; write item=NAME");
    }
}
