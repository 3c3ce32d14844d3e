//! A small network, batches for it, and ranks that train it.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Dense, Layer, LayerSizes as _, Sequential, StepNoise, Taped};
use recspeed_parallel::training::{Account, Judged, Learning, Ledger, Matrix, Rank, Rule, Saved, Strategy, TrainError};
use recspeed_parallel::{Communicator, Counters, Transport, local};
use recspeed_plan::sharding::{OptimizerState, ShardLevel, Traffic};
use recspeed_plan::simulate::Link;
use recspeed_plan::{Balance, Layout, Partition, ProcessNeeds, Recompute, ScheduleKind};

pub(crate) const INPUTS: usize = 3;

/// Numbers in ±1 from a seed.
pub(crate) fn draws(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) as f32 / (1 << 24) as f32).mul_add(2.0, -1.0)
    };
    (0..count).map(|_| next()).collect()
}

/// Hidden layers of these widths, every third one on a tape, and one score.
pub(crate) fn network(widths: &[usize], dropout: f32) -> Sequential {
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    let (mut inputs, mut place) = (INPUTS, 0);
    for (at, &width) in widths.iter().enumerate() {
        if at % 3 == 2 {
            let taped = Taped::new((inputs, width), inputs * width, inputs + width, {
                move |weights: Tensor<1>, x: Tensor<2>, _: &_| relu(x.matmul(weights.reshape([inputs, width])))
            });
            layers.push(Box::new(taped));
        } else {
            layers.push(Box::new(Dense::hidden(inputs, width, dropout, place)));
            place += width;
        }
        inputs = width;
    }
    layers.push(Box::new(Dense::linear(inputs, 1)));
    Sequential::new(layers)
}

/// Hidden layers of these widths, all on tapes, which keep of a row three numbers of each unit beside the input, and
/// one score.
fn on_tapes(widths: &[usize], dropout: f32) -> Sequential {
    let mut layers: Vec<Box<dyn Layer>> = Vec::new();
    let (mut inputs, mut place) = (INPUTS, 0);
    for &width in widths {
        let (sees, first) = (inputs, place);
        let function = move |weights: Tensor<1>, x: Tensor<2>, noise: &recspeed_parallel::model::Noise| {
            let output = relu(x.matmul(weights.reshape([sees, width])));
            match noise.mask(first, width, dropout, &Device::flex()) {
                Some(mask) => output * mask.transpose(),
                None => output,
            }
        };
        layers.push(Box::new(Taped::new((sees, width), sees * width, sees + 3 * width, function)));
        (inputs, place) = (width, place + width);
    }
    layers.push(Box::new(Dense::linear(inputs, 1)));
    Sequential::new(layers)
}

/// Hidden layers of these widths without a tape, and one score.
fn dense(widths: &[usize], dropout: f32) -> Vec<Dense> {
    let (mut inputs, mut place) = (INPUTS, 0);
    let hidden = widths.iter().map(|&width| {
        let layer = Dense::hidden(std::mem::replace(&mut inputs, width), width, dropout, place);
        place += width;
        layer
    });
    let mut layers: Vec<Dense> = hidden.collect();
    layers.push(Dense::linear(inputs, 1));
    layers
}

pub(crate) fn start(model: &Sequential) -> Saved {
    let count = model.parameters().iter().sum();
    Saved { numbers: draws(7, count).iter().map(|x| 0.5 * x).collect(), moments: None }
}

pub(crate) struct Course {
    pub(crate) model: Sequential,
    /// Its parts, for ranks that share the layers.
    pub(crate) parts: Vec<Sequential>,
    /// Rows of each batch.
    pub(crate) batches: Vec<usize>,
    pub(crate) learning: Learning,
}

impl Course {
    pub(crate) fn new(widths: &[usize], dropout: f32, batches: &[usize]) -> Self {
        let learning = Learning { rule: Rule::adam(0.0), rate: 0.01, clip: None };
        Self { model: network(widths, dropout), parts: Vec::new(), batches: batches.to_vec(), learning }
    }

