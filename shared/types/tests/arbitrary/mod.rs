//! Strategies for specs: every one that [`valid_spec`] draws passes `resolve`.

// Each test program uses its own part of this module.
#![allow(dead_code)]

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::strategy::Strategy;
use recspeed_types::builtin;
use recspeed_types::catalogue::{self, Entry, Param, ParamKind, Slot};
use recspeed_types::limits::*;
use recspeed_types::metric::{Direction, METRIC_KINDS, MetricKind};
use recspeed_types::spec::*;
use recspeed_types::{ExperimentSpec, MetricName};

/// A text of `1..=max` characters of every kind that a field may hold: letters, marks, emoji, quotes, backslashes.
fn text(min: usize, max: usize) -> impl Strategy<Value = String> {
    let character = prop_oneof![
        4 => proptest::char::range('!', '~'),
        1 => Just(' '),
        2 => any::<char>().prop_filter("no control characters", |c| !c.is_control()),
    ];
    vec(character, min..=max).prop_map(|chars| chars.into_iter().collect())
}

/// A number of `low..=high` with an exponent anywhere between theirs, the ends included.
fn number(low: f64, high: f64) -> BoxedStrategy<f64> {
    prop_oneof![
        6 => low..high,
        2 => (0.0..1.0f64).prop_map(move |t| (low + (high - low) * t.powi(12)).clamp(low, high)),
        1 => Just(low),
        1 => Just(high),
    ]
    .boxed()
}

fn format() -> impl Strategy<Value = DataFormat> {
    proptest::sample::select(DataFormat::ALL.as_slice())
}

fn source(longest_path: usize) -> impl Strategy<Value = DatasetSpec> {
    let builtin = proptest::sample::select(builtin::ids()).prop_map(DatasetSpec::builtin);
    let bad_share = || option::of(number(0.0, 1.0));
    let path = move || text(1, longest_path);
    let name = || option::of(text(1, 40));
    let columns = move || {
        option::of((name(), name(), name(), name()).prop_map(|(user, item, rating, timestamp)| ColumnNames {
            user,
            item,
            rating,
            timestamp,
        }))
    };
    let of_table = |columns: Option<ColumnNames>, format: DataFormat| {
        columns.filter(|columns| format.is_table() && *columns != ColumnNames::default())
    };
    let file = (path(), format(), columns(), option::of(path()), option::of(path()), bad_share()).prop_map(
        move |(path, format, columns, items, users, max_bad_share)| DatasetSpec {
            columns: of_table(columns, format),
            items,
            users,
            max_bad_share,
            ..DatasetSpec::file(&path, format)
        },
    );
    let upload =
        ("[0-9a-f]{64}", format(), columns(), bad_share()).prop_map(move |(hash, format, columns, max_bad_share)| {
            DatasetSpec { columns: of_table(columns, format), max_bad_share, ..DatasetSpec::upload(&hash, format) }
        });
    prop_oneof![builtin, file, upload]
}

fn dataset(longest_path: usize) -> impl Strategy<Value = DatasetSpec> {
    let filters = (
        option::of(1..=1_000_000u32),
        option::of(1..=1_000_000u32),
        option::of(1..=u64::from(u32::MAX)),
        option::of(number(-1e6, 1e6)),
    );
    (source(longest_path), filters).prop_map(|(source, (min_user, min_item, sample, implicit_threshold))| DatasetSpec {
        min_user,
        min_item,
        sample,
        implicit_threshold,
        ..source
    })
}

fn split() -> impl Strategy<Value = SplitSpec> {
    let fit_on = option::of(proptest::sample::select([FitOn::Train, FitOn::TrainValidation].as_slice()));
    let ratios = (
        proptest::sample::select(SplitKind::ALL.into_iter().filter(|kind| kind.has_ratios()).collect::<Vec<_>>()),
        option::of(number(0.001, 0.499)),
        option::of(number(0.001, 0.5)),
        fit_on.clone(),
    )
        .prop_map(|(kind, test_ratio, validation_ratio, fit_on)| SplitSpec {
            test_ratio,
            validation_ratio,
            fit_on: fit_on.filter(|_| validation_ratio.is_some()),
            ..SplitSpec::of(kind)
        });
    let last = (option::of(any::<bool>()), fit_on).prop_map(|(validation, fit_on)| SplitSpec {
        validation,
        fit_on: fit_on.filter(|_| validation == Some(true)),
        ..SplitSpec::of(SplitKind::LeaveLastOut)
    });
    let first = option::of(1..=MAX_FIRST_N).prop_map(|n| SplitSpec { n, ..SplitSpec::of(SplitKind::PerUserFirstN) });
    let folds = (
        proptest::sample::select([SplitKind::ContiguousFold, SplitKind::KFold].as_slice()),
        (2..=MAX_FOLDS).prop_flat_map(|folds| (Just(folds), option::of(1..=folds))),
    )
        .prop_map(|(kind, (folds, fold))| SplitSpec { folds: Some(folds), fold, ..SplitSpec::of(kind) });
    prop_oneof![ratios, last, first, folds]
}

