//! What one user's list is made of: known or new, alike or different, expected or not.
//!
//! # Shapes
//! - `list`: the user's first `k` places, best first, every item once
//! - `None`: the value is undefined for this list, and the user is left out of the mean

use std::collections::HashMap;

use crate::MetricError;

/// Novelty: mean over the list of `−log2(max(1, n_i) / users)`, with `n_i` the training users of item `i`, in bits. Somebody who
/// has an item several times is one of them.
/// Source: Zhou et al., "Solving the apparent diversity-accuracy dilemma", doi:10.1073/pnas.1000488107.
///
/// # Panics
/// When an item of the list has no count.
pub fn novelty(list: &[u32], training_users: &[u32], users: u64) -> Option<f64> {
    if list.is_empty() || users == 0 {
        return None;
    }
    let bits = |&item: &u32| -(f64::from(training_users[item as usize].max(1)) / users as f64).log2();
    Some(list.iter().map(bits).sum::<f64>() / list.len() as f64)
}

/// Popularity lift (ΔGAP) of some users: the mean over them of the mean training interactions of their list, divided by the mean
/// over them of that of their own training items, minus 1. Users without a list or without own items do not count.
/// Source: Abdollahpouri et al., "The Unfairness of Popularity Bias in Recommendation", arXiv:1907.13286, which divides the
/// groups' means and not each user's values.
///
/// # Shapes
/// - `users`: each user's list and own training items
///
/// # Errors
/// [`MetricError::Empty`] without users that count.
///
/// # Panics
/// When an item has no count.
pub fn popularity_lift<'a>(
    users: impl Iterator<Item = (&'a [u32], &'a [u32])>,
    training_counts: &[u32],
) -> Result<f64, MetricError> {
    let mean = |items: &[u32]| {
        let sum: u64 = items.iter().map(|&item| u64::from(training_counts[item as usize])).sum();
        sum as f64 / items.len() as f64
    };
    let counted = users.filter(|(list, own)| !list.is_empty() && !own.is_empty());
    let (of_lists, of_own) =
        counted.fold((0.0, 0.0), |(lists, owns), (list, own)| (lists + mean(list), owns + mean(own)));
    if of_own == 0.0 {
        return Err(MetricError::Empty { metric: "popularity-lift", over: "the users with training rows" });
    }
    Ok(of_lists / of_own - 1.0)
}

/// Serendipity at k: relevant items of the list that are not `expected`, divided by `k`.
/// Source: Ge, Delgado-Battenfeld, Jannach, "Beyond Accuracy", doi:10.1145/1864708.1864761; the primitive recommender is
/// popularity.
///
/// # Shapes
/// - `relevant`: ascending
/// - `expected`: the items that popularity puts in this user's first `k` places, in any order
pub fn serendipity(list: &[u32], relevant: &[u32], expected: &[u32], k: usize) -> f64 {
    let found = list.iter().filter(|item| relevant.binary_search(item).is_ok() && !expected.contains(item));
    found.count() as f64 / k as f64
}

/// Pairs whose distance is remembered; about 100 MB.
const MAX_KNOWN: usize = 4_000_000;

/// Distances between items, `1 − cosine` of their sets of training users; pairs that recur are computed once.
#[derive(Debug)]
pub struct Distances<F> {
    users_of: F,
    known: HashMap<(u32, u32), f32>,
}

impl<'a, F: Fn(u32) -> &'a [u32]> Distances<F> {
    /// `users_of` tells the training users of an item, ascending.
    pub fn new(users_of: F) -> Self {
        Self { users_of, known: HashMap::new() }
    }

    /// Diversity of a list: the mean over its pairs of `1 − cosine` of the items' training users, an item without any
    /// being as far as can be; in `[0, 1]`. `None` for fewer than two items.
    /// Source: Ziegler et al., "Improving Recommendation Lists Through Topic Diversification", doi:10.1145/1060745.1060754.
    pub fn diversity(&mut self, list: &[u32]) -> Option<f64> {
        if list.len() < 2 {
            return None;
        }
        let mut sum = 0.0;
        for (place, &a) in list.iter().enumerate() {
            for &b in &list[..place] {
                sum += f64::from(self.between(a.min(b), a.max(b)));
            }
        }
        Some(sum / (list.len() * (list.len() - 1) / 2) as f64)
    }

