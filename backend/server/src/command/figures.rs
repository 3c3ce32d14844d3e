//! Numbers as people read them: grouped counts, sizes, durations, and values with their useful digits.

/// A count with groups of three digits: `2,023,070`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in bytes, with a binary unit where it has one: `512 B`, `16.0 MiB`.
pub(crate) fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let mut size = value as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be printed as 1024.0.
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A duration in seconds: `0.9 ms`, `12 ms`, `3.42 s`, `2 min 05 s`.
pub(crate) fn seconds(value: f64) -> String {
    if !value.is_finite() || value < 0.0 {
        return "unknown".to_owned();
    }
    if value == 0.0 {
        "0 ms".to_owned()
    } else if value < 0.000_095 {
        // A list of item neighbours takes a few of them.
        format!("{:.0} µs", value * 1e6)
    } else if value < 0.001 {
        format!("{:.1} ms", value * 1e3)
    } else if value < 0.9995 {
        format!("{:.0} ms", value * 1e3)
    } else if value < 99.995 {
        format!("{value:.2} s")
    } else {
        let whole = value.round() as u64;
        if whole < 3600 {
            format!("{} min {:02} s", whole / 60, whole % 60)
        } else {
            format!("{} h {:02} min", whole / 3600, whole % 3600 / 60)
        }
    }
}

/// The same of what goes on, in whole seconds: `45 s`, `2 min 05 s`.
pub(crate) fn whole_seconds(value: f64) -> String {
    if (0.0..99.5).contains(&value) { format!("{value:.0} s") } else { seconds(value) }
}

/// Digits that carry information in a metric: more than any table prints, fewer than the noise of a float.
const USEFUL_DIGITS: i32 = 7;

/// A value with seven significant digits: `1.153676`, `371.7549`, `0.05446571`. Very large and very small ones have
/// an exponent.
pub(crate) fn value(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if (-5..12).contains(&magnitude) {
        let decimals = (USEFUL_DIGITS - 1 - magnitude).clamp(0, 12) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.6e}")
    }
}

/// A share as a percentage: `61.7 %`, `0.05 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent != 0.0 && percent.abs() < 0.1 { format!("{percent:.2} %") } else { format!("{percent:.1} %") }
}

/// `1 row`, `2 rows`: the count with a noun.
pub(crate) fn counted(value: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { many })
}

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The values as one line of at most `width` blocks, lowest `▁` to highest `█`; neighbours are averaged when there are
/// more values than places.
pub(crate) fn sparkline(values: &[f64], width: usize) -> String {
    if values.is_empty() || width == 0 {
        return String::new();
    }
    let places = values.len().min(width);
    let means: Vec<f64> = (0..places)
        .map(|place| {
            let part = &values[place * values.len() / places..(place + 1) * values.len() / places];
            part.iter().sum::<f64>() / part.len() as f64
        })
        .collect();
    let low = means.iter().copied().fold(f64::INFINITY, f64::min);
    let high = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low;
    means
        .iter()
        .map(|mean| {
            let level = if span > 0.0 { (mean - low) / span } else { 0.0 };
            BLOCKS[((level * 7.0).round() as usize).min(7)]
        })
        .collect()
}

/// A bar of at most `width` places for `part` of `whole`, in eighths.
pub(crate) fn bar(part: f64, whole: f64, width: usize) -> String {
    const EIGHTHS: [char; 7] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    if !(part > 0.0 && whole > 0.0) {
        return String::new();
    }
    let eighths = ((part / whole).min(1.0) * width as f64 * 8.0).round().max(1.0) as usize;
    let mut text = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        text.push(EIGHTHS[eighths % 8 - 1]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_three() {
        assert_eq!(["0", "999", "1,000", "2,023,070"], [0, 999, 1000, 2_023_070].map(count).each_ref().map(|s| &**s));
    }

    #[test]
    fn sizes_have_the_unit_that_keeps_them_short() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1024), "1.0 KiB");
        assert_eq!(bytes(1024 * 1024 - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
    }

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(seconds(0.0), "0 ms");
        assert_eq!(seconds(0.000_006), "6 µs");
        assert_eq!(seconds(0.000_099), "0.1 ms");
        assert_eq!(seconds(0.0004), "0.4 ms");
        assert_eq!(seconds(0.0123), "12 ms");
        assert_eq!(seconds(0.9999), "1.00 s");
        assert_eq!(seconds(125.0), "2 min 05 s");
        assert_eq!(seconds(3725.0), "1 h 02 min");
        assert_eq!(seconds(f64::NAN), "unknown");
    }

    #[test]
    fn values_keep_seven_digits() {
        assert_eq!(value(1.153_676_012), "1.153676");
        assert_eq!(value(371.754_891_2), "371.7549");
        assert_eq!(value(0.054_465_712_3), "0.05446571");
        assert_eq!(value(0.0), "0");
        assert_eq!(value(1.5e-9), "1.500000e-9");
    }

    #[test]
    fn a_sparkline_falls_as_its_values_fall() {
        assert_eq!(sparkline(&[7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0], 8), "█▇▆▅▄▃▂▁");
        assert_eq!(sparkline(&[1.0; 100], 4), "▁▁▁▁");
        assert_eq!(sparkline(&[], 8), "");
    }

    #[test]
    fn a_bar_shows_every_part_that_is_not_zero() {
        assert_eq!(bar(1.0, 2.0, 4), "██");
        assert_eq!(bar(1e-9, 1.0, 4), "▏");
        assert_eq!(bar(0.0, 1.0, 4), "");
    }
}
