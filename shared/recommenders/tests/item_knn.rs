//! Item neighbours against the definition.

mod support;

use proptest::prelude::*;
use recspeed_recommenders::{FitError, Reason, TrainSet, fit};
use recspeed_types::Unobserved;
use recspeed_types::spec::ParamValue;
use support::{fitted, interactions, resolved, text};

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

/// `sim(0, 1)` of items 0 and 1, which are each other's only neighbours: user 99 has item 0 only, with one star.
fn similarity(rows: &[(u32, u32, f32)], name: &str, params: &[(&str, f64)]) -> f32 {
    let all = interactions(rows);
    let index: Vec<u32> = (0..all.len() as u32).collect();
    let mut given = vec![("similarity", text(name)), ("weighting", text("rating"))];
    given.extend(params.iter().map(|&(param, value)| (param, ParamValue::Float(value))));
    let model = fitted("item-knn", &given, &TrainSet::new(&all, &index), 0);
    let id = |dictionary: &recspeed_data::Dictionary, id: &str| dictionary.index_of(id).unwrap();
    model.predict(id(&all.users, "99"), id(&all.items, "1"), 0)
}

fn near(found: f32, wanted: f64) -> bool {
    (f64::from(found) - wanted).abs() < 1e-6
}

#[test]
fn adjusted_cosine_by_hand() {
    // Means 3: user 0 is 2 and 1 above it for items 0 and 1, user 1 is 1 and 1 above it, user 2 has item 1 only.
    let rows = [
        (99, 0, 1.0),
        (0, 0, 5.0),
        (0, 1, 4.0),
        (0, 2, 1.0),
        (0, 3, 2.0),
        (1, 0, 4.0),
        (1, 1, 4.0),
        (1, 2, 1.0),
        (2, 1, 2.0),
        (2, 3, 4.0),
    ];
    // (2 · 1 + 1 · 1) / (√5 √2), over the two users who rated both; two of them against a shrinkage of 1.
    let exact = 3.0 / 10f64.sqrt();
    assert!(near(similarity(&rows, "adjusted-cosine", &[]), exact));
    assert!(near(similarity(&rows, "adjusted-cosine", &[("shrinkage", 1.0)]), exact * 2.0 / 3.0));
    // Somebody who gives everything the same stars says nothing.
    let flat = [(99, 0, 1.0), (0, 0, 3.0), (0, 1, 3.0), (1, 0, 0.1), (1, 1, 0.1), (1, 2, 0.1)];
    assert_eq!(similarity(&flat, "adjusted-cosine", &[]), 0.0);
}

#[test]
fn pearson_by_hand() {
    // Over users 0, 1, 2: (1, 2, 3) and (2, 3, 5), around their means (−1, 0, 1) and (−4, −1, 5) / 3. User 3 rated one only.
    let rows =
        [(99, 0, 1.0), (0, 0, 1.0), (0, 1, 2.0), (1, 0, 2.0), (1, 1, 3.0), (2, 0, 3.0), (2, 1, 5.0), (3, 1, 1.0)];
    let exact = 3.0 / (2.0 * 42.0 / 9.0f64).sqrt();
    assert!(near(similarity(&rows, "pearson", &[]), exact));
    assert!(near(similarity(&rows, "pearson", &[("shrinkage", 3.0)]), exact / 2.0));
    // One common user, or two that agree, have no spread.
    assert_eq!(similarity(&[(99, 0, 1.0), (0, 0, 5.0), (0, 1, 4.0), (1, 1, 2.0)], "pearson", &[]), 0.0);
    assert_eq!(similarity(&[(99, 0, 1.0), (0, 0, 0.1), (0, 1, 4.0), (1, 0, 0.1), (1, 1, 2.0)], "pearson", &[]), 0.0);
}

#[test]
fn jaccard_by_hand() {
    // Two users have both, item 0 has two more, item 1 has one more; the stars do not matter.
    let rows = [(99, 0, 1.0), (0, 0, 5.0), (0, 1, 1.0), (1, 0, 2.0), (1, 1, 4.0), (2, 0, 3.0), (3, 1, 2.0)];
    assert!(near(similarity(&rows, "jaccard", &[]), 2.0 / 5.0));
    assert!(near(similarity(&rows, "jaccard", &[("shrinkage", 3.0)]), 2.0 / 8.0));
}

