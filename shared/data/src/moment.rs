//! Moments: whole seconds since 1970, and the nanoseconds beyond them.
//!
//! A time column that is finer than a second keeps its order: seconds go into one column, and where a row has a part of
//! a second, the nanoseconds of every row into another ([`crate::Interactions::fraction`]). What is finer than a
//! nanosecond is cut off and counted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970, rounded down, and the nanoseconds beyond them, less than 10⁹.
pub(crate) type Moment = (i64, u32);

/// A moment as it was told, and whether something finer than a nanosecond was cut off it.
pub(crate) type Told = (Moment, bool);

/// Nanoseconds of a second.
const NANOS: i64 = 1_000_000_000;

/// 1 January 1995 and 1 January 2100, 0:00 UTC, in seconds: between them what data tell of has happened. Earlier ones
/// would let the ticks of some databases, 100 nanoseconds since the year 1, pass for nanoseconds since 1970.
pub(crate) const EARLIEST: i64 = 788_918_400;
pub(crate) const LATEST: i64 = 4_102_444_800;

/// A unit of times that are plain numbers, where that is not the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EpochUnit {
    /// 1,000 a second.
    Milliseconds,
    /// 1,000,000 a second.
    Microseconds,
    /// 1,000,000,000 a second.
    Nanoseconds,
}

impl EpochUnit {
    const ALL: [Self; 3] = [Self::Milliseconds, Self::Microseconds, Self::Nanoseconds];

    /// The name in a sentence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Milliseconds => "milliseconds",
            Self::Microseconds => "microseconds",
            Self::Nanoseconds => "nanoseconds",
        }
    }

    /// How many a second has.
    const fn per_second(self) -> i64 {
        match self {
            Self::Milliseconds => 1_000,
            Self::Microseconds => 1_000_000,
            Self::Nanoseconds => NANOS,
        }
    }

    /// The unit of which these times, read as seconds, must be: their median would be a second after 2099, and is
    /// between 1995 and 2099 in this unit. `None` where they may be seconds.
    fn of(times: &[i64]) -> Option<Self> {
        // Nearly every file ends here, without a copy of its times.
        if times.iter().all(|&time| time < LATEST) {
            return None;
        }
        let mut times = times.to_vec();
        // Of an even number the lower one: more than half must be.
        let middle = (times.len() - 1) / 2;
        let median = *times.select_nth_unstable(middle).1;
        Self::ALL.into_iter().find(|unit| (EARLIEST..LATEST).contains(&median.div_euclid(unit.per_second())))
    }

    /// What was read as a time in seconds, taken as one in this unit.
    fn moment(self, (time, nanos): Moment) -> Told {
        let per_second = self.per_second();
        let beyond = time.rem_euclid(per_second) * (NANOS / per_second) + i64::from(nanos) / per_second;
        ((time.div_euclid(per_second), beyond as u32), i64::from(nanos) % per_second > 0)
    }

    /// The coarsest in which all these parts of seconds are whole numbers.
    #[cfg(feature = "arrow")]
    pub(crate) fn of_fractions(fractions: &[u32]) -> Self {
        let whole = |unit: &Self| {
            let step = (NANOS / unit.per_second()) as u32;
            fractions.iter().all(|fraction| fraction.is_multiple_of(step))
        };
        Self::ALL.into_iter().find(whole).unwrap_or(Self::Nanoseconds)
    }

    /// A moment as a number of this unit; `None` where an i64 does not hold it.
    #[cfg(feature = "arrow")]
    pub(crate) fn ticks(self, (seconds, nanos): Moment) -> Option<i64> {
        let per_second = self.per_second();
        // The product alone may be out of the range of i64 where the sum is not: seconds are rounded down.
        let ticks = i128::from(seconds) * i128::from(per_second) + i128::from(nanos) / i128::from(NANOS / per_second);
        i64::try_from(ticks).ok()
    }
}

/// A column of nanoseconds on its way in. It ends at the last row that has some, so that whole seconds cost nothing.
#[derive(Debug, Default)]
pub(crate) struct Fractions(Vec<u32>);

impl Fractions {
    /// The nanoseconds of a row; rows come in ascending order.
    #[inline]
    pub(crate) fn push(&mut self, row: usize, nanos: u32) {
        if nanos > 0 {
            self.0.resize(row, 0);
            self.0.push(nanos);
        }
    }

