//! Tables: what a batch looks up in them, and the step of an optimizer that moves those rows and no others.
//!
//! Adam is the lazy one, as `torch.optim.SparseAdam` and TensorFlow's `LazyAdam`: a row's moments and numbers change in the
//! steps that look it up and rest in the others, while the correction of their bias goes by all steps. Weight decay pulls a
//! row in those steps too. Stochastic gradient descent without decay is the same either way.

use std::sync::Arc;

use burn::tensor::Tensor;
use recspeed_types::spec::{Optimizer, Training};

use super::layout::Table;
use super::update::EPSILON;

/// β of Adam.
const BETA: (f32, f32) = (0.9, 0.999);

/// What a batch looks up in one table: at each place one row, or the weighted sum of a bag of rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct LookUp {
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
    pub(crate) fn bags() -> Self {
        Self { ids: Vec::new(), bags: Some((Vec::new(), Vec::new())) }
    }

    /// Adds a place: the sum of these rows, each times its weight. An empty bag is zeros. After [`Self::bags`] only.
    pub(crate) fn push_bag(&mut self, bag: impl IntoIterator<Item = (u32, f32)>) {
        if let Some((ends, weights)) = &mut self.bags {
            for (id, weight) in bag {
                self.ids.push(id);
                weights.push(weight);
            }
            ends.push(self.ids.len() as u32);
        }
    }

    /// Places.
    pub(crate) fn len(&self) -> usize {
        self.bags.as_ref().map_or(self.ids.len(), |(ends, _)| ends.len())
    }

    /// # Shapes
    /// - `table`: `[rows × width]`
    /// - returns: `[places × width]`
    pub(crate) fn gather(&self, table: &[f32], width: usize) -> Vec<f32> {
        let row = |id: u32| &table[id as usize * width..][..width];
        let Some((ends, weights)) = &self.bags else {
            let mut rows = Vec::with_capacity(self.ids.len() * width);
            for &id in &self.ids {
                rows.extend_from_slice(row(id));
            }
            return rows;
        };
        let mut sums = vec![0.0; ends.len() * width];
        let mut start = 0;
        for (sum, &end) in sums.chunks_exact_mut(width.max(1)).zip(ends) {
            let bag = start..end as usize;
            for (&id, weight) in self.ids[bag.clone()].iter().zip(&weights[bag]) {
                for (sum, value) in sum.iter_mut().zip(row(id)) {
                    *sum += weight * value;
                }
            }
            start = end as usize;
        }
        sums
    }

    /// Every id with its place and its weight, in the order of the places.
    fn entries(&self) -> Vec<(u32, u32, f32)> {
        match &self.bags {
            None => self.ids.iter().enumerate().map(|(place, &id)| (id, place as u32, 1.0)).collect(),
            Some((ends, weights)) => {
                let mut entries = Vec::with_capacity(self.ids.len());
                let mut start = 0;
                for (place, &end) in ends.iter().enumerate() {
                    entries.extend((start..end as usize).map(|at| (self.ids[at], place as u32, weights[at])));
                    start = end as usize;
                }
                entries
            }
        }
    }
}

/// The gradient by the rows of one table.
pub(crate) struct RowGradient {
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
    /// - `gradient`: `[places, width]`
    pub(crate) fn new(look_up: &LookUp, gradient: Tensor<2>) -> Self {
        let width = gradient.dims()[1];
        let data = gradient.into_data();
        let gradient = data.as_slice::<f32>().expect("networks compute in f32 on every device");
        let mut entries = look_up.entries();
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

    /// Sum of the squares.
    pub(crate) fn squares(&self) -> f64 {
        self.values.iter().map(|value| f64::from(*value).powi(2)).sum()
    }

    /// A value that is no finite number, where there is one.
    pub(crate) fn not_finite(&self) -> Option<f32> {
        self.values.iter().copied().find(|value| !value.is_finite())
    }
}

/// Numbers as long as each table.
type OfTables = Vec<Vec<f32>>;

/// The update rule of the tables with its state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowUpdate {
    optimizer: Optimizer,
    learning_rate: f32,
    weight_decay: f32,
    /// First and second moment of every table, as long as the tables; none for stochastic gradient descent.
    moments: Option<(OfTables, OfTables)>,
}

impl RowUpdate {
    pub(crate) fn new(training: &Training, tables: &[Table]) -> Self {
        let zeros = || tables.iter().map(|table| vec![0.0; table.rows * table.width]).collect::<Vec<_>>();
        Self {
            optimizer: training.optimizer,
            learning_rate: training.learning_rate as f32,
            weight_decay: training.weight_decay as f32,
            moments: (training.optimizer != Optimizer::Sgd).then(|| (zeros(), zeros())),
        }
    }

    /// All moments, the first of every table before the second of any; empty without moments.
    pub(crate) fn moments(&self) -> (Vec<f32>, Vec<f32>) {
        self.moments.as_ref().map_or_else(Default::default, |(first, second)| (first.concat(), second.concat()))
    }

