//! The dense block, cut into stages, and its layers shared among ranks.
//!
//! A stage keeps the outputs of all layers up to its last one in one matrix, as the whole network does: what a layer sees is the
//! front of it. What a stage sends is that matrix, the input of the next one.
//!
//! Ranks that share the layers have each its own part of every layer's outputs, and of the input, and of all weights the rows that
//! read them. What a layer makes is then a sum over the ranks, of which each keeps its own part; on the way back each rank knows the slopes
//! by its own part, and the layer's weights need them all. Both times `growth` numbers of a row travel, whatever a layer sees, and the
//! matrix, its slopes and what a stage sends are divided by the ranks. Cut by outputs, as many would travel, and each rank
//! would keep the whole matrix.

use std::ops::Range;

use burn::tensor::Tensor;
use recspeed_parallel::model::{Exchange, LayerSizes, Model, Pass, Shares, Sum, TooNarrow, part_of};
use recspeed_parallel::training::Batch;

use super::DenseNet;
use super::block::Block;
use crate::examples::Describe as _;
use crate::history::History;
use crate::training::staged::{RankLesson, Staged, by_rows};

impl Staged for DenseNet {
    type Layers = Stages;

    fn layers(&self) -> Stages {
        Stages::new(self.clone(), 0, 1)
    }

    fn shared(&self, part: usize, parts: usize) -> Option<Result<Stages, TooNarrow>> {
        let width = self.growth;
        let wide = width >= parts;
        Some(if wide { Ok(Stages::new(self.clone(), part, parts)) } else { Err(TooNarrow { layer: 0, width, parts }) })
    }

    fn batch<'a>(&'a self, layers: &'a Stages, lesson: RankLesson<'a, Tensor<2>>) -> Box<dyn Batch + 'a> {
        by_rows(layers, lesson)
    }
}

impl DenseNet {
    /// Numbers of a row that a layer sees; the score comes after all layers.
    fn seen(&self, layer: usize) -> usize {
        History::WIDTH + layer * self.growth
    }

    fn outputs(&self, layer: usize) -> usize {
        if layer < self.layers.len() { self.growth } else { self.last.outputs }
    }

    /// Where one rank's numbers lie among those of a layer: the rows of the weight that read its numbers, then its biases.
    fn runs(&self, layer: usize, part: usize, parts: usize) -> Vec<Range<usize>> {
        let outputs = self.outputs(layer);
        let inputs = std::iter::once((0, History::WIDTH));
        let made = (0..layer).map(|before| (self.seen(before), self.growth));
        let rows = inputs.chain(made).map(|(first, count)| {
            let own = part_of(count, part, parts);
            (first + own.start) * outputs..(first + own.end) * outputs
        });
        let (bias, own) = (self.seen(layer) * outputs, part_of(outputs, part, parts));
        rows.chain(std::iter::once(bias + own.start..bias + own.end)).collect()
    }
}

/// The layers, or one rank's part of them.
pub(super) struct Stages {
    pub(super) network: DenseNet,
    part: usize,
    parts: usize,
    parameters: Vec<usize>,
    shares: Option<Shares>,
}

impl Stages {
    fn new(network: DenseNet, part: usize, parts: usize) -> Self {
        let layers = 0..=network.layers.len();
        let whole = layers.clone().map(|layer| (network.seen(layer) + 1) * network.outputs(layer)).collect();
        let of = |part| layers.clone().map(|layer| network.runs(layer, part, parts)).collect();
        let runs: Vec<Vec<Vec<Range<usize>>>> = (0..parts).map(of).collect();
        let parameters = runs[part].iter().map(|runs| runs.iter().map(ExactSizeIterator::len).sum()).collect();
        let shares = (parts > 1).then(|| Shares::new(part, whole, runs));
        Self { network, part, parts, parameters, shares }
    }

    /// Whether this is a part of layers that ranks share.
    pub(super) const fn are_shared(&self) -> bool {
        self.parts > 1
    }

    pub(super) const fn is_score(&self, layer: usize) -> bool {
        layer == self.network.layers.len()
    }