    /// With all hidden layers on tapes.
    pub(crate) fn on_tapes(widths: &[usize], dropout: f32, batches: &[usize]) -> Self {
        Self { model: on_tapes(widths, dropout), ..Self::new(widths, dropout, batches) }
    }

    /// Without a tape anywhere; `parts` ranks can share the layers.
    pub(crate) fn shared(widths: &[usize], dropout: f32, batches: &[usize], parts: usize) -> Self {
        let layers = dense(widths, dropout);
        let model = Sequential::new(layers.iter().map(|&layer| -> Box<dyn Layer> { Box::new(layer) }).collect());
        let parts = (0..parts).map(|part| Sequential::shared(&layers, part, parts).unwrap()).collect();
        Self { model, parts, ..Self::new(widths, dropout, batches) }
    }

    /// Of all its batches the first, from which every number moves by its gradient: plain descent at rate 1, without
    /// decay. At a rate of .01 a gradient that is wrong by 4e-3 moves a number by no more than rounding may. Where
    /// gradients are clipped, the longest that is allowed moves the numbers by 1: it is held as strictly.
    pub(crate) fn one_gradient(&mut self) {
        self.batches.truncate(1);
        self.learning.rule = Rule::sgd(0.0);
        self.learning.rate = self.learning.clip.map_or(1.0, f64::recip);
    }

    /// Plain descent, by which rounding stays rounding over several steps: Adam divides by the root of the second
    /// moment, so that the last bits of a gradient that is nearly nothing decide the sign of its step.
    pub(crate) fn descends(mut self) -> Self {
        self.learning = Learning { rule: Rule::sgd(0.001), rate: 0.1, clip: self.learning.clip };
        self
    }

    pub(crate) fn model(&self, strategy: &Strategy, rank: usize) -> &Sequential {
        let (layout, place) = (strategy.layout, strategy.layout.place(rank));
        if layout.tensor() == 1 { &self.model } else { &self.parts[place.tensor] }
    }
}

/// What became of a training.
#[derive(Debug, Clone)]
pub(crate) struct End {
    pub(crate) saved: Saved,
    pub(crate) losses: Vec<f64>,
    pub(crate) ledger: Ledger,
    /// What comes and goes that is held after the last step.
    pub(crate) left: u64,
    pub(crate) traffic: Traffic,
    pub(crate) counters: Counters,
}

pub(crate) fn rows_of(step: usize, rows: usize) -> (Vec<f32>, Vec<f32>) {
    (draws(100 + step as u64, rows * INPUTS), draws(200 + step as u64, rows))
}

pub(crate) fn tensor(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Mean squared error, and its slope.
pub(crate) fn squared(scores: Tensor<2>, truth: &[f32]) -> Judged {
    let rows = truth.len();
    let error = scores.clone() - tensor(truth.to_vec(), [rows, 1], &scores.device());
    let value = f64::from(error.clone().square().mean().into_scalar::<f32>());
    Judged { value, slope: error * (2.0 / rows as f32), rows: Vec::new() }
}

/// Trains with a strategy from `saved`, batches `first..`; what every rank says at the end.
pub(crate) fn train(course: &Course, strategy: &Strategy, saved: &Saved, first: usize) -> Result<Vec<End>, TrainError> {
    let future =
        local::run(strategy.layout.ranks(), |communicator| one_rank(course, strategy, saved, first, communicator));
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ends) => ends,
        Poll::Pending => panic!("local ranks wait for nothing outside"),
    }
}

