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
    /// The same in all columns but the last, which starts with 0: the biases of the rows.
    NormalBeforeBias(f32),
    /// All the same number.
    Constant(f32),
}

impl Parameter {
    /// The numbers of the last dimension.
    fn width(&self) -> usize {
        self.shape.last().copied().unwrap_or(1).max(1)
    }

    /// Whether the number at this place of the flat vector is the last of its row.
    fn is_bias(&self, at: usize) -> bool {
        (at - self.range.start) % self.width() == self.width() - 1
    }

    /// Words of the random stream that its first so many numbers take.
    fn words(&self, numbers: usize) -> u64 {
        let (drawn, words) = match self.initial {
            Initial::Uniform(_) => (numbers, WeightDraws::UNIFORM),
            Initial::Normal(_) => (numbers, WeightDraws::NORMAL),
            Initial::NormalBeforeBias(_) => (numbers - numbers / self.width(), WeightDraws::NORMAL),
            Initial::Constant(_) => (0, 0),
        };
        drawn as u64 * words as u64
    }
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
        self.first_numbers(seed).of(0..self.flat_len()).collect()
    }

    /// The same, any stretch of it alone.
    pub(crate) fn first_numbers(&self, seed: u64) -> FirstNumbers<'_> {
        let words = self.dense.iter().scan(0, |before, parameter| {
            let first = *before;
            *before += parameter.words(parameter.range.len());
            Some(first)
        });
        FirstNumbers { dense: &self.dense, words: words.collect(), seed }
    }

    /// First numbers of each table. Each has a random stream of its own, so a table more moves no other number.
    ///
    /// # Shapes
    /// - returns: for each table `[rows × width]`
    pub(crate) fn initial_tables(&self, seed: u64) -> Vec<Vec<f32>> {
        let whole = |(at, table): (usize, &Table)| self.initial_piece(seed, TableId(at), 0..table.rows, 0..table.width);
        self.tables.iter().enumerate().map(whole).collect()
    }

    /// The same of some rows and columns of one table; no others are held for it. The numbers of rows before are left out of the
    /// stream, those of columns beside are drawn and dropped.
    ///
    /// # Shapes
    /// - returns: `[rows × columns]`
    pub(crate) fn initial_piece(
        &self,
        seed: u64,
        TableId(at): TableId,
        rows: Range<usize>,
        columns: Range<usize>,
    ) -> Vec<f32> {
        let Table { width, initial, .. } = self.tables[at];
        let words = match initial {
            Initial::Uniform(_) => WeightDraws::UNIFORM,
            Initial::Normal(_) | Initial::NormalBeforeBias(_) => WeightDraws::NORMAL,
            Initial::Constant(value) => return vec![value; rows.len() * columns.len()],
        };
        let mut draws = TableDraws::from_word(seed, at as u32, rows.start * width * words);
        let mut numbers = Vec::with_capacity(rows.len() * columns.len());
        for column in rows.flat_map(|_| 0..width) {
            let number = match initial {
                Initial::Uniform(bound) => draws.uniform(bound),
                Initial::Normal(deviation) | Initial::NormalBeforeBias(deviation) => draws.normal(deviation),
                Initial::Constant(value) => value,
            };
            if columns.contains(&column) {
                let bias = matches!(initial, Initial::NormalBeforeBias(_)) && column == width - 1;
                numbers.push(if bias { 0.0 } else { number });
            }
        }
        numbers
    }
}

/// First numbers of the dense parameters of a layout.
#[derive(Debug)]
pub(crate) struct FirstNumbers<'a> {
    dense: &'a [Parameter],
    /// Words of the random stream before each parameter.
    words: Vec<u64>,
    seed: u64,
}

