//! The dense block, cut into stages.
//!
//! A stage keeps the outputs of all layers up to its last one in one matrix, as the whole network does: what a layer sees is the
//! front of it. What a stage sends is that matrix, the input of the next one.
//!
//! On the way back every layer owes all numbers before it a part of their slopes. Layers that follow each other pay together: within
//! such a group a layer asks those after it, and what comes before the group is paid once, by one product. Layer by layer the
//! slopes of all numbers would be written anew for each of 150 layers, which took a third of the training.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use recspeed_parallel::model::{LayerSizes, Model, Noise, Pass, Weights};
use recspeed_parallel::training::Batch;

use super::DenseNet;
use crate::examples::Describe as _;
use crate::history::History;
use crate::training::staged::{RankLesson, Staged, by_rows};

impl Staged for DenseNet {
    type Layers = Stages;

    fn layers(&self) -> Stages {
        let hidden = (0..self.layers.len()).map(|layer| (self.seen(layer) + 1) * self.growth);
        let parameters = hidden.chain([self.last.inputs + 1]).collect();
        Stages { network: self.clone(), parameters }
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
}

pub(super) struct Stages {
    network: DenseNet,
    parameters: Vec<usize>,
}

impl Stages {
    /// Numbers of a row that a stage of these layers puts side by side.
    fn width(&self, layers: &Range<usize>) -> usize {
        self.network.seen(layers.end.min(self.network.layers.len()))
    }
}

impl LayerSizes for Stages {
    fn parameters(&self) -> &[usize] {
        &self.parameters
    }
}

impl Model for Stages {
    /// A column for each row of the batch.
    fn boundary(&self, layer: usize, rows: usize) -> [usize; 2] {
        [self.network.seen(layer), rows]
    }

    fn kept(&self, layers: Range<usize>, rows: usize) -> usize {
        rows * self.width(&layers)
    }

    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_> {
        let input = if layers.start == 0 { input.transpose() } else { input };
        let [seen, rows] = input.dims();
        let width = self.width(&layers);
        let block = if width == seen {
            input
        } else {
            Tensor::zeros([width, rows], &input.device()).slice_assign([0..seen, 0..rows], input)
        };
        let slopes = vec![None; layers.len()];
        let network = &self.network;
        Box::new(Block { network, layers, rows, numbers: Some(block), score: None, behind: None, group: None, slopes })
    }
}

struct Block<'a> {
    network: &'a DenseNet,
    layers: Range<usize>,
    rows: usize,
    /// What all layers put out, `[numbers, rows]`; nowhere else only while a layer writes into it.
    numbers: Option<Tensor<2>>,
    /// `[rows, 1]`
    score: Option<Tensor<2>>,
    /// On the way back: the derivative by each number that the layers still to come see, but for what the group owes;
    /// `[numbers, rows]`.
    behind: Option<Tensor<2>>,
    group: Option<Group>,
    /// The derivative by what each layer computed before its ReLU, `[outputs, rows]`.
    slopes: Vec<Option<Tensor<2>>>,
}

/// Layers on the way back that have not paid yet what they owe to what comes before all of them.
struct Group {
    first: usize,
    /// Of each layer its weight, side by side, `[numbers that the last one sees, numbers of the group]`.
    weights: Tensor<2>,
    /// `[numbers of the group, rows]`
    slopes: Tensor<2>,
}

/// Numbers that a group puts out, about.
const GROUP: usize = 128;