    /// Of so many numbers, those of this rank.
    pub(super) const fn own(&self, numbers: usize) -> Range<usize> {
        part_of(numbers, self.part, self.parts)
    }

    /// Of all numbers of a row that a layer sees, so many are this rank's.
    pub(super) fn seen(&self, layer: usize) -> usize {
        self.own(History::WIDTH).len() + layer * self.own(self.network.growth).len()
    }

    /// Numbers that a layer puts out, of all ranks.
    pub(super) fn outputs(&self, layer: usize) -> usize {
        self.network.outputs(layer)
    }

    /// This rank's numbers of a row that a stage of these layers puts side by side.
    fn width(&self, layers: &Range<usize>) -> usize {
        self.seen(layers.end.min(self.network.layers.len()))
    }
}

impl LayerSizes for Stages {
    fn parameters(&self) -> &[usize] {
        &self.parameters
    }

    fn shares(&self) -> Option<&Shares> {
        self.shares.as_ref()
    }
}

impl Model for Stages {
    /// A column for each row of the batch.
    fn boundary(&self, layer: usize, rows: usize) -> [usize; 2] {
        [self.seen(layer), rows]
    }

    fn kept(&self, layers: Range<usize>, rows: usize) -> usize {
        rows * self.width(&layers)
    }

    fn exchange(&self, layer: usize) -> Exchange {
        match (self.are_shared(), self.is_score(layer)) {
            (false, _) => Exchange::default(),
            (true, true) => Exchange { output: Some(Sum::Whole), ..Exchange::default() },
            (true, false) => {
                Exchange { output: Some(Sum::Own), slopes_of: Some(self.network.growth), input_slope: false }
            }
        }
    }

    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_> {
        let (width, device, [first, second]) = (self.width(&layers), input.device(), input.dims());
        let (rows, seen) = if layers.start == 0 { (first, self.own_inputs(input)) } else { (second, Some(input)) };
        let block = match seen.map(|seen| (seen.dims()[0], seen)) {
            Some((count, seen)) if count == width => seen,
            Some((count, seen)) => Tensor::zeros([width, rows], &device).slice_assign([0..count, 0..rows], seen),
            None => Tensor::zeros([width, rows], &device),
        };
        Box::new(Block::new(self, layers, block))
    }
}

impl Stages {
    /// Of the network's input this rank's part, a column for each row of the batch; `None` where it has none.
    fn own_inputs(&self, input: Tensor<2>) -> Option<Tensor<2>> {
        let [rows, inputs] = input.dims();
        let own = self.own(inputs);
        if own.len() == inputs {
            return Some(input.transpose());
        }
        (!own.is_empty()).then(|| input.slice([0..rows, own]).transpose())
    }
}

#[cfg(test)]
mod tests {
    use crate::examples::Describe as _;
    use crate::history::History;
    use crate::network::densenet::DenseNet;
    use crate::training::staged::{equals_itself, matrix_costs_what_is_planned};
    use recspeed_plan::dense::{DENSENET_INPUTS, Speed, densenet};

    #[test]
    fn a_dense_block_in_stages_is_the_whole_one_with_dropout() {
        for (depth, growth, dropout) in
            // With these rows those of 50 and 130 numbers pay for themselves, the others in groups.
            [(1, 1, 0.0), (5, 3, 0.0), (7, 2, 0.4), (30, 4, 0.2), (20, 8, 0.1), (5, 50, 0.1), (3, 130, 0.0)]
        {
            equals_itself(&DenseNet::new(depth, growth, dropout), History::WIDTH);
        }
    }

    #[test]
    fn the_plan_counts_what_a_dense_block_holds() {
        assert_eq!(DENSENET_INPUTS, History::WIDTH as u64);
        for (depth, growth) in [(1, 1), (6, 5), (9, 2)] {
            let planned = densenet(DENSENET_INPUTS, depth as u64, growth as u64, 1, Speed::of_gflops(1.0));
            matrix_costs_what_is_planned(&DenseNet::new(depth, growth, 0.0), History::WIDTH, &planned);
        }
    }
}
