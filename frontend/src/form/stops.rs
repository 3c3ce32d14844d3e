//! The places of a knob's slider: few, round, safe values around the default; the text box beside it takes any value.

use super::FieldKind;

/// Round values in ascending order, the default among them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stops {
    values: Vec<f64>,
}

impl Stops {
    /// The stops of a number field; `None` for fields that are no single number.
    pub(crate) fn of(kind: &FieldKind) -> Option<Self> {
        match *kind {
            FieldKind::Integer { min, max, default: Some(default) } => {
                let powers = default >= 8 && (default & (default - 1)) == 0;
                let series: Vec<f64> = if powers {
                    (0..20).map(|p| f64::from(1_u32 << p)).collect()
                } else {
                    decades(0, 6, &[1.0, 2.0, 5.0])
                };
                Some(Self::around(series, min as f64, max as f64, default as f64, 24.0))
            }
            FieldKind::Number { min, max, default: Some(default) } => {
                let share = min == 0.0 && max == 1.0;
                let series = if share {
                    (1..=9).map(|tenth| f64::from(tenth) / 10.0).collect()
                } else {
                    decades(-9, 6, &[1.0, 3.0])
                };
                Some(Self::around(series, min, max, default, if share { 10.0 } else { 120.0 }))
            }
            _ => None,
        }
    }

    /// The values of `series` within the range and within `reach` times the default, with the default itself.
    fn around(series: Vec<f64>, min: f64, max: f64, default: f64, reach: f64) -> Self {
        let (low, high) = if default > 0.0 { (default / reach, default * reach) } else { (0.0_f64.max(min), reach) };
        let mut values: Vec<f64> = series
            .into_iter()
            .filter(|v| (min..=max).contains(v) && (low..=high).contains(v) && !(default == 0.0 && *v < 0.5))
            .chain([default])
            .collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        Self { values }
    }

    /// The largest position.
    pub(crate) fn last(&self) -> usize {
        self.values.len() - 1
    }

    /// The value at a position; positions beyond the end are the end.
    pub(crate) fn value(&self, position: usize) -> f64 {
        self.values[position.min(self.last())]
    }

    /// The position nearest to a value, by ratio where both are positive.
    pub(crate) fn nearest(&self, value: f64) -> usize {
        let scale = |v: f64| if v > 0.0 { v.ln() } else { -25.0 };
        let distance = |v: f64| (scale(v) - scale(value)).abs();
        let best = self.values.iter().enumerate().min_by(|a, b| distance(*a.1).total_cmp(&distance(*b.1)));
        best.map_or(0, |(position, _)| position)
    }
}

/// `factors` times the powers of ten from `low` to `high`, printed and read back so that 3e-4 is exactly 0.0003.
fn decades(low: i32, high: i32, factors: &[f64]) -> Vec<f64> {
    let round = |factor: f64, power: i32| format!("{factor}e{power}").parse().unwrap_or(factor);
    (low..=high).flat_map(|power| factors.iter().map(move |factor| round(*factor, power))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(kind: &FieldKind) -> Vec<f64> {
        Stops::of(kind).unwrap().values
    }

    #[test]
    fn powers_of_two_stay_powers_of_two() {
        let kind = FieldKind::Integer { min: 1, max: 1024, default: Some(64) };
        assert_eq!(values(&kind), [4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0]);
    }

    #[test]
    fn other_counts_go_by_one_two_five() {
        let kind = FieldKind::Integer { min: 1, max: 10_000, default: Some(3) };
        assert_eq!(values(&kind), [1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0]);
    }

    #[test]
    fn learning_rates_are_exact_decimals() {
        let kind = FieldKind::Number { min: 1e-9, max: 1e3, default: Some(1e-3) };
        assert_eq!(values(&kind), [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]);
    }

    #[test]
    fn a_default_of_zero_is_a_stop() {
        let kind = FieldKind::Number { min: 0.0, max: 1e6, default: Some(0.0) };
        assert_eq!(values(&kind), [0.0, 1.0, 3.0, 10.0, 30.0, 100.0]);
    }

    #[test]
    fn every_stop_is_nearest_to_itself() {
        let stops = Stops::of(&FieldKind::Number { min: 0.0, max: 1e6, default: Some(0.01) }).unwrap();
        for position in 0..=stops.last() {
            assert_eq!(stops.nearest(stops.value(position)), position);
        }
    }
}
