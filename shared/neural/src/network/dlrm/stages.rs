//! DLRM as a row of layers: those of the bottom tower; one that multiplies and has the first weights of the top tower; the others of
//! that.
//!
//! What enters are the looked-up vectors of a pair beside its numbers. The vectors go along beside what the bottom tower makes of
//! the numbers, until they are multiplied: ranks then need nothing but what the stage before sends.

use std::ops::Range;

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Layer, Noise, Sequential, Taped};
use recspeed_parallel::tables::Wanted;
use recspeed_plan::sharding::TableShape;
use recspeed_types::Extent;

use super::super::fielded::Fielded;
use super::Dlrm;
use crate::examples::StagedPairs;
use crate::training::layout::Linear;

impl StagedPairs for Fielded<Dlrm> {
    fn layers(&self) -> Sequential {
        Sequential::new(self.network.layers(&self.device))
    }

    fn tables(&self) -> Vec<TableShape> {
        let fields = self.fields.sizes();
        vec![TableShape { rows: fields.iter().sum(), width: self.network.width, fields }]
    }

    fn extent(&self) -> Extent {
        let sizes: Vec<u64> = self.fields.sizes().into_iter().map(|size| size as u64).collect();
        let of = |at: usize| sizes.get(at).copied().unwrap_or(0);
        // Beside those of the attributes there is a number of the user and one of the item.
        let numbers = (self.fields.numbers() as u64).saturating_sub(2);
        Extent { words: sizes.iter().skip(2).copied().collect(), numbers, ..Extent::of_ids(of(0), of(1)) }
    }

    fn places(&self, pairs: Range<usize>) -> Wanted {
        let bags = self.network.bags;
        vec![vec![pairs.start * bags..pairs.end * bags]]
    }

    fn input(&self, numbers: &Option<Tensor<2>>, pairs: Range<usize>, looked_up: &[Tensor<2>]) -> Tensor<2> {
        let vectors = looked_up[0].clone().reshape([pairs.len(), self.network.beside()]);
        let Some(numbers) = numbers else { return vectors };
        let width = numbers.dims()[1];
        Tensor::cat(vec![vectors, numbers.clone().slice([pairs, 0..width])], 1)
    }

    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>> {
        let (pairs, network) = (slope.dims()[0], &self.network);
        vec![slope.slice([0..pairs, 0..network.beside()]).reshape([pairs * network.bags, network.width])]
    }
}

impl Dlrm {
    /// Numbers of a pair that go along beside the bottom tower.
    const fn beside(&self) -> usize {
        self.bags * self.width
    }

    fn layers(&self, device: &Device) -> Vec<Box<dyn Layer>> {
        let (beside, bags, width, n) = (self.beside(), self.bags, self.width, self.vectors_of_a_pair());
        let mut layers: Vec<Box<dyn Layer>> = Vec::new();
        let mut drops = Drops { place: 0, rate: self.bottom.dropout(), device: device.clone() };
        for (linear, hidden) in self.bottom.layers() {
            let Linear { inputs, outputs, .. } = linear;
            let drop = if hidden { drops.next(outputs) } else { drops.none() };
            let (sees, gives) = (beside + inputs, beside + outputs);
            let kept = sees + gives + 2 * outputs;
            layers.push(Box::new(Taped::new(
                (sees, gives),
                (inputs + 1) * outputs,
                kept,
                move |weights, x, noise: &Noise| {
                    let pairs = x.dims()[0];
                    let vectors = x.clone().slice([0..pairs, 0..beside]);
                    let own = x.slice([0..pairs, beside..sees]);
                    Tensor::cat(vec![vectors, drop.of(relu(weighed(own, weights, linear)), noise)], 1)
                },
            )));
        }
        for (at, (linear, hidden)) in self.top.layers().enumerate() {
            let Linear { inputs, outputs, .. } = linear;
            let drop = if hidden { drops.next(outputs) } else { drops.none() };
            let first = at == 0;
            let sees = if first { beside + width } else { inputs };
            let of_products = if first { 2 * n * width + n * n + inputs } else { 0 };
            let kept = sees + outputs + of_products + if hidden { 2 * outputs } else { 0 };
            layers.push(Box::new(Taped::new(
                (sees, outputs),
                (inputs + 1) * outputs,
                kept,
                move |weights, x, noise: &Noise| {
                    let x = if first {
                        let pairs = x.dims()[0];
                        let vectors = x.clone().slice([0..pairs, 0..beside]).reshape([pairs, bags, width]);
                        Self::multiplied(vectors, x.slice([0..pairs, beside..sees]))
                    } else {
                        x
                    };
                    let sums = weighed(x, weights, linear);
                    if hidden { drop.of(relu(sums), noise) } else { sums }
                },
            )));
        }
        layers
    }
}