/// Eight items; users 0 and 1 have items 0 and 1 and, with user 0, two more items.
const WORDS: [(u32, u32, f32); 13] = [
    (99, 0, 1.0),
    (0, 0, 4.0),
    (0, 1, 1.0),
    (0, 2, 1.0),
    (0, 3, 1.0),
    (1, 0, 1.0),
    (1, 1, 4.0),
    (2, 2, 1.0),
    (2, 3, 1.0),
    (2, 4, 1.0),
    (2, 5, 1.0),
    (2, 6, 1.0),
    (2, 7, 1.0),
];

#[test]
fn tf_idf_by_hand() {
    // idf: ln(8 / 5) of user 0 with four items, ln(8 / 3) of user 1 with two, ln(8 / 2) of user 99 with one.
    let (a, b, c) = ((8.0 / 5.0f64).ln(), (8.0 / 3.0f64).ln(), 4f64.ln());
    // √4 a, √1 b, √1 c against √1 a, √4 b.
    let product = 2.0 * a * a + 2.0 * b * b;
    let lengths = (4.0 * a * a + b * b + c * c).sqrt() * (a * a + 4.0 * b * b).sqrt();
    assert!(near(similarity(&WORDS, "tf-idf", &[]), product / lengths));
    assert!(near(similarity(&WORDS, "tf-idf", &[("shrinkage", 0.5)]), product / (lengths + 0.5)));
}

#[test]
fn bm25_by_hand() {
    // Sums of weights: item 0 has 6, item 1 has 5, items 2 and 3 have 2, four items have 1: 19 / 8 in the mean.
    let (a, b) = ((8.0 / 5.0f64).ln(), (8.0 / 3.0f64).ln());
    let weight =
        |stars: f64, sum: f64, idf: f64| stars * 2.2 / (stars + 1.2 * (0.25 + 0.75 * sum / (19.0 / 8.0))) * idf;
    let exact = weight(4.0, 6.0, a) * weight(1.0, 5.0, a) + weight(1.0, 6.0, b) * weight(4.0, 5.0, b);
    assert!(near(similarity(&WORDS, "bm25", &[]), exact));
    assert!(near(similarity(&WORDS, "bm25", &[("shrinkage", 2.0)]), exact / 2.0));
    // k₁ = 0: stars and popularity do not count.
    assert!(near(similarity(&WORDS, "bm25", &[("bm25_k1", 0.0)]), a * a + b * b));
}

#[test]
fn negative_ratings_are_no_words() {
    let all = interactions(&[(7, 9, -2.0), (7, 8, 1.0), (6, 8, 2.0)]);
    let data = TrainSet::new(&all, &[0, 1, 2]);
    for similarity in ["tf-idf", "bm25"] {
        let error = fit(&resolved("item-knn", &[("similarity", text(similarity))]), &data, 0, &mut Unobserved).err();
        assert!(matches!(error, Some(FitError::NegativeWeight { .. })), "{similarity}: {error:?}");
        fitted("item-knn", &[("similarity", text(similarity)), ("weighting", text("binary"))], &data, 0);
    }
}

/// `sim(a, b)` from its definition, over columns with `None` where there is no rating.
fn defined(name: &str, lines: &[Vec<Option<f64>>], a: usize, b: usize, shrinkage: f64) -> f64 {
    let items = lines[0].len();
    let count = |line: &[Option<f64>]| line.iter().flatten().count() as f64;
    let idf = |line: &[Option<f64>]| (items as f64 / (1.0 + count(line))).ln();
    let weight = |line: &[Option<f64>], item: usize| {
        let stars = line[item]?;
        let own = line.iter().flatten().sum::<f64>() / count(line);
        let sums: Vec<f64> = (0..items).map(|item| lines.iter().filter_map(|line| line[item]).sum()).collect();
        let length = sums[item] / (sums.iter().sum::<f64>() / items as f64);
        Some(match name {
            "adjusted-cosine" => stars - own,
            "jaccard" => 1.0,
            "tf-idf" => stars.sqrt() * idf(line),
            "bm25" => stars * 2.2 / (stars + 1.2 * (0.25 + 0.75 * length)) * idf(line),
            _ => stars,
        })
    };
    let both: Vec<(f64, f64)> = lines.iter().filter_map(|line| weight(line, a).zip(weight(line, b))).collect();
    let n = both.len() as f64;
    let support = if n > 0.0 { n / (n + shrinkage) } else { 0.0 };
    let product = |pairs: &[(f64, f64)]| pairs.iter().map(|(x, y)| x * y).sum::<f64>();
    let square = |item: usize| lines.iter().filter_map(|line| weight(line, item)).map(|w| w * w).sum::<f64>();
    let correlation = |pairs: &[(f64, f64)]| {
        let (xx, yy): (f64, f64) = pairs.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x * x, sum.1 + y * y));
        if xx > 1e-9 && yy > 1e-9 { support * product(pairs) / (xx * yy).sqrt() } else { 0.0 }
    };
    match name {
        "jaccard" => n / (square(a) + square(b) - n + shrinkage),
        "bm25" => support * product(&both),
        "adjusted-cosine" => correlation(&both),
        "pearson" => {
            let (x, y) = both.iter().fold((0.0, 0.0), |sum, (x, y)| (sum.0 + x / n, sum.1 + y / n));
            correlation(&both.iter().map(|(a, b)| (a - x, b - y)).collect::<Vec<_>>())
        }
        _ => product(&both) / (square(a).sqrt() * square(b).sqrt() + shrinkage),
    }
}

