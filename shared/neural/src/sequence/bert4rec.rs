//! BERT4Rec (Sun et al. 2019, arXiv:1904.06690): attention to both sides, and hidden items to guess.

use burn::tensor::activation::gelu;
use burn::tensor::{Device, Int, Tensor};

use super::attention::{Pattern, Scope};
use super::draws::{Purpose, below, generator, indices, unit};
use super::encoder::{Batch, Drops, Encoder};
use super::history::newest;
use super::packing::{EMPTY, Grid, Lines};
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
}

/// The network. The row after the items' own in their table stands for a hidden item. An item's score is the product with its vector; the
/// paper's equation 7 adds a bias for each item, which is left out here.
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
        let Shape { items, d, heads, length, .. } = shape;
        // The published code draws every weight from a normal distribution of this width.
        let spread = Initial::Normal(0.02);
        let table = layout.table("items", items + 1, d, spread);
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
        let grid = Grid::pack(lines, 1);
        let (slots, targets) = grid.questions();
        let slots = if targets.is_empty() { &grid.last } else { &slots };
        let input = Input {
            slots: grid.slots(),
            ages: indices(&grid.ages, device),
            scope: Scope::new(Pattern::Full, false, &grid, device),
            asked: indices(slots, device),
        };
        Batch { input, look_ups: vec![grid.look_ups()], targets }
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
        self.last.apply(weights, x)
    }

    fn dropout(&self) -> f32 {
        self.shape.dropout
    }

    fn length(&self) -> usize {
        self.shape.length
    }

    fn activations_per_question(&self) -> usize {
        let Shape { d, blocks, heads, length, .. } = self.shape;
        6 * d + blocks * (28 * d + 4 * heads * length)
    }
}
