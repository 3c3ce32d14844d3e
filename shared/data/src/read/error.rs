//! What can be wrong with a data file.

use std::fmt;

use recspeed_types::Instead;
use recspeed_types::limits::{MAX_ID_BYTES, MAX_LINE_BYTES};
use recspeed_types::spec::DataFormat;
use serde::{Deserialize, Serialize};

use super::separator::{hint, other_separator};
use crate::interactions::Interactions;
use crate::moment::{EARLIEST, EpochUnit, LATEST};

/// What was read and what was skipped. The lines of a table are its rows, from 1.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReadReport {
    /// Lines of the file, header and blank lines included.
    pub lines: u64,
    /// Lines that should hold data: neither blank nor the header.
    pub data_lines: u64,
    /// Rows that were read.
    pub rows: u64,
    /// Lines that were skipped as bad.
    pub bad_lines: u64,
    /// Rows whose time was finer than a nanosecond: what is finer was cut off.
    pub cut_times: u64,
    /// The first bad lines.
    pub shown: Vec<BadLine>,
    /// What the times were read as, where that is not seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_in: Option<EpochUnit>,
}

impl ReadReport {
    /// Notes what times were read as, where not as seconds, and of how many rows that cut something off.
    pub(crate) fn note_unit(&mut self, read_as: Option<(EpochUnit, u64)>) {
        if let Some((unit, cut)) = read_as {
            self.times_in = Some(unit);
            // A row that lost digits before may lose more by the unit, and is one row all the same.
            self.cut_times = self.cut_times.max(cut);
        }
    }

    /// What a person should know of the times; `data` is what was read.
    pub fn warnings_of_times(&self, data: &Interactions) -> Vec<String> {
        if !data.has_timestamps {
            return Vec::new();
        }
        let unit = self.times_in.map(|unit| {
            format!(
                "the times are read as {} since 1970: as seconds most of them would be after the year 2099; where that \
                 is wrong, write seconds into the file",
                unit.as_str()
            )
        });
        let cut = (self.cut_times > 0).then(|| {
            format!(
                "{} of {} rows have times finer than a nanosecond: what is finer is cut off, and rows of the same \
                 nanosecond count as in the file's order",
                self.cut_times, self.rows
            )
        });
        let read_as = self.times_in.map_or("seconds", EpochUnit::as_str);
        let outside = |rows: usize, when: &str| {
            (rows > 0).then(|| {
                format!(
                    "{rows} of {} rows have times {when}, read as {read_as} since 1970: where they are of another unit, \
                     write all times in one",
                    self.rows
                )
            })
        };
        // Seconds among milliseconds become the first weeks of 1970, older than all else. Where seconds were read, early
        // times may be counters or parts of a whole.
        let early = data.timestamp.iter().filter(|&&time| self.times_in.is_some() && time < EARLIEST).count();
        let early = outside(early, "before the year 1995");
        let far = data.timestamp.iter().filter(|&&time| time >= LATEST).count();
        let far = outside(far, "after the year 2099");
        unit.into_iter().chain(cut).chain(early).chain(far).collect()
    }

    /// Share of the data lines that are bad, 0 to 1.
    pub fn bad_share(&self) -> f64 {
        if self.data_lines == 0 { 0.0 } else { self.bad_lines as f64 / self.data_lines as f64 }
    }
}

/// What was read of a table of attributes, and what was left out. The lines of an Arrow or Parquet table are its rows, from 1; JSON
/// has none, and its ids are counted in their place.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AttributeReport {
    /// Lines that should hold data.
    pub data_lines: u64,
    /// Lines that were skipped as bad.
    pub bad_lines: u64,
    /// The first of them.
    pub shown: Vec<BadLine>,
    /// Lines with the id of an earlier one, whose values count.
    pub repeated: u64,
    /// Of them, those that say something else than the first.
    pub differing: u64,
    /// The first line with the id of an earlier one.
    pub first_repeated: Option<RepeatedId>,
}

/// An id where it occurs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepeatedId {
    /// The line.
    pub line: u64,
    /// The id.
    pub id: String,
}

