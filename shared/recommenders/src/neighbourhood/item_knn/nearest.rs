//! The nearest of the items that one item has something in common with.

/// Gathers all, then selects: the order among those that are kept is nobody's business, so nothing is sorted.
pub(super) struct Nearest {
    /// Each as one number, the nearest the smallest: the bits of its similarity, turned round, then its rank among equals.
    keys: Vec<u64>,
    kept: usize,
}

impl Nearest {
    pub(super) fn new(kept: usize) -> Self {
        Self { keys: Vec::new(), kept }
    }

    /// Takes an item that is similar; a similarity that is not above 0, or no finite number, is none.
    #[inline(always)]
    pub(super) fn offer(&mut self, similarity: f32, tie_rank: u32) {
        if similarity > 0.0 && similarity < f32::INFINITY {
            // Bits of positive numbers are in the order of the numbers.
            self.keys.push(u64::from(!similarity.to_bits()) << 32 | u64::from(tie_rank));
        }
    }

    /// Similarity and rank of the `kept` most similar, of equal ones those of the lower rank; empties itself.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (f32, u32)> {
        if self.keys.len() > self.kept {
            self.keys.select_nth_unstable(self.kept - 1);
            self.keys.truncate(self.kept);
        }
        self.keys.drain(..).map(|key| (f32::from_bits(!((key >> 32) as u32)), key as u32))
    }
}

/// The item of each tie rank.
pub(super) fn inverse(tie_ranks: &[u32]) -> Vec<u32> {
    let mut items = vec![0; tie_ranks.len()];
    for (item, &rank) in (0..).zip(tie_ranks) {
        items[rank as usize] = item;
    }
    items
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ranking::Best;

    proptest! {
        #[test]
        fn the_nearest_are_those_of_a_sorted_list(halves in prop::collection::vec(-3i8..6, 0..80), kept in 1..20usize) {
            let (mut nearest, mut best) = (Nearest::new(kept), Best::new(kept));
            let n = halves.len() as u32;
            for (item, &half) in (0..).zip(&halves) {
                let (similarity, rank) = (f32::from(half) / 2.0, n - 1 - item);
                nearest.offer(similarity, rank);
                if similarity > 0.0 {
                    best.offer(similarity, rank, item);
                }
            }
            let mut found: Vec<(f32, u32)> = nearest.take().collect();
            found.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            let expected: Vec<(f32, u32)> = best.take().into_iter().map(|each| (each.score, each.tie_rank)).collect();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(nearest.take().count(), 0);
        }
    }

    #[test]
    fn what_is_no_similarity_is_not_taken() {
        let mut nearest = Nearest::new(3);
        for none in [0.0, -0.0, -1.0, f32::NAN, f32::INFINITY] {
            nearest.offer(none, 0);
        }
        assert_eq!(nearest.take().count(), 0);
    }

    #[test]
    fn ranks_are_turned_into_items() {
        assert_eq!(inverse(&[2, 0, 1]), [1, 2, 0]);
    }
}
