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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(1000.0, 5), [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]);
        assert_eq!(ticks(37.0, 4), [0.0, 10.0, 20.0, 30.0]);
        assert_eq!(ticks(0.0, 4), [0.0]);
    }
}
