//! The paper's four-layer network: hidden ReLU layers, one linear output.

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use recspeed_parallel::at_once;
use recspeed_parallel::model::{Dense, Layer, Sequential, TooNarrow};
use recspeed_parallel::training::Batch;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use super::described::{Answer, DescribedModel};
use crate::examples::{Describe, RatingLesson};
use crate::method::{FitRequest, Method};
use crate::scaling::{INPUTS, InputScaling, RatingScale};
use crate::training::judge::{ErrorJudge, Judge};
use crate::training::layout::{Layout, Linear};
use crate::training::losses::Targets;
use crate::training::network::{Differentiable, Gradient, Network, Noise, Output, Traced, Weights};
use crate::training::staged::{RankLesson, Staged, by_rows};
use crate::training::{Course, Place};
use crate::{Fitted, NeuralFitError};

pub(crate) const METHOD: Method = Method {
    kind: "mlp",
    fit: |request, observer| at_once(fit(request, Place::Here, observer)),
    fit_ranked: Some(|request, seat, observer| Box::pin(fit(request, Place::Rank(seat), observer))),
    fit_elsewhere: Some(|request, trainer, observer| at_once(fit(request, Place::Elsewhere(trainer), observer))),
    restore: |recommender, mut parts, device| {
        let inputs = InputScaling::take_from(&mut parts)?;
        let answer = Answer::Stars(RatingScale::take_from(&mut parts)?);
        Ok(Box::new(DescribedModel::restore(Mlp::of(recommender), inputs, answer, parts, device)?))
    },
};

/// The targets are ratings scaled to `[0, 1]` over the training ratings' range; the network answers in stars.
async fn fit(
    request: &FitRequest<'_>,
    place: Place<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let scale = RatingScale::of(request.train)?;
    let inputs = InputScaling::of(request.train);
    let device = request.device.plain();
    let (training, validation) = (request.training, request.validation);
    let judge = ErrorJudge { validation, scale, loss: training.loss };
    let newest = request.train.newest();
    let network = || Mlp::of(request.recommender);
    let course = Course {
        network: network(),
        lesson: RatingLesson {
            train: request.train,
            training,
            describe: &inputs,
            target: &|stars| scale.target(stars),
            targets: Targets::Numbers,
            seed: request.seed,
            device: device.clone(),
            scales: format!("{inputs:?} {scale:?}"),
        },
        judge: (!validation.is_empty()).then_some(&judge as &dyn Judge),
        training,
        recommender: request.recommender,
        seed: request.seed,
        identity: request.identity(),
        device: device.clone(),
        model: &|parameters| {
            let answer = Answer::Stars(scale);
            Box::new(DescribedModel::new(network(), inputs, answer, parameters, newest, device.clone()))
        },
    };
    course.run_at(place, observer).await
}

impl Describe for InputScaling {
    const WIDTH: usize = INPUTS;

    fn describe(&self, user: u32, item: u32, timestamp: i64, into: &mut Vec<f32>) {
        into.extend(self.apply(user, item, timestamp));
    }
}

/// Shape of the network: `INPUTS → hidden… → 1`.
pub(crate) struct Mlp {
    layout: Layout,
    layers: Vec<Linear>,
}

/// What the way back needs: the weights, and the input of each layer, `[rows, inputs of the layer]`.
pub(crate) struct MlpTrace {
    weights: Weights,
    inputs: Vec<Tensor<2>>,
}

impl Mlp {
    fn of(recommender: &ResolvedRecommender) -> Self {
        let hidden: Vec<usize> = recommender.integers("hidden").iter().map(|&width| width.max(1) as usize).collect();
        Self::new(&hidden)
    }

    /// A network with these hidden widths.
    fn new(hidden: &[usize]) -> Self {
        let mut layout = Layout::default();
        let mut inputs = INPUTS;
        let layers = hidden.iter().copied().chain([1]).enumerate().map(|(depth, outputs)| {
            layout.linear(&format!("layers.{depth}"), std::mem::replace(&mut inputs, outputs), outputs)
        });
        Self { layers: layers.collect(), layout }
    }

    fn layer(&self, weights: &Weights, depth: usize, x: Tensor<2>) -> Tensor<2> {
        let y = weights.linear(self.layers[depth], x);
        if depth + 1 < self.layers.len() { relu(y) } else { y }
    }
}

impl Network for Mlp {
    /// `[rows, INPUTS]`
    type Input = Tensor<2>;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Ratings on the scale `[0, 1]`.
    fn forward(&self, weights: &Weights, input: &Tensor<2>, _: Option<&mut Noise>) -> Output {
        (0..self.layers.len()).fold(input.clone(), |x, depth| self.layer(weights, depth, x)).into()
    }
}

impl Mlp {
    fn dense(&self) -> impl Iterator<Item = Dense> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().map(move |(depth, &Linear { inputs, outputs, .. })| {
            if depth < last { Dense::hidden(inputs, outputs, 0.0, 0) } else { Dense::linear(inputs, outputs) }
        })
    }
}

impl Staged for Mlp {
    type Layers = Sequential;

    fn layers(&self) -> Sequential {
        Sequential::new(self.dense().map(|layer| -> Box<dyn Layer> { Box::new(layer) }).collect())
    }

    fn shared(&self, part: usize, parts: usize) -> Option<Result<Sequential, TooNarrow>> {
        let layers: Vec<Dense> = self.dense().collect();
        Some(if parts == 1 { Ok(self.layers()) } else { Sequential::shared(&layers, part, parts) })
    }

    fn batch<'a>(&'a self, layers: &'a Sequential, lesson: RankLesson<'a, Tensor<2>>) -> Box<dyn Batch + 'a> {
        by_rows(layers, lesson)
    }
}