    fn between(&mut self, a: u32, b: u32) -> f32 {
        if let Some(&distance) = self.known.get(&(a, b)) {
            return distance;
        }
        let (users_of_a, users_of_b) = ((self.users_of)(a), (self.users_of)(b));
        let norm = (users_of_a.len() as f64 * users_of_b.len() as f64).sqrt();
        let distance = if norm == 0.0 { 1.0 } else { (1.0 - common(users_of_a, users_of_b) as f64 / norm) as f32 };
        if self.known.len() < MAX_KNOWN {
            self.known.insert((a, b), distance);
        }
        distance
    }
}

/// Number of elements in both of two ascending lists.
fn common(a: &[u32], b: &[u32]) -> usize {
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    // A merge walks both lists; a search for each element of a much shorter one is less work.
    if short.len() * 16 < long.len() {
        return short.iter().filter(|user| long.binary_search(user).is_ok()).count();
    }
    let (mut i, mut j, mut count) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        let (left, right) = (a[i], b[j]);
        count += usize::from(left == right);
        i += usize::from(left <= right);
        j += usize::from(right <= left);
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COUNTS: [u32; 4] = [8, 4, 1, 0];

    #[test]
    fn hand_worked_cases() {
        // −log2(8/16), −log2(1/16); an item without interactions counts as one with a single one.
        assert_eq!(novelty(&[0, 2], &COUNTS, 16), Some(2.5));
        assert_eq!(novelty(&[3], &COUNTS, 16), Some(4.0));
        assert_eq!(novelty(&[], &COUNTS, 16), None);
        assert_eq!(serendipity(&[5, 6, 7], &[6, 7], &[7, 9], 5), 1.0 / 5.0);
    }

    #[test]
    fn popularity_lift_divides_the_means_of_the_group_and_not_each_user_s() {
        let lift = |users: &[(&[u32], &[u32])]| popularity_lift(users.iter().copied(), &COUNTS);
        // (8 + 4)/2 against 4: half as popular again.
        assert_eq!(lift(&[(&[0, 1], &[1])]), Ok(0.5));
        // Lists of 8 and 8, own items of 8 and 1: 16/9 − 1. The mean of the users' own ratios would be (0 + 7)/2.
        let two: [(&[u32], &[u32]); 2] = [(&[0], &[0]), (&[0], &[2])];
        assert_eq!(lift(&two), Ok(16.0 / 9.0 - 1.0));
        // Who has no list or nothing of their own says nothing; a list of items that nobody has is not popular.
        assert_eq!(lift(&[two[0], two[1], (&[0], &[]), (&[], &[0])]), lift(&two));
        assert_eq!(lift(&[(&[3], &[0])]), Ok(-1.0));
        assert!(matches!(lift(&[(&[0], &[])]), Err(MetricError::Empty { .. })));
    }

    #[test]
    fn a_list_of_items_of_the_same_people_is_not_diverse() {
        let users: [&[u32]; 3] = [&[1, 2], &[1, 2], &[3]];
        let mut distances = Distances::new(|item: u32| users[item as usize]);
        assert_eq!(distances.diversity(&[0, 1]), Some(0.0));
        assert_eq!(distances.diversity(&[0, 1, 2]), Some(2.0 / 3.0));
        assert_eq!(distances.diversity(&[0]), None);
    }

    proptest! {
        #[test]
        fn common_elements_are_counted_however_long_the_lists_are(
            a in prop::collection::btree_set(0u32..200, 0..60), b in prop::collection::btree_set(0u32..200, 0..5)
        ) {
            let (left, right): (Vec<u32>, Vec<u32>) = (a.iter().copied().collect(), b.iter().copied().collect());
            prop_assert_eq!(common(&left, &right), a.intersection(&b).count());
            prop_assert_eq!(common(&right, &left), a.intersection(&b).count());
        }
    }
}
