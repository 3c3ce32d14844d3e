//! The paper's DenseNet: one dense block of fully connected layers, each of which sees what all layers before it put out.

mod block;
#[cfg(test)]
mod laws;
mod stages;

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use recspeed_parallel::at_once;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::described::{Answer, DescribedModel};
use crate::examples::{Describe, RatingLesson};
use crate::history::History;
use crate::method::{FitRequest, Method};
use crate::training::judge::{Judge, LikeJudge};
use crate::training::layout::{Layout, Linear};
use crate::training::losses::Targets;
use crate::training::network::{Differentiable, Gradient, Network, Noise, Output, Traced, Weights};
use crate::training::{Course, Place};
use crate::{Fitted, NeuralFitError};

pub(crate) const METHOD: Method = Method {
    kind: "densenet",
    fit: |request, observer| at_once(fit(request, Place::Here, observer)),
    fit_ranked: Some(|request, seat, observer| Box::pin(fit(request, Place::Rank(seat), observer))),
    fit_elsewhere: Some(|request, trainer, observer| at_once(fit(request, Place::Elsewhere(trainer), observer))),
    restore: |recommender, mut parts, device| {
        let history = History::take_from(&mut parts)?;
        let network = DenseNet::of(recommender);
        Ok(Box::new(DescribedModel::restore(network, history, Answer::Odds, parts, device)?))
    },
};

/// Learns whether a rating is at least the threshold.
async fn fit(
    request: &FitRequest<'_>,
    place: Place<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let history = History::of(request.train);
    let device = request.device.plain();
    let (training, validation, threshold) = (request.training, request.validation, request.threshold);
    let judge = LikeJudge { validation, threshold, loss: training.loss };
    let newest = request.train.newest();
    let network = || DenseNet::of(request.recommender);
    let course = Course {
        network: network(),
        lesson: RatingLesson {
            train: request.train,
            training,
            describe: &history,
            target: &|stars| f32::from(u8::from(f64::from(stars) >= threshold)),
            targets: Targets::Odds,
            seed: request.seed,
            device: device.clone(),
            scales: format!("{:?} liked from {threshold}", history.scales()),
        },
        judge: (!validation.is_empty()).then_some(&judge as &dyn Judge),
        training,
        recommender: request.recommender,
        seed: request.seed,
        identity: request.identity(),
        device: device.clone(),
        model: &|parameters| {
            let history = history.clone();
            Box::new(DescribedModel::new(network(), history, Answer::Odds, parameters, newest, device.clone()))
        },
    };
    course.run_at(place, observer).await
}

/// `x_0` is the input, `x_l = dropout(relu(W_l [x_0 … x_{l−1}] + b_l))`, the score is `w [x_0 … x_L] + b`, whose sigmoid is the
/// probability.
///
/// All outputs lie in one matrix with a row for each of their numbers and a column for each row of the batch. What a layer
/// sees is then the front of that matrix, and what it puts out are its next rows: the concatenation is never copied, neither
/// in training nor in answering, where it would be copied once a layer, O(L²) numbers a row.
/// Source: Huang, Liu, van der Maaten, Weinberger, "Densely Connected Convolutional Networks", arXiv:1608.06993, with fully
/// connected layers.
#[derive(Clone)]
struct DenseNet {
    layout: Layout,
    layers: Vec<Linear>,
    last: Linear,
    growth: usize,
    dropout: f32,
}

/// What the way back needs.
struct DenseTrace {
    weights: Weights,
    /// What all layers put out, `[inputs + layers × growth, rows]`.
    block: Tensor<2>,
}

impl DenseNet {
    fn of(recommender: &ResolvedRecommender) -> Self {
        let layers = recommender.integer("layers") as usize;
        let growth = recommender.integer("growth") as usize;
        Self::new(layers, growth, recommender.float("dropout") as f32)
    }

    fn new(depth: usize, growth: usize, dropout: f32) -> Self {
        let mut layout = Layout::default();
        let inputs = |layer: usize| History::WIDTH + layer * growth;
        let layers = (0..depth).map(|layer| layout.linear(&format!("layers.{layer}"), inputs(layer), growth)).collect();
        let last = layout.linear("last", inputs(depth), 1);
        Self { layout, layers, last, growth, dropout }
    }

