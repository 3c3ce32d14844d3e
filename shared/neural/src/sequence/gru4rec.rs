//! GRU4Rec (Hidasi et al. 2016, arXiv:1511.06939): a recurrent network that reads one item after another.

use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::{Device, Int, Tensor};

use super::draws::indices;
use super::encoder::{Batch, Drops, Encoder};
use super::history::newest;
use super::transformer::dense;
use crate::training::layout::{Initial, Layout, Linear, TableId};
use crate::training::network::Weights;

/// The shape of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    pub(crate) items: usize,
    /// Numbers of an item's vector.
    pub(crate) d: usize,
    /// Numbers of the state.
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    /// Items of a history that count.
    pub(crate) length: usize,
    pub(crate) dropout: f32,
}

/// The network.
#[derive(Clone)]
pub(crate) struct Gru4Rec {
    shape: Shape,
    layout: Layout,
    items: TableId,
    layers: Vec<Cell>,
    output: Linear,
}

/// A gated recurrent unit (Cho et al. 2014) as PyTorch computes it: the reset gate comes after the product with the state.
/// Columns: reset, update, candidate.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// `[inputs, 3 hidden]`
    of_input: Linear,
    /// `[hidden, 3 hidden]`
    of_state: Linear,
    hidden: usize,
}

/// Sequences moment by moment: the first items of all, then the second ones of those that have one, and so on, the longest
/// sequence first. No moment computes a sequence that is over.
pub(crate) struct Input {
    /// Sequences at each moment, descending.
    active: Vec<usize>,
    /// Places whose vectors are wanted; `None` for all in their order.
    asked: Option<Tensor<1, Int>>,
}

/// Sequences in the order of [`Input`].
struct Moments {
    active: Vec<usize>,
    /// The item of each place.
    items: Vec<u32>,
    /// The sequence, and which of its items; for each place.
    places: Vec<(usize, usize)>,
}

impl Moments {
    fn of(sequences: &[&[u32]]) -> Self {
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&index| std::cmp::Reverse(sequences[index].len()));
        let longest = order.first().map_or(0, |&index| sequences[index].len());
        let (mut active, mut places) = (Vec::with_capacity(longest), Vec::new());
        for moment in 0..longest {
            let still = order.iter().take_while(|&&index| sequences[index].len() > moment);
            let before = places.len();
            places.extend(still.map(|&index| (index, moment)));
            active.push(places.len() - before);
        }
        let items = places.iter().map(|&(index, moment)| sequences[index][moment]).collect();
        Self { active, items, places }
    }
}

impl Gru4Rec {
    pub(crate) fn new(shape: Shape) -> Self {
        let mut layout = Layout::default();
        let Shape { items, d, hidden, .. } = shape;
        let table = layout.table("items", items, d, Initial::glorot(items, d));
        let cell = |index: usize| {
            let inputs = if index == 0 { d } else { hidden };
            // PyTorch's bound for both products is that of the state.
            let mut part = |name: &str, inputs: usize| {
                let initial = Initial::linear(hidden);
                let weight = layout.dense(format!("layer{index}.{name}.weight"), &[inputs, 3 * hidden], initial);
                let bias = layout.dense(format!("layer{index}.{name}.bias"), &[3 * hidden], initial);
                Linear { weight, bias, inputs, outputs: 3 * hidden }
            };
            Cell { of_input: part("input", inputs), of_state: part("state", hidden), hidden }
        };
        let layers = (0..shape.layers).map(cell).collect();
        let output = dense(&mut layout, "output", hidden, d);
        Self { shape, layout, items: table, layers, output }
    }
}

impl Cell {
    /// The states after each item.
    ///
    /// # Shapes
    /// - `x`: `[places, inputs]`
    /// - returns: `[places, hidden]`
    fn run(&self, weights: &Weights, x: Tensor<2>, active: &[usize]) -> Tensor<2> {
        let h = self.hidden;
        let of_input = weights.linear(self.of_input, x);
        let mut state = Tensor::zeros([active.first().copied().unwrap_or(0), h], &of_input.device());
        let mut states = Vec::with_capacity(active.len());
        let mut start = 0;
        for &sequences in active {
            let of_input = of_input.clone().slice([start..start + sequences, 0..3 * h]);
            let before = if state.dims()[0] == sequences { state } else { state.slice([0..sequences, 0..h]) };
            let of_state = weights.linear(self.of_state, before.clone());
            let part = |x: &Tensor<2>, index: usize| x.clone().slice([0..sequences, index * h..(index + 1) * h]);
            let gates = sigmoid(
                of_input.clone().slice([0..sequences, 0..2 * h]) + of_state.clone().slice([0..sequences, 0..2 * h]),
            );
            let candidate = tanh(part(&of_input, 2) + part(&gates, 0) * part(&of_state, 2));
            state = candidate.clone() + part(&gates, 1) * (before - candidate);
            states.push(state.clone());
            start += sequences;
        }
        Tensor::cat(states, 0)
    }
}

