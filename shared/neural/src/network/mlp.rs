//! The paper's four-layer network: hidden ReLU layers, one linear output.

use std::ops::Range;

use burn::tensor::activation::relu;
use burn::tensor::module::linear;
use burn::tensor::{Gradients, Tensor};

use crate::random::WeightDraws;
use crate::scaling::INPUTS;

/// Shape of the network: `INPUTS → hidden… → 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mlp {
    layers: Vec<Dense>,
}

/// A fully connected layer `y = x W + b`, as slices of the flat parameters. `W` is `[inputs, outputs]`, row by row, and
/// `b` follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Dense {
    inputs: usize,
    outputs: usize,
    weight: Range<usize>,
    bias: Range<usize>,
}

/// The layers' own views of the flat parameters.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    layers: Vec<(Tensor<2>, Tensor<1>)>,
}

impl Mlp {
    /// A network with these hidden widths.
    pub(crate) fn new(hidden: &[usize]) -> Self {
        let mut start = 0;
        let mut inputs = INPUTS;
        let layers = hidden
            .iter()
            .copied()
            .chain([1])
            .map(|outputs| {
                let weight = start..start + inputs * outputs;
                let bias = weight.end..weight.end + outputs;
                start = bias.end;
                Dense { inputs: std::mem::replace(&mut inputs, outputs), outputs, weight, bias }
            })
            .collect();
        Self { layers }
    }

    /// Learnt numbers.
    pub(crate) fn parameters(&self) -> usize {
        self.layers.last().map_or(0, |last| last.bias.end)
    }

    /// Floats that one row leaves behind for the backward pass: the inputs and every layer's output.
    pub(crate) fn activations_per_row(&self) -> usize {
        INPUTS + self.layers.iter().map(|layer| layer.outputs).sum::<usize>()
    }

    /// Initial parameters: weights and biases uniform in `±1/√inputs`, layer by layer, weights before biases. These are
    /// the bounds of PyTorch's `nn.Linear` (Kaiming uniform with a = √5); the draws are our own.
    ///
    /// # Shapes
    /// - returns: `[parameters]`
    pub(crate) fn initial(&self, seed: u64) -> Vec<f32> {
        let mut draws = WeightDraws::new(seed);
        let mut values = Vec::with_capacity(self.parameters());
        for layer in &self.layers {
            let bound = 1.0 / (layer.inputs as f32).sqrt();
            let count = layer.weight.len() + layer.bias.len();
            values.extend((0..count).map(|_| draws.uniform(bound)));
        }
        values
    }

    /// Views of `flat`, for predicting.
    ///
    /// # Shapes
    /// - `flat`: `[parameters]`
    pub(crate) fn attach(&self, flat: &Tensor<1>) -> Attached {
        let view = |layer: &Dense| {
            let weight = flat.clone().slice([layer.weight.clone()]).reshape([layer.inputs, layer.outputs]);
            (weight, flat.clone().slice([layer.bias.clone()]))
        };
        Attached { layers: self.layers.iter().map(view).collect() }
    }
}

impl Attached {
    /// The same views as leaves of a new gradient tape.
    pub(crate) fn tracked(self) -> Self {
        let track = |(weight, bias): (Tensor<2>, Tensor<1>)| {
            (weight.autodiff().require_grad(), bias.autodiff().require_grad())
        };
        Self { layers: self.layers.into_iter().map(track).collect() }
    }

    /// # Shapes
    /// - `input`: `[rows, INPUTS]`
    /// - returns: `[rows, 1]`, ratings on the scale `[0, 1]`
    pub(crate) fn forward(&self, input: Tensor<2>) -> Tensor<2> {
        let last = self.layers.len().saturating_sub(1);
        self.layers.iter().enumerate().fold(input, |x, (depth, (weight, bias))| {
            let y = linear(x, weight.clone(), Some(bias.clone()));
            if depth < last { relu(y) } else { y }
        })
    }

    /// The gradient of all parameters, in their flat order. `None` when a layer took no part in the loss.
    ///
    /// # Shapes
    /// - returns: `[parameters]`
    pub(crate) fn gradient(self, gradients: &mut Gradients) -> Option<Tensor<1>> {
        let mut parts = Vec::with_capacity(2 * self.layers.len());
        for (weight, bias) in self.layers {
            let [inputs, outputs] = weight.dims();
            parts.push(weight.grad_remove(gradients)?.reshape([inputs * outputs]));
            parts.push(bias.grad_remove(gradients)?);
        }
        Some(Tensor::cat(parts, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_tile_the_flat_parameters_without_gaps() {
        let network = Mlp::new(&[64, 64, 64]);
        let mut end = 0;
        for layer in &network.layers {
            assert_eq!((layer.weight.start, layer.bias.start), (end, layer.weight.end));
            end = layer.bias.end;
        }
        // 3·64+64 + 64·64+64 + 64·64+64 + 64+1
        assert_eq!((end, network.parameters()), (8641, 8641));
        assert_eq!(network.activations_per_row(), 3 + 64 * 3 + 1);
    }

    #[test]
    fn initial_weights_depend_on_the_seed_alone() {
        let network = Mlp::new(&[8, 4]);
        assert_eq!(network.initial(1), network.initial(1));
        assert_ne!(network.initial(1), network.initial(2));
        let first_bound = 1.0 / 3f32.sqrt();
        assert!(network.initial(1).iter().all(|w| w.abs() <= first_bound));
    }

    #[test]
    fn one_layer_computes_the_product_by_hand() {
        let device = crate::NeuralDevice::Flex.plain();
        let network = Mlp::new(&[1]);
        // hidden: w = (1, 2, 3), b = -1; output: w = 2, b = 0.5
        let flat = Tensor::<1>::from_floats([1.0, 2.0, 3.0, -1.0, 2.0, 0.5], &device);
        let input = Tensor::<2>::from_floats([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], &device);
        let output = network.attach(&flat).forward(input).into_data();
        assert_eq!(output.as_slice::<f32>().unwrap(), [10.5, 0.5]);
    }
}