const SIMILARITIES: [&str; 6] = ["cosine", "adjusted-cosine", "pearson", "jaccard", "tf-idf", "bm25"];

proptest! {
    #[test]
    fn scores_are_what_a_dense_computation_gives(
        cells in prop::collection::btree_map((0..8u32, 0..7u32), 1..6u8, 1..40),
        name in prop::sample::select(SIMILARITIES.to_vec()),
        shrinkage in prop::sample::select(vec![0.0, 2.5]),
    ) {
        let cells: Vec<_> = cells.into_iter().map(|((u, i), r)| (u, i, f32::from(r))).collect();
        let all = interactions(&cells);
        let rows: Vec<u32> = (0..all.len() as u32).collect();
        let data = TrainSet::new(&all, &rows);
        let params = [("similarity", text(name)), ("shrinkage", ParamValue::Float(shrinkage))];
        let model = fitted("item-knn", &params, &data, 0);
        let mut lines = vec![vec![None; data.n_items()]; data.n_users()];
        for row in 0..all.len() {
            lines[all.user[row] as usize][all.item[row] as usize] = Some(f64::from(all.rating[row]));
        }
        for (user, line) in lines.iter().enumerate() {
            for candidate in 0..data.n_items() {
                let part = |(other, stars): (usize, &Option<f64>)| {
                    let similarity = defined(name, &lines, candidate, other, shrinkage);
                    if other == candidate { None } else { Some(similarity.max(0.0) * (*stars)?) }
                };
                let expected: f64 = line.iter().enumerate().filter_map(part).sum();
                let score = f64::from(model.predict(user as u32, candidate as u32, 0));
                prop_assert!((score - expected).abs() < 1e-4, "{name}: {score} {expected}");
            }
        }
    }

    #[test]
    fn each_candidate_keeps_the_most_similar_of_all(
        cells in prop::collection::btree_map((0..8u32, 0..7u32), 1..6u8, 1..40),
        kept in 1..4i64,
        name in prop::sample::select(SIMILARITIES.to_vec()),
    ) {
        let cells: Vec<_> = cells.into_iter().map(|((u, i), r)| (u, i, f32::from(r))).collect();
        let all = interactions(&cells);
        let rows: Vec<u32> = (0..all.len() as u32).collect();
        let data = TrainSet::new(&all, &rows);
        let neighbours = |kept: i64| {
            let params = [("neighbours", ParamValue::Integer(kept)), ("similarity", text(name))];
            let mut parts = fitted("item-knn", &params, &data, 0).parts();
            parts.take_csr("similarities", data.n_items()).unwrap().transpose(data.n_items())
        };
        let (few, every) = (neighbours(kept), neighbours(100));
        let ranks = all.items.tie_ranks();
        for candidate in 0..data.n_items() {
            let (items, values) = every.row(candidate);
            let mut near: Vec<(f32, u32, u32)> =
                items.iter().zip(values).map(|(&item, &value)| (value, ranks[item as usize], item)).collect();
            near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            near.truncate(kept as usize);
            let mut wanted: Vec<u32> = near.iter().map(|near| near.2).collect();
            wanted.sort_unstable();
            prop_assert_eq!(few.row(candidate).0, &wanted[..], "{}: {}", name, candidate);
        }
    }
}
