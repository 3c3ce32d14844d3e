//! Tables with named columns into interactions: what Arrow IPC and Parquet have in common.
//!
//! [`Table`] finds the columns by their names and checks their types before a row is read; then it takes record batches
//! one by one. A row without an id, or with a rating that is no finite number, is a bad row, counted and skipped as a bad
//! line of a text is. Ids are numbered by first appearance among the rows that are kept.

mod attributes;
mod columns;
mod ids;
mod ipc;
mod numbers;
mod write;

use arrow_array::RecordBatch;
use arrow_schema::{Metadata, Schema};
use recspeed_types::limits::MAX_BAD_LINES_SHOWN;
use recspeed_types::spec::ColumnNames;

pub use attributes::{AttributeTable, attributes_batch, write_attributes_arrow};
pub use ipc::{is_arrow, read_arrow, read_attributes_arrow};
pub use write::{IdLayout, TableOut, write_arrow};

use crate::dictionary::{DictionaryBuilder, MAX_ARENA_BYTES};
use crate::interactions::Interactions;
use crate::moment::{Fractions, Told};
use crate::read::{BadLine, BadReason, ReadError, ReadLimits, ReadOutcome, ReadReport};
use columns::Places;
use ids::Ids;
use numbers::{Ratings, Times};

/// Keys of a table's metadata: what the columns of one that the lab wrote cannot say.
const HAS_RATINGS: &str = "recspeed.has_ratings";
const HAS_TIMESTAMPS: &str = "recspeed.has_timestamps";

/// What record batches are read into.
pub trait BatchSink {
    /// The columns that are read, ascending: a reader may leave the others where they are.
    fn projection(&self) -> Vec<usize>;

    /// Adds the rows of a batch that has the columns of [`Self::projection`], in this order, and no others.
    ///
    /// # Errors
    /// [`ReadError`]: more rows or bytes than allowed.
    fn add(&mut self, batch: &RecordBatch) -> Result<(), ReadError>;
}

/// A table on its way in.
#[derive(Debug)]
pub struct Table {
    places: Places,
    limits: ReadLimits,
    has_ratings: bool,
    has_timestamps: bool,
    /// Whether the times may be of another unit than seconds without saying so: they are plain numbers, and not written
    /// by the lab, which writes seconds.
    may_rescale: bool,
    users: DictionaryBuilder,
    items: DictionaryBuilder,
    columns: Interactions,
    fraction: Fractions,
    report: ReadReport,
}

impl Table {
    /// Finds the columns: by the names given, otherwise by the usual ones. `metadata`: what the file says besides its
    /// columns.
    ///
    /// # Errors
    /// [`ReadError::NoColumn`], [`ReadError::ColumnType`].
    pub fn new(
        schema: &Schema,
        names: &ColumnNames,
        metadata: &Metadata,
        limits: ReadLimits,
    ) -> Result<Self, ReadError> {
        let places = columns::find(schema, names)?;
        let not_said_otherwise = |key| metadata.get(key).is_none_or(|value| value != "false");
        Ok(Self {
            has_ratings: places.rating.is_some() && not_said_otherwise(HAS_RATINGS),
            has_timestamps: places.timestamp.is_some() && not_said_otherwise(HAS_TIMESTAMPS),
            may_rescale: !metadata.contains_key(HAS_TIMESTAMPS)
                && places.timestamp.is_some_and(|place| columns::is_number(schema.field(place).data_type())),
            places,
            limits,
            users: DictionaryBuilder::default(),
            items: DictionaryBuilder::default(),
            columns: Interactions::default(),
            fraction: Fractions::default(),
            report: ReadReport::default(),
        })
    }

    fn check_size(&self) -> Result<(), ReadError> {
        if self.report.lines >= u64::from(u32::MAX) {
            return Err(ReadError::TooManyRows);
        }
        let held =
            self.columns.column_bytes() + self.fraction.bytes() + self.users.arena_bytes() + self.items.arena_bytes();
        let limit = self.limits.max_inflated_bytes;
        if held as u64 > limit {
            return Err(ReadError::TableTooLarge { bytes: held as u64, limit });
        }
        Ok(())
    }

