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

/// Bytes of a number.
const NUMBER: u64 = 4;

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
    }
}

/// Layers from each width to the next.
pub fn mlp(widths: &[u64], speed: Speed) -> Vec<Layer> {
    widths.windows(2).map(|pair| dense(pair[0], pair[1], speed)).collect()
}

/// A dense block: each of `depth` layers makes `growth` numbers of all before it, which it hands on beside them; then one layer
/// makes `outputs` of them all. Each keeps the row that it reads, as where rows are concatenated.
pub fn densenet(inputs: u64, depth: u64, growth: u64, outputs: u64, speed: Speed) -> Vec<Layer> {
    let width = |layer: u64| inputs + layer * growth;
    let block =
        (0..depth).map(|layer| Layer { output_bytes: NUMBER * width(layer + 1), ..dense(width(layer), growth, speed) });
    block.chain([dense(width(depth), outputs, speed)]).collect()
}