    /// Adds those of rows from `first` on, which lies behind all rows so far.
    pub(crate) fn append(&mut self, first: usize, more: &Self) {
        if !more.0.is_empty() {
            self.0.resize(first, 0);
            self.0.extend_from_slice(&more.0);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Bytes of the column so far.
    #[cfg(feature = "arrow")]
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(&self.0[..])
    }

    /// Those of all rows; empty where all are 0.
    pub(crate) fn finish(mut self, rows: usize) -> Vec<u32> {
        if !self.0.is_empty() {
            self.0.resize(rows, 0);
        }
        self.0
    }
}

/// Takes times that cannot be seconds for what they are, in place: the unit, and how many rows had something finer than
/// a nanosecond cut off by it. `None` where they may be seconds, which then stay as they are.
///
/// # Shapes
/// - `timestamp`: `[rows]`; `fraction`: `[rows]`, or empty where all are 0
pub(crate) fn rescale(timestamp: &mut [i64], fraction: &mut Vec<u32>) -> Option<(EpochUnit, u64)> {
    let unit = EpochUnit::of(timestamp)?;
    let before = std::mem::take(fraction);
    let (mut fractions, mut cut_rows) = (Fractions::default(), 0);
    for (row, time) in timestamp.iter_mut().enumerate() {
        let ((seconds, nanos), cut) = unit.moment((*time, before.get(row).copied().unwrap_or(0)));
        *time = seconds;
        fractions.push(row, nanos);
        cut_rows += u64::from(cut);
    }
    *fraction = fractions.finish(timestamp.len());
    Some((unit, cut_rows))
}

/// Seconds as a floating-point number, read as the digits that it is written with: a table gives what a text of it
/// gives. `None` where they are beyond the range of i64, or no number.
pub(crate) fn of_number(number: impl Copy + Into<f64> + fmt::Display) -> Option<Told> {
    let seconds: f64 = number.into();
    // 2^63 is the first double outside the range of i64.
    if seconds.is_nan() || seconds.abs() >= 9_223_372_036_854_775_808.0 {
        return None;
    }
    if seconds.fract() == 0.0 {
        return Some(((seconds as i64, 0), false));
    }
    // Never with an exponent, and with no more digits than tell the number from its neighbours.
    of_digits(&number.to_string())
}

/// Seconds as digits with a point or without, and a sign perhaps; `None` for any other text, and beyond the range of
/// i64.
pub(crate) fn of_digits(text: &str) -> Option<Told> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = whole.parse().ok()?;
    let digits = part.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanos = digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let cut = part.bytes().skip(9).any(|digit| digit != b'0');
    // Below 0 what stands behind the point leads away from it: −0.25 is 0.75 beyond −1.
    if nanos > 0 && whole.starts_with('-') {
        return Some(((seconds.checked_sub(1)?, NANOS as u32 - nanos), cut));
    }
    Some(((seconds, nanos), cut))
}

