//! Layers that ranks share: each holds a part of every layer's numbers, and no number is held twice.
//!
//! Here are fully connected layers in a row. Of two of them the first is cut by its outputs, the second by the same numbers as inputs: what each rank computes in
//! between needs nobody else. The second one's products are added up over the ranks, and on the way back the first one's slopes by its
//! input. The bias of a layer that is added up belongs to the first rank, which adds it to its own product.

use std::ops::Range;

use burn::tensor::Tensor;

use super::{Dense, Kept, Layer, Noise, Pieces, Weights};

/// What the ranks that share a layer bring together; nothing where it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exchange {
    /// What the forward pass gives is added up.
    pub output: Option<Sum>,
    /// Before the backward pass: the layer puts out so many numbers, and each rank knows the slopes by its own of them
    /// ([`Pass::own_slope`](super::Pass::own_slope)).
    pub slopes_of: Option<usize>,
    /// What the backward pass gives by the input is added up.
    pub input_slope: bool,
}

/// Who gets what of a sum over ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// Every rank all of it.
    Whole,
    /// Every rank its own rows ([`part_of`]).
    Own,
}

/// One rank's part of so many numbers; the last rank never has fewer than another.
pub const fn part_of(numbers: usize, part: usize, parts: usize) -> Range<usize> {
    numbers * part / parts..numbers * (part + 1) / parts
}

/// A layer with fewer numbers to share than there are ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("strategy.tensor is {parts}, and layer {layer} has {width} numbers to share: set it to {width} or less")]
pub struct TooNarrow {
    /// The layer, from 0.
    pub layer: usize,
    /// Numbers that it shares.
    pub width: usize,
    /// Ranks.
    pub parts: usize,
}

/// Which numbers of each whole layer belong to which rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shares {
    part: usize,
    /// Numbers of each whole layer.
    whole: Vec<usize>,
    /// For each rank and layer: stretches of the whole layer's numbers, in the order in which the rank holds them.
    runs: Vec<Vec<Vec<Range<usize>>>>,
}

impl Shares {
    /// Of layers with so many numbers each, for each rank and layer the stretches that it holds, in its order. Together they are
    /// disjoint and cover every layer.
    pub const fn new(part: usize, whole: Vec<usize>, runs: Vec<Vec<Vec<Range<usize>>>>) -> Self {
        Self { part, whole, runs }
    }

    /// The rank whose part this is.
    pub const fn part(&self) -> usize {
        self.part
    }

    /// Ranks.
    pub fn parts(&self) -> usize {
        self.runs.len()
    }

    /// Numbers of each whole layer.
    pub fn whole(&self) -> &[usize] {
        &self.whole
    }

    /// Numbers that each rank holds.
    pub fn lengths(&self) -> Vec<usize> {
        let layers = |layers: &Vec<Vec<Range<usize>>>| layers.iter().flatten().map(ExactSizeIterator::len).sum();
        self.runs.iter().map(layers).collect()
    }

    /// This rank's numbers, of all of the whole model.
    pub fn take<F: Copy>(&self, all: &[F]) -> Vec<F> {
        self.places(self.part).flat_map(|run| all[run].iter().copied()).collect()
    }

    /// Where so many of this rank's numbers lie among all of the whole model, stretch by stretch in the rank's order.
    pub(crate) fn stretches(&self, own: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        self.places(self.part).filter_map(move |run| {
            let start = at;
            at += run.len();
            let (first, end) = (own.start.max(start), own.end.min(at));
            (first < end).then(|| run.start + first - start..run.start + end - start)
        })
    }

    /// All numbers of the whole model, of those of all ranks one after the other.
    pub fn join<F: Copy + Default>(&self, parts: &[F]) -> Vec<F> {
        let mut all = vec![F::default(); self.whole.iter().sum()];
        let mut at = 0;
        for run in (0..self.parts()).flat_map(|part| self.places(part)) {
            let len = run.len();
            all[run].copy_from_slice(&parts[at..at + len]);
            at += len;
        }
        all
    }

    /// Where a rank's numbers lie among all of the whole model.
    fn places(&self, part: usize) -> impl Iterator<Item = Range<usize>> {
        let starts = self.whole.iter().scan(0, |end, size| {
            *end += size;
            Some(*end - size)
        });
        let layers = self.runs[part].iter().zip(starts);
        layers.flat_map(|(runs, start)| runs.iter().map(move |run| start + run.start..start + run.end))
    }
}

/// How a layer is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// By its outputs: all inputs enter, some outputs leave.
    Columns,
    /// By its inputs: some enter, and what leaves is a part of the sum of all outputs.
    Rows,
    /// By its inputs, all of which enter: it takes its own of them.
    RowsOfAll,
}

/// One rank's part of a fully connected layer.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// With the numbers of inputs and outputs of this part.
    own: Dense,
    cut: Cut,
    /// Its outputs or inputs among those of the whole layer.
    units: Range<usize>,
    /// Inputs of the whole layer.
    inputs: usize,
    /// Whether the bias is held here.
    biased: bool,
}

