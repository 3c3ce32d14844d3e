//! Attention inside sequences that share the rows of a grid: to everything before, to a window, or in blocks.
//!
//! With `w` slots in a row and heads of `d / h` numbers, one row holds `h` matrices of scores:
//!
//! | pattern | keys that a slot scores | scores of a row |
//! |---|---|---|
//! | full | all `w` | `h w²` |
//! | local window of `m` | its block of `m` and the one before | `2 h w m` |
//! | block-sparse, blocks of `m` | its block, and the last slot of every block | `h w (m + w / m)` |
//! | any, in rows of at most `2 m` slots | all `w`, most of them hidden: windows and blocks would save less than they cost | `h w²` |
//!
//! Only blocks ask sequences to begin where one of them begins; windows do as well anywhere, so that short sequences waste no slots.
//! Time grows with the scores: `4 d` operations for each there and `8 d` back. The smallest block-sparse matrix has `m = √w`.

use std::ops::Range;

use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor, TensorData};

use super::encoder::Drops;
use super::packing::Grid;

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

    /// How rows are laid out whose longest sequence has so many items.
    pub(crate) const fn rows(self, longest: usize) -> Rows {
        match self {
            Self::LocalWindow { window: size } | Self::BlockSparse { block: size } if longest <= 2 * size => {
                Rows::TIGHT
            }
            Self::Full => Rows::TIGHT,
            Self::LocalWindow { window } => Rows { align: 1, multiple: window },
            Self::BlockSparse { block } => Rows { align: block, multiple: block },
        }
    }

    /// Scores that a row of `width` slots holds for each head.
    pub(crate) const fn scores(self, width: usize) -> usize {
        match self {
            Self::LocalWindow { window } if width > 2 * window => 2 * width * window,
            Self::BlockSparse { block } if width > 2 * block => width * (block + width.div_ceil(block)),
            _ => width * width,
        }
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
    pattern: Pattern,
    rows: usize,
    width: usize,
    /// Full: `[rows, 1, width, width]`. Local: `[rows · blocks, 1, window, 2 window]`. Block-sparse:
    /// `[rows, 1, blocks, block, block + blocks]`, flattened to `[rows · blocks, 1, block, block + blocks]`.
    mask: Tensor<4>,
}

