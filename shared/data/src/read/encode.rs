//! Ids into indices, in the order of first appearance, by all cores.
//!
//! Each partition of the ids (by hash) has its own table and is looked up by one task, in the order of the rows: it finds
//! the row where an id appeared first. One pass over the rows then numbers the first appearances; every other row takes
//! the index of its first one.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::chunk::{ChunkRows, Found, IdColumn, Key, PARTITIONS, PLACE_BITS, SAME, span, unpack_span};
use super::error::ReadError;
use crate::dictionary::{Dictionary, MAX_ARENA_BYTES};
use crate::interactions::Interactions;
use crate::moment::Fractions;

/// Low bits of a slot: one more than the number of the entry; 0 where the slot is free. Above them 8 bits of the hash.
const ENTRY_BITS: u32 = 24;
const ENTRY_MASK: u32 = (1 << ENTRY_BITS) - 1;

/// Ids looked up together, so that their cache misses overlap.
const BLOCK: usize = 16;

/// The ids of one partition in the order of their appearance, found by open addressing with linear probing over small
/// slots that are at most three quarters full.
#[derive(Debug, Default)]
struct Table {
    slots: Vec<u32>,
    /// Each id with the row of its first appearance; the key of a long one says where its bytes begin in `long`.
    entries: Vec<(Key, u32)>,
    /// Bytes of the long ids.
    long: Vec<u8>,
}

/// The bits of a hash that a slot keeps; the partition took the top ones.
const fn tag(hash: u64) -> u32 {
    (hash >> 24) as u32 & !ENTRY_MASK
}

impl Table {
    /// Looks up ids found in one chunk, whose first row is number `chunk_row`; gives each row and the first row of its
    /// id to `answer`. False when the partition is full.
    fn look_up(&mut self, found: &[Found], chunk: &[u8], chunk_row: u32, mut answer: impl FnMut(u32, u32)) -> bool {
        for block in found.chunks(BLOCK) {
            while (self.entries.len() + BLOCK) * 4 > self.slots.len() * 3 {
                self.grow();
            }
            if self.entries.len() + BLOCK > ENTRY_MASK as usize {
                return false;
            }
            let mut hashes = [0; BLOCK];
            for (hash, found) in hashes.iter_mut().zip(block) {
                *hash = found.key.hash();
            }
            self.touch(&hashes);
            for (&hash, found) in hashes.iter().zip(block) {
                let row = chunk_row + found.row;
                answer(found.row, self.first_row(hash, found, chunk, row));
            }
        }
        true
    }

    /// Loads what the look-ups of a block will need: all slots, then all entries, without a branch that would wait for
    /// one of them.
    #[inline]
    fn touch(&self, hashes: &[u64; BLOCK]) {
        let mask = self.slots.len() - 1;
        let mut slots = [0; BLOCK];
        for (slot, &hash) in slots.iter_mut().zip(hashes) {
            *slot = self.slots[hash as usize & mask];
        }
        if let Some(last) = self.entries.len().checked_sub(1) {
            let entry = |slot: u32| &self.entries[((slot & ENTRY_MASK).saturating_sub(1) as usize).min(last)];
            std::hint::black_box(slots.iter().fold(0, |sum, &slot| sum ^ entry(slot).0.low));
        }
    }

