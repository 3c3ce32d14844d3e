//! A network that can be cut into stages.

use burn::tensor::Tensor;
use recspeed_parallel::model::{LayerSizes, Model, StepNoise, TooNarrow};
use recspeed_parallel::training::{self, Matrix};
use recspeed_plan::sharding::TableShape;
use recspeed_plan::{Layer, whole_layers};
use recspeed_types::spec::{Loss, ResolvedRecommender};

use super::losses::{self, Targets};
use super::network::Network;
use super::rows::LookUp;

/// A network whose dense parameters are a row of layers, in the order of its [`Layout`](super::layout::Layout).
pub(crate) trait Staged: Network {
    /// Its layers as ranks hold them.
    type Layers: LayerSizes;

    /// Its layers.
    fn layers(&self) -> Self::Layers;

    /// One rank's part of its layers, of those that share them; `None` where they cannot be shared.
    fn shared(&self, part: usize, parts: usize) -> Option<Result<Self::Layers, TooNarrow>> {
        (parts == 1 && part == 0).then(|| Ok(self.layers()))
    }

    /// Its tables as ranks divide them.
    fn tables(&self) -> Vec<TableShape> {
        self.layout().tables().iter().map(|table| TableShape::whole(table.rows, table.width)).collect()
    }

    /// What its layers cost, by which they are cut, as the plan counts them; `None` of a recommender that the plan knows no layers of.
    fn counted(&self, recommender: &ResolvedRecommender) -> Option<Vec<Layer>> {
        whole_layers(recommender, None)
    }

    /// What ranks learn from in one step. With the same parameters, dropout and lesson they compute what the network itself
    /// computes.
    fn batch<'a>(
        &'a self,
        layers: &'a Self::Layers,
        lesson: RankLesson<'a, Self::Input>,
    ) -> Box<dyn training::Batch + 'a>;
}

/// One step's lesson, for ranks.
pub(crate) struct RankLesson<'a, I> {
    pub(crate) input: &'a I,
    /// One for each table.
    pub(crate) look_ups: &'a [LookUp],
    pub(crate) targets: &'a Targets,
    pub(crate) loss: Loss,
    pub(crate) noise: StepNoise,
}

/// A batch whose rows are computed each for itself.
pub(crate) fn by_rows<'a>(model: &'a dyn Model, lesson: RankLesson<'a, Tensor<2>>) -> Box<dyn training::Batch + 'a> {
    let RankLesson { input, targets, loss, noise, .. } = lesson;
    let judge = move |scores, rows| losses::judge(loss, scores, &targets.of_rows(rows));
    Box::new(Matrix { model, input, noise, judge: Box::new(judge) })
}

/// A network in stages gives the scores and gradients of the network as a whole, wherever it is cut, with dropout.
#[cfg(test)]
pub(crate) fn equals_itself<N: Staged + super::network::Differentiable + Network<Input = Tensor<2>>>(
    network: &N,
    inputs: usize,
) {
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

    let layers = network.layers();
    let targets = Targets::Numbers(Tensor::zeros([rows, 1], &device));
    let lesson =
        RankLesson { input: &input, look_ups: &[], targets: &targets, loss: Loss::Mse, noise: step_noise(1, 4) };
    let batch = network.batch(&layers, lesson);
    let micro_batch = batch.micro_batch(0..rows);
    let model = micro_batch.model();
    let sizes = layers.parameters().to_vec();
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

/// [`costs_what_is_planned`] for a network over a matrix of so many inputs.
#[cfg(test)]
pub(crate) fn matrix_costs_what_is_planned<N>(network: &N, inputs: usize, planned: &[Layer])
where
    N: Staged + Network<Input = Tensor<2>>,
{
    let device = crate::NeuralDevice::flex().plain();
    let (input, targets) = (Tensor::zeros([3, inputs], &device), Targets::First);
    let noise = crate::random::step_noise(1, 4);
    let lesson = RankLesson { input: &input, look_ups: &[], targets: &targets, loss: Loss::Mse, noise };
    costs_what_is_planned(network, lesson, planned);
}

/// The plan counts a network as the executors hold it: parameters, boundaries, and what any row of its layers keeps.
#[cfg(test)]
pub(crate) fn costs_what_is_planned<N: Staged>(network: &N, lesson: RankLesson<'_, N::Input>, planned: &[Layer]) {
    let sizes = network.layers();
    let batch = network.batch(&sizes, lesson);
    let (rows, layers) = (batch.rows(), sizes.parameters().len());
    let micro_batch = batch.micro_batch(0..rows);
    let model = micro_batch.model();
    assert_eq!(planned.len(), layers);
    for first in 0..layers {
        assert_eq!(planned[first].parameters, sizes.parameters()[first] as u64, "layer {first}");
        if first > 0 {
            let numbers = model.boundary(first, rows).iter().product::<usize>() as u64;
            assert_eq!(rows as u64 * planned[first].input_bytes, 4 * numbers);
            assert_eq!(planned[first - 1].output_bytes, planned[first].input_bytes);
        }
        for end in first + 1..=layers {
            let together = planned[first + 1..end].iter().fold(planned[first], |all, next| all.then(next));
            assert_eq!(
                rows as u64 * together.kept_bytes,
                4 * model.kept(first..end, rows) as u64,
                "layers {first} to {end}"
            );
            let lent = 4 * model.kept_of_lent(first..end, rows) as u64;
            assert_eq!(rows as u64 * together.lent().kept_bytes, lent, "layers {first} to {end}, lent");
        }
    }
}
