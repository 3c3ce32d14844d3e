//! How the columns of a file lie.

use memchr::{memchr, memchr_iter};
use recspeed_types::spec::DataFormat;

use super::error::{ReadError, quote};
use super::line::parse_number;

/// How a line is to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// One interaction a line, columns with a delimiter between them.
    Delimited(Columns),
    /// `user item item …`, oldest first.
    Sequences,
}

/// What may follow the last column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The line's end.
    Nothing,
    /// One more delimiter.
    Delimiter,
    /// One more column without a name, whatever it holds: the real Amazon file has one, empty in most lines and
    /// `Delete` in some.
    Unnamed,
}

/// Places of the columns, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    /// The byte between columns.
    pub(super) delimiter: u8,
    /// Columns of a line.
    pub(super) count: usize,
    /// 2 where the delimiter is written twice (`::`): every second column is then empty and skipped.
    pub(super) step: usize,
    /// What may follow the last column.
    pub(super) after: After,
    pub(super) user: usize,
    pub(super) item: usize,
    pub(super) rating: Option<usize>,
    pub(super) timestamp: Option<usize>,
}

impl Columns {
    /// user, item, rating, timestamp.
    const fn four(delimiter: u8, step: usize, after: After) -> Self {
        let count = 3 * step + 1;
        Self { delimiter, count, step, after, user: 0, item: step, rating: Some(2 * step), timestamp: Some(3 * step) }
    }

    /// The same without the timestamp. What follows the rating is an empty field at most: anything else there is a time.
    const fn without_times(self) -> Self {
        let after = if matches!(self.after, After::Nothing) { After::Nothing } else { After::Delimiter };
        Self { count: 2 * self.step + 1, timestamp: None, after, ..self }
    }

    /// Whether a line of so many fields is one of these columns; `last_empty`: whether its last field is empty.
    pub(super) fn takes(self, fields: usize, last_empty: bool) -> bool {
        let one_more = match self.after {
            After::Nothing => false,
            After::Delimiter => last_empty,
            After::Unnamed => true,
        };
        fields == self.count || fields == self.count + 1 && one_more
    }

    /// Whether the columns are user, item, rating, timestamp and nothing else.
    pub(super) fn is_plain(self) -> bool {
        self == Self::four(self.delimiter, 1, self.after)
    }
}

impl Layout {
    pub(super) fn has_ratings(self) -> bool {
        matches!(self, Self::Delimited(Columns { rating: Some(_), .. }))
    }

    pub(super) fn has_timestamps(self) -> bool {
        matches!(self, Self::Delimited(Columns { timestamp: Some(_), .. }))
    }
}

/// The layout, and where the first line of data begins (0 where there is no header). Files of user, item, rating and timestamp may come
/// without the timestamps, as RecBole's may.
pub(super) fn detect(format: DataFormat, text: &[u8]) -> Result<(Layout, usize), ReadError> {
    let end = memchr(b'\n', text).unwrap_or(text.len());
    let first = text[..end].strip_suffix(b"\r").unwrap_or(&text[..end]);
    let after = (end + 1).min(text.len());
    if format != DataFormat::Recbole && is_recbole_header(first) {
        // Read as sequences every number of such a file would be an item, and no line bad.
        return Err(ReadError::OtherFormat { found: quote(first), format: DataFormat::Recbole });
    }
    let columns = match format {
        DataFormat::Sequences => return Ok((Layout::Sequences, 0)),
        DataFormat::Recbole => return Ok((Layout::Delimited(recbole(first)?), after)),
        DataFormat::Parquet | DataFormat::Arrow => return Err(ReadError::NotHere { format: format.as_str() }),
        DataFormat::AmazonCsv => Columns::four(b',', 1, After::Unnamed),
        DataFormat::Movielens => {
            if first.windows(2).any(|pair| pair == b"::") {
                Columns::four(b':', 2, After::Nothing)
            } else if first.contains(&b'\t') {
                Columns::four(b'\t', 1, After::Nothing)
            } else if first.contains(&b',') {
                Columns::four(b',', 1, After::Delimiter)
            } else {
                let expected = "MovieLens separates user, item, rating and timestamp by tabs, `::` or commas; check \
                                dataset.format";
                return Err(ReadError::Header { found: quote(first), expected });
            }
        }
    };
    let columns = if lacks_times(text, columns) { columns.without_times() } else { columns };
    let body = if is_header(first, columns) { after } else { 0 };
    Ok((Layout::Delimited(columns), body))
}

/// Lines by which it is told whether a file has times.
const LINES_ASKED: usize = 100;

/// Whether more of the first lines end behind the rating than have a time: the file then has no times, and lines that have one are bad.
fn lacks_times(text: &[u8], columns: Columns) -> bool {
    let (mut with, mut without) = (0, 0);
    let lines = text.split(|&b| b == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    for line in lines.filter(|line| !line.trim_ascii().is_empty()).take(LINES_ASKED) {
        let fields = memchr_iter(columns.delimiter, line).count() + 1;
        let last_empty = line.last() == Some(&columns.delimiter);
        if columns.without_times().takes(fields, last_empty) {
            without += 1;
        } else if columns.takes(fields, last_empty) {
            with += 1;
        }
    }
    without > with
}

/// A first line whose rating and timestamp (where there is one) are no numbers holds the names of the columns.
fn is_header(line: &[u8], columns: Columns) -> bool {
    let fields: Vec<&[u8]> = line.split(|&b| b == columns.delimiter).take(columns.count).collect();
    fields.len() == columns.count
        && [columns.rating, columns.timestamp]
            .iter()
            .flatten()
            .all(|&at| !fields[at].is_empty() && parse_number("", fields[at]).is_err())
}

/// The types of RecBole's columns.
const RECBOLE_TYPES: [&str; 4] = ["token", "token_seq", "float", "float_seq"];

/// Whether a line is a RecBole header: between tabs nothing but names with their types, as `user_id:token`. Ids may have colons, too.
fn is_recbole_header(line: &[u8]) -> bool {
    let is_column = |column: &str| {
        column.split_once(':').is_some_and(|(name, kind)| !name.is_empty() && RECBOLE_TYPES.contains(&kind))
    };
    std::str::from_utf8(line).is_ok_and(|text| text.contains('\t') && text.split('\t').all(is_column))
}

fn recbole(line: &[u8]) -> Result<Columns, ReadError> {
    let expected = "a RecBole .inter file begins with `user_id:token`, `item_id:token` and perhaps `rating:float` and \
                    `timestamp:float`, separated by tabs";
    let mismatch = || ReadError::Header { found: quote(line), expected };
    let text = std::str::from_utf8(line).map_err(|_| mismatch())?;
    let names: Vec<&str> = text
        .split('\t')
        .map(|field| field.split_once(':').map(|(name, _)| name))
        .collect::<Option<_>>()
        .ok_or_else(mismatch)?;
    let place = |name: &str| names.iter().position(|found| found.eq_ignore_ascii_case(name));
    Ok(Columns {
        delimiter: b'\t',
        count: names.len(),
        step: 1,
        after: After::Nothing,
        user: place("user_id").ok_or_else(mismatch)?,
        item: place("item_id").ok_or_else(mismatch)?,
        rating: place("rating"),
        timestamp: place("timestamp"),
    })
}
