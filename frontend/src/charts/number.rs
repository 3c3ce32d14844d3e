//! Numbers as people read them.

pub(crate) use recspeed_plan::words::{bytes, share};

/// A measured value with four significant digits, never in exponents where a plain number is short.
pub(crate) fn value(v: f64) -> String {
    let size = v.abs();
    if v == 0.0 {
        "0".to_owned()
    } else if size >= 10_000.0 {
        count(v.round() as u64)
    } else if size >= 1e-4 {
        let digits = (3 - size.log10().floor() as i32).clamp(0, 8) as usize;
        format!("{v:.digits$}")
    } else {
        format!("{v:.2e}")
    }
}

/// A difference with its sign; a real minus, so that it lines up with the plus.
pub(crate) fn difference(v: f64) -> String {
    if is_negligible(v) {
        return "±0".to_owned();
    }
    let digits = if v.abs() >= 1.0 { 3 } else { 4 };
    let text = format!("{:.digits$}", v.abs());
    format!("{}{text}", if v < 0.0 { '−' } else { '+' })
}

/// Whether a difference between two runs is smaller than what is shown of it: as between machines that round differently.
fn is_negligible(v: f64) -> bool {
    v.abs() < 5e-5
}

/// Whether two values differ by more than the rounding of what is shown: of both in four digits, and of their difference.
pub(crate) fn is_beyond_rounding(a: f64, b: f64) -> bool {
    let size = a.abs().max(b.abs()).max(f64::MIN_POSITIVE);
    let of_values = 10f64.powi(size.log10().floor() as i32 - 3).min(1.0);
    let of_difference = if (a - b).abs() >= 1.0 { 1e-3 } else { 1e-4 };
    (a - b).abs() >= 1.5 * of_values.max(of_difference)
}

/// A count in groups of three.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A place on an axis of epochs or steps: a whole one as a count, one between two epochs in up to four digits.
pub(crate) fn place(at: f64) -> String {
    if at.fract() == 0.0 { count(at as u64) } else { trimmed(&value(at)).to_owned() }
}

/// So many of something, as `1 rank`, `4 ranks` and `8 micro-batches`.
pub(crate) fn counted(n: u64, one: &str) -> String {
    let end = match n {
        1 => "",
        _ if one.ends_with("tch") => "es",
        _ => "s",
    };
    format!("{n} {one}{end}")
}

/// A number as text without the zeros at its end that say nothing.
pub(crate) fn trimmed(text: &str) -> &str {
    if text.contains('.') && !text.contains('e') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// A stretch of time.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 60.0 {
        format!("{seconds:.1} s")
    } else if seconds < 3600.0 {
        format!("{} min {:02} s", (seconds / 60.0) as u64, (seconds % 60.0) as u64)
    } else {
        format!("{} h {:02} min", (seconds / 3600.0) as u64, (seconds / 60.0) as u64 % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_last_digit_shown_is_no_difference() {
        for (a, b) in [(0.9431, 0.9432), (0.0312, 0.0311), (1.059, 1.06), (0.0, 0.0), (0.5, 0.5), (12_345.0, 12_346.0)]
        {
            assert!(!is_beyond_rounding(a, b), "{a} {b} {}", difference(a - b));
        }
        for (a, b) in [(0.9431, 0.9433), (0.0312, 0.0308), (1.059, 1.061), (0.0, 0.0002), (12_345.0, 12_348.0)] {
            assert!(is_beyond_rounding(a, b) && is_beyond_rounding(b, a), "{a} {b}");
        }
    }

    #[test]
    fn values_show_four_digits() {
        let shown: Vec<String> = [0.123_456, 1.153_68, 371.7549, 0.0, 0.000_012, 12_345.6, -0.5].map(value).to_vec();
        assert_eq!(shown, ["0.1235", "1.154", "371.8", "0", "1.20e-5", "12,346", "-0.5000"]);
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!([0, 999, 1000, 2_023_070].map(count), ["0", "999", "1,000", "2,023,070"]);
    }

    #[test]
    fn epochs_and_steps_are_whole_where_they_are() {
        assert_eq!([0.0, 20.0, 1200.0, 12_000.0].map(place), ["0", "20", "1,200", "12,000"]);
        assert_eq!([0.5, 2.25, 0.0078, 20.000_001].map(place), ["0.5", "2.25", "0.0078", "20"]);
    }

    #[test]
    fn one_is_no_plural_and_zeros_that_count_stay() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "rank")), ["0 ranks", "1 rank", "2 ranks"]);
        assert_eq!([1, 8].map(|n| counted(n, "micro-batch")), ["1 micro-batch", "8 micro-batches"]);
        assert_eq!(counted(2, "epoch"), "2 epochs");
        assert_eq!(
            ["1.00", "0.0100", "100", "100.0", "1.50e-10"].map(trimmed),
            ["1", "0.01", "100", "100", "1.50e-10"]
        );
    }

    #[test]
    fn times_and_differences_are_short() {
        assert_eq!(
            [0.0004, 0.25, 3.12, 75.0, 3700.0].map(duration),
            ["400 µs", "250 ms", "3.1 s", "1 min 15 s", "1 h 01 min"]
        );
        assert_eq!([-0.0123, 0.0, 2.0, 3e-6].map(difference), ["−0.0123", "±0", "+2.000", "±0"]);
    }
}
