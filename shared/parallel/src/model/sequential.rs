//! Any layers, one after the other.

use std::ops::Range;

use burn::tensor::Tensor;
use smallvec::SmallVec;

use super::shared::share;
use super::{Dense, Exchange, LayerSizes, Model, Noise, Pass, Pieces, Shares, TooNarrow, Weights};

/// What a layer keeps of a micro-batch for its way back; for most its input and its output.
pub type Kept = SmallVec<[Tensor<2>; 2]>;

/// A layer: numbers in, numbers out, row by row.
pub trait Layer: Send + Sync {
    /// Numbers of a row that enter.
    fn inputs(&self) -> usize;

    /// Numbers of a row that leave.
    fn outputs(&self) -> usize;

    /// Learnt numbers.
    fn parameters(&self) -> usize;

    /// Numbers of a row that [`Self::forward`] keeps.
    fn kept(&self) -> usize;

    /// The same where its numbers are [lent](Weights::is_lent).
    fn kept_of_lent(&self) -> usize {
        self.kept()
    }

    /// What leaves; what the way back needs of it is put into `kept`, which is empty. Nothing of `weights` that are
    /// [lent](Weights::is_lent) may stay there.
    ///
    /// # Shapes
    /// - `weights`: `[parameters]`, `input`: `[rows, inputs]`
    /// - returns: `[rows, outputs]`
    fn forward(&self, weights: Weights, input: Tensor<2>, noise: &Noise, kept: &mut Kept) -> Tensor<2>;

    /// Called before [`Self::backward_input`] where the numbers are lent once more: makes of what [`Self::forward`] has
    /// put into `kept` what the way back needs and could not be kept without the numbers. `noise`: as there, so that
    /// the same is drawn.
    fn again(&self, weights: &Weights, kept: &mut Kept, noise: &Noise) {
        let _ = (weights, kept, noise);
    }

    /// The derivative by each number of the input where it is `wanted`; leaves in `kept` what [`Self::backward_weight`] needs.
    ///
    /// # Shapes
    /// - `slope`: `[rows, outputs]`
    /// - returns: `[rows, inputs]`
    fn backward_input(&self, weights: Weights, kept: &mut Kept, slope: Tensor<2>, wanted: bool) -> Option<Tensor<2>>;

    /// The derivative by each parameter; takes what [`Self::backward_input`] left.
    fn backward_weight(&self, kept: &mut Kept) -> Pieces;

    /// What the ranks that share the layer bring together; nothing where it is whole.
    fn exchange(&self) -> Exchange {
        Exchange::default()
    }

    /// What leaves, of the sum over all ranks of what [`Self::forward`] gave, where that is to be summed.
    fn complete(&self, sum: Tensor<2>, kept: &mut Kept, noise: &Noise) -> Tensor<2> {
        let _ = (kept, noise);
        sum
    }
}

/// Layers in a row, each of which sees what the one before puts out.
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    parameters: Vec<usize>,
    shares: Option<Shares>,
}

impl Sequential {
    /// These layers; each takes what the one before gives.
    ///
    /// # Panics
    /// When two neighbours do not fit.
    pub fn new(layers: Vec<Box<dyn Layer>>) -> Self {
        for (at, pair) in layers.windows(2).enumerate() {
            assert_eq!(pair[0].outputs(), pair[1].inputs(), "layer {at} does not fit layer {}", at + 1);
        }
        let parameters = layers.iter().map(|layer| layer.parameters()).collect();
        Self { layers, parameters, shares: None }
    }

    /// One rank's part of fully connected layers that ranks share: pairs of them cut by columns and rows (Shoeybi et al. 2019,
    /// Megatron-LM), so that each pair adds up once on the way there and once on the way back; a layer left over is cut by rows.
    ///
    /// # Errors
    /// [`TooNarrow`]: a layer has fewer numbers to share than there are ranks.
    pub fn shared(layers: &[Dense], part: usize, parts: usize) -> Result<Self, TooNarrow> {
        let (own, shares) = share(layers, part, parts)?;
        let own = own.into_iter().map(|layer| -> Box<dyn Layer> { Box::new(layer) }).collect();
        Ok(Self { shares: Some(shares), ..Self::new(own) })
    }
}

impl LayerSizes for Sequential {
    fn parameters(&self) -> &[usize] {
        &self.parameters
    }

    fn shares(&self) -> Option<&Shares> {
        self.shares.as_ref()
    }
}

impl Model for Sequential {
    fn boundary(&self, layer: usize, rows: usize) -> [usize; 2] {
        [rows, self.layers[layer].inputs()]
    }

    fn kept(&self, layers: Range<usize>, rows: usize) -> usize {
        rows * self.layers[layers].iter().map(|layer| layer.kept()).sum::<usize>()
    }

    fn kept_of_lent(&self, layers: Range<usize>, rows: usize) -> usize {
        rows * self.layers[layers].iter().map(|layer| layer.kept_of_lent()).sum::<usize>()
    }

    fn exchange(&self, layer: usize) -> Exchange {
        self.layers[layer].exchange()
    }

    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_> {
        let kept = layers.clone().map(|_| Kept::new()).collect();
        Box::new(Row { layers: &self.layers, first: layers.start, flow: Some(input), kept, noise: None })
    }
}

struct Row<'a> {
    layers: &'a [Box<dyn Layer>],
    first: usize,
    /// What goes from layer to layer, there and back.
    flow: Option<Tensor<2>>,
    kept: Vec<Kept>,
    /// What the forward pass drew from, where its layers' numbers were lent.
    noise: Option<Noise>,
}

impl Row<'_> {
    fn take(&mut self) -> Tensor<2> {
        self.flow.take().expect("a pass goes there before it comes back")
    }
}

impl Pass for Row<'_> {
    fn forward(&mut self, layer: usize, weights: Weights, noise: &Noise) {
        let input = self.take();
        if weights.is_lent() && self.noise.is_none() {
            self.noise = Some(noise.clone());
        }
        let kept = &mut self.kept[layer - self.first];
        self.flow = Some(self.layers[layer].forward(weights, input, noise, kept));
    }

    fn complete(&mut self, layer: usize, sum: Tensor<2>, noise: &Noise) {
        let kept = &mut self.kept[layer - self.first];
        self.flow = Some(self.layers[layer].complete(sum, kept, noise));
    }

    fn output(&self) -> Tensor<2> {
        self.flow.clone().expect("a pass goes there before it comes back")
    }

    fn put_out(&mut self) -> Tensor<2> {
        self.take()
    }

    fn begin_backward(&mut self, slope: Tensor<2>) {
        self.flow = Some(slope);
    }

    fn backward_input(&mut self, layer: usize, weights: Weights, wanted: bool) {
        let slope = self.take();
        let kept = &mut self.kept[layer - self.first];
        if let Some(noise) = &self.noise {
            self.layers[layer].again(&weights, kept, noise);
        }
        self.flow = self.layers[layer].backward_input(weights, kept, slope, wanted);
    }

    fn input_slope(&mut self) -> Tensor<2> {
        self.take()
    }

    fn backward_weight(&mut self, layer: usize) -> Pieces {
        self.layers[layer].backward_weight(&mut self.kept[layer - self.first])
    }
}
