//! Item neighbours against the definition.

mod support;

use proptest::prelude::*;
use recspeed_recommenders::{Reason, TrainSet};
use recspeed_types::spec::ParamValue;
use support::{fitted, interactions, text};

#[test]
fn a_hand_worked_case() {
    // Columns over users 0, 1, 2: item 0 = (4, 3, 0), item 1 = (0, 5, 0), item 2 = (2, 0, 1).
    let all = interactions(&[(0, 0, 4.0), (1, 0, 3.0), (1, 1, 5.0), (0, 2, 2.0), (2, 2, 1.0)]);
    let rows: Vec<u32> = (0..5).collect();
    let data = TrainSet::new(&all, &rows);
    let model = fitted("item-knn", &[], &data, 0);
    // cos(0, 1) = 15 / (5 · 5) = 0.6; cos(0, 2) = 8 / (5 · √5); cos(1, 2) = 0.
    let with_two = 8.0 / (5.0 * 5f32.sqrt());
    assert!((model.predict(0, 1, 0) - 4.0 * 0.6).abs() < 1e-6);
    assert!((model.predict(2, 0, 0) - with_two).abs() < 1e-6);
    assert_eq!(model.predict(2, 1, 0), 0.0);
    assert_eq!(model.explain(0, 1, 5), Some(vec![Reason::OwnItem { item: 0, part: model.predict(0, 1, 0) }]));
    // Two users have item 0, one item 1: binary cos = 1 / √2; with shrinkage 1: 1 / (√2 + 1).
    let binary = [("weighting", text("binary")), ("shrinkage", ParamValue::Float(1.0))];
    let model = fitted("item-knn", &binary, &data, 0);
    assert!((model.predict(0, 1, 0) - 1.0 / (2f32.sqrt() + 1.0)).abs() < 1e-6);
}

#[test]
fn each_candidate_keeps_its_own_neighbours_only() {
    // Item 0 is close to 1 (shared users 0, 1, 2) and less to 2 (user 3); item 2 has no other neighbour than 0.
    let all = interactions(&[
        (0, 0, 1.0),
        (0, 1, 1.0),
        (1, 0, 1.0),
        (1, 1, 1.0),
        (2, 0, 1.0),
        (2, 1, 1.0),
        (3, 0, 1.0),
        (3, 2, 1.0),
        (4, 2, 1.0),
        (5, 0, 1.0),
    ]);
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let model = fitted("item-knn", &[("neighbours", ParamValue::Integer(1))], &TrainSet::new(&all, &rows), 0);
    assert_eq!(model.predict(4, 0, 0), 0.0, "candidate 0 keeps item 1 and drops item 2");
    assert!(model.predict(5, 2, 0) > 0.0, "candidate 2 keeps item 0, although 0 does not keep 2");
}

proptest! {
    #[test]
    fn scores_are_what_a_dense_computation_gives(
        cells in prop::collection::btree_map((0..8u32, 0..7u32), 1..6u8, 1..40),
        kept in 1..8i64,
        shrinkage in prop::sample::select(vec![0.0, 2.5]),
    ) {
        let cells: Vec<_> = cells.into_iter().map(|((u, i), r)| (u, i, f32::from(r))).collect();
        let all = interactions(&cells);
        let rows: Vec<u32> = (0..all.len() as u32).collect();
        let data = TrainSet::new(&all, &rows);
        let params = [("neighbours", ParamValue::Integer(kept)), ("shrinkage", ParamValue::Float(shrinkage))];
        let model = fitted("item-knn", &params, &data, 0);
        let (users, items) = (data.n_users(), data.n_items());
        let mut dense = vec![vec![0.0f64; items]; users];
        for row in 0..all.len() {
            dense[all.user[row] as usize][all.item[row] as usize] = f64::from(all.rating[row]);
        }
        let product = |a: usize, b: usize| dense.iter().map(|line| line[a] * line[b]).sum::<f64>();
        let ranks = all.items.tie_ranks();
        for candidate in 0..items {
            let mut near: Vec<(f32, u32, usize)> = (0..items)
                .filter(|&other| other != candidate && product(candidate, other) > 0.0)
                .map(|other| {
                    let length = product(candidate, candidate).sqrt() * product(other, other).sqrt() + shrinkage;
                    ((product(candidate, other) / length) as f32, ranks[other], other)
                })
                .collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            near.truncate(kept as usize);
            for (user, line) in dense.iter().enumerate() {
                let expected: f64 = near.iter().map(|&(sim, _, other)| f64::from(sim) * line[other]).sum();
                let score = f64::from(model.predict(user as u32, candidate as u32, 0));
                prop_assert!((score - expected).abs() < 1e-5, "{score} {expected}");
            }
        }
    }
}
