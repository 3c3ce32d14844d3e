//! SASRec among ranks.
//!
//! A batch is cut between the rows of its grid of sequences, and what is drawn for it is drawn for all of it: its questions, dropout,
//! and the items that are scored are those of one device. The items' vectors are read before the first layer and scored after the
//! last one; both are rows of the same table, which gets the sum of both gradients.

use std::ops::Range;

use burn::tensor::{Tensor, TensorData};
use recspeed_parallel::model::{Model, StepNoise};
use recspeed_parallel::tables::{LookUp, Wanted};
use recspeed_parallel::training::{Batch, Judged, MicroBatch};
use recspeed_types::spec::Loss;

use super::{Choice, Sequences, Tied, scores, slopes};
use crate::device::in_this_memory;
use crate::sequence::sasrec::{Input, SasRec};
use crate::training::layered::{TapedLayers, sizes};
use crate::training::losses::{Targets, judge};
use crate::training::saved::numbers;
use crate::training::staged::{RankLesson, Staged};

impl Staged for Tied<SasRec> {
    type Layers = Vec<usize>;

    fn layers(&self) -> Vec<usize> {
        sizes(self.encoder())
    }

    fn batch<'a>(&'a self, _: &'a Vec<usize>, lesson: RankLesson<'a, Sequences<Input>>) -> Box<dyn Batch + 'a> {
        Box::new(Lines { network: self, lesson })
    }
}

/// Lines of a grid of sequences.
struct Lines<'a> {
    network: &'a Tied<SasRec>,
    lesson: RankLesson<'a, Sequences<Input>>,
}

impl Batch for Lines<'_> {
    fn rows(&self) -> usize {
        self.lesson.input.input.rows()
    }

    fn noise(&self) -> StepNoise {
        self.lesson.noise
    }

    fn look_ups(&self) -> &[LookUp] {
        self.lesson.look_ups
    }

    fn micro_batch(&self, rows: Range<usize>) -> Box<dyn MicroBatch + '_> {
        let input = &self.lesson.input.input;
        let questions = input.questions(&rows);
        Box::new(SomeLines {
            batch: self,
            slots: input.slots(&rows),
            choice: self.lesson.input.choice.of_questions(&questions),
            questions,
            layers: TapedLayers { network: self.network.encoder(), rows: input.of_rows(&rows) },
        })
    }
}

/// Some of them.
struct SomeLines<'a> {
    batch: &'a Lines<'a>,
    layers: TapedLayers<'a, SasRec>,
    slots: Range<usize>,
    questions: Range<usize>,
    choice: Choice,
}

impl SomeLines<'_> {
    fn asked(&self) -> usize {
        let input = &self.batch.lesson.input.input;
        input.questions(&(0..input.rows())).len()
    }
}

