//! A network that can be cut into stages.

use burn::tensor::Tensor;
use recspeed_parallel::model::{Model, TooNarrow};

use super::network::Network;

/// A network whose dense parameters are a row of layers, in the order of its [`Layout`](super::layout::Layout); it has no tables.
pub(crate) trait Staged: Network<Input = Tensor<2>> {
    /// Its layers. With the same parameters, dropout and batch they compute what the network itself computes.
    fn model(&self) -> Box<dyn Model + '_>;

    /// One rank's part of its layers, of those that share them; `None` where they cannot be shared.
    fn shared(&self, part: usize, parts: usize) -> Option<Result<Box<dyn Model + '_>, TooNarrow>> {
        (parts == 1 && part == 0).then(|| Ok(self.model()))
    }
}

/// A network in stages gives the scores and gradients of the network as a whole, wherever it is cut, with dropout.
#[cfg(test)]
pub(crate) fn equals_itself<N: Staged + super::network::Differentiable>(network: &N, inputs: usize) {
    use super::network::{Noise as WholeNoise, Traced};
    use super::saved::{Parameters, numbers};
    use crate::NeuralDevice;
    use crate::random::{WeightDraws, step_noise};
    use burn::tensor::TensorData;
    use recspeed_parallel::model::{Noise, Weights};

    let (rows, device) = (11, NeuralDevice::flex().plain());
    let parameters = Parameters::initial(network.layout(), 3, &device);
    let mut draws = WeightDraws::new(9);
    let mut random = |shape: [usize; 2]| {
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| draws.uniform(1.0)).collect();
        Tensor::<2>::from_data(TensorData::new(values, shape), &device)
    };
    let (input, slope) = (random([rows, inputs]), random([rows, 1]));
    let weights = parameters.weights(network.layout(), &[], &device);
    let Traced { scores, trace, .. } = network.trace(weights, input.clone(), &mut WholeNoise::new(1, 4, &device));
    let expected = numbers(&network.gradient(trace, slope.clone()).flat);

    let model = network.model();
    let sizes = model.parameters().to_vec();
    assert_eq!(sizes.iter().sum::<usize>(), network.layout().len());
    let of = |layer: usize| {
        let start: usize = sizes[..layer].iter().sum();
        Weights::of(parameters.flat.clone(), start..start + sizes[layer])
    };
    let noise = Noise::new(step_noise(1, 4), rows, 0..rows);
    for cut in 1..sizes.len() {
        let mut first = model.begin(0..cut, input.clone());
        (0..cut).for_each(|layer| first.forward(layer, of(layer), &noise));
        let between = first.output();
        assert_eq!(between.dims(), model.boundary(cut, rows));
        let mut second = model.begin(cut..sizes.len(), between);
        (cut..sizes.len()).for_each(|layer| second.forward(layer, of(layer), &noise));
        assert_eq!(numbers(&second.output()), numbers(&scores), "the same scores, to the last bit");
        second.begin_backward(slope.clone());
        (cut..sizes.len()).rev().for_each(|layer| second.backward_input(layer, of(layer), true));
        first.begin_backward(second.input_slope());
        (0..cut).rev().for_each(|layer| first.backward_input(layer, of(layer), layer > 0));
        let gradient = (0..sizes.len()).flat_map(|layer| {
            let pieces = if layer < cut { first.backward_weight(layer) } else { second.backward_weight(layer) };
            pieces.iter().flat_map(numbers).collect::<Vec<f32>>()
        });
        for (ours, expected) in gradient.zip(&expected) {
            assert!((ours - expected).abs() <= 4e-5 + 1e-5 * expected.abs(), "cut at {cut}: {ours} {expected}");
        }
    }
}

/// The plan counts a network as the executors hold it: parameters, boundaries, and what any row of its layers keeps.
#[cfg(test)]
pub(crate) fn costs_what_is_planned(network: &impl Staged, planned: &[recspeed_plan::Layer]) {
    let (model, rows) = (network.model(), 3);
    let layers = model.parameters().len();
    assert_eq!(planned.len(), layers);
    for first in 0..layers {
        assert_eq!(planned[first].parameters, model.parameters()[first] as u64, "layer {first}");
        if first > 0 {
            let numbers = model.boundary(first, rows).iter().product::<usize>() as u64;
            assert_eq!(rows as u64 * planned[first].input_bytes, 4 * numbers);
            assert_eq!(planned[first - 1].output_bytes, planned[first].input_bytes);
        }
        for end in first + 1..=layers {
            let together = planned[first + 1..end].iter().fold(planned[first], |all, next| all.then(next));
            assert_eq!(together.kept_bytes, 4 * model.kept(first..end) as u64, "layers {first} to {end}");
        }
    }
}