/// So many ticks, of which a second has `per_second`, a power of ten up to 10⁹.
#[cfg(feature = "arrow")]
pub(crate) const fn of_ticks(ticks: i64, per_second: i64) -> Moment {
    (ticks.div_euclid(per_second), (ticks.rem_euclid(per_second) * (NANOS / per_second)) as u32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_and_digits_of_one_time_are_one_moment_below_0_too() {
        for (text, moment) in [
            ("978300760", (978_300_760, 0)),
            ("978300760.25", (978_300_760, 250_000_000)),
            ("978300760.123", (978_300_760, 123_000_000)),
            ("0.000000001", (0, 1)),
            ("-0.25", (-1, 750_000_000)),
            ("-2.5", (-3, 500_000_000)),
            ("+7.", (7, 0)),
        ] {
            assert_eq!(of_digits(text), Some((moment, false)), "{text}");
            let number: f64 = text.parse().expect("a number");
            assert_eq!(of_number(number), Some((moment, false)), "{text}");
        }
        for text in ["", ".5", "-", "1e3", "1.5e3", "1.-5", "x", "9223372036854775808", "-9223372036854775808.5"] {
            assert_eq!(of_digits(text), None, "{text}");
        }
        for number in [f64::NAN, f64::INFINITY, 1e30, -1e30] {
            assert_eq!(of_number(number), None, "{number}");
        }
    }

    #[test]
    fn what_is_finer_than_a_nanosecond_is_cut_off_and_said_to_be() {
        assert_eq!(of_digits("1.0000000019"), Some(((1, 1), true)));
        assert_eq!(of_digits("1.0000000010"), Some(((1, 1), false)), "nothing is lost with a 0");
        assert_eq!(of_digits("-1.0000000001"), Some(((-1, 0), true)));
        assert_eq!(of_number(0.123_456_789_012_3f64), Some(((0, 123_456_789), true)));
        // A number of 32 bits has few digits; as one of 64 bits it would have more, which say nothing.
        assert_eq!(of_number(0.1f32), Some(((0, 100_000_000), false)));
    }

    #[test]
    fn times_that_would_be_long_after_2100_are_of_the_unit_in_which_they_are_of_our_days() {
        let seconds = [978_300_760, 1_400_000_000, 1_700_000_001];
        for unit in EpochUnit::ALL {
            let per_second = unit.per_second();
            let mut times: Vec<i64> = seconds.iter().map(|time| time * per_second + 7).collect();
            let mut fraction = Vec::new();
            assert_eq!(rescale(&mut times, &mut fraction), Some((unit, 0)));
            let nanos = 7 * (NANOS / per_second) as u32;
            assert_eq!((times, fraction), (seconds.to_vec(), vec![nanos; 3]), "{unit:?}");
        }
        // The future of a few rows, what is of our days in no unit, and ticks since the year 1 stay as they are.
        for mut times in [
            vec![],
            vec![1, 2, 3],
            vec![1_400_000_000, 1_400_000_001, i64::MAX],
            vec![10_000_000_000; 3],
            vec![637_500_000_000_000_000; 3],
        ] {
            let (before, mut fraction) = (times.clone(), Vec::new());
            assert_eq!(rescale(&mut times, &mut fraction), None);
            assert_eq!((times, fraction.len()), (before, 0));
        }
    }

    #[test]
    fn parts_of_the_unit_of_a_file_are_kept_down_to_the_nanosecond() {
        let (mut times, mut fraction) = (vec![1_400_000_000_123], vec![500_000_000]);
        assert_eq!(rescale(&mut times, &mut fraction), Some((EpochUnit::Milliseconds, 0)));
        assert_eq!((times, fraction), (vec![1_400_000_000], vec![123_500_000]));
        let (mut times, mut fraction) = (vec![1_400_000_000_123_456_789], vec![500_000_000]);
        assert_eq!(rescale(&mut times, &mut fraction), Some((EpochUnit::Nanoseconds, 1)));
        assert_eq!((times, fraction), (vec![1_400_000_000], vec![123_456_789]));
    }

    #[test]
    fn a_column_of_fractions_is_as_long_as_there_are_rows_or_not_there() {
        let mut chunk = Fractions::default();
        chunk.push(0, 0);
        chunk.push(2, 5);
        let mut all = Fractions::default();
        all.append(4, &Fractions::default());
        all.append(6, &chunk);
        assert_eq!(all.finish(10), [0, 0, 0, 0, 0, 0, 0, 0, 5, 0]);
        assert!(Fractions::default().finish(10).is_empty());
    }

    proptest! {
        #[test]
        fn moments_stand_in_the_order_of_the_times_that_they_were_told_as(
            times in proptest::collection::vec(-1e10f64..1e10, 2..20),
        ) {
            let told: Vec<_> = times.iter().map(|&time| of_number(time).expect("in range").0).collect();
            for (a, b) in times.iter().zip(&told) {
                for (c, d) in times.iter().zip(&told) {
                    prop_assert!(a > c || b <= d, "{} is {:?}, {} is {:?}", a, b, c, d);
                }
            }
        }
    }

    #[cfg(feature = "arrow")]
    proptest! {
        #[test]
        fn ticks_of_any_unit_are_a_moment_and_back(ticks in any::<i64>()) {
            for unit in EpochUnit::ALL {
                let moment = of_ticks(ticks, unit.per_second());
                prop_assert!(moment.1 < NANOS as u32);
                prop_assert_eq!(unit.ticks(moment), Some(ticks));
            }
        }
    }
}
