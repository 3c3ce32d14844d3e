//! Which way a number can still be changed within its range.

use super::{Param, ParamKind};
use crate::spec::ParamValue;

/// A direction of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// To a smaller number.
    Lower,
    /// To a larger one.
    Raise,
}

impl Way {
    /// As a remedy says it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Raise => "raise",
        }
    }

    /// Whether `value` can still go this way between these bounds, which are allowed themselves.
    pub fn is_open<T: PartialOrd + Copy>(self, value: T, (low, high): (T, T)) -> bool {
        match self {
            Self::Lower => value > low,
            Self::Raise => value < high,
        }
    }
}

impl Param {
    /// Whether a number can still go this way within the range of the parameter; nothing else has a direction.
    pub fn can_go(&self, way: Way, value: &ParamValue) -> bool {
        match (&self.kind, value) {
            (ParamKind::Integer { min, max, .. }, ParamValue::Integer(value)) => way.is_open(*value, (*min, *max)),
            (ParamKind::Float { min, max, .. }, ParamValue::Float(value)) => way.is_open(*value, (*min, *max)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::ENTRIES;

    #[test]
    fn every_number_of_the_catalogue_can_be_changed_and_at_a_bound_only_away_from_it() {
        for entry in ENTRIES {
            for param in entry.params {
                let bounds = match param.kind {
                    ParamKind::Integer { min, max, .. } => Some((ParamValue::Integer(min), ParamValue::Integer(max))),
                    ParamKind::Float { min, max, .. } => Some((ParamValue::Float(min), ParamValue::Float(max))),
                    _ => None,
                };
                let can = |value: &ParamValue| [Way::Lower, Way::Raise].map(|way| param.can_go(way, value));
                let place = format!("{}.{}", entry.kind, param.name);
                match bounds {
                    Some((min, max)) => assert_eq!((can(&min), can(&max)), ([false, true], [true, false]), "{place}"),
                    None => assert_eq!(can(&param.default_value()), [false, false], "{place}"),
                }
            }
        }
    }
}
