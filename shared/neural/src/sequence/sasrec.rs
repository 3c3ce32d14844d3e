//! SASRec (Kang and McAuley 2018, arXiv:1808.09781): self-attention over what somebody did, each item asked for the next.

use burn::tensor::{Device, Int, Tensor};

use super::attention::{Pattern, Scope};
use super::draws::indices;
use super::encoder::{Batch, Drops, Encoder};
use super::history::newest;
use super::packing::{Grid, Lines};
use super::transformer::{Block, Norm, Style};
use crate::training::layout::{DenseId, Initial, Layout, TableId};
use crate::training::network::Weights;

/// The shape of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Items that can be read.
    pub(crate) items: usize,
    /// Numbers of an item's vector.
    pub(crate) d: usize,
    pub(crate) blocks: usize,
    /// Divides `d`.
    pub(crate) heads: usize,
    /// Items of a history that count.
    pub(crate) length: usize,
    pub(crate) dropout: f32,
    pub(crate) pattern: Pattern,
}

/// The network.
#[derive(Clone)]
pub(crate) struct SasRec {
    shape: Shape,
    layout: Layout,
    items: TableId,
    /// One vector for each age: the newest item of a sequence has the first one.
    positions: DenseId,
    blocks: Vec<Block>,
    last: Norm,
}

/// Sequences in a grid, with what attention may see of it.
pub(crate) struct Input {
    slots: usize,
    ages: Tensor<1, Int>,
    scope: Scope,
    /// Slots whose vectors are wanted; `None` for all of them in their order.
    asked: Option<Tensor<1, Int>>,
}

impl SasRec {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut layout = Layout::default();
        let Shape { items, d, length, .. } = shape;
        let table = layout.table("items", items, d, Initial::glorot(items, d));
        let positions = layout.dense("positions", &[length, d], Initial::glorot(length, d));
        let block = |index| Block::new(&mut layout, &format!("block{index}"), (d, shape.heads), Style::SasRec);
        let blocks = (0..shape.blocks).map(block).collect();
        let last = Norm::new(&mut layout, "norm", d);
        Self { shape, layout, items: table, positions, blocks, last }
    }

    fn batch(&self, lines: &[Lines<'_>], device: &Device) -> Batch<Input> {
        let grid = Grid::pack(lines, self.shape.pattern.align());
        let (slots, targets) = grid.questions();
        let slots = if targets.is_empty() { &grid.last } else { &slots };
        let all = slots.len() == grid.slots() && slots.is_sorted();
        let asked = (!all).then(|| indices(slots, device));
        let input = Input {
            slots: grid.slots(),
            ages: indices(&grid.ages, device),
            scope: Scope::new(self.shape.pattern, true, &grid, device),
            asked,
        };
        Batch { input, look_ups: vec![grid.look_ups()], targets }
    }
}

impl Encoder for SasRec {
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

    fn lesson(&self, _: &[u32], sequences: &[&[u32]], _: (u64, u64), device: &Device) -> Batch<Input> {
        let counted = sequences.iter().map(|items| newest(items, self.shape.length + 1));
        let lines: Vec<Lines> =
            counted.map(|items| Lines { inputs: &items[..items.len() - 1], targets: &items[1..] }).collect();
        self.batch(&lines, device)
    }

    fn question(&self, _: &[u32], histories: &[&[u32]], device: &Device) -> Batch<Input> {
        let counted = histories.iter().map(|items| newest(items, self.shape.length));
        let lines: Vec<Lines> = counted.map(|inputs| Lines { inputs, targets: &[] }).collect();
        self.batch(&lines, device)
    }

    fn encode(&self, weights: &Weights, input: &Input, drops: &mut Drops<'_>) -> Tensor<2> {
        let d = self.shape.d;
        let items = weights.rows(self.items).slice([0..input.slots, 0..d]).mul_scalar((d as f32).sqrt());
        let positions = weights.matrix(self.positions).select(0, input.ages.clone());
        let x = drops.apply(items + positions);
        let x = self.blocks.iter().fold(x, |x, block| block.apply(weights, x, &input.scope, drops));
        let x = match &input.asked {
            Some(asked) => x.select(0, asked.clone()),
            None => x,
        };
        self.last.apply(weights, x)
    }

    fn dropout(&self) -> f32 {
        self.shape.dropout
    }

    fn length(&self) -> usize {
        self.shape.length
    }

    fn activations_per_question(&self) -> usize {
        // Each block keeps about 16 vectors of a place and the shares of its attention, before and after dropout.
        let Shape { d, blocks, heads, length, pattern, .. } = self.shape;
        let shares = heads * pattern.scores(length.next_multiple_of(pattern.align())) / length;
        d * 4 + blocks * (16 * d + 4 * shares)
    }
}
