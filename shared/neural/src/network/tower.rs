//! Fully connected ReLU layers, and a linear one on top.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use crate::training::layout::{Layout, Linear};
use crate::training::network::{Noise, Weights};

/// `inputs → hidden… → outputs`, with dropout after each hidden layer.
#[derive(Debug, Clone)]
pub(super) struct Tower {
    hidden: Vec<Linear>,
    last: Linear,
    dropout: f32,
}

impl Tower {
    /// Adds the layers as `name.0`, `name.1`, …
    pub(super) fn new(
        layout: &mut Layout,
        name: &str,
        (inputs, hidden, outputs): (usize, &[usize], usize),
        dropout: f32,
    ) -> Self {
        let mut inputs = inputs;
        let mut layer = |depth: usize, outputs: usize| {
            layout.linear(&format!("{name}.{depth}"), std::mem::replace(&mut inputs, outputs), outputs)
        };
        let layers = hidden.iter().enumerate().map(|(depth, &width)| layer(depth, width)).collect();
        Self { hidden: layers, last: layer(hidden.len(), outputs), dropout }
    }

    /// # Shapes
    /// - `x`: `[rows, inputs]`
    /// - returns: `[rows, outputs]`
    pub(super) fn forward(&self, weights: &Weights, x: Tensor<2>, noise: &mut Option<&mut Noise>) -> Tensor<2> {
        let top = self.hidden.iter().fold(x, |x, layer| {
            let x = relu(weights.linear(*layer, x));
            match noise {
                Some(noise) => noise.dropout(x, self.dropout),
                None => x,
            }
        });
        weights.linear(self.last, top)
    }

    /// What some columns of the input, from `from` on, add to the first layer's sums.
    ///
    /// # Shapes
    /// - `x`: `[rows, columns]`
    /// - returns: `[rows, outputs of the first layer]`
    pub(super) fn part(&self, weights: &Weights, x: Tensor<2>, from: usize) -> Tensor<2> {
        let layer = self.first();
        let columns = x.dims()[1];
        x.matmul(weights.matrix(layer.weight).slice([from..from + columns, 0..layer.outputs]))
    }

    /// The answer for an input whose parts were summed; the bias of the first layer is added here.
    ///
    /// # Shapes
    /// - `sums`: `[rows, outputs of the first layer]`
    /// - returns: `[rows, outputs]`
    pub(super) fn above(&self, weights: &Weights, sums: Tensor<2>) -> Tensor<2> {
        let sums = sums + weights.vector(self.first().bias).unsqueeze();
        let Some((_, above)) = self.hidden.split_first() else { return sums };
        let top = above.iter().fold(relu(sums), |x, layer| relu(weights.linear(*layer, x)));
        weights.linear(self.last, top)
    }

    /// Its layers in order, and whether each is a hidden one.
    pub(super) fn layers(&self) -> impl Iterator<Item = (Linear, bool)> {
        self.hidden.iter().map(|&layer| (layer, true)).chain([(self.last, false)])
    }

    /// The share of numbers that is left out after each hidden layer.
    pub(super) const fn dropout(&self) -> f32 {
        self.dropout
    }

    fn first(&self) -> Linear {
        self.hidden.first().copied().unwrap_or(self.last)
    }
}
