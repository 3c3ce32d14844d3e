//! The sections of engine and strategy: what computes, and how its work is divided.

use recspeed_types::ExperimentSpec;
use recspeed_types::limits::{MAX_CHUNKS, MAX_MICRO_BATCHES, MAX_RANKS, MAX_THREADS};
use recspeed_types::spec::{Device, EngineKind, PipelineSchedule, StrategyKind};

use super::{Choice, Field, FieldKind, Offer, Section};
use crate::studio::{RECOMPUTES, SCHEDULES};

/// Engine, device, threads. Engines are a choice for what other frameworks train too.
pub(super) fn engine(spec: &ExperimentSpec, offer: &Offer) -> Section {
    let lent = EngineKind::REFERENCES.iter().any(|engine| engine.trains(&spec.recommender.kind));
    let kind = Field::new(
        "engine.kind",
        "Engine",
        "What trains: Burn, or another framework with the same rows, order, first weights and metrics.",
        FieldKind::Choice { options: offer.engines(), default: EngineKind::Burn.as_str().to_owned() },
    );
    let device = Field::new(
        "engine.device",
        "Device",
        "Where it computes. “Run in this tab” always uses the browser.",
        FieldKind::Choice { options: offer.devices(spec), default: Device::Flex.as_str().to_owned() },
    );
    let threads = Field::new(
        "engine.threads",
        "Threads",
        "Empty for as many as the machine has; one in the tab.",
        FieldKind::Integer { min: 1, max: MAX_THREADS.into(), default: None },
    );
    let kind = (lent || spec.engine.kind.is_reference()).then_some(kind);
    Section { title: "Engine", about: "what computes", fields: kind.into_iter().chain([device, threads]).collect() }
}

/// How the work is divided, where it can be.
pub(super) fn strategy(spec: &ExperimentSpec) -> Option<Section> {
    use StrategyKind::{Hybrid, Pipeline, Single, Zero};
    let (strategy, engine) = (&spec.strategy, spec.engine.kind);
    if !Pipeline.suits(&spec.recommender.kind) && strategy.is_default() {
        return None;
    }
    let kind = strategy.kind;
    let cut = matches!(kind, Pipeline | Hybrid);
    let mut fields = vec![Field::new(
        "strategy.kind",
        "Strategy",
        "Every one takes the same steps as one device; what differs is who computes and holds what.",
        FieldKind::Choice {
            options: StrategyKind::ALL.map(|kind| option(kind, engine)).to_vec(),
            default: Single.as_str().to_owned(),
        },
    )];
    let number = |path, title, help, min, max: u32, default: u32| {
        Field::new(path, title, help, FieldKind::Integer { min, max: max.into(), default: Some(default.into()) })
    };
    if cut {
        let help = "Parts that the layers are cut into, one for each rank of a pipeline.";
        fields.push(number("strategy.stages", "Stages", help, 1, MAX_RANKS, 2));
    }
    if kind == Hybrid && spec.recommender.kind == "mlp" {
        let help = "Ranks that share each layer, column by column and row by row.";
        let most = MAX_RANKS / strategy.stages.unwrap_or(2).clamp(1, MAX_RANKS);
        fields.push(number("strategy.tensor", "Tensor", help, 1, most, 1));
    }
    if kind != Single && kind != Pipeline {
        let group = strategy.stages.unwrap_or(2).saturating_mul(strategy.tensor.unwrap_or(1));
        let (default, help) = if cut {
            (group, "Ranks in all: stages × tensor × replicas.")
        } else {
            (2, "Replicas that share each batch. On the server they are threads, in the tab they take turns.")
        };
        fields.push(number("strategy.ranks", "Ranks", help, 1, MAX_RANKS, default));
    }
    if matches!(kind, Zero | Hybrid) {
        let least = u32::from(kind == Zero);
        let help = "What replicas divide: 1 the optimizer’s state, 2 gradients too, 3 parameters too.";
        fields.push(number("strategy.stage", "ZeRO stage", help, least.into(), 3, least));
    }
    if kind != Single {
        let help = "Parts that each replica cuts its share of a batch into.";
        let default = if cut { 4 } else { 1 };
        fields.push(number("strategy.micro_batches", "Micro-batches", help, 1, MAX_MICRO_BATCHES, default));
    }
    if cut {
        fields.push(schedule(engine));
    }
    if cut && strategy.schedule == Some(PipelineSchedule::Interleaved) {
        let help = "Stages on each rank.";
        fields.push(number("strategy.chunks", "Chunks", help, 1, MAX_CHUNKS, 2));
    }
    if kind != Single {
        fields.push(Field::new(
            "strategy.recompute",
            "Recompute",
            "Forward passes that are computed again in the backward pass instead of being kept.",
            FieldKind::Choice {
                options: RECOMPUTES.iter().map(|(name, title)| Choice::titled(name, *title)).collect(),
                default: "never".to_owned(),
            },
        ));
    }
    if kind != Single && engine == EngineKind::Burn {
        fields.push(Field::new(
            "strategy.offload",
            "Offload",
            "The optimizer’s state lies in the machine’s own memory instead of the device’s, which then has room for more.",
            FieldKind::Flag { default: false },
        ));
    }
    Some(Section { title: "Strategy", about: "how the work of the training is divided", fields })
}

fn option(kind: StrategyKind, engine: EngineKind) -> Choice {
    let what = match kind {
        StrategyKind::Single => "one device does everything",
        StrategyKind::DataParallel => "replicas share each batch",
        StrategyKind::Pipeline => "layers are cut into stages",
        StrategyKind::Zero => "replicas divide what they hold",
        StrategyKind::Hybrid => "stages, each with replicas",
    };
    let (name, off) = (kind.as_str(), !engine.strategies().contains(&kind));
    let title = if off { format!("{name} (not with {})", engine.title()) } else { format!("{name}: {what}") };
    Choice { off, ..Choice::titled(name, title) }
}

fn schedule(engine: EngineKind) -> Field {
    let fixed = engine == EngineKind::Torchgpipe;
    let option = |(name, title): &(&'static str, &'static str)| {
        let off = fixed && *name != "gpipe";
        let why = if off { " (not with torchgpipe)" } else { "" };
        Choice { off, ..Choice::titled(name, format!("{title}{why}")) }
    };
    Field::new(
        "strategy.schedule",
        "Schedule",
        "The order of forward and backward passes; it changes waiting and memory, and no number of the result.",
        FieldKind::Choice { options: SCHEDULES.iter().map(option).collect(), default: "1f1b".to_owned() },
    )
}