impl MicroBatch for SomeLines<'_> {
    fn model(&self) -> &dyn Model {
        &self.layers
    }

    /// The loss is a mean over questions.
    fn share(&self) -> f64 {
        self.questions.len() as f64 / self.asked() as f64
    }

    fn reads(&self) -> Wanted {
        vec![vec![self.slots.clone()]]
    }

    fn scored(&self) -> Wanted {
        let Sequences { choice, read, .. } = self.batch.lesson.input;
        let all = self.batch.lesson.look_ups.iter().map(LookUp::len).sum();
        vec![match choice {
            Choice::Vectors => Vec::new(),
            Choice::All => std::iter::once(*read..all).collect(),
            Choice::Groups { size, count, .. } => {
                let wanted = self.questions.start + read..self.questions.end + read;
                let drawn = read + self.asked();
                let groups = self.questions.start / size..self.questions.end.div_ceil(*size);
                vec![wanted, drawn + groups.start * count..drawn + groups.end * count]
            }
        }]
    }

    fn input(&self, rows: &[Tensor<2>]) -> Tensor<2> {
        rows[0].clone()
    }

    fn by_rows(&self, slope: Tensor<2>) -> Vec<Tensor<2>> {
        vec![slope]
    }

    fn judge(&self, vectors: Tensor<2>, rows: &[Tensor<2>]) -> Judged {
        let RankLesson { targets, loss, .. } = self.batch.lesson;
        let (targets, scored) = (targets.of_rows(self.questions.clone()), rows[0].clone());
        // With all items the scores are never held: see [`super::super::all_items`].
        if let (Choice::All, Loss::CrossEntropy, Targets::Place(wanted)) = (&self.choice, loss, &*targets)
            && in_this_memory(&vectors.device())
        {
            let (device, d) = (vectors.device(), scored.dims()[1]);
            let learnt = self.batch.network.all.cross_entropy(&numbers(&vectors), &numbers(&scored), d, wanted);
            let tensor = |values, shape| Tensor::from_data(TensorData::new(values, shape), &device);
            let rows = vec![tensor(learnt.by_items, scored.dims())];
            return Judged { value: learnt.value, slope: tensor(learnt.by_vectors, vectors.dims()), rows };
        }
        let judged = judge(loss, scores(&self.choice, vectors.clone(), scored.clone()), &targets);
        let (slope, by_scored) = slopes(&self.choice, vectors, scored, judged.slope);
        Judged { value: judged.value, slope, rows: vec![by_scored] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::random::step_noise;
    use crate::sequence::attention::Pattern;
    use crate::sequence::encoder::Encoder as _;
    use crate::sequence::negatives::Spared;
    use crate::sequence::sasrec::Shape;
    use crate::sequence::tied::Others;
    use crate::training::network::{Differentiable as _, Learnt, Noise as WholeNoise};
    use crate::training::saved::Parameters;
    use recspeed_parallel::model::{Noise, Weights};

    const ITEMS: usize = 23;

    fn network(pattern: Pattern, dropout: f32) -> Tied<SasRec> {
        Tied::new(SasRec::new(Shape { items: ITEMS, d: 8, blocks: 2, heads: 2, length: 9, dropout, pattern }))
    }

    /// Sequences of several lengths.
    fn sequences() -> Vec<Vec<u32>> {
        [10, 3, 9, 2, 7, 6, 4, 10, 5]
            .iter()
            .enumerate()
            .map(|(user, &length)| (0..length).map(|at| ((user * 7 + at * 5) % ITEMS) as u32).collect())
            .collect()
    }

    /// What one device learns of a batch, and what micro-batches in stages learn of it, by the same numbers: the loss, the gradient by
    /// the dense parameters, and that by the rows that were looked up.
    fn both(
        network: &Tied<SasRec>,
        loss: Loss,
        (micro_batches, cut): (usize, usize),
        lent: bool,
    ) -> [(f64, Vec<f32>, Vec<f32>); 2] {
        let device = NeuralDevice::flex().plain();
        let sequences = sequences();
        let read: Vec<&[u32]> = sequences.iter().map(Vec::as_slice).collect();
        let batch = network.encoder().lesson(&[0; 9], &read, (3, 4), &device);
        let others = match loss {
            Loss::CrossEntropy => Others::All,
            _ => Others::Drawn { count: 5, share: 4, spared: Spared::by(loss, true) },
        };
        let (input, look_ups, places) = network.choose(batch, &read, others, true, (3, 4), &device);
        let look_ups: Vec<LookUp> = look_ups.into_iter().map(LookUp::from).collect();
        let targets = if loss == Loss::CrossEntropy { Targets::Place(places) } else { Targets::First };
        let layout = crate::training::network::Network::layout(network);
        let parameters = Parameters::initial(layout, 5, &device);
        let weights = parameters.weights(layout, &look_ups, &device);
        let all_rows = weights.rows(crate::training::layout::TableId(0));
        let [places, d] = all_rows.dims();

        let lesson =
            RankLesson { input: &input, look_ups: &look_ups, targets: &targets, loss, noise: step_noise(3, 4) };
        let sizes = network.layers();
        let batch = network.batch(&sizes, lesson);
        let (rows, layers) = (batch.rows(), sizes.len());
        let start = |layer: usize| sizes[..layer].iter().sum::<usize>();
        let of = |layer: usize| {
            let (flat, place) = (parameters.flat.clone(), start(layer)..start(layer + 1));
            if lent { Weights::lent(flat.slice([place])) } else { Weights::of(flat, place) }
        };
        let picked = |wanted: &Wanted| -> Vec<Tensor<2>> {
            let parts = wanted[0].iter().map(|range| all_rows.clone().slice([range.clone(), 0..d]));
            vec![Tensor::cat(parts.collect(), 0)]
        };
        let (mut value, mut flat, mut by_rows) = (0.0, vec![0.0; start(layers)], vec![0.0; places * d]);
        let micro_batches = micro_batches.min(rows);
        for part in 0..micro_batches {
            let own = rows * part / micro_batches..rows * (part + 1) / micro_batches;
            let micro_batch = batch.micro_batch(own.clone());
            let (model, noise) = (micro_batch.model(), Noise::new(batch.noise(), rows, own.clone()));
            let (reads, scored, share) = (micro_batch.reads(), micro_batch.scored(), micro_batch.share());
            let mut first = model.begin(0..cut, micro_batch.input(&picked(&reads)));
            (0..cut).for_each(|layer| first.forward(layer, of(layer), &noise));
            let between = first.output();
            assert_eq!(between.dims(), model.boundary(cut, own.len()));
            let mut second = model.begin(cut..layers, between);
            (cut..layers).for_each(|layer| second.forward(layer, of(layer), &noise));
            let judged = micro_batch.judge(second.output(), &picked(&scored));
            value += share * judged.value;
            second.begin_backward(judged.slope);
            (cut..layers).rev().for_each(|layer| second.backward_input(layer, of(layer), true));
            first.begin_backward(second.input_slope());
            (0..cut).rev().for_each(|layer| first.backward_input(layer, of(layer), true));
            let read = micro_batch.by_rows(first.input_slope());
            for (wanted, gradient) in [(reads, read), (scored, judged.rows)] {
                let at = wanted[0].iter().cloned().flatten().flat_map(|place| place * d..(place + 1) * d);
                for (place, number) in at.zip(numbers(&gradient[0])) {
                    by_rows[place] += share as f32 * number;
                }
            }
            for layer in 0..layers {
                let pieces = if layer < cut { first.backward_weight(layer) } else { second.backward_weight(layer) };
                let gradient = pieces.iter().flat_map(numbers).enumerate();
                gradient.for_each(|(at, number)| flat[start(layer) + at] += share as f32 * number);
            }
        }
        drop(batch);
        let whole = {
            let mut noise = WholeNoise::new(3, 4, &device);
            let Learnt { value, gradient } = network.learn(weights, input, &mut noise, (loss, &targets));
            (value, numbers(&gradient.flat), numbers(&gradient.rows[0]))
        };
        [whole, (value, flat, by_rows)]
    }

    #[test]
    fn micro_batches_in_stages_learn_what_one_device_learns() {
        let patterns = [Pattern::Full, Pattern::LocalWindow { window: 2 }, Pattern::BlockSparse { block: 3 }];
        for (pattern, loss) in patterns
            .into_iter()
            .flat_map(|pattern| [Loss::CrossEntropy, Loss::SampledSoftmax, Loss::Bce].map(|loss| (pattern, loss)))
        {
            for (micro_batches, cut) in [(1, 1), (1, 3), (2, 2), (3, 1), (9, 3)] {
                let [whole, ours] = both(&network(pattern, 0.3), loss, (micro_batches, cut), false);
                let told = format!("{pattern:?}, {loss:?}, {micro_batches} micro-batches, cut at {cut}");
                assert!((whole.0 - ours.0).abs() < 1e-5 * whole.0.abs(), "{told}: {} {}", whole.0, ours.0);
                for (whole, ours) in [(&whole.1, &ours.1), (&whole.2, &ours.2)] {
                    assert_eq!(whole.len(), ours.len());
                    let far = whole.iter().zip(ours).position(|(a, b)| (a - b).abs() > 1e-6 + 2e-5 * a.abs());
                    assert_eq!(far.map(|at| (at, whole[at], ours[at])), None, "{told}");
                }
                assert!(whole.1.iter().chain(&whole.2).any(|number| number.abs() > 1e-4), "something is learnt");
            }
        }
    }

    #[test]
    fn numbers_that_are_lent_change_no_bit_of_what_is_learnt() {
        for pattern in [Pattern::Full, Pattern::LocalWindow { window: 2 }, Pattern::BlockSparse { block: 3 }] {
            for cut in [(1, 1), (3, 2)] {
                let [_, held] = both(&network(pattern, 0.3), Loss::SampledSoftmax, cut, false);
                let [_, lent] = both(&network(pattern, 0.3), Loss::SampledSoftmax, cut, true);
                assert!(held.0 == lent.0 && held.1 == lent.1 && held.2 == lent.2, "{pattern:?}, {cut:?}");
            }
        }
    }

    #[test]
    fn the_plan_counts_what_the_network_holds() {
        use recspeed_plan::attention::{Blocks, Pattern as Planned};
        use recspeed_plan::dense::Speed;
        let device = NeuralDevice::flex().plain();
        let patterns = [
            (Pattern::Full, Planned::Full),
            (Pattern::LocalWindow { window: 2 }, Planned::LocalWindow(2)),
            (Pattern::LocalWindow { window: 8 }, Planned::LocalWindow(8)),
            (Pattern::BlockSparse { block: 3 }, Planned::BlockSparse(3)),
            // Of 9 items these would take 12 slots, and more than full attention.
            (Pattern::LocalWindow { window: 4 }, Planned::LocalWindow(4)),
            (Pattern::BlockSparse { block: 4 }, Planned::BlockSparse(4)),
        ];
        for (pattern, planned) in patterns {
            let network = network(pattern, 0.3);
            // Sequences of the full length, each asked after every item.
            let sequence: Vec<u32> = (0..10).collect();
            let batch = network.encoder().lesson(&[0, 1], &[&sequence, &sequence], (0, 0), &device);
            let (input, look_ups, places) =
                network.choose(batch, &[&sequence, &sequence], Others::All, false, (0, 0), &device);
            let look_ups: Vec<LookUp> = look_ups.into_iter().map(LookUp::from).collect();
            let targets = Targets::Place(places);
            let lesson = RankLesson {
                input: &input,
                look_ups: &look_ups,
                targets: &targets,
                loss: Loss::CrossEntropy,
                noise: step_noise(0, 0),
            };
            let blocks = Blocks { d: 8, blocks: 2, heads: 2, length: 9, pattern: planned };
            let sizes = network.layers();
            let batch = network.batch(&sizes, lesson);
            let micro_batch = batch.micro_batch(0..2);
            let (model, planned) = (micro_batch.model(), blocks.layers(Speed::of_gflops(1.0)));
            for (layer, planned) in planned.iter().enumerate() {
                assert_eq!(planned.parameters, sizes[layer] as u64, "{pattern:?}, layer {layer}");
                assert_eq!(2 * planned.input_bytes, 4 * model.boundary(layer, 2).iter().product::<usize>() as u64);
                let kept = 4 * model.kept(layer..layer + 1, 2) as u64;
                // The norm keeps what is asked for, which is less than a row where sequences do not fill it.
                let last = layer + 1 == sizes.len();
                assert!(
                    kept == 2 * planned.kept_bytes || last && kept < 2 * planned.kept_bytes,
                    "{pattern:?}, {layer}"
                );
                let lent = 4 * model.kept_of_lent(layer..layer + 1, 2) as u64;
                assert_eq!(lent, 2 * planned.lent().kept_bytes, "{pattern:?}, layer {layer}, lent");
            }
        }
    }
}
