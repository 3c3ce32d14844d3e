//! The law in f64: every strategy computes the gradient and the updates of one device to ten digits, so that what
//! separates them in f32 is rounding. Tables are not here: they are kept in f32, whatever the device computes in.
//!
//! What a device computes in is a setting of the process, which is why this is a program of its own.

use std::future::Future;
use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use burn::tensor::activation::relu;
use burn::tensor::{Device, FloatDType, Tensor, TensorData};
use proptest::prelude::*;
use recspeed_parallel::local;
use recspeed_parallel::model::{Dense, Layer, LayerSizes as _, Noise, Sequential, StepNoise, Taped};
use recspeed_parallel::training::{Judged, Learning, Matrix, Rank, Rule, Saved, Strategy, TrainError};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Layout, Partition, Recompute, ScheduleKind};

const INPUTS: usize = 3;
const DROPOUT: f32 = 0.2;

/// Flex, which computes in f64 from the first tensor of the process on.
fn device() -> Device {
    static CONFIGURED: OnceLock<()> = OnceLock::new();
    CONFIGURED.get_or_init(|| Device::flex().configure(FloatDType::F64).expect("no tensor has been made yet"));
    Device::flex()
}

fn draws(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 11) as f64 / (1_u64 << 53) as f64).mul_add(2.0, -1.0)
    };
    (0..count).map(|_| next()).collect()
}

fn matrix(values: Vec<f64>, shape: [usize; 2]) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), &device())
}

/// A hidden layer without a bias, whose way back Burn's tape finds.
fn on_a_tape(inputs: usize, outputs: usize, place: usize) -> Box<dyn Layer> {
    let function = move |weights: Tensor<1>, x: Tensor<2>, noise: &Noise| {
        let output = relu(x.matmul(weights.reshape([inputs, outputs])));
        match noise.mask(place, outputs, DROPOUT, &device()) {
            Some(mask) => output * mask.transpose().autodiff(),
            None => output,
        }
    };
    Box::new(Taped::new((inputs, outputs), inputs * outputs, inputs + 3 * outputs, function))
}

/// Hidden layers of these widths without a tape, and one score.
fn layers(widths: &[usize]) -> Vec<Dense> {
    let (mut inputs, mut place) = (INPUTS, 0);
    let hidden = widths.iter().map(|&width| {
        let layer = Dense::hidden(std::mem::replace(&mut inputs, width), width, DROPOUT, place);
        place += width;
        layer
    });
    let mut layers: Vec<Dense> = hidden.collect();
    layers.push(Dense::linear(inputs, 1));
    layers
}

/// A training: widths of the hidden layers, rows of each batch.
#[derive(Debug, Clone)]
struct Course {
    widths: Vec<usize>,
    /// Whether every second hidden layer is on a tape.
    taped: bool,
    batches: Vec<usize>,
    learning: Learning,
}

impl Course {
    /// Whether this one of the hidden layers is.
    fn is_taped(&self, layer: usize) -> bool {
        self.taped && layer % 2 == 1
    }

    fn whole(&self) -> Sequential {
        let of = |(layer, (dense, place)): (usize, (Dense, usize))| -> Box<dyn Layer> {
            let hidden = layer < self.widths.len();
            let taped = hidden && self.is_taped(layer);
            if taped { on_a_tape(dense.inputs(), dense.outputs(), place) } else { Box::new(dense) }
        };
        let places = self.widths.iter().chain([&1]).scan(0, |place, width| {
            *place += width;
            Some(*place - width)
        });
        Sequential::new(layers(&self.widths).into_iter().zip(places).enumerate().map(of).collect())
    }

    fn start(&self) -> Vec<f64> {
        let count = self.whole().parameters().iter().sum();
        draws(7, count).iter().map(|x| 0.5 * x).collect()
    }

    /// Of all its batches the first, from which every number moves by its gradient, and by a clipped one as far as 1.
    fn one_gradient(&self) -> Self {
        let Learning { clip, .. } = self.learning;
        let learning = Learning { rule: Rule::sgd(0.0), rate: clip.map_or(1.0, f64::recip), clip };
        Self { batches: vec![self.batches[0]], learning, ..self.clone() }
    }

    fn noise(step: usize) -> StepNoise {
        StepNoise { seed: 5, stream: 1000 + step as u64 }
    }

    fn batch(step: usize, rows: usize) -> (Tensor<2>, Vec<f64>) {
        (matrix(draws(100 + step as u64, rows * INPUTS), [rows, INPUTS]), draws(200 + step as u64, rows))
    }