/// One rank's part of such a training, whatever it talks through.
pub(crate) async fn one_rank<T: Transport>(
    course: &Course,
    strategy: &Strategy,
    saved: &Saved,
    first: usize,
    communicator: Communicator<T>,
) -> Result<End, TrainError> {
    let device = &Device::flex();
    let model = course.model(strategy, communicator.rank());
    let mut rank = Rank::new(model, strategy.clone(), communicator, course.learning.clone(), saved, device)?;
    let mut losses = Vec::new();
    for (step, &rows) in course.batches.iter().enumerate().skip(first) {
        let (input, truth) = rows_of(step, rows);
        let batch = Matrix {
            model,
            input: &tensor(input, [rows, INPUTS], device),
            noise: StepNoise { seed: 5, stream: 1000 + step as u64 },
            judge: Box::new(|scores, rows| squared(scores, &truth[rows])),
        };
        losses.push(rank.step(&batch).await?);
    }
    let (ledger, traffic, counters) = (*rank.ledger(), rank.traffic(), rank.communicator().counters());
    let left = [Account::Activations, Account::Transient, Account::Update].map(|account| ledger.held(account));
    let left: u64 = left.iter().sum();
    assert!(ledger.is_sound(), "an account is given back more than it holds: {ledger:?}");
    let (saved, first) = (rank.save().await?, rank.save_at_first().await?);
    assert_eq!(first.is_some(), rank.communicator().rank() == 0);
    assert!(first.is_none_or(|first| first == saved), "what comes to the first rank is what all have");
    Ok(End { saved, losses, ledger, left, traffic, counters })
}

#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) ranks: usize,
    pub(crate) stages: usize,
    pub(crate) tensor: usize,
    pub(crate) micro_batches: usize,
    pub(crate) schedule: ScheduleKind,
    pub(crate) chunks: usize,
    pub(crate) recompute: Recompute,
    pub(crate) level: ShardLevel,
    pub(crate) offload: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            ranks: 1,
            stages: 1,
            tensor: 1,
            micro_batches: 1,
            schedule: ScheduleKind::Gpipe,
            chunks: 1,
            recompute: Recompute::Never,
            level: ShardLevel::DataParallel,
            offload: false,
        }
    }
}

/// Every schedule with the stages that a rank can have: the interleaved one has several.
pub(crate) fn orders() -> Vec<(ScheduleKind, usize)> {
    let one = ScheduleKind::ALL.into_iter().map(|schedule| (schedule, 1));
    one.chain([2, 3].map(|chunks| (ScheduleKind::Interleaved, chunks))).collect()
}

impl Shape {
    /// With as many stages on a rank as these layers fill, the last one among them.
    pub(crate) fn with_chunks(self, chunks: usize, layers: usize) -> Self {
        Self { chunks: chunks.min(layers / self.stages).max(1), ..self }
    }

    pub(crate) fn strategy(&self, layers: usize) -> Strategy {
        let parts = self.stages * self.chunks;
        let counts: Vec<usize> = (0..parts).map(|part| layers / parts + usize::from(part < layers % parts)).collect();
        Strategy {
            layout: Layout::new(self.ranks, self.stages, self.tensor).unwrap(),
            schedule: self.schedule,
            micro_batches: self.micro_batches,
            chunks: self.chunks,
            partition: Partition::by_hand(layers, &counts).unwrap(),
            recompute: self.recompute,
            level: self.level,
            offload: self.offload,
        }
    }

    /// The plan of it, of layers that cost so much, with Adam; links and updates take no time.
    pub(crate) fn plan(&self, layers: Vec<recspeed_plan::Layer>, batch: usize) -> recspeed_plan::Strategy {
        recspeed_plan::Strategy {
            balance: Balance::ByHand(self.strategy(layers.len()).partition.counts()),
            layers,
            schedule: self.schedule,
            ranks: self.stages,
            chunks: self.chunks,
            batch,
            micro_batches: self.micro_batches,
            recompute: self.recompute,
            replicas: self.ranks / (self.stages * self.tensor),
            tensor: self.tensor,
            level: self.level,
            optimizer: OptimizerState::TwoMoments,
            offload: self.offload,
            link: Link::INSTANT,
            update_us: 0.0,
            beside: 0,
            tables_us: 0.0,
            memories: Vec::new(),
            needs: ProcessNeeds::default(),
        }
    }

    /// Trains from the beginning; all ranks agree about what they have learnt.
    pub(crate) fn train(&self, course: &Course) -> Vec<End> {
        let strategy = self.strategy(course.model.parameters().len());
        let ends = train(course, &strategy, &start(&course.model), 0).unwrap();
        for end in &ends {
            assert_eq!(bits(&end.saved), bits(&ends[0].saved), "replicas hold the same");
            assert_eq!(end.losses, ends[0].losses);
            assert_eq!(end.left, 0, "everything held for a batch is given back");
        }
        ends
    }
}

