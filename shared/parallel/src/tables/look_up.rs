//! What a batch looks up in a table.

use std::ops::Range;

/// What a batch looks up in one table: at each place one row, or the weighted sum of a bag of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LookUp {
    /// Rows of the table.
    ids: Vec<u32>,
    /// Where the bag of each place ends among `ids`, and the weight of each id; `None` where each place is one row.
    bags: Option<(Vec<u32>, Vec<f32>)>,
}

impl From<Vec<u32>> for LookUp {
    /// One row at each place.
    fn from(ids: Vec<u32>) -> Self {
        Self { ids, bags: None }
    }
}

impl LookUp {
    /// Nothing so far, in bags.
    pub fn bags() -> Self {
        Self { ids: Vec::new(), bags: Some((Vec::new(), Vec::new())) }
    }

    /// Adds a place: the sum of these rows, each times its weight. An empty bag is zeros. After [`Self::bags`] only.
    pub fn push_bag(&mut self, bag: impl IntoIterator<Item = (u32, f32)>) {
        if let Some((ends, weights)) = &mut self.bags {
            for (id, weight) in bag {
                self.ids.push(id);
                weights.push(weight);
            }
            ends.push(self.ids.len() as u32);
        }
    }

    /// Places.
    pub fn len(&self) -> usize {
        self.bags.as_ref().map_or(self.ids.len(), |(ends, _)| ends.len())
    }

    /// Whether nothing is looked up.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vectors of all places, of a whole table.
    ///
    /// # Shapes
    /// - `table`: `[rows × width]`
    /// - returns: `[places × width]`
    pub fn gather(&self, table: &[f32], width: usize) -> Vec<f32> {
        let row = |id: u32| &table[id as usize * width..][..width];
        if self.bags.is_none() {
            let mut rows = Vec::with_capacity(self.ids.len() * width);
            for &id in &self.ids {
                rows.extend_from_slice(row(id));
            }
            return rows;
        }
        let mut sums = vec![0.0; self.len() * width];
        for (place, sum) in sums.chunks_exact_mut(width.max(1)).enumerate() {
            for (id, weight) in self.at(place) {
                for (sum, value) in sum.iter_mut().zip(row(id)) {
                    *sum += weight * value;
                }
            }
        }
        sums
    }

    /// Whether each place is the sum of a bag.
    pub(super) const fn has_bags(&self) -> bool {
        self.bags.is_some()
    }

    /// The rows at a place with their weights.
    pub(super) fn at(&self, place: usize) -> impl Iterator<Item = (u32, f32)> {
        let range = self.range(place);
        let weights = self.bags.as_ref().map(|(_, weights)| &weights[range.clone()]);
        let ids = self.ids[range].iter().enumerate();
        ids.map(move |(at, &id)| (id, weights.map_or(1.0, |weights| weights[at])))
    }

    fn range(&self, place: usize) -> Range<usize> {
        match &self.bags {
            None => place..place + 1,
            Some((ends, _)) => place.checked_sub(1).map_or(0, |before| ends[before] as usize)..ends[place] as usize,
        }
    }

    /// Every id with its place and its weight, in the order of the places.
    pub(super) fn entries(&self) -> impl Iterator<Item = (u32, u32, f32)> {
        (0..self.len()).flat_map(|place| self.at(place).map(move |(id, weight)| (id, place as u32, weight)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_is_the_weighted_sum_of_its_rows() {
        let table = [1.0, 2.0, 10.0, 20.0, 100.0, 200.0];
        let mut bags = LookUp::bags();
        bags.push_bag([(2, 0.5), (0, 1.0)]);
        bags.push_bag([]);
        bags.push_bag([(0, 3.0)]);
        assert_eq!(bags.gather(&table, 2), [51.0, 102.0, 0.0, 0.0, 3.0, 6.0]);
        assert_eq!(LookUp::from(vec![1, 1, 0]).gather(&table, 2), [10.0, 20.0, 10.0, 20.0, 1.0, 2.0]);
        assert_eq!((bags.len(), LookUp::from(vec![1, 1]).len()), (3, 2));
        assert_eq!(bags.entries().collect::<Vec<_>>(), [(2, 0, 0.5), (0, 0, 1.0), (0, 2, 3.0)]);
    }
}