    /// The whole network on one tape, batches as a whole, the update on the whole row.
    fn one_device(&self) -> Vec<f64> {
        let start = self.start();
        let count = start.len();
        let mut numbers = Tensor::<1>::from_data(TensorData::new(start, [count]), &device());
        let mut moments = None;
        for (step, &rows) in self.batches.iter().enumerate() {
            let (input, truth) = Self::batch(step, rows);
            let leaf = numbers.clone().autodiff().require_grad();
            let noise = Noise::new(Self::noise(step), rows, 0..rows);
            let (mut x, mut at, mut inputs, mut place) = (input.autodiff(), 0, INPUTS, 0);
            for (layer, &width) in self.widths.iter().chain([&1]).enumerate() {
                x = x.matmul(leaf.clone().narrow(0, at, inputs * width).reshape([inputs, width]));
                at += inputs * width;
                if layer == self.widths.len() || !self.is_taped(layer) {
                    x = x + leaf.clone().narrow(0, at, width).reshape([1, width]);
                    at += width;
                }
                if layer < self.widths.len() {
                    x = relu(x);
                    if let Some(mask) = noise.mask(place, width, DROPOUT, &device()) {
                        x = x * mask.transpose().autodiff();
                    }
                    place += width;
                }
                inputs = width;
            }
            let error = x - matrix(truth, [rows, 1]).autodiff();
            let mut tape = error.square().mean().backward();
            let mut gradient = leaf.grad_remove(&mut tape).unwrap();
            if let Some(longest) = self.learning.clip {
                let norm = gradient.clone().square().sum().into_scalar::<f64>().sqrt();
                gradient = gradient.mul_scalar((longest / (norm + 1e-6)).min(1.0));
            }
            (numbers, moments) = self.learning.rule.step(self.learning.rate, numbers, gradient, moments);
        }
        numbers.into_data().try_to_vec::<f64>().expect("it is computed in f64")
    }

    fn divided(&self, strategy: &Strategy) -> Vec<f64> {
        let layout = strategy.layout;
        let model = |part| match layout.tensor() {
            1 => self.whole(),
            parts => Sequential::shared(&layers(&self.widths), part, parts).expect("wide enough"),
        };
        let models: Vec<Sequential> = (0..layout.tensor()).map(model).collect();
        let saved = Saved { numbers: self.start(), moments: None };
        let (models, saved) = (&models, &saved);
        let future = local::run(layout.ranks(), |communicator| async move {
            let model = &models[layout.place(communicator.rank()).tensor];
            let learning = self.learning.clone();
            let mut rank = Rank::new(model, strategy.clone(), communicator, learning, saved, &device())?;
            for (step, &rows) in self.batches.iter().enumerate() {
                let (input, truth) = Self::batch(step, rows);
                let judge = |scores: Tensor<2>, rows: std::ops::Range<usize>| {
                    let (count, truth) = (rows.len(), truth[rows].to_vec());
                    let error = scores - matrix(truth, [count, 1]);
                    let value = error.clone().square().mean().into_scalar::<f64>();
                    Judged { value, slope: error * (2.0 / count as f64), rows: Vec::new() }
                };
                rank.step(&Matrix { model, input: &input, noise: Self::noise(step), judge: Box::new(judge) }).await?;
            }
            assert!(rank.ledger().is_sound(), "an account is given back more than it holds: {:?}", rank.ledger());
            rank.parameters().await
        });
        let all: Result<Vec<Vec<f64>>, TrainError> = match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(all) => all,
            Poll::Pending => panic!("local ranks wait for nothing outside"),
        };
        let mut all = all.expect("the training ends");
        assert!(all.iter().all(|numbers| *numbers == all[0]), "all ranks hold the same");
        all.swap_remove(0)
    }
}

/// Every schedule with the stages that a rank can have: the interleaved one has several.
fn orders() -> Vec<(ScheduleKind, usize)> {
    let one = ScheduleKind::ALL.into_iter().map(|schedule| (schedule, 1));
    one.chain([2, 3].map(|chunks| (ScheduleKind::Interleaved, chunks))).collect()
}

/// To ten digits.
fn close(ours: &[f64], theirs: &[f64]) -> Result<(), String> {
    assert_eq!(ours.len(), theirs.len());
    match ours.iter().zip(theirs).position(|(a, b)| (a - b).abs() > 1e-10 * (1.0 + b.abs())) {
        None => Ok(()),
        Some(at) => Err(format!("number {at}: {} against {}", ours[at], theirs[at])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]

    #[test]
    fn every_strategy_computes_the_gradient_and_the_updates_of_one_device_to_ten_digits(
        widths in prop::collection::vec(3..8_usize, 2..6),
        batches in prop::collection::vec(1..17_usize, 1..4),
        (stages, replicas, tensor) in (1..4_usize, 1..4_usize, 1..4_usize),
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        (adam, taped, offload) in any::<(bool, bool, bool)>(),
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let rule = if adam { Rule::adam(0.01) } else { Rule::sgd(0.01) };
        // Layers on tapes are nobody's to share.
        let tensor = if taped { 1 } else { tensor };
        let course = Course { widths, taped, batches, learning: Learning { rule, rate: 0.01, clip } };
        let count = course.widths.len() + 1;
        let stages = stages.min(count);
        let chunks = chunks.min(count / stages).max(1);
        let parts = stages * chunks;
        let counts: Vec<usize> = (0..parts).map(|part| count / parts + usize::from(part < count % parts)).collect();
        let strategy = Strategy {
            layout: Layout::new(stages * replicas * tensor, stages, tensor).unwrap(),
            schedule,
            micro_batches,
            chunks,
            partition: Partition::by_hand(count, &counts).unwrap(),
            recompute,
            level,
            offload,
        };
        for (what, course) in [("gradient", course.one_gradient()), ("updates", course)] {
            let compared = close(&course.divided(&strategy), &course.one_device());
            prop_assert!(compared.is_ok(), "{what}: {compared:?}");
        }
    }
}
