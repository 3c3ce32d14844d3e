//! Some lines of a file into rows whose ids are found but not yet numbered.

use std::ops::Range;

use memchr::memchr;
use recspeed_types::limits::MAX_BAD_LINES_SHOWN;

use super::BadReason;
use super::layout::{After, Columns, Layout};
use super::line;
use crate::dictionary::{fold, hash};
use crate::moment::Fractions;

/// Bytes of a chunk, up to its last line's end: small enough for a core's cache, large enough to be worth a task.
pub(super) const CHUNK_BYTES: usize = 512 * 1024;

/// Parts that the ids are divided into by hash, each with a hash table of its own.
pub(super) const PARTITIONS: usize = 128;

/// The span of an id that equals the one of the row before.
pub(super) const SAME: u32 = u32::MAX;

/// An id as the hash tables compare it. Up to 15 bytes: the bytes themselves, zero-padded, with the length in the top
/// byte, so that equal keys are equal ids. Longer: a hash, then [`LONG`] in the top byte, the length in the next two, and
/// five bytes for the tables' own use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Key {
    pub(super) low: u64,
    pub(super) high: u64,
}

/// Top byte of the key of an id that does not fit into it.
const LONG: u64 = 0xff << 56;

/// Lowest bits of the high half of a long key: where a table keeps the bytes of the id.
pub(super) const PLACE_BITS: u32 = 40;

impl Key {
    fn of(id: &[u8]) -> Self {
        if id.len() <= 15 {
            let mut padded = [0; 16];
            padded[..id.len()].copy_from_slice(id);
            padded[15] = id.len() as u8;
            let both = u128::from_le_bytes(padded);
            return Self { low: both as u64, high: (both >> 64) as u64 };
        }
        Self { low: hash(id), high: LONG | (id.len() as u64) << PLACE_BITS }
    }

    /// Whether equal keys still need their bytes compared.
    pub(super) const fn is_long(self) -> bool {
        self.high & LONG == LONG
    }

    #[inline]
    pub(super) const fn hash(self) -> u64 {
        fold(self.low ^ 0x2d35_8dcc_aa6c_78a5, self.high ^ 0x8bb8_4b93_962e_acc9)
    }
}

/// Which partition a hash belongs to: its top bits.
const fn partition(hash: u64) -> usize {
    (hash >> (64 - PARTITIONS.trailing_zeros())) as usize
}

/// An id of a row that differs from the row's before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Found {
    pub(super) key: Key,
    /// Row in the chunk.
    pub(super) row: u32,
    /// See [`span`].
    pub(super) span: u32,
}

/// Place of an id in its chunk and its length, packed: 21 bits and 10 bits.
const fn pack_span(start: usize, len: usize) -> u32 {
    (start as u32) << 10 | (len as u32 - 1)
}

/// Place and length of a packed id.
pub(super) const fn unpack_span(span: u32) -> (usize, usize) {
    ((span >> 10) as usize, (span & 1023) as usize + 1)
}

/// The bytes of a chunk that a span names.
pub(super) fn span(chunk: &[u8], span: u32) -> &[u8] {
    let (start, len) = unpack_span(span);
    &chunk[start..start + len]
}

/// Ids as they are met, before they are divided.
#[derive(Debug, Default)]
struct Met {
    found: Vec<Found>,
    /// Partition of each.
    partition: Vec<u8>,
}

/// Buffers that one chunk after another uses, so that only one pair a task is in memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    user: Met,
    item: Met,
}

/// The ids of one column of a chunk.
#[derive(Debug, Default)]
pub(super) struct IdColumn {
    /// Span of each row, or [`SAME`].
    pub(super) spans: Vec<u32>,
    /// The ids that differ from the row's before, by partition.
    sorted: Vec<Found>,
    /// Where each partition begins in `sorted`.
    starts: Vec<u32>,
    last: Key,
}