    /// Takes up moments as [`Self::moments`] gave them.
    pub(crate) fn set_moments(&mut self, first: &[f32], second: &[f32]) {
        if let Some(moments) = &mut self.moments {
            for (mine, theirs) in [(&mut moments.0, first), (&mut moments.1, second)] {
                let mut rest = theirs;
                for table in mine {
                    let (head, tail) = rest.split_at(table.len());
                    table.copy_from_slice(head);
                    rest = tail;
                }
            }
        }
    }

    /// Moves the rows that have a gradient, scaled by `factor`. `step`: steps taken before this one.
    pub(crate) fn step(&mut self, tables: &mut [Arc<Vec<f32>>], gradients: &[RowGradient], factor: f32, step: u64) {
        let time = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let second_bias = (1.0 - BETA.1.powi(time)).sqrt();
        let (correction, epsilon) = (second_bias / (1.0 - BETA.0.powi(time)), EPSILON * second_bias);
        let rate = self.learning_rate;
        // Adam's decay is part of the gradient; the others pull the numbers themselves.
        let (inside, outside) = match self.optimizer {
            Optimizer::Adam | Optimizer::Sgd => (self.weight_decay, 1.0),
            Optimizer::Adamw => (0.0, 1.0 - rate * self.weight_decay),
        };
        for (index, (table, gradient)) in tables.iter_mut().zip(gradients).enumerate() {
            let width = gradient.width;
            let table = Arc::make_mut(table);
            let mut moments = self.moments.as_mut().map(|(first, second)| (&mut first[index], &mut second[index]));
            for (&id, values) in gradient.ids.iter().zip(gradient.values.chunks_exact(width.max(1))) {
                let at = id as usize * width..(id as usize + 1) * width;
                let row = &mut table[at.clone()];
                match &mut moments {
                    None => {
                        for (number, value) in row.iter_mut().zip(values) {
                            *number -= rate * (value * factor + inside * *number);
                        }
                    }
                    Some((first, second)) => {
                        let (first, second) = (&mut first[at.clone()], &mut second[at]);
                        for (((number, value), m), v) in row.iter_mut().zip(values).zip(first).zip(second) {
                            let slope = value * factor + inside * *number;
                            *m = BETA.0 * *m + (1.0 - BETA.0) * slope;
                            *v = BETA.1 * *v + (1.0 - BETA.1) * slope * slope;
                            *number = *number * outside - rate * correction * *m / (v.sqrt() + epsilon);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use recspeed_types::ExperimentSpec;

    fn table() -> Vec<f32> {
        vec![1.0, 2.0, 10.0, 20.0, 100.0, 200.0]
    }

    fn look_up() -> LookUp {
        let mut bags = LookUp::bags();
        bags.push_bag([(2, 0.5), (0, 1.0)]);
        bags.push_bag([]);
        bags.push_bag([(0, 3.0)]);
        bags
    }

    #[test]
    fn a_bag_is_the_weighted_sum_of_its_rows() {
        assert_eq!(look_up().gather(&table(), 2), [51.0, 102.0, 0.0, 0.0, 3.0, 6.0]);
        assert_eq!(LookUp::from(vec![1, 1, 0]).gather(&table(), 2), [10.0, 20.0, 10.0, 20.0, 1.0, 2.0]);
        assert_eq!((look_up().len(), LookUp::from(vec![1, 1]).len()), (3, 2));
    }

    #[test]
    fn a_row_gets_the_sum_of_what_its_places_got() {
        let device = NeuralDevice::flex().plain();
        let gradient = Tensor::<2>::from_floats([[1.0, 10.0], [5.0, 5.0], [2.0, 20.0]], &device);
        let of_bags = RowGradient::new(&look_up(), gradient.clone());
        assert_eq!((of_bags.ids, of_bags.values), (vec![0, 2], vec![1.0 + 6.0, 10.0 + 60.0, 0.5, 5.0]));
        let of_rows = RowGradient::new(&LookUp::from(vec![2, 1, 2]), gradient);
        assert_eq!((of_rows.ids, of_rows.values), (vec![1, 2], vec![5.0, 5.0, 3.0, 30.0]));
    }

    #[test]
    fn rows_that_were_not_looked_up_rest() {
        let device = NeuralDevice::flex().plain();
        for optimizer in Optimizer::ALL {
            let training = ExperimentSpec::default().resolve().unwrap().training.unwrap();
            let training = Training { optimizer, weight_decay: 0.1, learning_rate: 0.1, ..training };
            let mut layout = super::super::layout::Layout::default();
            layout.table("t", 3, 2, super::super::layout::Initial::Constant(0.0));
            let mut update = RowUpdate::new(&training, layout.tables());
            let mut tables = vec![Arc::new(table())];
            let gradient = Tensor::<2>::from_floats([[1.0, -1.0]], &device);
            for step in 0..3 {
                let gradient = RowGradient::new(&LookUp::from(vec![1]), gradient.clone());
                update.step(&mut tables, &[gradient], 1.0, step);
            }
            assert_eq!((&tables[0][..2], &tables[0][4..]), (&table()[..2], &table()[4..]), "{optimizer:?}");
            assert!(tables[0][2] < 10.0, "{optimizer:?}: {:?}", tables[0]);
        }
    }
}