impl AttributeReport {
    /// What a person should know of the file that `field` of the spec names, a sentence each.
    pub fn warnings(&self, field: &str) -> Vec<String> {
        let mut told = Vec::new();
        if let Some(RepeatedId { line, id }) = &self.first_repeated {
            let same = match self.differing {
                0 => "all say the same again".to_owned(),
                1 => "one of them says something else".to_owned(),
                n => format!("{n} of them say something else"),
            };
            told.push(format!(
                "{} of {} lines of the file that {field} names have the id of an earlier line, whose values count; {same}; the first is line {line}, `{}`",
                self.repeated,
                self.data_lines,
                quote(id.as_bytes())
            ));
        }
        if let Some(first) = self.shown.first() {
            let (bad, all) = (self.bad_lines, self.data_lines);
            told.push(format!(
                "Skipped as bad: {bad} of {all} lines of the file that {field} names; the first is {first}"
            ));
        }
        told
    }
}

/// A line that was skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadLine {
    /// Its number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Why bytes cannot be read as data.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReadError {
    /// There are no bytes.
    #[error("the file is empty; choose a file with ratings")]
    Empty,
    /// There are lines, but none with data.
    #[error("the file has no line with data (lines: {lines}); choose a file with ratings")]
    NoRows {
        /// Lines, header and blank lines included.
        lines: u64,
    },
    /// The bytes are no text.
    #[error("the file is {what}, not UTF-8 text; {remedy}")]
    Binary {
        /// What it looks like.
        what: &'static str,
        /// What to do with such a file.
        remedy: &'static str,
    },
    /// The packed data end early or are damaged.
    #[error(
        "the {packing} file is cut off or damaged after {inflated} unpacked bytes ({cause}); fetch or copy it again"
    )]
    Packed {
        /// `gzip` or `zstd`.
        packing: &'static str,
        /// Bytes that came out before.
        inflated: u64,
        /// What the decompressor said.
        cause: String,
    },
    /// The packed data unpack to more than allowed.
    #[error(
        "the {packing} file of {packed} bytes unpacks to more than the allowed {limit} bytes; unpack it and use a part of it"
    )]
    TooLargeUnpacked {
        /// What it is packed with.
        packing: &'static str,
        /// Bytes of the file.
        packed: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The bytes are no sound table.
    #[error("no sound {format} file: {cause}; check dataset.format, or fetch or copy the file again")]
    Table {
        /// `Parquet` or `Arrow IPC`.
        format: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// A table has no column for what is needed.
    #[error("{}; it has {known}; name the right one as dataset.columns.{what}", missing(what, given.as_deref()))]
    NoColumn {
        /// `user`, `item`, `rating` or `timestamp`.
        what: &'static str,
        /// The name that was given.
        given: Option<String>,
        /// The columns that are there, shortened.
        known: String,
    },
    /// A column has a type that cannot be used.
    #[error(
        "the column `{column}` holds {found}, but {what} must be {expected}; convert it, or name another as dataset.columns.{what}"
    )]
    ColumnType {
        /// Its name, shortened.
        column: String,
        /// `user`, `item`, `rating` or `timestamp`.
        what: &'static str,
        /// Its type.
        found: String,
        /// The types that can be.
        expected: &'static str,
    },
    /// A column of a table of attributes has a type that cannot be used.
    #[error("the column `{column}` holds {found}, but {expected}; convert it, or leave it out")]
    AttributeType {
        /// Its name, shortened.
        column: String,
        /// Its type.
        found: String,
        /// What can be.
        expected: &'static str,
    },
    /// A table holds more than allowed.
    #[error("the table needs at least {bytes} bytes in memory, allowed are {limit}; use a part of it")]
    TableTooLarge {
        /// Bytes needed.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A table is packed in a way that nobody unpacks here.
    #[error("the table is packed with {codec}, which is not read here; write it with zstd or snappy")]
    Codec {
        /// The way.
        codec: String,
    },
    /// Nobody reads this format here.
    #[error("the format {format} is not read here; give the file to the server, which reads it")]
    NotHere {
        /// The format.
        format: &'static str,
    },
    /// The first line does not fit the format.
    #[error("line 1 is `{found}`; {expected}")]
    Header {
        /// The line, shortened.
        found: String,
        /// What the format asks for.
        expected: &'static str,
    },
    /// The first line tells that the file is written in another way.
    #[error(
        "line 1 is `{found}`; these are the column names of a {} file; set dataset.format to {}",
        format.title(),
        format.as_str()
    )]
    OtherFormat {
        /// The line, shortened.
        found: String,
        /// How it is written.
        format: DataFormat,
    },
    /// The file begins as JSON, and is not what attributes are in.
    #[error("the file is no JSON of attributes by id, as {{\"83\": [4, 5, 6]}}: {message}")]
    Json {
        /// What does not fit, with line and column.
        message: String,
    },
    /// More lines are bad than allowed.
    #[error("{}", too_many(*bad, *lines, *limit, shown))]
    TooManyBadLines {
        /// Bad lines.
        bad: u64,
        /// Lines that should hold data.
        lines: u64,
        /// Share allowed, 0 to 1.
        limit: f64,
        /// The first of them.
        shown: Vec<BadLine>,
    },
    /// A file of attributes has none.
    #[error("the file {what}; choose a file with a line of attributes for each id, or leave the field out")]
    NoAttributes {
        /// What it is or has instead.
        what: &'static str,
    },
    /// A file of attributes of items begins with ids of users, or one of users with ids of items.
    #[error(
        "the first column is `{column}`, the id of {found}, where that of {wanted} must stand; name a file with a line of attributes \
         for each id, whose first column is the id of {wanted}, rename the column where it is that, or leave the field out"
    )]
    OtherIds {
        /// Its name, shortened.
        column: String,
        /// Whose ids they are: `a user` or `an item`.
        found: &'static str,
        /// Whose ids they must be.
        wanted: &'static str,
    },
    /// More lines of a file of attributes are bad than allowed, which no field of the spec changes.
    #[error("{told}; correct them")]
    BadAttributes {
        /// How many, and the first of them.
        told: String,
    },
    /// More rows than row numbers.
    #[error("the file has more than {} rows; use a part of it", u32::MAX - 1)]
    TooManyRows,
    /// The distinct ids need more than the arena holds.
    #[error("the distinct {which} ids take more than 2 GiB; use shorter ids or a part of the file")]
    TooManyIds {
        /// `user` or `item`.
        which: &'static str,
    },
}

