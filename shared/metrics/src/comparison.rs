//! From the runs of several recommenders on the same rows to a [`Comparison`]'s figures: mean ± standard deviation over seeds,
//! and every pair tested user by user.

use std::collections::BTreeMap;

use recspeed_types::UserValues;
#[cfg(doc)]
use recspeed_types::comparison::Comparison;
use recspeed_types::comparison::{PairedTest, Procedure, Spread};

use crate::significance::{Paired, SignificanceError, bootstrap, cohens_d, hedges_g, holm, paired_t, randomization};

/// Mean and standard deviation (with `n − 1`) of the values of several runs; `None` without any.
pub fn spread(values: Vec<f64>) -> Option<Spread> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
    Some(Spread { mean, sd, values })
}

/// The mean over several runs of each user's value. The users of the first run count; a user without a value in one of the
/// runs has none.
///
/// # Errors
/// [`SignificanceError::OtherUsers`] where a run has not the users of the first one in their order.
pub fn mean_over_runs(runs: &[&UserValues]) -> Result<UserValues, SignificanceError> {
    let Some((first, others)) = runs.split_first() else { return Ok(UserValues::default()) };
    others.iter().try_for_each(|other| same_users(first, other))?;
    let mut mean = UserValues::clone(first);
    mean.columns.retain(|metric, values| {
        let Some(columns) = others.iter().map(|run| run.columns.get(metric)).collect::<Option<Vec<_>>>() else {
            return false;
        };
        for (place, value) in values.iter_mut().enumerate() {
            let sum =
                columns.iter().try_fold(*value, |sum, column| Some(Some(sum? + column.get(place).copied().flatten()?)));
            *value = sum.flatten().map(|sum| sum / runs.len() as f64);
        }
        true
    });
    Ok(mean)
}

/// Values are paired by place, so the users must be the same.
fn same_users(left: &UserValues, right: &UserValues) -> Result<(), SignificanceError> {
    let place = left.users.iter().zip(&right.users).position(|(l, r)| l != r);
    match place.or((left.users.len() != right.users.len()).then(|| left.users.len().min(right.users.len()))) {
        Some(place) => Err(SignificanceError::OtherUsers { place }),
        None => Ok(()),
    }
}

/// One pair of recommenders by one metric, before Holm's correction; `None` where fewer than two users have a value under both.
///
/// # Shapes
/// - `methods`: each with the same users in the same order
///
/// # Errors
/// [`SignificanceError`] for other users, a value that is not finite or a procedure that cannot be followed.
pub fn test_pair(
    methods: &[UserValues],
    (left, right): (usize, usize),
    metric: &str,
    procedure: &Procedure,
) -> Result<Option<PairedTest>, SignificanceError> {
    let (Some(of_left), Some(of_right)) = (methods[left].columns.get(metric), methods[right].columns.get(metric))
    else {
        return Ok(None);
    };
    same_users(&methods[left], &methods[right])?;
    let both = of_left.iter().zip(of_right).filter_map(|(l, r)| l.zip(*r));
    let (of_left, of_right): (Vec<f64>, Vec<f64>) = both.unzip();
    if of_left.len() < 2 {
        return Ok(None);
    }
    let paired = Paired::new(&of_left, &of_right)?;
    let t = paired_t(&paired, procedure.level)?;
    let signs = randomization(&paired, procedure.draws, procedure.seed)?;
    let interval = bootstrap(&paired, procedure.level, procedure.resamples, procedure.seed)?;
    let (left_larger, right_larger) = paired.wins();
    Ok(Some(PairedTest {
        metric: metric.to_owned(),
        left,
        right,
        users: paired.pairs() as u64,
        difference: paired.mean(),
        interval: [interval.low, interval.high],
        t_interval: [t.interval.low, t.interval.high],
        left_larger: left_larger as u64,
        right_larger: right_larger as u64,
        cohens_d: cohens_d(&paired),
        hedges_g: hedges_g(&paired),
        p_t: t.p,
        p_t_holm: t.p,
        p_randomization: signs.p,
        p_randomization_holm: signs.p,
        exact: signs.draws.is_none(),
    }))
}

/// Corrects all tests of one comparison together, whatever pair or metric they are of: Holm's correction of each kind of p-value.
pub fn correct(tests: &mut [PairedTest]) {
    let of_t = holm(&tests.iter().map(|test| test.p_t).collect::<Vec<_>>());
    let of_signs = holm(&tests.iter().map(|test| test.p_randomization).collect::<Vec<_>>());
    for ((test, t), signs) in tests.iter_mut().zip(of_t).zip(of_signs) {
        test.p_t_holm = t;
        test.p_randomization_holm = signs;
    }
}

