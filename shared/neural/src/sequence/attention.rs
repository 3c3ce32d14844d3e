//! Attention inside sequences that share the rows of a grid: to everything before, to a window, or in blocks.
//!
//! What a slot may see is one thing ([`Pattern`]), how it is computed another ([`Scoring`]). With `w` slots in a row
//! and heads of `d / h` numbers, one row holds `h` matrices of scores:
//!
//! | scoring | keys that a slot scores | scores of a row | sequences begin | `w` |
//! |---|---|---|---|---|
//! | whole, of any pattern | all `w`; what the pattern does not see is hidden | `h w²` | anywhere | any |
//! | by windows of `m` | its block of `m` and the one before | `2 h w m` | anywhere | a multiple of `m` |
//! | by blocks of `m` | its block, and the last of every block | `h w (m + w / m)` | at multiples of `m` | one, too |
//!
//! Time grows with the scores: `4 d` operations for each there and `8 d` back. The smallest block-sparse matrix has
//! `m = √w`. But slots cost, too, and these leave some empty: windows at the end of a row, blocks behind each sequence.
//! So a batch is scored whole unless less is kept of it otherwise ([`Pattern::pack`]): no pattern keeps more than full
//! attention does.

use std::ops::Range;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::encoder::Drops;
use super::packing::{Grid, Lines};

/// Added to the score of a key that must not be seen: its share becomes 0, and a slot that may see nothing stays finite.
const UNSEEN: f32 = -1e9;

/// Which slots a slot may look at, of those that its sequence and its time allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// All of them.
    Full,
    /// The newest `window`, itself included.
    LocalWindow {
        /// At least 1.
        window: usize,
    },
    /// Those of its own block, and the last one of every earlier block: the fixed pattern of sparse transformers
    /// (Child et al. 2019, arXiv:1904.10509) with one summary a block. Two layers reach everything.
    BlockSparse {
        /// At least 1.
        block: usize,
    },
}

impl Pattern {
    /// The same for sequences of at most `length` items: a window or a block that holds all of them hides nothing.
    pub(crate) const fn within(self, length: usize) -> Self {
        match self {
            Self::LocalWindow { window: size } | Self::BlockSparse { block: size } if size >= length => Self::Full,
            pattern => pattern,
        }
    }

    /// How it is computed where not every slot of a row is scored.
    const fn apart(self) -> Option<Scoring> {
        match self {
            Self::Full => None,
            Self::LocalWindow { window } => Some(Scoring::Windows(window)),
            Self::BlockSparse { block } => Some(Scoring::Blocks(block)),
        }
    }

    /// Packs sequences so that less is kept of them; where that is the same, to be scored whole. Sequences must not be
    /// empty.
    pub(crate) fn pack(self, sequences: &[Lines<'_>], kept: Kept) -> (Grid, Scoring) {
        let longest = sequences.iter().map(|lines| lines.inputs.len()).max().unwrap_or(0);
        let whole = Grid::pack(sequences, Scoring::Whole.rows());
        let of = |grid: &Grid, scoring: Scoring| kept.of(scoring, grid.rows, grid.width);
        if let Some(apart) = self.within(longest).apart() {
            let grid = Grid::pack(sequences, apart.rows());
            if of(&grid, apart) < of(&whole, Scoring::Whole) {
                return (grid, apart);
            }
        }
        (whole, Scoring::Whole)
    }

    /// What is kept of a sequence of `length` items that has a row to itself. Of a batch no more is kept than so often
    /// that as it has sequences, where none is longer: by that plans foretell it.
    #[cfg(test)]
    pub(crate) fn kept_of(self, length: usize, kept: Kept) -> usize {
        let of = |scoring: Scoring| kept.of(scoring, 1, length.next_multiple_of(scoring.rows().multiple));
        let whole = of(Scoring::Whole);
        self.within(length).apart().map_or(whole, |apart| of(apart).min(whole))
    }

    /// Whether a slot may look at another one of its sequence; `query` and `key` count from the sequence's first slot.
    fn reaches(self, query: usize, key: usize) -> bool {
        match self {
            Self::Full => true,
            Self::LocalWindow { window } => query < key + window,
            Self::BlockSparse { block } => query / block == key / block || (key + 1).is_multiple_of(block),
        }
    }
}

/// How the scores of a grid are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scoring {
    /// Of each slot with all slots of its row.
    Whole,
    /// Of each block of so many slots with itself and the one before.
    Windows(usize),
    /// Of each block of so many slots with itself, and with the last slot of every block of its row.
    Blocks(usize),
}

