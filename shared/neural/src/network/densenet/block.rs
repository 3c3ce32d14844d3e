//! A micro-batch on its way through some layers of the dense block, or through one rank's part of them.
//!
//! On the way back every layer owes all numbers before it a part of their slopes. Layers that follow each other pay together: within
//! such a group a layer asks those after it, and what comes before the group is paid once, by one product. Layer by layer the
//! slopes of all numbers would be written anew for each of 150 layers, which took a third of the training. A group copies its weights
//! side by side, though, however few the rows are: of a small micro-batch each layer pays for itself.

use std::ops::Range;

use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use recspeed_parallel::model::{Noise, Pass, Pieces, Weights};

use super::stages::Stages;

pub(super) struct Block<'a> {
    stages: &'a Stages,
    layers: Range<usize>,
    rows: usize,
    /// What all layers put out, as far as it is this rank's, `[own numbers, rows]`; nowhere else only while a layer writes into it.
    numbers: Option<Tensor<2>>,
    /// Of a layer whose products the ranks add up this rank's, `[outputs, rows]`, and its own biases, `[own outputs, 1]`.
    product: Option<[Tensor<2>; 2]>,
    /// `[rows, 1]`; where the ranks add it up, at first this rank's term.
    score: Option<Tensor<2>>,
    /// On the way back: the derivative by each number that the layers still to come see, but for what the group owes;
    /// `[own numbers, rows]`.
    behind: Option<Tensor<2>>,
    group: Option<Group>,
    /// The derivative by what each layer computed before its ReLU, `[outputs, rows]`.
    slopes: Vec<Option<Tensor<2>>>,
}

/// Layers on the way back that have not paid yet what they owe to what comes before all of them.
struct Group {
    first: usize,
    /// Of each layer its weight, side by side, `[own numbers that the last one sees, numbers of the group]`.
    weights: Tensor<2>,
    /// `[numbers of the group, rows]`
    slopes: Tensor<2>,
}

/// Numbers that a group puts out, about.
const GROUP: usize = 128;

/// How many layers pay together. Of each number that is paid for, a layer that pays for itself moves 4 numbers a row (its product is
/// written and added); in a group of `k` it moves `4 / k` a row and 5 for each of its own outputs (room for its weights is made,
/// the weights are read and written twice).
fn pay_together(growth: usize, rows: usize) -> usize {
    let together = (GROUP / growth).max(1);
    if 4 * rows * (together - 1) > 5 * growth * together { together } else { 1 }
}

impl<'a> Block<'a> {
    /// `numbers`: what the layers before have put out, and room for these.
    pub(super) fn new(stages: &'a Stages, layers: Range<usize>, numbers: Tensor<2>) -> Self {
        let (rows, slopes) = (numbers.dims()[1], vec![None; layers.len()]);
        let numbers = Some(numbers);
        Self { stages, layers, rows, numbers, product: None, score: None, behind: None, group: None, slopes }
    }

    /// The layers that pay together with this one, as far as they lie in this stage: everywhere cut at the same places.
    /// A border of stages inside of them makes two products of one, and the slopes before them differ by rounding.
    fn group_of(&self, layer: usize) -> Range<usize> {
        let together = pay_together(self.stages.network.growth, self.rows);
        let (start, end) = (layer / together * together, (layer / together + 1) * together);
        start.max(self.layers.start)..end.min(self.layers.end).min(self.stages.network.layers.len())
    }

    /// Where a layer's numbers lie among this rank's.
    fn place_of(&self, layer: usize) -> Range<usize> {
        self.stages.seen(layer)..self.stages.seen(layer + 1)
    }

