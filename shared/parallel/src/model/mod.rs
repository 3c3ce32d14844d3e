//! A model that can be cut: layers in a row, each with its part of one flat vector of parameters.
//!
//! What a model is made of is not this crate's business. Here are a sequence of any layers ([`Sequential`]), one that is fully
//! connected ([`Dense`], [shared](Sequential::shared) among ranks too), and one whose gradient Burn's tape computes ([`Taped`]).

mod dense;
mod noise;
mod sequential;
mod shared;
mod taped;
mod weights;

use std::ops::Range;

use burn::tensor::Tensor;
use smallvec::SmallVec;

pub use dense::Dense;
pub use noise::{Noise, StepNoise};
pub use sequential::{Kept, Layer, Sequential};
pub use shared::{Exchange, Shares, Sum, TooNarrow, part_of};
pub use taped::Taped;
pub(crate) use weights::Views;
pub use weights::Weights;

/// The derivative by a layer's parameters, in the order of its numbers, in as many pieces as it was computed in: putting them
/// together would copy them. Most layers have weights and a bias, and a tensor is as wide as a cache line: a list of its own for
/// two would cost the allocator more than a small layer's product.
pub type Pieces = SmallVec<[Tensor<1>; 2]>;

/// What layers in a row hold.
pub trait LayerSizes: Sync {
    /// Learnt numbers of each layer; their sum is the length of the flat vector, in which they lie in this order.
    fn parameters(&self) -> &[usize];

    /// How the layers are shared among ranks, where this is one rank's part of them. [`Self::parameters`] are then those of the
    /// part.
    fn shares(&self) -> Option<&Shares> {
        None
    }
}

impl LayerSizes for Vec<usize> {
    fn parameters(&self) -> &[usize] {
        self
    }
}

/// What layers in a row compute.
pub trait Model: Sync {
    /// Shape of what enters layer `layer` with so many rows: what a stage that begins there is sent. Not asked for the first.
    fn boundary(&self, layer: usize, rows: usize) -> [usize; 2];

    /// Numbers that [`Self::begin`]'s pass keeps of so many rows between forward and backward, its input included.
    fn kept(&self, layers: Range<usize>, rows: usize) -> usize;

    /// The same of layers whose numbers are [lent](Weights::is_lent) to each call: without what would hold on to them,
    /// which the way back makes again.
    fn kept_of_lent(&self, layers: Range<usize>, rows: usize) -> usize {
        self.kept(layers, rows)
    }

    /// What the ranks that share a layer bring together.
    fn exchange(&self, layer: usize) -> Exchange {
        let _ = layer;
        Exchange::default()
    }

    /// Begins to take a micro-batch through some of the layers.
    ///
    /// # Shapes
    /// - `input`: `[rows, inputs]` for the first layer, else [`Self::boundary`]
    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_>;
}

/// A micro-batch on its way through some layers, forward and back. Each call names the layer, in order on the way there and in
/// reverse order on the way back; weights come one layer at a time, because they may have to be fetched. Where they
/// are, they are [lent](Weights::is_lent) to the call: nothing of them stays in the pass, and the way back gets them
/// again.
pub trait Pass {
    /// Computes one layer. `weights`: its numbers.
    fn forward(&mut self, layer: usize, weights: Weights, noise: &Noise);

    /// Ends a layer whose output is added up over ranks ([`Exchange::output`]): takes the sum of what [`Self::output`] was on each
    /// of them, or its own rows of that.
    fn complete(&mut self, layer: usize, sum: Tensor<2>, noise: &Noise) {
        let _ = (sum, noise);
        unreachable!("layer {layer} adds nothing up")
    }

    /// What the last layer put out: the next stage's input, or the scores `[rows, scores of a row]`.
    fn output(&self) -> Tensor<2>;

    /// [`Self::output`] for whoever asks last before the way back: what only the pass holds is given away, not shared,
    /// so that it can be changed where it lies.
    fn put_out(&mut self) -> Tensor<2> {
        self.output()
    }

    /// Takes the derivative of the loss by each number of the output.
    fn begin_backward(&mut self, slope: Tensor<2>);

    /// The derivative by the numbers that this rank has of those that a layer puts out, before what follows the product; asked
    /// where the ranks gather it ([`Exchange::slopes_of`]).
    ///
    /// # Shapes
    /// - returns: `[own numbers, rows]`
    fn own_slope(&mut self, layer: usize) -> Tensor<2> {
        unreachable!("layer {layer} gathers nothing")
    }

    /// Begins the backward pass of such a layer: takes what the ranks gave for [`Self::own_slope`], one below the other.
    ///
    /// # Shapes
    /// - `slope`: `[numbers, rows]`
    fn gathered(&mut self, layer: usize, slope: Tensor<2>) {
        let _ = slope;
        unreachable!("layer {layer} gathers nothing")
    }

    /// The part of a layer's backward pass that the layer before waits for. `wanted`: whether there is one.
    fn backward_input(&mut self, layer: usize, weights: Weights, wanted: bool);

    /// The derivative of the loss by each number of the input, once all layers have been taken back.
    fn input_slope(&mut self) -> Tensor<2>;

    /// The derivative of the loss by each parameter of a layer; any time after [`Self::backward_input`] of that layer.
    fn backward_weight(&mut self, layer: usize) -> Pieces;
}
