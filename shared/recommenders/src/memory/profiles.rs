//! What a meta-level hybrid holds beside the model of its component: a table of everybody's profiles, features × users.

use recspeed_types::Remedy;
use recspeed_types::spec::ResolvedRecommender;

use super::NUMBER_BYTES;
use super::components::Forecast;
use super::paces::VISITED_PER_S;
use crate::TrainSet;
use crate::content::size_of_profiles;

/// What is refused: the model is there while the table is made of it.
const WHAT: &str = "a table of everybody's profiles, beside the model that they are taken from,";
/// What makes it smaller. Kinds that keep no profiles cannot take the component's place.
const OF_FACTORS: &Remedy =
    &Remedy { lower: "recommender.factors, or the number of users with dataset.min_user", instead: &[] };
const OF_WORDS: &Remedy = &Remedy {
    lower: "the number of words by naming fewer attributes in recommender.attributes, or that of users with \
            dataset.min_user",
    instead: &[],
};
/// Bytes of where a row of the table begins.
const START_BYTES: u64 = size_of::<usize>() as u64;

/// The table of a hybrid: its rows, and the entries of all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Table {
    features: u64,
    entries: u64,
    remedy: &'static Remedy,
}

impl Table {
    /// Of such a hybrid of this component; `None` of other hybrids, and where the component says itself why it has no profiles.
    pub(crate) fn of(hybrid: &str, component: &ResolvedRecommender, data: &TrainSet<'_>) -> Option<Self> {
        if hybrid != "meta-level" {
            return None;
        }
        if component.entry.kind == "content-tfidf" {
            let (features, entries) = size_of_profiles(component, data).ok()?;
            return Some(Self { features, entries, remedy: OF_WORDS });
        }
        component.entry.param("factors")?;
        let features = component.integer("factors").unsigned_abs();
        Some(Self { features, entries: features.saturating_mul(data.n_users() as u64), remedy: OF_FACTORS })
    }

    /// Bytes that stay: of each entry a user and a value, and where each row begins.
    const fn stays(&self) -> u64 {
        let starts = (self.features + 1).saturating_mul(START_BYTES);
        self.entries.saturating_mul(2 * NUMBER_BYTES).saturating_add(starts)
    }

    /// Bytes while it is made: where the next entry of each row is put is there, too.
    const fn bytes(&self) -> u64 {
        self.stays().saturating_add((self.features + 1).saturating_mul(START_BYTES))
    }

    /// What the component takes together with the table, of which `component` is the first part, where it holds more than a little.
    pub(crate) fn with(&self, component: Option<Forecast>) -> Forecast {
        // Profiles are taken twice: to count, and to place.
        let seconds = 2.0 * self.entries as f64 / VISITED_PER_S;
        let (stays, bytes, remedy) = (self.stays(), self.bytes(), self.remedy);
        let Some(component) = component else {
            return Forecast { what: WHAT, bytes, stays, at_test: stays, seconds, remedy };
        };
        let beside = component.stays.saturating_add(bytes);
        let fullest = if beside > component.bytes {
            Forecast { what: WHAT, bytes: beside, remedy, ..component }
        } else {
            component
        };
        Forecast {
            stays: component.stays.saturating_add(stays),
            at_test: component.at_test.saturating_add(stays),
            seconds: component.seconds + seconds,
            ..fullest
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table { features: 9, entries: 1000, remedy: OF_FACTORS };

    fn component(bytes: u64, stays: u64) -> Forecast {
        let remedy = &Remedy { lower: "recommender.factors", instead: &["item-knn"] };
        Forecast { what: "it", bytes, stays, at_test: stays + 5, seconds: 90.0, remedy }
    }

    #[test]
    fn an_entry_is_a_user_and_a_value_and_a_row_begins_somewhere_which_is_there_twice_while_it_is_filled() {
        assert_eq!((TABLE.stays(), TABLE.bytes()), (8 * 1000 + 8 * 10, 8 * 1000 + 2 * 8 * 10));
        let huge = Table { features: 1 << 40, entries: u64::MAX, ..TABLE };
        assert_eq!(huge.bytes(), u64::MAX, "it does not wrap");
    }

    #[test]
    fn the_fullest_moment_is_the_fit_of_the_component_or_the_table_beside_its_model() {
        let alone = TABLE.with(None);
        assert_eq!((alone.what, alone.bytes, alone.stays, alone.at_test), (WHAT, 8160, 8080, 8080));
        let of_the_fit = TABLE.with(Some(component(20_000, 500)));
        assert_eq!((of_the_fit.what, of_the_fit.bytes, of_the_fit.stays), ("it", 20_000, 8580));
        let of_the_table = TABLE.with(Some(component(8000, 500)));
        assert_eq!((of_the_table.what, of_the_table.bytes, of_the_table.at_test), (WHAT, 8660, 8585));
        assert_eq!(of_the_table.remedy, OF_FACTORS);
        assert!(of_the_table.seconds > 90.0);
    }
}