pub(crate) fn bits(saved: &Saved) -> Vec<u32> {
    let moments = saved.moments.iter().flat_map(|(_, moments)| moments.iter().flatten());
    saved.numbers.iter().chain(moments).map(|x| x.to_bits()).collect()
}

/// f32: rtol 1e-5, atol 4e-5.
pub(crate) fn close(ours: &[f32], theirs: &[f32]) -> Result<(), String> {
    assert_eq!(ours.len(), theirs.len());
    match ours.iter().zip(theirs).position(|(a, b)| (a - b).abs() > 4e-5 + 1e-5 * b.abs()) {
        None => Ok(()),
        Some(at) => Err(format!("number {at}: {} against {}", ours[at], theirs[at])),
    }
}

/// [`close`] of the gradients by which [`Course::one_gradient`] has moved these numbers from where they began.
pub(crate) fn same_gradient(began: &[f32], ours: &[f32], theirs: &[f32]) -> Result<(), String> {
    assert_eq!(began.len(), ours.len());
    let gone = |ends: &[f32]| began.iter().zip(ends).map(|(began, end)| began - end).collect::<Vec<f32>>();
    close(&gone(ours), &gone(theirs)).map_err(|what| format!("gradient: {what}"))
}

/// The whole network on one tape, batches as a whole, the update on the whole row: one device, without any of ours but the
/// optimizer's rule and the draws of dropout.
pub(crate) fn one_device(course: &Course, widths: &[usize], dropout: f32) -> Saved {
    use recspeed_parallel::model::Noise;
    let device = Device::flex();
    let row = |values: Vec<f32>| {
        let count = values.len();
        Tensor::<1>::from_data(TensorData::new(values, [count]), &device)
    };
    let mut numbers = row(start(&course.model).numbers);
    let mut moments = None;
    for (step, &rows) in course.batches.iter().enumerate() {
        let (input, truth) = rows_of(step, rows);
        let leaf = numbers.clone().autodiff().require_grad();
        let noise = Noise::new(StepNoise { seed: 5, stream: 1000 + step as u64 }, rows, 0..rows);
        let x = on_one_tape(tensor(input, [rows, INPUTS], &device).autodiff(), &leaf, (widths, dropout), &noise);
        let error = x - tensor(truth, [rows, 1], &device).autodiff();
        let mut tape = error.square().mean().backward();
        let mut gradient = leaf.grad_remove(&mut tape).unwrap();
        if let Some(longest) = course.learning.clip {
            let norm = f64::from(gradient.clone().square().sum().into_scalar::<f32>()).sqrt();
            gradient = gradient.mul_scalar((longest / (norm + 1e-6)).min(1.0) as f32);
        }
        (numbers, moments) = course.learning.rule.step(course.learning.rate, numbers, gradient, moments);
    }
    Saved { numbers: numbers.into_data().try_to_vec::<f32>().unwrap(), moments: None }
}

/// What the whole network computes of `x`, on one tape.
pub(crate) fn on_one_tape(
    mut x: Tensor<2>,
    leaf: &Tensor<1>,
    (widths, dropout): (&[usize], f32),
    noise: &recspeed_parallel::model::Noise,
) -> Tensor<2> {
    let (mut at, mut inputs, mut place) = (0, INPUTS, 0);
    for (layer, &width) in widths.iter().chain([&1]).enumerate() {
        let (hidden, taped) = (layer < widths.len(), layer % 3 == 2 && layer < widths.len());
        x = x.matmul(leaf.clone().narrow(0, at, inputs * width).reshape([inputs, width]));
        at += inputs * width;
        if !taped {
            x = x + leaf.clone().narrow(0, at, width).reshape([1, width]);
            at += width;
        }
        if hidden {
            x = relu(x);
        }
        if hidden && !taped {
            if let Some(mask) = noise.mask(place, width, dropout, &Device::flex()) {
                x = x * mask.transpose().autodiff();
            }
            place += width;
        }
        inputs = width;
    }
    x
}
