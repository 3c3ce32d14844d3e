//! One array of numbers, or one list of ids, as an Arrow IPC file.
//!
//! A matrix is a column of fixed-size lists, one a row; everything else a column of its values in their order. The shape
//! stands in the metadata.

use std::io::{Cursor, Write};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, UInt8Type, UInt32Type, UInt64Type};
use arrow_array::{Array as _, ArrayRef, FixedSizeListArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use recspeed_data::parts::{Array, Values};
use recspeed_data::{Dictionary, Titles, arrow_ipc as ids};

const SHAPE: &str = "recspeed.shape";

/// The array as a column: of its rows where it is a matrix, of its values otherwise.
pub(crate) fn column(array: &Array) -> Result<ArrayRef, ArrowError> {
    let values = values(&array.values);
    match array.shape[..] {
        [_, width] if width > 0 => {
            let width = i32::try_from(width).map_err(|_| ArrowError::InvalidArgumentError("too wide".to_owned()))?;
            let field = Arc::new(Field::new("item", values.data_type().clone(), false));
            Ok(Arc::new(FixedSizeListArray::try_new(field, width, values, None)?))
        }
        _ => Ok(values),
    }
}

fn values(values: &Values) -> ArrayRef {
    fn of<T: ArrowPrimitiveType>(values: &[T::Native]) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values.to_vec()), None))
    }
    match values {
        Values::F32(values) => of::<Float32Type>(values),
        Values::F64(values) => of::<Float64Type>(values),
        Values::U32(values) => of::<UInt32Type>(values),
        Values::U64(values) => of::<UInt64Type>(values),
        Values::U8(values) => of::<UInt8Type>(values),
    }
}

/// Writes an array.
pub(crate) fn write(array: &Array, to: impl Write) -> Result<(), ArrowError> {
    let shape: Vec<String> = array.shape.iter().map(usize::to_string).collect();
    write_column("value", column(array)?, [(SHAPE.to_owned(), shape.join(","))], to)
}

/// Writes ids, by index.
pub(crate) fn write_ids(dictionary: &Dictionary, to: impl Write) -> Result<(), ArrowError> {
    write_column("id", Arc::new(ids::id_array(dictionary)?), [], to)
}

/// Writes titles, by index; the empty text where there is none.
pub(crate) fn write_titles(titles: &Titles, to: impl Write) -> Result<(), ArrowError> {
    let all = (0..titles.len() as u32).map(|item| Some(titles.get(item).unwrap_or_default()));
    write_column("title", Arc::new(all.collect::<StringArray>()), [], to)
}

fn write_column<const N: usize>(
    name: &str,
    column: ArrayRef,
    metadata: [(String, String); N],
    to: impl Write,
) -> Result<(), ArrowError> {
    let field = Field::new(name, column.data_type().clone(), false);
    let schema = Arc::new(Schema::new_with_metadata(vec![field], metadata));
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column])?;
    let mut file = FileWriter::try_new(to, &schema)?;
    file.write(&batch)?;
    file.finish()
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<Vec<T::Native>> {
    Some(column.as_primitive_opt::<T>()?.values().to_vec())
}

/// Reads what [`write`] wrote; `None` where it is something else.
pub(crate) fn read(bytes: &[u8]) -> Option<Array> {
    let (column, shape) = read_column(bytes)?;
    let shape: Vec<usize> = match shape.as_str() {
        "" => Vec::new(),
        text => text.split(',').map(|length| length.parse().ok()).collect::<Option<_>>()?,
    };
    let column = match column.data_type() {
        DataType::FixedSizeList(..) => Arc::clone(column.as_fixed_size_list().values()),
        _ => column,
    };
    if column.null_count() > 0 {
        return None;
    }
    let values = match column.data_type() {
        DataType::Float32 => Values::F32(numbers::<Float32Type>(&column)?),
        DataType::Float64 => Values::F64(numbers::<Float64Type>(&column)?),
        DataType::UInt32 => Values::U32(numbers::<UInt32Type>(&column)?),
        DataType::UInt64 => Values::U64(numbers::<UInt64Type>(&column)?),
        DataType::UInt8 => Values::U8(numbers::<UInt8Type>(&column)?),
        _ => return None,
    };
    let expected = shape.iter().try_fold(1usize, |product, &length| product.checked_mul(length))?;
    (expected == values.len()).then_some(Array { shape, values })
}

/// Reads what [`write_ids`] wrote; `None` where it is something else.
pub(crate) fn read_ids(bytes: &[u8]) -> Option<Dictionary> {
    let (column, _) = read_column(bytes)?;
    ids::ids_of(column.as_string_opt::<i32>()?)
}

/// Reads what [`write_titles`] wrote; `None` where it is something else.
pub(crate) fn read_titles(bytes: &[u8]) -> Option<Titles> {
    let (column, _) = read_column(bytes)?;
    Some(column.as_string_opt::<i32>()?.iter().map(Option::unwrap_or_default).collect())
}

fn read_column(bytes: &[u8]) -> Option<(ArrayRef, String)> {
    let mut file = FileReader::try_new(Cursor::new(bytes), None).ok()?;
    let shape = file.schema().metadata().get(SHAPE).cloned().unwrap_or_default();
    let batch = file.next()?.ok()?;
    Some((Arc::clone(batch.columns().first()?), shape))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(array: &Array) -> Option<Array> {
        let mut bytes = Vec::new();
        write(array, &mut bytes).expect("memory");
        read(&bytes)
    }

    #[test]
    fn arrays_of_every_type_and_shape_come_back_bit_for_bit() {
        for (shape, values) in [
            (vec![], Values::F32(vec![-0.0])),
            (vec![3], Values::F64(vec![1.5, f64::MIN_POSITIVE, 2.0])),
            (vec![2, 3], Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])),
            (vec![0, 3], Values::F32(vec![])),
            (vec![2, 0], Values::F32(vec![])),
            (vec![2, 1, 2], Values::U32(vec![1, 2, 3, u32::MAX])),
            (vec![2], Values::U64(vec![0, u64::MAX])),
            (vec![4], Values::U8(b"text".to_vec())),
            (vec![0], Values::U8(vec![])),
        ] {
            let array = Array { shape, values };
            assert_eq!(back(&array), Some(array));
        }
    }

    #[test]
    fn ids_come_back_in_their_order() {
        let ids: Dictionary = ["b", "", "é", "a"].into_iter().collect();
        let mut bytes = Vec::new();
        write_ids(&ids, &mut bytes).expect("memory");
        assert_eq!(read_ids(&bytes), Some(ids));
        assert_eq!(read(&bytes), None, "ids are no numbers");
    }
}
