//! Columns of ratings and times.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    DecimalType, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, TimeUnit};

use crate::moment::{Told, of_digits, of_number, of_ticks};
use crate::read::BadReason;

/// Ratings, or other numbers, of a batch; `None` where there is none.
#[derive(Debug)]
pub(super) struct Ratings(Vec<Option<f64>>);

/// Moments of a batch; `None` where there are none.
#[derive(Debug)]
pub(super) struct Times(Vec<Option<Time>>);

#[derive(Debug, Clone, Copy)]
enum Time {
    At(Told),
    /// Seconds as a number of 64 bits, or of 32: which digits it stands for depends on that.
    Double(f64),
    Single(f32),
    Beyond,
}

impl Time {
    const fn whole(seconds: i64) -> Self {
        Self::At(((seconds, 0), false))
    }
}

impl Ratings {
    /// `None` where the column is of another type.
    pub(super) fn of(column: &ArrayRef) -> Option<Self> {
        ratings(column).map(Self)
    }

    pub(super) fn get(&self, row: usize) -> Result<f32, BadReason> {
        finite(self.value(row).ok_or(BadReason::Missing("rating"))?, "rating")
    }

    /// The number of a row; `None` where there is none.
    pub(super) fn value(&self, row: usize) -> Option<f64> {
        self.0.get(row).copied().flatten()
    }
}

impl Times {
    /// `None` where the column is of another type.
    pub(super) fn of(column: &ArrayRef) -> Option<Self> {
        times(column).map(Self)
    }

    /// When a row was.
    pub(super) fn get(&self, row: usize) -> Result<Told, BadReason> {
        let beyond = |text: String| BadReason::TimeRange { text };
        match self.0.get(row).copied().flatten().ok_or(BadReason::Missing("timestamp"))? {
            Time::At(told) => Ok(told),
            Time::Double(seconds) => of_number(seconds).ok_or_else(|| beyond(seconds.to_string())),
            Time::Single(seconds) => of_number(seconds).ok_or_else(|| beyond(seconds.to_string())),
            Time::Beyond => Err(beyond("too large".to_owned())),
        }
    }
}

/// A number as it is kept; one beyond the range of an f32 would become an infinity.
pub(super) fn finite(number: f64, column: &'static str) -> Result<f32, BadReason> {
    let kept = number as f32;
    // In digits the largest of them is 309 long.
    if kept.is_finite() { Ok(kept) } else { Err(BadReason::not_finite(column, format!("{number:e}"), 32)) }
}

fn ratings(column: &ArrayRef) -> Option<Vec<Option<f64>>> {
    Some(match column.data_type() {
        DataType::Boolean => {
            column.as_boolean_opt()?.iter().map(|flag| flag.map(|flag| f64::from(u8::from(flag)))).collect()
        }
        DataType::Float16 => each::<Float16Type, _>(column, f64::from)?,
        DataType::Float32 => each::<Float32Type, _>(column, f64::from)?,
        DataType::Float64 => each::<Float64Type, _>(column, |number| number)?,
        DataType::UInt64 => each::<UInt64Type, _>(column, |number| number as f64)?,
        // As a text with these digits is read: the nearest number that is kept.
        found if found.is_decimal() => {
            decimals(column, |digits| fast_float2::parse::<f32, _>(digits).map_or(f64::NAN, f64::from))?
        }
        _ => integers(column)?.into_iter().map(|number| number.map(|number| number as f64)).collect(),
    })
}

fn times(column: &ArrayRef) -> Option<Vec<Option<Time>>> {
    let ticks = |per_second: i64| move |ticks: i64| Time::At((of_ticks(ticks, per_second), false));
    Some(match column.data_type() {
        DataType::Float16 => each::<Float16Type, _>(column, |number| Time::Single(f32::from(number)))?,
        DataType::Float32 => each::<Float32Type, _>(column, Time::Single)?,
        DataType::Float64 => each::<Float64Type, _>(column, Time::Double)?,
        DataType::UInt64 => {
            each::<UInt64Type, _>(column, |number| i64::try_from(number).map_or(Time::Beyond, Time::whole))?
        }
        found if found.is_decimal() => decimals(column, |digits| of_digits(digits).map_or(Time::Beyond, Time::At))?,
        DataType::Timestamp(TimeUnit::Second, _) => each::<TimestampSecondType, _>(column, Time::whole)?,
        DataType::Timestamp(TimeUnit::Millisecond, _) => each::<TimestampMillisecondType, _>(column, ticks(1_000))?,
        DataType::Timestamp(TimeUnit::Microsecond, _) => each::<TimestampMicrosecondType, _>(column, ticks(1_000_000))?,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            each::<TimestampNanosecondType, _>(column, ticks(1_000_000_000))?
        }
        DataType::Date32 => each::<Date32Type, _>(column, |days| Time::whole(i64::from(days) * 86_400))?,
        DataType::Date64 => each::<Date64Type, _>(column, ticks(1_000))?,
        _ => integers(column)?.into_iter().map(|number| number.map(Time::whole)).collect(),
    })
}

fn integers(column: &ArrayRef) -> Option<Vec<Option<i64>>> {
    Some(match column.data_type() {
        DataType::Int8 => each::<Int8Type, _>(column, i64::from)?,
        DataType::Int16 => each::<Int16Type, _>(column, i64::from)?,
        DataType::Int32 => each::<Int32Type, _>(column, i64::from)?,
        DataType::Int64 => each::<Int64Type, _>(column, |number| number)?,
        DataType::UInt8 => each::<UInt8Type, _>(column, i64::from)?,
        DataType::UInt16 => each::<UInt16Type, _>(column, i64::from)?,
        DataType::UInt32 => each::<UInt32Type, _>(column, i64::from)?,
        _ => return None,
    })
}

fn each<T: ArrowPrimitiveType, R>(column: &ArrayRef, of: impl Fn(T::Native) -> R) -> Option<Vec<Option<R>>> {
    Some(column.as_primitive_opt::<T>()?.iter().map(|value| value.map(&of)).collect())
}

/// Decimals of any width, from their digits.
fn decimals<R>(column: &ArrayRef, of: impl Fn(&str) -> R) -> Option<Vec<Option<R>>> {
    fn of_width<T: DecimalType, R>(column: &ArrayRef, of: impl Fn(&str) -> R) -> Option<Vec<Option<R>>> {
        let column = column.as_primitive_opt::<T>()?;
        let number = |row: usize| column.is_valid(row).then(|| of(&column.value_as_string(row)));
        Some((0..column.len()).map(number).collect())
    }
    match column.data_type() {
        DataType::Decimal32(..) => of_width::<Decimal32Type, R>(column, of),
        DataType::Decimal64(..) => of_width::<Decimal64Type, R>(column, of),
        DataType::Decimal128(..) => of_width::<Decimal128Type, R>(column, of),
        DataType::Decimal256(..) => of_width::<Decimal256Type, R>(column, of),
        _ => None,
    }
}