impl ReadError {
    /// The same of a file of attributes, whose remedies are others than those of a file of ratings.
    #[must_use]
    pub fn of_attributes(self) -> Self {
        match self {
            Self::Empty => Self::NoAttributes { what: "is empty" },
            Self::NoRows { .. } => Self::NoAttributes { what: "has no line with data" },
            Self::TooManyBadLines { bad, lines, limit, shown } => {
                Self::BadAttributes { told: bad_lines(bad, lines, limit, &shown) }
            }
            other => other,
        }
    }

    /// What is wrong, without the remedy where that is about the spec, which whoever gives a file away does not have.
    pub fn without_remedy(&self) -> String {
        match self {
            Self::TooManyBadLines { bad, lines, limit, shown } => bad_lines(*bad, *lines, *limit, shown),
            other => other.to_string(),
        }
    }

    /// The settings of a spec that would do in place of those that the file was read by, where the file tells them.
    pub fn instead(&self) -> Vec<Instead> {
        match self {
            Self::OtherFormat { format, .. } => {
                vec![Instead { path: "dataset.format".to_owned(), value: format.as_str().to_owned() }]
            }
            _ => Vec::new(),
        }
    }

    /// What whoever gives a file away may do about it, where that is about how it was said to be written.
    pub fn advice(&self, format: DataFormat) -> Option<String> {
        let of_the_format = matches!(
            self,
            Self::TooManyBadLines { .. } | Self::NoRows { .. } | Self::Header { .. } | Self::OtherFormat { .. }
        );
        of_the_format
            .then(|| format!("Check that the file is written as {}, or choose another format.", format.as_str()))
    }
}

