//! What the rows of a table got.

use super::LookUp;

/// The gradient by the rows of one table.
#[derive(Debug, Clone, PartialEq)]
pub struct RowGradient {
    /// Rows with a gradient, ascending, each once.
    ids: Vec<u32>,
    width: usize,
    /// `[ids, width]`
    values: Vec<f32>,
}

impl RowGradient {
    /// Adds up what each row got at its several places in the batch, in the order of the places.
    ///
    /// # Shapes
    /// - `gradient`: `[places × width]`
    pub fn new(look_up: &LookUp, gradient: &[f32], width: usize) -> Self {
        Self::of_entries(look_up.entries().collect(), gradient, width)
    }

    /// The same of rows, each with the place in `gradient` that it got something at, and its weight there.
    pub(super) fn of_entries(mut entries: Vec<(u32, u32, f32)>, gradient: &[f32], width: usize) -> Self {
        entries.sort_by_key(|(id, ..)| *id);
        let mut sums = Self { ids: Vec::new(), width, values: Vec::new() };
        for (id, place, weight) in entries {
            let row = &gradient[place as usize * width..][..width];
            if sums.ids.last() == Some(&id) {
                let start = sums.values.len() - width;
                for (sum, value) in sums.values[start..].iter_mut().zip(row) {
                    *sum += weight * value;
                }
            } else {
                sums.ids.push(id);
                sums.values.extend(row.iter().map(|value| weight * value));
            }
        }
        sums
    }

    /// Rows with a gradient, ascending, and what each got.
    pub fn rows(&self) -> impl Iterator<Item = (u32, &[f32])> {
        self.ids.iter().copied().zip(self.values.chunks_exact(self.width.max(1)))
    }

    /// Sum of the squares.
    pub fn squares(&self) -> f64 {
        self.values.iter().map(|value| f64::from(*value).powi(2)).sum()
    }

    /// A value that is no finite number, where there is one.
    pub fn not_finite(&self) -> Option<f32> {
        self.values.iter().copied().find(|value| !value.is_finite())
    }

    /// Bytes that it takes.
    pub(super) fn bytes(&self) -> u64 {
        4 * (self.ids.len() + self.values.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_gets_the_sum_of_what_its_places_got() {
        let mut bags = LookUp::bags();
        bags.push_bag([(2, 0.5), (0, 1.0)]);
        bags.push_bag([]);
        bags.push_bag([(0, 3.0)]);
        let gradient = [1.0, 10.0, 5.0, 5.0, 2.0, 20.0];
        let of_bags = RowGradient::new(&bags, &gradient, 2);
        let expected: [(u32, &[f32]); 2] = [(0, &[1.0 + 6.0, 10.0 + 60.0]), (2, &[0.5, 5.0])];
        assert_eq!(of_bags.rows().collect::<Vec<_>>(), expected);
        let of_rows = RowGradient::new(&LookUp::from(vec![2, 1, 2]), &gradient, 2);
        let expected: [(u32, &[f32]); 2] = [(1, &[5.0, 5.0]), (2, &[3.0, 30.0])];
        assert_eq!(of_rows.rows().collect::<Vec<_>>(), expected);
        assert_eq!(of_rows.squares(), 25.0 + 25.0 + 9.0 + 900.0);
    }
}
