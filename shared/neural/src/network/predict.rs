//! A network that answers.

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use recspeed_data::parts::{Parts, PartsError, Values, expect_len};
use recspeed_types::event::MemoryBytes;

use crate::NeuralModel;
use crate::network::{Attached, Mlp};
use crate::scaling::{INPUTS, InputScaling, RatingScale};

/// Rows of one forward pass: large enough to fill the matrix product, small enough that the activations of the usual
/// widths stay in the second-level cache.
const CHUNK: usize = 1024;

/// Weights, and the scales that they were learnt on.
pub(crate) struct Predictor {
    network: Attached,
    /// The parameters in their flat order.
    flat: Tensor<1>,
    scaling: InputScaling,
    scale: RatingScale,
    device: Device,
    newest: i64,
}

impl Predictor {
    /// # Shapes
    /// - `flat`: `[parameters]`
    pub(crate) fn new(
        network: &Mlp,
        flat: &Tensor<1>,
        (scaling, scale): (InputScaling, RatingScale),
        newest: i64,
        device: Device,
    ) -> Self {
        Self { network: network.attach(flat), flat: flat.clone(), scaling, scale, device, newest }
    }

    /// The inverse of [`NeuralModel::parts`].
    pub(crate) fn restore(network: &Mlp, mut parts: Parts, device: Device) -> Result<Self, PartsError> {
        let flat = parts.take_list("parameters")?;
        expect_len("parameters", flat.len(), network.parameters())?;
        let scales = (InputScaling::take_from(&mut parts)?, RatingScale::take_from(&mut parts)?);
        let newest = (parts.take_count("newest")? as u64).cast_signed();
        let flat = Tensor::from_data(TensorData::new(flat, [network.parameters()]), &device);
        Ok(Self::new(network, &flat, scales, newest, device))
    }

    /// Outputs on the scale `[0, 1]` for scaled inputs.
    ///
    /// # Shapes
    /// - `inputs`: `[rows × INPUTS]`, row by row
    /// - returns: `[rows]`
    fn outputs(&self, inputs: Vec<f32>) -> Vec<f32> {
        let rows = inputs.len() / INPUTS;
        let inputs = Tensor::<2>::from_data(TensorData::new(inputs, [rows, INPUTS]), &self.device);
        let data = self.network.forward(inputs).into_data();
        data.as_slice::<f32>().expect("flex computes in f32 and holds its tensors in memory").to_vec()
    }

    /// Stars of `count` triples in chunks, each chunk on whichever thread is free. The chunks lie where they lie whatever
    /// the number of threads, so threads change no bit; the same row in another place may differ in its last bit.
    fn stars_of(&self, count: usize, triple: impl Fn(usize) -> (u32, i64, u32) + Sync) -> Vec<f32> {
        let mut stars = vec![0.0; count];
        let chunk = |(index, out): (usize, &mut [f32])| self.fill(index * CHUNK, out, &triple);
        if count > CHUNK {
            stars.par_chunks_mut(CHUNK).enumerate().for_each(chunk);
        } else {
            chunk((0, &mut stars));
        }
        stars
    }

    fn fill(&self, start: usize, out: &mut [f32], triple: &impl Fn(usize) -> (u32, i64, u32)) {
        if out.is_empty() {
            return;
        }
        let mut inputs = Vec::with_capacity(out.len() * INPUTS);
        for at in start..start + out.len() {
            let (user, time, item) = triple(at);
            inputs.extend(self.scaling.apply(user, item, time));
        }
        for (star, output) in out.iter_mut().zip(self.outputs(inputs)) {
            *star = self.scale.stars(output);
        }
    }
}

impl NeuralModel for Predictor {
    fn predict_rows(&self, users: &[u32], items: &[u32], timestamps: &[i64]) -> Vec<f32> {
        let count = users.len().min(items.len()).min(timestamps.len());
        self.stars_of(count, |at| (users[at], timestamps[at], items[at]))
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
        self.flat.dims()[0] as u64
    }

    fn memory(&self) -> MemoryBytes {
        MemoryBytes { parameters: 4 * self.parameters(), ..MemoryBytes::default() }
    }

    fn parts(&self) -> Parts {
        let flat = self.flat.clone().into_data();
        let flat = flat.as_slice::<f32>().expect("flex computes in f32 and holds its tensors in memory");
        let parts = Parts::default().with_list("parameters", flat);
        let newest = Values::U64(vec![self.newest.cast_unsigned()]);
        self.scale.add_to(self.scaling.add_to(parts)).with("newest", &[], newest)
    }
}