fn missing(what: &str, given: Option<&str>) -> String {
    match given {
        Some(name) => format!("the table has no column `{}`", quote(name.as_bytes())),
        None => format!("the table has no column that is named like a {what}"),
    }
}

/// Bad lines quoted in the sentence; the report has more.
const QUOTED: usize = 3;

fn too_many(bad: u64, lines: u64, limit: f64, shown: &[BadLine]) -> String {
    let what = bad_lines(bad, lines, limit, shown);
    // Where no line is good, allowing more of them leaves none either.
    let remedy = if bad < lines { "check the format, or raise dataset.max_bad_share" } else { "or check the format" };
    format!("{what}; correct them, {remedy}")
}

fn bad_lines(bad: u64, lines: u64, limit: f64, shown: &[BadLine]) -> String {
    let first: Vec<String> = shown.iter().take(QUOTED).map(BadLine::to_string).collect();
    let first = first.join("; ");
    if bad >= lines {
        return format!("not one of {lines} data lines can be read; first {first}");
    }
    let share = 100.0 * bad as f64 / lines.max(1) as f64;
    format!("{bad} of {lines} data lines ({share:.1} %) are bad, allowed are {} %; first {first}", 100.0 * limit)
}

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum BadReason {
    /// `own`: what separates columns; `other`: what separates so many of this line.
    #[error("{expected} columns expected, found {found}{}", hint(*own, *other))]
    Columns { found: usize, expected: usize, own: u8, other: Option<(u8, usize)> },
    #[error("has no item after the user")]
    NoItem,
    #[error("the {0} id is empty")]
    EmptyId(&'static str),
    #[error("the {which} id `{text}` begins with a quotation mark that nothing closes")]
    OpenQuote { which: &'static str, text: String },
    #[error("the {which} id has {bytes} bytes, allowed are {MAX_ID_BYTES}")]
    IdTooLong { which: &'static str, bytes: usize },
    #[error("the {column} is `{text}`, not a number")]
    NotANumber { column: &'static str, text: String },
    #[error("the {column} is `{text}`, not a finite number")]
    NotFinite { column: &'static str, text: String },
    #[error("the {column} is `{text}`, beyond the range of {bits}-bit numbers (up to {})", most(*bits))]
    Beyond { column: &'static str, text: String, bits: u32 },
    #[error("the timestamp is `{text}`, outside the range of seconds since 1970")]
    TimeRange { text: String },
    /// Only a table has cells without a value.
    #[cfg(feature = "arrow")]
    #[error("has no {0}")]
    Missing(&'static str),
    #[error("is not UTF-8 text")]
    NotUtf8,
    #[error("contains a NUL byte")]
    Nul,
    #[error("has {bytes} bytes, allowed are {MAX_LINE_BYTES}")]
    LineTooLong { bytes: usize },
}

impl BadReason {
    /// A line of the wrong number of columns, where `own` separates them.
    pub(crate) fn columns(line: &[u8], own: u8, found: usize, expected: usize) -> Self {
        let other = if found < expected { other_separator(line, own, expected) } else { None };
        Self::Columns { found, expected, own, other }
    }

    /// A text that was read as no finite number: it is none, or one that is too large for so many bits.
    pub(crate) fn not_finite(column: &'static str, text: String, bits: u32) -> Self {
        if text.bytes().any(|byte| byte.is_ascii_digit()) {
            Self::Beyond { column, text, bits }
        } else {
            Self::NotFinite { column, text }
        }
    }
}

/// The largest number of so many bits.
const fn most(bits: u32) -> &'static str {
    if bits == 32 { "3.4e38" } else { "1.8e308" }
}

/// The first characters of a piece of a file, for quoting. Tabs, which divide columns, are shown as such.
pub(crate) fn quote(bytes: &[u8]) -> String {
    const CHARS: usize = 40;
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * CHARS)]);
    let printable = text.chars().map(|c| match c {
        '\t' => '⇥',
        c if c.is_control() => '\u{fffd}',
        c => c,
    });
    let mut quoted: String = printable.take(CHARS).collect();
    if quoted.len() < bytes.len() && text.chars().count() > CHARS {
        quoted.push('…');
    }
    quoted
}