/// `x W + b`; `weights` are `W`, row by row, then `b`.
fn weighed(x: Tensor<2>, weights: Tensor<1>, Linear { inputs, outputs, .. }: Linear) -> Tensor<2> {
    let (all, own) = (weights.dims()[0], inputs * outputs);
    let matrix = weights.clone().narrow(0, 0, own).reshape([inputs, outputs]);
    burn::tensor::module::linear(x, matrix, Some(weights.narrow(0, own, all - own)))
}

/// Hands out the places in the stream of dropout, in the order in which the network as a whole draws.
struct Drops {
    /// Numbers of a pair that the layers before draw for.
    place: usize,
    rate: f32,
    device: Device,
}

impl Drops {
    fn next(&mut self, width: usize) -> Drop {
        let place = self.place;
        self.place += if self.rate > 0.0 { width } else { 0 };
        Drop { place, rate: self.rate, device: self.device.clone() }
    }

    fn none(&self) -> Drop {
        Drop { place: 0, rate: 0.0, device: self.device.clone() }
    }
}

/// Dropout of one layer.
struct Drop {
    place: usize,
    rate: f32,
    device: Device,
}

impl Drop {
    /// Draws for the rows of the batch, each of which has several pairs.
    fn of(&self, x: Tensor<2>, noise: &Noise) -> Tensor<2> {
        if self.rate == 0.0 {
            return x;
        }
        let [pairs, width] = x.dims();
        let per_row = pairs / noise.rows().max(1);
        let first = (noise.batch() * per_row * self.place) as u64;
        match noise.row_by_row(first, per_row * width, self.rate) {
            Some(mask) => x * Tensor::from_data(TensorData::new(mask, [pairs, width]), &self.device),
            None => x,
        }
    }
}

#[cfg(test)]
mod tests {
    use recspeed_parallel::model::{LayerSizes as _, Weights};
    use recspeed_plan::Products;
    use recspeed_plan::dense::Speed;
    use recspeed_types::ExperimentSpec;
    use recspeed_types::spec::{Loss, ResolvedRecommender};

    use super::*;
    use crate::NeuralDevice;
    use crate::examples::{PairNetwork as _, Paired, PairedInput};
    use crate::fields::Fields;
    use crate::random::{WeightDraws, step_noise};
    use crate::training::losses::Targets;
    use crate::training::network::{Differentiable as _, Network as _, Noise as WholeNoise, Taped as OnTape, Traced};
    use crate::training::saved::{Parameters, numbers};
    use crate::training::staged::{RankLesson, Staged as _, costs_what_is_planned};