impl IdColumn {
    #[inline]
    fn push(&mut self, met: &mut Met, key: Key, start: usize, len: usize) {
        let row = self.spans.len() as u32;
        if key == self.last && !key.is_long() {
            self.spans.push(SAME);
            return;
        }
        self.last = key;
        let span = pack_span(start, len);
        self.spans.push(span);
        met.found.push(Found { key, row, span });
        met.partition.push(partition(key.hash()) as u8);
    }

    fn clear(&mut self) {
        self.spans.clear();
        self.last = Key::default();
    }

    /// Takes what was met, by partition; rows stay ascending inside each.
    fn divide(&mut self, met: &mut Met) {
        let mut next = [0u32; PARTITIONS];
        for &partition in &met.partition {
            next[usize::from(partition)] += 1;
        }
        self.starts.clear();
        self.starts.push(0);
        let mut start = 0;
        for count in &mut next {
            let begin = start;
            start += *count;
            *count = begin;
            self.starts.push(start);
        }
        self.sorted.resize(met.found.len(), Found::default());
        for (found, &partition) in met.found.iter().zip(&met.partition) {
            let at = &mut next[usize::from(partition)];
            self.sorted[*at as usize] = *found;
            *at += 1;
        }
        met.found.clear();
        met.partition.clear();
    }

    /// What was found in one partition, rows ascending.
    pub(super) fn of_partition(&self, partition: usize) -> &[Found] {
        &self.sorted[self.starts[partition] as usize..self.starts[partition + 1] as usize]
    }
}

/// The rows of a chunk. Reused from batch to batch.
#[derive(Debug, Default)]
pub(super) struct ChunkRows {
    pub(super) rating: Vec<f32>,
    pub(super) timestamp: Vec<i64>,
    /// Of the rows of the chunk.
    pub(super) fraction: Fractions,
    pub(super) user: IdColumn,
    pub(super) item: IdColumn,
    /// Lines, blank ones included.
    pub(super) lines: u64,
    /// Lines that are not blank.
    pub(super) data_lines: u64,
    /// Lines that were skipped.
    pub(super) bad: u64,
    /// Rows whose time lost what is finer than a nanosecond.
    pub(super) cut: u64,
    /// The first bad lines: number in the chunk from 1, and reason.
    pub(super) shown: Vec<(u64, BadReason)>,
}

/// Where the chunk that begins at `start` ends: behind the first line end at or after `start + bytes`.
pub(super) fn end_of_chunk(text: &[u8], start: usize, bytes: usize) -> usize {
    let at = start.saturating_add(bytes).min(text.len());
    memchr(b'\n', &text[at..]).map_or(text.len(), |more| at + more + 1)
}

impl ChunkRows {
    /// Reads the lines of `text[range]`, which begins and ends at line ends.
    pub(super) fn parse(&mut self, text: &[u8], range: Range<usize>, layout: &Layout, scratch: &mut Scratch) {
        self.rating.clear();
        self.timestamp.clear();
        self.fraction.clear();
        self.user.clear();
        self.item.clear();
        self.shown.clear();
        (self.lines, self.data_lines, self.bad, self.cut) = (0, 0, 0, 0);
        let chunk = &text[range.clone()];
        match *layout {
            Layout::Delimited(columns) => {
                // The fast path checks neither encoding nor NUL, so it may only see lines without such trouble.
                let fast =
                    columns.is_plain() && memchr(0, chunk).is_none() && simdutf8::basic::from_utf8(chunk).is_ok();
                // Wide loads may read past the chunk, as long as they stay in the file.
                self.delimited(chunk, &text[range.start..], columns, fast, scratch);
            }
            Layout::Sequences => self.sequences(chunk, scratch),
        }
        self.user.divide(&mut scratch.user);
        self.item.divide(&mut scratch.item);
    }

