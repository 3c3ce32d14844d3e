//! Paired tests of stored runs: every method against the first, user by user.

use std::collections::BTreeSet;

use rayon::prelude::*;
use recspeed_metrics::comparison::{correct, mean_over_runs, test_pair};
use recspeed_types::comparison::{PairedTest, Procedure, RunTests};
use recspeed_types::{MetricName, UserValues};

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
    /// The values of each user of its runs; `None` where the server keeps none.
    pub(crate) values: Option<Vec<UserValues>>,
}

/// Every method that was measured on the same rows against the first one, by every metric that is a mean over users; Holm's
/// correction over all of them.
pub(crate) fn against_first(methods: Vec<Tested>, procedure: Procedure) -> Result<RunTests, UntestedRuns> {
    let mut users = Vec::new();
    let mut places = Vec::new();
    let mut untested = Vec::new();
    for (place, method) in methods.into_iter().enumerate() {
        let Some(values) = method.values.filter(|values| !values.is_empty()) else {
            let missing = UntestedRuns::NotKept { name: method.name };
            if place == 0 {
                return Err(missing);
            }
            untested.push(missing.to_string());
            continue;
        };
        let mean = mean_over_runs(&values);
        let alike = users.first().is_none_or(|first: &UserValues| first.users == mean.users);
        if !method.same_rows || !alike {
            untested.push(format!("“{}” was measured on other users", method.name));
            continue;
        }
        users.push(mean);
        places.push(place);
    }
    let metrics: BTreeSet<&String> = users.iter().skip(1).flat_map(|values| values.columns.keys()).collect();
    let metrics: Vec<&String> = metrics
        .into_iter()
        .filter(|name| users[0].columns.contains_key(*name) && name.parse::<MetricName>().is_ok())
        .collect();
    if users.len() < 2 {
        return Err(untested.into_iter().next().map_or(UntestedRuns::One, UntestedRuns::Impossible));
    }
    if metrics.is_empty() {
        return Err(UntestedRuns::NoMetric);
    }
    let asked: Vec<(usize, &String)> =
        metrics.iter().flat_map(|metric| (1..users.len()).map(move |other| (other, *metric))).collect();
    let tests: Result<Vec<Option<PairedTest>>, _> =
        asked.into_par_iter().map(|(other, metric)| test_pair(&users, (other, 0), metric, &procedure)).collect();
    let mut tests: Vec<PairedTest> =
        tests.map_err(|error| UntestedRuns::Impossible(error.to_string()))?.into_iter().flatten().collect();
    correct(&mut tests);
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
        Tested { name: name.to_owned(), same_rows: true, values: Some(vec![values]) }
    }

    #[test]
    fn every_method_is_tested_against_the_first_by_its_own_place() {
        let strange = Tested { same_rows: false, ..method("b", &[9.0; 3]) };
        let all = vec![method("a", &[0.0; 3]), strange, method("c", &[1.0, 2.0, 3.0])];
        let told = against_first(all, Procedure::default()).unwrap();
        let [test] = told.tests.as_slice() else { panic!("{told:?}") };
        // Sums of ±1 ±2 ±3: two of eight are as far as 6.
        assert_eq!((test.left, test.right, test.difference, test.p_randomization), (2, 0, 2.0, 0.25));
        assert_eq!(told.untested, ["“b” was measured on other users"]);
    }

    #[test]
    fn what_cannot_be_tested_is_told() {
        let without = Tested { values: None, ..method("a", &[]) };
        let told = against_first(vec![without, method("b", &[1.0, 2.0])], Procedure::default()).unwrap_err();
        assert_eq!(told.to_string(), "the lab keeps no values of each user of “a”; run it again to have it tested");
        assert_eq!(against_first(vec![method("a", &[1.0, 2.0])], Procedure::default()), Err(UntestedRuns::One));
    }
}
