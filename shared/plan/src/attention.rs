//! What the layers of a network of attention over sequences cost, counted instead of measured.

use crate::dense::Speed;
use crate::{Duration, Exchanged, Layer, Tape};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// What a slot may look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Everything before it.
    Full,
    /// The newest so many.
    LocalWindow(u64),
    /// Its block of so many, and the last slot of every earlier block.
    BlockSparse(u64),
}

/// A way in which a pattern can be computed, in rows that each hold a sequence of the full length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Sequences begin at multiples of so many slots.
    pub align: u64,
    /// Slots of a row.
    pub width: u64,
    /// Slots that each slot scores, in each head.
    pub scored: u64,
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
    /// What each slot may look at.
    pub pattern: Pattern,
}

/// Vectors of a slot that a block keeps for the way back, about, besides the shares of attention.
const KEPT: u64 = 16;
/// Shares of attention that are kept: before and after dropout, of both passes.
const SHARES: u64 = 4;

impl Blocks {
    /// As a whole, where the pattern hides some of what was scored, and by windows or blocks, where those are shorter
    /// than a sequence.
    fn ways(self) -> (Rows, Option<Rows>) {
        let length = self.length;
        let apart = match self.pattern {
            Pattern::LocalWindow(size) if size < length => {
                let size = size.max(1);
                Some(Rows { align: 1, width: length.next_multiple_of(size), scored: 2 * size })
            }
            Pattern::BlockSparse(size) if size < length => {
                let size = size.max(1);
                let width = length.next_multiple_of(size);
                Some(Rows { align: size, width, scored: size + width / size })
            }
            _ => None,
        };
        (Rows { align: 1, width: length, scored: length }, apart)
    }

    /// The same of sequences of which none is longer than this, where that is known: a batch has no slots for what nobody has.
    pub(crate) fn within(self, longest: Option<u64>) -> Self {
        Self { length: longest.map_or(self.length, |longest| longest.clamp(1, self.length.max(1))), ..self }
    }

    /// The way in which a block keeps least of sequences that take so many slots each, as the network chooses for each
    /// batch; as a whole where both are the same.
    pub fn rows_where(self, slots: impl Fn(Rows) -> u64) -> Rows {
        let (whole, apart) = self.ways();
        let kept = |rows: Rows| self.kept(rows, slots(rows));
        apart.filter(|&apart| kept(apart) < kept(whole)).unwrap_or(whole)
    }

    /// That of sequences of the full length.
    pub fn rows(self) -> Rows {
        self.rows_where(|rows| rows.width)
    }

    /// Numbers that a block keeps of so many slots for the way back.
    const fn kept(self, rows: Rows, slots: u64) -> u64 {
        slots * (KEPT * self.d + SHARES * self.heads * rows.scored)
    }

    /// The layers: positions, blocks, and the norm of what is asked for. A sample is a sequence of the full length; shorter ones share
    /// a row, so that this is the most that a batch costs. The rows of the items' table are no layer: ranks divide them.
    pub fn layers(self, speed: Speed) -> Vec<Layer> {
        let Self { d, length, .. } = self;
        let rows = self.rows();
        let width = rows.width;
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
        // Query, key, value, output, and two layers as wide as they are deep; two norms.
        let of_block = 6 * (d * d + d) + 4 * d;
        let flops = width * (2 * 6 * d * d + 4 * rows.scored * d);
        let block = layer(of_block, flops, NUMBER * self.kept(rows, width));
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
    #[test]
    fn no_pattern_is_foretold_more_than_full_attention_and_one_that_sees_everything_is_foretold_the_same() {
        let of = |pattern, length| {
            let network = Blocks { d: 64, blocks: 2, heads: 1, length, pattern };
            (network.rows(), network.layers(Speed { flops_per_us: 1e3, call_us: 0.0 }))
        };
        for length in [2, 9, 50, 200] {
            let (_, full) = of(Pattern::Full, length);
            for size in [1, 2, 8, 10, 16, 20, 24, 64, length - 1, length, length + 1, 4 * length, 1024] {
                for pattern in [Pattern::LocalWindow(size), Pattern::BlockSparse(size)] {
                    let (rows, found) = of(pattern, length);
                    assert!(rows.width >= length && rows.width.is_multiple_of(rows.align), "{pattern:?} of {length}");
                    assert!(found[1].kept_bytes <= full[1].kept_bytes, "{pattern:?} of {length}");
                    assert_eq!(found[1].parameters, full[1].parameters);
                    if size >= length {
                        assert_eq!(found, full, "{pattern:?} of {length}");
                    }
                }
            }
        }
        // 256 slots that score 128 each keep more than 200 that score 200.
        assert_eq!(of(Pattern::LocalWindow(64), 200).0, Rows { align: 1, width: 200, scored: 200 });
        assert_eq!(of(Pattern::LocalWindow(32), 512).0, Rows { align: 1, width: 512, scored: 64 });
        assert_eq!(of(Pattern::BlockSparse(32), 500).0, Rows { align: 32, width: 512, scored: 48 });
    }

    #[test]
    fn short_sequences_are_scored_whole_where_blocks_would_leave_most_of_their_slots_empty() {
        let network = Blocks { d: 64, blocks: 2, heads: 1, length: 200, pattern: Pattern::BlockSparse(16) };
        assert_eq!(network.rows().scored, 29);
        assert_eq!(network.rows_where(|rows| 9_u64.next_multiple_of(rows.align)).scored, 200);
    }
}
