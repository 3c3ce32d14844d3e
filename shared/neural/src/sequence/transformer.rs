//! Transformer blocks: attention, then two layers at each place.

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};
use burn::tensor::module::layer_norm;

use super::attention::Scope;
use super::encoder::Drops;
use crate::training::layout::{DenseId, Initial, Layout, Linear};
use crate::training::network::Weights;

/// ε of the layer norms: that of the published code of SASRec and BERT4Rec's Keras ancestors.
const EPSILON: f64 = 1e-8;

/// How norms and shortcuts are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// SASRec: `q = norm(x)`, `y = q + attention(q, x, x)`, `z = norm(y)`, `z + layers(z)`, ReLU, layers as wide as `d`.
    SasRec,
    /// BERT4Rec: `y = norm(x + attention(x, x, x))`, `norm(y + layers(y))`, GELU, inner layer four times as wide.
    Bert,
}

/// A layer norm over the last dimension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    weight: DenseId,
    bias: DenseId,
}

impl Norm {
    pub(crate) fn new(layout: &mut Layout, name: &str, d: usize) -> Self {
        Self {
            weight: layout.dense(format!("{name}.weight"), &[d], Initial::Constant(1.0)),
            bias: layout.dense(format!("{name}.bias"), &[d], Initial::Constant(0.0)),
        }
    }

    pub(crate) fn apply(self, weights: &Weights, x: Tensor<2>) -> Tensor<2> {
        layer_norm(x, weights.vector(self.weight), Some(weights.vector(self.bias)), EPSILON)
    }
}

/// Adds a layer with Glorot's bounds and a bias of 0.
pub(crate) fn dense(layout: &mut Layout, name: &str, inputs: usize, outputs: usize) -> Linear {
    let weight = layout.dense(format!("{name}.weight"), &[inputs, outputs], Initial::glorot(inputs, outputs));
    let bias = layout.dense(format!("{name}.bias"), &[outputs], Initial::Constant(0.0));
    Linear { weight, bias, inputs, outputs }
}

/// One block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    style: Style,
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    before: Norm,
    between: Norm,
    inner: Linear,
    outer: Linear,
}

impl Block {
    pub(crate) fn new(layout: &mut Layout, name: &str, (d, heads): (usize, usize), style: Style) -> Self {
        let inner = match style {
            Style::SasRec => d,
            Style::Bert => 4 * d,
        };
        let mut layer = |part: &str, inputs, outputs| dense(layout, &format!("{name}.{part}"), inputs, outputs);
        let (query, key, value) = (layer("query", d, d), layer("key", d, d), layer("value", d, d));
        let (output, inner, outer) = (layer("output", d, d), layer("inner", d, inner), layer("outer", inner, d));
        let before = Norm::new(layout, &format!("{name}.attention-norm"), d);
        let between = Norm::new(layout, &format!("{name}.layers-norm"), d);
        Self { style, heads, query, key, value, output, before, between, inner, outer }
    }

    /// # Shapes
    /// - `x`, the result: `[slots, d]`
    pub(crate) fn apply(&self, weights: &Weights, x: Tensor<2>, scope: &Scope, drops: &mut Drops<'_>) -> Tensor<2> {
        match self.style {
            Style::SasRec => {
                let query = self.before.apply(weights, x.clone());
                let seen = self.attention(weights, query.clone(), x, scope, drops);
                let x = self.between.apply(weights, query + seen);
                let inner = drops.apply(relu(weights.linear(self.inner, x.clone())));
                x + drops.apply(weights.linear(self.outer, inner))
            }
            Style::Bert => {
                let seen = self.attention(weights, x.clone(), x.clone(), scope, drops);
                let x = self.before.apply(weights, x + drops.apply(seen));
                let inner = gelu(weights.linear(self.inner, x.clone()));
                self.between.apply(weights, x + drops.apply(weights.linear(self.outer, inner)))
            }
        }
    }

    fn attention(
        &self,
        weights: &Weights,
        query: Tensor<2>,
        x: Tensor<2>,
        scope: &Scope,
        drops: &mut Drops<'_>,
    ) -> Tensor<2> {
        let query = weights.linear(self.query, query);
        let key = weights.linear(self.key, x.clone());
        let value = weights.linear(self.value, x);
        weights.linear(self.output, scope.attend(query, key, value, self.heads, drops))
    }
}
