//! What a sequence model is made of: an encoder that turns sequences into vectors, and the items' own vectors.

use burn::tensor::{Device, Tensor};

use crate::training::layout::{Layout, TableId};
use crate::training::network::{Noise, Weights};

/// A user whom the training did not see.
pub(crate) const NOBODY: u32 = u32::MAX;

/// Turns what somebody did into a vector whose product with an item's vector is the item's score.
pub(crate) trait Encoder: Clone + Send + Sync + 'static {
    /// A batch, ready to be encoded.
    type Input: Send + Sync;

    /// Its parameters, those of the items' vectors included.
    fn layout(&self) -> &Layout;

    /// The table whose rows score the items; an encoder may read it too, and is then tied to it.
    fn items(&self) -> TableId;

    /// Items that can be scored: the first rows of their table.
    fn n_items(&self) -> usize;

    /// Training sequences as a batch that asks for the items which follow. `draw` is the seed and the number of the
    /// batch, for what is drawn.
    fn lesson(&self, users: &[u32], sequences: &[&[u32]], draw: (u64, u64), device: &Device) -> Batch<Self::Input>;

    /// Histories as a batch that asks for one vector each, in their order. Histories must not be empty; [`NOBODY`] is a user
    /// who came after the training.
    fn question(&self, users: &[u32], histories: &[&[u32]], device: &Device) -> Batch<Self::Input>;

    /// # Shapes
    /// - returns: `[questions, d]`
    fn encode(&self, weights: &Weights, input: &Self::Input, drops: &mut Drops<'_>) -> Tensor<2>;

    /// Share of the numbers that dropout zeroes.
    fn dropout(&self) -> f32;

    /// Items of a history that count, the newest ones.
    fn length(&self) -> usize;

    /// Whether a sequence of this many training items asks anything.
    fn teaches(&self, items: usize) -> bool {
        items >= 2
    }

    /// Rows that a batch of sequences of so many training items has, at most: those of one after the other, as far as they count.
    fn rows_of(&self, lengths: &[usize]) -> usize {
        lengths.iter().map(|&length| length.min(self.length())).sum()
    }
}

/// A batch: what the encoder reads, the rows that it looks up in each table, and the items that it is asked for.
pub(crate) struct Batch<I> {
    pub(crate) input: I,
    /// One list for each table.
    pub(crate) look_ups: Vec<Vec<u32>>,
    /// The item that follows, for each question; empty where vectors are wanted.
    pub(crate) targets: Vec<u32>,
    /// Which of the batch's sequences asks, for each question.
    pub(crate) askers: Vec<u32>,
}

/// Dropout of one forward pass: none where the network answers.
pub(crate) struct Drops<'a> {
    noise: Option<&'a mut Noise>,
    rate: f32,
}

impl<'a> Drops<'a> {
    pub(crate) fn new(noise: Option<&'a mut Noise>, rate: f32) -> Self {
        Self { noise, rate }
    }

    /// Lets everything through.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { noise: None, rate: 0.0 }
    }

    /// Zeroes a share of the numbers and scales the others up to the same mean.
    pub(crate) fn apply<const D: usize>(&mut self, x: Tensor<D>) -> Tensor<D> {
        match &mut self.noise {
            Some(noise) => noise.dropout(x, self.rate),
            None => x,
        }
    }
}
