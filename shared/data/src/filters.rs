//! Which rows are kept.

use recspeed_types::spec::Filters;

use crate::interactions::Interactions;
use crate::random::{Stream, draw_front, generator};

/// Keeps the rows that pass, in the file's order: first those rated at least `implicit_threshold`, then users and items
/// with enough rows (in turn until nothing changes: the k-core), then a sample of `sample` rows drawn by the seed. The
/// dictionaries hold only ids that remain, renumbered by first appearance. The result may be empty.
pub fn apply_filters(interactions: Interactions, filters: &Filters, seed: u64) -> Interactions {
    let mut rows: Vec<u32> = (0..interactions.len() as u32).collect();
    if let Some(threshold) = filters.implicit_threshold {
        rows.retain(|&row| f64::from(interactions.rating[row as usize]) >= threshold);
    }
    while core_pass(&interactions, &mut rows, filters) {}
    if let Some(sample) = filters.sample
        && sample < rows.len() as u64
    {
        draw_front(&mut rows, sample as usize, &mut generator(seed, Stream::Sample));
        rows.truncate(sample as usize);
        rows.sort_unstable();
    }
    if rows.len() == interactions.len() { interactions } else { interactions.subset(&rows) }
}

/// Drops rows of users, then of items, that have too few; says whether any was dropped.
fn core_pass(data: &Interactions, rows: &mut Vec<u32>, filters: &Filters) -> bool {
    let before = rows.len();
    let sides = [(filters.min_user, &data.user, data.n_users()), (filters.min_item, &data.item, data.n_items())];
    for (least, column, n_ids) in sides {
        if least > 1 {
            let mut counts = vec![0u32; n_ids];
            for &row in rows.iter() {
                counts[column[row as usize] as usize] += 1;
            }
            rows.retain(|&row| counts[column[row as usize] as usize] >= least);
        }
    }
    rows.len() < before
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::interactions::InteractionsBuilder;

    fn interactions(rows: &[(u8, u8, u8)]) -> Interactions {
        let mut builder = InteractionsBuilder::default();
        for (at, &(user, item, rating)) in rows.iter().enumerate() {
            builder.push(&user.to_string(), &item.to_string(), f32::from(rating), at as i64);
        }
        builder.finish()
    }

    fn counts(column: &[u32], n: usize) -> Vec<u32> {
        let mut counts = vec![0; n];
        for &index in column {
            counts[index as usize] += 1;
        }
        counts
    }

    proptest! {
        #[test]
        fn what_remains_is_the_largest_core_above_the_threshold(
            rows in proptest::collection::vec((0u8..8, 0u8..8, 1u8..6), 0..80),
            min_user in 0u32..4,
            min_item in 0u32..4,
        ) {
            let filters = Filters { min_user, min_item, sample: None, implicit_threshold: Some(2.0) };
            let kept = apply_filters(interactions(&rows), &filters, 1);
            prop_assert!(kept.rating.iter().all(|&rating| rating >= 2.0));
            prop_assert!(counts(&kept.user, kept.n_users()).iter().all(|&n| n >= min_user.max(1)));
            prop_assert!(counts(&kept.item, kept.n_items()).iter().all(|&n| n >= min_item.max(1)));
            prop_assert!(kept.timestamp.is_sorted(), "the file's order is kept");
            prop_assert_eq!(&apply_filters(kept.clone(), &filters, 1), &kept, "filtering twice changes nothing");
        }

        #[test]
        fn a_sample_has_the_asked_size_and_depends_only_on_the_seed(
            rows in proptest::collection::vec((0u8..8, 0u8..8, 1u8..6), 1..80),
            sample in 1u64..100,
            seed in 0u64..1000,
        ) {
            let filters = Filters { sample: Some(sample), ..Filters::default() };
            let kept = apply_filters(interactions(&rows), &filters, seed);
            prop_assert_eq!(kept.len() as u64, sample.min(rows.len() as u64));
            prop_assert!(kept.timestamp.is_sorted());
            prop_assert_eq!(apply_filters(interactions(&rows), &filters, seed), kept);
        }
    }
}