    /// What all layers put out, `[inputs + layers × growth, rows]`.
    ///
    /// # Shapes
    /// - `input`: `[rows, inputs]`
    fn block(&self, weights: &Weights, input: &Tensor<2>, mut noise: Option<&mut Noise>) -> Tensor<2> {
        let rows = input.dims()[0];
        let mut block = Tensor::zeros([self.last.inputs, rows], &input.device());
        block = block.slice_assign([0..History::WIDTH, 0..rows], input.clone().transpose());
        for layer in &self.layers {
            let seen = block.clone().slice([0..layer.inputs, 0..rows]);
            let bias = weights.vector(layer.bias).reshape([layer.outputs, 1]);
            let mut output = relu(weights.matrix(layer.weight).transpose().matmul(seen) + bias);
            if let Some(noise) = &mut noise {
                output = noise.dropout(output, self.dropout);
            }
            // Nothing else holds the block by now, so these rows are written where they belong.
            block = block.slice_assign([layer.inputs..layer.inputs + layer.outputs, 0..rows], output);
        }
        block
    }

    fn score(&self, weights: &Weights, block: Tensor<2>) -> Tensor<2> {
        let rows = block.dims()[1];
        let score = weights.matrix(self.last.weight).transpose().matmul(block);
        (score + weights.vector(self.last.bias).reshape([1, 1])).reshape([rows, 1])
    }

    /// All weights in one matrix, `[inputs + layers × growth, layers × growth + 1]`: what output `r` gives to number `c` of the
    /// layers, zero where `c` comes before `r`. On the way back a layer's slope is then one product, of its rows of this
    /// matrix with the slopes of all that came after it, instead of a sum over them.
    fn all_weights(&self, weights: &Weights, device: &Device) -> Tensor<2> {
        let mut all = Tensor::zeros([self.last.inputs, self.layers.len() * self.growth + 1], device);
        for (depth, layer) in self.layers.iter().chain([&self.last]).enumerate() {
            let first = depth * self.growth;
            let columns = first..first + layer.outputs;
            all = all.slice_assign([0..layer.inputs, columns], weights.matrix(layer.weight));
        }
        all
    }
}

impl Network for DenseNet {
    /// `[rows, inputs]`
    type Input = Tensor<2>;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn forward(&self, weights: &Weights, input: &Tensor<2>, noise: Option<&mut Noise>) -> Output {
        self.score(weights, self.block(weights, input, noise)).into()
    }
}

impl Differentiable for DenseNet {
    type Trace = DenseTrace;

    fn trace(&self, weights: Weights, input: Tensor<2>, noise: &mut Noise) -> Traced<DenseTrace> {
        let block = self.block(&weights, &input, Some(noise));
        let scores = self.score(&weights, block.clone());
        Traced { scores, penalty: 0.0, trace: DenseTrace { weights, block } }
    }

