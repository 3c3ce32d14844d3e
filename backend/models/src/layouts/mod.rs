//! What the arrays of each kind of model are, for whoever reads an export without this lab: a test of the worker holds every array of
//! every kind against this table, and rebuilds predictions by these formulas.

mod of_kinds;

use recspeed_types::spec::{ParamValue, RecommenderSpec};

use of_kinds::LAYOUTS;

/// What the positions of a row, or the entries of a list, are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Positions {
    /// Nothing that needs a name.
    Unnamed,
    /// Each has its own.
    Named(&'static [&'static str]),
    /// So many of one kind, numbered from 1, and those that end the row.
    Numbered(&'static str, &'static [&'static str]),
}

impl Positions {
    /// The names of `width` positions; none where they have none, or where there are fewer than that.
    pub(crate) fn names(self, width: usize) -> Vec<String> {
        match self {
            Self::Named(names) if names.len() == width => names.iter().map(|&name| name.to_owned()).collect(),
            Self::Numbered(each, last) if last.len() <= width => {
                let numbered = (1..=width - last.len()).map(|place| format!("{each} {place}"));
                numbered.chain(last.iter().map(|&name| name.to_owned())).collect()
            }
            Self::Unnamed | Self::Named(_) | Self::Numbered(..) => Vec::new(),
        }
    }
}

/// An array, or a sparse matrix by the name that its three arrays begin with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Part {
    /// Its name; one that ends with `*` stands for all that begin so.
    name: &'static str,
    /// What it is.
    pub(crate) what: &'static str,
    /// What its positions are.
    pub(crate) positions: Positions,
}

impl Part {
    fn is_of(&self, name: &str) -> bool {
        self.name.strip_suffix('*').map_or(self.name == name, |begin| name.starts_with(begin))
    }
}

/// What models of some kinds are.
#[derive(Debug)]
pub(crate) struct Layout {
    kinds: &'static [&'static str],
    /// How a prediction follows from the arrays.
    pub(crate) prediction: &'static str,
    parts: &'static [&'static [Part]],
}

/// What models of a kind are.
pub(crate) fn find(kind: &str) -> Option<&'static Layout> {
    LAYOUTS.iter().find(|layout| layout.kinds.contains(&kind))
}

/// What an array of a recommender is, one of a component's too; a sparse matrix goes by the name that its arrays begin with.
pub(crate) fn part_of(recommender: &RecommenderSpec, name: &str) -> Option<&'static Part> {
    if let Some((index, own)) = name.strip_prefix("components.").and_then(|rest| rest.split_once('.')) {
        let Some(ParamValue::Recommenders(components)) = recommender.value("components") else { return None };
        return part_of(components.get(index.parse::<usize>().ok()?)?, own);
    }
    let parts = find(&recommender.kind)?.parts;
    parts.iter().copied().flatten().find(|part| part.is_of(name))
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::ENTRIES;

    use super::of_kinds::USER_ENDS;
    use super::*;

    #[test]
    fn every_kind_of_the_catalogue_says_how_its_predictions_follow_and_no_other_does() {
        for entry in ENTRIES {
            assert!(find(entry.kind).is_some_and(|layout| !layout.prediction.is_empty()), "{}", entry.kind);
        }
        let kinds: Vec<&str> = LAYOUTS.iter().flat_map(|layout| layout.kinds).copied().collect();
        assert_eq!(kinds.len(), ENTRIES.len(), "{kinds:?}");
    }

    #[test]
    fn the_positions_of_a_vector_are_named_to_its_last_one() {
        assert_eq!(USER_ENDS.names(4), ["factor 1", "factor 2", "1", "mean + bias of the user"]);
        assert_eq!(Positions::Named(&["a", "b"]).names(2), ["a", "b"]);
        for none in [USER_ENDS.names(1), Positions::Named(&["a"]).names(2), Positions::Unnamed.names(9)] {
            assert!(none.is_empty(), "{none:?}");
        }
    }

    #[test]
    fn the_arrays_of_a_component_are_those_of_its_kind() {
        let components = vec![RecommenderSpec::new("ease"), RecommenderSpec::new("sasrec")];
        let hybrid = RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(components));
        let what = |name: &str| part_of(&hybrid, name).map(|part| part.name);
        assert_eq!(what("weights"), Some("weights"));
        assert_eq!(what("components.0.ratings"), Some("ratings"));
        assert_eq!(what("components.1.network.block0.query.weight"), Some("network.*"));
        for nothing in ["components.0.similarities", "components.2.weights", "components.x.weights", "scores"] {
            assert_eq!(what(nothing), None, "{nothing}");
        }
    }
}
