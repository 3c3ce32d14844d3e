//! The dense block, cut into stages.
//!
//! A stage keeps the outputs of all layers up to its last one in one matrix, as the whole network does: what a layer sees is the
//! front of it. What a stage sends is that matrix, the input of the next one.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use recspeed_parallel::model::{Model, Noise, Pass};

use super::DenseNet;
use crate::examples::Describe as _;
use crate::history::History;
use crate::training::staged::Staged;

impl Staged for DenseNet {
    fn model(&self) -> Box<dyn Model + '_> {
        let hidden = (0..self.layers.len()).map(|layer| (self.seen(layer) + 1) * self.growth);
        let parameters = hidden.chain([self.last.inputs + 1]).collect();
        Box::new(Stages { network: self, parameters })
    }
}

impl DenseNet {
    /// Numbers of a row that a layer sees; the score comes after all layers.
    fn seen(&self, layer: usize) -> usize {
        History::WIDTH + layer * self.growth
    }
}

struct Stages<'a> {
    network: &'a DenseNet,
    parameters: Vec<usize>,
}

impl Model for Stages<'_> {
    fn parameters(&self) -> &[usize] {
        &self.parameters
    }

    /// A column for each row of the batch.
    fn boundary(&self, layer: usize, rows: usize) -> [usize; 2] {
        [self.network.seen(layer), rows]
    }

    fn kept(&self, layers: Range<usize>) -> usize {
        self.network.seen(layers.end.min(self.network.layers.len()))
    }

    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_> {
        let input = if layers.start == 0 { input.transpose() } else { input };
        let [seen, rows] = input.dims();
        let width = self.kept(layers.clone());
        let block = if width == seen {
            input
        } else {
            Tensor::zeros([width, rows], &input.device()).slice_assign([0..seen, 0..rows], input)
        };
        let slopes = vec![None; layers.len()];
        Box::new(Block { network: self.network, layers, rows, numbers: Some(block), score: None, behind: None, slopes })
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
    /// On the way back: the derivative by each number that the layers still to come see, `[numbers, rows]`.
    behind: Option<Tensor<2>>,
    /// The derivative by what each layer computed before its ReLU, `[outputs, rows]`.
    slopes: Vec<Option<Tensor<2>>>,
}

impl Block<'_> {
    fn outputs(&self, layer: usize) -> usize {
        if layer < self.network.layers.len() { self.network.growth } else { 1 }
    }

    /// Weight, `[inputs, outputs]`, and bias, `[outputs, 1]`.
    fn parts(&self, layer: usize, weights: &Tensor<1>) -> (Tensor<2>, Tensor<2>) {
        let (inputs, outputs) = (self.network.seen(layer), self.outputs(layer));
        let weight = weights.clone().narrow(0, 0, inputs * outputs).reshape([inputs, outputs]);
        (weight, weights.clone().narrow(0, inputs * outputs, outputs).reshape([outputs, 1]))
    }

    fn part_of_block(&self, numbers: Range<usize>) -> Tensor<2> {
        let block = self.numbers.clone().expect("it is put back as soon as a layer has written");
        block.slice([numbers, 0..self.rows])
    }
}

impl Pass for Block<'_> {
    fn forward(&mut self, layer: usize, weights: Tensor<1>, noise: &Noise) {
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

    fn backward_input(&mut self, layer: usize, weights: Tensor<1>, wanted: bool) {
        let behind = self.behind.take().expect("a pass goes there before it comes back");
        let (seen, outputs) = (self.network.seen(layer), self.outputs(layer));
        let last = layer == self.network.layers.len();
        let slope = if last {
            behind.clone()
        } else {
            let own = seen..seen + outputs;
            // What was dropped or cut off is 0 and has no slope; what was kept was scaled up.
            let scale = 1.0 / (1.0 - self.network.dropout);
            let passed = self.part_of_block(own.clone()).greater_elem(0.0).float() * scale;
            behind.clone().slice([own, 0..self.rows]) * passed
        };
        self.slopes[layer - self.layers.start] = Some(slope.clone());
        if wanted {
            let given = self.parts(layer, &weights).0.matmul(slope);
            self.behind = Some(if last { given } else { behind.slice([0..seen, 0..self.rows]) + given });
        }
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
    use crate::training::staged::{costs_what_is_planned, equals_itself};
    use recspeed_plan::dense::{DENSENET_INPUTS, Speed, densenet};

    #[test]
    fn a_dense_block_in_stages_is_the_whole_one_with_dropout() {
        for (depth, growth, dropout) in [(1, 1, 0.0), (5, 3, 0.0), (7, 2, 0.4), (30, 4, 0.2)] {
            equals_itself(&DenseNet::new(depth, growth, dropout), History::WIDTH);
        }
    }

    #[test]
    fn the_plan_counts_what_a_dense_block_holds() {
        assert_eq!(DENSENET_INPUTS, History::WIDTH as u64);
        for (depth, growth) in [(1, 1), (6, 5), (9, 2)] {
            let planned = densenet(DENSENET_INPUTS, depth as u64, growth as u64, 1, Speed::of_gflops(1.0));
            costs_what_is_planned(&DenseNet::new(depth, growth, 0.0), &planned);
        }
    }
}
