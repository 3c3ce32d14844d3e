//! Layers that only know their way there: Burn's tape finds the way back, layer by layer.

use std::ops::Range;

use burn::tensor::Tensor;
use recspeed_parallel::model::{self, Model, Pass};

use super::layout::Layout;
use super::network::{Noise, Weights};

/// A network as a row of layers. What it computes of a batch is what its layers compute one after the other.
pub(crate) trait Layered: Sync {
    /// What all layers see of some rows of a batch, besides what goes from layer to layer.
    type Rows: Send + Sync;

    /// Its parameters.
    fn layout(&self) -> &Layout;

    /// The dense parameters of each layer, by their places in the layout; all of them, in their order.
    fn layers(&self) -> &[Range<usize>];

    /// Shape of what enters a layer.
    fn boundary(&self, layer: usize, rows: &Self::Rows) -> [usize; 2];

    /// Numbers that a layer keeps for the way back, about; its input included.
    fn kept(&self, layer: usize, rows: &Self::Rows) -> usize;

    /// Numbers that dropout draws in a layer for each row that a batch can be cut between.
    fn drawn(&self, layer: usize, rows: &Self::Rows) -> usize;

    /// What leaves a layer. With `noise` it learns, without it answers.
    fn apply(
        &self,
        layer: usize,
        weights: &Weights,
        x: Tensor<2>,
        rows: &Self::Rows,
        noise: Option<&mut Noise>,
    ) -> Tensor<2>;
}

/// Learnt numbers of each layer.
pub(crate) fn sizes(network: &impl Layered) -> Vec<usize> {
    let parameters = network.layout().parameters();
    let size = |layer: &Range<usize>| parameters[layer.clone()].iter().map(|parameter| parameter.range.len()).sum();
    network.layers().iter().map(size).collect()
}

/// The layers as they compute some rows.
pub(crate) struct TapedLayers<'a, L: Layered> {
    pub(crate) network: &'a L,
    pub(crate) rows: L::Rows,
}

impl<L: Layered> Model for TapedLayers<'_, L> {
    fn boundary(&self, layer: usize, _: usize) -> [usize; 2] {
        self.network.boundary(layer, &self.rows)
    }

    fn kept(&self, layers: Range<usize>, _: usize) -> usize {
        layers.map(|layer| self.network.kept(layer, &self.rows)).sum()
    }

    /// What enters each layer.
    fn kept_of_lent(&self, layers: Range<usize>, _: usize) -> usize {
        layers.map(|layer| self.network.boundary(layer, &self.rows).iter().product::<usize>()).sum()
    }

    fn begin(&self, layers: Range<usize>, input: Tensor<2>) -> Box<dyn Pass + '_> {
        let kept = layers.clone().map(|_| Kept::Nothing).collect();
        Box::new(OnTapes { layers: self, first: layers.start, flow: Some(input), kept })
    }
}

struct OnTapes<'a, L: Layered> {
    layers: &'a TapedLayers<'a, L>,
    first: usize,
    /// What goes from layer to layer, there and back.
    flow: Option<Tensor<2>>,
    kept: Vec<Kept>,
}

/// The leaves of a layer's tape, and what was computed of them.
struct Tape {
    weights: Weights,
    input: Tensor<2>,
    output: Tensor<2>,
}

/// What is kept of a layer.
enum Kept {
    Nothing,
    /// What entered, and what the layer draws from: all that is kept where its parameters are lent, which a tape would
    /// hold.
    Input(Box<(Tensor<2>, model::Noise)>),
    Tape(Box<Tape>),
    /// By its parameters, one after the other.
    Gradient(Vec<Tensor<1>>),
}

impl<L: Layered> OnTapes<'_, L> {
    fn take(&mut self) -> Tensor<2> {
        self.flow.take().expect("a pass goes there before it comes back")
    }

    /// Computes a layer where a tape does. Without `leaves` none is made, and the bits are the same.
    fn computed(
        &self,
        layer: usize,
        numbers: &model::Weights,
        input: Tensor<2>,
        noise: &model::Noise,
        leaves: bool,
    ) -> Tape {
        let TapedLayers { network, rows } = self.layers;
        let weights = Weights::of_layer(network.layout(), network.layers()[layer].clone(), &numbers.whole());
        let drawn = (0..layer).map(|layer| network.drawn(layer, rows)).sum();
        let mut noise = Noise::of_rows(noise, drawn, &input.device());
        let (weights, input) = if leaves {
            (weights.as_leaves(), input.autodiff().require_grad())
        } else {
            (weights.as_constants(), input.autodiff())
        };
        let output = network.apply(layer, &weights, input.clone(), rows, Some(&mut noise));
        Tape { weights, input, output }
    }
}

impl<L: Layered> Pass for OnTapes<'_, L> {
    fn forward(&mut self, layer: usize, weights: model::Weights, noise: &model::Noise) {
        let input = self.take();
        let (output, kept) = if weights.is_lent() {
            let Tape { output, .. } = self.computed(layer, &weights, input.clone(), noise, false);
            (output, Kept::Input(Box::new((input, noise.clone()))))
        } else {
            let tape = self.computed(layer, &weights, input, noise, true);
            (tape.output.clone(), Kept::Tape(Box::new(tape)))
        };
        self.flow = Some(output.inner());
        self.kept[layer - self.first] = kept;
    }

    fn output(&self) -> Tensor<2> {
        self.flow.clone().expect("a pass goes there before it comes back")
    }

    fn begin_backward(&mut self, slope: Tensor<2>) {
        self.flow = Some(slope);
    }

    /// The gradient of `Σ output · slope`. A tape gives both gradients at once: a schedule that parts them waits for the whole here.
    /// Of parameters that were lent to the forward pass the tape is made here.
    fn backward_input(&mut self, layer: usize, weights: model::Weights, wanted: bool) {
        let slope = self.take();
        let at = layer - self.first;
        let tape = match std::mem::replace(&mut self.kept[at], Kept::Nothing) {
            Kept::Tape(tape) => *tape,
            Kept::Input(kept) => {
                let (input, noise) = *kept;
                self.computed(layer, &weights, input, &noise, true)
            }
            _ => unreachable!("layer {layer} comes back once, after it went there"),
        };
        let Tape { weights, input, output } = tape;
        let device = slope.device();
        let mut tape = (output * slope.autodiff()).sum().backward();
        self.kept[at] = Kept::Gradient(weights.gradients(&mut tape, &device).collect());
        // An input that the output does not depend on has no gradient on the tape.
        self.flow =
            wanted.then(|| input.grad_remove(&mut tape).unwrap_or_else(|| Tensor::zeros(input.dims(), &device)));
    }

    fn input_slope(&mut self) -> Tensor<2> {
        self.take()
    }

    fn backward_weight(&mut self, layer: usize) -> model::Pieces {
        match std::mem::replace(&mut self.kept[layer - self.first], Kept::Nothing) {
            Kept::Gradient(pieces) => pieces.into(),
            _ => unreachable!("the gradient of layer {layer} comes after that of its input"),
        }
    }
}