impl Differentiable for Mlp {
    type Trace = MlpTrace;

    fn trace(&self, weights: Weights, input: Tensor<2>, _: &mut Noise) -> Traced<MlpTrace> {
        let mut inputs = Vec::with_capacity(self.layers.len());
        let scores = (0..self.layers.len()).fold(input, |x, depth| {
            inputs.push(x.clone());
            self.layer(&weights, depth, x)
        });
        Traced { scores, penalty: 0.0, trace: MlpTrace { weights, inputs } }
    }

    /// Back-propagation written out.
    ///
    /// Burn's tape gives the same numbers (a test compares them), but for layers this small its bookkeeping takes as long
    /// as the arithmetic: 66 ms against 43 ms for 10,000 rows, 3 epochs, 64-64-64.
    fn gradient(&self, trace: MlpTrace, slope: Tensor<2>) -> Gradient {
        let MlpTrace { weights, inputs } = trace;
        let mut parts = Vec::with_capacity(2 * self.layers.len());
        let mut slope = slope; // [rows, outputs of the layer]
        for (depth, (layer, input)) in self.layers.iter().zip(inputs).enumerate().rev() {
            parts.push(slope.clone().sum_dim(0).reshape([layer.outputs]));
            let product = input.clone().transpose().matmul(slope.clone());
            parts.push(product.reshape([layer.inputs * layer.outputs]));
            if depth > 0 {
                // `input` is what a ReLU put out: the ReLU's derivative is 1 where it is positive and 0 where it was cut off.
                slope = slope.matmul(weights.matrix(layer.weight).transpose()) * input.greater_elem(0.0).float();
            }
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
    use crate::training::staged::{equals_itself, matrix_costs_what_is_planned};
    use burn::tensor::TensorData;
    use proptest::prelude::*;
    use recspeed_types::spec::Loss;

    #[test]
    fn the_four_layer_network_has_its_known_size() {
        let network = Mlp::new(&[64, 64, 64]);
        // 3·64+64 + 64·64+64 + 64·64+64 + 64+1
        assert_eq!(network.layout.len(), 8641);
    }

    #[test]
    fn the_network_in_stages_is_the_whole_one() {
        for hidden in [&[1][..], &[5, 3], &[64, 64, 64]] {
            equals_itself(&Mlp::new(hidden), INPUTS);
        }
    }

    #[test]
    fn the_plan_counts_what_the_network_holds() {
        use recspeed_plan::dense::{MLP_INPUTS, Speed, mlp};
        assert_eq!(MLP_INPUTS, INPUTS as u64);
        for hidden in [&[][..], &[7], &[5, 3, 9]] {
            let widths: Vec<u64> = [INPUTS].iter().chain(hidden).chain(&[1]).map(|&width| width as u64).collect();
            matrix_costs_what_is_planned(&Mlp::new(hidden), INPUTS, &mlp(&widths, Speed::of_gflops(1.0)));
        }
    }

    #[test]
    fn initial_weights_depend_on_the_seed_alone() {
        let layout = Mlp::new(&[8, 4]).layout;
        assert_eq!(layout.initial_flat(1), layout.initial_flat(1));
        assert_ne!(layout.initial_flat(1), layout.initial_flat(2));
        let first_bound = 1.0 / 3f32.sqrt();
        assert!(layout.initial_flat(1).iter().all(|w| w.abs() <= first_bound));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20))]
        #[test]
        fn the_written_out_gradient_is_that_of_burns_tape(
            hidden in prop::collection::vec(1usize..40, 1..5), rows in 1usize..50, seed: u64, absolute: bool,
        ) {
            let device = NeuralDevice::flex().plain();
            let network = Mlp::new(&hidden);
            let parameters = Parameters::initial(network.layout(), seed, &device);
            let weights = parameters.weights(network.layout(), &[], &device);
            let mut draws = WeightDraws::new(seed ^ 1);
            let mut random = |columns: usize| {
                let values: Vec<f32> = (0..rows * columns).map(|_| draws.uniform(1.0)).collect();
                Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device)
            };
            let (input, targets) = (random(INPUTS), Targets::Numbers(random(1)));
            let loss = if absolute { Loss::Mae } else { Loss::Mse };
            let mut noise = Noise::new(seed, 0, &device);

            let traced = network.trace(weights.clone(), input.clone(), &mut noise);
            let slope = losses::judge(loss, traced.scores, &targets).slope;
            let ours = numbers(&network.gradient(traced.trace, slope).flat);

            let taped = Taped(network);
            let traced = taped.trace(weights, input, &mut noise);
            let slope = losses::judge(loss, traced.scores, &targets).slope;
            let expected = numbers(&taped.gradient(traced.trace, slope).flat);
            for (ours, expected) in ours.iter().zip(&expected) {
                prop_assert!((ours - expected).abs() <= 1e-6 + 1e-5 * expected.abs(), "{} {}", ours, expected);
            }
        }
    }

    #[test]
    fn one_layer_computes_the_product_by_hand() {
        let device = NeuralDevice::flex().plain();
        let network = Mlp::new(&[1]);
        // hidden: w = (1, 2, 3), b = -1; output: w = 2, b = 0.5
        let parameters = Parameters::from_numbers(network.layout(), &[1.0, 2.0, 3.0, -1.0, 2.0, 0.5], &device);
        let input = Tensor::<2>::from_floats([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]], &device);
        let output = network.forward(&parameters.weights(network.layout(), &[], &device), &input, None);
        assert_eq!(numbers(&output.scores), [10.5, 0.5]);
    }
}
