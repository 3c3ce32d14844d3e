//! What passes of layers cost here, in the shapes and with the rows that a rank has of them, and the optimizer's step.
//!
//! A rank goes through all of its layers before it meets one again, and each has 4 MiB of weights, gradients and what it keeps of a
//! micro-batch beside that. So as many layers as a rank has take turns here, each with weights of its own, and nothing is let go before
//! the way back is over: what no cache holds in a training is in none here.

use std::collections::HashMap;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use recspeed_parallel::model::{Dense, Kept, Layer as Computes, Noise, Weights};
use recspeed_parallel::training::Rule;
use recspeed_plan::dense::{Speed, mlp, shared};
use recspeed_plan::simulate::Link;
use recspeed_plan::{Duration, Layer};

use crate::network::{DEPTH, Shape, WIDTH, draws, first_numbers, layer, matrix, median, row, rows, shape, widths};

/// How often a rank's layers are gone through, there and back.
pub(crate) const REPEATS: usize = 7;
/// Numbers that the optimizer moves while its step is measured, as of sixteen layers: no cache holds them. And how often.
pub(crate) const MOVED: usize = 16 * WIDTH * (WIDTH + 1);
pub(crate) const UPDATES: usize = 9;

/// Microseconds forward, of the gradient of the input, and of the gradients of the parameters, by shape.
type Passes = HashMap<Shape, [f64; 3]>;

/// Microseconds in which Adam moves a number.
fn measured_update(device: &Device) -> f64 {
    let (rule, mut numbers, mut moments) = (Rule::adam(0.0), row(draws(1, MOVED, 1.0), device), None);
    let mut times = Vec::new();
    for repeat in 0..=UPDATES {
        let gradient = row(draws(2 + repeat as u64, MOVED, 1.0), device);
        let begun = Instant::now();
        (numbers, moments) = rule.step(1e-3, numbers, gradient, moments);
        // The first step makes the moments.
        if repeat > 0 {
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    std::hint::black_box((numbers, moments));
    median(times) / MOVED as f64
}

/// A layer that takes its turn.
struct Own {
    shape: Shape,
    layer: Dense,
    weights: Weights,
}

/// What one rank's layers cost where `stages` cut them and `tensor` ranks share each: the layers of a stage, with the first and the last
/// one of the network.
fn measured((stages, tensor): (usize, usize), device: &Device) -> Passes {
    let rows = rows(stages, tensor);
    let own = |at: usize| {
        let (shape, layer) = (shape(at, tensor), layer(shape(at, tensor)));
        Own { shape, layer, weights: row(first_numbers(at as u64, &layer), device).into() }
    };
    let layers: Vec<Own> = (0..DEPTH / stages).chain([DEPTH]).map(own).collect();
    // What enters where nothing fits that the layer before has put out, which other ranks would have added to or cut.
    let widths = layers.iter().flat_map(|own| [own.shape.0, own.shape.1]);
    let given: HashMap<usize, Tensor<2>> = widths.map(|width| (width, matrix(3, [rows, width], device))).collect();
    let fitting = |flow: Option<Tensor<2>>, width: usize| {
        flow.filter(|flow| flow.dims()[1] == width).unwrap_or_else(|| given[&width].clone())
    };
    let mut times: HashMap<Shape, [Vec<f64>; 3]> = HashMap::new();
    for repeat in 0..=REPEATS {
        let mut note = |shape: Shape, pass: usize, begun: Instant| {
            let took = begun.elapsed().as_secs_f64() * 1e6;
            if repeat > 0 {
                times.entry(shape).or_default()[pass].push(took);
            }
        };
        let (mut flow, mut kept, mut gradients) = (None, Vec::new(), Vec::new());
        for Own { shape, layer, weights } in &layers {
            let (input, mut keeps) = (fitting(flow.take(), shape.0), Kept::new());
            let begun = Instant::now();
            let output = layer.forward(weights.clone(), input, &Noise::silent(), &mut keeps);
            note(*shape, 0, begun);
            flow = Some(output);
            kept.push(keeps);
        }
        flow = None;
        for (Own { shape, layer, weights }, mut keeps) in layers.iter().zip(kept).rev() {
            let slope = fitting(flow.take(), shape.1);
            let begun = Instant::now();
            flow = layer.backward_input(weights.clone(), &mut keeps, slope, true);
            note(*shape, 1, begun);
            let begun = Instant::now();
            gradients.push(layer.backward_weight(&mut keeps));
            note(*shape, 2, begun);
        }
        std::hint::black_box((flow, gradients));
    }
    times.into_iter().map(|(shape, passes)| (shape, passes.map(median))).collect()
}

/// What is known of costs here. A pass over few rows is as long as reading and writing the weights takes: a part of a layer costs what it
/// costs, not its share of the whole.
pub(crate) struct Costs {
    device: Device,
    /// By stages, and ranks that share each layer.
    known: HashMap<(usize, usize), Passes>,
    /// Microseconds in which the optimizer moves a number.
    pub(crate) update_us: f64,
}

impl Costs {
    pub(crate) fn new() -> Self {
        let device = Device::flex();
        Self { known: HashMap::new(), update_us: measured_update(&device), device }
    }

    /// What passes of a layer of this shape cost a rank with so many stages beside it, and ranks that share each layer.
    pub(crate) fn of(&mut self, used: (usize, usize), shape: Shape) -> [f64; 3] {
        let device = &self.device;
        self.known.entry(used).or_insert_with(|| measured(used, device))[&shape]
    }

    /// What one rank has of the whole network.
    pub(crate) fn layers(&mut self, used: (usize, usize), link: Link) -> Vec<Layer> {
        let (_, tensor) = used;
        let counted: Vec<u64> = widths().into_iter().map(|width| width as u64).collect();
        let mut layers = shared(&mlp(&counted, Speed::of_gflops(1.0)), tensor, link);
        for (at, layer) in layers.iter_mut().enumerate() {
            let [forward, input, weight] = self.of(used, shape(at, tensor)).map(Duration::fixed);
            layer.forward = forward.plus(layer.exchanged.forward_time);
            layer.backward_input = input.plus(layer.exchanged.backward_time);
            layer.backward_weight = weight;
        }
        layers
    }
}
