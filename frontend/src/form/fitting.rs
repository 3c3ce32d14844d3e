//! What one choice makes of the others, so that choosing from a list never leads to an error.

use recspeed_types::ExperimentSpec;
use recspeed_types::spec::{
    Device, EngineKind, Optimizer, PipelineSchedule, StrategyKind, StrategySpec, TableSharding,
};

use super::computing;
use super::edit::set;

/// Whether the value at a path decides which other fields there are.
pub(crate) fn decides(path: &str) -> bool {
    matches!(path, "split.kind" | "split.fit_on" | "engine.kind" | "strategy.kind" | "strategy.schedule")
}

/// The spec with another engine, strategy or schedule; `None` when `value` names none.
pub(super) fn with_computing(spec: &ExperimentSpec, path: &str, value: &str) -> Option<ExperimentSpec> {
    // Read as whatever is typed, which knows the names.
    let named = set(spec, path, Some(value.into())).ok()?;
    let mut next = spec.clone();
    match path {
        "engine.kind" => next.engine.kind = named.engine.kind,
        "strategy.kind" => next.strategy = of_kind(&spec.strategy, named.strategy.kind),
        "strategy.schedule" => next.strategy.schedule = named.strategy.schedule,
        _ => return None,
    }
    fit(&mut next);
    Some(next)
}

/// Gives the spec an engine that trains its recommender, and a strategy that both allow.
pub(super) fn fit(spec: &mut ExperimentSpec) {
    let recommender = spec.recommender.kind.as_str();
    if !spec.engine.kind.trains(recommender) {
        spec.engine.kind = EngineKind::default();
    }
    let engine = spec.engine.kind;
    if engine.is_reference() {
        spec.training.early_stopping = None;
    }
    // Keras decays apart from the gradient, whatever the optimizer.
    if engine == EngineKind::Tensorflow && spec.training.optimizer != Some(Optimizer::Adamw) {
        spec.training.weight_decay = None;
    }
    if !computing::keeps_whole(spec) {
        spec.strategy.persistence_threshold = None;
    }
    let strategy = &mut spec.strategy;
    if !(engine.strategies().contains(&strategy.kind) && strategy.kind.suits(recommender)) {
        *strategy = StrategySpec::default();
    }
    if !TableSharding::suits(recommender) {
        strategy.tables = None;
    }
    if let Some(only) = engine.only_schedule().filter(|_| strategy.kind == StrategyKind::Pipeline) {
        strategy.schedule = Some(only);
        strategy.balance = None;
    }
    if strategy.schedule != Some(PipelineSchedule::Interleaved) {
        strategy.chunks = None;
    }
    if is_refused(spec, "strategy.recompute") {
        spec.strategy.recompute = None;
    }
    if is_refused(spec, "strategy") {
        // Numbers that belong to another model or another kind.
        let StrategySpec { kind, schedule, .. } = spec.strategy;
        spec.strategy = StrategySpec { kind, schedule, ..StrategySpec::default() };
    }
    if is_refused(spec, "engine.device") {
        spec.engine.device = Device::default();
    }
}

/// What another kind understands too; a field that is not named here stays, and goes with the numbers where it is refused.
fn of_kind(old: &StrategySpec, kind: StrategyKind) -> StrategySpec {
    use StrategyKind::{Hybrid, Pipeline, Single, Zero};
    if kind == Single {
        return StrategySpec::default();
    }
    let mut next = StrategySpec { kind, ..old.clone() };
    if kind == Pipeline {
        next.ranks = None;
    }
    if kind != Hybrid {
        next.tensor = None;
    }
    if !matches!(kind, Pipeline | Hybrid) {
        (next.stages, next.schedule, next.chunks, next.balance) = (None, None, None, None);
    }
    if !matches!(kind, Zero | Hybrid) {
        next.stage = None;
    }
    next
}