impl Block<'_> {
    /// The layers that pay together with this one, as far as they lie in this stage: everywhere cut at the same places.
    fn group_of(&self, layer: usize) -> Range<usize> {
        let together = (GROUP / self.network.growth).max(1);
        let (start, end) = (layer / together * together, (layer / together + 1) * together);
        start.max(self.layers.start)..end.min(self.layers.end).min(self.network.layers.len())
    }

    /// One layer of a group on the way back. `slope`: by what it puts out, but for what the layers after it in the group add.
    fn pay(&mut self, layer: usize, weights: &Weights, behind: Tensor<2>, wanted: bool) -> Tensor<2> {
        let (seen, growth, rows) = (self.network.seen(layer), self.network.growth, self.rows);
        let own = seen..seen + growth;
        let layers = self.group_of(layer);
        let all = layers.len() * growth;
        let Group { first, weights: mut side_by_side, mut slopes } = self.group.take().unwrap_or_else(|| {
            let empty = |rows: usize, columns: usize| Tensor::empty([rows, columns], &behind.device());
            Group { first: layers.start, weights: empty(seen, all), slopes: empty(all, rows) }
        });
        let place = (layer - first) * growth;
        let after = place + growth..all;
        let mut slope = behind.clone().slice([own.clone(), 0..rows]);
        if !after.is_empty() {
            let given = side_by_side.clone().slice([own.clone(), after.clone()]);
            slope = slope + given.matmul(slopes.clone().slice([after, 0..rows]));
        }
        // What was dropped or cut off is 0 and has no slope; what was kept was scaled up.
        let passed = self.part_of_block(own).greater_elem(0.0).float();
        slope = slope * passed;
        if self.network.dropout > 0.0 {
            slope = slope * (1.0 / (1.0 - self.network.dropout));
        }
        self.behind = Some(behind);
        if wanted {
            let columns = place..place + growth;
            side_by_side = side_by_side.slice_assign([0..seen, columns.clone()], self.weight(layer, weights));
            slopes = slopes.slice_assign([columns, 0..rows], slope.clone());
            if layer == first {
                let given = side_by_side.slice([0..seen, 0..all]).matmul(slopes);
                self.behind = self.behind.take().map(|behind| behind.slice([0..seen, 0..rows]) + given);
            } else {
                self.group = Some(Group { first, weights: side_by_side, slopes });
            }
        }
        slope
    }

    fn outputs(&self, layer: usize) -> usize {
        if layer < self.network.layers.len() { self.network.growth } else { 1 }
    }

    /// `[inputs, outputs]`
    fn weight(&self, layer: usize, weights: &Weights) -> Tensor<2> {
        weights.matrix([self.network.seen(layer), self.outputs(layer)])
    }

    /// Weight, `[inputs, outputs]`, and bias, `[outputs, 1]`.
    fn parts(&self, layer: usize, weights: &Weights) -> (Tensor<2>, Tensor<2>) {
        let (inputs, outputs) = (self.network.seen(layer), self.outputs(layer));
        (weights.matrix([inputs, outputs]), weights.after(inputs * outputs).reshape([outputs, 1]))
    }

    fn part_of_block(&self, numbers: Range<usize>) -> Tensor<2> {
        let block = self.numbers.clone().expect("it is put back as soon as a layer has written");
        block.slice([numbers, 0..self.rows])
    }
}

impl Pass for Block<'_> {
    fn forward(&mut self, layer: usize, weights: Weights, noise: &Noise) {
        let (weight, bias) = self.parts(layer, &weights);
        let seen = self.network.seen(layer);
        let output = weight.transpose().matmul(self.part_of_block(0..seen)) + bias;
        if layer == self.network.layers.len() {
            self.score = Some(output.reshape([self.rows, 1]));
            return;
        }
        let growth = self.network.growth;
        let mut output = relu(output);
        if let Some(mask) = noise.mask(layer * growth, growth, self.network.dropout, &output.device()) {
            output = output * mask;
        }
        // Nothing else holds the block by now, so these rows are written where they belong.
        let block = self.numbers.take();
        self.numbers = block.map(|block| block.slice_assign([seen..seen + growth, 0..self.rows], output));
    }

    fn output(&self) -> Tensor<2> {
        let whole = || self.part_of_block(0..self.network.seen(self.layers.end));
        self.score.clone().unwrap_or_else(whole)
    }

    fn begin_backward(&mut self, slope: Tensor<2>) {
        self.behind = Some(if self.score.is_some() { slope.reshape([1, self.rows]) } else { slope });
    }

    fn backward_input(&mut self, layer: usize, weights: Weights, wanted: bool) {
        let behind = self.behind.take().expect("a pass goes there before it comes back");
        let slope = if layer == self.network.layers.len() {
            self.behind = wanted.then(|| self.weight(layer, &weights).matmul(behind.clone()));
            behind
        } else {
            self.pay(layer, &weights, behind, wanted)
        };
        self.slopes[layer - self.layers.start] = Some(slope);
    }

    fn input_slope(&mut self) -> Tensor<2> {
        self.behind.take().expect("a pass goes there before it comes back")
    }

    fn backward_weight(&mut self, layer: usize) -> Vec<Tensor<1>> {
        let slope = self.slopes[layer - self.layers.start].take().expect("the gradient of the input comes first");
        let (inputs, outputs) = (self.network.seen(layer), self.outputs(layer));
        let bias = slope.clone().sum_dim(1).reshape([outputs]);
        let weight = self.part_of_block(0..inputs).matmul(slope.transpose()).reshape([inputs * outputs]);
        vec![weight, bias]
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
            [(1, 1, 0.0), (5, 3, 0.0), (7, 2, 0.4), (30, 4, 0.2), (5, 50, 0.1), (3, 130, 0.0)]
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
