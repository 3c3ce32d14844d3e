//! A fully connected layer.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;

use super::{Kept, Layer, Noise, Pieces, Weights};

/// `y = x W + b`, after a ReLU and dropout where it is a hidden one; its numbers are `W`, `[inputs, outputs]` row by row, then
/// `b`.
#[derive(Debug, Clone, Copy)]
pub struct Dense {
    inputs: usize,
    outputs: usize,
    rectified: bool,
    dropout: f32,
    place: usize,
}

impl Dense {
    /// A layer without anything after it.
    pub const fn linear(inputs: usize, outputs: usize) -> Self {
        Self { inputs, outputs, rectified: false, dropout: 0.0, place: 0 }
    }

    /// A hidden layer: a ReLU after it, then dropout. `place`: numbers of a row that the layers before draw for
    /// ([`Noise::mask`]).
    pub const fn hidden(inputs: usize, outputs: usize, dropout: f32, place: usize) -> Self {
        Self { inputs, outputs, rectified: true, dropout, place }
    }

    pub(super) fn weight(&self, weights: &Weights) -> Tensor<2> {
        weights.matrix([self.inputs, self.outputs])
    }

    pub(super) fn bias(&self, weights: &Weights) -> Tensor<1> {
        weights.after(self.inputs * self.outputs)
    }

    /// With other numbers of inputs and outputs; the first of its outputs is unit `first` of the whole layer.
    pub(super) const fn resized(self, inputs: usize, outputs: usize, first: usize) -> Self {
        Self { inputs, outputs, place: self.place + first, ..self }
    }

    pub(super) const fn is_rectified(&self) -> bool {
        self.rectified
    }

    /// What follows the product, of a hidden layer.
    pub(super) fn activated(&self, product: Tensor<2>, noise: &Noise) -> Tensor<2> {
        let output = relu(product);
        if self.dropout == 0.0 {
            return output;
        }
        match noise.mask(self.place, self.outputs, self.dropout, &output.device()) {
            Some(mask) => output * mask.transpose(),
            None => output,
        }
    }

    /// The slope by the product, of the slope by the output that is at the end of `kept`.
    pub(super) fn slope_by_product(&self, kept: &mut Kept, slope: Tensor<2>) -> Tensor<2> {
        if !self.rectified {
            return slope;
        }
        // What was dropped or cut off is 0 and has no slope; what was kept was scaled up.
        let slope = match kept.pop() {
            // Nothing else holds the slope: it is changed where it lies.
            Some(output) => slope * output.greater_elem(0.0).float(),
            None => slope,
        };
        if self.dropout > 0.0 { slope * (1.0 / (1.0 - self.dropout)) } else { slope }
    }
}

impl Layer for Dense {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn parameters(&self) -> usize {
        (self.inputs + 1) * self.outputs
    }

    /// The input; of a hidden layer the output too, which says what was cut off or dropped.
    fn kept(&self) -> usize {
        self.inputs + if self.rectified { self.outputs } else { 0 }
    }

    fn forward(&self, weights: Weights, input: Tensor<2>, noise: &Noise, kept: &mut Kept) -> Tensor<2> {
        let output = burn::tensor::module::linear(input.clone(), self.weight(&weights), Some(self.bias(&weights)));
        kept.push(input);
        if !self.rectified {
            return output;
        }
        let output = self.activated(output, noise);
        kept.push(output.clone());
        output
    }

    fn backward_input(&self, weights: Weights, kept: &mut Kept, slope: Tensor<2>, wanted: bool) -> Option<Tensor<2>> {
        let slope = self.slope_by_product(kept, slope);
        let given = wanted.then(|| slope.clone().matmul(self.weight(&weights).transpose()));
        kept.push(slope);
        given
    }

    fn backward_weight(&self, kept: &mut Kept) -> Pieces {
        let (slope, input) = kept.pop().zip(kept.pop()).expect("input and slope are kept for the weights");
        let bias = slope.clone().sum_dim(0).reshape([self.outputs]);
        let mut pieces = Pieces::new();
        pieces.push(input.transpose().matmul(slope).reshape([self.inputs * self.outputs]));
        pieces.push(bias);
        pieces
    }
}
