//! BERT4Rec (Sun et al. 2019, arXiv:1904.06690): attention to both sides, and hidden items to guess.

use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};

use super::attention::{Pattern, Scope, Scoring};
use super::draws::{Purpose, below, generator, indices, unit};
use super::encoder::{Batch, Drops, Encoder};
use super::history::newest;
use super::packing::{EMPTY, Grid, Lines, most_slots};
use super::transformer::{Block, Norm, Style, dense};
use crate::training::layout::{DenseId, Initial, Layout, Linear, TableId};
use crate::training::network::Weights;

/// The shape of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pub(crate) items: usize,
    /// Numbers of an item's vector.
    pub(crate) d: usize,
    pub(crate) blocks: usize,
    /// Divides `d`.
    pub(crate) heads: usize,
    /// Items of a history that count, the hidden one after them included.
    pub(crate) length: usize,
    /// Share of the items that are hidden.
    pub(crate) hidden: f32,
    pub(crate) dropout: f32,
    /// Whether each item has a bias of its own in its score.
    pub(crate) bias: bool,
}

/// The network. The row after the items' own in their table stands for a hidden item. An item's score is the product with its vector and,
/// as in the paper's equation 7, a bias of its own where `bias` says so: the last column of the table, which the encoder multiplies by 1
/// and does not read.
#[derive(Clone)]
pub(crate) struct Bert4Rec {
    shape: Shape,
    layout: Layout,
    items: TableId,
    positions: DenseId,
    first: Norm,
    blocks: Vec<Block>,
    output: Linear,
    last: Norm,
}

/// Sequences in a grid.
pub(crate) struct Input {
    slots: usize,
    ages: Tensor<1, Int>,
    scope: Scope,
    asked: Tensor<1, Int>,
}

impl Bert4Rec {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut layout = Layout::default();
        let Shape { items, d, heads, length, bias, .. } = shape;
        // The published code draws every weight from a normal distribution of this width.
        let spread = Initial::Normal(0.02);
        let table = if bias {
            layout.table("items", items + 1, d + 1, Initial::NormalBeforeBias(0.02))
        } else {
            layout.table("items", items + 1, d, spread)
        };
        let positions = layout.dense("positions", &[length, d], spread);
        let first = Norm::new(&mut layout, "input-norm", d);
        let block = |index| Block::new(&mut layout, &format!("block{index}"), (d, heads), Style::Bert);
        let blocks = (0..shape.blocks).map(block).collect();
        let output = dense(&mut layout, "output", d, d);
        let last = Norm::new(&mut layout, "norm", d);
        Self { shape, layout, items: table, positions, first, blocks, output, last }
    }

    fn mask_token(&self) -> u32 {
        self.shape.items as u32
    }

    fn batch(lines: &[Lines<'_>], device: &Device) -> Batch<Input> {
        let grid = Grid::pack(lines, Scoring::Whole.rows());
        let (slots, targets) = grid.questions();
        let askers = grid.askers(&slots);
        let slots = if targets.is_empty() { &grid.last } else { &slots };
        let input = Input {
            slots: grid.slots(),
            ages: indices(&grid.ages, device),
            scope: Scope::new(Pattern::Full, Scoring::Whole, false, &grid, device),
            asked: indices(slots, device),
        };
        Batch { input, look_ups: vec![grid.look_ups()], targets, askers }
    }
}

impl Encoder for Bert4Rec {
    type Input = Input;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn items(&self) -> TableId {
        self.items
    }

    fn n_items(&self) -> usize {
        self.shape.items
    }

