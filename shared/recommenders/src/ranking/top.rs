//! The best k of a stream of scored items.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// An item in the order of lists: `Less` comes first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scored {
    pub(crate) score: f32,
    pub(crate) tie_rank: u32,
    pub(crate) item: u32,
}

impl Eq for Scored {}

impl Ord for Scored {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.tie_rank.cmp(&other.tie_rank))
    }
}

impl PartialOrd for Scored {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Holds the best k of what it was offered, the worst of them on top of a heap.
#[derive(Debug)]
pub(crate) struct Best {
    heap: BinaryHeap<Scored>,
    k: usize,
    /// A score below it changes nothing: the worst score held once k are held, the lowest finite number before.
    threshold: f32,
    /// The best score among items that were turned away or thrown out.
    outside: f32,
}

impl Best {
    pub(crate) fn new(k: usize) -> Self {
        Self { heap: BinaryHeap::new(), k, threshold: f32::MIN, outside: f32::NEG_INFINITY }
    }

    #[inline(always)]
    pub(crate) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Takes the item when it is among the best k so far. `false` when the score is not finite.
    pub(crate) fn offer(&mut self, score: f32, tie_rank: u32, item: u32) -> bool {
        if !score.is_finite() {
            return false;
        }
        // −0 and 0 are one score; their sum is 0.
        let scored = Scored { score: score + 0.0, tie_rank, item };
        if self.heap.len() < self.k {
            self.heap.push(scored);
        } else if let Some(mut worst) = self.heap.peek_mut() {
            if scored < *worst {
                self.outside = self.outside.max(worst.score);
                *worst = scored;
            } else {
                self.outside = self.outside.max(scored.score);
            }
        }
        if self.heap.len() == self.k
            && let Some(worst) = self.heap.peek()
        {
            self.threshold = worst.score;
        }
        true
    }

    /// What is held, best first; empties it for the next stream.
    pub(crate) fn take(&mut self) -> Vec<Scored> {
        let sorted = std::mem::take(&mut self.heap).into_sorted_vec();
        self.clear();
        sorted
    }

    /// Writes what is held, best first, into the front of a list, and empties itself for the next stream. Whether the
    /// last place was decided by the tie rule.
    pub(crate) fn write(&mut self, items: &mut [u32], scores: &mut [f32]) -> bool {
        let ties = self.heap.len() == self.k && self.outside == self.threshold;
        let mut sorted = std::mem::take(&mut self.heap).into_sorted_vec();
        for (place, scored) in sorted.iter().enumerate() {
            items[place] = scored.item;
            scores[place] = scored.score;
        }
        // The allocation serves the next stream.
        sorted.clear();
        self.heap = BinaryHeap::from(sorted);
        self.clear();
        ties
    }

    fn clear(&mut self) {
        self.threshold = f32::MIN;
        self.outside = f32::NEG_INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use recspeed_metrics::NO_ITEM;

    proptest! {
        #[test]
        fn the_best_k_are_the_front_of_the_sorted_whole(scores in prop::collection::vec(-3i8..3, 1..60), k in 1..20usize) {
            let mut best = Best::new(k);
            let mut all: Vec<Scored> = Vec::new();
            for (item, &score) in scores.iter().enumerate() {
                // Tie ranks run against the order in which items arrive.
                let scored = Scored { score: f32::from(score), tie_rank: 100 - item as u32, item: item as u32 };
                all.push(scored);
                if scored.score >= best.threshold() {
                    prop_assert!(best.offer(scored.score, scored.tie_rank, scored.item));
                }
            }
            all.sort();
            let (mut items, mut values) = (vec![NO_ITEM; k], vec![0.0; k]);
            let ties = best.write(&mut items, &mut values);
            for (place, scored) in all.iter().take(k).enumerate() {
                prop_assert_eq!((items[place], values[place]), (scored.item, scored.score));
            }
            let expected = all.len() > k && all[k].score == all[k - 1].score;
            prop_assert_eq!(ties, expected);
        }
    }

    #[test]
    fn minus_zero_ties_with_zero() {
        let mut best = Best::new(1);
        assert!(best.offer(0.0, 2, 0) && best.offer(-0.0, 1, 1));
        assert_eq!(best.take()[0].item, 1);
    }

    #[test]
    fn scores_that_are_not_finite_are_refused() {
        assert!(!Best::new(1).offer(f32::NAN, 0, 0));
        assert!(!Best::new(1).offer(f32::INFINITY, 0, 0));
    }
}