    /// Back-propagation written out: on a tape every layer would keep its own copy of all that it sees.
    fn gradient(&self, trace: DenseTrace, slope: Tensor<2>) -> Gradient {
        let DenseTrace { weights, block } = trace;
        let rows = slope.dims()[0];
        let device = slope.device();
        let all = self.all_weights(&weights, &device);
        let numbers = self.layers.len() * self.growth; // of all layers; the score comes after them
        // Slopes by what each layer computed before its ReLU, and by the score: `[numbers + 1, rows]`.
        let mut slopes = Tensor::zeros([numbers + 1, rows], &device);
        slopes = slopes.slice_assign([numbers..numbers + 1, 0..rows], slope.transpose());
        // What was dropped or cut off is 0 and has no slope; what was kept was scaled up.
        let scale = 1.0 / (1.0 - self.dropout);
        let mut parts = vec![slopes.clone().slice([numbers..numbers + 1, 0..rows]).sum_dim(1).reshape([1])];
        let of_last = block.clone().matmul(slopes.clone().slice([numbers..numbers + 1, 0..rows]).transpose());
        parts.push(of_last.reshape([self.last.inputs]));
        for (depth, layer) in self.layers.iter().enumerate().rev() {
            let own = layer.inputs..layer.inputs + layer.outputs;
            let after = (depth + 1) * self.growth..numbers + 1;
            let given = all.clone().slice([own.clone(), after.clone()]);
            let slope = given.matmul(slopes.clone().slice([after, 0..rows]));
            let passed = block.clone().slice([own, 0..rows]).greater_elem(0.0).float() * scale;
            let slope = slope * passed; // [growth, rows]
            parts.push(slope.clone().sum_dim(1).reshape([layer.outputs]));
            let seen = block.clone().slice([0..layer.inputs, 0..rows]);
            let of_weight = seen.matmul(slope.clone().transpose());
            parts.push(of_weight.reshape([layer.inputs * layer.outputs]));
            let first = depth * self.growth;
            slopes = slopes.slice_assign([first..first + layer.outputs, 0..rows], slope);
        }
        parts.reverse();
        Gradient { flat: Tensor::cat(parts, 0), rows: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::random::WeightDraws;
    use crate::training::losses;
    use crate::training::network::Taped;
    use crate::training::saved::{Parameters, numbers};
    use burn::tensor::TensorData;
    use recspeed_types::spec::Loss;

    #[test]
    fn the_written_out_gradient_is_that_of_burns_tape_with_dropout() {
        let device = NeuralDevice::flex().plain();
        for (depth, growth, dropout) in [(1, 1, 0.0), (5, 3, 0.0), (7, 2, 0.4), (30, 4, 0.2)] {
            let network = DenseNet::new(depth, growth, dropout);
            let parameters = Parameters::initial(network.layout(), 3, &device);
            let weights = parameters.weights(network.layout(), &[], &device);
            let mut draws = WeightDraws::new(9);
            let rows = 11;
            let values: Vec<f32> = (0..rows * History::WIDTH).map(|_| draws.uniform(1.0)).collect();
            let input = Tensor::<2>::from_data(TensorData::new(values, [rows, History::WIDTH]), &device);
            let liked: Vec<f32> = (0..rows).map(|row| (row % 2) as f32).collect();
            let targets = Targets::Odds(Tensor::from_data(TensorData::new(liked, [rows, 1]), &device));

            let traced = network.trace(weights.clone(), input.clone(), &mut Noise::new(1, 0, &device));
            let slope = losses::judge(Loss::Bce, traced.scores, &targets).slope;
            let ours = numbers(&network.gradient(traced.trace, slope).flat);

            let taped = Taped(network);
            let traced = taped.trace(weights, input, &mut Noise::new(1, 0, &device));
            let slope = losses::judge(Loss::Bce, traced.scores, &targets).slope;
            let expected = numbers(&taped.gradient(traced.trace, slope).flat);
            assert_eq!(ours.len(), expected.len());
            for (ours, expected) in ours.iter().zip(&expected) {
                assert!((ours - expected).abs() <= 1e-6 + 1e-4 * expected.abs(), "{depth}: {ours} {expected}");
            }
        }
    }

    #[test]
    fn a_layer_sees_the_input_and_every_layer_before_it() {
        let device = NeuralDevice::flex().plain();
        let network = DenseNet::new(2, 1, 0.0);
        // Layer 0 is the sum of the input, layer 1 the sum of the input and layer 0; the score is the sum of all.
        let numbers_of_layers = [vec![1.0; 4], vec![0.0], vec![1.0; 5], vec![0.0], vec![1.0; 6], vec![0.0]].concat();
        let parameters = Parameters::from_numbers(network.layout(), &numbers_of_layers, &device);
        let input = Tensor::<2>::from_floats([[1.0, 2.0, 3.0, 4.0]], &device);
        let output = network.forward(&parameters.weights(network.layout(), &[], &device), &input, None);
        assert_eq!(numbers(&output.scores), [10.0 + 10.0 + 20.0]);
    }
}