    fn delimited(&mut self, chunk: &[u8], ahead: &[u8], columns: Columns, fast: bool, scratch: &mut Scratch) {
        let mut at = 0;
        while at < chunk.len() {
            if fast && let Some(row) = FastRow::parse(ahead, at, columns) {
                self.lines += 1;
                self.data_lines += 1;
                self.user.push(&mut scratch.user, row.user, at, row.user_len);
                self.item.push(&mut scratch.item, row.item, at + row.user_len + 1, row.item_len);
                self.rating.push(row.rating);
                self.timestamp.push(row.timestamp);
                at = row.end;
                continue;
            }
            let (line, end) = line_at(chunk, at);
            self.exact(line, |rows, line| {
                let row = line::delimited(line, columns)?;
                rows.push_row(chunk, &row, scratch);
                Ok(())
            });
            at = end;
        }
    }

    fn sequences(&mut self, chunk: &[u8], scratch: &mut Scratch) {
        let mut at = 0;
        while at < chunk.len() {
            let (line, end) = line_at(chunk, at);
            self.exact(line, |rows, line| {
                let (user, items) = line::sequence(line)?;
                for (position, item) in items.enumerate() {
                    let row = line::Row { user, item, rating: 1.0, moment: (position as i64, 0), cut: false };
                    rows.push_row(chunk, &row, scratch);
                }
                Ok(())
            });
            at = end;
        }
    }

    /// Counts a line, checks it and gives it to `parse`.
    fn exact<'a>(&mut self, line: &'a [u8], parse: impl FnOnce(&mut Self, &'a [u8]) -> Result<(), BadReason>) {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        self.data_lines += 1;
        if let Err(reason) = line::check(line).and_then(|()| parse(self, line)) {
            self.bad += 1;
            if self.shown.len() < MAX_BAD_LINES_SHOWN {
                self.shown.push((self.lines, reason));
            }
        }
    }

    fn push_row(&mut self, chunk: &[u8], row: &line::Row<'_>, scratch: &mut Scratch) {
        let place = |id: &[u8]| id.as_ptr().addr() - chunk.as_ptr().addr();
        self.user.push(&mut scratch.user, Key::of(row.user), place(row.user), row.user.len());
        self.item.push(&mut scratch.item, Key::of(row.item), place(row.item), row.item.len());
        self.rating.push(row.rating);
        self.fraction.push(self.timestamp.len(), row.moment.1);
        self.timestamp.push(row.moment.0);
        self.cut += u64::from(row.cut);
    }
}

/// The line at a place, without its end, and where the next one begins.
fn line_at(chunk: &[u8], at: usize) -> (&[u8], usize) {
    let rest = &chunk[at..];
    let (line, next) = memchr(b'\n', rest).map_or((rest, chunk.len()), |end| (&rest[..end], at + end + 1));
    (line.strip_suffix(b"\r").unwrap_or(line), next)
}

/// An interaction read with wide loads from the form that nearly every line has: ids of 1 to 15 bytes, a rating of one
/// digit or of two with a point between, a timestamp of up to 18 digits.
struct FastRow {
    user: Key,
    user_len: usize,
    item: Key,
    item_len: usize,
    rating: f32,
    timestamp: i64,
    /// Where the next line begins.
    end: usize,
}

