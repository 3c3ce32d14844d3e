//! What the layers of a network of attention over sequences cost, counted instead of measured.

use crate::dense::Speed;
use crate::{Duration, Exchanged, Layer, Tape};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// Which slots of a row each slot scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// All of them.
    Full,
    /// Its window of so many and the one before it; all in rows of two windows or fewer.
    LocalWindow(u64),
    /// Its block of so many, and the last slot of every block; all in rows of two blocks or fewer.
    BlockSparse(u64),
}

impl Pattern {
    /// Slots of a row that is to hold so many.
    pub fn width(self, length: u64) -> u64 {
        match self {
            Self::LocalWindow(size) | Self::BlockSparse(size) if length > 2 * size => {
                length.next_multiple_of(size.max(1))
            }
            _ => length,
        }
    }

    /// Scores that a row of `width` slots holds for each head.
    pub fn scores(self, width: u64) -> u64 {
        match self {
            Self::LocalWindow(window) if width > 2 * window => 2 * width * window,
            Self::BlockSparse(block) if width > 2 * block => width * (block + width.div_ceil(block.max(1))),
            _ => width * width,
        }
    }
}

/// A network of attention blocks over sequences of items, as SASRec (Kang and McAuley 2018).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// Numbers of an item's vector.
    pub d: u64,
    /// Blocks.
    pub blocks: u64,
    /// Heads of each.
    pub heads: u64,
    /// Items of a sequence that count.
    pub length: u64,
    /// What each slot scores.
    pub pattern: Pattern,
}

/// Vectors of a slot that a block keeps for the way back, about, besides the shares of attention.
const KEPT: u64 = 16;
/// Shares of attention that are kept: before and after dropout, of both passes.
const SHARES: u64 = 4;

impl Blocks {
    /// The layers: positions, blocks, and the norm of what is asked for. A sample is a sequence of the full length; shorter ones share
    /// a row, so that this is the most that a batch costs. The rows of the items' table are no layer: ranks divide them.
    pub fn layers(self, speed: Speed) -> Vec<Layer> {
        let Self { d, heads, length, pattern, .. } = self;
        let width = pattern.width(length);
        let vectors = NUMBER * width * d;
        // A tape gives both gradients at once: the second one costs nothing more.
        let layer = |parameters: u64, flops: u64, kept: u64| {
            let pass =
                |flops: u64| Duration { fixed_us: speed.call_us, per_sample_us: flops as f64 / speed.flops_per_us };
            let forward = pass(flops);
            Layer {
                forward,
                backward_input: pass(2 * flops),
                backward_weight: Duration::default(),
                parameters,
                input_bytes: vectors,
                kept_bytes: kept,
                output_bytes: vectors,
                reads_in_place: false,
                exchanged: Exchanged::default(),
                tape: Tape::of(kept - vectors, forward),
            }
        };
        let scores = heads * pattern.scores(width);
        // Query, key, value, output, and two layers as wide as they are deep; two norms.
        let of_block = 6 * (d * d + d) + 4 * d;
        let flops = width * 2 * 6 * d * d + 4 * pattern.scores(width) * d;
        let block = layer(of_block, flops, KEPT * vectors + SHARES * NUMBER * scores);
        let blocks = (0..self.blocks).map(|_| block);
        let norm = layer(2 * d, 8 * width * d, 3 * vectors);
        std::iter::once(layer(length * d, 2 * width * d, 2 * vectors)).chain(blocks).chain([norm]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attention_grows_with_the_square_of_the_length_or_with_the_length() {
        let time = |pattern, length| {
            let blocks = Blocks { d: 8, blocks: 1, heads: 1, length, pattern };
            blocks.layers(Speed { flops_per_us: 1.0, call_us: 0.0 })[1].time(1)
        };
        let grown = |pattern| time(pattern, 4096) / time(pattern, 2048);
        assert!((3.5..4.0).contains(&grown(Pattern::Full)));
        assert!((grown(Pattern::LocalWindow(16)) - 2.0).abs() < 1e-9);
        assert!((2.0..3.0).contains(&grown(Pattern::BlockSparse(64))));
    }
}