    /// The interactions of all batches.
    ///
    /// # Errors
    /// [`ReadError`]: there are no rows, or more of them are bad than allowed.
    pub fn finish(self) -> Result<ReadOutcome, ReadError> {
        let Self { mut report, limits, mut columns, fraction, users, items, has_ratings, has_timestamps, .. } = self;
        report.data_lines = report.lines;
        report.rows = columns.user.len() as u64;
        if report.lines == 0 {
            return Err(ReadError::NoRows { lines: 0 });
        }
        if report.bad_share() > limits.max_bad_share || report.rows == 0 {
            return Err(ReadError::TooManyBadLines {
                bad: report.bad_lines,
                lines: report.data_lines,
                limit: limits.max_bad_share,
                shown: report.shown,
            });
        }
        columns.fraction = fraction.finish(columns.len());
        let (users, items) = (users.finish(), items.finish());
        let mut interactions = Interactions { users, items, has_ratings, has_timestamps, ..columns };
        if self.may_rescale {
            report.note_unit(interactions.rescale_times());
        }
        Ok(ReadOutcome { interactions, report })
    }
}

impl BatchSink for Table {
    fn projection(&self) -> Vec<usize> {
        self.places.used()
    }

    fn add(&mut self, batch: &RecordBatch) -> Result<(), ReadError> {
        let rows = Rows::of(self.places, batch).ok_or_else(|| ReadError::Table {
            format: "table",
            cause: "a batch has other columns than its schema".to_owned(),
        })?;
        let mut digits = (String::new(), String::new());
        for row in 0..batch.num_rows() {
            self.report.lines += 1;
            match rows.get(row, &mut digits).and_then(|ids| Ok((ids, rows.time(row)?))) {
                Ok(((user, item, rating), ((seconds, nanos), cut))) => {
                    for (ids, id, which) in [(&self.users, user, "user"), (&self.items, item, "item")] {
                        if ids.arena_bytes() + id.len() > MAX_ARENA_BYTES {
                            return Err(ReadError::TooManyIds { which });
                        }
                    }
                    self.columns.user.push(self.users.intern(user));
                    self.columns.item.push(self.items.intern(item));
                    self.columns.rating.push(rating);
                    self.fraction.push(self.columns.timestamp.len(), nanos);
                    self.columns.timestamp.push(seconds);
                    self.report.cut_times += u64::from(cut);
                }
                Err(reason) => {
                    self.report.bad_lines += 1;
                    if self.report.shown.len() < MAX_BAD_LINES_SHOWN {
                        self.report.shown.push(BadLine { line: self.report.lines, reason: reason.to_string() });
                    }
                }
            }
        }
        self.check_size()
    }
}

/// The columns of a batch.
struct Rows<'a> {
    users: Ids<'a>,
    items: Ids<'a>,
    ratings: Option<Ratings>,
    times: Option<Times>,
}

impl<'a> Rows<'a> {
    /// `None` where a column is not there or has another type.
    fn of(places: Places, batch: &'a RecordBatch) -> Option<Self> {
        let used = places.used();
        let column = |place: usize| batch.columns().get(used.iter().position(|&at| at == place)?);
        Some(Self {
            users: Ids::of(column(places.user)?)?,
            items: Ids::of(column(places.item)?)?,
            ratings: places
                .rating
                .map(|place| column(place).and_then(Ratings::of))
                .map_or(Some(None), |r| r.map(Some))?,
            times: places
                .timestamp
                .map(|place| column(place).and_then(Times::of))
                .map_or(Some(None), |t| t.map(Some))?,
        })
    }

    /// User, item and rating of a row.
    fn get<'t>(&'t self, row: usize, digits: &'t mut (String, String)) -> Result<(&'t str, &'t str, f32), BadReason> {
        let user = self.users.text(row, "user", &mut digits.0)?;
        let item = self.items.text(row, "item", &mut digits.1)?;
        let rating = self.ratings.as_ref().map_or(Ok(1.0), |ratings| ratings.get(row))?;
        Ok((user, item, rating))
    }

    /// When a row was.
    fn time(&self, row: usize) -> Result<Told, BadReason> {
        self.times.as_ref().map_or(Ok(((0, 0), false)), |times| times.get(row))
    }
}

#[cfg(test)]
mod tests;
