//! Scores of items: products of what an encoder says of a sequence and the items' own vectors.
//!
//! The encoder is on Burn's tape. The products are not: a tape would copy the scores several times over where the way back
//! is two matrix products.

mod stages;

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_types::spec::Loss;

use super::all_items::AllItems;
use super::draws::{Purpose, generator};
use super::encoder::{Batch, Drops, Encoder};
use super::negatives::{Asked, Spared, draw};
use crate::device::in_this_memory;
use crate::training::layout::{Layout, TableId};
use crate::training::losses::Targets;
use crate::training::network::{
    Differentiable, Gradient, Learnt, Network, Noise, Output, Tape, Taped, Traced, Weights, by_slope,
};
use crate::training::saved::numbers;

/// Added to the score of a drawn item that is no wrong answer: it does not stand for another.
const NO_OTHER: f32 = -1e9;

/// How many of the items that were not wanted are scored beside the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// All items.
    All,
    /// Some, drawn uniformly; `share` questions that follow each other get the same ones (0: all of the batch).
    Drawn {
        /// At least 1.
        count: usize,
        /// Questions of a group.
        share: usize,
        /// What is not drawn, or does not count.
        spared: Spared,
    },
}

/// Which items are scored for which question.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one for each batch")]
pub(crate) enum Choice {
    /// None: the vectors themselves are wanted.
    Vectors,
    /// All of them, in their order.
    All,
    /// The wanted one first, then those of the question's group.
    Groups {
        groups: usize,
        /// Questions of a group; the last group may have fewer.
        size: usize,
        /// Drawn items of a group.
        count: usize,
        /// Questions of the first group that are not among these.
        before: usize,
        /// What is added to each score: `[questions, 1 + count]`.
        corrections: Tensor<2>,
    },
}

impl Choice {
    /// That of some questions.
    fn of_questions(&self, questions: &Range<usize>) -> Self {
        let Self::Groups { size, count, corrections, .. } = self else { return self.clone() };
        let (first, end) = (questions.start / size, questions.end.div_ceil(*size));
        Self::Groups {
            groups: end - first,
            size: *size,
            count: *count,
            before: questions.start - first * size,
            corrections: corrections.clone().slice([questions.clone(), 0..count + 1]),
        }
    }
}

/// What a sequence model sees of a batch.
pub(crate) struct Sequences<I> {
    input: I,
    choice: Choice,
    /// Rows of the items' table that the encoder reads; the scored items' rows follow.
    read: usize,
}

/// An encoder whose vectors score items.
pub(crate) struct Tied<E> {
    encoder: Taped<Bare<E>>,
    all: AllItems,
}

/// The encoder alone.
struct Bare<E>(E);

/// What the way back needs.
pub(crate) struct Trace {
    tape: Tape,
    vectors: Tensor<2>,
    scored: Tensor<2>,
    choice: Choice,
    read: usize,
}

impl<E: Encoder> Tied<E> {
    pub(crate) fn new(encoder: E) -> Self {
        Self { encoder: Taped(Bare(encoder)), all: AllItems::default() }
    }

    pub(crate) fn encoder(&self) -> &E {
        &self.encoder.0.0
    }

    /// Adds the items that are to be scored to a batch of these whole sequences. Returns the batch, the rows to look up and, for each
    /// question, the place of the wanted item among its scores (all items) or nothing (the first).
    pub(crate) fn choose(
        &self,
        batch: Batch<E::Input>,
        sequences: &[&[u32]],
        others: Others,
        log_q: bool,
        (seed, step): (u64, u64),
        device: &Device,
    ) -> (Sequences<E::Input>, Vec<Vec<u32>>, Vec<u32>) {
        let TableId(table) = self.encoder().items();
        let items = self.encoder().n_items() as u32;
        let Batch { input, mut look_ups, targets, askers } = batch;
        let read = look_ups[table].len();
        let choice = match others {
            Others::All => {
                look_ups[table].extend(0..items);
                Choice::All
            }
            Others::Drawn { count, share, spared } => {
                let size = if share == 0 { targets.len() } else { share.min(targets.len()) }.max(1);
                let groups = targets.len().div_ceil(size);
                let mut rng = generator(seed, Purpose::Negatives, step);
                let asked = Asked { targets: &targets, askers: &askers, sequences };
                let drawn = draw(asked, (size, spared), (count, items), &mut rng);
                // Each drawn item stands for items / count others.
                let weight = if log_q { (items as f32 / count as f32).ln() } else { 0.0 };
                let mut corrections = Vec::with_capacity(targets.len() * (count + 1));
                for spared in drawn.spared.chunks(count) {
                    corrections.push(0.0);
                    corrections.extend(spared.iter().map(|&spared| if spared { NO_OTHER } else { weight }));
                }
                look_ups[table].extend(&targets);
                look_ups[table].extend(&drawn.items);
                let shape = [targets.len(), count + 1];
                let corrections = Tensor::from_data(TensorData::new(corrections, shape), device);
                Choice::Groups { groups, size, count, before: 0, corrections }
            }
        };
        (Sequences { input, choice, read }, look_ups, targets)
    }