impl FirstNumbers<'_> {
    /// Those of a stretch of the flat vector, one after another; no others are drawn or held for it.
    ///
    /// # Shapes
    /// - `stretch`: inside `0..flat_len`
    /// - returns: as many numbers as `stretch` is long
    pub(crate) fn of(&self, stretch: Range<usize>) -> impl Iterator<Item = f32> {
        let mut place = self.dense.partition_point(|parameter| parameter.range.end <= stretch.start);
        let begins = |parameter: &Parameter| self.words[place] + parameter.words(stretch.start - parameter.range.start);
        let word = self.dense.get(place).map_or(0, begins);
        let mut draws = WeightDraws::new(self.seed).at_word(word);
        stretch.map(move |at| {
            while self.dense[place].range.end <= at {
                place += 1;
            }
            let parameter = &self.dense[place];
            match parameter.initial {
                Initial::Uniform(bound) => draws.uniform(bound),
                Initial::NormalBeforeBias(_) if parameter.is_bias(at) => 0.0,
                Initial::Normal(deviation) | Initial::NormalBeforeBias(deviation) => draws.normal(deviation),
                Initial::Constant(value) => value,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The dense parameters as one stream gives them, number after number.
    fn in_one_stream(layout: &Layout, seed: u64) -> Vec<f32> {
        let mut draws = WeightDraws::new(seed);
        let mut flat = Vec::new();
        for Parameter { shape, initial, .. } in layout.parameters() {
            let width = *shape.last().expect("it has one");
            flat.extend((0..shape.iter().product::<usize>()).map(|at| match *initial {
                Initial::Uniform(bound) => draws.uniform(bound),
                Initial::NormalBeforeBias(_) if (at + 1).is_multiple_of(width) => 0.0,
                Initial::Normal(deviation) | Initial::NormalBeforeBias(deviation) => draws.normal(deviation),
                Initial::Constant(value) => value,
            }));
        }
        flat
    }

    proptest! {
        #[test]
        fn a_stretch_of_the_dense_parameters_is_drawn_alone_with_the_same_bits(
            parameters in prop::collection::vec((0..4_usize, 0..7_usize, 1..9_usize), 0..8),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
            seed: u64,
        ) {
            let mut layout = Layout::default();
            for (at, &(kind, rows, width)) in parameters.iter().enumerate() {
                let drawn = [Initial::Uniform(0.5), Initial::Normal(0.1), Initial::NormalBeforeBias(0.1)];
                let initial = drawn.get(kind).copied().unwrap_or(Initial::Constant(0.25));
                layout.dense(at.to_string(), &[rows, width], initial);
            }
            let whole = in_one_stream(&layout, seed);
            prop_assert_eq!(&layout.initial_flat(seed), &whole);
            let cuts = cuts.iter().map(|cut| cut.index(whole.len() + 1));
            let mut ends: Vec<usize> = cuts.chain([0, whole.len()]).collect();
            ends.sort_unstable();
            let first = layout.first_numbers(seed);
            for cut in ends.windows(2) {
                let drawn: Vec<f32> = first.of(cut[0]..cut[1]).collect();
                prop_assert_eq!(drawn, &whole[cut[0]..cut[1]]);
            }
        }
    }

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
    fn a_piece_of_a_table_is_drawn_alone_with_the_same_bits() {
        let mut layout = layout();
        layout.table("items", 7, 3, Initial::Uniform(0.5));
        layout.table("weights", 4, 1, Initial::Constant(0.25));
        layout.table("scored", 6, 3, Initial::NormalBeforeBias(0.1));
        let whole = layout.initial_tables(3);
        for (at, table) in layout.tables().iter().enumerate() {
            for first in 0..=table.rows {
                for end in first..=table.rows {
                    for columns in [0..table.width, 0..1, table.width - 1..table.width, 1..1] {
                        let piece = layout.initial_piece(3, TableId(at), first..end, columns.clone());
                        let rows = whole[at].chunks(table.width).take(end).skip(first);
                        let cut: Vec<f32> = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
                        assert_eq!(piece, cut, "{}, rows {first} to {end}, columns {columns:?}", table.name);
                    }
                }
            }
        }
    }

    #[test]
    fn biases_of_rows_start_with_0_and_nothing_else_does() {
        let mut layout = Layout::default();
        layout.table("scored", 50, 4, Initial::NormalBeforeBias(0.1));
        for row in layout.initial_tables(3)[0].chunks(4) {
            assert!(row[3] == 0.0 && row[..3].iter().all(|number| *number != 0.0), "{row:?}");
        }
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
