//! Dense blocks whose layers ranks share compute the update of one device, and hold and send what is planned.

mod double_tests;

use proptest::prelude::*;
use recspeed_parallel::model::{LayerSizes as _, Model as _};
use recspeed_parallel::training::{Account, Learning, Ledger, Rank, Rule, Saved, Strategy, TrainError};
use recspeed_parallel::{at_once, local};
use recspeed_plan::dense::{DENSENET_INPUTS, Speed, shared_densenet};
use recspeed_plan::sharding::{OptimizerState, ShardLevel, Traffic};
use recspeed_plan::simulate::Link;
use recspeed_plan::{Balance, Layer, Layout, Outlook, Partition, ProcessNeeds, Recompute, ScheduleKind};
use recspeed_types::spec::Loss;

use super::DenseNet;
use super::stages::Stages;
use crate::NeuralDevice;
use crate::examples::Describe as _;
use crate::history::History;
use crate::random::{WeightDraws, step_noise};
use crate::training::losses::{self, Targets};
use crate::training::network::{Differentiable as _, Network as _, Noise, Traced};
use crate::training::saved::{Parameters, numbers};
use crate::training::staged::{RankLesson, Staged as _};
use burn::tensor::{Tensor, TensorData};

const SEED: u64 = 3;

struct Course {
    network: DenseNet,
    /// Rows of each batch.
    batches: Vec<usize>,
    learning: Learning,
}

struct End {
    saved: Saved,
    losses: Vec<f64>,
    ledger: Ledger,
    traffic: Traffic,
}

/// Each stage has as many layers as the others, or one more.
struct Shape {
    tensor: usize,
    stages: usize,
    replicas: usize,
    micro_batches: usize,
    schedule: ScheduleKind,
    chunks: usize,
    recompute: Recompute,
    level: ShardLevel,
    offload: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            tensor: 1,
            stages: 1,
            replicas: 1,
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
fn orders() -> Vec<(ScheduleKind, usize)> {
    let one = ScheduleKind::ALL.into_iter().map(|schedule| (schedule, 1));
    one.chain([2, 3].map(|chunks| (ScheduleKind::Interleaved, chunks))).collect()
}

impl Shape {
    /// With as many stages on a rank as these layers fill, the last one among them.
    fn with_chunks(self, chunks: usize, layers: usize) -> Self {
        Self { chunks: chunks.min(layers / self.stages).max(1), ..self }
    }

    fn counts(&self, layers: usize) -> Vec<usize> {
        let parts = self.stages * self.chunks;
        (0..parts).map(|part| layers / parts + usize::from(part < layers % parts)).collect()
    }

    fn strategy(&self, layers: usize) -> Strategy {
        Strategy {
            layout: Layout::new(self.tensor * self.stages * self.replicas, self.stages, self.tensor).unwrap(),
            schedule: self.schedule,
            micro_batches: self.micro_batches,
            chunks: self.chunks,
            partition: Partition::by_hand(layers, &self.counts(layers)).unwrap(),
            recompute: self.recompute,
            level: self.level,
            offload: self.offload,
        }
    }
}

impl Course {
    fn new(depth: usize, growth: usize, dropout: f32, batches: &[usize]) -> Self {
        let learning = Learning { rule: Rule::adam(0.0), rate: 0.01, clip: None };
        Self { network: DenseNet::new(depth, growth, dropout), batches: batches.to_vec(), learning }
    }

    /// Of all its batches the first, from which every number moves by its gradient: plain descent at rate 1, without
    /// decay. Where gradients are clipped, the longest that is allowed moves the numbers by 1.
    fn one_gradient(&mut self) {
        self.batches.truncate(1);
        let clip = self.learning.clip;
        self.learning = Learning { rule: Rule::sgd(0.0), rate: clip.map_or(1.0, f64::recip), clip };
    }

    /// Plain descent: Adam divides by the root of the second moment, so that the last bits of a gradient that is nearly
    /// nothing decide the sign of its step.
    fn descends(mut self) -> Self {
        self.learning = Learning { rule: Rule::sgd(0.001), rate: 0.1, clip: None };
        self
    }