fn param(kind: &'static ParamKind) -> BoxedStrategy<ParamValue> {
    match kind {
        ParamKind::Integer { min, max, .. } => (*min..=*max).prop_map(ParamValue::Integer).boxed(),
        ParamKind::Float { min, max, .. } => number(*min, *max).prop_map(ParamValue::Float).boxed(),
        ParamKind::Boolean { .. } => any::<bool>().prop_map(ParamValue::Boolean).boxed(),
        ParamKind::Choice { options, .. } => {
            proptest::sample::select(*options).prop_map(|name| ParamValue::Text(name.to_owned())).boxed()
        }
        ParamKind::Integers { min, max, max_len, .. } => {
            vec(*min..=*max, 1..=*max_len).prop_map(ParamValue::Integers).boxed()
        }
        ParamKind::Names { max_len, .. } => vec("[a-z_]{1,12}", 0..=*max_len).prop_map(ParamValue::Names).boxed(),
        // Components with parameters of their own, one level deep: enough to meet every branch.
        ParamKind::Recommenders { min_len, max_len, .. } => (*min_len..=*max_len)
            .prop_flat_map(move |len| (0..len).map(|index| component(kind.slot(index).unwrap())).collect::<Vec<_>>())
            .prop_map(ParamValue::Recommenders)
            .boxed(),
    }
}

fn holds_others(entry: &Entry) -> bool {
    entry.params.iter().any(|param| matches!(param.kind, ParamKind::Recommenders { .. }))
}

fn component(slot: &'static Slot) -> BoxedStrategy<RecommenderSpec> {
    let flat = |entry: &&'static Entry| slot.takes.allows(entry) && !holds_others(entry);
    let flat: Vec<&'static Entry> = catalogue::ENTRIES.iter().copied().filter(flat).collect();
    proptest::sample::select(flat).prop_flat_map(|entry| recommender(entry, slot.params)).boxed()
}

fn recommender(entry: &'static Entry, of_place: &'static [Param]) -> BoxedStrategy<RecommenderSpec> {
    let mut strategy = Just(RecommenderSpec::new(entry.kind)).boxed();
    for parameter in entry.params.iter().chain(of_place) {
        let usual = Just(parameter.default_value());
        let value = option::of(prop_oneof![3 => param(&parameter.kind), 1 => usual]);
        strategy = (strategy, value)
            .prop_map(|(spec, value)| match value {
                Some(value) => spec.with(parameter.name, value),
                None => spec,
            })
            .boxed();
    }
    strategy
}

/// Without what is impossible together, or without validation rows to learn weights from.
fn possible(mut spec: RecommenderSpec, steered: bool) -> RecommenderSpec {
    spec.params.retain(|name, value| steered || name != "weights" || *value != ParamValue::Text("learnt".to_owned()));
    if let Some(ParamValue::Recommenders(components)) = spec.params.get_mut("components") {
        // Weights that are all 0 mean nothing.
        components[0].params.retain(|name, value| name != "weight" || *value != ParamValue::Float(0.0));
        // Hybrids of features make an attribute that the component must read, and name where it names any.
        if spec.kind.starts_with("feature-") {
            for component in components.iter_mut() {
                component.params.retain(|name, _| !["attributes", "item_attributes", "side"].contains(&name.as_str()));
            }
        }
        *components = components.drain(..).map(whose_heads_divide).collect();
    }
    whose_heads_divide(spec)
}

/// Factors that have as many parts as there are heads.
fn whose_heads_divide(mut spec: RecommenderSpec) -> RecommenderSpec {
    if let Some(ParamValue::Integer(heads)) = spec.params.get("heads").cloned() {
        let factors = match spec.value("factors") {
            Some(ParamValue::Integer(factors)) => (factors / heads).max(1) * heads,
            _ => heads,
        };
        spec.params.insert("factors".to_owned(), ParamValue::Integer(factors));
    }
    spec
}