    /// A batch whose vectors are wanted.
    pub(crate) fn vectors(&self, batch: Batch<E::Input>) -> (Sequences<E::Input>, Vec<Vec<u32>>) {
        let TableId(table) = self.encoder().items();
        let read = batch.look_ups[table].len();
        (Sequences { input: batch.input, choice: Choice::Vectors, read }, batch.look_ups)
    }

    /// The rows of the scored items.
    fn scored(&self, weights: &Weights, read: usize) -> Tensor<2> {
        let rows = weights.rows(self.encoder().items());
        let [all, d] = rows.dims();
        rows.slice([read..all, 0..d])
    }
}

/// # Shapes
/// - `vectors`: `[questions, d]`
/// - `scored`: `[items, d]`, or `[questions + groups · count, d]`
/// - returns: `[questions, scores]`
fn scores(choice: &Choice, vectors: Tensor<2>, scored: Tensor<2>) -> Tensor<2> {
    match choice {
        Choice::Vectors => vectors,
        Choice::All => vectors.matmul(scored.transpose()),
        Choice::Groups { groups, size, count, before, corrections } => {
            let [questions, d] = vectors.dims();
            let wanted = (vectors.clone() * scored.clone().slice([0..questions, 0..d])).sum_dim(1);
            let drawn = drawn(scored, questions, (*groups, *count));
            let products = grouped(vectors, (*groups, *size), *before).matmul(drawn.transpose());
            let products = products.reshape([groups * size, *count]).slice([*before..before + questions, 0..*count]);
            Tensor::cat(vec![wanted, products], 1) + corrections.clone()
        }
    }
}

/// The derivatives by the vectors and by the scored rows, each in its shape.
fn slopes(choice: &Choice, vectors: Tensor<2>, scored: Tensor<2>, slope: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    match choice {
        Choice::Vectors => (slope, scored.mul_scalar(0.0)),
        Choice::All => (slope.clone().matmul(scored), slope.transpose().matmul(vectors)),
        Choice::Groups { groups, size, count, before, .. } => {
            let [questions, d] = vectors.dims();
            let of_wanted = slope.clone().slice([0..questions, 0..1]);
            let of_drawn = grouped(slope.slice([0..questions, 1..count + 1]), (*groups, *size), *before);
            let wanted = scored.clone().slice([0..questions, 0..d]);
            let drawn = drawn(scored, questions, (*groups, *count));
            let by_drawn = of_drawn.clone().transpose().matmul(grouped(vectors.clone(), (*groups, *size), *before));
            let back = of_drawn.matmul(drawn).reshape([groups * size, d]).slice([*before..before + questions, 0..d]);
            let by_vectors = back + wanted * of_wanted.clone();
            (by_vectors, Tensor::cat(vec![vectors * of_wanted, by_drawn.reshape([groups * count, d])], 0))
        }
    }
}

/// The drawn rows: `[groups, count, d]`.
fn drawn(scored: Tensor<2>, questions: usize, (groups, count): (usize, usize)) -> Tensor<3> {
    let [all, d] = scored.dims();
    scored.slice([questions..all, 0..d]).reshape([groups, count, d])
}

/// Questions by groups, the first and the last one filled up with zeros: `[groups, size, columns]`.
fn grouped(x: Tensor<2>, (groups, size): (usize, usize), before: usize) -> Tensor<3> {
    let [questions, columns] = x.dims();
    let zeros = |rows: usize| (rows > 0).then(|| Tensor::zeros([rows, columns], &x.device()));
    let (first, last) = (zeros(before), zeros(groups * size - before - questions));
    let x = if first.is_none() && last.is_none() {
        x
    } else {
        Tensor::cat(first.into_iter().chain([x]).chain(last).collect(), 0)
    };
    x.reshape([groups, size, columns])
}

impl<E: Encoder> Network for Bare<E> {
    type Input = Sequences<E::Input>;

    fn layout(&self) -> &Layout {
        self.0.layout()
    }

    fn forward(&self, weights: &Weights, input: &Self::Input, noise: Option<&mut Noise>) -> Output {
        let mut drops = Drops::new(noise, self.0.dropout());
        self.0.encode(weights, &input.input, &mut drops).into()
    }
}

impl<E: Encoder> Network for Tied<E> {
    type Input = Sequences<E::Input>;

    fn layout(&self) -> &Layout {
        self.encoder().layout()
    }

    fn forward(&self, weights: &Weights, input: &Self::Input, noise: Option<&mut Noise>) -> Output {
        let vectors = self.encoder.forward(weights, input, noise).scores;
        scores(&input.choice, vectors, self.scored(weights, input.read)).into()
    }
}

impl<E: Encoder> Differentiable for Tied<E> {
    type Trace = Trace;

    fn trace(&self, weights: Weights, input: Self::Input, noise: &mut Noise) -> Traced<Trace> {
        let scored = self.scored(&weights, input.read);
        let (choice, read) = (input.choice.clone(), input.read);
        let Traced { scores: vectors, penalty, trace: tape } = self.encoder.trace(weights, input, noise);
        let scores = scores(&choice, vectors.clone(), scored.clone());
        Traced { scores, penalty, trace: Trace { tape, vectors, scored, choice, read } }
    }