    /// The row where an id appeared first; `row` for a new one, which is added.
    #[inline]
    fn first_row(&mut self, hash: u64, found: &Found, chunk: &[u8], row: u32) -> u32 {
        let key = found.key;
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let slot = self.slots[at];
            if slot == 0 {
                break;
            }
            if slot & !ENTRY_MASK == tag(hash) {
                let entry = (slot & ENTRY_MASK) as usize - 1;
                let (other, first_row) = self.entries[entry];
                if other == key || key.is_long() && self.equals_long(other, found, chunk) {
                    return first_row;
                }
            }
            at = (at + 1) & mask;
        }
        let mut key = key;
        if key.is_long() {
            key.high |= self.long.len() as u64;
            self.long.extend_from_slice(span(chunk, found.span));
        }
        self.entries.push((key, row));
        self.slots[at] = tag(hash) | self.entries.len() as u32;
        row
    }

    #[cold]
    fn equals_long(&self, other: Key, found: &Found, chunk: &[u8]) -> bool {
        let bytes = span(chunk, found.span);
        let place = (other.high & ((1 << PLACE_BITS) - 1)) as usize;
        other.low == found.key.low
            && other.high >> PLACE_BITS == found.key.high >> PLACE_BITS
            && self.long[place..place + bytes.len()] == *bytes
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(4 * BLOCK);
        self.slots.clear();
        self.slots.resize(len, 0);
        for ((key, _), number) in self.entries.iter().zip(1u32..) {
            let hash = key.hash();
            let mut at = hash as usize & (len - 1);
            while self.slots[at] != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = tag(hash) | number;
        }
    }
}

/// The numbering of one column's ids.
#[derive(Debug)]
struct Numbering {
    which: &'static str,
    tables: Vec<Table>,
    /// Of each row of the batch, the row where its id appeared first.
    first_rows: Vec<AtomicU32>,
    /// Ids in the order of first appearance, one after another.
    arena: Vec<u8>,
    ends: Vec<u32>,
    column: Vec<u32>,
}

impl Numbering {
    fn new(which: &'static str) -> Self {
        let tables = (0..PARTITIONS).map(|_| Table::default()).collect();
        Self { which, tables, first_rows: Vec::new(), arena: Vec::new(), ends: Vec::new(), column: Vec::new() }
    }

    /// Looks every found id of the batch, whose first row is `start`, up: partition by partition.
    fn look_up(&mut self, batch: &Batch<'_>, start: u32, column: fn(&ChunkRows) -> &IdColumn) -> Result<(), ReadError> {
        if self.first_rows.len() < batch.rows {
            self.first_rows.resize_with(batch.rows, AtomicU32::default);
        }
        let first_rows = &self.first_rows;
        let all_fit = self.tables.par_iter_mut().enumerate().all(|(partition, table)| {
            batch.chunks().all(|(rows, chunk, first)| {
                let answers = &first_rows[first as usize..];
                table.look_up(column(rows).of_partition(partition), chunk, start + first, |row, first_row| {
                    answers[row as usize].store(first_row, Relaxed);
                })
            })
        });
        if all_fit { Ok(()) } else { Err(ReadError::TooManyIds { which: self.which }) }
    }

    /// Gives every row of the batch its index, new ids the next free one.
    fn number(&mut self, batch: &Batch<'_>, column: fn(&ChunkRows) -> &IdColumn) -> Result<(), ReadError> {
        let start = self.column.len() as u32;
        for (rows, chunk, first) in batch.chunks() {
            let spans = &column(rows).spans;
            let first_rows = &self.first_rows[first as usize..][..spans.len()];
            let mut index = 0;
            for ((&id, first_row), row) in spans.iter().zip(first_rows).zip(start + first..) {
                if id != SAME {
                    let first_row = first_row.load(Relaxed);
                    index = if first_row == row {
                        append_id(&mut self.arena, chunk, id);
                        self.ends.push(self.arena.len() as u32);
                        self.ends.len() as u32 - 1
                    } else {
                        self.column[first_row as usize]
                    };
                }
                self.column.push(index);
            }
            if self.arena.len() > MAX_ARENA_BYTES {
                return Err(ReadError::TooManyIds { which: self.which });
            }
        }
        Ok(())
    }

    fn finish(self) -> (Dictionary, Vec<u32>) {
        drop((self.tables, self.first_rows));
        let ids = Dictionary::from_arena(self.arena, self.ends).expect("checked ids, one after another");
        (ids, self.column)
    }
}

