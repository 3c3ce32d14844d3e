//! Metrics of one user's ranked list; the mean over the evaluated users is the reported value.
//!
//! # Shapes
//! - `ranked`: best first, every item once; only the first `k` places count, and a shorter list has misses at its end
//! - `relevant`: the user's held-out items, ascending, every item once
//! - results lie in `[0, 1]`
//!
//! Every function fails with [`MetricError::NoRelevantItems`] when `relevant` is empty. `k` is at least 1.

use std::num::NonZeroUsize;

use recspeed_types::MetricKind;

use crate::MetricError;

/// Relevant items among the first `k`, divided by `k` (not by the length of a shorter list).
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn precision(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::Precision, ranked, relevant, k).map(|list| list.precision())
}

/// Relevant items among the first `k`, divided by the number of relevant items.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn recall(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::Recall, ranked, relevant, k).map(|list| list.recall())
}

/// Harmonic mean of [`precision`] and [`recall`]; 0 without a relevant item.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn f1(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::F1, ranked, relevant, k).map(|list| list.f1())
}

/// 1 when at least one of the first `k` is relevant, else 0.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn hit(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::Hit, ranked, relevant, k).map(|list| list.hit())
}

/// Normalised discounted cumulative gain with binary relevance: `Σ_{r≤k} rel_r / log2(r + 1)`, divided by
/// `Σ_{r≤min(k, |relevant|)} 1 / log2(r + 1)`, the best value possible.
/// Source: Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques", doi:10.1145/582415.582418.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn ndcg(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::Ndcg, ranked, relevant, k).map(|list| list.ndcg())
}

/// Average precision: `Σ precision@r` over the ranks `r ≤ k` that hold a relevant item, divided by `k`.
/// Other libraries divide by `min(k, |relevant|)`: their numbers are larger.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn average_precision(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::Map, ranked, relevant, k).map(|list| list.average_precision())
}

/// `1 / rank` of the first relevant item, 0 when it lies beyond `k`.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn reciprocal_rank(ranked: &[u32], relevant: &[u32], k: NonZeroUsize) -> Result<f64, MetricError> {
    Judged::new(MetricKind::Mrr, ranked, relevant, k).map(|list| list.reciprocal_rank())
}

/// The per-user value of any ranking metric by its kind; `None` for kinds that need more than the list and
/// the relevant items.
///
/// # Errors
/// [`MetricError::NoRelevantItems`].
pub fn of_user(
    kind: MetricKind,
    ranked: &[u32],
    relevant: &[u32],
    k: NonZeroUsize,
) -> Result<Option<f64>, MetricError> {
    let list = Judged::new(kind, ranked, relevant, k)?;
    Ok(match kind {
        MetricKind::Precision => Some(list.precision()),
        MetricKind::Recall => Some(list.recall()),
        MetricKind::F1 => Some(list.f1()),
        MetricKind::Hit => Some(list.hit()),
        MetricKind::Ndcg => Some(list.ndcg()),
        MetricKind::Map => Some(list.average_precision()),
        MetricKind::Mrr => Some(list.reciprocal_rank()),
        _ => None,
    })
}

/// The first `k` places of a list, and what is relevant.
struct Judged<'a> {
    ranked: &'a [u32],
    relevant: &'a [u32],
    k: usize,
}

impl<'a> Judged<'a> {
    fn new(metric: MetricKind, ranked: &'a [u32], relevant: &'a [u32], k: NonZeroUsize) -> Result<Self, MetricError> {
        debug_assert!(relevant.is_sorted_by(|a, b| a < b), "relevant items are ascending and unique");
        if relevant.is_empty() {
            return Err(MetricError::NoRelevantItems { metric: metric.as_str() });
        }
        Ok(Self { ranked: &ranked[..ranked.len().min(k.get())], relevant, k: k.get() })
    }

