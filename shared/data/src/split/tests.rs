//! Laws of the splits.

use proptest::prelude::*;
use recspeed_types::spec::FitOn;

use super::*;
use crate::describe::leak_count;
use crate::interactions::InteractionsBuilder;

fn plan(split: Split) -> SplitPlan {
    SplitPlan { split, fit_on: FitOn::Train }
}

fn interactions(rows: &[(u8, i64)]) -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for (at, &(user, time)) in rows.iter().enumerate() {
        builder.push(&user.to_string(), &at.to_string(), 1.0, time);
    }
    builder.finish()
}

fn any_split() -> impl Strategy<Value = Split> {
    let ratios = (0.05..0.5f64, prop_oneof![Just(0.0), 0.05..0.4f64]);
    let folds = (2u32..8).prop_flat_map(|folds| (Just(folds), 1..=folds));
    prop_oneof![
        ratios.clone().prop_map(|(test_ratio, validation_ratio)| Split::Random { test_ratio, validation_ratio }),
        ratios.clone().prop_map(|(test_ratio, validation_ratio)| Split::PerUserRandom { test_ratio, validation_ratio }),
        ratios.clone().prop_map(|(test_ratio, validation_ratio)| Split::GlobalTime { test_ratio, validation_ratio }),
        ratios.prop_map(|(test_ratio, validation_ratio)| Split::ColdItems { test_ratio, validation_ratio }),
        any::<bool>().prop_map(|validation| Split::LeaveLastOut { validation }),
        (1u32..5).prop_map(|n| Split::PerUserFirstN { n }),
        folds.clone().prop_map(|(folds, fold)| Split::ContiguousFold { folds, fold }),
        folds.prop_map(|(folds, fold)| Split::KFold { folds, fold }),
    ]
}

fn any_rows() -> impl Strategy<Value = Vec<(u8, i64)>> {
    proptest::collection::vec((0u8..12, 0i64..20), 1..120)
}

/// Each user's rows in the file's order.
fn rows_of_users(data: &Interactions) -> Vec<Vec<u32>> {
    let mut rows = vec![Vec::new(); data.n_users()];
    for (row, &user) in data.user.iter().enumerate() {
        rows[user as usize].push(row as u32);
    }
    rows
}

proptest! {
    #[test]
    fn splits_are_disjoint_cover_every_row_and_repeat(rows in any_rows(), split_kind in any_split(), seed in 0u64..1000) {
        let data = interactions(&rows);
        let plan = plan(split_kind);
        let first = split(&data, &plan, seed);
        prop_assert_eq!(&split(&data, &plan, seed), &first, "the same seed gives the same rows");
        if let Ok(parts) = first {
            for part in [&parts.train, &parts.validation, &parts.test] {
                prop_assert!(part.is_sorted());
            }
            prop_assert!(!parts.train.is_empty() && !parts.test.is_empty());
            prop_assert_eq!(parts.validation.is_empty(), !split_kind.has_validation());
            let mut all = [parts.train, parts.validation, parts.test].concat();
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..rows.len() as u32));
        }
    }

    #[test]
    fn random_shares_are_exact_to_the_row(rows in any_rows(), test_ratio in 0.1..0.4f64, validation_ratio in 0.1..0.4f64) {
        let data = interactions(&rows);
        for kind in [Split::Random { test_ratio, validation_ratio }, Split::GlobalTime { test_ratio, validation_ratio }] {
            if let Ok(parts) = split(&data, &plan(kind), 3) {
                prop_assert_eq!(parts.test.len(), share(rows.len(), test_ratio));
                prop_assert_eq!(parts.validation.len(), share(rows.len(), validation_ratio));
            }
        }
    }

    #[test]
    fn the_folds_of_one_seed_partition_the_rows(rows in any_rows(), folds in 2u32..6, seed in 0u64..50) {
        prop_assume!(rows.len() >= folds as usize);
        let data = interactions(&rows);
        for contiguous in [false, true] {
            let mut all = Vec::new();
            for fold in 1..=folds {
                let kind = if contiguous { Split::ContiguousFold { folds, fold } } else { Split::KFold { folds, fold } };
                let test = split(&data, &plan(kind), seed).expect("enough rows for every fold").test;
                prop_assert!(test.len() == rows.len() / folds as usize || test.len() == rows.len() / folds as usize + 1);
                if contiguous {
                    prop_assert!(test.windows(2).all(|pair| pair[1] == pair[0] + 1));
                }
                all.extend(test);
            }
            all.sort_unstable();
            prop_assert!(all.into_iter().eq(0..rows.len() as u32));
        }
    }

    #[test]
    fn per_user_random_leaves_every_user_a_training_row(rows in any_rows(), test_ratio in 0.1..0.9f64, seed in 0u64..50) {
        let data = interactions(&rows);
        if let Ok(parts) = split(&data, &plan(Split::PerUserRandom { test_ratio, validation_ratio: 0.0 }), seed) {
            for rows in rows_of_users(&data) {
                let test = rows.iter().filter(|row| parts.test.contains(row)).count();
                prop_assert_eq!(test, share(rows.len(), test_ratio).min(rows.len() - 1));
            }
        }
    }

    #[test]
    fn leave_last_out_takes_the_newest_row_and_spares_small_users(rows in any_rows(), validation in any::<bool>()) {
        let data = interactions(&rows);
        let Ok(parts) = split(&data, &plan(Split::LeaveLastOut { validation }), 0) else { return Ok(()) };
        for mut rows in rows_of_users(&data) {
            rows.sort_by_key(|&row| (data.timestamp[row as usize], row));
            let held_out = 1 + usize::from(validation);
            let test: Vec<u32> = rows.iter().copied().filter(|row| parts.test.contains(row)).collect();
            let steer: Vec<u32> = rows.iter().copied().filter(|row| parts.validation.contains(row)).collect();
            if rows.len() > held_out {
                prop_assert_eq!(test, vec![rows[rows.len() - 1]]);
                prop_assert_eq!(steer, if validation { vec![rows[rows.len() - 2]] } else { Vec::new() });
            } else {
                prop_assert!(test.is_empty() && steer.is_empty());
            }
        }
    }

    #[test]
    fn per_user_first_n_takes_the_first_rows_of_the_file(rows in any_rows(), n in 1u32..5) {
        let data = interactions(&rows);
        let Ok(parts) = split(&data, &plan(Split::PerUserFirstN { n }), 0) else { return Ok(()) };
        for rows in rows_of_users(&data) {
            let test: Vec<u32> = rows.iter().copied().filter(|row| parts.test.contains(row)).collect();
            prop_assert_eq!(&test[..], &rows[..rows.len().min(n as usize)]);
        }
    }

    #[test]
    fn global_time_never_trains_on_what_is_newer_than_the_test(rows in any_rows()) {
        let data = interactions(&rows);
        let kind = Split::GlobalTime { test_ratio: 0.3, validation_ratio: 0.2 };
        let Ok(parts) = split(&data, &plan(kind), 0) else { return Ok(()) };
        let key = |row: &u32| (data.timestamp[*row as usize], *row);
        prop_assert!(parts.train.iter().map(key).max() < parts.validation.iter().map(key).min());
        prop_assert!(parts.validation.iter().map(key).max() < parts.test.iter().map(key).min());
    }

    #[test]
    fn parts_of_a_second_split_rows_as_times_of_a_finer_unit_do(
        rows in any_rows(), split_kind in any_split(), seed in 0u64..50,
    ) {
        let finer = interactions(&rows);
        let seconds: Vec<(u8, i64)> = rows.iter().map(|&(user, quarters)| (user, quarters / 4)).collect();
        let fraction = rows.iter().map(|&(_, quarters)| (quarters % 4) as u32 * 250_000_000).collect();
        let parts = Interactions { fraction, ..interactions(&seconds) };
        let of_finer = split(&finer, &plan(split_kind), seed);
        prop_assert_eq!(&split(&parts, &plan(split_kind), seed), &of_finer);
        if let Ok(SplitRows { train, test, .. }) = of_finer {
            prop_assert_eq!(leak_count(&parts, &train, &test), leak_count(&finer, &train, &test));
        }
    }
}

