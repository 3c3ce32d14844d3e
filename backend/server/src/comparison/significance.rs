//! Paired tests, user by user, of pairs of methods by the metrics that were asked for.

use std::collections::BTreeSet;

use rayon::prelude::*;
use recspeed_metrics::SignificanceError;
use recspeed_metrics::comparison::{correct, mean_over_runs, test_pair};
use recspeed_types::comparison::{PairedTest, Procedure, RunTests};
use recspeed_types::{MetricName, UserValues};

/// Which pairs are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pairs {
    /// Every pair once, the earlier method on the left.
    All,
    /// The method at this place, on the right, against each other one.
    Against(usize),
}

impl Pairs {
    fn of(self, methods: usize) -> Vec<(usize, usize)> {
        match self {
            Self::All => (0..methods).flat_map(|left| (left + 1..methods).map(move |right| (left, right))).collect(),
            Self::Against(one) => (0..methods).filter(|other| *other != one).map(|other| (other, one)).collect(),
        }
    }
}

/// Tests these pairs by the metrics that were asked for, those that have a value for each user (errors of ratings by the
/// user's own errors), and corrects over all of them. Also how they were made: with as many draws as so many tests take.
///
/// # Errors
/// [`SignificanceError`]: methods of other users, or a value that is not finite.
pub(crate) fn paired_tests(
    users: &[UserValues],
    pairs: Pairs,
    metrics: &[MetricName],
    procedure: Procedure,
) -> Result<(Vec<PairedTest>, Procedure), SignificanceError> {
    let metrics: BTreeSet<String> =
        metrics.iter().filter_map(|name| name.of_users()).map(|name| name.to_string()).collect();
    let pairs = pairs.of(users.len());
    let has = |place: usize, metric: &String| users[place].columns.contains_key(metric);
    let asked: Vec<_> = metrics.iter().flat_map(|metric| pairs.iter().map(move |pair| (*pair, metric))).collect();
    let asked: Vec<_> = asked.into_iter().filter(|((l, r), metric)| has(*l, metric) && has(*r, metric)).collect();
    let procedure = procedure.with_enough_draws(asked.len());
    let tests: Result<Vec<_>, _> =
        asked.into_par_iter().map(|(pair, metric)| test_pair(users, pair, metric, &procedure)).collect();
    let mut tests: Vec<PairedTest> = tests?.into_iter().flatten().collect();
    correct(&mut tests);
    Ok((tests, procedure))
}

/// Why runs cannot be tested.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UntestedRuns {
    /// There is nothing to test against.
    #[error("there is one method; a test takes two")]
    One,
    /// The server keeps no values of each user.
    #[error("the lab keeps no values of each user of “{name}”; run it again to have it tested")]
    NotKept {
        /// The method.
        name: String,
    },
    /// No metric has a value for each user.
    #[error("none of the metrics that they share has a value for each user; name one of ranked lists, as ndcg@10")]
    NoMetric,
    /// Its errors are on another scale than those of the first one.
    #[error("the errors of “{name}”, which are on another scale: stars and probabilities are no errors of one kind")]
    Scales {
        /// The method.
        name: String,
    },
    /// A test could not be made.
    #[error("{0}")]
    Impossible(String),
}

/// A method for its tests.
#[derive(Debug, Clone)]
pub(crate) struct Tested {
    /// What it is called.
    pub(crate) name: String,
    /// Whether it was measured on the rows of the first one.
    pub(crate) same_rows: bool,
    /// Whether its errors are on the scale of those of the first one.
    pub(crate) same_scale: bool,
    /// The values of each user of its runs; `None` where the server keeps none.
    pub(crate) values: Option<Vec<UserValues>>,
}

