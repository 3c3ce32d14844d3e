//! The parameters of a network: their names, shapes and first numbers, in one fixed order.

use std::ops::Range;

use crate::random::{TableDraws, WeightDraws};

/// All parameters of a network, in the order in which everything stores them.
///
/// Parameters of two kinds. *Dense* ones lie one after another in one flat vector: a step updates all of them. *Tables*
/// hold a row for each id: a batch looks some rows up, and a step updates those rows and no others, so that its cost does
/// not depend on how many ids there are.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Layout {
    dense: Vec<Parameter>,
    tables: Vec<Table>,
}

/// Place of a dense parameter in its [`Layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DenseId(pub(crate) usize);

/// Place of a table in its [`Layout`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TableId(pub(crate) usize);

/// A parameter that takes part in every step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    /// Its name, unique in the network.
    pub(crate) name: String,
    /// One or two dimensions, row by row.
    pub(crate) shape: Vec<usize>,
    /// Where it lies in the flat vector.
    pub(crate) range: Range<usize>,
    initial: Initial,
}

/// A parameter with one row an id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Table {
    /// Its name, unique in the network.
    pub(crate) name: String,
    /// Ids.
    pub(crate) rows: usize,
    /// Numbers of each.
    pub(crate) width: usize,
    initial: Initial,
}

/// The numbers that a parameter starts with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Initial {
    /// Uniform in `±bound`.
    Uniform(f32),
    /// About normal, mean 0, with this standard deviation.
    Normal(f32),
    /// All the same number.
    Constant(f32),
}

impl Initial {
    /// The bound of PyTorch's `nn.Linear` (Kaiming uniform with a = √5) for a layer of this many inputs.
    pub(crate) fn linear(inputs: usize) -> Self {
        Self::Uniform(1.0 / (inputs.max(1) as f32).sqrt())
    }

    /// Glorot and Bengio, 2010: keeps the spread of activations and gradients alike from layer to layer.
    pub(crate) fn glorot(inputs: usize, outputs: usize) -> Self {
        Self::Uniform((6.0 / (inputs + outputs).max(1) as f32).sqrt())
    }
}

/// A fully connected layer `y = x W + b`: `W` is `[inputs, outputs]`, `b` `[outputs]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Linear {
    pub(crate) weight: DenseId,
    pub(crate) bias: DenseId,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Layout {
    /// Adds a dense parameter.
    pub(crate) fn dense(&mut self, name: impl Into<String>, shape: &[usize], initial: Initial) -> DenseId {
        let start = self.flat_len();
        let range = start..start + shape.iter().product::<usize>();
        self.dense.push(Parameter { name: name.into(), shape: shape.to_vec(), range, initial });
        DenseId(self.dense.len() - 1)
    }

    /// Adds a table.
    pub(crate) fn table(&mut self, name: impl Into<String>, rows: usize, width: usize, initial: Initial) -> TableId {
        self.tables.push(Table { name: name.into(), rows, width, initial });
        TableId(self.tables.len() - 1)
    }

    /// Adds weight and bias of a layer as `name.weight` and `name.bias`, both with PyTorch's bounds.
    pub(crate) fn linear(&mut self, name: &str, inputs: usize, outputs: usize) -> Linear {
        let initial = Initial::linear(inputs);
        let weight = self.dense(format!("{name}.weight"), &[inputs, outputs], initial);
        let bias = self.dense(format!("{name}.bias"), &[outputs], initial);
        Linear { weight, bias, inputs, outputs }
    }

    /// The dense parameters.
    pub(crate) fn parameters(&self) -> &[Parameter] {
        &self.dense
    }

    /// The tables.
    pub(crate) fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// Numbers of the flat vector.
    pub(crate) fn flat_len(&self) -> usize {
        self.dense.last().map_or(0, |last| last.range.end)
    }

    /// Numbers of all tables.
    pub(crate) fn table_len(&self) -> usize {
        self.tables.iter().map(|table| table.rows * table.width).sum()
    }

    /// Learnt numbers.
    pub(crate) fn len(&self) -> usize {
        self.flat_len() + self.table_len()
    }

    /// First numbers of the dense parameters, drawn one after another.
    ///
    /// # Shapes
    /// - returns: `[flat_len]`
    pub(crate) fn initial_flat(&self, seed: u64) -> Vec<f32> {
        let mut draws = WeightDraws::new(seed);
        let mut flat = Vec::with_capacity(self.flat_len());
        for parameter in &self.dense {
            flat.extend((0..parameter.range.len()).map(|_| match parameter.initial {
                Initial::Uniform(bound) => draws.uniform(bound),
                Initial::Normal(deviation) => draws.normal(deviation),
                Initial::Constant(value) => value,
            }));
        }
        flat
    }

    /// First numbers of each table. Each has a random stream of its own, so a table more moves no other number.
    ///
    /// # Shapes
    /// - returns: for each table `[rows × width]`
    pub(crate) fn initial_tables(&self, seed: u64) -> Vec<Vec<f32>> {
        let numbers = |(index, table): (usize, &Table)| {
            let mut draws = TableDraws::new(seed, index as u32);
            let count = table.rows * table.width;
            match table.initial {
                Initial::Uniform(bound) => (0..count).map(|_| draws.uniform(bound)).collect(),
                Initial::Normal(deviation) => (0..count).map(|_| draws.normal(deviation)).collect(),
                Initial::Constant(value) => vec![value; count],
            }
        };
        self.tables.iter().enumerate().map(numbers).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.linear("first", 3, 4);
        layout.table("users", 5, 2, Initial::Normal(0.1));
        layout.linear("last", 4, 1);
        layout
    }

    #[test]
    fn dense_parameters_tile_the_flat_vector_without_gaps() {
        let layout = layout();
        let mut end = 0;
        for parameter in layout.parameters() {
            assert_eq!(parameter.range.start, end, "{}", parameter.name);
            assert_eq!(parameter.range.len(), parameter.shape.iter().product::<usize>());
            end = parameter.range.end;
        }
        assert_eq!((layout.flat_len(), layout.table_len(), layout.len()), (21, 10, 31));
        assert_eq!(layout.initial_flat(1).len(), 21);
    }

    #[test]
    fn a_table_more_moves_no_other_first_number() {
        let one = layout();
        let mut two = layout();
        two.table("items", 7, 2, Initial::Normal(0.1));
        assert_eq!(one.initial_flat(3), two.initial_flat(3));
        assert_eq!(one.initial_tables(3)[0], two.initial_tables(3)[0]);
        assert_ne!(one.initial_tables(3), one.initial_tables(4));
    }
}
