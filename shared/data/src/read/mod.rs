//! Rating files into columns.
//!
//! The text is cut at line ends into chunks; chunks are parsed in parallel ([`chunk`]), and a batch of parsed chunks at
//! a time gets its ids numbered ([`encode`]). The order of first appearance decides every index, so the result does not
//! depend on the number of threads.

mod attribute_lists;
mod attributes;
mod chunk;
mod encode;
mod error;
mod layout;
mod line;
mod repeats;
mod separator;
mod text;

use rayon::prelude::*;
use recspeed_types::limits::MAX_BAD_LINES_SHOWN;
use recspeed_types::spec::DataFormat;

pub use attributes::read_attributes;
pub use error::{AttributeReport, BadLine, ReadError, ReadReport, RepeatedId};

use crate::attributes::Attributes;
use crate::interactions::Interactions;
use chunk::{ChunkRows, Scratch};
use encode::Encoder;
pub(crate) use error::{BadReason, quote};
#[cfg(feature = "arrow")]
pub(crate) use repeats::Repeats;

/// Bounds of one reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadLimits {
    /// Share of data lines that may be bad, 0 to 1.
    pub max_bad_share: f64,
    /// Bytes that a packed file, or the columns of a table, may unpack to.
    pub max_inflated_bytes: u64,
}

impl Default for ReadLimits {
    /// 1 % bad lines; 2 GiB unpacked.
    fn default() -> Self {
        Self { max_bad_share: 0.01, max_inflated_bytes: 2 << 30 }
    }
}

/// What a reading gave.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadOutcome {
    /// The rows.
    pub interactions: Interactions,
    /// Lines, rows, and what was skipped.
    pub report: ReadReport,
}

/// What a reading of attributes gave.
#[derive(Debug, Clone, PartialEq)]
pub struct AttributeOutcome {
    /// The table.
    pub attributes: Attributes,
    /// Lines, and what was left out.
    pub report: AttributeReport,
    /// What the file calls its first column, that of the ids; empty where it has no such name, as JSON.
    pub id_column: String,
}

impl AttributeOutcome {
    /// Refuses a table whose first column is named like the ids of the others: users where `of_items`, or items where not. Ids of the
    /// two are often numbers from 1, so that one passes for the other.
    ///
    /// # Errors
    /// [`ReadError::OtherIds`].
    pub fn check_ids(&self, of_items: bool) -> Result<(), ReadError> {
        let name = self.id_column.split(':').next().unwrap_or_default();
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
        let (found, wanted, others) = if of_items {
            ("a user", "an item", ["user", "userid"])
        } else {
            ("an item", "a user", ["item", "itemid"])
        };
        if others.contains(&plain.as_str()) {
            return Err(ReadError::OtherIds { column: quote(self.id_column.as_bytes()), found, wanted });
        }
        Ok(())
    }
}

/// What is packed in bytes that begin as gzip or zstd do; `None` for others, which are as they are. The readers of texts do this by
/// themselves.
///
/// # Errors
/// [`ReadError`]: the packing is damaged, or holds more than the limit allows.
pub fn unpack(bytes: &[u8], limits: ReadLimits) -> Result<Option<Vec<u8>>, ReadError> {
    text::unpack(bytes, limits.max_inflated_bytes)
}

/// Bytes of the beginning of a packed file of which [`unpack_start`] can tell something: a block of zstd has at most 128 KiB, behind headers.
pub const PACKED_START: u64 = (128 << 10) + 64;

/// What the beginning of a file unpacks to, `most` bytes at most, where it begins as gzip or zstd do; `None` for others, which are as they
/// are. Nothing comes out where the packing is damaged, or where the beginning is too short: see [`PACKED_START`].
pub fn unpack_start(start: &[u8], most: u64) -> Option<Vec<u8>> {
    text::unpack_start(start, most)
}

/// Reads a ratings file that is text. Gzip and zstd are recognised by their first bytes; a byte-order mark and Windows line ends are accepted,
/// blank lines are skipped. Bad lines are counted and skipped as long as their share stays within the limit.
///
/// # Errors
/// [`ReadError`]: the bytes are no such file, more lines are bad than allowed, or the format is a table
/// (`crate::table`, `recspeed_datasets`).
pub fn read_ratings(format: DataFormat, bytes: &[u8], limits: ReadLimits) -> Result<ReadOutcome, ReadError> {
    if format.is_table() {
        return Err(ReadError::NotHere { format: format.as_str() });
    }
    let text = text::open(bytes, limits.max_inflated_bytes)?;
    read_text(format, &text, limits, chunk::CHUNK_BYTES)
}

/// Chunks parsed before their ids are numbered; bounds the memory besides the columns.
const CHUNKS_A_BATCH: usize = 32;

fn read_text(
    format: DataFormat,
    text: &[u8],
    limits: ReadLimits,
    chunk_bytes: usize,
) -> Result<ReadOutcome, ReadError> {
    let (layout, body) = layout::detect(format, text)?;
    let mut encoder = Encoder::default();
    let mut report = ReadReport { lines: u64::from(body > 0), ..ReadReport::default() };
    let mut batch: Vec<ChunkRows> = Vec::new();
    let mut bounds = Vec::with_capacity(CHUNKS_A_BATCH);
    let mut at = body;
    while at < text.len() {
        bounds.clear();
        while at < text.len() && bounds.len() < CHUNKS_A_BATCH {
            let end = chunk::end_of_chunk(text, at, chunk_bytes);
            bounds.push(at..end);
            at = end;
        }
        batch.resize_with(bounds.len().max(batch.len()), ChunkRows::default);
        let parsed = &mut batch[..bounds.len()];
        parsed.par_iter_mut().zip(&bounds).for_each_init(Scratch::default, |scratch, (rows, range)| {
            rows.parse(text, range.clone(), &layout, scratch);
        });
        for chunk in parsed.iter_mut() {
            for (line, reason) in chunk.shown.drain(..) {
                if report.shown.len() < MAX_BAD_LINES_SHOWN {
                    report.shown.push(BadLine { line: report.lines + line, reason: reason.to_string() });
                }
            }
            report.lines += chunk.lines;
            report.bad_lines += chunk.bad;
            report.cut_times += chunk.cut;
            report.data_lines += chunk.data_lines;
        }
        let first = encoder.rows() == 0;
        encoder.add_batch(text, parsed, &bounds)?;
        if first && at < text.len() {
            encoder.reserve(at - body, text.len() - body);
        }
    }
    drop(batch);
    report.rows = encoder.rows() as u64;
    if report.data_lines == 0 {
        return Err(ReadError::NoRows { lines: report.lines });
    }
    if report.bad_share() > limits.max_bad_share || report.rows == 0 {
        return Err(ReadError::TooManyBadLines {
            bad: report.bad_lines,
            lines: report.data_lines,
            limit: limits.max_bad_share,
            shown: report.shown,
        });
    }
    let mut interactions = encoder.finish(layout.has_ratings(), layout.has_timestamps());
    report.note_unit(interactions.rescale_times());
    Ok(ReadOutcome { interactions, report })
}

#[cfg(test)]
mod tests;
