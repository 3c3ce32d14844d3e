//! Ids into indices, in the order of first appearance, by all cores.
//!
//! Each partition of the ids (by hash) has its own table and is looked up by one task, in the order of the rows; what it
//! finds for a row is either the index given in an earlier batch or the row of first appearance in this batch. One pass
//! over the rows then numbers the first appearances.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use rayon::prelude::*;

use super::chunk::{ChunkRows, Found, IdColumn, Key, PARTITIONS, SAME, span};
use super::error::ReadError;
use crate::dictionary::{Dictionary, MAX_ARENA_BYTES};
use crate::interactions::Interactions;

/// Marks a value that is a row of this batch, not yet an index.
const FRESH: u32 = 1 << 31;

/// A place of a hash table; free where `key.high` is 0, which no key has.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    key: Key,
    /// Index of the id, or [`FRESH`] and the row of its first appearance in this batch.
    value: u32,
    /// Long ids: where their bytes begin in [`Table::long`].
    place: u32,
}

/// The ids of one partition: open addressing with linear probing, at most three quarters full.
#[derive(Debug, Default)]
struct Table {
    slots: Vec<Slot>,
    used: usize,
    /// Bytes of the long ids.
    long: Vec<u8>,
    /// Slots whose value is fresh.
    fresh: Vec<u32>,
}

impl Table {
    /// The value of a found id; a new one is added with the row as its fresh value.
    #[inline]
    fn value(&mut self, found: &Found, row: u32, chunk: &[u8]) -> u32 {
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let key = found.key;
        let mask = self.slots.len() - 1;
        let mut at = key.hash() as usize & mask;
        loop {
            let slot = &self.slots[at];
            if slot.key == key && (!key.is_long() || self.long[slot.place as usize..].starts_with(span(chunk, found.span))) {
                return slot.value;
            }
            if slot.key.high == 0 {
                break;
            }
            at = (at + 1) & mask;
        }
        let place = self.long.len() as u32;
        if key.is_long() {
            self.long.extend_from_slice(span(chunk, found.span));
        }
        self.slots[at] = Slot { key, value: FRESH | row, place };
        self.used += 1;
        self.fresh.push(at as u32);
        FRESH | row
    }

    #[cold]
    fn grow(&mut self) {
        let len = (self.slots.len() * 2).max(16);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); len]);
        self.fresh.clear();
        for slot in old.into_iter().filter(|slot| slot.key.high != 0) {
            let mut at = slot.key.hash() as usize & (len - 1);
            while self.slots[at].key.high != 0 {
                at = (at + 1) & (len - 1);
            }
            self.slots[at] = slot;
            if slot.value & FRESH != 0 {
                self.fresh.push(at as u32);
            }
        }
    }

    /// Replaces the fresh values by the indices that their rows were given.
    fn settle(&mut self, index_of_row: &[u32]) {
        for at in self.fresh.drain(..) {
            let value = &mut self.slots[at as usize].value;
            *value = index_of_row[(*value & !FRESH) as usize];
        }
    }
}

/// The numbering of one column's ids.
#[derive(Debug)]
struct Numbering {
    which: &'static str,
    tables: Vec<Table>,
    /// What the tables answered for each row of the batch.
    values: Vec<AtomicU32>,
    /// Ids in the order of first appearance, one after another.
    arena: Vec<u8>,
    ends: Vec<u32>,
    column: Vec<u32>,
}

impl Numbering {
    fn new(which: &'static str) -> Self {
        let tables = (0..PARTITIONS).map(|_| Table::default()).collect();
        Self { which, tables, values: Vec::new(), arena: Vec::new(), ends: Vec::new(), column: Vec::new() }
    }

    /// Looks every found id of the batch up, partition by partition.
    fn look_up(&mut self, batch: &Batch<'_>, column: fn(&ChunkRows) -> &IdColumn) {
        if self.values.len() < batch.rows {
            self.values.resize_with(batch.rows, AtomicU32::default);
        }
        let values = &self.values;
        self.tables.par_iter_mut().enumerate().for_each(|(partition, table)| {
            for (rows, chunk, first) in batch.chunks() {
                for found in column(rows).of_partition(partition) {
                    let row = first + found.row;
                    values[row as usize].store(table.value(found, row, chunk), Relaxed);
                }
            }
        });
    }

    /// Gives every row of the batch its index, new ids the next free one.
    fn number(&mut self, batch: &Batch<'_>, column: fn(&ChunkRows) -> &IdColumn) -> Result<(), ReadError> {
        let start = self.column.len();
        self.column.reserve(batch.rows);
        for (rows, chunk, first) in batch.chunks() {
            let spans = &column(rows).spans;
            let values = &self.values[first as usize..][..spans.len()];
            let mut index = 0;
            for ((&id, value), row) in spans.iter().zip(values).zip(first..) {
                if id != SAME {
                    let value = value.load(Relaxed);
                    index = if value & FRESH == 0 {
                        value
                    } else if value & !FRESH == row {
                        self.arena.extend_from_slice(span(chunk, id));
                        self.ends.push(self.arena.len() as u32);
                        self.ends.len() as u32 - 1
                    } else {
                        self.column[start + (value & !FRESH) as usize]
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

    /// Replaces fresh values in the tables, now that the batch, which begins at row `start`, is numbered.
    fn settle(&mut self, start: usize) {
        let index_of_row = &self.column[start..];
        self.tables.par_iter_mut().for_each(|table| table.settle(index_of_row));
    }

    fn finish(self) -> (Dictionary, Vec<u32>) {
        drop((self.tables, self.values));
        let ids = Dictionary::from_arena(self.arena, self.ends).expect("checked ids, one after another");
        (ids, self.column)
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
}

impl Default for Encoder {
    fn default() -> Self {
        Self {
            users: Numbering::new("user"),
            items: Numbering::new("item"),
            rating: Vec::new(),
            timestamp: Vec::new(),
        }
    }
}

impl Encoder {
    /// Rows so far.
    pub(super) fn rows(&self) -> usize {
        self.rating.len()
    }

    /// Adds the rows of `parsed`, whose text is `text[bounds]`, in their order.
    pub(super) fn add_batch(&mut self, text: &[u8], parsed: &[ChunkRows], bounds: &[Range<usize>]) -> Result<(), ReadError> {
        let rows = parsed.iter().map(|chunk| chunk.rating.len()).sum();
        let start = self.rows();
        if start + rows > u32::MAX as usize - 1 || rows >= FRESH as usize {
            return Err(ReadError::TooManyRows);
        }
        let batch = Batch { text, parsed, bounds, rows };
        let Self { users, items, rating, timestamp } = self;
        rayon::join(|| users.look_up(&batch, |rows| &rows.user), || items.look_up(&batch, |rows| &rows.item));
        let (users_numbered, items_numbered) = rayon::join(
            || users.number(&batch, |rows| &rows.user),
            || {
                for chunk in parsed {
                    rating.extend_from_slice(&chunk.rating);
                    timestamp.extend_from_slice(&chunk.timestamp);
                }
                items.number(&batch, |rows| &rows.item)
            },
        );
        users_numbered?;
        items_numbered?;
        rayon::join(|| users.settle(start), || items.settle(start));
        Ok(())
    }

    pub(super) fn finish(self, has_ratings: bool, has_timestamps: bool) -> Interactions {
        let Self { users, items, rating, timestamp } = self;
        let ((users, user), (items, item)) = rayon::join(|| users.finish(), || items.finish());
        Interactions { users, items, user, item, rating, timestamp, has_ratings, has_timestamps }
    }
}
