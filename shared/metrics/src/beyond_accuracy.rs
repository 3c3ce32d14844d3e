//! What all lists together look like, apart from being right.

use std::num::NonZeroUsize;

use crate::MetricError;

/// The item number that fills the end of a list with fewer candidates than places.
pub const NO_ITEM: u32 = u32::MAX;

/// The lists of all evaluated users, one after another, each of the same width.
#[derive(Debug, Clone, Copy)]
pub struct Lists<'a> {
    items: &'a [u32],
    width: usize,
}

impl<'a> Lists<'a> {
    /// Lists of `width` places each; places without an item hold [`NO_ITEM`].
    ///
    /// # Errors
    /// [`MetricError::Ragged`] when `items` is no whole number of lists.
    pub fn new(items: &'a [u32], width: usize) -> Result<Self, MetricError> {
        if width == 0 || !items.len().is_multiple_of(width) {
            return Err(MetricError::Ragged { places: items.len(), width });
        }
        Ok(Self { items, width })
    }

    /// Number of lists.
    pub const fn len(&self) -> usize {
        self.items.len() / self.width
    }

    /// Whether there is no list.
    pub const fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The items of list `index`, best first, without the padding.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub fn list(&self, index: usize) -> &'a [u32] {
        let list = &self.items[index * self.width..][..self.width];
        &list[..list.iter().position(|&item| item == NO_ITEM).unwrap_or(self.width)]
    }

    /// The items in the first `k` places of every list.
    fn first(&self, k: NonZeroUsize) -> impl Iterator<Item = u32> + 'a {
        let k = k.get();
        self.items
            .chunks_exact(self.width)
            .flat_map(move |list| list.iter().take(k))
            .copied()
            .filter(|&item| item != NO_ITEM)
    }
}

/// Coverage at k: distinct items in the first `k` places of any list, divided by the candidates.
///
/// # Shapes
/// - `candidates`: `[n_items]`; items with 0 are no candidates
/// - returns: in `[0, 1]` when only candidates are recommended
///
/// # Errors
/// [`MetricError::Empty`] without candidates; [`MetricError::UnknownItem`].
pub fn coverage(lists: Lists<'_>, k: NonZeroUsize, candidates: &[u32]) -> Result<f64, MetricError> {
    let all = candidates.iter().filter(|&&count| count > 0).count();
    if all == 0 {
        return Err(MetricError::Empty { metric: "coverage", over: "the candidates" });
    }
    let mut seen = vec![false; candidates.len()];
    let mut distinct = 0usize;
    for item in lists.first(k) {
        let known = seen.get_mut(item as usize).ok_or(MetricError::UnknownItem { item, items: candidates.len() })?;
        distinct += usize::from(!*known);
        *known = true;
    }
    Ok(distinct as f64 / all as f64)
}

/// Cold-start coverage at k: distinct cold items in the first `k` places of any list, divided by all cold items.
///
/// # Shapes
/// - `cold`: `[n_items]`, whether nobody rated the item before the test
/// - returns: in `[0, 1]`
///
/// # Errors
/// [`MetricError::Empty`] without cold items; [`MetricError::UnknownItem`].
pub fn cold_coverage(lists: Lists<'_>, k: NonZeroUsize, cold: &[bool]) -> Result<f64, MetricError> {
    let all = cold.iter().filter(|&&is_cold| is_cold).count();
    if all == 0 {
        return Err(MetricError::Empty { metric: "cold-coverage", over: "the items without a row before the test" });
    }
    let mut waiting = cold.to_vec();
    let mut found = 0usize;
    for item in lists.first(k) {
        let waits = waiting.get_mut(item as usize).ok_or(MetricError::UnknownItem { item, items: cold.len() })?;
        found += usize::from(*waits);
        *waits = false;
    }
    Ok(found as f64 / all as f64)
}

/// Mean popularity at k: mean number of training interactions of the recommended items, over all filled places
/// among the first `k` of all lists.
///
/// # Shapes
/// - `training_counts`: `[n_items]`, training interactions of each item
///
/// # Errors
/// [`MetricError::Empty`] when no place holds an item; [`MetricError::UnknownItem`].
pub fn mean_popularity(lists: Lists<'_>, k: NonZeroUsize, training_counts: &[u32]) -> Result<f64, MetricError> {
    let (mut sum, mut places) = (0u64, 0u64);
    for item in lists.first(k) {
        let count = training_counts
            .get(item as usize)
            .ok_or(MetricError::UnknownItem { item, items: training_counts.len() })?;
        sum += u64::from(*count);
        places += 1;
    }
    if places == 0 {
        return Err(MetricError::Empty { metric: "mean-popularity", over: "the recommended items" });
    }
    Ok(sum as f64 / places as f64)
}

