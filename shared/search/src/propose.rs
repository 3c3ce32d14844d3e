//! The next trial.

use std::collections::HashSet;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_types::search::{Range, SearchMethod};

use crate::parzen::{Tried, category, number};
use crate::{Dimension, Space, Values};

/// A trial that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was tried; nothing (`null`) of a parameter of which the trial says nothing, as [`Space::judged`] gives it.
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

/// Draws of a method before it gives up looking for values that fit together and are new.
const DRAWS: usize = 1000;
/// Combinations of a space of lists and whole numbers that are gone through where draws find none that is new.
const MAX_WALK: usize = 1 << 16;
/// Draws of TPE before it draws as by chance: what it thinks best may be impossible.
const MODELLED_DRAWS: usize = 64;

/// What to try in the trial after `history`; `None` when nothing is left to try: a grid or a small space has been gone through, the only
/// trial of an empty space was made, or nothing fits that is drawn. The seed and the trials so far decide what is drawn.
///
/// `read`: what a trial of such values reads of them, as [`Space::judged`] gives it, and as `history` has it; `None` where they make no
/// trial. Those that do not, because they are impossible together, are passed over and are no trial; nor are those of which a trial
/// reads what an earlier one has read: it would give the same again.
pub fn propose(
    space: &Space,
    method: SearchMethod,
    seed: u64,
    history: &[Judged],
    read: &dyn Fn(&Values) -> Option<Values>,
) -> Option<Values> {
    if space.is_empty() {
        return history.is_empty().then(Values::new);
    }
    let tried: HashSet<String> = history.iter().map(|trial| in_words(&trial.values)).collect();
    let is_new = |values: &Values| read(values).is_some_and(|read| !tried.contains(&in_words(&read)));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    if method == SearchMethod::Grid {
        let points = grid(space);
        if let Some(order) = order(&points, MAX_GRID, &mut rng) {
            return walk(&points, order, &is_new);
        }
        rng.set_stream(history.len() as u64 + 1);
        let mut draw = |values: &Values| values[(rng.next_u64() % values.len() as u64) as usize].clone();
        return (0..DRAWS).map(|_| points.iter().map(&mut draw).collect()).find(is_new);
    }
    rng.set_stream(history.len() as u64 + 1);
    let modelled = method == SearchMethod::Tpe && history.len() >= STARTUP;
    if modelled && let Some(values) = (0..MODELLED_DRAWS).map(|_| likely(space, history, &mut rng)).find(is_new) {
        return Some(values);
    }
    let mut draw = || space.dimensions().iter().map(|dimension| dimension.draw(&mut rng)).collect::<Values>();
    if let Some(values) = (0..DRAWS).map(|_| draw()).find(is_new) {
        return Some(values);
    }
    // Chance misses what is left of a space that is nearly used up.
    let all = every_value(space)?;
    let order = order(&all, MAX_WALK, &mut rng)?;
    walk(&all, order, &is_new)
}

/// Whether [`propose`] has looked at every combination of the space's values where it gives nothing. Otherwise it has drawn many times and
/// found none that is new: of a space with a range of fractions, unless the method is a grid, and of one with very many combinations.
pub fn goes_through(space: &Space, method: SearchMethod) -> bool {
    let (values, most) =
        if method == SearchMethod::Grid { (Some(grid(space)), MAX_GRID) } else { (every_value(space), MAX_WALK) };
    values.and_then(|values| combinations(&values)).is_some_and(|all| all <= most)
}

/// The values of each parameter in a grid.
fn grid(space: &Space) -> Vec<Values> {
    space.dimensions().iter().map(|dimension| dimension.points(GRID_POINTS)).collect()
}

/// Every value of each parameter; `None` where one of them has too many.
fn every_value(space: &Space) -> Option<Vec<Values>> {
    space.dimensions().iter().map(|dimension| dimension.all(MAX_WALK)).collect()
}

/// Combinations of these values; `None` where there are more than can be counted.
fn combinations(points: &[Values]) -> Option<usize> {
    points.iter().try_fold(1usize, |product, values| product.checked_mul(values.len()))
}

/// Values as one text, by which equal ones are found.
fn in_words(values: &Values) -> String {
    serde_json::Value::Array(values.clone()).to_string()
}