impl FastRow {
    /// The row at `at`; `None` for anything unusual, which [`line`] then judges.
    #[inline]
    fn parse(text: &[u8], at: usize, columns: Columns) -> Option<Self> {
        let delimiter = columns.delimiter;
        let (user, user_len) = short_id(text, at, delimiter)?;
        let item_at = at + user_len + 1;
        let (item, item_len) = short_id(text, item_at, delimiter)?;
        let mut at = item_at + item_len + 1;
        let head = text.get(at..at + 4)?;
        let digit = |b: u8| {
            let d = b.wrapping_sub(b'0');
            (d < 10).then_some(d)
        };
        let whole = digit(head[0])?;
        let rating = if head[1] == delimiter {
            at += 2;
            f32::from(whole)
        } else if head[1] == b'.' && head[3] == delimiter {
            at += 4;
            // One rounding of an exact quotient: the same bits as the decimal text.
            f32::from(whole * 10 + digit(head[2])?) / 10.0
        } else {
            return None;
        };
        let first = at;
        let mut timestamp = 0i64;
        while let Some(d) = text.get(at).and_then(|&b| digit(b)) {
            timestamp = timestamp.wrapping_mul(10).wrapping_add(i64::from(d));
            at += 1;
        }
        if at == first || at - first > 18 {
            return None;
        }
        if columns.after != After::Nothing && text.get(at) == Some(&delimiter) {
            at += 1;
            if columns.after == After::Unnamed && text.get(at).is_some_and(u8::is_ascii_alphanumeric) {
                at += text[at..].iter().take(UNNAMED_BYTES).take_while(|b| b.is_ascii_alphanumeric()).count();
            }
        }
        if text.get(at) == Some(&b'\r') {
            at += 1;
        }
        match text.get(at) {
            Some(b'\n') => at += 1,
            None => {}
            Some(_) => return None,
        }
        Some(Self { user, user_len, item, item_len, rating, timestamp, end: at })
    }
}

/// Length up to which a word in the unnamed column is passed over; a longer one is left to [`line`].
const UNNAMED_BYTES: usize = 16;

const ONES: u64 = 0x0101_0101_0101_0101;
const TOPS: u64 = 0x8080_8080_8080_8080;

/// The top bit of the lowest byte of `word` that equals `byte`; higher bits are arbitrary (Warren, "Hacker's Delight",
/// 6-1).
#[inline]
const fn matches(word: u64, byte: u8) -> u64 {
    let difference = word ^ (ONES * byte as u64);
    difference.wrapping_sub(ONES) & !difference & TOPS
}

/// The id that ends before the next delimiter, if it has 1 to 15 bytes and no line end.
#[inline]
fn short_id(text: &[u8], at: usize, delimiter: u8) -> Option<(Key, usize)> {
    let block: &[u8; 16] = text.get(at..at + 16)?.first_chunk()?;
    let both = u128::from_le_bytes(*block);
    let (low, high) = (both as u64, (both >> 64) as u64);
    let (in_low, in_high) = (matches(low, delimiter), matches(high, delimiter));
    let (low, high, len) = if in_low != 0 {
        let len = in_low.trailing_zeros() / 8;
        (low & !(u64::MAX << (8 * len)), 0, len)
    } else if in_high != 0 {
        let len = in_high.trailing_zeros() / 8;
        (low, high & !(u64::MAX << (8 * len)), 8 + len)
    } else {
        return None;
    };
    // What begins with a quotation mark is left to [`line`] too: it may not be closed.
    if len == 0 || low as u8 == b'"' || matches(low, b'\n') | matches(high, b'\n') != 0 {
        return None;
    }
    Some((Key { low, high: high | u64::from(len) << 56 }, len as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_key_equals_the_exact_key() {
        for len in 1..=15 {
            let id = &b"abcdefghijklmno"[..len];
            let text = [id, b",xxxxxxxxxxxxxxxxxxxx"].concat();
            assert_eq!(short_id(&text, 0, b','), Some((Key::of(id), len)));
        }
        assert_eq!(short_id(b"abcdefghijklmnop,xxx", 0, b','), None, "sixteen bytes");
        assert_eq!(short_id(b",xxxxxxxxxxxxxxxxxxx", 0, b','), None, "empty");
        assert_eq!(short_id(b"ab\ncd,xxxxxxxxxxxxxx", 0, b','), None, "across lines");
    }

    #[test]
    fn a_span_keeps_place_and_length_up_to_the_limits() {
        let chunk = vec![b'x'; (1 << 21) - 1];
        let place = (1 << 21) - 1 - 1024;
        assert_eq!(span(&chunk, pack_span(place, 1024)).len(), 1024);
        assert_ne!(pack_span(place, 1024), SAME);
    }
}
