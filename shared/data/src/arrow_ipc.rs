//! Interactions as an Arrow IPC file, and back, bit for bit.
//!
//! One record batch: `user` and `item` are dictionary-encoded texts, `rating` is a 32-bit float, `timestamp` counts
//! seconds since 1970. What a file of ratings did not have is told in the schema's metadata.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, TimestampSecondType, UInt32Type};
use arrow_array::{ArrayRef, DictionaryArray, Float32Array, RecordBatch, StringArray, TimestampSecondArray, UInt32Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};

use crate::dictionary::Dictionary;
use crate::interactions::Interactions;

/// Why Arrow bytes are not interactions, or interactions could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ArrowIpcError {
    /// Arrow's own complaint: no IPC file, cut off, or the writer failed.
    #[error("the Arrow file cannot be read or written ({0}); write it again")]
    Arrow(#[from] ArrowError),
    /// A column is missing, of another type, or has gaps.
    #[error("the Arrow column `{column}` is missing or not {expected}; write it again with this version of the lab")]
    Column {
        /// The column.
        column: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The file has no rows batch, or several.
    #[error("the Arrow file has {batches} record batches, not one; write it again with this version of the lab")]
    Batches {
        /// How many.
        batches: usize,
    },
}

const HAS_RATINGS: &str = "recspeed.has_ratings";
const HAS_TIMESTAMPS: &str = "recspeed.has_timestamps";
const IDS: &str = "dictionary-encoded text without gaps";

/// Writes all rows as one record batch.
///
/// # Errors
/// [`ArrowIpcError::Arrow`] when the writer fails.
pub fn write(interactions: &Interactions, out: impl Write) -> Result<(), ArrowIpcError> {
    let ids = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
    let metadata = HashMap::from([
        (HAS_RATINGS.to_owned(), interactions.has_ratings.to_string()),
        (HAS_TIMESTAMPS.to_owned(), interactions.has_timestamps.to_string()),
    ]);
    let fields = vec![
        Field::new("user", ids.clone(), false),
        Field::new("item", ids, false),
        Field::new("rating", DataType::Float32, false),
        Field::new("timestamp", DataType::Timestamp(TimeUnit::Second, None), false),
    ];
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(encoded(&interactions.user, &interactions.users)?),
        Arc::new(encoded(&interactions.item, &interactions.items)?),
        Arc::new(Float32Array::from(interactions.rating.clone())),
        Arc::new(TimestampSecondArray::from(interactions.timestamp.clone())),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let mut writer = FileWriter::try_new(out, &schema)?;
    writer.write(&batch)?;
    writer.finish()?;
    Ok(())
}

fn encoded(index: &[u32], ids: &Dictionary) -> Result<DictionaryArray<UInt32Type>, ArrowError> {
    let mut offsets = Vec::with_capacity(ids.len() + 1);
    offsets.push(0_i32);
    // The arena holds at most i32::MAX bytes: `MAX_ARENA_BYTES`.
    offsets.extend(ids.ends().iter().map(|&end| end as i32));
    let words = StringArray::try_new(
        OffsetBuffer::new(ScalarBuffer::from(offsets)),
        Buffer::from_slice_ref(ids.arena().as_bytes()),
        None,
    )?;
    DictionaryArray::try_new(UInt32Array::from(index.to_vec()), Arc::new(words))
}

/// Reads what [`write`] wrote.
///
/// # Errors
/// [`ArrowIpcError`]: no Arrow file, cut off or changed, or one of another shape.
pub fn read(bytes: &[u8]) -> Result<Interactions, ArrowIpcError> {
    let mut reader = FileReader::try_new(Cursor::new(bytes), None)?;
    let batches = reader.num_batches();
    if batches != 1 {
        return Err(ArrowIpcError::Batches { batches });
    }
    let schema = reader.schema();
    let batch = reader.next().ok_or(ArrowIpcError::Batches { batches: 0 })??;
    let (user, users) = decoded(&batch, "user")?;
    let (item, items) = decoded(&batch, "item")?;
    let rating = column(&batch, "rating", "32-bit floats", |array| {
        array.as_primitive_opt::<Float32Type>().map(|values| values.values().to_vec())
    })?;
    let timestamp = column(&batch, "timestamp", "seconds since 1970", |array| {
        array.as_primitive_opt::<TimestampSecondType>().map(|values| values.values().to_vec())
    })?;
    let told = |key: &str| schema.metadata().get(key).is_none_or(|value| value == "true");
    Ok(Interactions {
        users,
        items,
        user,
        item,
        rating,
        timestamp,
        has_ratings: told(HAS_RATINGS),
        has_timestamps: told(HAS_TIMESTAMPS),
    })
}

fn column<T>(
    batch: &RecordBatch,
    name: &'static str,
    expected: &'static str,
    values: impl FnOnce(&ArrayRef) -> Option<T>,
) -> Result<T, ArrowIpcError> {
    batch
        .column_by_name(name)
        .filter(|array| array.null_count() == 0)
        .and_then(values)
        .ok_or(ArrowIpcError::Column { column: name, expected })
}

fn decoded(batch: &RecordBatch, name: &'static str) -> Result<(Vec<u32>, Dictionary), ArrowIpcError> {
    column(batch, name, IDS, |array| {
        let encoded = array.as_dictionary_opt::<UInt32Type>()?;
        let words = encoded.values().as_string_opt::<i32>().filter(|words| words.null_count() == 0)?;
        let offsets = words.value_offsets();
        let (first, last) = (*offsets.first()?, *offsets.last()?);
        let arena = words.value_data().get(first as usize..last as usize)?.to_vec();
        let ends = offsets[1..].iter().map(|&end| (end - first) as u32).collect();
        let index = encoded.keys().values().to_vec();
        let ids = Dictionary::from_arena(arena, ends)?;
        // Arrow checks keys when it builds an array, but the bytes may have been changed since.
        index.iter().all(|&key| (key as usize) < ids.len()).then_some((index, ids))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interactions::InteractionsBuilder;

    fn some(rows: u32) -> Interactions {
        let mut builder = InteractionsBuilder::default();
        for row in 0..rows {
            builder.push(&format!("ü{}", row % 7), &format!("i{}", row % 11), row as f32 / 3.0, i64::from(row) - 5);
        }
        builder.finish()
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit() {
        for rows in [0, 1, 100] {
            let mut there = some(rows);
            there.has_timestamps = rows % 2 == 0;
            let mut bytes = Vec::new();
            write(&there, &mut bytes).unwrap();
            let back = read(&bytes).unwrap();
            assert_eq!(back, there);
            assert!(back.rating.iter().zip(&there.rating).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn cut_off_or_foreign_bytes_are_an_error() {
        let mut bytes = Vec::new();
        write(&some(100), &mut bytes).unwrap();
        assert!(read(b"").is_err());
        assert!(read(b"user,item,rating").is_err());
        assert!(read(&bytes[..bytes.len() / 2]).is_err());
    }
}
