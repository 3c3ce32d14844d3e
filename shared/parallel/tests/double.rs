//! The law in f64: every strategy computes the update of one device to ten digits, so that what separates them in f32 is rounding.
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
use recspeed_parallel::model::{Dense, Layer, Noise, Sequential, StepNoise};
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

/// Hidden layers of these widths, and one score.
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
    batches: Vec<usize>,
    learning: Learning,
}

impl Course {
    fn start(&self) -> Vec<f64> {
        let count = layers(&self.widths).iter().map(Layer::parameters).sum();
        draws(7, count).iter().map(|x| 0.5 * x).collect()
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
                x = x + leaf.clone().narrow(0, at, width).reshape([1, width]);
                at += width;
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
        let (layout, all) = (strategy.layout, layers(&self.widths));
        let model = |part| match layout.tensor() {
            1 => Sequential::new(all.iter().map(|&layer| -> Box<dyn Layer> { Box::new(layer) }).collect()),
            parts => Sequential::shared(&all, part, parts).expect("wide enough"),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn every_strategy_computes_the_update_of_one_device_to_ten_digits(
        widths in prop::collection::vec(3..8_usize, 2..6),
        batches in prop::collection::vec(1..17_usize, 1..4),
        (stages, replicas, tensor) in (1..4_usize, 1..4_usize, 1..4_usize),
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        always: bool,
        adam: bool,
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let rule = if adam { Rule::adam(0.01) } else { Rule::sgd(0.01) };
        let course = Course { widths, batches, learning: Learning { rule, rate: 0.01, clip } };
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
            recompute: if always { Recompute::Always } else { Recompute::Never },
            level,
            offload: false,
        };
        let (ours, expected) = (course.divided(&strategy), course.one_device());
        prop_assert_eq!(ours.len(), expected.len());
        for (at, (a, b)) in ours.iter().zip(&expected).enumerate() {
            prop_assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "number {}: {} against {}", at, a, b);
        }
    }
}
