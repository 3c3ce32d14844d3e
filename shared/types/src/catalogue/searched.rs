//! What a search tries of a number whose default is 0, around which nothing lies: a quarter of it and four times it
//! are 0 too.

use super::{Param, ParamKind};

/// Values by the parameter's name, the default among them.
const SEARCHED: &[(&str, &[f64])] = &[
    ("shrinkage", &[0.0, 10.0, 100.0, 1000.0]),
    ("dropout", &[0.0, 0.1, 0.25, 0.5]),
    ("regularization", &[0.0, 1e-6, 1e-5, 1e-4, 1e-3]),
    // All ratings, and the upper stars of five.
    ("liked", &[0.0, 3.0, 4.0, 5.0]),
];

impl Param {
    /// Values that a search whose space does not name the parameter tries of it, where its default is 0; `None` of
    /// any other, of which it tries what lies around the default.
    pub fn searched(&self) -> Option<&'static [f64]> {
        let is_zero = match &self.kind {
            ParamKind::Integer { default, .. } => *default == 0,
            ParamKind::Float { default, .. } => *default == 0.0,
            _ => false,
        };
        let (_, values) = SEARCHED.iter().find(|(name, _)| is_zero && *name == self.name)?;
        Some(*values)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENTRIES;
    use super::*;

    #[test]
    fn every_number_whose_default_is_0_says_what_a_search_tries_of_it_within_its_range() {
        let mut used = Vec::new();
        let of_places = |param: &'static Param| -> Vec<&'static Param> {
            match &param.kind {
                ParamKind::Recommenders { slots, .. } => slots.iter().flat_map(|slot| slot.params).collect(),
                _ => Vec::new(),
            }
        };
        for entry in ENTRIES {
            for param in entry.params.iter().chain(entry.params.iter().flat_map(of_places)) {
                let (default, range) = match param.kind {
                    ParamKind::Integer { min, max, default } => (default as f64, min as f64..=max as f64),
                    ParamKind::Float { min, max, default } => (default, min..=max),
                    _ => continue,
                };
                let values = param.searched().unwrap_or_default();
                assert_eq!(values.is_empty(), default != 0.0, "{}.{}", entry.kind, param.name);
                assert!(values.iter().all(|value| range.contains(value)), "{}.{}", entry.kind, param.name);
                if !values.is_empty() {
                    assert!(values.len() > 1 && values.contains(&default), "{}.{}", entry.kind, param.name);
                    used.push(param.name);
                }
            }
        }
        assert!(SEARCHED.iter().all(|(name, _)| used.contains(name)), "{used:?}");
    }
}
