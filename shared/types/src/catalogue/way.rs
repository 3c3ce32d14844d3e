//! Which way a number can still be changed within its range.

use std::cmp::Ordering;

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

    /// From a value back to the usual one; `None` where it is that.
    pub fn back<T: PartialOrd>(value: T, usual: T) -> Option<Self> {
        match value.partial_cmp(&usual)? {
            Ordering::Less => Some(Self::Raise),
            Ordering::Equal => None,
            Ordering::Greater => Some(Self::Lower),
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

    /// The way from a number back to the default of the parameter; `None` at the default, and of what is no number.
    pub fn way_back(&self, value: &ParamValue) -> Option<Way> {
        match (&self.kind, value) {
            (ParamKind::Integer { default, .. }, ParamValue::Integer(value)) => Way::back(value, default),
            (ParamKind::Float { default, .. }, ParamValue::Float(value)) => Way::back(value, default),
            _ => None,
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

    #[test]
    fn what_was_moved_is_moved_back_to_the_default_and_what_was_not_has_no_way_back() {
        let nmf = ENTRIES.iter().find(|entry| entry.kind == "nmf").expect("a kind of the catalogue");
        let back = |name: &str, value: ParamValue| nmf.param(name).expect("a parameter of it").way_back(&value);
        assert_eq!(back("factors", ParamValue::Integer(400)), Some(Way::Lower));
        assert_eq!(back("iterations", ParamValue::Integer(5)), Some(Way::Raise));
        assert_eq!(back("regularization", ParamValue::Float(100.0)), Some(Way::Lower));
        assert_eq!(back("regularization", ParamValue::Float(0.0)), Some(Way::Raise));
        for param in ENTRIES.iter().flat_map(|entry| entry.params) {
            assert_eq!(param.way_back(&param.default_value()), None, "{}", param.name);
        }
    }
}
