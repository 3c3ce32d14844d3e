//! What ranks take to do something together, counted as they really do it (`parallel/src/collectives.rs`): there are no rings or trees. In
//! each phase a rank of N sends a part to each of the N − 1 others, one message after the other, and each message costs the whole
//! latency of the link, in the call of whoever sends it and until whoever waits is awake. On links where messages overlap that is too much.

use crate::Layer;
use crate::sharding::ShardLevel;
use crate::simulate::Link;

/// Bytes of a number.
const NUMBER: u64 = 4;

impl Link {
    /// Microseconds in which a rank sends so many messages, so many bytes together.
    pub(crate) fn takes(self, messages: u64, bytes: f64) -> f64 {
        self.latency_us * messages as f64 + bytes / self.bytes_per_us
    }
}

/// What the replicas of a stage exchange in a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Replicas {
    /// How many there are.
    pub count: usize,
    /// What they divide.
    pub level: ShardLevel,
    /// Micro-batches of a step.
    pub micro_batches: usize,
    /// Those of them whose forward pass is computed again.
    pub again: usize,
}

impl Replicas {
    /// Microseconds in which the replicas of a stage of these layers exchange what they have to.
    ///
    /// Where gradients are not divided (ZeRO 0 and 1) there are two phases: each of the N owns ⌈n/N⌉ of the stage's n numbers, gets these
    /// gradients from each other one, and sends each their sums or the moved numbers. Divided gradients (ZeRO 2) are added up layer by layer, after each
    /// micro-batch: for each piece of a layer that lies on one rank there is a message from each other one, and who has nothing to add
    /// up does not wait; the rank that sends or gets most decides. Divided parameters (ZeRO 3) are cut layer by layer, each among all
    /// ranks, which have ⌈n/N⌉ of a layer's n numbers at most: for each pass a rank sends its own to each other one, and for the
    /// gradients it gets as many from each; all take part, and wait for each other.
    pub(crate) fn exchange_us(self, layers: &[Layer], link: Link) -> f64 {
        let (ranks, others) = (self.count as u64, (self.count as u64).saturating_sub(1));
        let numbers: u64 = layers.iter().map(|layer| layer.parameters).sum();
        if others == 0 || numbers == 0 {
            return 0.0;
        }
        let to_all = |part: u64| link.takes(others, (NUMBER * others * part) as f64);
        let times = |count: usize| count as f64;
        if self.level == ShardLevel::Parameters {
            let learnt = layers.iter().filter(|layer| layer.parameters > 0);
            let once: f64 = learnt.map(|layer| to_all(layer.parameters.div_ceil(ranks))).sum();
            // Gathered on the way there and on the way back, and added up.
            return times(3 * self.micro_batches + self.again) * once;
        }
        let shard = numbers.div_ceil(ranks);
        if self.level < ShardLevel::Gradients {
            return 2.0 * to_all(shard);
        }
        let (mut start, mut pieces) = (0_u64, 0_u64);
        // Layers that have a piece in the shard where the last one ended, and the most of any shard.
        let (mut here, mut most) = (0_u64, 0_u64);
        for layer in layers.iter().filter(|layer| layer.parameters > 0) {
            // Of a layer that begins somewhere in a shard: what lies in the ones behind it.
            let behind = layer.parameters - layer.parameters.min(shard - start % shard);
            pieces += 1 + behind.div_ceil(shard);
            here = if start.is_multiple_of(shard) { 1 } else { here + 1 };
            most = here.max(most);
            if behind > 0 {
                here = 1;
            }
            start += layer.parameters;
        }
        // A rank sends all pieces but its own, of which it has one at least, and gets its own from all others.
        let reduced_us = link.takes((pieces - 1).max(most * others), (NUMBER * others * shard) as f64);
        times(self.micro_batches) * reduced_us + to_all(shard)
    }
}