/// Mean of each metric over the runs; a metric that one of them lacks is left out.
pub fn spreads(runs: &[&BTreeMap<String, f64>]) -> BTreeMap<String, Spread> {
    let Some((first, _)) = runs.split_first() else { return BTreeMap::new() };
    let of = |metric: &String| spread(runs.iter().map(|run| run.get(metric).copied()).collect::<Option<Vec<_>>>()?);
    first.keys().filter_map(|metric| Some((metric.clone(), of(metric)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(columns: &[(&str, &[Option<f64>])]) -> UserValues {
        UserValues {
            users: (0..columns[0].1.len()).map(|user| format!("u{user}")).collect(),
            columns: columns.iter().map(|(name, values)| ((*name).to_owned(), values.to_vec())).collect(),
        }
    }

    #[test]
    fn a_hand_worked_spread() {
        // Mean 2, squares 1 + 0 + 1 over 2.
        assert_eq!(spread(vec![1.0, 2.0, 3.0]).map(|s| (s.mean, s.sd)), Some((2.0, Some(1.0))));
        assert_eq!(spread(vec![5.0]).map(|s| (s.mean, s.sd)), Some((5.0, None)));
        assert_eq!(spread(Vec::new()), None);
    }

    #[test]
    fn seeds_are_averaged_before_users_are_compared() {
        let runs = [
            values(&[("ndcg@10", &[Some(0.0), Some(1.0), None]), ("hit@1", &[None; 3])]),
            values(&[("ndcg@10", &[Some(1.0), None, Some(1.0)])]),
        ];
        let mean = mean_over_runs(&runs.each_ref()).unwrap();
        assert_eq!(mean.columns, [("ndcg@10".to_owned(), vec![Some(0.5), None, None])].into());
        assert_eq!(mean.users.len(), 3);
    }

    #[test]
    fn runs_of_other_users_are_not_averaged_or_paired_by_their_place() {
        let run = |users: &[&str]| UserValues {
            users: users.iter().map(|&user| user.to_owned()).collect(),
            columns: [("hit@1".to_owned(), vec![Some(1.0); users.len()])].into(),
        };
        for (others, place) in [(&["u0", "u2"][..], 1), (&["u1", "u0"], 0), (&["u0", "u1", "u2"], 2), (&["u0"], 1)] {
            let runs = [run(&["u0", "u1"]), run(others)];
            let error = SignificanceError::OtherUsers { place };
            assert_eq!(mean_over_runs(&runs.each_ref()), Err(error));
            assert_eq!(test_pair(&runs, (0, 1), "hit@1", &Procedure::default()), Err(error));
        }
    }

    #[test]
    fn users_without_a_value_under_both_are_left_out() {
        let methods = [
            values(&[("ndcg@10", &[Some(1.0), Some(2.0), Some(3.0), Some(9.0), None])]),
            values(&[("ndcg@10", &[Some(0.0), Some(0.0), Some(0.0), None, Some(9.0)])]),
        ];
        let test = test_pair(&methods, (0, 1), "ndcg@10", &Procedure::default()).unwrap().unwrap();
        assert_eq!((test.users, test.difference, test.left_larger, test.right_larger), (3, 2.0, 3, 0));
        // Sums of ±1 ±2 ±3: two of eight are as far as 6. t = 2/(1/√3), d = 2.
        assert_eq!((test.p_randomization, test.exact, test.cohens_d), (0.25, true, Some(2.0)));
        assert_eq!(test_pair(&methods, (0, 1), "hit@10", &Procedure::default()), Ok(None));
    }

    #[test]
    fn the_correction_is_over_all_tests_of_the_comparison() {
        let methods = [
            values(&[("a@1", &[Some(1.0), Some(2.0), Some(3.0)]), ("b@1", &[Some(1.0), Some(2.0), Some(3.0)])]),
            values(&[("a@1", &[Some(0.0); 3]), ("b@1", &[Some(0.0); 3])]),
        ];
        let mut tests: Vec<_> = ["a@1", "b@1"]
            .iter()
            .map(|metric| test_pair(&methods, (0, 1), metric, &Procedure::default()).unwrap().unwrap())
            .collect();
        correct(&mut tests);
        assert!(tests.iter().all(|test| test.p_randomization_holm == 0.5 && test.p_t_holm == 2.0 * test.p_t));
    }

    #[test]
    fn a_metric_that_one_run_lacks_has_no_spread() {
        let whole: BTreeMap<String, f64> = [("rmse".to_owned(), 1.0), ("mae".to_owned(), 2.0)].into();
        let part: BTreeMap<String, f64> = [("rmse".to_owned(), 3.0)].into();
        let spreads = spreads(&[&whole, &part]);
        assert_eq!(spreads.keys().collect::<Vec<_>>(), ["rmse"]);
        assert_eq!(spreads["rmse"].mean, 2.0);
    }
}
