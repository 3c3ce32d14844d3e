//! What fully connected layers cost, counted instead of measured.

use crate::sharding::OptimizerState;
use crate::simulate::Link;
use crate::{Duration, Exchanged, Layer, Tape, pace};

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
/// Bytes that a rank reads and writes in the time of one of its operations: at the 50 GFLOP/s that plans assume, the 11 GB/s that
/// look-ups in tables were fitted to. A rank that computes faster is taken to have as much faster a memory.
const BYTES_A_FLOP: f64 = pace::BYTES_PER_S / (pace::GFLOPS * 1e9);

impl Speed {
    /// Thousands of millions of operations a second.
    pub fn of_gflops(gflops: f64) -> Self {
        Self { flops_per_us: gflops * 1000.0, call_us: CALL_US }
    }

    /// Microseconds that the optimizer needs for a parameter: it computes next to nothing and waits for memory.
    pub fn update_us(self, optimizer: OptimizerState) -> f64 {
        optimizer.moved_bytes() as f64 / (BYTES_A_FLOP * self.flops_per_us)
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
        exchanged: Exchanged::default(),
        tape: Tape::default(),
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

/// What one of `ranks` ranks has of fully connected layers that they share: pairs cut by columns and rows, a layer left over by
/// rows. Exchanges are counted as part of the pass that waits for them, by a link that all ranks use at once.
pub fn shared(layers: &[Layer], ranks: usize, link: Link) -> Vec<Layer> {
    if ranks <= 1 {
        return layers.to_vec();
    }
    let n = ranks as u64;
    let part = |duration: Duration| Duration { per_sample_us: duration.per_sample_us / ranks as f64, ..duration };
    let sum = |bytes: u64| if bytes > 0 { whole_sum(bytes, ranks, link) } else { Duration::default() };
    let last = layers.len().saturating_sub(1);
    let own = |(at, layer): (usize, &Layer)| {
        let (columns, whole_input) = (at % 2 == 0 && at < last, at % 2 == 0);
        let (forward, backward_input) = (part(layer.forward), part(layer.backward_input));
        let (input, output) = (layer.input_bytes.div_ceil(n), layer.output_bytes.div_ceil(n));
        // Bytes that are summed. Nothing comes before the first layer that would want the slope of its input.
        let there = if columns { 0 } else { layer.output_bytes };
        let back = if whole_input && at > 0 { layer.input_bytes } else { 0 };
        Layer {
            exchanged: Exchanged {
                forward: 2 * there,
                backward: 2 * back,
                held: there.max(back),
                forward_time: sum(there),
                backward_time: sum(back),
            },
            forward: forward.plus(sum(there)),
            backward_input: backward_input.plus(sum(back)),
            backward_weight: part(layer.backward_weight),
            parameters: layer.parameters.div_ceil(n),
            input_bytes: if whole_input { layer.input_bytes } else { input },
            // By columns the input is whole and what is kept of the output a part; by rows it is the other way round.
            kept_bytes: if columns {
                layer.input_bytes + (layer.kept_bytes - layer.input_bytes).div_ceil(n)
            } else {
                input + layer.kept_bytes - layer.input_bytes
            },
            output_bytes: if columns { output } else { layer.output_bytes },
            ..*layer
        }
    };
    layers.iter().enumerate().map(own).collect()
}

/// What the fullest of `ranks` ranks has of a dense block that they share: of the input and of what each layer makes its own numbers,
/// and of each weight the rows that read those. What a layer makes is added up over the ranks, each of which gets its own numbers of it; on
/// the way back their slopes are gathered. The scores are a sum that every rank gets.
pub fn shared_densenet(
    (inputs, depth, growth, outputs): (u64, u64, u64, u64),
    speed: Speed,
    ranks: usize,
    link: Link,
) -> Vec<Layer> {
    if ranks <= 1 {
        return densenet(inputs, depth, growth, outputs, speed);
    }
    let share = |numbers: u64| numbers.div_ceil(ranks as u64);
    let width = |layer: u64| share(inputs) + layer * share(growth);
    let row = |layer: u64| NUMBER * width(layer);
    // All that a layer makes of some of what it sees; of the biases some.
    let part = |layer: u64, made: u64| Layer {
        parameters: width(layer) * made + share(made),
        reads_in_place: layer > 0,
        ..dense(width(layer), made, speed)
    };
    let block = (0..depth).map(|layer| {
        let (own, made) = (part(layer, growth), NUMBER * growth);
        let time = exchange(made, ranks, link);
        Layer {
            forward: own.forward.plus(time),
            backward_input: own.backward_input.plus(time),
            // Each rank is given the whole input.
            input_bytes: if layer == 0 { NUMBER * inputs } else { own.input_bytes },
            kept_bytes: row(layer + 1),
            output_bytes: row(layer + 1),
            exchanged: Exchanged { forward: made, backward: made, held: made, forward_time: time, backward_time: time },
            ..own
        }
    });
    let (own, scores) = (part(depth, outputs), NUMBER * outputs);
    let forward_time = whole_sum(scores, ranks, link);
    let forward = own.forward.plus(forward_time);
    let exchanged = Exchanged { forward: 2 * scores, held: scores, forward_time, ..Exchanged::default() };
    block.chain([Layer { forward, exchanged, ..own }]).collect()
}

/// Ranks bring so many bytes of a sample together, of which each sends (N − 1)/N in N − 1 messages: a sum of which each gets a part, or
/// parts that each gets all of.
fn exchange(bytes: u64, ranks: usize, link: Link) -> Duration {
    let others = ranks as u64 - 1;
    let sent = (bytes * others) as f64 / ranks as f64;
    Duration { fixed_us: link.takes(others, 0.0), per_sample_us: link.takes(0, sent) }
}

/// A sum that each rank gets the whole of.
fn whole_sum(bytes: u64, ranks: usize, link: Link) -> Duration {
    exchange(bytes, ranks, link).plus(exchange(bytes, ranks, link))
}