    fn gradient(&self, trace: Trace, slope: Tensor<2>) -> Gradient {
        let Trace { tape, vectors, scored, choice, read } = trace;
        let (by_vectors, by_scored) = slopes(&choice, vectors, scored, slope);
        self.with_scored(self.encoder.gradient(tape, by_vectors), by_scored, read)
    }

    /// With all items the scores are never held: see [`super::all_items`].
    fn learn(&self, weights: Weights, input: Self::Input, noise: &mut Noise, asked: (Loss, &Targets)) -> Learnt {
        let (Choice::All, (Loss::CrossEntropy, Targets::Place(wanted))) = (&input.choice, asked) else {
            return by_slope(self, weights, input, noise, asked);
        };
        // That is for a processor's cache; a GPU has the width for all scores, and is far from this memory.
        if !in_this_memory(noise.device()) {
            return by_slope(self, weights, input, noise, asked);
        }
        let (scored, read) = (self.scored(&weights, input.read), input.read);
        let Traced { scores: vectors, penalty, trace: tape } = self.encoder.trace(weights, input, noise);
        let (of_vectors, of_scored, device) = (vectors.dims(), scored.dims(), vectors.device());
        let learnt = self.all.cross_entropy(&numbers(&vectors), &numbers(&scored), of_scored[1], wanted);
        let by_vectors = Tensor::from_data(TensorData::new(learnt.by_vectors, of_vectors), &device);
        let by_scored = Tensor::from_data(TensorData::new(learnt.by_items, of_scored), &device);
        let gradient = self.with_scored(self.encoder.gradient(tape, by_vectors), by_scored, read);
        Learnt { value: learnt.value + penalty, gradient }
    }
}

impl<E: Encoder> Tied<E> {
    /// The encoder's gradient and, behind the rows that it read, that of the scored rows.
    fn with_scored(&self, mut gradient: Gradient, by_scored: Tensor<2>, read: usize) -> Gradient {
        let TableId(table) = self.encoder().items();
        let of_table = &mut gradient.rows[table];
        *of_table = if read == 0 {
            by_scored
        } else {
            let of_read = of_table.clone().slice([0..read, 0..by_scored.dims()[1]]);
            Tensor::cat(vec![of_read, by_scored], 0)
        };
        gradient
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::random::WeightDraws;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn grouped_scores_and_their_way_back_are_those_of_the_tape(
            questions in 1usize..12, size in 1usize..6, count in 1usize..5, all: bool, skipped in 0usize..5, seed: u64,
        ) {
            let device = NeuralDevice::flex().plain();
            let d = 3;
            let mut draws = WeightDraws::new(seed);
            let mut tensor = |rows: usize, columns: usize| {
                let values: Vec<f32> = (0..rows * columns).map(|_| draws.uniform(1.0)).collect();
                Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device)
            };
            let size = size.min(questions);
            let before = skipped % size;
            let groups = (before + questions).div_ceil(size);
            let (choice, rows, columns) = if all {
                (Choice::All, 7, 7)
            } else {
                let corrections = tensor(questions, count + 1);
                (Choice::Groups { groups, size, count, before, corrections }, questions + groups * count, count + 1)
            };
            let (vectors, scored, slope) = (tensor(questions, d), tensor(rows, d), tensor(questions, columns));
            let numbers = |x: Tensor<2>| x.into_data().as_slice::<f32>().unwrap().to_vec();

            let found = numbers(scores(&choice, vectors.clone(), scored.clone()));
            let (v, s) = (numbers(vectors.clone()), numbers(scored.clone()));
            for question in 0..questions {
                for column in 0..columns {
                    let (row, add) = match &choice {
                        Choice::Groups { corrections, .. } => {
                            let add = numbers(corrections.clone())[question * columns + column];
                            let drawn = questions + (before + question) / size * count + column.saturating_sub(1);
                            (if column == 0 { question } else { drawn }, add)
                        }
                        _ => (column, 0.0),
                    };
                    let dot: f32 = (0..d).map(|at| v[question * d + at] * s[row * d + at]).sum();
                    prop_assert!((found[question * columns + column] - dot - add).abs() < 1e-5);
                }
            }

            let leaf = |x: &Tensor<2>| x.clone().autodiff().require_grad();
            let (lv, ls) = (leaf(&vectors), leaf(&scored));
            let mut tape = (scores(&choice, lv.clone(), ls.clone()) * slope.clone().autodiff()).sum().backward();
            let (by_vectors, by_scored) = slopes(&choice, vectors, scored, slope);
            for (ours, tape) in [(by_vectors, lv.grad_remove(&mut tape)), (by_scored, ls.grad_remove(&mut tape))] {
                for (ours, tape) in numbers(ours).iter().zip(numbers(tape.unwrap())) {
                    prop_assert!((ours - tape).abs() < 1e-5, "{ours} {tape}");
                }
            }
        }
    }
}