impl Scope {
    /// # Panics
    /// When the grid is not aligned to the pattern, or windows and blocks are asked to look into the future.
    pub(crate) fn new(pattern: Pattern, causal: bool, grid: &Grid, device: &Device) -> Self {
        assert!(grid.width.is_multiple_of(pattern.rows(grid.width).multiple), "the grid is packed for another pattern");
        assert!(causal || pattern == Pattern::Full, "windows and blocks look back only");
        let (rows, width) = (grid.rows, grid.width);
        // Where rows are short, a slot scores all of its row: one product does that at once, and the mask hides the rest.
        let (asked, pattern) = (pattern, if pattern.scores(width) == width * width { Pattern::Full } else { pattern });
        let firsts = grid.firsts();
        let reached = |query: usize, key: usize| {
            let first = firsts[grid.owners[query] as usize];
            asked.reaches(query - first, key - first)
        };
        let mut mask = Vec::with_capacity(rows * pattern.scores(width));
        let mut put = |seen: bool| mask.push(if seen { 0.0 } else { UNSEEN });
        let dims = match pattern {
            Pattern::Full => {
                for query in 0..grid.slots() {
                    let row = query / width * width;
                    (row..row + width).for_each(|key| put(grid.sees(query, key, causal) && reached(query, key)));
                }
                [rows, 1, width, width]
            }
            Pattern::LocalWindow { window } => {
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
            Pattern::BlockSparse { block } => {
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
        Self { pattern, rows, width, mask }
    }

    /// Those of some rows of the grid.
    pub(crate) fn of_rows(&self, rows: Range<usize>) -> Self {
        let [all, _, queries, keys] = self.mask.dims();
        let each = all / self.rows;
        let mask = self.mask.clone().slice([rows.start * each..rows.end * each, 0..1, 0..queries, 0..keys]);
        Self { pattern: self.pattern, rows: rows.len(), width: self.width, mask }
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
        self.pattern.scores(self.width)
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
        match self.pattern {
            Pattern::Full => {
                let split = |x: Tensor<2>| split(x, self.rows, heads); // [rows, heads, width, d / heads]
                let scores = split(query).matmul(split(key).transpose()) + self.mask();
                let shares = drops.apply(softmax(scores, 3));
                join(shares.matmul(split(value)), slots)
            }
            Pattern::LocalWindow { window } => {
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
            Pattern::BlockSparse { block } => {
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
    use crate::sequence::packing::Lines;
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

    /// Scores and slots of sequences of these lengths.
    fn cost(pattern: Pattern, lengths: &[usize]) -> (usize, usize) {
        let items: Vec<u32> = (0..*lengths.iter().max().unwrap() as u32).collect();
        let lines: Vec<Lines> =
            lengths.iter().map(|&length| Lines { inputs: &items[..length], targets: &[] }).collect();
        let grid = Grid::pack(&lines, |longest| pattern.rows(longest));
        (grid.rows * pattern.scores(grid.width), grid.slots())
    }

    #[test]
    fn a_window_or_a_block_that_holds_every_item_is_full_attention() {
        for size in [50, 51, 1024] {
            for pattern in [Pattern::LocalWindow { window: size }, Pattern::BlockSparse { block: size }] {
                assert_eq!(pattern.within(50), Pattern::Full);
            }
        }
        assert_eq!(Pattern::LocalWindow { window: 49 }.within(50), Pattern::LocalWindow { window: 49 });
        assert_eq!(Pattern::BlockSparse { block: 49 }.within(50), Pattern::BlockSparse { block: 49 });
    }

    proptest! {
        #[test]
        fn a_window_costs_no_more_slots_and_scores_than_full_attention_but_for_the_last_window_of_each_row(
            lengths in prop::collection::vec(1usize..60, 1..40), window in 1usize..80,
        ) {
            let (scores, slots) = cost(Pattern::LocalWindow { window }, &lengths);
            let (full, fewest) = cost(Pattern::Full, &lengths);
            let longest = *lengths.iter().max().unwrap();
            let rounded = longest.next_multiple_of(window);
            if longest <= 2 * window {
                prop_assert_eq!((scores, slots), (full, fewest));
            } else {
                // Wider rows hold as many sequences; that the first row with room is taken may cost one row more.
                prop_assert!(slots <= (fewest / longest + 1) * rounded, "{slots} slots, full {fewest}");
                prop_assert!(scores == slots * 2 * window, "{scores} scores of {slots} slots");
                prop_assert!(2 * window < longest, "a slot of full attention scores {longest}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn every_pattern_is_its_definition_written_out(
            lengths in prop::collection::vec(1usize..20, 1..8), size in 1usize..24, heads in 1usize..3, kind in 0usize..4, seed: u64,
        ) {
            let (pattern, causal) = match kind {
                0 => (Pattern::Full, true),
                1 => (Pattern::Full, false),
                2 => (Pattern::LocalWindow { window: size }, true),
                _ => (Pattern::BlockSparse { block: size }, true),
            };
            let items: Vec<u32> = (0..20).collect();
            let lines: Vec<Lines> =
                lengths.iter().map(|&length| Lines { inputs: &items[..length], targets: &[] }).collect();
            let grid = Grid::pack(&lines, |longest| pattern.rows(longest));
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
                    && (!causal || pattern.reaches(query - first(query), key - first(query)))
            });
            let tensor = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values, [grid.slots(), d]), &device);
            let scope = Scope::new(pattern, causal, &grid, &device);
            let found = scope.attend(tensor(q), tensor(k), tensor(v), heads, &mut Drops::none()).into_data();
            for (slot, (found, expected)) in found.as_slice::<f32>().unwrap().chunks(d).zip(expected.chunks(d)).enumerate() {
                if grid.owners[slot] == super::super::packing::EMPTY {
                    prop_assert!(found.iter().all(|value| value.is_finite()));
                    continue;
                }
                for (found, expected) in found.iter().zip(expected) {
                    prop_assert!((found - expected).abs() < 1e-5, "{pattern:?} slot {slot}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn scores_grow_with_the_square_of_a_row_or_with_its_length() {
        assert_eq!(Pattern::Full.scores(1024), 1 << 20);
        assert_eq!(Pattern::LocalWindow { window: 32 }.scores(1024), 1 << 16);
        assert_eq!(Pattern::LocalWindow { window: 32 }.scores(32), 1 << 10);
        assert_eq!(Pattern::BlockSparse { block: 32 }.scores(1024), 1 << 16);
    }
}