#[test]
fn equal_times_are_ordered_by_the_file() {
    let data = interactions(&[(1, 5), (1, 5), (1, 5)]);
    let parts = split(&data, &plan(Split::LeaveLastOut { validation: true }), 0).expect("three rows");
    assert_eq!((parts.train, parts.validation, parts.test), (vec![0], vec![1], vec![2]));
}

#[test]
fn the_seed_matters() {
    let rows: Vec<(u8, i64)> = (0..100).map(|at| (at % 7, i64::from(at))).collect();
    let data = interactions(&rows);
    for kind in [
        Split::Random { test_ratio: 0.2, validation_ratio: 0.0 },
        Split::PerUserRandom { test_ratio: 0.2, validation_ratio: 0.0 },
        Split::KFold { folds: 5, fold: 1 },
    ] {
        assert_ne!(split(&data, &plan(kind), 1), split(&data, &plan(kind), 2));
    }
}

#[test]
fn impossible_splits_say_what_to_change() {
    let none = split(&Interactions::default(), &plan(Split::KFold { folds: 2, fold: 1 }), 0);
    assert_eq!(none.unwrap_err().to_string(), "split: no row is left to split; loosen the filters of [dataset]");

    let mut timeless = interactions(&[(1, 0), (1, 0)]);
    timeless.has_timestamps = false;
    let kind = Split::GlobalTime { test_ratio: 0.5, validation_ratio: 0.0 };
    assert_eq!(split(&timeless, &plan(kind), 0), Err(SplitError::NoTimestamps));

    let single = interactions(&[(1, 0), (2, 0)]);
    let error = split(&single, &plan(Split::LeaveLastOut { validation: false }), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "split: of 2 rows none would be left for the test; hold more rows out, or use data with more rows of each user"
    );
    let error = split(&single, &plan(Split::PerUserFirstN { n: 3 }), 0).unwrap_err();
    assert_eq!(error.to_string(), "split: of 2 rows none would be left for training; hold fewer rows out");
}

#[test]
fn a_cold_item_has_all_its_rows_in_one_part_and_shares_count_items() {
    let mut builder = InteractionsBuilder::default();
    for row in 0..400u32 {
        builder.push(&(row % 23).to_string(), &(row * row % 40).to_string(), 1.0, 0);
    }
    let data = builder.finish();
    let parts = split(&data, &plan(Split::ColdItems { test_ratio: 0.25, validation_ratio: 0.25 }), 5).unwrap();
    let items =
        |rows: &[u32]| rows.iter().map(|&row| data.item[row as usize]).collect::<std::collections::BTreeSet<_>>();
    let (train, validation, test) = (items(&parts.train), items(&parts.validation), items(&parts.test));
    assert!(train.is_disjoint(&test) && train.is_disjoint(&validation) && validation.is_disjoint(&test));
    assert_eq!((test.len(), validation.len()), (share(data.n_items(), 0.25), share(data.n_items(), 0.25)));
}
