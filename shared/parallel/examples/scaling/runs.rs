//! The same training for real, with ranks that are threads of this process: what the plan of as many ranks is held against.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Dense, Layer, Sequential, StepNoise};
use recspeed_parallel::training::{Judged, Learning, Matrix, Rank, Rule, Saved, Strategy, TrainError};
use recspeed_parallel::{
    Chain, ChainEnd, CommError, Communicator, Message, Operation, Tag, Transport, Waiting, Why, at_once,
};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Layout, Partition, Recompute, ScheduleKind};

use crate::network::{DEPTH, INPUTS, ROWS, draws, first_numbers, layer, matrix, median, micro_batches, shape};

/// Steps whose median is told; one before them makes the moments.
pub(crate) const STEPS: usize = 5;
/// How long a rank waits for another one.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who sent it, what it is about, and it.
type Letter = (usize, Tag, Message);

/// A rank that is a thread.
struct Threads {
    rank: usize,
    to: Vec<Sender<Letter>>,
    letters: Receiver<Letter>,
    /// What came before it was asked for.
    early: RefCell<HashMap<(usize, Tag), VecDeque<Message>>>,
}

impl Transport for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.to.len()
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        // Whoever waits for one that has ended hears of it.
        let _ = self.to[to].send((self.rank, tag, message));
        Ok(())
    }

    async fn recv(&self, from: usize, tag: Tag, last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        loop {
            let early = self.early.borrow_mut().get_mut(&(from, tag)).and_then(VecDeque::pop_front);
            if let Some(message) = early {
                return Ok(message);
            }
            let Ok((sender, about, message)) = self.letters.recv_timeout(PATIENCE) else {
                let waiting = Waiting { rank: self.rank, from, tag };
                let end = ChainEnd::Rank { rank: from, why: Why::Busy, last: None };
                let chain = Box::new(Chain { waits: Vec::new(), end });
                return Err(CommError::Timeout { waiting, seconds: PATIENCE.as_secs(), last: last(), chain });
            };
            self.early.borrow_mut().entry((sender, about)).or_default().push_back(message);
        }
    }

    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.recv(from, tag, last).await
    }
}

/// Mean squared error, and its slope.
fn judged(scores: Tensor<2>, truth: &[f32]) -> Judged {
    let rows = truth.len();
    let truth: Tensor<2> = Tensor::from_data(TensorData::new(truth.to_vec(), [rows, 1]), &scores.device());
    let error = scores - truth;
    let value = f64::from(error.clone().square().mean().into_scalar::<f32>());
    Judged { value, slope: error * (2.0 / rows as f32), rows: Vec::new() }
}

/// Microseconds of each step of a rank, the first one left out.
fn one_rank(
    transport: Threads,
    model: &Sequential,
    strategy: &Strategy,
    saved: &Saved,
) -> Result<Vec<f64>, TrainError> {
    let (device, communicator) = (Device::flex(), Communicator::new(transport));
    let rows = ROWS * communicator.ranks();
    let (input, truth) = (matrix(5, [rows, INPUTS], &device), draws(6, rows, 1.0));
    let learning = Learning { rule: Rule::adam(0.0), rate: 1e-6, clip: None };
    let mut rank = Rank::new(model, strategy.clone(), communicator, learning, saved, &device)?;
    let mut times = Vec::new();
    for step in 0..=STEPS {
        let batch = Matrix {
            model,
            input: &input,
            noise: StepNoise { seed: 1, stream: step as u64 },
            judge: Box::new(|scores, rows| judged(scores, &truth[rows])),
        };
        let begun = Instant::now();
        at_once(rank.step(&batch))?;
        if step > 0 {
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    Ok(times)
}

/// Microseconds of a step of so many ranks, used so, with these layers in each stage: the median over steps of the slowest rank's.
pub(crate) fn step_us(
    ranks: usize,
    (stages, tensor, level): (usize, usize, ShardLevel),
    partition: &Partition,
) -> Result<f64, Box<dyn std::error::Error>> {
    let whole: Vec<Dense> = (0..=DEPTH).map(|at| layer(shape(at, 1))).collect();
    let model = |part: usize| {
        if tensor > 1 {
            return Sequential::shared(&whole, part, tensor);
        }
        Ok(Sequential::new(whole.iter().map(|&layer| -> Box<dyn Layer> { Box::new(layer) }).collect()))
    };
    let models = (0..tensor).map(model).collect::<Result<Vec<_>, _>>()?;
    let numbers: Vec<f32> = whole.iter().enumerate().flat_map(|(at, layer)| first_numbers(at as u64, layer)).collect();
    let saved = Saved { numbers, moments: None };
    let strategy = Strategy {
        layout: Layout::new(ranks, stages, tensor)?,
        schedule: ScheduleKind::OneForwardOneBackward,
        micro_batches: micro_batches(stages),
        chunks: 1,
        partition: partition.clone(),
        recompute: Recompute::Never,
        level,
        offload: false,
    };
    let (to, letters): (Vec<_>, Vec<_>) = (0..ranks).map(|_| mpsc::channel()).unzip();
    let (models, strategy, saved) = (&models, &strategy, &saved);
    let times = thread::scope(|scope| {
        let mut started = Vec::new();
        for (rank, letters) in letters.into_iter().enumerate() {
            let transport = Threads { rank, to: to.clone(), letters, early: RefCell::default() };
            let model = &models[strategy.layout.place(rank).tensor];
            let train = move || one_rank(transport, model, strategy, saved).map_err(|error| error.to_string());
            started.push(scope.spawn(train));
        }
        let ended = started.into_iter().map(|rank| rank.join().unwrap_or_else(|_| Err("a rank panicked".to_owned())));
        ended.collect::<Result<Vec<Vec<f64>>, String>>()
    })?;
    let slowest = |step: usize| times.iter().map(|times| times[step]).fold(0.0, f64::max);
    Ok(median((0..STEPS).map(slowest).collect()))
}