    fn lesson(&self, _: &[u32], sequences: &[&[u32]], (seed, step): (u64, u64), device: &Device) -> Batch<Input> {
        let mut rng = generator(seed, Purpose::Masks, step);
        let hide = |sequence: &&[u32]| {
            let items = newest(sequence, self.shape.length);
            let mut hidden: Vec<bool> = items.iter().map(|_| unit(&mut rng) < self.shape.hidden).collect();
            // Something must be asked, and a sequence that is hidden whole tells nothing.
            let chosen = below(&mut rng, items.len() as u32) as usize;
            if hidden.iter().all(|&hidden| !hidden) {
                hidden[chosen] = true;
            } else if hidden.iter().all(|&hidden| hidden) && items.len() > 1 {
                hidden[chosen] = false;
            }
            let pairs = items.iter().zip(&hidden);
            pairs.map(|(&item, &hidden)| if hidden { (self.mask_token(), item) } else { (item, EMPTY) }).unzip()
        };
        let pairs: Vec<(Vec<u32>, Vec<u32>)> = sequences.iter().map(hide).collect();
        let lines: Vec<Lines> = pairs.iter().map(|(inputs, targets)| Lines { inputs, targets }).collect();
        Self::batch(&lines, device)
    }

    fn question(&self, _: &[u32], histories: &[&[u32]], device: &Device) -> Batch<Input> {
        let with_mask = |history: &&[u32]| {
            let mut items = newest(history, self.shape.length - 1).to_vec();
            items.push(self.mask_token());
            items
        };
        let histories: Vec<Vec<u32>> = histories.iter().map(with_mask).collect();
        let lines: Vec<Lines> = histories.iter().map(|inputs| Lines { inputs, targets: &[] }).collect();
        Self::batch(&lines, device)
    }

    fn encode(&self, weights: &Weights, input: &Input, drops: &mut Drops<'_>) -> Tensor<2> {
        let items = weights.rows(self.items).slice([0..input.slots, 0..self.shape.d]);
        let positions = weights.matrix(self.positions).select(0, input.ages.clone());
        let x = drops.apply(self.first.apply(weights, items + positions));
        let x = self.blocks.iter().fold(x, |x, block| block.apply(weights, x, &input.scope, drops));
        let x = gelu(weights.linear(self.output, x.select(0, input.asked.clone())));
        let x = self.last.apply(weights, x);
        if !self.shape.bias {
            return x;
        }
        let ones = Tensor::ones([x.dims()[0], 1], &x.device());
        Tensor::cat(vec![x, ones], 1)
    }

    fn dropout(&self) -> f32 {
        self.shape.dropout
    }

    fn length(&self) -> usize {
        self.shape.length
    }

    fn rows_of(&self, lengths: &[usize]) -> usize {
        most_slots(lengths, self.shape.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::sequence::tied::Tied;
    use crate::training::network::Network as _;
    use crate::training::rows::LookUp;
    use crate::training::saved::{Parameters, numbers};
    use std::sync::Arc;

    #[test]
    fn the_bias_of_an_item_is_added_to_its_score_and_changes_nothing_that_is_read() {
        let (items, d) = (6, 4);
        let shape = Shape { items, d, blocks: 1, heads: 2, length: 8, hidden: 0.3, dropout: 0.0, bias: true };
        let network = Tied::new(Bert4Rec::new(shape));
        let device = NeuralDevice::flex().plain();
        let vector = |parameters: &Parameters| {
            let batch = network.encoder().question(&[0], &[&[3, 1, 4]], &device);
            let (input, look_ups) = network.vectors(batch);
            let look_ups: Vec<LookUp> = look_ups.into_iter().map(LookUp::from).collect();
            let weights = parameters.weights(network.layout(), &look_ups, &device);
            numbers(&network.forward(&weights, &input, None).scores)
        };
        let mut parameters = Parameters::initial(network.layout(), 5, &device);
        let before = vector(&parameters);
        let mut table = parameters.tables[0].to_vec();
        table.chunks_mut(d + 1).enumerate().for_each(|(item, row)| row[d] = item as f32);
        parameters.tables[0] = Arc::new(table);
        assert_eq!(vector(&parameters), before);
        // The product of the vector and an item's row takes the bias once.
        assert_eq!((before.len(), before[d]), (d + 1, 1.0));
    }
}
