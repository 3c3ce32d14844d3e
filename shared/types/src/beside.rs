//! What stands beside the numbers of a method, and what it is called: the simplest methods on the same rows.

use std::collections::BTreeMap;

use crate::catalogue;

/// The kind that says one number for everybody and everything: the mean of what was learnt from.
pub const GLOBAL_MEAN: &str = "global-mean";

/// What that number is called wherever it stands: as a recommender, beside a result, in a comparison and in a study.
pub const GLOBAL_MEAN_TITLE: &str = "Global mean";

/// What [`GLOBAL_MEAN_TITLE`] is, in words that follow on its name.
pub const GLOBAL_MEAN_IS: &str = "the mean of what was learnt from, for every user and item of the same test";

/// A simple method that stands beside others.
#[derive(Debug, Clone, PartialEq)]
pub struct Beside {
    /// Its entry of the catalogue.
    pub kind: String,
    /// Its name for people; the kind of one that this version's catalogue does not have.
    pub title: String,
    /// By metric name, what it gets.
    pub values: BTreeMap<String, f64>,
}

impl Beside {
    /// What it is, in a sentence.
    pub fn explanation(&self) -> String {
        if self.kind == GLOBAL_MEAN {
            return format!("{} is {GLOBAL_MEAN_IS}.", self.title);
        }
        format!("{} learnt from the same rows with its usual settings, and was judged on the same test.", self.title)
    }
}

/// What stands beside methods of the kinds `own`, the global mean first: `of_the_mean` and `baselines` are those of
/// [`EvaluationInfo`](crate::summary::EvaluationInfo). What has no value is left out, and so is a method that is among
/// them itself.
pub fn beside(
    of_the_mean: &BTreeMap<String, f64>,
    baselines: &BTreeMap<String, BTreeMap<String, f64>>,
    own: &[&str],
) -> Vec<Beside> {
    std::iter::once((GLOBAL_MEAN, of_the_mean))
        .chain(baselines.iter().map(|(kind, values)| (kind.as_str(), values)))
        .filter(|(kind, values)| !own.contains(kind) && !values.is_empty())
        .map(|(kind, values)| Beside {
            kind: kind.to_owned(),
            title: catalogue::find(kind).map_or(kind, |entry| entry.title).to_owned(),
            values: values.clone(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::ONE_NUMBER;

    fn of(kind: &str, metric: &str, value: f64) -> (String, BTreeMap<String, f64>) {
        (kind.to_owned(), [(metric.to_owned(), value)].into())
    }

    #[test]
    fn the_mean_of_what_was_learnt_from_has_one_name_as_a_method_beside_others_and_in_studies() {
        let entry = catalogue::find(GLOBAL_MEAN).expect("it is in the catalogue");
        let (_, mean) = of(GLOBAL_MEAN, "rmse", 1.125);
        let told = beside(&mean, &BTreeMap::new(), &[]);
        assert_eq!((told.len(), told[0].title.as_str()), (1, GLOBAL_MEAN_TITLE));
        assert_eq!((entry.title, ONE_NUMBER), (GLOBAL_MEAN_TITLE, GLOBAL_MEAN_TITLE));
        assert!(told[0].explanation().starts_with("Global mean is the mean of what was learnt from"));
    }

    #[test]
    fn the_mean_comes_first_no_method_stands_beside_itself_and_what_has_no_value_is_left_out() {
        let (_, mean) = of(GLOBAL_MEAN, "rmse", 1.125);
        let mut baselines = BTreeMap::from([of("bias", "rmse", 1.0), of("popularity", "hit@1", 0.5)]);
        let kinds = |mean: &BTreeMap<String, f64>, baselines: &BTreeMap<_, _>, own: &[&str]| {
            beside(mean, baselines, own).into_iter().map(|one| one.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(&mean, &baselines, &["biased-mf"]), [GLOBAL_MEAN, "bias", "popularity"]);
        assert_eq!(kinds(&mean, &baselines, &["popularity", GLOBAL_MEAN]), ["bias"]);
        baselines.insert("bias".to_owned(), BTreeMap::new());
        assert_eq!(kinds(&BTreeMap::new(), &baselines, &[]), ["popularity"]);
        // A result of a later version may name a kind that this one does not know.
        let later = beside(&BTreeMap::new(), &BTreeMap::from([of("later", "rmse", 1.0)]), &[]);
        assert_eq!(later[0].title, "later");
    }
}
