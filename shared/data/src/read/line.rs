//! One line, read with every check: the definition of what a good line is.

use recspeed_types::limits::{MAX_ID_BYTES, MAX_LINE_BYTES};

use super::error::{BadReason, quote};
use super::layout::Columns;
use crate::moment::{self, Moment, Told};

/// The parts of an interaction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row<'a> {
    pub(super) user: &'a [u8],
    pub(super) item: &'a [u8],
    pub(super) rating: f32,
    pub(super) moment: Moment,
    /// Whether the time was finer than a nanosecond, and what is beyond was cut off.
    pub(super) cut: bool,
}

/// Length and text of a line, checked before its columns are looked at.
pub(super) fn check(line: &[u8]) -> Result<(), BadReason> {
    if line.len() > MAX_LINE_BYTES {
        return Err(BadReason::LineTooLong { bytes: line.len() });
    }
    if simdutf8::basic::from_utf8(line).is_err() {
        return Err(BadReason::NotUtf8);
    }
    if memchr::memchr(0, line).is_some() {
        return Err(BadReason::Nul);
    }
    Ok(())
}

/// The interaction in a checked line.
pub(super) fn delimited(line: &[u8], columns: Columns) -> Result<Row<'_>, BadReason> {
    let (mut user, mut item, mut rating, mut timestamp): (&[u8], &[u8], &[u8], &[u8]) = (b"", b"", b"", b"");
    let mut found = 0;
    let mut last_empty = false;
    for (place, field) in line.split(|&b| b == columns.delimiter).enumerate() {
        if place == columns.user {
            user = field;
        } else if place == columns.item {
            item = field;
        } else if Some(place) == columns.rating {
            rating = field;
        } else if Some(place) == columns.timestamp {
            timestamp = field;
        }
        found = place + 1;
        last_empty = field.is_empty();
    }
    if !columns.takes(found, last_empty) {
        let logical = |count: usize| (count - 1) / columns.step + 1;
        return Err(BadReason::columns(line, columns.delimiter, logical(found), logical(columns.count)));
    }
    for (which, id) in [("user", user), ("item", item)] {
        check_id(which, id)?;
        if columns.delimiter == b',' && is_open(id) {
            return Err(BadReason::OpenQuote { which, text: quote(id) });
        }
    }
    let rating = if columns.rating.is_some() { parse_rating(rating)? } else { 1.0 };
    let (moment, cut) = if columns.timestamp.is_some() { parse_timestamp(timestamp)? } else { ((0, 0), false) };
    Ok(Row { user, item, rating, moment, cut })
}

/// Whether a field of a comma-separated line begins with a quotation mark and has an odd number of them: then its writer meant to go on behind
/// the comma, and it is no id. Any other quotation mark is a part of the id, as in `12" mix`.
fn is_open(field: &[u8]) -> bool {
    field.first() == Some(&b'"') && memchr::memchr_iter(b'"', field).count() % 2 == 1
}

/// User and items of a checked line of the sequence format.
pub(super) fn sequence(line: &[u8]) -> Result<(&[u8], impl Iterator<Item = &[u8]>), BadReason> {
    let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    let user = fields.next().unwrap_or_default();
    check_id("user", user)?;
    let mut items = 0;
    for item in fields.clone() {
        check_id("item", item)?;
        items += 1;
    }
    if items == 0 { Err(BadReason::NoItem) } else { Ok((user, fields)) }
}

pub(super) fn check_id(which: &'static str, id: &[u8]) -> Result<(), BadReason> {
    match id.len() {
        0 => Err(BadReason::EmptyId(which)),
        1..=MAX_ID_BYTES => Ok(()),
        bytes => Err(BadReason::IdTooLong { which, bytes }),
    }
}

fn parse_rating(field: &[u8]) -> Result<f32, BadReason> {
    let trimmed = field.trim_ascii();
    match fast_float2::parse::<f32, _>(trimmed) {
        Ok(rating) if rating.is_finite() => Ok(rating),
        Ok(_) => Err(BadReason::not_finite("rating", quote(field), 32)),
        Err(_) => Err(BadReason::NotANumber { column: "rating", text: quote(field) }),
    }
}

fn parse_timestamp(field: &[u8]) -> Result<Told, BadReason> {
    if let Some(told) = std::str::from_utf8(field.trim_ascii()).ok().and_then(moment::of_digits) {
        return Ok(told);
    }
    let seconds = parse_number("timestamp", field)?;
    moment::of_number(seconds).ok_or_else(|| BadReason::TimeRange { text: quote(field) })
}

/// A finite number.
pub(super) fn parse_number(column: &'static str, field: &[u8]) -> Result<f64, BadReason> {
    match fast_float2::parse::<f64, _>(field.trim_ascii()) {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) => Err(BadReason::not_finite(column, quote(field), 64)),
        Err(_) => Err(BadReason::NotANumber { column, text: quote(field) }),
    }
}
