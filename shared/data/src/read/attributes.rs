//! RecBole's `.item` and `.user` files, and JSON lists by id.

use recspeed_types::limits::MAX_BAD_LINES_SHOWN;

use super::error::{BadLine, BadReason, ReadError, quote};
use super::repeats::Repeats;
use super::{AttributeOutcome, AttributeReport, ReadLimits, attribute_lists, line, text};
use crate::attributes::{AttributeColumn, Attributes, Growing};
use crate::dictionary::{Dictionary, DictionaryBuilder};

const EXPECTED: &str = "a RecBole attribute file begins with an id as `item_id:token` and then columns as \
                        `class:token_seq`, of the types token, token_seq, float and float_seq, separated by tabs";

/// An empty column of a type of the header.
fn of_type(name: &str) -> Option<Growing> {
    Some(match name {
        "token" => Growing::words(),
        "token_seq" => Growing::lists_of_words(),
        "float" => Growing::numbers(),
        "float_seq" => Growing::lists_of_numbers(),
        _ => return None,
    })
}

/// Whether a field can be added.
fn check(column: &Growing, field: &str) -> Result<(), BadReason> {
    match column {
        Growing::Token(..) | Growing::TokenSeq(..) => Ok(()),
        Growing::Float(_) if field.is_empty() => Ok(()),
        Growing::Float(_) => line::parse_number("attribute", field.as_bytes()).map(drop),
        Growing::FloatSeq(..) => {
            field.split_ascii_whitespace().try_for_each(|f| line::parse_number("attribute", f.as_bytes()).map(drop))
        }
    }
}

/// Adds a checked field.
fn add(column: &mut Growing, field: &str) {
    // `check` has parsed the same text before.
    let number = |f: &str| line::parse_number("attribute", f.as_bytes()).map_or(f32::NAN, |n| n as f32);
    match column {
        Growing::Token(vocabulary, word) => word.push(vocabulary.intern(field)),
        Growing::TokenSeq(vocabulary, indptr, words) => {
            words.extend(field.split_ascii_whitespace().map(|word| vocabulary.intern(word)));
            indptr.push(words.len());
        }
        Growing::Float(values) => values.push(number(field)),
        Growing::FloatSeq(indptr, values) => {
            values.extend(field.split_ascii_whitespace().map(number));
            indptr.push(values.len());
        }
    }
}

/// Reads a RecBole attribute file: a typed header whose first column is the id, then one line an id, columns separated
/// by tabs. Of several lines with one id the first counts, and the report says so. Accepts gzip, zstd, a byte-order mark and Windows line ends.
///
/// A file that begins with `{` is read as JSON lists by id, `{"83": [4, 5, 6]}`: one column, `attribute`.
///
/// # Errors
/// [`ReadError`]: no such header, more than 1 % bad lines, or JSON of another form.
pub fn read_attributes(bytes: &[u8]) -> Result<AttributeOutcome, ReadError> {
    let limits = ReadLimits::default();
    let text = text::open(bytes, limits.max_inflated_bytes)?;
    if attribute_lists::is_one(&text) {
        return attribute_lists::read(&text);
    }
    let mut lines = text.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line)).zip(1u64..);
    let (first, _) = lines.next().ok_or(ReadError::Empty)?;
    let (id_column, mut columns) =
        header(first).ok_or_else(|| ReadError::Header { found: quote(first), expected: EXPECTED })?;
    let mut ids = DictionaryBuilder::default();
    let (mut report, mut repeats) = (AttributeReport::default(), Repeats::default());
    for (line, number) in lines.filter(|(line, _)| !line.trim_ascii().is_empty()) {
        report.data_lines += 1;
        match add_line(line, &mut ids, &mut columns) {
            Ok((index, id, says)) => repeats.see(index, (number, id), says, &mut report),
            Err(reason) => {
                report.bad_lines += 1;
                if report.shown.len() < MAX_BAD_LINES_SHOWN {
                    report.shown.push(BadLine { line: number, reason: reason.to_string() });
                }
            }
        }
    }
    let AttributeReport { data_lines: lines, bad_lines: bad, .. } = report;
    if lines == 0 {
        return Err(ReadError::NoRows { lines: 1 });
    }
    if bad as f64 > limits.max_bad_share * lines as f64 {
        return Err(ReadError::TooManyBadLines { bad, lines, limit: limits.max_bad_share, shown: report.shown });
    }
    let ids: Dictionary = ids.finish();
    let columns = columns.into_iter().map(|(name, values)| AttributeColumn { name, values: values.finish() }).collect();
    Ok(AttributeOutcome { attributes: Attributes { ids, columns }, report, id_column })
}

/// The id's own column as it is written; names and empty columns behind it.
fn header(line: &[u8]) -> Option<(String, Vec<(String, Growing)>)> {
    let mut fields = std::str::from_utf8(line).ok()?.split('\t');
    let id = fields.next()?;
    let (_, id_type) = id.split_once(':')?;
    if id_type != "token" {
        return None;
    }
    let columns = fields.map(|field| {
        let (name, kind) = field.split_once(':')?;
        Some((name.to_owned(), of_type(kind)?))
    });
    Some((id.to_owned(), columns.collect::<Option<_>>()?))
}

/// Number of the line's id, the id, and what stands behind it.
fn add_line<'a>(
    line: &'a [u8],
    ids: &mut DictionaryBuilder,
    columns: &mut [(String, Growing)],
) -> Result<(u32, &'a str, &'a str), BadReason> {
    line::check(line)?;
    let text = std::str::from_utf8(line).map_err(|_| BadReason::NotUtf8)?;
    let found = text.split('\t').count();
    if found != columns.len() + 1 {
        return Err(BadReason::columns(line, b'\t', found, columns.len() + 1));
    }
    let mut fields = text.split('\t');
    let id = fields.next().unwrap_or_default();
    line::check_id("first", id.as_bytes())?;
    for ((_, column), field) in columns.iter().zip(fields.clone()) {
        check(column, field)?;
    }
    let before = ids.len();
    let index = ids.intern(id);
    if index as usize == before {
        for ((_, column), field) in columns.iter_mut().zip(fields) {
            add(column, field);
        }
    }
    Ok((index, id, &text[id.len()..]))
}
