//! Columns of ids as text.

use std::fmt::Write as _;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowDictionaryKeyType, ArrowPrimitiveType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, LargeStringArray, StringArray, StringViewArray};
use arrow_schema::DataType;
use recspeed_types::limits::MAX_ID_BYTES;

use crate::read::BadReason;

/// A column of ids.
pub(super) enum Ids<'a> {
    Text(&'a StringArray),
    LargeText(&'a LargeStringArray),
    TextView(&'a StringViewArray),
    /// Whole numbers, whose decimal digits are the ids.
    Numbers(Vec<Option<i128>>),
    /// Places in another column.
    Dictionary(Vec<Option<usize>>, Box<Self>),
}

impl<'a> Ids<'a> {
    /// `None` where the column is of another type.
    pub(super) fn of(column: &'a ArrayRef) -> Option<Self> {
        Some(match column.data_type() {
            DataType::Utf8 => Self::Text(column.as_string_opt::<i32>()?),
            DataType::LargeUtf8 => Self::LargeText(column.as_string_opt::<i64>()?),
            DataType::Utf8View => Self::TextView(column.as_string_view_opt()?),
            DataType::Int8 => numbers::<Int8Type>(column)?,
            DataType::Int16 => numbers::<Int16Type>(column)?,
            DataType::Int32 => numbers::<Int32Type>(column)?,
            DataType::Int64 => numbers::<Int64Type>(column)?,
            DataType::UInt8 => numbers::<UInt8Type>(column)?,
            DataType::UInt16 => numbers::<UInt16Type>(column)?,
            DataType::UInt32 => numbers::<UInt32Type>(column)?,
            DataType::UInt64 => numbers::<UInt64Type>(column)?,
            DataType::Dictionary(key, _) => match key.as_ref() {
                DataType::Int8 => places::<Int8Type>(column)?,
                DataType::Int16 => places::<Int16Type>(column)?,
                DataType::Int32 => places::<Int32Type>(column)?,
                DataType::Int64 => places::<Int64Type>(column)?,
                DataType::UInt8 => places::<UInt8Type>(column)?,
                DataType::UInt16 => places::<UInt16Type>(column)?,
                DataType::UInt32 => places::<UInt32Type>(column)?,
                _ => places::<UInt64Type>(column)?,
            },
            _ => return None,
        })
    }

    /// The id of a row; `which` is `user` or `item`. Numbers are written into `digits`.
    pub(super) fn text<'t>(
        &'t self,
        row: usize,
        which: &'static str,
        digits: &'t mut String,
    ) -> Result<&'t str, BadReason> {
        let id = self.value(row, digits).ok_or(BadReason::Missing(which))?;
        match id.len() {
            0 => Err(BadReason::EmptyId(which)),
            1..=MAX_ID_BYTES if id.contains('\0') => Err(BadReason::Nul),
            1..=MAX_ID_BYTES => Ok(id),
            bytes => Err(BadReason::IdTooLong { which, bytes }),
        }
    }

    /// The text of a row; `None` where there is none.
    pub(super) fn value<'t>(&'t self, row: usize, digits: &'t mut String) -> Option<&'t str> {
        match self {
            Self::Text(column) => column.is_valid(row).then(|| column.value(row)),
            Self::LargeText(column) => column.is_valid(row).then(|| column.value(row)),
            Self::TextView(column) => column.is_valid(row).then(|| column.value(row)),
            Self::Numbers(numbers) => {
                let number = (*numbers.get(row)?)?;
                digits.clear();
                write!(digits, "{number}").ok()?;
                Some(digits)
            }
            Self::Dictionary(places, values) => values.value((*places.get(row)?)?, digits),
        }
    }
}

fn numbers<T: ArrowPrimitiveType>(column: &ArrayRef) -> Option<Ids<'_>>
where
    T::Native: Into<i128>,
{
    Some(Ids::Numbers(column.as_primitive_opt::<T>()?.iter().map(|number| number.map(Into::into)).collect()))
}

fn places<K: ArrowDictionaryKeyType>(column: &ArrayRef) -> Option<Ids<'_>>
where
    K::Native: TryInto<usize>,
{
    let column = column.as_dictionary_opt::<K>()?;
    let places = column.keys().iter().map(|key| key.and_then(|key| key.try_into().ok())).collect();
    Some(Ids::Dictionary(places, Box::new(Ids::of(column.values())?)))
}
