//! The sections of engine and strategy: what computes, and how its work is divided.

use recspeed_types::ExperimentSpec;
use recspeed_types::limits::{MAX_CHUNKS, MAX_MICRO_BATCHES, MAX_RANKS, MAX_THREADS};
use recspeed_types::spec::{Device, EngineKind, PipelineSchedule, StrategyKind, TableSharding};

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
        "Every one takes the same steps as one device, within rounding; what differs is who computes and holds what.",
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
    if kind == Hybrid && matches!(spec.recommender.kind.as_str(), "mlp" | "densenet") {
        let help = "Ranks that share each layer: each holds a part of its numbers.";
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
    // What is set where it does not belong stays in sight, to be taken away.
    if keeps_whole(spec) || strategy.persistence_threshold.is_some() {
        let help =
            "Tensors of up to so many numbers stay whole on every rank; 0 divides all. Empty for DeepSpeed’s 100,000.";
        let takes = FieldKind::Integer { min: 0, max: u32::MAX.into(), default: None };
        fields.push(Field::new(KEPT_WHOLE, "Persistence threshold", help, takes));
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
        fields.push(recompute(engine, kind));
    }
    if kind != Single && TableSharding::suits(&spec.recommender.kind) {
        fields.push(tables());
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

const KEPT_WHOLE: &str = "strategy.persistence_threshold";

/// Whether small tensors may stay whole on every rank: only DeepSpeed's ZeRO 3 has that.
pub(super) fn keeps_whole(spec: &ExperimentSpec) -> bool {
    let strategy = &spec.strategy;
    spec.engine.kind == EngineKind::Deepspeed && strategy.kind == StrategyKind::Zero && strategy.stage == Some(3)
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

fn tables() -> Field {
    let option = |sharding: TableSharding| {
        let what = match sharding {
            TableSharding::RowWise => "some of the rows on each rank",
            TableSharding::TableWise => "users, items and each attribute on one rank each",
            TableSharding::ColumnWise => "some of the numbers of every row on each rank",
        };
        Choice::titled(sharding.as_str(), format!("{}: {what}", sharding.as_str()))
    };
    Field::new(
        "strategy.tables",
        "Tables",
        "How all ranks divide the vectors of users, items and words. Looked-up vectors and their gradients travel, nothing else.",
        FieldKind::Choice {
            options: TableSharding::ALL.map(option).to_vec(),
            default: TableSharding::default().as_str().to_owned(),
        },
    )
}

fn schedule(engine: EngineKind) -> Field {
    let only = engine.only_schedule().map(|only| if only == PipelineSchedule::Gpipe { "gpipe" } else { "1f1b" });
    let option = |(name, title): &(&'static str, &'static str)| {
        titled(name, title, only.is_some_and(|only| only != *name), engine)
    };
    Field::new(
        "strategy.schedule",
        "Schedule",
        "The order of forward and backward passes; it changes waiting and memory, and no number of the result.",
        FieldKind::Choice { options: SCHEDULES.iter().map(option).collect(), default: "1f1b".to_owned() },
    )
}

/// DeepSpeed computes again in pipelines alone, and then in all micro-batches.
fn recompute(engine: EngineKind, kind: StrategyKind) -> Field {
    let lacks = |name: &str| match name {
        "never" => false,
        "always" => kind != StrategyKind::Pipeline,
        _ => true,
    };
    let option = |(name, title): &(&'static str, &'static str)| {
        titled(name, title, engine == EngineKind::Deepspeed && lacks(name), engine)
    };
    Field::new(
        "strategy.recompute",
        "Recompute",
        "Forward passes that are computed again in the backward pass instead of being kept.",
        FieldKind::Choice { options: RECOMPUTES.iter().map(option).collect(), default: "never".to_owned() },
    )
}

/// An option that stands in the list, and cannot be chosen where the engine lacks it.
fn titled(name: &str, title: &str, off: bool, engine: EngineKind) -> Choice {
    let why = if off { format!(" (not with {})", engine.title()) } else { String::new() };
    Choice { off, ..Choice::titled(name, format!("{title}{why}")) }
}

#[cfg(test)]
mod tests {
    use recspeed_types::{decode_permalink, encode_permalink};

    use super::super::edit::{get, set, with_kind};
    use super::*;

    fn tables_of(spec: &ExperimentSpec) -> Option<Field> {
        strategy(spec)?.fields.into_iter().find(|field| field.path == "strategy.tables")
    }

    #[test]
    fn of_schedules_and_recomputations_a_list_offers_those_that_the_engine_has_and_no_others() {
        for engine in [EngineKind::Burn, EngineKind::Deepspeed, EngineKind::Torchgpipe] {
            for kind in engine.strategies() {
                let spec = with_kind(&ExperimentSpec::default(), "engine.kind", engine.as_str()).unwrap();
                let spec = with_kind(&spec, "strategy.kind", kind.as_str()).unwrap();
                for field in strategy(&spec).unwrap().fields {
                    let FieldKind::Choice { options, .. } = &field.kind else { continue };
                    if field.path != "strategy.schedule" && field.path != "strategy.recompute" {
                        continue;
                    }
                    for option in options {
                        let chosen = set(&spec, &field.path, Some(option.value.as_str().into())).unwrap();
                        let refused = chosen.resolve().err();
                        assert_eq!(refused.is_some(), option.off, "{engine:?} {kind:?} {}: {refused:?}", option.value);
                    }
                }
            }
        }
    }

    #[test]
    fn what_stays_whole_is_asked_exactly_where_a_spec_may_say_it_and_wherever_one_does() {
        let asked = |spec: &ExperimentSpec| strategy(spec).unwrap().fields.iter().any(|field| field.path == KEPT_WHOLE);
        let mut times = 0;
        for engine in [EngineKind::Burn, EngineKind::Deepspeed, EngineKind::Torchgpipe] {
            let spec = with_kind(&ExperimentSpec::default(), "engine.kind", engine.as_str()).unwrap();
            for kind in engine.strategies() {
                let spec = with_kind(&spec, "strategy.kind", kind.as_str()).unwrap();
                for stage in [None, Some(1), Some(2), Some(3)] {
                    let spec = set(&spec, "strategy.stage", stage.map(Into::into)).unwrap();
                    if spec.resolve().is_err() {
                        continue;
                    }
                    let told = set(&spec, KEPT_WHOLE, Some(0.into())).unwrap();
                    assert_eq!(asked(&spec), told.resolve().is_ok(), "{engine:?} {kind:?} {stage:?}");
                    assert!(asked(&told), "{engine:?} {kind:?} {stage:?}: what is set can be taken away");
                    times += u32::from(asked(&spec));
                }
            }
        }
        assert_eq!(times, 1);
    }

    #[test]
    fn what_stays_whole_goes_with_another_engine_or_strategy_and_the_other_numbers_stay() {
        let spec = with_kind(&ExperimentSpec::default(), "engine.kind", "deepspeed").unwrap();
        let spec = with_kind(&spec, "strategy.kind", "zero").unwrap();
        let spec = set(&spec, "strategy.stage", Some(3.into())).unwrap();
        let spec = set(&spec, "strategy.ranks", Some(4.into())).unwrap();
        let spec = set(&spec, KEPT_WHOLE, Some(0.into())).unwrap();
        assert_eq!(spec.resolve().err(), None);
        for (path, other) in [("engine.kind", "burn"), ("strategy.kind", "data-parallel")] {
            let other = with_kind(&spec, path, other).unwrap();
            assert_eq!((get(&other, KEPT_WHOLE), get(&other, "strategy.ranks")), (None, Some(4.into())), "{path}");
            assert_eq!(other.resolve().err(), None, "{path}");
        }
    }

    #[test]
    fn whoever_divides_a_network_with_tables_says_how_and_nobody_else_is_asked() {
        for (recommender, asked) in [("dlrm", true), ("sasrec", true), ("mlp", false), ("densenet", false)] {
            let spec = with_kind(&ExperimentSpec::default(), "recommender.kind", recommender).unwrap();
            for kind in StrategyKind::ALL {
                let spec = with_kind(&spec, "strategy.kind", kind.as_str()).unwrap();
                assert_eq!(
                    tables_of(&spec).is_some(),
                    asked && kind != StrategyKind::Single,
                    "{recommender}, {kind:?}"
                );
            }
        }
    }

    #[test]
    fn a_way_to_divide_tables_comes_back_from_the_toml_and_from_a_link_and_goes_with_the_tables() {
        let spec = with_kind(&ExperimentSpec::default(), "recommender.kind", "dlrm").unwrap();
        let spec = with_kind(&spec, "strategy.kind", "zero").unwrap();
        let field = tables_of(&spec).unwrap();
        let FieldKind::Choice { options, default } = &field.kind else { panic!("{field:?}") };
        assert_eq!(default, "row-wise");
        for option in options {
            let value = field.kind.parse(&option.value).unwrap();
            let chosen = set(&spec, &field.path, value).unwrap();
            chosen.resolve().unwrap();
            assert_eq!(ExperimentSpec::from_toml(&chosen.to_toml()).unwrap(), chosen);
            let linked = decode_permalink(&encode_permalink(&chosen).unwrap()).unwrap();
            assert_eq!(linked.resolve().unwrap().strategy.tables.as_str(), option.value);
            assert_eq!(get(&chosen, &field.path), Some(option.value.as_str().into()));
            for other in ["mlp", "popularity", "neumf"] {
                let other = with_kind(&chosen, "recommender.kind", other).unwrap();
                assert_eq!((get(&other, &field.path), other.resolve().err()), (None, None));
            }
        }
        // More ranks than columns: told at the field.
        let narrow = set(&spec, "recommender.embedding", Some(1.into())).unwrap();
        let narrow = set(&narrow, &field.path, Some("column-wise".into())).unwrap();
        assert!(narrow.resolve().unwrap_err().0.iter().any(|error| error.path == field.path));
    }
}
