//! The bubble that ranks measure beside the one that is simulated. Their layers sleep for as long as they are to take: sleeping needs no
//! core, so that what is measured is the order of the ranks and how they wait for each other, not how busy the machine is.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Kept, Layer, LayerSizes as _, Noise, Pieces, Sequential, StepNoise, Weights};
use recspeed_parallel::training::{Done, Judged, Learning, Matrix, Rank, Rule, Saved, Strategy};
use recspeed_parallel::{AnyTransport, Communicator, Crew as _, RankFailure, Task};
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::simulate::Costs;
use recspeed_plan::timeline::{bars_of_events, bubble_of};
use recspeed_plan::{Layout, Partition, Recompute, Schedule, ScheduleKind, simulate};
use recspeed_types::{EventKind, RunEvent, RunId};

use crate::threads::Threads;

/// Of a forward pass, and of each half of a backward pass: a tenth of the smallest bubble, two such passes, is ten milliseconds.
const PASS: Duration = Duration::from_millis(50);
const RANKS: usize = 3;
const MICRO_BATCHES: usize = 4;
/// The median of three steps counts, after one that warms up.
const STEPS: usize = 4;
const WIDTH: usize = 2;

/// A layer that takes its time and computes nothing: it puts out so many noughts.
struct Sleeper(usize);

fn noughts(like: &Tensor<2>, columns: usize) -> Tensor<2> {
    Tensor::zeros([like.dims()[0], columns], &like.device())
}

impl Layer for Sleeper {
    fn inputs(&self) -> usize {
        WIDTH
    }

    fn outputs(&self) -> usize {
        self.0
    }

    fn parameters(&self) -> usize {
        1
    }

    fn kept(&self) -> usize {
        0
    }

    fn forward(&self, _: Weights, input: Tensor<2>, _: &Noise, _: &mut Kept) -> Tensor<2> {
        sleep(PASS);
        noughts(&input, self.0)
    }

    fn backward_input(&self, _: Weights, _: &mut Kept, slope: Tensor<2>, wanted: bool) -> Option<Tensor<2>> {
        sleep(PASS);
        wanted.then(|| noughts(&slope, WIDTH))
    }

    fn backward_weight(&self, _: &mut Kept) -> Pieces {
        sleep(PASS);
        Pieces::from_iter([Tensor::zeros([1], &Device::flex())])
    }
}

/// One layer a stage.
fn model(stages: usize) -> Sequential {
    let outputs = |at: usize| if at + 1 == stages { 1 } else { WIDTH };
    Sequential::new((0..stages).map(|at| -> Box<dyn Layer> { Box::new(Sleeper(outputs(at))) }).collect())
}

/// What ranks did in each step: the step, the rank, its instructions.
type Told = Arc<Mutex<Vec<(usize, usize, Vec<Done>)>>>;

async fn one_rank(
    (schedule, chunks): (ScheduleKind, usize),
    model: Arc<Sequential>,
    told: Told,
    communicator: Communicator<AnyTransport>,
) -> Result<(), RankFailure> {
    let strategy = Strategy {
        layout: Layout::new(RANKS, RANKS, 1).expect("a place for each rank"),
        schedule,
        micro_batches: MICRO_BATCHES,
        chunks,
        partition: Partition::by_hand(RANKS * chunks, &vec![1; RANKS * chunks]).expect("a layer for each stage"),
        recompute: Recompute::Never,
        level: ShardLevel::DataParallel,
        offload: false,
    };
    let (at, device) = (communicator.rank(), Device::flex());
    let count = model.parameters().iter().sum();
    let saved = Saved { numbers: vec![0.5_f32; count], moments: None };
    let learning = Learning { rule: Rule::sgd(0.0), rate: 0.01, clip: None };
    let mut rank = Rank::new(&*model, strategy, communicator, learning, &saved, &device).expect("it is possible");
    let input =
        Tensor::from_data(TensorData::new(vec![1.0_f32; MICRO_BATCHES * WIDTH], [MICRO_BATCHES, WIDTH]), &device);
    for step in 0..STEPS {
        let batch = Matrix {
            model: &*model,
            input: &input,
            noise: StepNoise { seed: 1, stream: step as u64 },
            judge: Box::new(|scores, _| Judged { value: 0.0, slope: scores, rows: Vec::new() }),
        };
        rank.note_timeline(true);
        rank.step(&batch).await.expect("it learns");
        let done = rank.note_timeline(false).done;
        told.lock().unwrap_or_else(PoisonError::into_inner).push((step, at, done));
    }
    Ok(())
}