/// The combinations of `points` in an order that is drawn, so that a budget smaller than all sees a fair part of them; `None` where there
/// are more than `most`.
fn order(points: &[Values], most: usize, rng: &mut ChaCha8Rng) -> Option<Vec<usize>> {
    let combinations = combinations(points).filter(|all| *all <= most)?;
    let mut order: Vec<usize> = (0..combinations).collect();
    for at in (1..combinations).rev() {
        order.swap(at, (rng.next_u64() % (at as u64 + 1)) as usize);
    }
    Some(order)
}

/// The first combination of that order that is new.
fn walk(points: &[Values], order: Vec<usize>, is_new: &dyn Fn(&Values) -> bool) -> Option<Values> {
    let combination = |mut rest: usize| {
        let pick = |values: &Values| {
            let value = values[rest % values.len()].clone();
            rest /= values.len();
            value
        };
        points.iter().map(pick).collect()
    };
    order.into_iter().map(combination).find(is_new)
}

/// What TPE thinks likely to be good.
fn likely(space: &Space, history: &[Judged], rng: &mut ChaCha8Rng) -> Values {
    space.dimensions().iter().enumerate().map(|(place, dimension)| parzen(dimension, place, history, rng)).collect()
}

/// One parameter by TPE: where it is likelier among the better trials than among the others, of those that have read it.
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

    const ANYTHING: &dyn Fn(&Values) -> Option<Values> = &|values| Some(values.clone());

    fn space(ranges: &[(&str, Range)]) -> Space {
        let spec = ExperimentSpec::default();
        let space = ranges.iter().map(|(path, range)| ((*path).to_owned(), range.clone())).collect();
        Space::new(&SearchMember { spec, at: "search.space".to_owned(), space }).unwrap()
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
            let Some(values) = propose(space, method, seed, &history, ANYTHING) else { break };
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
            let next = propose(&rates(), method, 3, &whole[..12], ANYTHING).unwrap();
            assert_eq!(next, whole[12].values, "{method:?}");
            assert_ne!(whole, search(&rates(), method, 4, 15), "{method:?}");
        }
    }

    #[test]
    fn what_has_nothing_to_search_is_tried_once_as_it_is() {
        let mut spec = ExperimentSpec { recommender: RecommenderSpec::new("popularity"), ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        let member = SearchMember { spec: spec.clone(), at: "search.space".to_owned(), space: BTreeMap::new() };
        let fixed = Space::new(&member).unwrap();
        for method in [SearchMethod::Grid, SearchMethod::Random, SearchMethod::Tpe] {
            let only = propose(&fixed, method, 1, &[], ANYTHING).unwrap();
            assert_eq!(fixed.apply(&spec, &only).unwrap(), spec, "{method:?}");
            assert_eq!(
                propose(&fixed, method, 1, &[Judged { values: only, loss: None }], ANYTHING),
                None,
                "{method:?}"
            );
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
    fn values_that_are_impossible_together_are_passed_over_and_take_no_trial_away() {
        // Of the 15 combinations of the grid 5 are impossible.
        let fits = |values: &Values| (values[0] != 64).then(|| values.clone());
        let space = space(&[
            ("training.batch_size", Range::Values(vec![32.into(), 64.into(), 128.into()])),
            ("training.learning_rate", Range::Float { min: 1e-5, max: 1.0, log: true }),
        ]);
        for (method, expected) in [(SearchMethod::Grid, 10), (SearchMethod::Random, 30), (SearchMethod::Tpe, 30)] {
            let mut history: Vec<Judged> = Vec::new();
            while history.len() < 30 {
                let Some(values) = propose(&space, method, 2, &history, &fits) else { break };
                assert!(fits(&values).is_some(), "{method:?}");
                // The trials of a grid are all different, and the next one does not depend on what came of the others.
                assert!(method != SearchMethod::Grid || history.iter().all(|other| other.values != values));
                // TPE would like nothing better than what is impossible.
                history.push(Judged { loss: Some((values[0].as_f64().unwrap() - 64.0).abs()), values });
            }
            assert_eq!(history.len(), expected, "{method:?}");
            assert_eq!(propose(&space, method, 2, &[], &|_| None), None, "{method:?}");
        }
    }

    #[test]
    fn whether_all_of_a_space_was_looked_at_is_known_of_each_method() {
        let whole = |max| Range::Integer { min: 1, max, log: false };
        let rate = || Range::Float { min: 1e-5, max: 1.0, log: true };
        let of = |dimensions: &[(&str, Range)]| {
            let space = space(dimensions);
            [SearchMethod::Grid, SearchMethod::Random, SearchMethod::Tpe].map(|method| goes_through(&space, method))
        };
        assert_eq!(of(&[("training.epochs", whole(50))]), [true, true, true]);
        assert_eq!(of(&[("training.learning_rate", rate())]), [true, false, false], "a grid has few of them");
        let many = [("training.epochs", whole(300)), ("training.batch_size", whole(300))];
        assert_eq!(of(&many), [true, false, false], "90,000 combinations");
    }

    #[test]
    fn no_trial_is_made_twice_and_a_space_that_is_used_up_ends() {
        let space = space(&[("training.epochs", Range::Integer { min: 5, max: 50, log: true })]);
        for (method, due) in [(SearchMethod::Grid, 5), (SearchMethod::Random, 46), (SearchMethod::Tpe, 46)] {
            for seed in 0..5 {
                let mut history: Vec<Judged> = Vec::new();
                while let Some(values) = propose(&space, method, seed, &history, ANYTHING) {
                    assert!(history.iter().all(|other| other.values != values), "{method:?}, {values:?} again");
                    // TPE would like nothing better than the same again.
                    let loss = Some((values[0].as_f64().unwrap() - 21.0).abs());
                    history.push(Judged { values, loss });
                }
                assert_eq!(history.len(), due, "{method:?}, seed {seed}");
            }
        }
    }

    #[test]
    fn combinations_of_which_a_trial_reads_the_same_are_one_trial() {
        // As `bm25_k1` under another similarity.
        let read = |values: &Values| {
            let second = if values[0] == 64 { values[1].clone() } else { serde_json::Value::Null };
            Some(vec![values[0].clone(), second])
        };
        let space = space(&[
            ("training.batch_size", Range::Values(vec![32.into(), 64.into(), 128.into()])),
            ("training.epochs", Range::Integer { min: 1, max: 5, log: false }),
        ]);
        for method in [SearchMethod::Grid, SearchMethod::Random, SearchMethod::Tpe] {
            let mut history: Vec<Judged> = Vec::new();
            while let Some(values) = propose(&space, method, 4, &history, &read) {
                let loss = Some(history.len() as f64);
                history.push(Judged { values: read(&values).unwrap(), loss });
            }
            assert_eq!(history.len(), 1 + 5 + 1, "{method:?}");
        }
    }

    #[test]
    fn tpe_finds_better_values_than_chance_on_the_average_of_ten_seeds() {
        let mean = |method| (0..10).map(|seed| best(&search(&rates(), method, seed, 40))).sum::<f64>() / 10.0;
        let (tpe, random) = (mean(SearchMethod::Tpe), mean(SearchMethod::Random));
        assert!(tpe < random, "TPE {tpe}, random {random}");
    }

    #[test]
    fn a_trial_says_nothing_of_a_parameter_that_it_did_not_read() {
        let space = rates();
        let read = search(&space, SearchMethod::Random, 3, 20);
        // The best ones of all had another method that has no such parameter; what stood there was never looked at.
        let unread = search(&space, SearchMethod::Random, 4, 20)
            .into_iter()
            .map(|trial| Judged { values: vec![trial.values[0].clone(), serde_json::Value::Null], loss: Some(-1.0) });
        let all: Vec<Judged> = read.iter().cloned().chain(unread).collect();
        let next = |history: &[Judged], place: usize| {
            parzen(&space.dimensions()[place], place, history, &mut ChaCha8Rng::seed_from_u64(7))
        };
        assert_eq!(next(&all, 1), next(&read, 1));
        let guessed: Vec<Judged> = all
            .iter()
            .map(|trial| {
                let mut trial = trial.clone();
                if trial.values[1].is_null() {
                    trial.values[1] = 0.9.into();
                }
                trial
            })
            .collect();
        assert_ne!(next(&guessed, 1), next(&read, 1), "counted, it would move what is tried");
        assert!(propose(&space, SearchMethod::Tpe, 3, &all, ANYTHING).is_some());
    }

    #[test]
    fn trials_that_failed_are_avoided_not_fatal() {
        let mut history = search(&rates(), SearchMethod::Random, 5, 20);
        for trial in &mut history {
            trial.loss = None;
        }
        assert!(propose(&rates(), SearchMethod::Tpe, 5, &history, ANYTHING).is_some());
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
                let Some(values) = propose(&space, method, 9, &history, ANYTHING) else { break };
                let spec = space.apply(&ExperimentSpec::default(), &values).unwrap();
                assert!(spec.resolve().is_ok(), "{values:?}");
                history.push(Judged { values, loss: Some(f64::from(trial)) });
            }
        }
    }
}
