//! The next trial.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_types::search::{Range, SearchMethod};

use crate::parzen::{Tried, category, number};
use crate::{Dimension, Space, Values};

/// A trial that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was tried.
    pub values: Values,
    /// What came of it, smaller being better; `None` where the run failed.
    pub loss: Option<f64>,
}

/// Trials that TPE draws at random before it models anything.
const STARTUP: usize = 10;
/// Values of each number in a grid.
const GRID_POINTS: usize = 5;
/// Combinations of a grid that are told apart; beyond them the grid is drawn from.
const MAX_GRID: usize = 1 << 20;

/// What to try in the trial after `history`; `None` when a grid has been walked through, or when the only trial of an empty space was
/// made. The seed and the number of the trial decide what is drawn.
pub fn propose(space: &Space, method: SearchMethod, seed: u64, history: &[Judged]) -> Option<Values> {
    if space.is_empty() {
        return history.is_empty().then(Values::new);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(history.len() as u64 + 1);
    match method {
        SearchMethod::Grid => grid(space, seed, history.len()),
        SearchMethod::Random => Some(random(space, &mut rng)),
        SearchMethod::Tpe if history.len() < STARTUP => Some(random(space, &mut rng)),
        SearchMethod::Tpe => {
            Some(space.dimensions().iter().enumerate().map(|(place, d)| parzen(d, place, history, &mut rng)).collect())
        }
    }
}

fn random(space: &Space, rng: &mut ChaCha8Rng) -> Values {
    let draw = |dimension: &Dimension| {
        let share = (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        dimension.value(dimension.low() + share * (dimension.high() - dimension.low()))
    };
    space.dimensions().iter().map(draw).collect()
}

/// The combination at `place` of an order drawn by the seed: a budget smaller than the grid sees a fair part of it.
fn grid(space: &Space, seed: u64, place: usize) -> Option<Values> {
    let points: Vec<Values> = space.dimensions().iter().map(|dimension| dimension.points(GRID_POINTS)).collect();
    let combinations = points.iter().try_fold(1usize, |product, values| product.checked_mul(values.len()));
    let Some(combinations) = combinations.filter(|all| *all <= MAX_GRID) else {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(place as u64 + 1);
        return Some(
            points.iter().map(|values| values[(rng.next_u64() % values.len() as u64) as usize].clone()).collect(),
        );
    };
    let mut order: Vec<usize> = (0..combinations).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for at in (1..combinations).rev() {
        order.swap(at, (rng.next_u64() % (at as u64 + 1)) as usize);
    }
    let mut rest = *order.get(place)?;
    let pick = |values: &Values| {
        let value = values[rest % values.len()].clone();
        rest /= values.len();
        value
    };
    Some(points.iter().map(pick).collect())
}

/// One parameter by TPE: where it is likelier among the better trials than among the others.
fn parzen(dimension: &Dimension, place: usize, history: &[Judged], rng: &mut ChaCha8Rng) -> serde_json::Value {
    let tried: Vec<Tried> = history
        .iter()
        .filter_map(|trial| {
            let coordinate = dimension.coordinate(trial.values.get(place)?)?;
            let loss = trial.loss.filter(|loss| !loss.is_nan()).unwrap_or(f64::INFINITY);
            Some(Tried { coordinate, loss })
        })
        .collect();
    let coordinate = match &dimension.range {
        Range::Values(values) => category(values.len(), &tried, rng) as f64,
        Range::Integer { .. } | Range::Float { .. } => number(dimension.low(), dimension.high(), &tried, rng),
    };
    dimension.value(coordinate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::ExperimentSpec;
    use recspeed_types::search::SearchMember;
    use recspeed_types::spec::RecommenderSpec;
    use std::collections::BTreeMap;

    fn space(ranges: &[(&str, Range)]) -> Space {
        let spec = ExperimentSpec::default();
        let space = ranges.iter().map(|(path, range)| ((*path).to_owned(), range.clone())).collect();
        Space::new(&SearchMember { spec, space }).unwrap()
    }

    fn rates() -> Space {
        space(&[
            ("training.batch_size", Range::Values(vec![32.into(), 64.into(), 128.into()])),
            ("training.learning_rate", Range::Float { min: 1e-5, max: 1.0, log: true }),
        ])
    }

    /// Best at a learning rate of 0.01 and batches of 64.
    fn loss(values: &Values) -> f64 {
        let batch = if values[0] == 64 { 0.0 } else { 1.0 };
        (values[1].as_f64().unwrap().log10() + 2.0).powi(2) + batch
    }

    fn search(space: &Space, method: SearchMethod, seed: u64, trials: usize) -> Vec<Judged> {
        let mut history = Vec::new();
        for _ in 0..trials {
            let Some(values) = propose(space, method, seed, &history) else { break };
            history.push(Judged { loss: Some(loss(&values)), values });
        }
        history
    }

    fn best(history: &[Judged]) -> f64 {
        history.iter().filter_map(|trial| trial.loss).fold(f64::MAX, f64::min)
    }

    #[test]
    fn the_same_seed_and_history_give_the_same_trial_so_that_a_search_can_go_on() {
        for method in [SearchMethod::Grid, SearchMethod::Random, SearchMethod::Tpe] {
            let whole = search(&rates(), method, 3, 15);
            let next = propose(&rates(), method, 3, &whole[..12]).unwrap();
            assert_eq!(next, whole[12].values, "{method:?}");
            assert_ne!(whole, search(&rates(), method, 4, 15), "{method:?}");
        }
    }

    #[test]
    fn what_has_nothing_to_search_is_tried_once_as_it_is() {
        let mut spec = ExperimentSpec { recommender: RecommenderSpec::new("popularity"), ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        let fixed = Space::new(&SearchMember { spec: spec.clone(), space: BTreeMap::new() }).unwrap();
        for method in [SearchMethod::Grid, SearchMethod::Random, SearchMethod::Tpe] {
            let only = propose(&fixed, method, 1, &[]).unwrap();
            assert_eq!(fixed.apply(&spec, &only).unwrap(), spec, "{method:?}");
            assert_eq!(propose(&fixed, method, 1, &[Judged { values: only, loss: None }]), None, "{method:?}");
        }
    }

    #[test]
    fn a_grid_is_walked_through_once() {
        let trials = search(&rates(), SearchMethod::Grid, 1, 100);
        assert_eq!(trials.len(), 3 * 5);
        for (place, trial) in trials.iter().enumerate() {
            assert!(trials[..place].iter().all(|other| other.values != trial.values));
        }
    }

    #[test]
    fn tpe_finds_better_values_than_chance_on_the_average_of_ten_seeds() {
        let mean = |method| (0..10).map(|seed| best(&search(&rates(), method, seed, 40))).sum::<f64>() / 10.0;
        let (tpe, random) = (mean(SearchMethod::Tpe), mean(SearchMethod::Random));
        assert!(tpe < random, "TPE {tpe}, random {random}");
    }

    #[test]
    fn trials_that_failed_are_avoided_not_fatal() {
        let mut history = search(&rates(), SearchMethod::Random, 5, 20);
        for trial in &mut history {
            trial.loss = None;
        }
        assert!(propose(&rates(), SearchMethod::Tpe, 5, &history).is_some());
    }

    #[test]
    fn every_proposal_fits_the_spec() {
        let space = space(&[
            ("training.batch_size", Range::Integer { min: 1, max: 4, log: true }),
            ("training.epochs", Range::Integer { min: 1, max: 3, log: false }),
            ("training.learning_rate", Range::Float { min: 1e-9, max: 1e3, log: true }),
        ]);
        for method in [SearchMethod::Grid, SearchMethod::Random, SearchMethod::Tpe] {
            let mut history = Vec::new();
            for trial in 0..40 {
                let Some(values) = propose(&space, method, 9, &history) else { break };
                let spec = space.apply(&ExperimentSpec::default(), &values).unwrap();
                assert!(spec.resolve().is_ok(), "{values:?}");
                history.push(Judged { values, loss: Some(f64::from(trial)) });
            }
        }
    }
}