/// Every method that was measured on the same rows against the first one, by the metrics that were asked for.
pub(crate) fn against_first(
    methods: Vec<Tested>,
    metrics: &[MetricName],
    procedure: Procedure,
) -> Result<RunTests, UntestedRuns> {
    let mut users: Vec<UserValues> = Vec::new();
    let mut places = Vec::new();
    let (mut untested, mut scales_differ) = (Vec::new(), false);
    for (place, method) in methods.into_iter().enumerate() {
        let mean = match method.values.as_deref() {
            None | Some([]) => Err(UntestedRuns::NotKept { name: method.name.clone() }),
            Some(values) => mean_over_runs(&values.iter().collect::<Vec<_>>()).map_err(|_| {
                UntestedRuns::Impossible(format!("the runs of “{}” were measured on other users", method.name))
            }),
        };
        match mean {
            Err(missing) if place == 0 => return Err(missing),
            Err(missing) => untested.push(missing.to_string()),
            Ok(mut mean) if method.same_rows && users.first().is_none_or(|first| first.users == mean.users) => {
                if !method.same_scale {
                    // Taken away before the tests, so that Holm's correction counts none of them.
                    mean.columns.retain(|name, _| !name.parse::<MetricName>().is_ok_and(MetricName::is_error));
                    untested.push(UntestedRuns::Scales { name: method.name }.to_string());
                    scales_differ = true;
                }
                users.push(mean);
                places.push(place);
            }
            Ok(_) => untested.push(format!("“{}” was measured on other users", method.name)),
        }
    }
    if users.len() < 2 {
        return Err(untested.into_iter().next().map_or(UntestedRuns::One, UntestedRuns::Impossible));
    }
    let (mut tests, procedure) = paired_tests(&users, Pairs::Against(0), metrics, procedure)
        .map_err(|error| UntestedRuns::Impossible(error.to_string()))?;
    if tests.is_empty() && !scales_differ {
        return Err(UntestedRuns::NoMetric);
    }
    for test in &mut tests {
        (test.left, test.right) = (places[test.left], places[test.right]);
    }
    Ok(RunTests { tests, procedure, untested })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str, values: &[f64]) -> Tested {
        let users = (0..values.len()).map(|user| format!("u{user}")).collect();
        let column = values.iter().map(|value| Some(*value)).collect();
        let values = UserValues { users, columns: [("ndcg@10".to_owned(), column)].into() };
        Tested { name: name.to_owned(), same_rows: true, same_scale: true, values: Some(vec![values]) }
    }

    fn asked() -> Vec<MetricName> {
        vec!["ndcg@10".parse().unwrap()]
    }

    #[test]
    fn the_page_and_the_terminal_correct_the_same_tests_over_the_same_number() {
        let both = |name: &str, values: &[f64]| {
            let mut method = method(name, values);
            let kept = &mut method.values.as_mut().unwrap()[0];
            let own = kept.columns["ndcg@10"].clone();
            // What the run kept besides what was asked for.
            kept.columns.extend([("hit@10".to_owned(), own.clone()), ("user-rmse".to_owned(), own)]);
            method
        };
        let all = || vec![both("a", &[0.0; 4]), both("b", &[1.0, 2.0, 3.0, 4.0]), both("c", &[1.0, 2.0, -3.0, 4.0])];
        let page = against_first(all(), &asked(), Procedure::default()).unwrap();
        let users: Vec<UserValues> = all().into_iter().map(|method| method.values.unwrap().remove(0)).collect();
        let (terminal, _) = paired_tests(&users, Pairs::Against(0), &asked(), Procedure::default()).unwrap();
        assert_eq!(page.tests, terminal);
        assert_eq!(page.tests.len(), 2, "one a pair: hit@10 and user-rmse were not asked for");
        let (every, _) = paired_tests(&users, Pairs::All, &asked(), Procedure::default()).unwrap();
        assert_eq!(every.iter().map(|test| (test.left, test.right)).collect::<Vec<_>>(), [(0, 1), (0, 2), (1, 2)]);
    }

    #[test]
    fn a_seed_of_other_users_is_not_averaged_by_place() {
        let mut strange = method("b", &[1.0, 2.0, 3.0]);
        let values = strange.values.as_mut().unwrap();
        let mut other = values[0].clone();
        other.users.reverse();
        values.push(other);
        let told = against_first(vec![method("a", &[0.0; 3]), strange], &asked(), Procedure::default()).unwrap_err();
        assert_eq!(told.to_string(), "the runs of “b” were measured on other users");
    }

    #[test]
    fn every_method_is_tested_against_the_first_by_its_own_place() {
        let strange = Tested { same_rows: false, ..method("b", &[9.0; 3]) };
        let all = vec![method("a", &[0.0; 3]), strange, method("c", &[1.0, 2.0, 3.0])];
        let told = against_first(all, &asked(), Procedure::default()).unwrap();
        let [test] = told.tests.as_slice() else { panic!("{told:?}") };
        // Sums of ±1 ±2 ±3: two of eight are as far as 6.
        assert_eq!((test.left, test.right, test.difference, test.p_randomization), (2, 0, 2.0, 0.25));
        assert_eq!(told.untested, ["“b” was measured on other users"]);
    }

    #[test]
    fn errors_on_two_scales_are_not_tested_and_everything_else_is() {
        let all = |same_scale: bool| {
            ["a", "b"].map(|name| {
                let mut method = method(name, if name == "a" { &[0.0; 3] } else { &[1.0, 2.0, 3.0] });
                let kept = &mut method.values.as_mut().unwrap()[0];
                kept.columns.insert("user-rmse".to_owned(), kept.columns["ndcg@10"].clone());
                Tested { same_scale: same_scale || name == "a", ..method }
            })
        };
        let told = |same_scale: bool, metrics: &[&str]| {
            let metrics: Vec<MetricName> = metrics.iter().map(|name| name.parse().unwrap()).collect();
            against_first(all(same_scale).into(), &metrics, Procedure::default()).unwrap()
        };
        let tested = |told: &RunTests| told.tests.iter().map(|test| test.metric.clone()).collect::<Vec<_>>();
        let one = told(true, &["rmse", "ndcg@10"]);
        assert_eq!((tested(&one), one.untested.len()), (vec!["ndcg@10".to_owned(), "user-rmse".to_owned()], 0));
        let two = told(false, &["rmse", "ndcg@10"]);
        assert_eq!(tested(&two), ["ndcg@10"]);
        assert!(two.tests[0].p_randomization_holm < one.tests[0].p_randomization_holm, "corrected over one test alone");
        let alone = told(false, &["rmse"]);
        assert_eq!(tested(&alone), Vec::<String>::new());
        let [why] = &alone.untested[..] else { panic!("{alone:?}") };
        assert!(why.starts_with("the errors of “b”, which are on another scale"), "{why}");
    }

    #[test]
    fn what_cannot_be_tested_is_told() {
        let without = Tested { values: None, ..method("a", &[]) };
        let told = against_first(vec![without, method("b", &[1.0, 2.0])], &asked(), Procedure::default()).unwrap_err();
        assert_eq!(told.to_string(), "the lab keeps no values of each user of “a”; run it again to have it tested");
        let one = vec![method("a", &[1.0, 2.0])];
        assert_eq!(against_first(one, &asked(), Procedure::default()), Err(UntestedRuns::One));
    }
}
