//! Interactions as an Arrow IPC file, and back bit for bit.
//!
//! One record batch: `user` and `item` as dictionaries of text with u32 indices, `rating` as f32, `timestamp` as i64
//! seconds, and `fraction` as u32 nanoseconds where there are parts of seconds. What the columns cannot say stands in
//! the file's metadata under `recspeed.*`.

use std::collections::HashMap;
use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Int64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, DictionaryArray, Float32Array, Int64Array, RecordBatch, StringArray, UInt32Array};
use arrow_buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};

use crate::dictionary::Dictionary;
use crate::interactions::Interactions;

/// Why bytes are not interactions in Arrow's format.
#[derive(Debug, thiserror::Error)]
pub enum ArrowReadError {
    /// The bytes are no sound Arrow IPC file.
    #[error("not a sound Arrow IPC file: {0}")]
    Arrow(#[from] ArrowError),
    /// A sound file, but not one that [`write`] made.
    #[error("an Arrow IPC file without Recspeed's interactions: {0}")]
    NotInteractions(&'static str),
}

const VERSION: (&str, &str) = ("recspeed.version", "1");
const HAS_RATINGS: &str = "recspeed.has_ratings";
const HAS_TIMESTAMPS: &str = "recspeed.has_timestamps";
/// The column that is there only where a row has a part of a second.
const FRACTION: &str = "fraction";

/// Writes the columns, and `notes` of the caller into the metadata.
///
/// # Errors
/// What `writer` fails with, as an [`ArrowError`].
pub fn write(interactions: &Interactions, notes: &[(&str, &str)], writer: impl Write) -> Result<(), ArrowError> {
    let text = DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8));
    let mut fields = vec![
        Field::new("user", text.clone(), false),
        Field::new("item", text, false),
        Field::new("rating", DataType::Float32, false),
        Field::new("timestamp", DataType::Int64, false),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(ids(&interactions.users, &interactions.user)?),
        Arc::new(ids(&interactions.items, &interactions.item)?),
        Arc::new(Float32Array::from_iter_values(interactions.rating.iter().copied())),
        Arc::new(Int64Array::from_iter_values(interactions.timestamp.iter().copied())),
    ];
    if !interactions.fraction.is_empty() {
        fields.push(Field::new(FRACTION, DataType::UInt32, false));
        columns.push(Arc::new(UInt32Array::from_iter_values(interactions.fraction.iter().copied())));
    }
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let mut file = FileWriter::try_new(writer, &schema)?;
    file.write_metadata(VERSION.0, VERSION.1);
    file.write_metadata(HAS_RATINGS, interactions.has_ratings.to_string());
    file.write_metadata(HAS_TIMESTAMPS, interactions.has_timestamps.to_string());
    for &(key, value) in notes {
        file.write_metadata(key, value);
    }
    file.write(&batch)?;
    file.finish()
}

fn ids(dictionary: &Dictionary, column: &[u32]) -> Result<DictionaryArray<UInt32Type>, ArrowError> {
    let text = Arc::new(id_array(dictionary)?);
    DictionaryArray::try_new(UInt32Array::from_iter_values(column.iter().copied()), text)
}

/// All ids, by index.
///
/// # Errors
/// [`ArrowError`]: never for a dictionary of this crate.
pub fn id_array(dictionary: &Dictionary) -> Result<StringArray, ArrowError> {
    // A dictionary's arena is at most i32::MAX bytes long.
    let offsets: Vec<i32> = std::iter::once(0).chain(dictionary.ends().iter().map(|&end| end as i32)).collect();
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    StringArray::try_new(offsets, Buffer::from_slice_ref(dictionary.arena().as_bytes()), None)
}