    fn recommender(text: &str) -> ResolvedRecommender {
        let spec = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"dlrm\"\n{text}"
        );
        ExperimentSpec::from_toml(&spec).unwrap().resolve().unwrap().recommender
    }

    fn network(text: &str) -> OnTape<Paired<Fielded<Dlrm>>> {
        let device = NeuralDevice::flex().plain();
        OnTape(Paired(Fielded::new(&recommender(text), Fields::of_ids(5, 7), device)))
    }

    const PAIRS: [(u32, u32); 6] = [(0, 1), (0, 6), (4, 2), (4, 3), (2, 2), (2, 0)];

    #[test]
    fn dlrm_in_stages_is_dlrm() {
        let device = NeuralDevice::flex().plain();
        for text in [
            "dropout = 0.3\nbottom = [6, 3]\nhidden = [8, 5]\nembedding = 4",
            "bottom = [2]\nhidden = [3]\nembedding = 3",
        ] {
            let network = network(text);
            let parameters = Parameters::initial(network.layout(), 3, &device);
            let (fields, look_ups) = network.0.0.look_up(&PAIRS);
            let input = PairedInput::new(fields, 3, 2);
            let weights = parameters.weights(network.layout(), &look_ups, &device);
            let mut draws = WeightDraws::new(9);
            let slope: Vec<f32> = (0..6).map(|_| draws.uniform(1.0)).collect();
            let slope = Tensor::<2>::from_data(TensorData::new(slope, [3, 2]), &device);
            let vectors = weights.rows(network.0.0.network.vectors);
            let whole = network.0.0.look_up(&PAIRS).0;
            let noise = &mut WholeNoise::new(1, 4, &device);
            let Traced { scores, trace, .. } = network.trace(weights, PairedInput::new(whole, 3, 2), noise);
            let expected = network.gradient(trace, slope.clone());

            let (layers, targets) = (network.layers(), Targets::First);
            let sizes = layers.parameters().to_vec();
            assert_eq!(sizes.iter().sum::<usize>(), network.layout().flat_len());
            let lesson = RankLesson {
                input: &input,
                look_ups: &look_ups,
                targets: &targets,
                loss: Loss::Bpr,
                noise: step_noise(1, 4),
            };
            let batch = network.batch(&layers, lesson);
            let of = |layer: usize| {
                let start: usize = sizes[..layer].iter().sum();
                Weights::of(parameters.flat.clone(), start..start + sizes[layer])
            };
            // As a whole, and two micro-batches.
            for cuts in [vec![(0, 3)], vec![(0, 1), (1, 3)]] {
                let mut flat = vec![0.0; expected.flat.dims()[0]];
                let mut by_rows = Vec::new();
                for (first, end) in cuts {
                    let rows = first..end;
                    let micro_batch = batch.micro_batch(rows.clone());
                    let model = micro_batch.model();
                    let places = micro_batch.reads()[0][0].clone();
                    let input = micro_batch.input(&[vectors.clone().slice([places, 0..network.0.0.network.width])]);
                    let noise = Noise::new(step_noise(1, 4), 3, rows.clone());
                    let mut pass = model.begin(0..sizes.len(), input);
                    (0..sizes.len()).for_each(|layer| {
                        pass.forward(layer, of(layer), &noise);
                        if layer + 1 < sizes.len() {
                            assert_eq!(pass.output().dims(), model.boundary(layer + 1, rows.len()));
                        }
                    });
                    let own = scores.clone().slice([rows.clone(), 0..2]);
                    assert_eq!(numbers(&pass.output()), numbers(&own), "the same scores, to the last bit");
                    pass.begin_backward(slope.clone().slice([rows.clone(), 0..2]).reshape([2 * rows.len(), 1]));
                    (0..sizes.len()).rev().for_each(|layer| pass.backward_input(layer, of(layer), true));
                    by_rows.extend(numbers(&micro_batch.by_rows(pass.input_slope())[0]));
                    let own = (0..sizes.len())
                        .flat_map(|layer| pass.backward_weight(layer))
                        .flat_map(|piece| numbers(&piece));
                    flat.iter_mut().zip(own).for_each(|(sum, value)| *sum += value);
                }
                let near = |ours: &[f32], theirs: &[f32]| {
                    assert_eq!(ours.len(), theirs.len());
                    let off = ours.iter().zip(theirs).find(|(a, b)| (*a - *b).abs() > 4e-5 + 1e-5 * b.abs());
                    assert_eq!(off, None, "{text}");
                };
                near(&flat, &numbers(&expected.flat));
                near(&by_rows, &numbers(&expected.rows[0]));
            }
        }
    }

    #[test]
    fn the_plan_counts_dlrm_as_ranks_hold_it() {
        let network = network("bottom = [6, 3]\nhidden = [8, 5]\nembedding = 4");
        let (fields, look_ups) = network.0.0.look_up(&PAIRS);
        let (input, targets) = (PairedInput::new(fields, 3, 2), Targets::First);
        let lesson = RankLesson {
            input: &input,
            look_ups: &look_ups,
            targets: &targets,
            loss: Loss::Bpr,
            noise: step_noise(1, 4),
        };
        let planned = Products { fields: 2, width: 4, numbers: 2, bottom: vec![6, 3], top: vec![8, 5], pairs: 2 };
        costs_what_is_planned(&network, lesson, &planned.layers(Speed::of_gflops(1.0)));
    }
}
