//! Methods against their formulas, computed the long way on small data.

mod support;

use proptest::prelude::*;
use recspeed_data::Interactions;
use recspeed_recommenders::{Recommender, TrainSet, fit};
use recspeed_types::spec::ParamValue;
use recspeed_types::{EventKind, FitObserver};
use support::{fitted, interactions, resolved, text};

/// Some ratings, at most one for each user and item.
fn ratings() -> impl Strategy<Value = Vec<(u32, u32, f32)>> {
    prop::collection::btree_map((0u32..6, 0u32..7), 1u8..=5, 8..30)
        .prop_map(|cells| cells.into_iter().map(|((user, item), stars)| (user, item, f32::from(stars))).collect())
}

/// `[n_users][n_items]`, `None` where there is no rating.
fn dense(all: &Interactions) -> Vec<Vec<Option<f64>>> {
    let mut cells = vec![vec![None; all.n_items()]; all.n_users()];
    for row in 0..all.len() {
        cells[all.user[row] as usize][all.item[row] as usize] = Some(f64::from(all.rating[row]));
    }
    cells
}

fn model(all: &Interactions, kind: &str, params: &[(&str, ParamValue)]) -> Box<dyn Recommender> {
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    fitted(kind, params, &TrainSet::new(all, &rows), 3)
}