/// One rank's part of each layer, and who holds what.
pub(super) fn share(layers: &[Dense], part: usize, parts: usize) -> Result<(Vec<Part>, Shares), TooNarrow> {
    let cut = |at: usize| match (at % 2, at + 1 == layers.len()) {
        (0, true) => Cut::RowsOfAll,
        (0, false) => Cut::Columns,
        _ => Cut::Rows,
    };
    let mut runs = vec![Vec::with_capacity(layers.len()); parts];
    let mut own = Vec::with_capacity(layers.len());
    for (at, layer) in layers.iter().enumerate() {
        let (cut, inputs, outputs) = (cut(at), layer.inputs(), layer.outputs());
        let width = if cut == Cut::Columns { outputs } else { inputs };
        if width < parts {
            return Err(TooNarrow { layer: at, width, parts });
        }
        for (rank, runs) in runs.iter_mut().enumerate() {
            let units = part_of(width, rank, parts);
            let bias = inputs * outputs;
            let biased = cut == Cut::Columns || rank == 0;
            runs.push(if cut == Cut::Columns {
                let rows = (0..inputs).map(|input| input * outputs);
                rows.chain([bias]).map(|start| start + units.start..start + units.end).collect()
            } else {
                let weights = units.start * outputs..units.end * outputs;
                if biased { vec![weights, bias..bias + outputs] } else { vec![weights] }
            });
            if rank == part {
                let dense = if cut == Cut::Columns {
                    layer.resized(inputs, units.len(), units.start)
                } else {
                    layer.resized(units.len(), outputs, 0)
                };
                own.push(Part { own: dense, cut, units, inputs, biased });
            }
        }
    }
    let whole = layers.iter().map(Layer::parameters).collect();
    Ok((own, Shares::new(part, whole, runs)))
}

impl Layer for Part {
    fn inputs(&self) -> usize {
        if self.cut == Cut::RowsOfAll { self.inputs } else { self.own.inputs() }
    }

    fn outputs(&self) -> usize {
        self.own.outputs()
    }

    fn parameters(&self) -> usize {
        self.own.parameters() - if self.biased { 0 } else { self.own.outputs() }
    }

    fn kept(&self) -> usize {
        self.own.kept()
    }

    fn exchange(&self) -> Exchange {
        let output = (self.cut != Cut::Columns).then_some(Sum::Whole);
        Exchange { output, slopes_of: None, input_slope: self.cut != Cut::Rows }
    }

    fn forward(&self, weights: Weights, input: Tensor<2>, noise: &Noise, kept: &mut Kept) -> Tensor<2> {
        let input = match self.cut {
            Cut::Columns => return self.own.forward(weights, input, noise, kept),
            Cut::Rows => input,
            Cut::RowsOfAll => {
                let rows = input.dims()[0];
                input.slice([0..rows, self.units.clone()])
            }
        };
        let bias = self.biased.then(|| self.own.bias(&weights));
        kept.push(input.clone());
        burn::tensor::module::linear(input, self.own.weight(&weights), bias)
    }

    fn complete(&self, sum: Tensor<2>, kept: &mut Kept, noise: &Noise) -> Tensor<2> {
        if !self.own.is_rectified() {
            return sum;
        }
        let output = self.own.activated(sum, noise);
        kept.push(output.clone());
        output
    }

    fn backward_input(&self, weights: Weights, kept: &mut Kept, slope: Tensor<2>, wanted: bool) -> Option<Tensor<2>> {
        let own = self.own.backward_input(weights, kept, slope, wanted)?;
        if self.cut != Cut::RowsOfAll {
            return Some(own);
        }
        let [rows, _] = own.dims();
        let all = Tensor::zeros([rows, self.inputs], &own.device());
        Some(all.slice_assign([0..rows, self.units.clone()], own))
    }

    fn backward_weight(&self, kept: &mut Kept) -> Pieces {
        let mut pieces = self.own.backward_weight(kept);
        if !self.biased {
            // The last piece is the bias, which the first rank moves.
            pieces.pop();
        }
        pieces
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn stretches_of_a_part_are_the_part_however_it_is_cut(
            widths in prop::collection::vec(4..9_usize, 2..6),
            parts in 1..5_usize,
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let layers: Vec<Dense> = widths.windows(2).map(|ends| Dense::hidden(ends[0], ends[1], 0.0, 0)).collect();
            let count = layers.iter().map(Layer::parameters).sum::<usize>();
            let all: Vec<usize> = (0..count).collect();
            for part in 0..parts {
                let (_, shares) = share(&layers, part, parts).expect("four are enough for four");
                let own = shares.take(&all);
                let cuts = cuts.iter().map(|cut| cut.index(own.len() + 1));
                let mut ends: Vec<usize> = cuts.chain([0, own.len()]).collect();
                ends.sort_unstable();
                for cut in ends.windows(2) {
                    let piece = shares.stretches(cut[0]..cut[1]).flatten();
                    prop_assert_eq!(piece.collect::<Vec<_>>(), &own[cut[0]..cut[1]], "part {} of {}", part, parts);
                }
            }
        }
    }

    #[test]
    fn every_number_is_held_by_one_rank() {
        let layers = [Dense::hidden(3, 7, 0.0, 0), Dense::hidden(7, 5, 0.0, 7), Dense::linear(5, 2)];
        let count = layers.iter().map(Layer::parameters).sum::<usize>();
        let all: Vec<f32> = (0..count).map(|number| number as f32).collect();
        for parts in 1..=5 {
            let own = (0..parts).map(|part| share(&layers, part, parts).expect("wide enough"));
            let parts: Vec<(Vec<Part>, Vec<f32>, Shares)> =
                own.map(|(own, shares)| (own, shares.take(&all), shares)).collect();
            for (at, (own, numbers, shares)) in parts.iter().enumerate() {
                assert_eq!(own.iter().map(Layer::parameters).sum::<usize>(), numbers.len());
                assert_eq!(shares.lengths()[at], numbers.len());
            }
            let together: Vec<f32> = parts.iter().flat_map(|(_, numbers, _)| numbers.clone()).collect();
            assert_eq!(parts[0].2.join(&together), all);
        }
        let narrow = share(&layers, 0, 6).expect_err("5 outputs");
        assert_eq!((narrow.layer, narrow.width), (2, 5));
    }
}
