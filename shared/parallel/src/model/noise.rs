//! What dropout leaves out: the same whenever it is asked again, whoever asks.

use std::ops::Range;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// The random numbers of one step: a stream of ChaCha, in which every number of every row of the batch has a place of its own.
/// How the batch is cut, which rank computes a row, and whether it is computed twice then changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct StepNoise {
    /// Seed of the run.
    pub seed: u64,
    /// The stream of this step.
    pub stream: u64,
}

/// What one micro-batch sees of it.
#[derive(Debug, Clone)]
pub struct Noise {
    step: Option<StepNoise>,
    batch: usize,
    rows: Range<usize>,
}

impl Noise {
    /// For rows of a batch of so many.
    pub const fn new(step: StepNoise, batch: usize, rows: Range<usize>) -> Self {
        Self { step: Some(step), batch, rows }
    }

    /// Leaves nothing out: for answering.
    pub const fn silent() -> Self {
        Self { step: None, batch: 0, rows: 0..0 }
    }

    /// 0 with probability `rate`, else `1 / (1 − rate)`; `None` where nothing is left out.
    ///
    /// `place`: numbers of a row that all layers before draw for. The number of unit `u` of row `r` is word
    /// `(place + u) · batch + r` of the stream.
    ///
    /// # Shapes
    /// - returns: `[width, rows]`
    pub fn mask(&self, place: usize, width: usize, rate: f32, device: &Device) -> Option<Tensor<2>> {
        let step = self.step.filter(|_| rate > 0.0)?;
        let mut generator = ChaCha8Rng::seed_from_u64(step.seed);
        generator.set_stream(step.stream);
        let mut values = Vec::with_capacity(width * self.rows.len());
        let whole = self.rows.len() == self.batch;
        for unit in place..place + width {
            if unit == place || !whole {
                generator.set_word_pos(unit as u128 * self.batch as u128 + self.rows.start as u128);
            }
            values.extend(self.rows.clone().map(|_| left_out(&mut generator, rate)));
        }
        Some(Tensor::from_data(TensorData::new(values, [width, self.rows.len()]), device))
    }

    /// As [`Self::mask`], for numbers that lie row by row: number `n` of row `r` is word `first + r · width + n` of the stream.
    ///
    /// # Shapes
    /// - returns: `[rows, width]`
    pub fn row_by_row(&self, first: u64, width: usize, rate: f32) -> Option<Vec<f32>> {
        let step = self.step.filter(|_| rate > 0.0)?;
        let mut generator = ChaCha8Rng::seed_from_u64(step.seed);
        generator.set_stream(step.stream);
        generator.set_word_pos(u128::from(first) + self.rows.start as u128 * width as u128);
        Some((0..self.rows.len() * width).map(|_| left_out(&mut generator, rate)).collect())
    }

    /// Rows of the whole batch.
    pub const fn batch(&self) -> usize {
        self.batch
    }

    /// The rows of the batch that this is for.
    pub const fn rows(&self) -> usize {
        self.rows.end - self.rows.start
    }
}

/// 0 with probability `rate`, else `1 / (1 − rate)`; takes one word.
fn left_out(generator: &mut ChaCha8Rng, rate: f32) -> f32 {
    let unit = (generator.next_u32() >> 8) as f32 / (1 << 24) as f32;
    if unit < rate { 0.0 } else { 1.0 / (1.0 - rate) }
}
