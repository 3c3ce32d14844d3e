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

/// Characters of a file's name that the sentence has room for.
const NAME: usize = 40;

/// A name that ends with an ellipsis where it is too long.
fn shortened(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    let begin: String = name.chars().take(NAME - 1).collect();
    format!("{}…", begin.trim_end())
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::kinds;
    use recspeed_types::spec::{DataFormat, DatasetSpec, RecommenderSpec};

    use super::*;

    #[test]
    fn the_first_experiment_reads_as_a_sentence() {
        assert_eq!(
            of(&ExperimentSpec::default(), ""),
            "A four-layer network learns how many stars each person gives, from 10,000 synthetic beauty ratings."
        );
    }

    #[test]
    fn the_name_of_a_file_stands_in_quotes_and_is_cut_where_it_is_long() {
        let file = DatasetSpec::file("ratings.csv", DataFormat::AmazonCsv);
        let spec = ExperimentSpec { dataset: file, ..ExperimentSpec::default() };
        assert!(of(&spec, "ratings.csv").ends_with(", from the ratings in “ratings.csv”."));
        assert_eq!(shortened(&"ä".repeat(40)), "ä".repeat(40));
        assert_eq!(shortened(&"ä".repeat(41)), format!("{}…", "ä".repeat(39)));
        assert!(of(&spec, "").ends_with("a file still to be named."));
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