impl Scoring {
    /// How rows are laid out for it.
    pub(crate) const fn rows(self) -> Rows {
        match self {
            Self::Whole => Rows::TIGHT,
            Self::Windows(window) => Rows { align: 1, multiple: window },
            Self::Blocks(block) => Rows { align: block, multiple: block },
        }
    }

    /// Scores that a row of `width` slots holds for each head.
    pub(crate) const fn scores(self, width: usize) -> usize {
        match self {
            Self::Whole => width * width,
            Self::Windows(window) => 2 * width * window,
            Self::Blocks(block) => width * (block + width.div_ceil(block)),
        }
    }
}

/// Numbers that a layer of a network keeps for the way back. Its time goes about with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kept {
    /// Of a slot, its scores apart.
    pub(crate) of_a_slot: usize,
    /// Of a score, in all heads together.
    pub(crate) of_a_score: usize,
}

impl Kept {
    /// Of so many rows of `width` slots.
    pub(crate) const fn of(self, scoring: Scoring, rows: usize, width: usize) -> usize {
        rows * (width * self.of_a_slot + scoring.scores(width) * self.of_a_score)
    }
}

/// How sequences lie in the rows of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Every sequence begins at a multiple of this.
    pub(crate) align: usize,
    /// The width of a row is one of this, which is one of `align`.
    pub(crate) multiple: usize,
}

impl Rows {
    /// No slot is left free for the pattern's sake.
    pub(crate) const TIGHT: Self = Self { align: 1, multiple: 1 };
}

/// The masks of one grid, made once for all layers and heads.
pub(crate) struct Scope {
    scoring: Scoring,
    rows: usize,
    width: usize,
    /// Whole: `[rows, 1, width, width]`. By windows: `[rows · blocks, 1, window, 2 window]`. By blocks:
    /// `[rows, 1, blocks, block, block + blocks]`, flattened to `[rows · blocks, 1, block, block + blocks]`.
    mask: Tensor<4>,
}

impl Scope {
    /// # Panics
    /// When the grid is packed for another scoring, that is another pattern's, or windows and blocks are asked to look
    /// into the future.
    pub(crate) fn new(pattern: Pattern, scoring: Scoring, causal: bool, grid: &Grid, device: &Device) -> Self {
        let (rows, width, firsts) = (grid.rows, grid.width, grid.firsts());
        let Rows { align, multiple } = scoring.rows();
        let is_aligned = width.is_multiple_of(multiple) && firsts.iter().all(|first| first.is_multiple_of(align));
        assert!(is_aligned, "the grid is packed for another scoring");
        assert!(scoring == Scoring::Whole || Some(scoring) == pattern.apart(), "the scoring is another pattern's");
        assert!(causal || pattern == Pattern::Full, "windows and blocks look back only");
        let reached = |query: usize, key: usize| {
            let first = firsts[grid.owners[query] as usize];
            pattern.reaches(query - first, key - first)
        };
        let mut mask = Vec::with_capacity(rows * scoring.scores(width));
        let mut put = |seen: bool| mask.push(if seen { 0.0 } else { UNSEEN });
        let dims = match scoring {
            Scoring::Whole => {
                for query in 0..grid.slots() {
                    let row = query / width * width;
                    (row..row + width).for_each(|key| put(grid.sees(query, key, causal) && reached(query, key)));
                }
                [rows, 1, width, width]
            }
            Scoring::Windows(window) => {
                for query in 0..grid.slots() {
                    let row = query / width * width;
                    let block = query / window * window;
                    // The window before the first one of a row is not there.
                    (0..2 * window).for_each(|place| {
                        let key = (block + place).checked_sub(window).filter(|&key| key >= row);
                        put(key.is_some_and(|key| key + window > query && grid.sees(query, key, true)));
                    });
                }
                [rows * (width / window), 1, window, 2 * window]
            }
            Scoring::Blocks(block) => {
                for query in 0..grid.slots() {
                    let row = query / width * width;
                    let own = query / block * block;
                    (own..own + block).for_each(|key| put(grid.sees(query, key, true)));
                    (row..row + width).skip(block - 1).step_by(block).for_each(|key| {
                        put(key < own && grid.sees(query, key, true));
                    });
                }
                [rows * (width / block), 1, block, block + width / block]
            }
        };
        let mask = Tensor::from_data(TensorData::new(mask, dims), device);
        Self { scoring, rows, width, mask }
    }

