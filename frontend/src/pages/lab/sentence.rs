//! One sentence that says what is being learnt, from the spec.

use recspeed_types::ExperimentSpec;
use recspeed_types::catalogue;
use recspeed_types::spec::DataSource;

use crate::charts::count;

/// The sentence; `dataset` is the name of the data set for people.
pub(crate) fn of(spec: &ExperimentSpec, dataset: &str) -> String {
    let Some(entry) = catalogue::find(&spec.recommender.kind) else {
        return "Choose a recommender to see what it learns.".to_owned();
    };
    format!("{}, from {}.", entry.headline, ratings(spec, dataset))
}

fn ratings(spec: &ExperimentSpec, dataset: &str) -> String {
    let builtin = spec.dataset.id.as_deref().and_then(recspeed_types::builtin::find);
    match (spec.dataset.source, builtin) {
        (DataSource::Builtin, Some(builtin)) => {
            let rows = spec.dataset.sample.unwrap_or(u64::MAX).min(builtin.rows.into());
            format!("{} synthetic beauty ratings", count(rows))
        }
        (DataSource::Builtin, None) => "a data set still to be chosen".to_owned(),
        (_, _) if dataset.is_empty() => "a file still to be named".to_owned(),
        (_, _) => format!("the ratings in “{}”", shortened(dataset)),
    }
}

/// Characters of a file's name that a headline has room for.
const NAME: usize = 40;

fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::kinds;
    use recspeed_types::spec::RecommenderSpec;

    use super::*;

    #[test]
    fn the_first_experiment_reads_as_a_sentence() {
        assert_eq!(
            of(&ExperimentSpec::default(), ""),
            "A four-layer network learns how many stars each person gives, from 10,000 synthetic beauty ratings."
        );
    }

    #[test]
    fn a_file_is_named_in_quotes_and_no_longer_than_a_headline_has_room_for() {
        let mut spec = ExperimentSpec::default();
        spec.dataset.source = DataSource::Upload;
        assert!(of(&spec, "mine.csv").ends_with(", from the ratings in “mine.csv”."));
        let long = of(&spec, &"é".repeat(300));
        assert!(long.ends_with(&format!("“{}…”.", "é".repeat(39))), "{long}");
    }

    #[test]
    fn every_recommender_gives_one_sentence() {
        for kind in kinds() {
            let spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
            let text = of(&spec, "");
            assert!(text.ends_with("ratings.") && text.matches('.').count() == 1, "{text}");
        }
    }
}