fn is_refused(spec: &ExperimentSpec, path: &str) -> bool {
    spec.resolve().is_err_and(|errors| errors.0.iter().any(|error| error.path.starts_with(path)))
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::kinds;

    use super::super::edit::{get, with_kind};
    use super::*;

    fn engines() -> impl Iterator<Item = EngineKind> {
        [EngineKind::Burn].into_iter().chain(EngineKind::REFERENCES)
    }

    /// The spec after a choice that its list offers.
    fn chosen(spec: &ExperimentSpec, path: &str, value: &str) -> ExperimentSpec {
        with_kind(spec, path, value).unwrap_or_else(|| panic!("{path} takes no `{value}`"))
    }

    #[test]
    fn choosing_any_engine_strategy_and_schedule_in_any_order_never_leads_to_an_error() {
        let densenet = chosen(&ExperimentSpec::default(), "recommender.kind", "densenet");
        for start in [ExperimentSpec::default(), densenet] {
            for engine in engines() {
                let first = chosen(&start, "engine.kind", engine.as_str());
                for strategy in engine.strategies() {
                    let mut spec = chosen(&first, "strategy.kind", strategy.as_str());
                    for number in ["stages", "ranks", "micro_batches", "chunks"] {
                        let path = format!("strategy.{number}");
                        let larger = set(&spec, &path, Some(4.into())).unwrap();
                        if larger.resolve().is_ok() {
                            spec = larger;
                        }
                    }
                    assert_eq!(spec.resolve().err(), None, "{engine:?} {strategy:?}");
                    for other in engines() {
                        let spec = chosen(&spec, "engine.kind", other.as_str());
                        assert_eq!(spec.resolve().err(), None, "{engine:?} {strategy:?} → {other:?}");
                        assert_eq!(spec.engine.kind, other);
                    }
                    for other in StrategyKind::ALL {
                        let spec = chosen(&chosen(&spec, "engine.kind", "burn"), "strategy.kind", other.as_str());
                        assert_eq!(spec.resolve().err(), None, "{strategy:?} → {other:?}");
                        for schedule in ["interleaved", "gpipe", "zb-h1", "1f1b"] {
                            if matches!(other, StrategyKind::Pipeline | StrategyKind::Hybrid) {
                                let spec = chosen(&spec, "strategy.schedule", schedule);
                                assert_eq!(spec.resolve().err(), None, "{other:?} {schedule}");
                                assert_eq!(get(&spec, "strategy.schedule"), Some(schedule.into()));
                            }
                        }
                    }
                    for kind in kinds() {
                        let spec = chosen(&spec, "recommender.kind", kind);
                        assert_eq!(spec.resolve().err(), None, "{engine:?} {strategy:?} → {kind}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_new_engine_and_strategy_understand_stays() {
        let spec = chosen(&ExperimentSpec::default(), "strategy.kind", "pipeline");
        let spec = set(&spec, "strategy.micro_batches", Some(8.into())).unwrap();
        let lent = chosen(&spec, "engine.kind", "torchgpipe");
        assert_eq!((lent.strategy.kind, lent.strategy.micro_batches), (StrategyKind::Pipeline, Some(8)));
        assert_eq!(lent.strategy.schedule, Some(PipelineSchedule::Gpipe));
        let lent = chosen(&lent, "engine.kind", "deepspeed");
        assert_eq!((lent.strategy.kind, lent.strategy.micro_batches), (StrategyKind::Pipeline, Some(8)));
        assert_eq!(lent.strategy.schedule, Some(PipelineSchedule::OneForwardOneBackward));
        // What another engine does not recompute takes only that word with it.
        let again = |how: &str| set(&spec, "strategy.recompute", Some(how.into())).unwrap();
        for (how, kind, stays) in
            [("always", "pipeline", Some("always")), ("except-last", "pipeline", None), ("always", "zero", None)]
        {
            let lent = chosen(&chosen(&again(how), "engine.kind", "deepspeed"), "strategy.kind", kind);
            assert_eq!(lent.resolve().err(), None, "{how} {kind}");
            assert_eq!(lent.strategy.micro_batches, Some(8), "{how} {kind}");
            assert_eq!(get(&lent, "strategy.recompute"), stays.map(Into::into), "{how} {kind}");
        }
        assert_eq!(chosen(&spec, "engine.kind", "pytorch").strategy, StrategySpec::default());
        assert_eq!(chosen(&spec, "strategy.kind", "zero").strategy.micro_batches, Some(8));
        assert_eq!(with_kind(&spec, "engine.kind", "jax"), None);
        let decaying = set(&spec, "training.weight_decay", Some(0.1.into())).unwrap();
        let keras = |spec: &ExperimentSpec| chosen(spec, "engine.kind", "tensorflow");
        assert_eq!((keras(&decaying).resolve().err(), keras(&decaying).training.weight_decay), (None, None));
        let decoupled = set(&decaying, "training.optimizer", Some("adamw".into())).unwrap();
        assert_eq!((keras(&decoupled).resolve().err(), keras(&decoupled).training.weight_decay), (None, Some(0.1)));
    }
}
