//! One parameter of a search: what may be tried of it, and as coordinates that methods reckon with.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use recspeed_types::search::Range;
use serde_json::Value;

use crate::Values;

/// One parameter of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    /// Its path in the spec.
    pub path: String,
    /// What may be tried.
    pub range: Range,
}

impl Dimension {
    /// Any value of the range, each part of it as likely as another.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> Value {
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        self.value(self.low() + share * (self.high() - self.low()))
    }

    /// Where a value lies: the number, or its logarithm where ratios count, or the place in the list. The coordinates of a range
    /// run from [`Self::low`] to below [`Self::high`].
    pub(crate) fn coordinate(&self, value: &Value) -> Option<f64> {
        match &self.range {
            Range::Values(values) => values.iter().position(|known| known == value).map(|place| place as f64),
            // The middle of the number's own stretch: every whole number is as wide as the others.
            Range::Integer { log, .. } => Some(scaled(value.as_i64()? as f64 + 0.5, *log)),
            Range::Float { log, .. } => Some(scaled(value.as_f64()?, *log)),
        }
    }

    /// The value at a coordinate.
    pub(crate) fn value(&self, coordinate: f64) -> Value {
        match &self.range {
            Range::Values(values) => values[(coordinate.max(0.0) as usize).min(values.len() - 1)].clone(),
            Range::Integer { min, max, log } => (unscaled(coordinate, *log).floor() as i64).clamp(*min, *max).into(),
            Range::Float { min, max, log } => unscaled(coordinate, *log).clamp(*min, *max).into(),
        }
    }

    pub(crate) fn low(&self) -> f64 {
        match &self.range {
            Range::Values(_) => 0.0,
            Range::Integer { min, log, .. } => scaled(*min as f64, *log),
            Range::Float { min, log, .. } => scaled(*min, *log),
        }
    }

    pub(crate) fn high(&self) -> f64 {
        match &self.range {
            Range::Values(values) => values.len() as f64,
            Range::Integer { max, log, .. } => scaled(*max as f64 + 1.0, *log),
            Range::Float { max, log, .. } => scaled(*max, *log),
        }
    }

    /// Every value of a list or of a range of whole numbers, where there are no more than `most`; `None` of what takes any number.
    pub(crate) fn all(&self, most: usize) -> Option<Values> {
        match &self.range {
            Range::Values(values) => (values.len() <= most).then(|| values.clone()),
            Range::Integer { min, max, .. } => {
                let count = usize::try_from(max.checked_sub(*min)?).ok()?.checked_add(1)?;
                (count <= most).then(|| (*min..=*max).map(Value::from).collect())
            }
            Range::Float { .. } => None,
        }
    }

    /// At most `points` values spread over the range, the ends among them.
    pub(crate) fn points(&self, points: usize) -> Values {
        match &self.range {
            Range::Values(values) => values.clone(),
            Range::Integer { min, max, log } => {
                let (low, high) = (scaled(*min as f64, *log), scaled(*max as f64, *log));
                let mut values: Vec<i64> = (0..points)
                    .map(|place| unscaled(low + (high - low) * share(place, points), *log).round() as i64)
                    .map(|value| value.clamp(*min, *max))
                    .collect();
                values.dedup();
                values.into_iter().map(Value::from).collect()
            }
            Range::Float { min, max, .. } => {
                let place = |place| self.low() + (self.high() - self.low()) * share(place, points);
                (0..points)
                    .map(|at| match at {
                        0 => (*min).into(),
                        at if at + 1 == points => (*max).into(),
                        at => self.value(place(at)),
                    })
                    .collect()
            }
        }
    }
}

fn share(place: usize, points: usize) -> f64 {
    if points > 1 { place as f64 / (points - 1) as f64 } else { 0.5 }
}

fn scaled(value: f64, log: bool) -> f64 {
    if log { value.ln() } else { value }
}

fn unscaled(coordinate: f64, log: bool) -> f64 {
    if log { coordinate.exp() } else { coordinate }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_range_run_from_end_to_end() {
        let dimension = |range| Dimension { path: String::new(), range };
        let log = dimension(Range::Float { min: 0.001, max: 0.1, log: true });
        let points: Vec<f64> = log.points(3).iter().map(|value| value.as_f64().unwrap()).collect();
        assert!((points[1] - 0.01).abs() < 1e-12 && points[0] == 0.001 && points[2] == 0.1, "{points:?}");
        let few = dimension(Range::Integer { min: 1, max: 3, log: false });
        assert_eq!(few.points(5), [1, 2, 3].map(Value::from));
    }

    #[test]
    fn coordinates_and_values_are_each_other_s_inverse() {
        for range in [
            Range::Integer { min: 5, max: 200, log: true },
            Range::Integer { min: -3, max: 3, log: false },
            Range::Float { min: 1e-4, max: 1.0, log: true },
            Range::Values(vec!["a".into(), true.into(), 3.into()]),
        ] {
            let dimension = Dimension { path: String::new(), range };
            for value in dimension.points(7) {
                let place = dimension.coordinate(&value).unwrap();
                let back = dimension.value(place);
                let near = back == value || (back.as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-12;
                assert!(near && place >= dimension.low(), "{value} {back}");
            }
        }
    }
}