impl Encoder for Gru4Rec {
    type Input = Input;

    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn items(&self) -> TableId {
        self.items
    }

    fn n_items(&self) -> usize {
        self.shape.items
    }

    fn lesson(&self, _: &[u32], sequences: &[&[u32]], _: (u64, u64), _: &Device) -> Batch<Input> {
        let whole: Vec<&[u32]> = sequences.iter().map(|items| newest(items, self.shape.length + 1)).collect();
        let inputs: Vec<&[u32]> = whole.iter().map(|items| &items[..items.len() - 1]).collect();
        let Moments { active, items, places } = Moments::of(&inputs);
        let targets = places.iter().map(|&(index, moment)| whole[index][moment + 1]).collect();
        let askers = places.iter().map(|&(index, _)| index as u32).collect();
        Batch { input: Input { active, asked: None }, look_ups: vec![items], targets, askers }
    }

    fn question(&self, _: &[u32], histories: &[&[u32]], device: &Device) -> Batch<Input> {
        let inputs: Vec<&[u32]> = histories.iter().map(|items| newest(items, self.shape.length)).collect();
        let Moments { active, items, places } = Moments::of(&inputs);
        let mut last = vec![0; histories.len()];
        for (place, &(index, moment)) in places.iter().enumerate() {
            if moment + 1 == inputs[index].len() {
                last[index] = place as u32;
            }
        }
        let input = Input { active, asked: Some(indices(&last, device)) };
        Batch { input, look_ups: vec![items], targets: Vec::new(), askers: Vec::new() }
    }

    fn encode(&self, weights: &Weights, input: &Input, drops: &mut Drops<'_>) -> Tensor<2> {
        let places = input.active.iter().sum::<usize>();
        let x = drops.apply(weights.rows(self.items).slice([0..places, 0..self.shape.d]));
        let x = self.layers.iter().fold(x, |x, cell| cell.run(weights, x, &input.active));
        let x = match &input.asked {
            Some(asked) => x.select(0, asked.clone()),
            None => x,
        };
        weights.linear(self.output, x)
    }

    fn dropout(&self) -> f32 {
        self.shape.dropout
    }

    fn length(&self) -> usize {
        self.shape.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::training::rows::LookUp;
    use crate::training::saved::{Parameters, numbers};

    #[test]
    fn a_step_is_that_of_the_formulas() {
        let shape = Shape { items: 4, d: 2, hidden: 3, layers: 1, length: 9, dropout: 0.0 };
        let network = Gru4Rec::new(shape);
        let device = NeuralDevice::flex().plain();
        let parameters = Parameters::initial(&network.layout, 7, &device);
        let flat = numbers(&parameters.flat);
        let of = |name: &str| {
            let parameter = network.layout.parameters().iter().find(|p| p.name == name).unwrap();
            flat[parameter.range.clone()].to_vec()
        };
        let (wi, bi) = (of("layer0.input.weight"), of("layer0.input.bias"));
        let (ws, bs) = (of("layer0.state.weight"), of("layer0.state.bias"));
        let sigma = |x: f32| 1.0 / (1.0 + (-x).exp());
        let sequences: [&[u32]; 3] = [&[1, 2], &[3, 0, 1, 1], &[2]];
        let state = |sequence: &[u32]| {
            let mut h = vec![0.0f32; 3];
            for &item in sequence {
                let x = &parameters.tables[0][item as usize * 2..][..2];
                let a: Vec<f32> = (0..9).map(|c| bi[c] + (0..2).map(|k| x[k] * wi[k * 9 + c]).sum::<f32>()).collect();
                let b: Vec<f32> = (0..9).map(|c| bs[c] + (0..3).map(|k| h[k] * ws[k * 9 + c]).sum::<f32>()).collect();
                h = (0..3)
                    .map(|j| {
                        let (r, z) = (sigma(a[j] + b[j]), sigma(a[3 + j] + b[3 + j]));
                        (1.0 - z) * (a[6 + j] + r * b[6 + j]).tanh() + z * h[j]
                    })
                    .collect();
            }
            h
        };
        let batch = network.question(&[0, 1, 2], &sequences, &device);
        let look_ups: Vec<LookUp> = batch.look_ups.into_iter().map(LookUp::from).collect();
        let weights = parameters.weights(&network.layout, &look_ups, &device);
        let x = weights.rows(network.items);
        let states = network.layers[0].run(&weights, x, &batch.input.active);
        let last = numbers(&states.select(0, batch.input.asked.unwrap()));
        for (sequence, found) in sequences.iter().zip(last.chunks(3)) {
            for (found, expected) in found.iter().zip(state(sequence)) {
                assert!((found - expected).abs() < 1e-6, "{sequence:?}: {found} {expected}");
            }
        }
    }
}