    /// Ranks from 1 that hold a relevant item, ascending.
    fn hit_ranks(&self) -> impl Iterator<Item = usize> + '_ {
        let relevant = self.relevant;
        self.ranked
            .iter()
            .enumerate()
            .filter(move |(_, item)| relevant.binary_search(item).is_ok())
            .map(|(place, _)| place + 1)
    }

    fn precision(&self) -> f64 {
        self.hit_ranks().count() as f64 / self.k as f64
    }

    fn recall(&self) -> f64 {
        self.hit_ranks().count() as f64 / self.relevant.len() as f64
    }

    fn f1(&self) -> f64 {
        // 2PR / (P + R) with P = h/k and R = h/n is 2h / (k + n).
        2.0 * self.hit_ranks().count() as f64 / (self.k + self.relevant.len()) as f64
    }

    fn hit(&self) -> f64 {
        if self.hit_ranks().next().is_some() { 1.0 } else { 0.0 }
    }

    fn ndcg(&self) -> f64 {
        // From 0: the sum of nothing is minus 0, which reads like another number.
        let gain = self.hit_ranks().map(discount).fold(0.0, |sum, part| sum + part);
        let ideal: f64 = (1..=self.k.min(self.relevant.len())).map(discount).sum();
        gain / ideal
    }

    fn average_precision(&self) -> f64 {
        let parts = self.hit_ranks().enumerate().map(|(before, rank)| (before + 1) as f64 / rank as f64);
        parts.fold(0.0, |sum, part| sum + part) / self.k as f64
    }

    fn reciprocal_rank(&self) -> f64 {
        self.hit_ranks().next().map_or(0.0, |rank| 1.0 / rank as f64)
    }
}

