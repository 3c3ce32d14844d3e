//! The marks of an axis of time.

/// Round moments for an axis of this length, about `wanted` of them.
pub(crate) fn ticks(total_us: f64, wanted: usize) -> Vec<f64> {
    if !total_us.is_finite() || total_us <= 0.0 {
        return vec![0.0];
    }
    let rough = total_us / wanted.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    (0..=(total_us / step) as usize).map(|at| at as f64 * step).collect()
}

/// What stands at these moments: 0, and the others in one unit, that of the last.
pub(crate) fn tick_labels(ticks: &[f64]) -> Vec<String> {
    let (unit, word) = match ticks.last().copied().unwrap_or_default() {
        us if us < 1e3 => (1.0, "µs"),
        us if us < 1e6 => (1e3, "ms"),
        _ => (1e6, "s"),
    };
    // As many digits as the step between two of them has.
    let step = ticks.get(1).map_or(1.0, |second| second / unit);
    let digits = (-step.log10()).ceil().max(0.0) as usize;
    let label = |at: &f64| if *at == 0.0 { "0".to_owned() } else { format!("{:.digits$} {word}", at / unit) };
    ticks.iter().map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(1000.0, 5), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(ticks(37.0, 4), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks(0.0, 4), [0.0]);
    }

    #[test]
    fn an_axis_begins_with_0_and_goes_on_in_one_unit() {
        let labels = |total_us: f64, wanted: usize| tick_labels(&ticks(total_us, wanted));
        assert_eq!(labels(157_000.0, 8), ["0", "20 ms", "40 ms", "60 ms", "80 ms", "100 ms", "120 ms", "140 ms"]);
        assert_eq!(labels(1500.0, 3), ["0", "0.5 ms", "1.0 ms", "1.5 ms"]);
        assert_eq!(labels(37.0, 4), ["0", "10 µs", "20 µs", "30 µs"]);
        assert_eq!(labels(2e8, 4), ["0", "50 s", "100 s", "150 s", "200 s"]);
        assert_eq!(labels(0.0, 4), ["0"]);
    }
}