    /// Those of some rows of the grid.
    pub(crate) fn of_rows(&self, rows: Range<usize>) -> Self {
        let [all, _, queries, keys] = self.mask.dims();
        let each = all / self.rows;
        let mask = self.mask.clone().slice([rows.start * each..rows.end * each, 0..1, 0..queries, 0..keys]);
        Self { scoring: self.scoring, rows: rows.len(), width: self.width, mask }
    }

    /// Rows of the grid.
    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    /// Slots of a row.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// Scores that a row has for each head.
    pub(crate) const fn scores(&self) -> usize {
        self.scoring.scores(self.width)
    }

    /// What a layer keeps of all rows.
    pub(crate) const fn kept(&self, kept: Kept) -> usize {
        kept.of(self.scoring, self.rows, self.width)
    }

    /// Attention of every slot, head by head: `softmax(q kᵀ / √(d / heads)) v`, `drops` on the shares.
    ///
    /// # Shapes
    /// - `query`, `key`, `value`: `[rows · width, d]`, `d` a multiple of `heads`
    /// - returns: `[rows · width, d]`
    pub(crate) fn attend(
        &self,
        query: Tensor<2>,
        key: Tensor<2>,
        value: Tensor<2>,
        heads: usize,
        drops: &mut Drops<'_>,
    ) -> Tensor<2> {
        let [slots, d] = query.dims();
        let query = query.mul_scalar(1.0 / ((d / heads) as f32).sqrt());
        match self.scoring {
            Scoring::Whole => {
                let split = |x: Tensor<2>| split(x, self.rows, heads); // [rows, heads, width, d / heads]
                let scores = split(query).matmul(split(key).transpose()) + self.mask();
                let shares = drops.apply(softmax(scores, 3));
                join(shares.matmul(split(value)), slots)
            }
            Scoring::Windows(window) => {
                let blocks = self.rows * (self.width / window);
                let split = |x: Tensor<2>| split(x, blocks, heads); // [blocks, heads, window, d / heads]
                // What lies a window earlier; the mask hides other rows. Two products copy less than one with both windows.
                let earlier = |x: Tensor<2>| {
                    let nothing = Tensor::zeros([window, d], &x.device());
                    Tensor::cat(vec![nothing, x.slice([0..slots - window, 0..d])], 0)
                };
                let query = split(query);
                let before = query.clone().matmul(split(earlier(key.clone())).transpose());
                let own = query.matmul(split(key).transpose());
                let shares = drops.apply(softmax(Tensor::cat(vec![before, own], 3) + self.mask(), 3));
                let before = shares.clone().slice([0..blocks, 0..heads, 0..window, 0..window]);
                let own = shares.slice([0..blocks, 0..heads, 0..window, window..2 * window]);
                let before = before.matmul(split(earlier(value.clone())));
                join(before + own.matmul(split(value)), slots)
            }
            Scoring::Blocks(block) => {
                let per_row = self.width / block;
                let blocks = self.rows * per_row;
                // The last slot of each block: [rows, heads, per_row, d / heads]
                let last = |x: Tensor<2>| {
                    let x = x.reshape([blocks, block, d]).slice([0..blocks, block - 1..block, 0..d]);
                    split(x.reshape([blocks, d]), self.rows, heads)
                };
                let own = split(query.clone(), blocks, heads).matmul(split(key.clone(), blocks, heads).transpose());
                let far = split(query, self.rows, heads).matmul(last(key).transpose());
                let far = to_blocks(far, per_row, block); // [blocks, heads, block, per_row]
                let scores = Tensor::cat(vec![own, far], 3) + self.mask();
                let shares = drops.apply(softmax(scores, 3));
                let own = shares.clone().slice([0..blocks, 0..heads, 0..block, 0..block]);
                let far = shares.slice([0..blocks, 0..heads, 0..block, block..block + per_row]);
                let own = join(own.matmul(split(value.clone(), blocks, heads)), slots);
                let far = self.to_rows(far, per_row, block); // [rows, heads, width, per_row]
                own + join(far.matmul(last(value)), slots)
            }
        }
    }