    fn start(&self) -> Saved {
        Saved { numbers: self.network.layout().initial_flat(SEED), moments: None }
    }

    fn batch(step: usize, rows: usize) -> (Tensor<2>, Targets) {
        let device = NeuralDevice::flex().plain();
        let mut draws = WeightDraws::new(100 + step as u64);
        let values: Vec<f32> = (0..rows * History::WIDTH).map(|_| draws.uniform(1.0)).collect();
        let liked: Vec<f32> = (0..rows).map(|_| f32::from(u8::from(draws.uniform(1.0) > 0.0))).collect();
        let input = Tensor::from_data(TensorData::new(values, [rows, History::WIDTH]), &device);
        (input, Targets::Odds(Tensor::from_data(TensorData::new(liked, [rows, 1]), &device)))
    }

    /// The whole network, without ranks.
    fn one_device(&self) -> (Vec<f32>, Vec<f64>) {
        let (device, layout) = (NeuralDevice::flex().plain(), self.network.layout());
        let (mut flat, mut moments) = (Parameters::initial(layout, SEED, &device).flat, None);
        let mut told = Vec::new();
        for (step, &rows) in self.batches.iter().enumerate() {
            let (input, targets) = Self::batch(step, rows);
            let parameters = Parameters::from_numbers(layout, &numbers(&flat), &device);
            let weights = parameters.weights(layout, &[], &device);
            let mut noise = Noise::new(SEED, step as u64, &device);
            let Traced { scores, trace, .. } = self.network.trace(weights, input, &mut noise);
            let judged = losses::judge(Loss::Bce, scores, &targets);
            told.push(judged.value);
            let mut gradient = self.network.gradient(trace, judged.slope).flat;
            if let Some(longest) = self.learning.clip {
                let norm = f64::from(gradient.clone().square().sum().into_scalar::<f32>()).sqrt();
                gradient = gradient.mul_scalar((longest / (norm + 1e-6)).min(1.0));
            }
            (flat, moments) = self.learning.rule.step(self.learning.rate, flat, gradient, moments);
        }
        (numbers(&flat), told)
    }

    /// Ranks train from `saved`, batches `first..`; all agree about what they have learnt, and hold nothing for a batch at the end.
    fn divided_from(&self, shape: &Shape, saved: &Saved, first: usize) -> Vec<End> {
        let strategy = shape.strategy(self.network.layers.len() + 1);
        let model = |part| self.network.shared(part, shape.tensor).expect("they can be shared").expect("wide enough");
        let models: Vec<Stages> = (0..shape.tensor).map(model).collect();
        let (models, strategy) = (&models, &strategy);
        let ranks = local::run(strategy.layout.ranks(), |communicator| async move {
            let device = NeuralDevice::flex().plain();
            let layers = &models[strategy.layout.place(communicator.rank()).tensor];
            let learning = self.learning.clone();
            let mut rank = Rank::new(layers, strategy.clone(), communicator, learning, saved, &device)?;
            let mut losses = Vec::new();
            for (step, &rows) in self.batches.iter().enumerate().skip(first) {
                let (input, targets) = Self::batch(step, rows);
                let noise = step_noise(SEED, step as u64);
                let lesson = RankLesson { input: &input, look_ups: &[], targets: &targets, loss: Loss::Bce, noise };
                losses.push(rank.step(self.network.batch(layers, lesson).as_ref()).await?);
            }
            let (ledger, traffic) = (*rank.ledger(), rank.traffic());
            Ok::<End, TrainError>(End { saved: rank.save().await?, losses, ledger, traffic })
        });
        let ends = at_once(ranks).expect("the training ends");
        for end in &ends {
            assert_eq!(bits(&end.saved), bits(&ends[0].saved), "all ranks hold the same");
            assert_eq!(end.losses, ends[0].losses);
            let comes_and_goes = [Account::Activations, Account::Transient, Account::Update];
            assert_eq!(comes_and_goes.map(|account| end.ledger.held(account)), [0; 3]);
            assert!(end.ledger.is_sound(), "an account is given back more than it holds: {:?}", end.ledger);
        }
        ends
    }

