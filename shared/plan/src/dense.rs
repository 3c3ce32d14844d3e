//! What fully connected layers cost, counted instead of measured.

use crate::{Duration, Layer};

/// How fast a rank computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Floating-point operations a microsecond: 1,000 of them are 1 GFLOP/s.
    pub flops_per_us: f64,
    /// Microseconds of a call, however little it computes.
    pub call_us: f64,
}

/// Microseconds of a call of a layer, however small: assumed, as speeds are.
const CALL_US: f64 = 2.0;
/// Operations of the optimizer for each parameter: Adam's, with the square root.
const UPDATE_FLOPS: f64 = 12.0;

impl Speed {
    /// Thousands of millions of operations a second.
    pub fn of_gflops(gflops: f64) -> Self {
        Self { flops_per_us: gflops * 1000.0, call_us: CALL_US }
    }

    /// Microseconds that the optimizer needs for a parameter.
    pub fn update_us(self) -> f64 {
        UPDATE_FLOPS / self.flops_per_us
    }
}

/// Bytes of a number.
const NUMBER: u64 = 4;

/// Inputs of the four-layer network: user, item, time.
pub const MLP_INPUTS: u64 = 3;
/// Inputs of the dense block: the same, and how often the item was rated before.
pub const DENSENET_INPUTS: u64 = 4;

/// A layer of `inputs × outputs` weights and `outputs` biases: two operations for each weight in the forward pass and in both
/// parts of the backward pass. It keeps its input between them.
pub fn dense(inputs: u64, outputs: u64, speed: Speed) -> Layer {
    let weights = inputs.saturating_mul(outputs);
    let pass = Duration { fixed_us: speed.call_us, per_sample_us: 2.0 * weights as f64 / speed.flops_per_us };
    Layer {
        forward: pass,
        backward_input: pass,
        backward_weight: pass,
        parameters: weights.saturating_add(outputs),
        input_bytes: NUMBER * inputs,
        kept_bytes: NUMBER * inputs,
        output_bytes: NUMBER * outputs,
        reads_in_place: false,
    }
}

/// Layers from each width to the next. Each but the last ends in a ReLU, which keeps its output: it says what was cut off.
pub fn mlp(widths: &[u64], speed: Speed) -> Vec<Layer> {
    let mut layers: Vec<Layer> = widths.windows(2).map(|pair| dense(pair[0], pair[1], speed)).collect();
    let last = layers.len().saturating_sub(1);
    layers[..last].iter_mut().for_each(|hidden| hidden.kept_bytes += hidden.output_bytes);
    layers
}

/// A dense block: each of `depth` layers makes `growth` numbers of all before it, which it hands on beside them; then one layer
/// makes `outputs` of them all. A stage keeps one row that its layers write into one after the other, and read the front of.
pub fn densenet(inputs: u64, depth: u64, growth: u64, outputs: u64, speed: Speed) -> Vec<Layer> {
    let width = |layer: u64| inputs + layer * growth;
    let row = |layer: u64| NUMBER * width(layer);
    let block = (0..depth).map(|layer| Layer {
        output_bytes: row(layer + 1),
        kept_bytes: row(layer + 1),
        reads_in_place: layer > 0,
        ..dense(width(layer), growth, speed)
    });
    let scores = Layer { reads_in_place: depth > 0, ..dense(width(depth), outputs, speed) };
    block.chain([scores]).collect()
}