    fn mask(&self) -> Tensor<4> {
        self.mask.clone()
    }

    /// The way back of [`to_blocks`].
    fn to_rows(&self, x: Tensor<4>, blocks: usize, block: usize) -> Tensor<4> {
        let [_, heads, _, keys] = x.dims();
        let x = x.reshape([self.rows, blocks, heads, block, keys]).swap_dims(1, 2);
        x.reshape([self.rows, heads, blocks * block, keys])
    }
}

/// `[rows, heads, width, keys]` by blocks: `[rows · blocks, heads, block, keys]`.
fn to_blocks(x: Tensor<4>, blocks: usize, block: usize) -> Tensor<4> {
    let [rows, heads, _, keys] = x.dims();
    let x = x.reshape([rows, heads, blocks, block, keys]).swap_dims(1, 2);
    x.reshape([rows * blocks, heads, block, keys])
}

/// `[rows · width, d]` → `[rows, heads, width, d / heads]`.
fn split(x: Tensor<2>, rows: usize, heads: usize) -> Tensor<4> {
    let [slots, d] = x.dims();
    if heads == 1 {
        return x.reshape([rows, 1, slots / rows, d]);
    }
    x.reshape([rows, slots / rows, heads, d / heads]).swap_dims(1, 2)
}

/// `[rows, heads, width, d / heads]` → `[slots, d]`.
fn join(x: Tensor<4>, slots: usize) -> Tensor<2> {
    let [_, heads, _, part] = x.dims();
    if heads == 1 {
        return x.reshape([slots, part]);
    }
    x.swap_dims(1, 2).reshape([slots, heads * part])
}

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::random::WeightDraws;
    use proptest::prelude::*;

    /// Attention slot by slot, from its definition.
    fn naive(
        (q, k, v): (&[f32], &[f32], &[f32]),
        (d, heads): (usize, usize),
        grid: &Grid,
        allowed: impl Fn(usize, usize) -> bool,
    ) -> Vec<f32> {
        let part = d / heads;
        let mut out = vec![0.0; q.len()];
        for query in (0..grid.slots()).filter(|&slot| grid.owners[slot] != super::super::packing::EMPTY) {
            let row = query / grid.width * grid.width;
            let keys: Vec<usize> = (row..row + grid.width).filter(|&key| allowed(query, key)).collect();
            for head in 0..heads {
                let of = |x: &[f32], slot: usize| x[slot * d + head * part..][..part].to_vec();
                let scores: Vec<f64> = keys
                    .iter()
                    .map(|&key| {
                        let dot: f64 = of(q, query).iter().zip(of(k, key)).map(|(a, b)| f64::from(a * b)).sum();
                        (dot / (part as f64).sqrt()).exp()
                    })
                    .collect();
                let sum: f64 = scores.iter().sum();
                for (&key, score) in keys.iter().zip(&scores) {
                    for (place, value) in of(v, key).iter().enumerate() {
                        out[query * d + head * part + place] += (score / sum) as f32 * value;
                    }
                }
            }
        }
        out
    }

    /// What a pattern means, of places in a sequence, the key no newer than the query.
    fn defined(pattern: Pattern, query: usize, key: usize) -> bool {
        match pattern {
            Pattern::Full => true,
            Pattern::LocalWindow { window } => key + window > query,
            Pattern::BlockSparse { block } => key >= query / block * block || key % block == block - 1,
        }
    }

    /// One head of 64 numbers, as SASRec has by default.
    const KEPT: Kept = Kept { of_a_slot: 16 * 64, of_a_score: 4 };

    fn lines<'a>(items: &'a [u32], lengths: &[usize]) -> Vec<Lines<'a>> {
        lengths.iter().map(|&length| Lines { inputs: &items[..length], targets: &[] }).collect()
    }

    fn windows_and_blocks(size: usize) -> [Pattern; 2] {
        [Pattern::LocalWindow { window: size }, Pattern::BlockSparse { block: size }]
    }

    #[test]
    fn a_window_or_a_block_that_holds_every_item_is_full_attention() {
        for size in [50, 51, 1024] {
            assert!(windows_and_blocks(size).iter().all(|pattern| pattern.within(50) == Pattern::Full));
        }
        assert!(windows_and_blocks(49).iter().all(|pattern| pattern.within(50) == *pattern));
    }

    proptest! {
        #[test]
        fn no_pattern_keeps_more_of_a_batch_than_full_attention_nor_than_is_counted_for_the_longest(
            lengths in prop::collection::vec(1usize..60, 1..40),
            size in 1usize..80,
            heads in 1usize..9,
            d in 1usize..65,
        ) {
            let items: Vec<u32> = (0..60).collect();
            let (lines, longest) = (lines(&items, &lengths), *lengths.iter().max().unwrap());
            let kept = Kept { of_a_slot: 16 * d, of_a_score: 4 * heads };
            let of = |(grid, scoring): &(Grid, Scoring)| kept.of(*scoring, grid.rows, grid.width);
            let full = Pattern::Full.pack(&lines, kept);
            for pattern in windows_and_blocks(size) {
                let found = pattern.pack(&lines, kept);
                prop_assert!(of(&found) <= of(&full), "{pattern:?}: {} of {}", of(&found), of(&full));
                if found.1 == Scoring::Whole {
                    prop_assert_eq!(&found.0, &full.0);
                } else {
                    prop_assert!(of(&found) < of(&full), "{pattern:?}");
                }
                for length in [longest, longest + 1, 60, 4 * size] {
                    let most = lengths.len() * pattern.kept_of(length.max(longest), kept);
                    prop_assert!(of(&found) <= most, "{pattern:?} of {length}: {} of {most}", of(&found));
                }
            }
        }
    }

    #[test]
    fn windows_and_blocks_are_taken_where_less_is_kept_so() {
        let items: Vec<u32> = (0..512).collect();
        let of = |lengths: &[usize], size: usize| {
            windows_and_blocks(size).map(|pattern| pattern.pack(&lines(&items, lengths), KEPT).1)
        };
        let whole = Scoring::Whole;
        // Slots of a row times 1,024, and 4 for each score: 50 (1,024 + 4 · 50) = 61,200 of 50 items as a whole.
        // Windows of 10: 50 (1,024 + 80) = 55,200. Blocks of 10: 50 (1,024 + 60) = 54,200.
        assert_eq!(of(&[50; 8], 10), [Scoring::Windows(10), Scoring::Blocks(10)]);
        // 60 (1,024 + 160) = 71,040 and 60 (1,024 + 92) = 66,960; of 24 it would be 72 slots.
        assert_eq!((of(&[50; 8], 20), of(&[50; 8], 24)), ([whole; 2], [whole; 2]));
        // 50 (1,024 + 4 · 2 · 25) = 61,200, and 50 (1,024 + 4 · 27) = 56,600.
        assert_eq!(of(&[50; 8], 25), [whole, Scoring::Blocks(25)]);
        // 64 (1,024 + 4 · 20) = 70,656 in blocks; windows as well.
        assert_eq!(of(&[50; 8], 16), [whole; 2]);
        assert_eq!((of(&[50; 8], 50), of(&[50; 8], 200)), ([whole; 2], [whole; 2]));
        // 256 (1,024 + 4 · 128) = 393,216 of 364,800, and 256 (1,024 + 4 · 68) = 331,776.
        assert_eq!(of(&[200; 8], 64), [whole, Scoring::Blocks(64)]);
        assert_eq!(of(&[512; 4], 32), [Scoring::Windows(32), Scoring::Blocks(32)]);
        // As of people in Beauty: one history of 50 items, others of 3 to 8. Blocks of 8 leave a third of their slots
        // empty, windows none but at the ends of rows.
        let beauty: Vec<usize> = (0..128).map(|user| if user == 0 { 50 } else { 3 + user % 6 }).collect();
        assert_eq!(of(&beauty, 8), [Scoring::Windows(8), whole]);
        assert_eq!(of(&beauty, 16), [Scoring::Windows(16), whole]);
    }

    #[test]
    fn the_plan_counts_the_same() {
        use recspeed_plan::attention::{Blocks, Pattern as Planned};
        use recspeed_plan::dense::Speed;
        let sizes = [1, 2, 3, 8, 10, 16, 17, 24, 25, 49, 50, 51, 64, 100, 1024];
        for (length, size) in [2, 9, 50, 200, 1000].into_iter().flat_map(|length| sizes.map(|size| (length, size))) {
            for (d, heads) in [(8, 1), (8, 8), (64, 1), (64, 4), (1024, 2)] {
                let kept = Kept { of_a_slot: 16 * d, of_a_score: 4 * heads };
                let [windows, blocks] = windows_and_blocks(size);
                let size = size as u64;
                for (pattern, planned) in [
                    (Pattern::Full, Planned::Full),
                    (windows, Planned::LocalWindow(size)),
                    (blocks, Planned::BlockSparse(size)),
                ] {
                    let [d, heads, length_of] = [d, heads, length].map(|number| number as u64);
                    let network = Blocks { d, blocks: 1, heads, length: length_of, pattern: planned };
                    let block = network.layers(Speed::of_gflops(1.0))[1];
                    let counted = 4 * pattern.kept_of(length, kept) as u64;
                    assert_eq!(block.kept_bytes, counted, "{pattern:?} of {length}, {d} numbers, {heads} heads");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_pattern_is_its_definition_written_out_however_it_is_computed(
            lengths in prop::collection::vec(1usize..20, 1..8), size in 1usize..24, heads in 1usize..3, kind in 0usize..4, seed: u64,
        ) {
            let (pattern, causal) = match kind {
                0 => (Pattern::Full, true),
                1 => (Pattern::Full, false),
                2 => (Pattern::LocalWindow { window: size }, true),
                _ => (Pattern::BlockSparse { block: size }, true),
            };
            let items: Vec<u32> = (0..20).collect();
            let (lines, longest) = (lines(&items, &lengths), *lengths.iter().max().unwrap());
            for scoring in std::iter::once(Scoring::Whole).chain(pattern.within(longest).apart()) {
                let grid = Grid::pack(&lines, scoring.rows());
                let (d, device) = (4, NeuralDevice::flex().plain());
                let mut draws = WeightDraws::new(seed);
                let mut random = || (0..grid.slots() * d).map(|_| draws.uniform(2.0)).collect::<Vec<f32>>();
                let (q, k, v) = (random(), random(), random());
                let first = |slot: usize| {
                    let owner = grid.owners[slot] as usize;
                    grid.last[owner] as usize + 1 - lengths[owner]
                };
                let expected = naive((&q, &k, &v), (d, heads), &grid, |query, key| {
                    grid.sees(query, key, causal)
                        && (!causal || defined(pattern, query - first(query), key - first(query)))
                });
                let shape = [grid.slots(), d];
                let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, shape), &device);
                let scope = Scope::new(pattern, scoring, causal, &grid, &device);
                let found = scope.attend(tensor(q), tensor(k), tensor(v), heads, &mut Drops::none()).into_data();
                let slots = found.as_slice::<f32>().unwrap().chunks(d).zip(expected.chunks(d));
                for (slot, (found, expected)) in slots.enumerate() {
                    if grid.owners[slot] == super::super::packing::EMPTY {
                        prop_assert!(found.iter().all(|value| value.is_finite()));
                        continue;
                    }
                    for (found, expected) in found.iter().zip(expected) {
                        let told = format!("{pattern:?}, {scoring:?}, slot {slot}: {found} {expected}");
                        prop_assert!((found - expected).abs() < 1e-5, "{told}");
                    }
                }
            }
        }
    }

    #[test]
    fn scores_grow_with_the_square_of_a_row_or_with_its_length() {
        assert_eq!(Scoring::Whole.scores(1024), 1 << 20);
        assert_eq!(Scoring::Windows(32).scores(1024), 1 << 16);
        assert_eq!(Scoring::Windows(32).scores(64), 1 << 12);
        assert_eq!(Scoring::Blocks(32).scores(1024), 1 << 16);
    }
}
