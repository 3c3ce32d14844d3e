//! What lies in memory while ranks train, as the allocator counts it: what no account can show.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Dense, Layer, LayerSizes as _, Noise, Sequential, StepNoise, Taped};
use recspeed_parallel::training::{Account, Judged, Learning, Matrix, Rank, Rule, Saved, Strategy, TrainError};
use recspeed_parallel::{at_once, local};
use recspeed_plan::sharding::{ROWS_OF_A_STEP, ShardLevel};
use recspeed_plan::{Layout, Partition, Recompute, ScheduleKind};

#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// It counts what all threads hold, so that the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

const WIDTH: usize = 256;
const LAYERS: usize = 6;
const RANKS: usize = 2;
const MICRO_BATCHES: usize = 8;
/// Bytes of a layer's numbers; those of a row of a batch are a 256th of it.
const LAYER: usize = 4 * WIDTH * WIDTH;

/// Layers on tapes that multiply.
fn network() -> Sequential {
    let layer = |_| -> Box<dyn Layer> {
        let product = |weights: Tensor<1>, x: Tensor<2>, _: &Noise| x.matmul(weights.reshape([WIDTH, WIDTH]));
        Box::new(Taped::new((WIDTH, WIDTH), WIDTH * WIDTH, 2 * WIDTH, product))
    };
    Sequential::new((0..LAYERS).map(layer).collect())
}

/// Ranks in so many stages with as many layers each, so many of which share each layer.
fn strategy([ranks, stages, tensor]: [usize; 3], level: ShardLevel, recompute: Recompute) -> Strategy {
    Strategy {
        layout: Layout::new(ranks, stages, tensor).expect("they divide the ranks"),
        schedule: ScheduleKind::Gpipe,
        micro_batches: MICRO_BATCHES,
        chunks: 1,
        partition: Partition::by_hand(LAYERS, &vec![LAYERS / stages; stages]).expect("they divide the layers"),
        recompute,
        level,
        offload: false,
    }
}

/// The most bytes that two steps of ranks with divided parameters take.
fn taken(recompute: Recompute) -> usize {
    let (model, device) = (network(), Device::flex());
    let strategy = strategy([RANKS, 1, 1], ShardLevel::Parameters, recompute);
    let saved = Saved { numbers: vec![0.01_f32; model.parameters().iter().sum()], moments: None };
    let rows = RANKS * MICRO_BATCHES;
    let input = Tensor::<2>::from_data(TensorData::new(vec![0.1_f32; rows * WIDTH], [rows, WIDTH]), &device);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let trained = at_once(local::run(RANKS, |communicator| {
        let (model, saved, input, device, strategy) = (&model, &saved, &input, &device, strategy.clone());
        async move {
            let learning = Learning { rule: Rule::sgd(0.0), rate: 0.01, clip: None };
            let mut rank = Rank::new(model, strategy, communicator, learning, saved, device)?;
            for stream in 0..2 {
                let batch = Matrix {
                    model,
                    input,
                    noise: StepNoise { seed: 1, stream },
                    judge: Box::new(|scores, _| Judged { value: 0.0, slope: scores, rows: Vec::new() }),
                };
                rank.step(&batch).await?;
            }
            Ok::<(), TrainError>(())
        }
    }));
    trained.expect("they train");
    ALLOCATED.peak_usage() - before
}

#[test]
fn no_layer_on_a_tape_keeps_numbers_that_were_gathered_for_a_pass() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for recompute in [Recompute::Never, Recompute::Always] {
        let layers = taken(recompute) as f64 / LAYER as f64;
        // The shards of both ranks are six layers, and so are those of their gradients; on its way each rank has at
        // most a layer as its parts, as messages, as a row, its gradient, and that as it travels. Kept by tapes, those
        // of eight micro-batches are 96 more.
        assert!((12.0..40.0).contains(&layers), "{layers} layers, recompute {}", recompute.as_str());
    }
}

#[test]
fn a_rank_that_begins_never_holds_more_than_its_share_and_a_layer() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let layers: Vec<Dense> = (0..LAYERS).map(|_| Dense::hidden(WIDTH, WIDTH, 0.0, 0)).collect();
    let (divided, whole) = (ShardLevel::Parameters, ShardLevel::DataParallel);
    // No number is held twice in any of them.
    for (shape, level) in [
        ([16, 1, 1], divided),
        ([16, 2, 1], divided),
        ([6, 6, 1], whole),
        ([16, 1, 16], whole),
        ([12, 3, 4], whole),
        ([16, 2, 4], divided),
    ] {
        let [ranks, _, tensor] = shape;
        let part = |part| Sequential::shared(&layers, part, tensor).expect("256 are enough for 16");
        let models: Vec<Sequential> = (0..tensor).map(part).collect();
        let (models, strategy) = (&models, &strategy(shape, level, Recompute::Never));
        let begun = at_once(local::run(ranks, |communicator| async move {
            let model = &models[strategy.layout.place(communicator.rank()).tensor];
            let draw = |stretch: Range<usize>, numbers: &mut Vec<f32>| numbers.extend(stretch.map(|at| at as f32));
            let (learning, device) = (Learning { rule: Rule::sgd(0.0), rate: 0.01, clip: None }, Device::flex());
            let (strategy, before) = (strategy.clone(), ALLOCATED.current_usage());
            ALLOCATED.reset_peak_usage();
            let rank = Rank::<_, f32>::begun(model, strategy, communicator, learning, &draw, &device)?;
            let most = ALLOCATED.peak_usage().saturating_sub(before);
            Ok::<_, TrainError>((most, rank.ledger().held(Account::Parameters) as usize))
        }));
        let begun = begun.expect("they begin");
        for (rank, &(most, share)) in begun.iter().enumerate() {
            assert!(most <= share + LAYER, "{shape:?}, rank {rank}: {most} bytes to begin with {share}");
        }
        let all: usize = begun.iter().map(|&(_, share)| share).sum();
        assert_eq!(all, 4 * layers.iter().map(Layer::parameters).sum::<usize>(), "{shape:?}: each number once");
    }
}

#[test]
fn an_optimizer_computes_with_as_many_rows_as_are_counted() {
    const COUNT: usize = 1 << 20;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = Device::flex();
    let row = |value: f32| Tensor::<1>::from_data(TensorData::new(vec![value; COUNT], [COUNT]), &device);
    for decay in [0.0, 0.1] {
        for rule in [Rule::adam(decay), Rule::adamw(decay), Rule::sgd(decay)] {
            let (mut numbers, mut moments) = (row(0.5), None);
            for step in 0..3 {
                let gradient = row(0.1);
                // The moments begin with the first step, and have an account of their own.
                let begun = if step == 0 { rule.state().bytes() as usize * COUNT } else { 0 };
                let before = ALLOCATED.current_usage();
                ALLOCATED.reset_peak_usage();
                (numbers, moments) = rule.step(0.01, numbers, gradient, moments);
                let beside = ALLOCATED.peak_usage().saturating_sub(before + begun) as f64 / (4 * COUNT) as f64;
                assert!(beside <= ROWS_OF_A_STEP as f64 + 0.05, "{rule:?}, decay {decay}, step {step}: {beside} rows");
            }
        }
    }
}
