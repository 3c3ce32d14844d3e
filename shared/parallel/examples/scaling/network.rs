//! The network, and what one rank has of it.

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Dense, Layer as Computes};

/// Hidden layers, and numbers of each.
pub(crate) const DEPTH: usize = 64;
pub(crate) const WIDTH: usize = 1024;
/// Inputs of the network, and rows of a batch for each rank.
pub(crate) const INPUTS: usize = 64;
pub(crate) const ROWS: usize = 128;
/// Where there are stages.
pub(crate) const MICRO_BATCHES: usize = 32;

/// Inputs, outputs, and whether a ReLU follows.
pub(crate) type Shape = (usize, usize, bool);

/// Numbers from each layer to the next.
pub(crate) fn widths() -> Vec<usize> {
    std::iter::once(INPUTS).chain(std::iter::repeat_n(WIDTH, DEPTH)).chain(std::iter::once(1)).collect()
}

/// What one of `tensor` ranks has of layer `at`: pairs are cut by columns and rows, the last one by rows.
pub(crate) fn shape(at: usize, tensor: usize) -> Shape {
    let widths = widths();
    let (inputs, outputs, hidden) = (widths[at], widths[at + 1], at < DEPTH);
    if hidden && at.is_multiple_of(2) { (inputs, outputs / tensor, hidden) } else { (inputs / tensor, outputs, hidden) }
}

/// A layer of this shape.
pub(crate) const fn layer((inputs, outputs, hidden): Shape) -> Dense {
    if hidden { Dense::hidden(inputs, outputs, 0.0, 0) } else { Dense::linear(inputs, outputs) }
}

/// Rows of a micro-batch: as many of a batch for each rank, however the ranks are used.
pub(crate) const fn rows(stages: usize, tensor: usize) -> usize {
    ROWS * stages * tensor / micro_batches(stages)
}

/// Micro-batches of a batch.
pub(crate) const fn micro_batches(stages: usize) -> usize {
    if stages > 1 { MICRO_BATCHES } else { 1 }
}

/// Numbers in ±`most`, drawn one after the other from a seed.
pub(crate) fn draws(seed: u64, count: usize, most: f32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 24) as f32).mul_add(2.0, -1.0) * most
    };
    (0..count).map(|_| next()).collect()
}

/// First numbers of a layer, by which what goes through 64 of them, there and back, stays about as large as it is (He et al. 2015).
pub(crate) fn first_numbers(seed: u64, layer: &Dense) -> Vec<f32> {
    draws(seed, Computes::parameters(layer), (6.0 / Computes::inputs(layer) as f32).sqrt())
}

/// A row of numbers.
pub(crate) fn row(values: Vec<f32>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// A matrix of numbers in ±1.
pub(crate) fn matrix(seed: u64, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(draws(seed, shape[0] * shape[1], 1.0), shape), device)
}

/// The middle one, or the upper of both.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
