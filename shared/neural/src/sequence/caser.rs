//! Caser (Tang and Wang 2018, arXiv:1809.07426): the newest items as a picture, read by convolutions, and the user's own
//! vector.

use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};

use super::draws::indices;
use super::encoder::{Batch, Drops, Encoder, NOBODY};
use super::transformer::dense;
use crate::training::layout::{Initial, Layout, Linear, TableId};
use crate::training::network::Weights;

/// The shape of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pub(crate) users: usize,
    pub(crate) items: usize,
    /// Numbers of a vector.
    pub(crate) d: usize,
    /// Items of a picture.
    pub(crate) window: usize,
    /// Filters of each height from 1 to the window.
    pub(crate) horizontal: usize,
    /// Filters over the whole window.
    pub(crate) vertical: usize,
    /// Items after a picture that it is asked for.
    pub(crate) ahead: usize,
    pub(crate) dropout: f32,
}

/// The network.
#[derive(Clone)]
pub(crate) struct Caser {
    shape: Shape,
    layout: Layout,
    read: TableId,
    users: TableId,
    /// `[2 d + 1]` a row: what the picture says, what the user is, and the item's own bias.
    scored: TableId,
    /// One layer for each height: `[height · d, horizontal]`.
    horizontal: Vec<Linear>,
    /// `[window, vertical]`, without a bias.
    vertical: Linear,
    together: Linear,
}

/// Pictures: windows of the items before each question.
pub(crate) struct Input {
    pictures: usize,
    /// 0 where a window begins before the sequence: `[pictures · window, 1]`.
    there: Tensor<2>,
    /// 0 for a user whom the training did not see: `[pictures, 1]`.
    known: Tensor<2>,
    /// The picture of each question; `None` for one each in their order.
    asked: Option<Tensor<1, Int>>,
}

impl Caser {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut layout = Layout::default();
        let Shape { users, items, d, window, horizontal, vertical, .. } = shape;
        let spread = Initial::Normal(1.0 / (d as f32).sqrt());
        let read = layout.table("items", items, d, spread);
        let of_users = layout.table("users", users, d, spread);
        let scored = layout.table("scored-items", items, 2 * d + 1, Initial::Normal(1.0 / (2.0 * d as f32)));
        let filter = |height: usize| layout.linear(&format!("horizontal{height}"), height * d, horizontal);
        let heights = (1..=window).map(filter).collect();
        let down = layout.linear("vertical", window, vertical);
        let together = dense(&mut layout, "together", window * horizontal + vertical * d, d);
        Self { shape, layout, read, users: of_users, scored, horizontal: heights, vertical: down, together }
    }

    /// Pictures that end before each of `ends`: (user, items before the question).
    fn batch(&self, pictures: &[(u32, &[u32])], device: &Device) -> (Input, Vec<Vec<u32>>) {
        let window = self.shape.window;
        let (mut read, mut there) = (Vec::new(), Vec::new());
        for (_, before) in pictures {
            let items = &before[before.len().saturating_sub(window)..];
            // The place of an item that is not there is taken by any item, times 0.
            let any = items.first().copied().unwrap_or(0);
            let missing = window - items.len();
            read.extend(std::iter::repeat_n(any, missing).chain(items.iter().copied()));
            there.extend(std::iter::repeat_n(0.0, missing).chain(std::iter::repeat_n(1.0f32, items.len())));
        }
        let known: Vec<f32> = pictures.iter().map(|(user, _)| f32::from(u8::from(*user != NOBODY))).collect();
        let users = pictures.iter().map(|(user, _)| if *user == NOBODY { 0 } else { *user }).collect();
        let count = pictures.len();
        let input = Input {
            pictures: count,
            there: Tensor::from_data(TensorData::new(there, [count * window, 1]), device),
            known: Tensor::from_data(TensorData::new(known, [count, 1]), device),
            asked: None,
        };
        (input, vec![read, users, Vec::new()])
    }
}

impl Encoder for Caser {
    type Input = Input;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn items(&self) -> TableId {
        self.scored
    }

    fn n_items(&self) -> usize {
        self.shape.items
    }

    fn lesson(&self, users: &[u32], sequences: &[&[u32]], _: (u64, u64), device: &Device) -> Batch<Input> {
        let (mut pictures, mut asked, mut targets, mut askers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (index, (&user, &items)) in users.iter().zip(sequences).enumerate() {
            for next in 1..items.len() {
                for &target in items[next..].iter().take(self.shape.ahead) {
                    asked.push(pictures.len() as u32);
                    targets.push(target);
                    askers.push(index as u32);
                }
                pictures.push((user, &items[..next]));
            }
        }
        let (mut input, look_ups) = self.batch(&pictures, device);
        input.asked = (asked.len() > pictures.len()).then(|| indices(&asked, device));
        Batch { input, look_ups, targets, askers }
    }

    fn question(&self, users: &[u32], histories: &[&[u32]], device: &Device) -> Batch<Input> {
        let pictures: Vec<(u32, &[u32])> = users.iter().copied().zip(histories.iter().copied()).collect();
        let (input, look_ups) = self.batch(&pictures, device);
        Batch { input, look_ups, targets: Vec::new(), askers: Vec::new() }
    }

    fn encode(&self, weights: &Weights, input: &Input, drops: &mut Drops<'_>) -> Tensor<2> {
        let Shape { d, window, horizontal, vertical, .. } = self.shape;
        let pictures = input.pictures;
        let x = (weights.rows(self.read) * input.there.clone()).reshape([pictures, window, d]);
        let mut seen: Vec<Tensor<2>> = Vec::with_capacity(window + 1);
        for (index, &filter) in self.horizontal.iter().enumerate() {
            let height = index + 1;
            let places = window - index;
            let patch =
                |top: usize| x.clone().slice([0..pictures, top..top + height, 0..d]).reshape([pictures, 1, height * d]);
            let patches = Tensor::cat((0..places).map(patch).collect(), 1).reshape([pictures * places, height * d]);
            let found = relu(weights.linear(filter, patches)).reshape([pictures, places, horizontal]);
            seen.push(found.max_dim(1).reshape([pictures, horizontal]));
        }
        let down = x.swap_dims(1, 2).reshape([pictures * d, window]).matmul(weights.matrix(self.vertical.weight));
        seen.push(down.reshape([pictures, d * vertical]));
        let picture = relu(weights.linear(self.together, drops.apply(Tensor::cat(seen, 1))));
        let user = weights.rows(self.users) * input.known.clone();
        let one = Tensor::ones([pictures, 1], &input.known.device());
        let both = Tensor::cat(vec![picture, user, one], 1);
        match &input.asked {
            Some(asked) => both.select(0, asked.clone()),
            None => both,
        }
    }

    fn dropout(&self) -> f32 {
        self.shape.dropout
    }

    fn length(&self) -> usize {
        self.shape.window
    }

    /// A picture before each item but the first, however many fit into one.
    fn rows_of(&self, lengths: &[usize]) -> usize {
        lengths.iter().map(|&length| length.saturating_sub(1)).sum()
    }
}