/// Appends the bytes of a span. Short ones go as a block of fixed size that is then cut, which needs no call.
#[inline]
fn append_id(arena: &mut Vec<u8>, chunk: &[u8], id: u32) {
    let (start, len) = unpack_span(id);
    match chunk.get(start..start + 16) {
        Some(block) if len <= 16 => {
            let end = arena.len() + len;
            arena.extend_from_slice(block);
            arena.truncate(end);
        }
        _ => arena.extend_from_slice(&chunk[start..start + len]),
    }
}

/// Parsed chunks with their text.
struct Batch<'a> {
    text: &'a [u8],
    parsed: &'a [ChunkRows],
    bounds: &'a [Range<usize>],
    rows: usize,
}

impl Batch<'_> {
    /// Rows, text, and the number of the first row in the batch.
    fn chunks(&self) -> impl Iterator<Item = (&ChunkRows, &[u8], u32)> {
        let mut first = 0;
        self.parsed.iter().zip(self.bounds).map(move |(rows, range)| {
            let begins = first;
            first += rows.rating.len() as u32;
            (rows, &self.text[range.clone()], begins)
        })
    }
}

/// Collects parsed chunks into columns, batch by batch.
#[derive(Debug)]
pub(super) struct Encoder {
    users: Numbering,
    items: Numbering,
    rating: Vec<f32>,
    timestamp: Vec<i64>,
    fraction: Fractions,
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            users: Numbering::new("user"),
            items: Numbering::new("item"),
            rating: Vec::new(),
            timestamp: Vec::new(),
            fraction: Fractions::default(),
        }
    }
}

impl Encoder {
    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rating.len()
    }

    /// Adds the rows of `parsed`, whose text is `text[bounds]`, in their order.
    pub(super) fn add_batch(
        &mut self,
        text: &[u8],
        parsed: &[ChunkRows],
        bounds: &[Range<usize>],
    ) -> Result<(), ReadError> {
        let rows = parsed.iter().map(|chunk| chunk.rating.len()).sum();
        let start = self.rows();
        if start + rows > u32::MAX as usize - 1 {
            return Err(ReadError::TooManyRows);
        }
        let batch = Batch { text, parsed, bounds, rows };
        let Self { users, items, rating, timestamp, fraction } = self;
        let found = rayon::join(
            || users.look_up(&batch, start as u32, |rows| &rows.user),
            || items.look_up(&batch, start as u32, |rows| &rows.item),
        );
        found.0.and(found.1)?;
        let numbered = rayon::join(
            || users.number(&batch, |rows| &rows.user),
            || {
                for chunk in parsed {
                    fraction.append(rating.len(), &chunk.fraction);
                    rating.extend_from_slice(&chunk.rating);
                    timestamp.extend_from_slice(&chunk.timestamp);
                }
                items.number(&batch, |rows| &rows.item)
            },
        );
        numbered.0.and(numbered.1)
    }

    /// Makes room for a file of `total` bytes, judged by what its first `seen` bytes gave. Memory that is reserved and
    /// never written costs address space only; growing step by step would copy.
    pub(super) fn reserve(&mut self, seen: usize, total: usize) {
        let scale = |n: usize| (n as u128 * total as u128 / seen.max(1) as u128) as usize;
        let rows = (scale(self.rating.len()) + scale(self.rating.len()) / 64).saturating_sub(self.rating.len());
        self.rating.reserve_exact(rows);
        self.timestamp.reserve_exact(rows);
        for ids in [&mut self.users, &mut self.items] {
            ids.column.reserve_exact(rows);
            ids.arena.reserve_exact(scale(ids.arena.len()).min(MAX_ARENA_BYTES).saturating_sub(ids.arena.len()));
            ids.ends.reserve_exact(scale(ids.ends.len()) - ids.ends.len());
        }
    }

    pub(super) fn finish(self, has_ratings: bool, has_timestamps: bool) -> Interactions {
        let Self { users, items, rating, timestamp, fraction } = self;
        let fraction = fraction.finish(rating.len());
        let ((users, user), (items, item)) = rayon::join(|| users.finish(), || items.finish());
        Interactions { users, items, user, item, rating, timestamp, fraction, has_ratings, has_timestamps }
    }
}
