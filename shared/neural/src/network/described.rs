//! A network that answers from a description of the row: what the networks of the paper have in common.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use recspeed_data::parts::{Parts, PartsError, Values};
use recspeed_plan::blocks;
use recspeed_types::event::MemoryBytes;

use crate::NeuralModel;
use crate::examples::Describe;
use crate::scaling::RatingScale;
use crate::training::network::{Network, Weights};
use crate::training::saved::{Parameters, numbers};

/// Rows of one forward pass: large enough to fill the matrix product, small enough that the activations of the usual
/// widths stay in the second-level cache.
const CHUNK: usize = blocks::PASS;

/// What a network's output means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Answer {
    /// A rating on the scale `[0, 1]`; answers are stars.
    Stars(RatingScale),
    /// The logarithm of the odds that the user likes the item; answers are probabilities.
    Odds,
}

/// A description that can be saved.
pub(crate) trait Saved {
    /// Adds what it is made of.
    fn add_to(&self, parts: Parts) -> Parts;
    /// Bytes that it holds.
    fn bytes(&self) -> u64 {
        0
    }
}

/// A network, its numbers, and how rows are described to it.
pub(crate) struct DescribedModel<N, D> {
    network: N,
    describe: D,
    answer: Answer,
    parameters: Parameters,
    weights: Weights,
    newest: i64,
    device: Device,
}

impl<N: Network<Input = Tensor<2>>, D: Describe + Saved + Send + Sync> DescribedModel<N, D> {
    pub(crate) fn new(
        network: N,
        describe: D,
        answer: Answer,
        parameters: Parameters,
        newest: i64,
        device: Device,
    ) -> Self {
        let weights = parameters.weights(network.layout(), &[], &device);
        Self { network, describe, answer, parameters, weights, newest, device }
    }

    /// The inverse of [`NeuralModel::parts`], once description and answer are taken out.
    pub(crate) fn restore(
        network: N,
        describe: D,
        answer: Answer,
        mut parts: Parts,
        device: Device,
    ) -> Result<Self, PartsError> {
        let parameters = Parameters::take_from(network.layout(), &mut parts, &device)?;
        let newest = (parts.take_count("newest")? as u64).cast_signed();
        Ok(Self::new(network, describe, answer, parameters, newest, device))
    }

    /// Outputs for described rows.
    ///
    /// # Shapes
    /// - `inputs`: `[rows × WIDTH]`, row by row
    /// - returns: `[rows]`
    fn outputs(&self, inputs: Vec<f32>) -> Vec<f32> {
        let rows = inputs.len() / D::WIDTH;
        let inputs = Tensor::<2>::from_data(TensorData::new(inputs, [rows, D::WIDTH]), &self.device);
        let scores = self.network.forward(&self.weights, &inputs, None).scores;
        match self.answer {
            Answer::Stars(_) => numbers(&scores),
            Answer::Odds => numbers(&sigmoid(scores)),
        }
    }

    /// Answers for `count` triples in chunks, each chunk on whichever thread is free. The chunks lie where they lie whatever
    /// the number of threads, so threads change no bit; the same row in another place may differ in its last bit.
    fn answers(&self, count: usize, triple: impl Fn(usize) -> (u32, i64, u32) + Sync) -> Vec<f32> {
        let mut answers = vec![0.0; count];
        let chunk = |(index, out): (usize, &mut [f32])| self.fill(index * CHUNK, out, &triple);
        if count > CHUNK {
            answers.par_chunks_mut(CHUNK).enumerate().for_each(chunk);
        } else {
            chunk((0, &mut answers));
        }
        answers
    }

    fn fill(&self, start: usize, out: &mut [f32], triple: &impl Fn(usize) -> (u32, i64, u32)) {
        if out.is_empty() {
            return;
        }
        let mut inputs = Vec::with_capacity(out.len() * D::WIDTH);
        for at in start..start + out.len() {
            let (user, time, item) = triple(at);
            self.describe.describe(user, item, time, &mut inputs);
        }
        for (answer, output) in out.iter_mut().zip(self.outputs(inputs)) {
            *answer = match self.answer {
                Answer::Stars(scale) => scale.stars(output),
                Answer::Odds => output,
            };
        }
    }
}

impl<N, D> NeuralModel for DescribedModel<N, D>
where
    N: Network<Input = Tensor<2>>,
    D: Describe + Saved + Send + Sync,
{
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        let count = users.len().min(items.len()).min(timestamps.len());
        self.answers(count, |at| (users[at], timestamps[at], items[at]))
    }

    fn score_all(&self, user: u32, timestamp: i64, scores: &mut [f32]) {
        for (index, chunk) in scores.chunks_mut(CHUNK).enumerate() {
            self.fill(index * CHUNK, chunk, &|item| (user, timestamp, item as u32));
        }
    }

    fn reference_timestamp(&self) -> i64 {
        self.newest
    }

    fn parameters(&self) -> u64 {
        self.parameters.count()
    }

    fn memory(&self) -> MemoryBytes {
        let buffers = self.describe.bytes();
        MemoryBytes { parameters: self.parameters.bytes(), buffers, ..MemoryBytes::default() }
    }

    fn parts(&self) -> Parts {
        let parts = self.describe.add_to(self.parameters.add_to(self.network.layout(), Parts::default()));
        let parts = match self.answer {
            Answer::Stars(scale) => scale.add_to(parts),
            Answer::Odds => parts,
        };
        parts.with("newest", &[], Values::U64(vec![self.newest.cast_unsigned()]))
    }
}
