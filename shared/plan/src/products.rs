//! What the layers of DLRM cost: two towers, and the products of vectors between them.

use crate::dense::{Speed, dense};
use crate::{Duration, Layer, Tape};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// DLRM as a row of layers. What enters the first one are the looked-up vectors of all fields beside the numbers, and the vectors go
/// along beside what the bottom tower makes of the numbers until they are multiplied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Products {
    /// Fields that have a vector.
    pub fields: u64,
    /// Numbers of a vector.
    pub width: u64,
    /// Numbers that the bottom tower sees.
    pub numbers: u64,
    /// Its hidden widths.
    pub bottom: Vec<u64>,
    /// Hidden widths of the top tower.
    pub top: Vec<u64>,
    /// Pairs of a user and an item in a row of a batch.
    pub pairs: u64,
}

impl Products {
    /// Products of two vectors, one of which may be the bottom tower's.
    pub const fn products(&self) -> u64 {
        (self.fields + 1) * self.fields / 2
    }

    /// The layers of the bottom tower; one that multiplies and has the first weights of the top tower; the others of that. A sample
    /// is a row of a batch.
    pub fn layers(&self, speed: Speed) -> Vec<Layer> {
        let beside = self.fields * self.width;
        let mut layers = Vec::new();
        let mut inputs = self.numbers;
        for outputs in self.bottom.iter().copied().chain([self.width]) {
            layers.push(self.taped(dense(inputs, outputs, speed), beside, (inputs, outputs), 2 * outputs));
            inputs = outputs;
        }
        let vectors = self.fields + 1;
        let multiplied =
            Duration { fixed_us: 0.0, per_sample_us: (2 * vectors * vectors * self.width) as f64 / speed.flops_per_us };
        let mut inputs = self.width + self.products();
        for (at, outputs) in self.top.iter().copied().chain([1]).enumerate() {
            let mut layer = dense(inputs, outputs, speed);
            let kept = if at == 0 {
                layer.forward = layer.forward.plus(multiplied);
                layer.backward_input = layer.backward_input.plus(multiplied).plus(multiplied);
                layer.input_bytes = NUMBER * (beside + self.width);
                2 * vectors * self.width + vectors * vectors + inputs
            } else {
                0
            };
            let (sees, rectified) = (layer.input_bytes / NUMBER, at < self.top.len());
            layers.push(self.taped(layer, 0, (sees, outputs), kept + if rectified { 2 * outputs } else { 0 }));
            inputs = outputs;
        }
        layers
    }

    /// A layer on a tape, whose way back is one, of all pairs of a row; `beside`: numbers that go along. It keeps its input, its
    /// output and `kept` numbers between.
    fn taped(&self, layer: Layer, beside: u64, (inputs, outputs): (u64, u64), kept: u64) -> Layer {
        let of_row = |time: Duration| Duration { per_sample_us: time.per_sample_us * self.pairs as f64, ..time };
        let (input, output) = (self.pairs * (beside + inputs), self.pairs * (beside + outputs));
        let forward = of_row(layer.forward);
        let beside_the_input = NUMBER * (output + self.pairs * kept);
        Layer {
            forward,
            backward_input: of_row(layer.backward_input.plus(layer.backward_weight)),
            backward_weight: Duration::default(),
            input_bytes: NUMBER * input,
            output_bytes: NUMBER * output,
            kept_bytes: NUMBER * input + beside_the_input,
            tape: Tape::of(beside_the_input, forward),
            ..layer
        }
    }
}