/// Reads what [`write`] wrote: the interactions, and the metadata with the caller's notes.
///
/// # Errors
/// [`ArrowReadError`]: the bytes are damaged or something else.
pub fn read(bytes: &[u8]) -> Result<(Interactions, HashMap<String, String>), ArrowReadError> {
    let mut file = FileReader::try_new(Cursor::new(bytes), None)?;
    let notes = file.custom_metadata().clone();
    if notes.get(VERSION.0).map(String::as_str) != Some(VERSION.1) {
        return Err(ArrowReadError::NotInteractions("no version 1 in its metadata"));
    }
    let batch = file.next().ok_or(ArrowReadError::NotInteractions("it has no record batch"))??;
    let column = |name: &str| -> Result<&ArrayRef, ArrowReadError> {
        batch
            .column_by_name(name)
            .filter(|column| column.null_count() == 0)
            .ok_or(ArrowReadError::NotInteractions("a column is missing or has gaps"))
    };
    let wrong = || ArrowReadError::NotInteractions("a column has another type");
    let (users, user) = take_ids(column("user")?)?;
    let (items, item) = take_ids(column("item")?)?;
    let rating = column("rating")?.as_primitive_opt::<Float32Type>().ok_or_else(wrong)?.values().to_vec();
    let timestamp = column("timestamp")?.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?.values().to_vec();
    let fraction = if batch.column_by_name(FRACTION).is_some() {
        column(FRACTION)?.as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?.values().to_vec()
    } else {
        Vec::new()
    };
    let flag = |name: &str| notes.get(name).is_some_and(|value| value == "true");
    let (has_ratings, has_timestamps) = (flag(HAS_RATINGS), flag(HAS_TIMESTAMPS));
    let data = Interactions { users, items, user, item, rating, timestamp, fraction, has_ratings, has_timestamps };
    Ok((data, notes))
}

fn take_ids(column: &ArrayRef) -> Result<(Dictionary, Vec<u32>), ArrowReadError> {
    let wrong = || ArrowReadError::NotInteractions("a column of ids has another type");
    let array = column.as_dictionary_opt::<UInt32Type>().ok_or_else(wrong)?;
    let ids = array.values().as_string_opt::<i32>().and_then(ids_of).ok_or_else(wrong)?;
    let column = array.keys().values().to_vec();
    if column.iter().any(|&index| index as usize >= ids.len()) {
        return Err(ArrowReadError::NotInteractions("an index points outside its ids"));
    }
    Ok((ids, column))
}

/// The inverse of [`id_array`]; `None` where there are gaps. Whether the ids are distinct is not checked.
pub fn ids_of(text: &StringArray) -> Option<Dictionary> {
    if text.null_count() > 0 {
        return None;
    }
    let offsets = text.value_offsets();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let ends = offsets[1..].iter().map(|&end| end as u32 - first as u32).collect();
    Dictionary::from_arena(text.value_data()[first..last].to_vec(), ends)
}

#[cfg(test)]
mod tests {
    use recspeed_types::builtin;

    use super::*;
    use crate::generate;

    fn written(data: &Interactions) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(data, &[("note", "kept")], &mut bytes).expect("memory");
        bytes
    }

    #[test]
    fn interactions_come_back_bit_for_bit() {
        let mut data = generate(builtin::find("beauty-synthetic-10k").expect("built in"), 3).interactions;
        data.rating[0] = -0.0;
        data.timestamp[0] = i64::MIN;
        data.has_timestamps = false;
        let mut parts = data.clone();
        parts.fraction = (0..parts.len() as u32).collect();
        assert_eq!(read(&written(&parts)).expect("sound").0, parts);
        let (back, notes) = read(&written(&data)).expect("sound");
        assert_eq!(back, data);
        assert_eq!(back.rating[0].to_bits(), data.rating[0].to_bits());
        assert_eq!(notes.get("note").map(String::as_str), Some("kept"));
        let empty = Interactions::default();
        assert_eq!(read(&written(&empty)).expect("sound").0, empty);
    }

    #[test]
    fn other_bytes_are_refused() {
        assert!(matches!(read(b"no arrow"), Err(ArrowReadError::Arrow(_))));
        let whole = written(&generate(builtin::find("beauty-synthetic-10k").expect("built in"), 3).interactions);
        assert!(read(&whole[..whole.len() / 2]).is_err());
    }
}
