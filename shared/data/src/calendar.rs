//! Calendar years and months of timestamps, UTC.

use std::collections::BTreeMap;

/// Seconds of a day.
const DAY: i64 = 86_400;
/// Months that are listed one by one; data that spread over more have broken times.
const MAX_MONTHS: usize = 1200;

/// Rows by calendar year, years ascending.
pub(crate) fn years(timestamps: &[i64]) -> Vec<(i64, u64)> {
    let mut years: BTreeMap<i64, u64> = BTreeMap::new();
    for (day, count) in days(timestamps) {
        *years.entry(year_and_month(day).0).or_default() += count;
    }
    years.into_iter().collect()
}

/// Rows by calendar month as `2014-07`, from the first to the last without gaps; empty when they would be more than 1,200.
pub(crate) fn months(timestamps: &[i64]) -> Vec<(String, u64)> {
    let mut months: BTreeMap<i64, u64> = BTreeMap::new();
    for (day, count) in days(timestamps) {
        let (year, month) = year_and_month(day);
        *months.entry(year.saturating_mul(12).saturating_add(i64::from(month) - 1)).or_default() += count;
    }
    let (Some((&first, _)), Some((&last, _))) = (months.first_key_value(), months.last_key_value()) else {
        return Vec::new();
    };
    if last.saturating_sub(first) >= MAX_MONTHS as i64 {
        return Vec::new();
    }
    let name = |month: i64| format!("{:04}-{:02}", month.div_euclid(12), month.rem_euclid(12) + 1);
    (first..=last).map(|month| (name(month), months.get(&month).copied().unwrap_or(0))).collect()
}

/// Calendar year of a timestamp.
pub(crate) fn year_of(timestamp: i64) -> i64 {
    year_and_month(timestamp.div_euclid(DAY)).0
}

/// Calendar month of a timestamp, from 1.
pub(crate) fn month_of(timestamp: i64) -> u8 {
    year_and_month(timestamp.div_euclid(DAY)).1
}

fn days(timestamps: &[i64]) -> BTreeMap<i64, u64> {
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    for &time in timestamps {
        *days.entry(time.div_euclid(DAY)).or_default() += 1;
    }
    days
}

/// Calendar year, and month from 1, of a day counted from 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `civil_from_days`).
fn year_and_month(day: i64) -> (i64, u8) {
    let shifted = i128::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Years and months of this calendar begin in March; days 306 and later belong to the next civil year.
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    ((year_of_era + era * 400 + i128::from(day_of_year >= 306)) as i64, month as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn years_change_at_new_year_and_leap_days_belong_to_theirs() {
        // `date -u -d 2000-02-29 +%s` and its neighbours, divided by 86,400.
        for (day, year, month) in [
            (-1, 1969, 12),
            (0, 1970, 1),
            (11_016, 2000, 2),
            (11_017, 2000, 3),
            (11_322, 2000, 12),
            (11_323, 2001, 1),
            (16_435, 2014, 12),
            (16_436, 2015, 1),
        ] {
            assert_eq!(year_and_month(day), (year, month), "day {day}");
        }
    }

    #[test]
    fn months_have_no_gaps_and_broken_times_no_months() {
        assert_eq!(months(&[0, 1, 86_400 * 70]), [("1970-01".into(), 2), ("1970-02".into(), 0), ("1970-03".into(), 1)]);
        assert!(months(&[0, i64::MAX]).is_empty());
        assert!(months(&[i64::MIN, i64::MAX]).is_empty());
        assert_eq!(years(&[-1, 0]), [(1969, 1), (1970, 1)]);
    }
}