/// Every prediction beside what the formula gives.
fn agree(model: &dyn Recommender, expected: impl Fn(usize, usize) -> f64) -> Result<(), TestCaseError> {
    for user in 0..model.n_users() {
        for item in 0..model.n_items() {
            let found = f64::from(model.predict(user as u32, item as u32, 0));
            let wanted = expected(user, item);
            prop_assert!((found - wanted).abs() < 1e-3, "user {user}, item {item}: {found}, not {wanted}");
        }
    }
    Ok(())
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Items that both people rated, with both ratings.
fn both(a: &[Option<f64>], b: &[Option<f64>]) -> Vec<(f64, f64)> {
    a.iter().zip(b).filter_map(|(a, b)| a.zip(*b)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn slope_one_is_the_mean_plus_the_mean_difference(rows in ratings()) {
        let all = interactions(&rows);
        let cells = dense(&all);
        let difference = |i: usize, j: usize| {
            mean(cells.iter().filter_map(|own| own[i].zip(own[j])).map(|(i, j)| i - j))
        };
        let expected = |user: usize, item: usize| {
            let own = &cells[user];
            let level = mean(own.iter().flatten().copied()).unwrap();
            let others = (0..own.len()).filter(|&j| j != item && own[j].is_some());
            level + mean(others.filter_map(|j| difference(item, j))).unwrap_or(0.0)
        };
        agree(&*model(&all, "slope-one", &[]), expected)?;
    }

    #[test]
    fn user_neighbours_are_the_weighted_mean_over_the_most_similar_raters(
        rows in ratings(), kept in 1usize..4, centred: bool, pearson: bool
    ) {
        let all = interactions(&rows);
        let cells = dense(&all);
        let everything = mean(cells.iter().flatten().flatten().copied()).unwrap();
        let similarity = |a: usize, b: usize| {
            let pairs = both(&cells[a], &cells[b]);
            let n = pairs.len() as f64;
            if pairs.is_empty() {
                return 0.0;
            }
            if pearson {
                let (ma, mb) = (pairs.iter().map(|p| p.0).sum::<f64>() / n, pairs.iter().map(|p| p.1).sum::<f64>() / n);
                let cov: f64 = pairs.iter().map(|p| (p.0 - ma) * (p.1 - mb)).sum();
                let var: f64 = pairs.iter().map(|p| (p.0 - ma).powi(2)).sum::<f64>() * pairs.iter().map(|p| (p.1 - mb).powi(2)).sum::<f64>();
                if var > 1e-9 { cov / var.sqrt() } else { 0.0 }
            } else {
                1.0 / (1.0 + pairs.iter().map(|p| (p.0 - p.1).powi(2)).sum::<f64>() / n)
            }
        };
        let level = |user: usize| if centred { mean(cells[user].iter().flatten().copied()).unwrap() } else { 0.0 };
        let expected = |user: usize, item: usize| {
            let mut raters: Vec<(f64, usize)> = (0..cells.len())
                .filter(|&other| other != user && cells[other][item].is_some())
                .map(|other| (similarity(user, other), other))
                .filter(|(similarity, _)| *similarity > 1e-9)
                .collect();
            // As f32, so that what is equal there is equal here.
            raters.sort_by(|a, b| (b.0 as f32).total_cmp(&(a.0 as f32)).then(a.1.cmp(&b.1)));
            raters.truncate(kept);
            let weight: f64 = raters.iter().map(|(similarity, _)| similarity).sum();
            let sum: f64 = raters.iter().map(|&(similarity, other)| similarity * (cells[other][item].unwrap() - level(other))).sum();
            match (weight > 0.0, centred) {
                (true, _) => level(user) + sum / weight,
                (false, true) => level(user),
                (false, false) => everything,
            }
        };
        let params = [
            ("neighbours", ParamValue::Integer(kept as i64)),
            ("centring", text(if centred { "mean" } else { "none" })),
            ("similarity", text(if pearson { "pearson" } else { "msd" })),
        ];
        agree(&*model(&all, "user-knn", &params), expected)?;
    }

    #[test]
    fn ease_is_where_its_objective_is_stationary(rows in ratings()) {
        let all = interactions(&rows);
        let cells = dense(&all);
        let n = all.n_items();
        let lambda = 2.0;
        let parts = model(&all, "ease", &[("regularization", ParamValue::Float(lambda))]).parts().take_matrix("weights").unwrap().2;
        let weight = |i: usize, j: usize| f64::from(parts[i * n + j]);
        let x = |user: usize, item: usize| cells[user][item].unwrap_or(0.0);
        for j in 0..n {
            prop_assert_eq!(weight(j, j), 0.0);
            for i in (0..n).filter(|&i| i != j) {
                // Half the derivative of ‖X − XB‖² + λ‖B‖² by B_ij.
                let rest = |user: usize| x(user, j) - (0..n).map(|l| x(user, l) * weight(l, j)).sum::<f64>();
                let slope: f64 = lambda * weight(i, j) - (0..cells.len()).map(|user| x(user, i) * rest(user)).sum::<f64>();
                prop_assert!(slope.abs() < 1e-2, "∂/∂B[{i}, {j}] = {slope}");
            }
        }
    }

    #[test]
    fn slim_meets_the_conditions_of_its_optimum(rows in ratings()) {
        let all = interactions(&rows);
        let cells = dense(&all);
        let (l1, l2) = (1.5, 3.0);
        let params = [("l1", ParamValue::Float(l1)), ("l2", ParamValue::Float(l2)), ("neighbours", ParamValue::Integer(0))];
        let similarities = model(&all, "slim", &params).parts().take_csr("similarities", all.n_items()).unwrap();
        let weight = |j: usize, c: usize| {
            let (items, weights) = similarities.row(j);
            items.binary_search(&(c as u32)).map_or(0.0, |at| f64::from(weights[at]))
        };
        let x = |user: usize, item: usize| cells[user][item].unwrap_or(0.0);
        for c in 0..all.n_items() {
            prop_assert_eq!(weight(c, c), 0.0);
            let rest: Vec<f64> =
                (0..cells.len()).map(|user| x(user, c) - (0..all.n_items()).map(|j| x(user, j) * weight(j, c)).sum::<f64>()).collect();
            for j in (0..all.n_items()).filter(|&j| j != c) {
                let slope = l1 + l2 * weight(j, c) - rest.iter().enumerate().map(|(user, rest)| x(user, j) * rest).sum::<f64>();
                if weight(j, c) > 0.0 {
                    prop_assert!(slope.abs() < 0.05, "a weight of {c} from {j} would move: {slope}");
                } else {
                    prop_assert!(slope > -0.05, "{c} wants a weight from {j}: {slope}");
                }
            }
        }
    }
}

/// What a fit warns of.
#[derive(Default)]
struct Heard(Vec<String>);

impl FitObserver for Heard {
    fn event(&mut self, kind: EventKind) {
        if let EventKind::Warning { message } = kind {
            self.0.push(message);
        }
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn slim_warns_exactly_where_its_penalty_leaves_most_items_without_weights() {
    // Five people with two items each that nobody else has, five stars: products of 25.
    let rows: Vec<(u32, u32, f32)> = (0..10).map(|item| (item / 2, item, 5.0)).collect();
    let all = interactions(&rows);
    let learnt: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &learnt);
    for (l1, told) in [(50.0, true), (25.0, true), (20.0, false), (0.0, false)] {
        let mut heard = Heard::default();
        let slim = resolved("slim", &[("l1", ParamValue::Float(l1))]);
        let model = fit(&slim, &data, 0, &mut heard).expect("it fits");
        let weights = model.parts().take_csr("similarities", all.n_items()).expect("a sparse matrix").nnz();
        assert_eq!((weights, heard.0.len()), if told { (0, 1) } else { (10, 0) }, "{l1}: {:?}", heard.0);
        let due = "and none to 10 of the 10 items that share users with others";
        assert!(heard.0.iter().all(|warning| warning.contains(due) && warning.contains("below 25")), "{:?}", heard.0);
    }
}