    /// What a layer owes to the numbers before it. `slope`: by what it computed before its ReLU.
    fn pay(&mut self, layer: usize, weights: &Weights, slope: &Tensor<2>) {
        let (seen, growth, rows) = (self.stages.seen(layer), self.stages.network.growth, self.rows);
        let layers = self.group_of(layer);
        if layers.len() == 1 {
            let given = self.weight(layer, weights).matmul(slope.clone());
            self.behind = self.behind.take().map(|behind| behind.slice([0..seen, 0..rows]) + given);
            return;
        }
        let all = layers.len() * growth;
        let Group { first, weights: mut side_by_side, mut slopes } = self.group.take().unwrap_or_else(|| {
            let empty = |rows: usize, columns: usize| Tensor::empty([rows, columns], &slope.device());
            Group { first: layers.start, weights: empty(seen, all), slopes: empty(all, rows) }
        });
        let place = (layer - first) * growth;
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

    /// `[own inputs, outputs]`
    fn weight(&self, layer: usize, weights: &Weights) -> Tensor<2> {
        weights.matrix([self.stages.seen(layer), self.stages.outputs(layer)])
    }

    /// Those of a layer's biases that this rank holds, `[own outputs, 1]`; `None` where it has none.
    fn bias(&self, layer: usize, weights: &Weights) -> Option<Tensor<2>> {
        let (inputs, outputs) = (self.stages.seen(layer), self.stages.outputs(layer));
        let own = self.stages.own(outputs).len();
        (own > 0).then(|| weights.after(inputs * outputs).reshape([own, 1]))
    }

    /// What this rank's numbers give to a layer, `[outputs, rows]`.
    fn product(&self, layer: usize, weights: &Weights) -> Tensor<2> {
        let seen = self.stages.seen(layer);
        let numbers = self.numbers.as_ref().expect("it is put back as soon as a layer has written");
        if seen == 0 {
            // Of fewer inputs than ranks this one has none.
            return Tensor::zeros([self.stages.outputs(layer), self.rows], &numbers.device());
        }
        self.weight(layer, weights).transpose().matmul(self.part_of_block(0..seen))
    }

    /// Ends a layer: puts what it makes beside what it sees. `sum`: product and bias of this rank's numbers of it.
    fn write(&mut self, layer: usize, sum: Tensor<2>, noise: &Noise) {
        let (network, own) = (&self.stages.network, self.stages.own(self.stages.network.growth));
        let mut output = relu(sum);
        let place = layer * network.growth + own.start;
        if let Some(mask) = noise.mask(place, own.len(), network.dropout, &output.device()) {
            output = output * mask;
        }
        // Nothing else holds the block by now, so these rows are written where they belong.
        let (place, block) = (self.place_of(layer), self.numbers.take());
        self.numbers = block.map(|block| block.slice_assign([place, 0..self.rows], output));
    }

    fn part_of_block(&self, numbers: Range<usize>) -> Tensor<2> {
        let block = self.numbers.clone().expect("it is put back as soon as a layer has written");
        block.slice([numbers, 0..self.rows])
    }
}

impl Pass for Block<'_> {
    fn forward(&mut self, layer: usize, weights: Weights, noise: &Noise) {
        let (product, bias) = (self.product(layer, &weights), self.bias(layer, &weights));
        if self.stages.is_score(layer) {
            let score = match bias {
                Some(bias) => product + bias,
                None => product,
            };
            self.score = Some(score.reshape([self.rows, 1]));
            return;
        }
        let bias = bias.expect("no rank is without a number of a layer");
        if self.stages.are_shared() {
            self.product = Some([product, bias]);
        } else {
            self.write(layer, product + bias, noise);
        }
    }

    fn complete(&mut self, layer: usize, sum: Tensor<2>, noise: &Noise) {
        match self.product.take() {
            Some([_, bias]) => self.write(layer, sum + bias, noise),
            None => self.score = Some(sum),
        }
    }

    fn output(&self) -> Tensor<2> {
        let whole = || self.part_of_block(0..self.stages.seen(self.layers.end));
        let product = self.product.as_ref().map(|[product, _]| product);
        product.or(self.score.as_ref()).cloned().unwrap_or_else(whole)
    }

    fn begin_backward(&mut self, slope: Tensor<2>) {
        self.behind = Some(if self.score.is_some() { slope.reshape([1, self.rows]) } else { slope });
    }

    /// Of what the layers after it owe, those of its group and those that have paid, taken back through dropout and ReLU.
    fn own_slope(&mut self, layer: usize) -> Tensor<2> {
        let (own, rows) = (self.place_of(layer), self.rows);
        let behind = self.behind.clone().expect("a pass goes there before it comes back");
        let mut slope = behind.slice([own.clone(), 0..rows]);
        if let Some(Group { first, weights, slopes }) = &self.group {
            let after = (layer + 1 - first) * self.stages.network.growth..slopes.dims()[0];
            let given = weights.clone().slice([own.clone(), after.clone()]);
            slope = slope + given.matmul(slopes.clone().slice([after, 0..rows]));
        }
        // What was dropped or cut off is 0 and has no slope; what was kept was scaled up.
        slope = slope * self.part_of_block(own).greater_elem(0.0).float();
        let dropout = self.stages.network.dropout;
        if dropout > 0.0 { slope * (1.0 / (1.0 - dropout)) } else { slope }
    }

    fn gathered(&mut self, layer: usize, slope: Tensor<2>) {
        self.slopes[layer - self.layers.start] = Some(slope);
    }

    fn backward_input(&mut self, layer: usize, weights: Weights, wanted: bool) {
        let at = layer - self.layers.start;
        if self.stages.is_score(layer) {
            let slope = self.behind.take().expect("a pass goes there before it comes back");
            self.behind = wanted.then(|| self.weight(layer, &weights).matmul(slope.clone()));
            self.slopes[at] = Some(slope);
            return;
        }
        let slope = self.slopes[at].take().unwrap_or_else(|| self.own_slope(layer));
        if wanted {
            self.pay(layer, &weights, &slope);
        } else {
            (self.group, self.behind) = (None, None);
        }
        self.slopes[at] = Some(slope);
    }

    fn input_slope(&mut self) -> Tensor<2> {
        self.behind.take().expect("a pass goes there before it comes back")
    }

    fn backward_weight(&mut self, layer: usize) -> Pieces {
        let slope = self.slopes[layer - self.layers.start].take().expect("the gradient of the input comes first");
        let (inputs, outputs) = (self.stages.seen(layer), self.stages.outputs(layer));
        let mut pieces = Pieces::new();
        if inputs > 0 {
            let weight = self.part_of_block(0..inputs).matmul(slope.clone().transpose());
            pieces.push(weight.reshape([inputs * outputs]));
        }
        let own = self.stages.own(outputs);
        if !own.is_empty() {
            let count = own.len();
            let slope = if count == outputs { slope } else { slope.slice([own, 0..self.rows]) };
            pieces.push(slope.sum_dim(1).reshape([count]));
        }
        pieces
    }
}