/// The bubble of a step, as a run's events tell it.
fn measured(told: &[(usize, usize, Vec<Done>)], step: usize) -> f64 {
    let mut events = Vec::new();
    for (_, rank, done) in told.iter().filter(|(of, _, _)| *of == step) {
        for done in done {
            let Some(name) = done.instruction.span_name() else { continue };
            let (start_us, duration_us) = (done.start_us, done.end_us - done.start_us);
            let (rank, lane) = (*rank as u32, "0".to_owned());
            let (bytes, waited_us, exchange) = (done.sent_bytes, done.waited_us, None);
            let kind = EventKind::Span { rank, lane, name, start_us, duration_us, bytes, waited_us, exchange };
            events.push(RunEvent { run: RunId::new("r").expect("a name"), seq: events.len() as u64, at_us: 0, kind });
        }
    }
    bubble_of(&bars_of_events(&events)).expect("every rank has passes")
}

fn simulated(schedule: ScheduleKind, chunks: usize) -> f64 {
    let costs = Costs::uniform(RANKS * chunks, MICRO_BATCHES, PASS.as_micros() as f64);
    let schedule = Schedule::new(schedule, RANKS, MICRO_BATCHES, chunks).expect("it is possible");
    simulate(&schedule, &costs).expect("costs of as many stages").bubble()
}

fn run(
    threads: &Threads,
    task: impl Fn(Communicator<AnyTransport>) -> Task<'static> + Sync,
) -> Result<(), RankFailure> {
    threads.run(RANKS, Box::new(|communicator| task(communicator)), &|communicator| task(communicator))
}

/// `chunks`: stages a rank.
fn holds(schedule: ScheduleKind, chunks: usize) {
    let start = Instant::now();
    let threads = Threads {
        timeout: Duration::from_mins(1),
        clock: Arc::new(move || start.elapsed().as_micros() as u64),
        gpus: false,
        warn: Box::new(|message| panic!("warned: {message}")),
        abandon: Box::new(|failure| panic!("abandoned: {failure}")),
    };
    let (model, told) = (Arc::new(model(RANKS * chunks)), Told::default());
    let task = |communicator: Communicator<AnyTransport>| -> Task<'static> {
        Box::pin(one_rank((schedule, chunks), model.clone(), told.clone(), communicator))
    };
    run(&threads, task).expect("all ranks train");
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let mut bubbles: Vec<f64> = (1..STEPS).map(|step| measured(&told, step)).collect();
    bubbles.sort_by(f64::total_cmp);
    let (ours, plan) = (bubbles[bubbles.len() / 2], simulated(schedule, chunks));
    assert!(plan > 0.1, "{}: a bubble of {plan} is none to be measured", schedule.as_str());
    assert!((ours - plan).abs() <= 0.1 * plan, "{}: {bubbles:?} measured, {plan} simulated", schedule.as_str());
}

// A test each: they sleep side by side.

#[test]
fn gpipe_has_the_bubble_that_is_simulated() {
    holds(ScheduleKind::Gpipe, 1);
}

#[test]
fn one_forward_one_backward_has_the_bubble_that_is_simulated() {
    holds(ScheduleKind::OneForwardOneBackward, 1);
}

#[test]
fn zb_h1_has_the_bubble_that_is_simulated() {
    holds(ScheduleKind::ZeroBubbleH1, 1);
}

#[test]
fn two_stages_a_rank_have_the_bubble_that_is_simulated() {
    holds(ScheduleKind::Interleaved, 2);
}
