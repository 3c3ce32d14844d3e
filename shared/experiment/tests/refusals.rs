//! What the spec allows, no method refuses once it has the data.

mod desk;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_types::catalogue::{ENTRIES, Entry, Param, ParamKind, find};
use recspeed_types::spec::{
    Loss, ParamValue, PipelineSchedule, RecommenderSpec, Recompute, StrategyKind, StrategySpec, TableSharding,
};
use recspeed_types::{ExperimentSpec, FailureCode};

use desk::attempt;

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 500\n[split]\nkind = \
                     \"leave-last-out\"\nvalidation = true\n[recommender]\nkind = \"popularity\"\n[evaluation]\nmetrics = \
                     [\"ndcg@10\"]\nmax_users = 20\n";
/// Specs of each kind that are run.
const RUNS: usize = 4;
/// Draws among which they are found.
const DRAWS: usize = 400;

fn below(rng: &mut ChaCha8Rng, count: usize) -> usize {
    (rng.next_u64() % count as u64) as usize
}

/// A small number, and any choice, that the parameter allows by itself.
fn value(param: &Param, rng: &mut ChaCha8Rng) -> ParamValue {
    match &param.kind {
        ParamKind::Integer { min, max, .. } => ParamValue::Integer((*min + below(rng, 7) as i64).min(*max)),
        ParamKind::Float { min, max, .. } => {
            let low = min.max(-1.0);
            ParamValue::Float(low + (max.min(low + 2.0) - low) * below(rng, 9) as f64 / 8.0)
        }
        ParamKind::Boolean { .. } => ParamValue::Boolean(below(rng, 2) == 1),
        ParamKind::Choice { options, .. } => ParamValue::Text(options[below(rng, options.len())].to_owned()),
        ParamKind::Integers { min, .. } => {
            ParamValue::Integers((0..=below(rng, 3)).map(|_| *min + below(rng, 7) as i64).collect())
        }
        ParamKind::Names { .. } => {
            let named = ["category", "rated-by", "goes-with"].into_iter().filter(|_| below(rng, 3) == 0);
            ParamValue::Names(named.map(str::to_owned).collect())
        }
        ParamKind::Recommenders { default, .. } => {
            let component = |(index, kind): (usize, &&str)| {
                let of_place = param.kind.slot(index).map_or(&[][..], |slot| slot.params);
                recommender(find(kind).expect("a kind of the catalogue"), of_place, rng)
            };
            ParamValue::Recommenders(default.iter().enumerate().map(component).collect())
        }
    }
}

/// Half of the parameters, drawn.
fn recommender(entry: &Entry, of_place: &[Param], rng: &mut ChaCha8Rng) -> RecommenderSpec {
    entry.params.iter().chain(of_place).fold(RecommenderSpec::new(entry.kind), |spec, param| {
        if below(rng, 2) == 0 { spec } else { spec.with(param.name, value(param, rng)) }
    })
}

/// A spec of this kind; small and short where it is trained step by step.
fn spec(entry: &Entry, rng: &mut ChaCha8Rng) -> ExperimentSpec {
    let mut spec = ExperimentSpec::from_toml(FRAME).unwrap();
    spec.recommender = recommender(entry, &[], rng);
    if entry.is_trained() {
        spec.training.epochs = Some(1);
        spec.training.loss = Some(Loss::ALL[below(rng, Loss::ALL.len())]);
        spec.training.early_stopping = Some(1);
    }
    spec
}

/// Runs what the spec allows of the drawn ones, and finds nothing refused for what they say.
fn none_is_refused(what: &str, mut draw: impl FnMut() -> ExperimentSpec) {
    let mut runs = 0;
    for _ in 0..DRAWS {
        let spec = draw();
        if spec.resolve().is_err() {
            continue;
        }
        let text = spec.to_toml();
        if let (Err(failure), _) = attempt(None, &text, None) {
            // How a training went is another matter.
            let went_wrong = matches!(failure.code, FailureCode::Diverged | FailureCode::OutOfMemory);
            // Which attributes there are only the data know.
            let unknown = ["has no such", "needs user attributes"].iter().any(|said| failure.cause.contains(said));
            assert!(went_wrong || unknown, "{what}: {failure}\n{text}");
        }
        runs += 1;
        if runs == RUNS {
            return;
        }
    }
    panic!("{what}: only {runs} of {DRAWS} draws are allowed");
}

#[test]
fn parameters_that_the_spec_allows_together_are_refused_by_no_method() {
    for entry in ENTRIES {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        none_is_refused(entry.kind, || spec(entry, &mut rng));
    }
}

#[test]
fn strategies_that_the_spec_allows_are_refused_by_no_training() {
    let schedules = [
        PipelineSchedule::Gpipe,
        PipelineSchedule::OneForwardOneBackward,
        PipelineSchedule::Interleaved,
        PipelineSchedule::ZeroBubbleH1,
    ];
    let recompute = [Recompute::Never, Recompute::ExceptLast, Recompute::Always];
    for kind in StrategyKind::ALL.into_iter().filter(|kind| *kind != StrategyKind::Single) {
        for entry in ENTRIES.iter().filter(|entry| kind.suits(entry.kind)) {
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            none_is_refused(&format!("{} as {}", entry.kind, kind.as_str()), || {
                let mut number = |most: usize| (below(&mut rng, 2) == 0).then(|| 1 + below(&mut rng, most) as u32);
                let mut strategy = StrategySpec {
                    kind,
                    ranks: number(6),
                    stages: number(3),
                    tensor: number(2),
                    micro_batches: number(5),
                    chunks: number(2),
                    stage: number(3),
                    ..StrategySpec::default()
                };
                let mut any = |count: usize| below(&mut rng, count + 1).checked_sub(1);
                strategy.schedule = any(schedules.len()).map(|place| schedules[place]);
                strategy.recompute = any(recompute.len()).map(|place| recompute[place]);
                strategy.tables = any(TableSharding::ALL.len()).map(|place| TableSharding::ALL[place]);
                strategy.offload = any(2).map(|answer| answer == 1);
                // What this kind of strategy has no use for would refuse nearly all.
                if matches!(kind, StrategyKind::DataParallel | StrategyKind::Zero) {
                    (strategy.stages, strategy.chunks, strategy.schedule) = (None, None, None);
                }
                if kind != StrategyKind::Hybrid {
                    strategy.tensor = None;
                }
                if !matches!(kind, StrategyKind::Zero | StrategyKind::Hybrid) {
                    strategy.stage = None;
                }
                if !TableSharding::suits(entry.kind) {
                    strategy.tables = None;
                }
                ExperimentSpec { strategy, ..spec(entry, &mut rng) }
            });
        }
    }
}
