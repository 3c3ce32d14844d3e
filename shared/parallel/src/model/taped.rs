//! A layer that only knows its way there: Burn's tape finds the way back.

use burn::tensor::Tensor;
use smallvec::smallvec;

use super::{Kept, Layer, Noise, Pieces, Weights};

/// Any function of parameters and input. Its gradients come from Burn's tape, both at once: a schedule that parts them waits for
/// the whole here. A tape holds its leaves: where the parameters are [lent](Weights::is_lent), the forward pass makes
/// none and keeps the input alone, and the way back computes the function once more, with the same dropout.
pub struct Taped<F> {
    inputs: usize,
    outputs: usize,
    parameters: usize,
    kept: usize,
    function: F,
}

impl<F: Fn(Tensor<1>, Tensor<2>, &Noise) -> Tensor<2> + Send + Sync> Taped<F> {
    /// A layer that computes `function` of its parameters, `[parameters]`, and its input, `[rows, inputs]`. `kept`: numbers of a
    /// row that its tape keeps, about.
    pub const fn new((inputs, outputs): (usize, usize), parameters: usize, kept: usize, function: F) -> Self {
        Self { inputs, outputs, parameters, kept, function }
    }

    /// The leaves of a tape, which are parameters and input, and what was computed of them.
    fn tape(&self, weights: &Weights, input: Tensor<2>, noise: &Noise) -> [Tensor<2>; 3] {
        let weights = weights.whole().reshape([1, self.parameters]).autodiff().require_grad();
        let input = input.autodiff().require_grad();
        let output = (self.function)(weights.clone().reshape([self.parameters]), input.clone(), noise);
        [weights, input, output]
    }
}

impl<F: Fn(Tensor<1>, Tensor<2>, &Noise) -> Tensor<2> + Send + Sync> Layer for Taped<F> {
    fn inputs(&self) -> usize {
        self.inputs
    }

    fn outputs(&self) -> usize {
        self.outputs
    }

    fn parameters(&self) -> usize {
        self.parameters
    }

    fn kept(&self) -> usize {
        self.kept
    }

    fn kept_of_lent(&self) -> usize {
        self.inputs
    }

    /// Keeps the leaves and what was computed of them; of parameters that are lent the input alone.
    fn forward(&self, weights: Weights, input: Tensor<2>, noise: &Noise, kept: &mut Kept) -> Tensor<2> {
        if weights.is_lent() {
            kept.push(input.clone());
            // Where a tape would compute, so that each operation is the tape's and gives the same bits; no leaf wants a
            // gradient, and so none is made.
            return (self.function)(weights.whole().autodiff(), input.autodiff(), noise).inner();
        }
        let tape = self.tape(&weights, input, noise);
        let output = tape[2].clone().inner();
        kept.extend(tape);
        output
    }

    fn again(&self, weights: &Weights, kept: &mut Kept, noise: &Noise) {
        let input = kept.pop().expect("the input is kept of a layer whose parameters are lent");
        kept.extend(self.tape(weights, input, noise));
    }

    /// The gradient of `Σ output · slope`, as a stage's cut sends it back.
    fn backward_input(&self, _: Weights, kept: &mut Kept, slope: Tensor<2>, wanted: bool) -> Option<Tensor<2>> {
        let [weights, input, output] = <[Tensor<2>; 3]>::try_from(std::mem::take(kept).into_vec())
            .expect("leaves and output are kept for the way back");
        let device = slope.device();
        let mut tape = (output * slope.autodiff()).sum().backward();
        // A leaf that the output does not depend on has no gradient on the tape.
        let mut of =
            |leaf: &Tensor<2>| leaf.grad_remove(&mut tape).unwrap_or_else(|| Tensor::zeros(leaf.dims(), &device));
        kept.push(of(&weights));
        wanted.then(|| of(&input))
    }

    fn backward_weight(&self, kept: &mut Kept) -> Pieces {
        let gradient = kept.pop().expect("the gradient is kept from the way back");
        smallvec![gradient.reshape([self.parameters])]
    }
}
