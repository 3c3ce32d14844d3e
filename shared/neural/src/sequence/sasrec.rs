//! SASRec (Kang and McAuley 2018, arXiv:1808.09781): self-attention over what somebody did, each item asked for the next.

use std::ops::Range;

use burn::tensor::{Device, Int, Tensor};

use super::attention::{Kept, Pattern, Scope};
use super::draws::indices;
use super::encoder::{Batch, Drops, Encoder};
use super::history::newest;
use super::packing::{Lines, most_slots};
use super::transformer::{Block, Norm, Style};
use crate::training::layered::Layered;
use crate::training::layout::{DenseId, Initial, Layout, TableId};
use crate::training::network::{Noise, Weights};

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

impl Shape {
    /// What a block keeps for the way back, about: 16 vectors of a slot, and the shares of attention before and after
    /// dropout, of both passes.
    const fn kept(&self) -> Kept {
        Kept { of_a_slot: 16 * self.d, of_a_score: 4 * self.heads }
    }
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
    /// The dense parameters of each layer: the positions, each block, the last norm.
    layers: Vec<Range<usize>>,
}

/// Sequences in a grid, with what attention may see of it.
pub(crate) struct Input {
    ages: Tensor<1, Int>,
    scope: Scope,
    /// Slots whose vectors are wanted; ascending where they learn.
    asked: Vec<u32>,
    /// The same, where they are not simply all slots in their order.
    chosen: Option<Tensor<1, Int>>,
}

impl Input {
    fn new(ages: Tensor<1, Int>, scope: Scope, asked: Vec<u32>, device: &Device) -> Self {
        let all = asked.len() == scope.rows() * scope.width() && asked.is_sorted();
        let chosen = (!all).then(|| indices(&asked, device));
        Self { ages, scope, asked, chosen }
    }

    /// Rows of the grid.
    pub(super) const fn rows(&self) -> usize {
        self.scope.rows()
    }

    /// Slots of some rows of the grid.
    pub(super) const fn slots(&self, rows: &Range<usize>) -> Range<usize> {
        rows.start * self.scope.width()..rows.end * self.scope.width()
    }

    /// The questions, of those that learn, that some rows of the grid ask.
    pub(super) fn questions(&self, rows: &Range<usize>) -> Range<usize> {
        let slots = self.slots(rows);
        let before = |slot: usize| self.asked.partition_point(|&asked| (asked as usize) < slot);
        before(slots.start)..before(slots.end)
    }

    /// Those rows alone.
    pub(super) fn of_rows(&self, rows: &Range<usize>) -> Self {
        let slots = self.slots(rows);
        let asked = &self.asked[self.questions(rows)];
        let asked = asked.iter().map(|&slot| slot - slots.start as u32).collect();
        Self::new(self.ages.clone().slice([slots]), self.scope.of_rows(rows.clone()), asked, &self.ages.device())
    }
}

impl SasRec {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut layout = Layout::default();
        let Shape { items, d, length, .. } = shape;
        let table = layout.table("items", items, d, Initial::glorot(items, d));
        let positions = layout.dense("positions", &[length, d], Initial::glorot(length, d));
        let mut ends = vec![0, layout.parameters().len()];
        let block = |index| {
            let block = Block::new(&mut layout, &format!("block{index}"), (d, shape.heads), Style::SasRec);
            ends.push(layout.parameters().len());
            block
        };
        let blocks = (0..shape.blocks).map(block).collect();
        let last = Norm::new(&mut layout, "norm", d);
        ends.push(layout.parameters().len());
        let layers = ends.windows(2).map(|ends| ends[0]..ends[1]).collect();
        Self { shape, layout, items: table, positions, blocks, last, layers }
    }

    fn batch(&self, lines: &[Lines<'_>], device: &Device) -> Batch<Input> {
        let (grid, scoring) = self.shape.pattern.pack(lines, self.shape.kept());
        let (slots, targets) = grid.questions();
        let askers = grid.askers(&slots);
        let slots = if targets.is_empty() { &grid.last } else { &slots };
        let scope = Scope::new(self.shape.pattern, scoring, true, &grid, device);
        let input = Input::new(indices(&grid.ages, device), scope, slots.clone(), device);
        Batch { input, look_ups: vec![grid.look_ups()], targets, askers }
    }
}

impl SasRec {
    fn layer(&self, layer: usize, weights: &Weights, x: Tensor<2>, input: &Input, drops: &mut Drops<'_>) -> Tensor<2> {
        if layer == 0 {
            let positions = weights.matrix(self.positions).select(0, input.ages.clone());
            drops.apply(x.mul_scalar((self.shape.d as f32).sqrt()) + positions)
        } else if let Some(block) = self.blocks.get(layer - 1) {
            block.apply(weights, x, &input.scope, drops)
        } else {
            let x = match &input.chosen {
                Some(chosen) => x.select(0, chosen.clone()),
                None => x,
            };
            self.last.apply(weights, x)
        }
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
        let (slots, d) = (input.slots(&(0..input.rows())), self.shape.d);
        let items = weights.rows(self.items).slice([slots, 0..d]);
        (0..self.layers.len()).fold(items, |x, layer| self.layer(layer, weights, x, input, drops))
    }

    fn dropout(&self) -> f32 {
        self.shape.dropout
    }

    fn length(&self) -> usize {
        self.shape.length
    }

    fn rows_of(&self, lengths: &[usize]) -> usize {
        match self.shape.pattern {
            Pattern::Full => most_slots(lengths, self.shape.length),
            // What begins at multiples of slots may leave more of them empty.
            _ => lengths.len() * self.shape.length,
        }
    }
}

/// The positions are added in the first layer; then come the blocks; the last layer is the norm of what is asked for.
impl Layered for SasRec {
    type Rows = Input;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn layers(&self) -> &[Range<usize>] {
        &self.layers
    }

    fn boundary(&self, _: usize, rows: &Input) -> [usize; 2] {
        [rows.rows() * rows.scope.width(), self.shape.d]
    }

    fn kept(&self, layer: usize, rows: &Input) -> usize {
        let (slots, d) = (rows.rows() * rows.scope.width(), self.shape.d);
        if layer == 0 {
            2 * slots * d
        } else if layer <= self.blocks.len() {
            rows.scope.kept(self.shape.kept())
        } else {
            (slots + 2 * rows.asked.len()) * d
        }
    }

    fn drawn(&self, layer: usize, rows: &Input) -> usize {
        let of_vectors = rows.scope.width() * self.shape.d;
        if self.shape.dropout == 0.0 || layer > self.blocks.len() {
            0
        } else if layer == 0 {
            of_vectors
        } else {
            self.shape.heads * rows.scope.scores() + 2 * of_vectors
        }
    }

    fn apply(
        &self,
        layer: usize,
        weights: &Weights,
        x: Tensor<2>,
        input: &Input,
        noise: Option<&mut Noise>,
    ) -> Tensor<2> {
        self.layer(layer, weights, x, input, &mut Drops::new(noise, self.shape.dropout))
    }
}
