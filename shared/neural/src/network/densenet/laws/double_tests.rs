//! The law of dense blocks in f64: what separates them from one device in f32 is rounding.
//!
//! What a device computes in is a setting of the process, and nothing outside this crate sees a dense block: a test
//! starts this very program once more, of which it runs one test that is ignored otherwise.

use std::ops::Range;
use std::process::Command;
use std::sync::OnceLock;

use burn::tensor::{Device, FloatDType, Tensor};
use proptest::prelude::*;
use recspeed_parallel::training::{Judged, Learning, Matrix, Rank, Rule, Saved};
use recspeed_parallel::{at_once, local};
use recspeed_plan::Recompute;
use recspeed_plan::sharding::ShardLevel;

use super::{Course, DenseNet, SEED, Shape, Stages, orders};
use crate::random::step_noise;
use crate::training::losses::Targets;
use crate::training::network::{Differentiable as _, Network as _, Noise, Traced};
use crate::training::saved::Parameters;
use crate::training::staged::Staged as _;

/// Flex, which computes in f64 from the first tensor of the process on.
fn device() -> Device {
    static CONFIGURED: OnceLock<()> = OnceLock::new();
    CONFIGURED.get_or_init(|| Device::flex().configure(FloatDType::F64).expect("no tensor has been made yet"));
    Device::flex()
}

/// `[rows, inputs]` and `[rows, 1]`
fn batch(rows: usize) -> (Tensor<2>, Tensor<2>) {
    match Course::batch(0, rows) {
        (input, Targets::Odds(truth)) => (input, truth),
        (_, targets) => unreachable!("{targets:?}"),
    }
}

/// Mean squared error, and its slope: all in f64, where the losses of the lab have scales in f32.
fn squared(scores: Tensor<2>, truth: Tensor<2>) -> Judged {
    let rows = scores.dims()[0];
    let error = scores - truth;
    let value = error.clone().square().mean().into_scalar::<f64>();
    Judged { value, slope: error * (2.0 / rows as f64), rows: Vec::new() }
}

/// Of the whole network, without ranks.
fn gradient_of_one_device(network: &DenseNet, rows: usize) -> Vec<f64> {
    let (device, layout) = (device(), network.layout());
    let (input, truth) = batch(rows);
    let weights = Parameters::initial(layout, SEED, &device).weights(layout, &[], &device);
    let Traced { scores, trace, .. } = network.trace(weights, input, &mut Noise::new(SEED, 0, &device));
    let gradient = network.gradient(trace, squared(scores, truth).slope).flat;
    gradient.into_data().try_to_vec::<f64>().expect("it is computed in f64")
}

/// What one step of plain descent at rate 1 takes away from every number.
fn gradient_of_ranks(network: &DenseNet, shape: &Shape, rows: usize) -> Vec<f64> {
    let strategy = shape.strategy(network.layers.len() + 1);
    let model = |part| network.shared(part, shape.tensor).expect("they can be shared").expect("wide enough");
    let models: Vec<Stages> = (0..shape.tensor).map(model).collect();
    let began: Vec<f64> = network.layout().initial_flat(SEED).into_iter().map(f64::from).collect();
    let saved = Saved { numbers: began.clone(), moments: None };
    let (models, strategy, saved) = (&models, &strategy, &saved);
    let ranks = local::run(strategy.layout.ranks(), |communicator| async move {
        let layers = &models[strategy.layout.place(communicator.rank()).tensor];
        let learning = Learning { rule: Rule::sgd(0.0), rate: 1.0, clip: None };
        let mut rank = Rank::new(layers, strategy.clone(), communicator, learning, saved, &device())?;
        let (input, truth) = batch(rows);
        let judge = |scores: Tensor<2>, rows: Range<usize>| squared(scores, truth.clone().slice([rows, 0..1]));
        let noise = step_noise(SEED, 0);
        rank.step(&Matrix { model: layers, input: &input, noise, judge: Box::new(judge) }).await?;
        assert!(rank.ledger().is_sound(), "an account is given back more than it holds: {:?}", rank.ledger());
        rank.parameters().await
    });
    let ends: Vec<Vec<f64>> = at_once(ranks).expect("the step ends");
    assert!(ends.iter().all(|end| *end == ends[0]), "all ranks hold the same");
    began.iter().zip(&ends[0]).map(|(began, end)| began - end).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    #[ignore = "a process of its own, which the test below starts"]
    fn a_process_that_computes_in_f64(
        (depth, growth) in (1..7_usize, 1..10_usize),
        rows in 1..17_usize,
        (tensor, stages, replicas) in (1..4_usize, 1..4_usize, 1..4_usize),
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        dropout in prop::sample::select(vec![0.0, 0.3]),
        offload in any::<bool>(),
    ) {
        device();
        let network = DenseNet::new(depth, growth, dropout);
        let (tensor, stages) = (tensor.min(growth), stages.min(depth + 1));
        let shape = Shape { tensor, stages, replicas, micro_batches, schedule, recompute, level, offload, chunks: 1 };
        let shape = shape.with_chunks(chunks, depth + 1);
        let (ours, theirs) = (gradient_of_ranks(&network, &shape, rows), gradient_of_one_device(&network, rows));
        prop_assert_eq!(ours.len(), theirs.len());
        for (at, (a, b)) in ours.iter().zip(&theirs).enumerate() {
            prop_assert!((a - b).abs() <= 1e-10 * (1.0 + b.abs()), "number {}: {} against {}", at, a, b);
        }
    }
}

#[test]
fn in_f64_every_strategy_computes_the_gradient_of_one_device_to_ten_digits() {
    let (_, here) = module_path!().split_once("::").expect("a module of this crate");
    let test = format!("{here}::a_process_that_computes_in_f64");
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args(["--exact", &test, "--ignored"]).output().expect("it starts once more");
    let [said, complained] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    // That nothing failed is not enough: a test of another name fails nowhere.
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{complained}");
}