fn training(entry: &'static Entry, steered: bool) -> BoxedStrategy<TrainingSpec> {
    if entry.losses.is_empty() {
        return Just(TrainingSpec::default()).boxed();
    }
    let patience = if steered { option::of(1..=MAX_EPOCHS).boxed() } else { Just(None).boxed() };
    (
        (option::of(1..=MAX_EPOCHS), option::of(1..=MAX_BATCH_SIZE)),
        option::of(proptest::sample::select(Optimizer::ALL.as_slice())),
        option::of(number(1e-9, 1e3)),
        option::of(number(0.0, 1e3)),
        option::of(proptest::sample::select(entry.losses)),
        patience,
        option::of(number(1e-9, 1e9)),
        option::of(Just(Precision::F32)),
    )
        .prop_map(
            |((epochs, batch_size), optimizer, learning_rate, weight_decay, loss, early_stopping, clip, precision)| {
                TrainingSpec {
                    epochs,
                    batch_size,
                    optimizer,
                    learning_rate,
                    weight_decay,
                    loss,
                    early_stopping,
                    gradient_clip: clip,
                    precision,
                }
            },
        )
        .boxed()
}

fn evaluation(entry: &'static Entry) -> impl Strategy<Value = EvaluationSpec> {
    let kinds: Vec<_> = METRIC_KINDS
        .into_iter()
        .filter(|m| {
            (m.at_k() || entry.predicts.has_ratings()) && (!m.of_probabilities() || entry.predicts.has_probabilities())
        })
        .collect();
    let metric = (proptest::sample::select(kinds), 1..=MAX_K).prop_map(|(kind, k)| match kind {
        // A list of one item has no pairs.
        MetricKind::Diversity => MetricName::at(kind, k.max(2)),
        kind if kind.at_k() => MetricName::at(kind, k),
        kind => MetricName::plain(kind),
    });
    let metrics = vec(metric, 1..=MAX_METRICS).prop_map(|metrics| {
        let mut once = Vec::new();
        for metric in metrics {
            if !once.contains(&metric) {
                once.push(metric);
            }
        }
        once
    });
    let candidates = proptest::sample::select(Candidates::EVERY.as_slice());
    let drawn = || option::of(1..=u64::from(u32::MAX));
    (metrics, candidates, number(-1e6, 1e6), drawn(), drawn()).prop_map(
        |(metrics, candidates, threshold, max_users, sampled)| {
            // What describes lists among all items is refused among drawn ones.
            let of_lists = |metric: &MetricName| metric.kind.at_k() && metric.kind.direction() == Direction::Neither;
            let describes_no_lists = !metrics.iter().any(of_lists);
            EvaluationSpec {
                metrics,
                candidates,
                threshold,
                max_users,
                sampled: sampled.filter(|_| describes_no_lists),
                ..EvaluationSpec::default()
            }
        },
    )
}

fn engine() -> impl Strategy<Value = EngineSpec> {
    (proptest::sample::select([Device::Flex, Device::Browser].as_slice()), option::of(1..=MAX_THREADS))
        .prop_map(|(device, threads)| EngineSpec { device, threads, ..EngineSpec::default() })
}

fn spec(longest_path: usize) -> impl Strategy<Value = ExperimentSpec> {
    let seeds = (0..=MAX_SEED, option::of(0..=MAX_SEED));
    let head = (text(0, MAX_NAME_CHARS), seeds, dataset(longest_path), engine());
    (head, split(), proptest::sample::select(catalogue::ENTRIES)).prop_flat_map(
        |((name, (seed, data_seed), dataset, engine), split, entry)| {
            let validation = split.validation_ratio.is_some() || split.validation == Some(true);
            let steered = validation && split.fit_on != Some(FitOn::TrainValidation);
            let recommender = recommender(entry, &[]).prop_map(move |spec| possible(spec, steered));
            (recommender, training(entry, steered), evaluation(entry)).prop_map(
                move |(recommender, training, evaluation)| ExperimentSpec {
                    name: name.clone(),
                    seed,
                    data_seed,
                    dataset: dataset.clone(),
                    split: split.clone(),
                    recommender,
                    training,
                    engine: engine.clone(),
                    evaluation,
                    ..ExperimentSpec::default()
                },
            )
        },
    )
}

/// Any spec that `resolve` accepts.
pub(crate) fn valid_spec() -> impl Strategy<Value = ExperimentSpec> {
    spec(MAX_PATH_CHARS)
}

/// Any spec that the page can make. The page reads no files by path, so only the text beside it can hold one; those are
/// paths of ordinary length.
pub(crate) fn page_spec() -> impl Strategy<Value = ExperimentSpec> {
    // Letters that nothing packs, in the name and in three paths at once: what a person writes is packed to a third.
    spec(60)
}