/// Gini index at k of the number of lists that hold each candidate in the first `k` places: with the counts `c_1 ≤ … ≤ c_n`
/// ascending, `Σ_i (2i − n − 1)·c_i / (n·Σ c_i)`; in `[0, 1)`, 0 when every candidate is shown equally often.
/// Source: Fleder, Hosanagar, "Blockbuster Culture's Next Rise or Fall", doi:10.1287/mnsc.1080.0974.
///
/// # Shapes
/// - `candidates`: `[n_items]`; items with 0 are no candidates unless they are recommended
///
/// # Errors
/// [`MetricError::Empty`] when no place holds an item; [`MetricError::UnknownItem`].
pub fn gini(lists: Lists<'_>, k: NonZeroUsize, candidates: &[u32]) -> Result<f64, MetricError> {
    let mut shown = vec![0u64; candidates.len()];
    for item in lists.first(k) {
        *shown.get_mut(item as usize).ok_or(MetricError::UnknownItem { item, items: candidates.len() })? += 1;
    }
    let mut counts: Vec<u64> = shown
        .iter()
        .zip(candidates)
        .filter(|(shown, known)| **shown + u64::from(**known) > 0)
        .map(|(&c, _)| c)
        .collect();
    counts.sort_unstable();
    let (n, total) = (counts.len() as f64, counts.iter().sum::<u64>() as f64);
    if total == 0.0 {
        return Err(MetricError::Empty { metric: "gini", over: "the recommended items" });
    }
    let weighted: f64 = (1..).zip(&counts).map(|(i, &c)| (2.0 * f64::from(i) - n - 1.0) * c as f64).sum();
    Ok(weighted / (n * total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(k: usize) -> NonZeroUsize {
        NonZeroUsize::new(k).unwrap()
    }

    // Two lists of three over five items, of which item 4 has no training row.
    const ITEMS: [u32; 6] = [0, 1, 2, 1, 3, NO_ITEM];
    const COUNTS: [u32; 5] = [10, 4, 2, 1, 0];

    #[test]
    fn a_hand_worked_case() {
        let lists = Lists::new(&ITEMS, 3).unwrap();
        assert_eq!(coverage(lists, at(3), &COUNTS), Ok(1.0));
        assert_eq!(coverage(lists, at(1), &COUNTS), Ok(2.0 / 4.0));
        // Items 3 and 4 are cold: 3 is in a list, in the second place.
        let cold = [false, false, false, true, true];
        assert_eq!(cold_coverage(lists, at(3), &cold), Ok(0.5));
        assert_eq!(cold_coverage(lists, at(1), &cold), Ok(0.0));
        assert!(cold_coverage(lists, at(1), &[false; 5]).is_err());
        // (10 + 4 + 2 + 4 + 1) / 5 filled places
        assert_eq!(mean_popularity(lists, at(3), &COUNTS), Ok(21.0 / 5.0));
        assert_eq!(mean_popularity(lists, at(1), &COUNTS), Ok(14.0 / 2.0));
        // Lists that hold 0, 1, 2, 3, and no candidate besides: 1, 2, 1, 1. Ascending 1 1 1 2: (−3 − 1 + 1 + 6) / (4·5).
        assert_eq!(gini(lists, at(3), &COUNTS), Ok(3.0 / 20.0));
        assert_eq!((lists.len(), lists.list(0), lists.list(1)), (2, &[0, 1, 2][..], &[1, 3][..]));
    }

    #[test]
    fn wrong_shapes_are_errors_that_name_the_value() {
        assert_eq!(
            Lists::new(&ITEMS, 4).unwrap_err().to_string(),
            "6 places are not whole lists of 4; pad short lists with NO_ITEM"
        );
        let lists = Lists::new(&ITEMS, 3).unwrap();
        assert_eq!(
            coverage(lists, at(3), &COUNTS[..2]).unwrap_err().to_string(),
            "item 2 is recommended, but there are 2 items; ids and counts come from different data"
        );
        assert!(coverage(lists, at(3), &[0; 5]).is_err());
        assert!(mean_popularity(Lists::new(&[NO_ITEM], 1).unwrap(), at(1), &COUNTS).is_err());
    }

    proptest! {
        #[test]
        fn coverage_lies_between_zero_and_one_and_never_falls_as_k_grows(
            items in prop::collection::vec(0..20u32, 1..30), width in 1..6usize, k in 1..6usize
        ) {
            let whole = items.len() / width * width;
            prop_assume!(whole > 0);
            let lists = Lists::new(&items[..whole], width).unwrap();
            let at_k = coverage(lists, at(k), &[1; 20]).unwrap();
            prop_assert!(at_k > 0.0 && at_k <= coverage(lists, at(k + 1), &[1; 20]).unwrap());
            prop_assert!(coverage(lists, at(width), &[1; 20]).unwrap() <= 1.0);
        }

        #[test]
        fn gini_is_zero_for_equal_shares_and_grows_when_one_item_takes_all(n in 2u32..30, width in 1usize..4) {
            let all: Vec<u32> = (0..n).flat_map(|item| (0..width as u32).map(move |_| item)).collect();
            let counts = vec![1; n as usize];
            let equal = gini(Lists::new(&all, width).unwrap(), at(width), &counts).unwrap();
            prop_assert!(equal.abs() < 1e-12);
            let one = gini(Lists::new(&vec![0; n as usize], 1).unwrap(), at(1), &counts).unwrap();
            prop_assert!((one - f64::from(n - 1) / f64::from(n)).abs() < 1e-12);
        }

        #[test]
        fn mean_popularity_lies_between_the_least_and_the_most_popular_item(items in prop::collection::vec(0..5u32, 1..30)) {
            let value = mean_popularity(Lists::new(&items, 1).unwrap(), at(1), &[3, 1, 4, 1, 5]).unwrap();
            prop_assert!((1.0..=5.0).contains(&value));
        }
    }
}
