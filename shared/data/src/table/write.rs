//! Interactions as record batches.

use std::io::Write;
use std::sync::Arc;

use ::arrow_ipc::writer::FileWriter;
use arrow_array::{
    ArrayRef, DictionaryArray, Float32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};

use super::{HAS_RATINGS, HAS_TIMESTAMPS};
use crate::arrow_ipc;
use crate::dictionary::Dictionary;
use crate::interactions::Interactions;
use crate::moment::EpochUnit;

/// The zone of times that are finer than a second.
const ZONE: &str = "UTC";

/// Rows of a batch.
const BATCH_ROWS: usize = 1 << 16;

/// How ids are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdLayout {
    /// Each id once, rows with its number: for formats without an encoding of their own.
    Dictionary,
    /// The id itself in each row: for formats that find repetitions by themselves.
    Text,
}

/// Interactions on their way out: `user`, `item`, `rating`, `timestamp`, then further columns. Times are whole numbers
/// of seconds since 1970, or, where some are finer, timestamps of the coarsest unit that holds them.
#[derive(Debug)]
pub struct TableOut<'a> {
    data: &'a Interactions,
    further: &'a [(&'a str, &'a [f32])],
    layout: IdLayout,
    users: Arc<StringArray>,
    items: Arc<StringArray>,
    /// Of the times, where some are finer than a second.
    unit: Option<EpochUnit>,
    schema: SchemaRef,
}

impl<'a> TableOut<'a> {
    /// `further`: names and values, one value a row.
    ///
    /// # Errors
    /// [`ArrowError`]: a further column has another number of rows, or a time is too far from 1970 for the unit that
    /// the times need.
    pub fn new(
        data: &'a Interactions,
        further: &'a [(&'a str, &'a [f32])],
        layout: IdLayout,
    ) -> Result<Self, ArrowError> {
        if let Some((name, values)) = further.iter().find(|(_, values)| values.len() != data.len()) {
            let message = format!("the column {name} has {} values for {} rows", values.len(), data.len());
            return Err(ArrowError::InvalidArgumentError(message));
        }
        let id = match layout {
            IdLayout::Dictionary => DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8)),
            IdLayout::Text => DataType::Utf8,
        };
        let unit = unit_of(data)?;
        let time = unit.map_or(DataType::Int64, time_type);
        let own = [("user", id.clone()), ("item", id), ("rating", DataType::Float32), ("timestamp", time)];
        let further_fields = further.iter().map(|(name, _)| (*name, DataType::Float32));
        let fields: Vec<Field> = own.into_iter().chain(further_fields).map(|(n, t)| Field::new(n, t, false)).collect();
        let flags = [(HAS_RATINGS, data.has_ratings), (HAS_TIMESTAMPS, data.has_timestamps)];
        let metadata = flags.map(|(key, flag)| (key.to_owned(), flag.to_string()));
        Ok(Self {
            data,
            further,
            layout,
            users: Arc::new(arrow_ipc::id_array(&data.users)?),
            items: Arc::new(arrow_ipc::id_array(&data.items)?),
            unit,
            schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
        })
    }

    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// The rows, some ten thousand at a time; one empty batch where there are none.
    pub fn batches(&self) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> {
        (0..self.data.len().max(1)).step_by(BATCH_ROWS).map(|start| self.batch(start))
    }

    fn batch(&self, start: usize) -> Result<RecordBatch, ArrowError> {
        let rows = start..(start + BATCH_ROWS).min(self.data.len());
        let data = self.data;
        let mut columns: Vec<ArrayRef> = vec![
            self.ids(&data.users, &self.users, &data.user[rows.clone()])?,
            self.ids(&data.items, &self.items, &data.item[rows.clone()])?,
            Arc::new(Float32Array::from_iter_values(data.rating[rows.clone()].iter().copied())),
            self.times(rows.clone()),
        ];
        for (_, values) in self.further {
            columns.push(Arc::new(Float32Array::from_iter_values(values[rows.clone()].iter().copied())));
        }
        RecordBatch::try_new(self.schema(), columns)
    }

    fn times(&self, rows: std::ops::Range<usize>) -> ArrayRef {
        let Some(unit) = self.unit else {
            return Arc::new(Int64Array::from_iter_values(self.data.timestamp[rows].iter().copied()));
        };
        // None is lost: `unit_of` tried all of them.
        let ticks = rows.map(|row| unit.ticks(self.data.moment(row as u32)).unwrap_or_default());
        match unit {
            EpochUnit::Milliseconds => Arc::new(TimestampMillisecondArray::from_iter_values(ticks).with_timezone(ZONE)),
            EpochUnit::Microseconds => Arc::new(TimestampMicrosecondArray::from_iter_values(ticks).with_timezone(ZONE)),
            EpochUnit::Nanoseconds => Arc::new(TimestampNanosecondArray::from_iter_values(ticks).with_timezone(ZONE)),
        }
    }

    fn ids(&self, ids: &Dictionary, text: &Arc<StringArray>, column: &[u32]) -> Result<ArrayRef, ArrowError> {
        Ok(match self.layout {
            IdLayout::Dictionary => {
                let keys = UInt32Array::from_iter_values(column.iter().copied());
                let text: ArrayRef = Arc::clone(text) as ArrayRef;
                Arc::new(DictionaryArray::try_new(keys, text)?)
            }
            IdLayout::Text => Arc::new(StringArray::from_iter_values(column.iter().map(|&index| ids.get(index)))),
        })
    }
}

/// The coarsest unit that holds all times; `None` where they are whole seconds.
fn unit_of(data: &Interactions) -> Result<Option<EpochUnit>, ArrowError> {
    if data.fraction.is_empty() {
        return Ok(None);
    }
    let unit = EpochUnit::of_fractions(&data.fraction);
    let beyond = (0..data.len() as u32).find(|&row| unit.ticks(data.moment(row)).is_none());
    let Some(row) = beyond else { return Ok(Some(unit)) };
    let (seconds, unit) = (data.moment(row).0, unit.as_str());
    let message = format!(
        "the time {seconds} of row {row} is too far from 1970 to be written in {unit}, which other rows need; take it \
         out of the data"
    );
    Err(ArrowError::InvalidArgumentError(message))
}

fn time_type(unit: EpochUnit) -> DataType {
    let unit = match unit {
        EpochUnit::Milliseconds => TimeUnit::Millisecond,
        EpochUnit::Microseconds => TimeUnit::Microsecond,
        EpochUnit::Nanoseconds => TimeUnit::Nanosecond,
    };
    DataType::Timestamp(unit, Some(ZONE.into()))
}

/// Writes an Arrow IPC file; [`super::read_arrow`] reads the same interactions back, bit for bit, where ids are numbered
/// by first appearance, as every reader numbers them.
///
/// # Errors
/// What `writer` fails with, as an [`ArrowError`].
pub fn write_arrow(data: &Interactions, further: &[(&str, &[f32])], writer: impl Write) -> Result<(), ArrowError> {
    let table = TableOut::new(data, further, IdLayout::Dictionary)?;
    let mut file = FileWriter::try_new(writer, &table.schema())?;
    for batch in table.batches() {
        file.write(&batch?)?;
    }
    file.finish()
}