fn discount(rank: usize) -> f64 {
    1.0 / ((rank + 1) as f64).log2()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use recspeed_types::metric::METRIC_KINDS;

    fn at(k: usize) -> NonZeroUsize {
        NonZeroUsize::new(k).unwrap()
    }

    // Places 1..5 hold items 7, 3, 9, 1, 4; relevant are 3, 4 and 8: hits at ranks 2 and 5, one item never ranked.
    const RANKED: [u32; 5] = [7, 3, 9, 1, 4];
    const RELEVANT: [u32; 3] = [3, 4, 8];

    #[test]
    fn a_hand_worked_case() {
        assert_eq!(precision(&RANKED, &RELEVANT, at(5)), Ok(2.0 / 5.0));
        assert_eq!(recall(&RANKED, &RELEVANT, at(5)), Ok(2.0 / 3.0));
        // 2 · 2/5 · 2/3 / (2/5 + 2/3) = 1/2
        assert_eq!(f1(&RANKED, &RELEVANT, at(5)), Ok(0.5));
        assert_eq!(hit(&RANKED, &RELEVANT, at(5)), Ok(1.0));
        assert_eq!(reciprocal_rank(&RANKED, &RELEVANT, at(5)), Ok(0.5));
        // (1/2 + 2/5) / 5
        assert!((average_precision(&RANKED, &RELEVANT, at(5)).unwrap() - 0.18).abs() < 1e-12);
        // (1/log2 3 + 1/log2 6) / (1 + 1/log2 3 + 1/log2 4)
        let expected = (0.630_929_753_571_457_5 + 0.386_852_807_234_541_6) / (1.0 + 0.630_929_753_571_457_5 + 0.5);
        assert!((ndcg(&RANKED, &RELEVANT, at(5)).unwrap() - expected).abs() < 1e-12);
    }

    #[test]
    fn places_beyond_k_do_not_count() {
        assert_eq!(hit(&RANKED, &RELEVANT, at(1)), Ok(0.0));
        assert_eq!(reciprocal_rank(&RANKED, &RELEVANT, at(1)), Ok(0.0));
        assert_eq!(precision(&RANKED, &RELEVANT, at(2)), Ok(0.5));
    }

    #[test]
    fn a_list_without_a_hit_is_worth_0_and_not_minus_0() {
        for value in [ndcg(&RANKED, &[8], at(5)), average_precision(&RANKED, &[8], at(5))] {
            assert_eq!(value.map(f64::to_bits), Ok(0));
        }
    }

    #[test]
    fn a_short_list_is_divided_by_k_all_the_same() {
        assert_eq!(precision(&[3], &RELEVANT, at(10)), Ok(0.1));
        assert_eq!(average_precision(&[3], &RELEVANT, at(10)), Ok(0.1));
    }

    #[test]
    fn a_user_without_relevant_items_has_no_value() {
        assert_eq!(
            ndcg(&RANKED, &[], at(5)).unwrap_err().to_string(),
            "ndcg of a user without relevant items is undefined; leave the user out of the mean"
        );
    }

    #[test]
    fn every_kind_that_judges_a_list_by_its_relevant_items_has_a_value() {
        let here = METRIC_KINDS.into_iter().filter(|&k| of_user(k, &RANKED, &RELEVANT, at(5)).unwrap().is_some());
        let names: Vec<_> = here.map(MetricKind::as_str).collect();
        assert_eq!(names, ["precision", "recall", "f1", "hit", "ndcg", "map", "mrr"]);
    }

    fn list_and_relevant() -> impl Strategy<Value = (Vec<u32>, Vec<u32>)> {
        let items = Just((0..60u32).collect::<Vec<_>>()).prop_shuffle();
        (items, 0..=40usize, prop::collection::btree_set(0..60u32, 1..20))
            .prop_map(|(items, length, relevant)| (items[..length].to_vec(), relevant.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn every_value_lies_between_zero_and_one((ranked, relevant) in list_and_relevant(), k in 1..50usize) {
            for kind in METRIC_KINDS {
                if let Some(value) = of_user(kind, &ranked, &relevant, at(k)).unwrap() {
                    prop_assert!((0.0..=1.0).contains(&value), "{} = {value}", kind.as_str());
                }
            }
        }

        #[test]
        fn recall_and_hit_never_fall_as_k_grows((ranked, relevant) in list_and_relevant(), k in 1..50usize) {
            for metric in [recall, hit, reciprocal_rank] {
                prop_assert!(metric(&ranked, &relevant, at(k)).unwrap() <= metric(&ranked, &relevant, at(k + 1)).unwrap());
            }
        }

        #[test]
        fn ndcg_is_one_exactly_for_ideal_lists((ranked, relevant) in list_and_relevant(), k in 1..50usize) {
            let mut ideal = relevant.clone();
            ideal.extend(ranked.iter().filter(|item| !relevant.contains(item)));
            prop_assert_eq!(ndcg(&ideal, &relevant, at(k)), Ok(1.0));
            let first = ranked.len().min(k).min(relevant.len());
            let is_ideal = first == k.min(relevant.len()) && ranked[..first].iter().all(|item| relevant.contains(item));
            prop_assert_eq!(ndcg(&ranked, &relevant, at(k)).unwrap() > 1.0 - 1e-12, is_ideal);
        }

        #[test]
        fn moving_a_relevant_item_up_never_hurts((ranked, relevant) in list_and_relevant(), k in 1..50usize, choice in any::<prop::sample::Index>()) {
            let is_relevant = |place: usize| relevant.contains(&ranked[place]);
            let movable: Vec<usize> = (1..ranked.len()).filter(|&p| is_relevant(p) && !is_relevant(p - 1)).collect();
            if movable.is_empty() {
                return Ok(());
            }
            let place = *choice.get(&movable);
            let mut better = ranked.clone();
            better.swap(place, place - 1);
            for kind in METRIC_KINDS {
                if let Some(before) = of_user(kind, &ranked, &relevant, at(k)).unwrap() {
                    let after = of_user(kind, &better, &relevant, at(k)).unwrap().unwrap();
                    prop_assert!(after >= before - 1e-12, "{}: {before} -> {after}", kind.as_str());
                }
            }
        }
    }
}