    fn divided(&self, shape: &Shape) -> Vec<End> {
        self.divided_from(shape, &self.start(), 0)
    }
}

fn bits(saved: &Saved) -> Vec<u32> {
    let moments = saved.moments.iter().flat_map(|(_, moments)| moments.iter().flatten());
    saved.numbers.iter().chain(moments).map(|x| x.to_bits()).collect()
}

/// f32: rtol 1e-5, atol 4e-5.
fn close(ours: &[f32], theirs: &[f32]) -> Result<(), String> {
    assert_eq!(ours.len(), theirs.len());
    match ours.iter().zip(theirs).position(|(a, b)| (a - b).abs() > 4e-5 + 1e-5 * b.abs()) {
        None => Ok(()),
        Some(at) => Err(format!("number {at}: {} against {}", ours[at], theirs[at])),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn shared_layers_in_stages_and_replicas_compute_the_update_of_one_device(
        (depth, growth) in (1..7_usize, 1..10_usize),
        batches in prop::collection::vec(1..17_usize, 1..4),
        (tensor, stages, replicas) in (1..7_usize, 1..4_usize, 1..4_usize),
        micro_batches in 1..4_usize,
        level in prop::sample::select(ShardLevel::ALL.to_vec()),
        (schedule, chunks) in prop::sample::select(orders()),
        recompute in prop::sample::select(vec![Recompute::Never, Recompute::ExceptLast, Recompute::Always]),
        dropout in prop::sample::select(vec![0.0, 0.3]),
        clip in prop::sample::select(vec![None, Some(0.05)]),
    ) {
        let mut course = Course::new(depth, growth, dropout, &batches);
        course.learning = Learning { rule: Rule::sgd(0.001), rate: 0.1, clip };
        let (tensor, stages) = (tensor.min(growth), stages.min(depth + 1));
        let shape = Shape { tensor, stages, replicas, micro_batches, schedule, recompute, level, ..Shape::default() };
        let shape = shape.with_chunks(chunks, depth + 1);
        let (expected, losses) = course.one_device();
        let ends = course.divided(&shape);
        let compared = close(&ends[0].saved.numbers, &expected);
        prop_assert!(compared.is_ok(), "{compared:?}");
        for (a, b) in ends[0].losses.iter().zip(&losses) {
            prop_assert!((a - b).abs() <= 4e-5 + 1e-5 * b.abs(), "a loss of {} against {}", a, b);
        }
        course.one_gradient();
        let (ends, (expected, _), began) = (course.divided(&shape), course.one_device(), course.start().numbers);
        let gradient = |end: &[f32]| began.iter().zip(end).map(|(began, end)| began - end).collect::<Vec<f32>>();
        let compared = close(&gradient(&ends[0].saved.numbers), &gradient(&expected));
        prop_assert!(compared.is_ok(), "gradient: {compared:?}");
    }
}

#[test]
fn schedules_recomputation_and_levels_change_no_bit_where_layers_are_shared() {
    // 5 ranks: more than the network has inputs, and no divisor of what a layer makes.
    for tensor in [2, 5] {
        let course = Course::new(7, 6, 0.3, &[13, 8, 13]);
        let of = |shape: &Shape| bits(&course.divided(shape)[0].saved);
        for parts in [1, 2, 4] {
            // The same cut: slopes are added up in groups of layers, as far as they lie in one stage.
            let expected = of(&Shape { tensor, stages: parts, micro_batches: 3, ..Shape::default() });
            for schedule in ScheduleKind::ALL {
                let chunks = if schedule == ScheduleKind::Interleaved && parts > 1 { 2 } else { 1 };
                for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
                    let stages = parts / chunks;
                    let cut = Shape { tensor, stages, chunks, micro_batches: 3, ..Shape::default() };
                    assert_eq!(of(&Shape { schedule, recompute, ..cut }), expected, "{} in {parts}", schedule.as_str());
                }
            }
        }
        let replicas = |level| of(&Shape { tensor, replicas: 3, level, ..Shape::default() });
        let plain = replicas(ShardLevel::DataParallel);
        for level in ShardLevel::ALL {
            assert_eq!(replicas(level), plain, "{level:?}");
        }
    }
}

#[test]
fn a_training_goes_on_where_others_share_the_layers() {
    let course = Course::new(6, 5, 0.2, &[12, 12, 12, 12, 9]);
    let alone = Shape::default();
    let two = Shape { tensor: 2, stages: 2, replicas: 2, level: ShardLevel::Parameters, ..Shape::default() };
    let five = Shape { tensor: 5, micro_batches: 2, ..Shape::default() };
    let (whole, _) = course.one_device();
    let begun = Course { batches: course.batches[..2].to_vec(), ..Course::new(6, 5, 0.2, &[]) };
    for (first, then) in [(&two, &five), (&five, &alone), (&alone, &two), (&two, &two)] {
        let half = begun.divided(first);
        let end = course.divided_from(then, &half[0].saved, 2);
        let ours = &end[0].saved.numbers;
        let far = ours.iter().zip(&whole).filter(|(a, b)| (*a - *b).abs() > 1e-3).count();
        assert!(far * 50 <= whole.len(), "{far} of {} numbers are far", whole.len());
    }
    // By plain descent every number is near.
    let [begun, course] = [begun, course].map(Course::descends);
    let (whole, _) = course.one_device();
    for (first, then) in [(&two, &five), (&five, &alone), (&alone, &two), (&two, &two)] {
        let half = begun.divided(first);
        let end = course.divided_from(then, &half[0].saved, 2);
        close(&end[0].saved.numbers, &whole).unwrap();
        assert!(close(&end[0].saved.numbers, &half[0].saved.numbers).is_err(), "the other steps move the numbers");
    }
}

#[test]
fn cut_at_its_groups_a_dense_block_learns_the_same_bits_and_cut_inside_of_one_the_same_within_rounding() {
    // Groups of 4 layers of 32 numbers, 7 layers and the score; of 64 rows a group pays together.
    let mut course = Course::new(7, 32, 0.0, &[64, 64]);
    course.learning = Learning { rule: Rule::sgd(0.0), rate: 1.0, clip: None };
    let of = |stages| course.divided(&Shape { stages, ..Shape::default() }).remove(0).saved;
    let [whole, between, inside] = [1, 2, 4].map(of);
    assert_eq!(bits(&between), bits(&whole), "4 and 4 layers");
    assert_ne!(bits(&inside), bits(&whole), "2 layers each: if this is the same, the documents say too little");
    for (at, (a, b)) in inside.numbers.iter().zip(&whole.numbers).enumerate() {
        assert!((a - b).abs() <= 4e-5 + 1e-5 * b.abs(), "number {at}: {a} against {b}");
    }
}

fn planned(depth: usize, growth: usize, ranks: usize) -> Vec<Layer> {
    let shape = (DENSENET_INPUTS, depth as u64, growth as u64, 1);
    shared_densenet(shape, Speed::of_gflops(1.0), ranks, Link::INSTANT)
}

#[test]
fn the_plan_counts_what_the_fullest_rank_holds_and_every_number_is_held_once() {
    for (depth, growth, parts) in [(1, 2, 2), (6, 5, 2), (6, 5, 3), (9, 7, 6), (9, 8, 4)] {
        let network = DenseNet::new(depth, growth, 0.0);
        let models: Vec<Stages> = (0..parts).map(|part| network.shared(part, parts).unwrap().unwrap()).collect();
        let whole: Vec<u32> = (0..network.layout().flat_len() as u32).collect();
        let own = models.iter().map(|model| model.shares().expect("it is a part").take(&whole));
        let own: Vec<Vec<u32>> = own.collect();
        for (model, own) in models.iter().zip(&own) {
            assert_eq!(model.parameters().iter().sum::<usize>(), own.len());
        }
        assert_eq!(models[0].shares().map(|shares| shares.join(&own.concat())), Some(whole));
        let planned = planned(depth, growth, parts);
        for (part, model) in models.iter().enumerate() {
            // The last one has what is left over.
            let holds = |ours: u64, plan: u64| if part + 1 == parts { ours == plan } else { ours <= plan };
            for first in 0..=depth {
                assert!(holds(model.parameters()[first] as u64, planned[first].parameters), "layer {first}");
                let border = model.boundary(first, 3).iter().product::<usize>() as u64;
                assert!(first == 0 || holds(4 * border, 3 * planned[first].input_bytes), "layer {first}");
                for end in first + 1..=depth + 1 {
                    let together = planned[first + 1..end].iter().fold(planned[first], |all, next| all.then(next));
                    let kept = 4 * model.kept(first..end, 3) as u64;
                    assert!(holds(kept, 3 * together.kept_bytes), "layers {first} to {end}");
                }
            }
        }
    }
}

#[test]
fn what_ranks_that_share_layers_hold_and_send_is_planned() {
    let (depth, growth, rows) = (11, 8, 16);
    let course = Course::new(depth, growth, 0.0, &[rows]);
    for tensor in [1, 2, 4] {
        for stages in [1, 3] {
            for recompute in [Recompute::Never, Recompute::ExceptLast, Recompute::Always] {
                let shape = Shape { tensor, stages, micro_batches: 2, recompute, ..Shape::default() };
                let plan = recspeed_plan::Strategy {
                    layers: planned(depth, growth, tensor),
                    balance: Balance::ByHand(shape.counts(depth + 1)),
                    schedule: shape.schedule,
                    ranks: stages,
                    chunks: 1,
                    batch: rows,
                    micro_batches: 2,
                    recompute,
                    replicas: 1,
                    tensor,
                    level: shape.level,
                    optimizer: OptimizerState::TwoMoments,
                    offload: false,
                    link: Link::INSTANT,
                    update_us: 0.0,
                    beside: 0,
                    tables_us: 0.0,
                    memories: Vec::new(),
                    needs: ProcessNeeds::default(),
                };
                let outlook = Outlook::of(&plan).unwrap();
                for (rank, end) in course.divided(&shape).iter().enumerate() {
                    let (plan, ledger) = (&outlook.ranks[rank / tensor], &end.ledger);
                    let what = format!("rank {rank} of {tensor} x {stages}, recompute {}", recompute.as_str());
                    // The last one of those that share the score has its bias.
                    let bias = if rank / tensor + 1 == stages && (rank + 1) % tensor != 0 { 4 } else { 0 };
                    assert_eq!(ledger.most(Account::Parameters), plan.shares.parameters - bias, "{what}");
                    assert_eq!(ledger.most(Account::Gradients), plan.shares.gradients - bias, "{what}");
                    assert_eq!(ledger.most(Account::Optimizer), plan.shares.optimizer - 2 * bias, "{what}");
                    assert_eq!(end.traffic.shared, plan.reduction.shared, "{what}");
                    let held = ledger.most(Account::Activations);
                    let least = if stages == 1 { plan.activations } else { plan.activations / 2 };
                    assert!((least..=plan.activations).contains(&held), "{what}: {held} of {}", plan.activations);
                    assert_eq!(ledger.most(Account::Transient), plan.shares.transient, "{what}");
                    assert_eq!(ledger.most(Account::Update), plan.shares.update - bias, "{what}");
                }
            }
        }
    }
}

#[test]
fn more_ranks_than_a_layer_makes_numbers_are_refused_with_as_many_as_can_share_it() {
    let error = DenseNet::new(3, 5, 0.0).shared(0, 6).unwrap().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("set it to 5 or less"), "{error}");
}
