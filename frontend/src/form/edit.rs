//! Changing one place of a spec, so that what remains still fits together.

use recspeed_types::catalogue::{self, Predicts};
use recspeed_types::spec::{
    DataFormat, DatasetSpec, EvaluationSpec, FitOn, Loss, RecommenderSpec, SpecParseError, SplitKind, SplitSpec,
    TrainingSpec,
};
use recspeed_types::{ExperimentSpec, MetricKind, MetricName};
use serde_json::Value;

use super::{fitting, recommenders};

/// The value at a path, when it is set.
pub(crate) fn get(spec: &ExperimentSpec, path: &str) -> Option<Value> {
    let mut place = serde_json::to_value(spec).ok()?;
    for part in path.split('.') {
        place = match part.parse::<usize>() {
            Ok(index) => place.get_mut(index)?.take(),
            Err(_) => place.get_mut(part)?.take(),
        };
    }
    (!place.is_null()).then_some(place)
}

/// The spec with another value at a path; `None` unsets it.
///
/// # Errors
/// [`SpecParseError`] when the value has a type that the place does not take.
pub(crate) fn set(spec: &ExperimentSpec, path: &str, value: Option<Value>) -> Result<ExperimentSpec, SpecParseError> {
    let mut spec = spec.clone();
    if let Some(path) = path.strip_prefix("recommender.") {
        recommenders::write_out(&mut spec.recommender, path);
    }
    let mut whole = serde_json::to_value(&spec).unwrap_or_default();
    let (sections, last) = path.rsplit_once('.').map_or((None, path), |(sections, last)| (Some(sections), last));
    let mut place = &mut whole;
    for section in sections.into_iter().flat_map(|sections| sections.split('.')) {
        if let Ok(index) = section.parse::<usize>() {
            match place.get_mut(index) {
                Some(element) => place = element,
                None => return Ok(spec),
            }
            continue;
        }
        if !place[section].is_object() && !place[section].is_array() {
            place[section] = Value::Object(serde_json::Map::new());
        }
        place = &mut place[section];
    }
    if let Some(object) = place.as_object_mut() {
        match value {
            Some(value) => object.insert(last.to_owned(), value),
            None => object.remove(last),
        };
    }
    ExperimentSpec::from_value(whole)
}

/// The spec with another kind of recommender, split, data set, engine or strategy: what belonged to the old kind and means nothing to the
/// new one goes, so that choosing from a list never leads to an error. `None` when `path` names no kind or `value` none
/// of its values.
pub(crate) fn with_kind(spec: &ExperimentSpec, path: &str, value: &str) -> Option<ExperimentSpec> {
    let mut next = spec.clone();
    match path {
        "recommender.kind" => {
            catalogue::find(value)?;
            if spec.recommender.kind != value {
                next.recommender = RecommenderSpec::new(value);
            }
            next = fitting_recommender(next)?;
        }
        "split.kind" => {
            let kind = SplitKind::ALL.into_iter().find(|kind| kind.as_str() == value)?;
            next.split = SplitSpec { kind, ..fitting(&spec.split, kind) };
            if !has_validation(&next.split) {
                next.split.fit_on = None;
                next.training.early_stopping = None;
            }
        }
        "split.fit_on" => {
            next = set(spec, path, Some(value.into())).ok()?;
            // What is learnt from cannot tell when to stop.
            if next.split.fit_on == Some(FitOn::TrainValidation) {
                next.training.early_stopping = None;
            }
        }
        "dataset" => next.dataset = dataset(&spec.dataset, value)?,
        "dataset.format" => {
            let format = DataFormat::ALL.into_iter().find(|format| format.as_str() == value)?;
            next.dataset.format = Some(format);
            // Only tables have named columns.
            next.dataset.columns = next.dataset.columns.filter(|_| format.is_table());
        }
        "engine.kind" | "strategy.kind" | "strategy.schedule" => next = fitting::with_computing(spec, path, value)?,
        _ => {
            let place = path.strip_prefix("recommender.")?.strip_suffix(".kind")?;
            recommenders::put(&mut next.recommender, place, value)?;
            next = fitting_recommender(next)?;
        }
    }
    Some(next)
}

/// The spec with a training, metrics, engine and strategy that its recommender understands.
pub(crate) fn fitting_recommender(mut spec: ExperimentSpec) -> Option<ExperimentSpec> {
    let trained = recommenders::trained(&spec.recommender);
    if trained.is_empty() {
        spec.training = TrainingSpec::default();
    } else {
        let allowed = |loss: &Loss| trained.iter().all(|entry| entry.losses.contains(loss));
        spec.training.loss = spec.training.loss.filter(allowed);
    }
    spec.evaluation = metrics_for(&spec.evaluation, spec.recommender.predicts()?);
    fitting::fit(&mut spec);
    Some(spec)
}

/// The numbers of a split that another kind understands too.
fn fitting(split: &SplitSpec, kind: SplitKind) -> SplitSpec {
    let mut kept = SplitSpec { fit_on: split.fit_on, ..SplitSpec::of(kind) };
    match kind {
        SplitKind::Random | SplitKind::PerUserRandom | SplitKind::GlobalTime | SplitKind::ColdItems => {
            kept.test_ratio = split.test_ratio;
            kept.validation_ratio = split.validation_ratio;
        }
        SplitKind::ContiguousFold | SplitKind::KFold => {
            kept.folds = split.folds;
            kept.fold = split.fold;
        }
        SplitKind::LeaveLastOut => kept.validation = split.validation,
        SplitKind::PerUserFirstN => kept.n = split.n,
    }
    kept
}

/// Whether a split, as written, holds rows out for validation.
pub(crate) fn has_validation(split: &SplitSpec) -> bool {
    split.validation_ratio.is_some() || split.validation == Some(true)
}

/// Metrics that the method can be measured by: a method of scores has no rating errors, so the usual ranking metrics take
/// their place; one that says who likes an item has errors of probabilities, so that the usual errors in stars give way to how well
/// it tells liked from not; and back.
fn metrics_for(evaluation: &EvaluationSpec, predicts: Predicts) -> EvaluationSpec {
    let mut next = evaluation.clone();
    match predicts {
        Predicts::Scores | Predicts::Components | Predicts::LastComponent => {
            next.metrics.retain(|name| !name.kind.of_ratings());
            if next.metrics.is_empty() {
                next.metrics = ranking_metrics();
            }
        }
        Predicts::Ratings | Predicts::Both => {
            if next.metrics == ranking_metrics() || next.metrics == likes_metrics() {
                next.metrics = EvaluationSpec::default().metrics;
            }
            next.metrics.retain(|name| !name.kind.of_probabilities());
            if next.metrics.is_empty() {
                next.metrics = EvaluationSpec::default().metrics;
            }
        }
        Predicts::Likes => {
            if next.metrics == ranking_metrics() || next.metrics == EvaluationSpec::default().metrics {
                next.metrics = likes_metrics();
            }
        }
    }
    next
}

/// What a ranking is measured by unless the reader chooses.
fn ranking_metrics() -> Vec<MetricName> {
    [MetricKind::Ndcg, MetricKind::Recall, MetricKind::Hit, MetricKind::Coverage]
        .map(|kind| MetricName::at(kind, 10))
        .to_vec()
}

/// What predictions of who likes an item are measured by unless the reader chooses.
fn likes_metrics() -> Vec<MetricName> {
    [MetricKind::Auc, MetricKind::LogLoss, MetricKind::Accuracy].map(MetricName::plain).to_vec()
}

/// `builtin:ID`, `upload:FORMAT:SHA256` or `file`, with the filters kept.
fn dataset(old: &DatasetSpec, value: &str) -> Option<DatasetSpec> {
    let new = match value.split(':').collect::<Vec<_>>()[..] {
        ["builtin", id] => DatasetSpec::builtin(id),
        ["upload", format, sha256] => {
            let format = DataFormat::ALL.into_iter().find(|f| f.as_str() == format)?;
            DatasetSpec::upload(sha256, format)
        }
        ["file"] => DatasetSpec::file("", DataFormat::AmazonCsv),
        _ => return None,
    };
    Some(with_filters_of(old, new))
}

/// The spec with another data set, under the filters of the old one.
pub(super) fn with_dataset(spec: &ExperimentSpec, dataset: DatasetSpec) -> ExperimentSpec {
    ExperimentSpec { dataset: with_filters_of(&spec.dataset, dataset), ..spec.clone() }
}

/// A data set with the filters of another one.
fn with_filters_of(old: &DatasetSpec, new: DatasetSpec) -> DatasetSpec {
    DatasetSpec {
        min_user: old.min_user,
        min_item: old.min_item,
        sample: old.sample,
        implicit_threshold: old.implicit_threshold,
        ..new
    }
}

/// The inverse of [`dataset`]: the choice that a data set stands for.
pub(crate) fn dataset_value(dataset: &DatasetSpec) -> String {
    use recspeed_types::spec::DataSource;
    let id = dataset.id.as_deref().unwrap_or_default();
    match dataset.source {
        DataSource::Builtin => format!("builtin:{id}"),
        DataSource::File => "file".to_owned(),
        DataSource::Upload => format!("upload:{}:{id}", dataset.format.map_or("amazon-csv", DataFormat::as_str)),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::kinds;
    use recspeed_types::spec::ColumnNames;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_was_set_is_read_back() {
        let spec = set(&ExperimentSpec::default(), "training.epochs", Some(json!(7))).unwrap();
        assert_eq!(get(&spec, "training.epochs"), Some(json!(7)));
        let spec = set(&spec, "training.epochs", None).unwrap();
        assert_eq!(spec, ExperimentSpec::default());
        assert_eq!(get(&spec, "training.epochs"), None);
    }

    #[test]
    fn a_wrong_type_names_its_place() {
        let error = set(&ExperimentSpec::default(), "training.epochs", Some(json!("x"))).unwrap_err();
        assert!(error.to_string().starts_with("training.epochs: "), "{error}");
    }

    #[test]
    fn choosing_any_kind_after_any_other_never_leads_to_an_error() {
        for first in kinds() {
            for second in kinds() {
                let spec = with_kind(&ExperimentSpec::default(), "recommender.kind", first).unwrap();
                let spec = set(&spec, "split.validation_ratio", Some(json!(0.1))).unwrap();
                let spec = with_kind(&spec, "recommender.kind", second).unwrap();
                for split in SplitKind::ALL {
                    let spec = with_kind(&spec, "split.kind", split.as_str()).unwrap();
                    assert_eq!(spec.resolve().err(), None, "{first} → {second}, {}", split.as_str());
                }
            }
        }
    }

    #[test]
    fn learning_from_the_validation_rows_too_leaves_none_to_stop_by() {
        let spec = set(&ExperimentSpec::default(), "split.validation_ratio", Some(json!(0.1))).unwrap();
        let spec = set(&spec, "training.early_stopping", Some(json!(5))).unwrap();
        let both = with_kind(&spec, "split.fit_on", "train-validation").unwrap();
        assert_eq!((both.resolve().err(), both.training.early_stopping), (None, None));
        let apart = with_kind(&spec, "split.fit_on", "train").unwrap();
        assert_eq!((apart.resolve().err(), apart.training.early_stopping), (None, Some(5)));
        assert_eq!(with_kind(&spec, "split.fit_on", "test"), None);
    }

    #[test]
    fn there_and_back_is_the_same_experiment() {
        let there = with_kind(&ExperimentSpec::default(), "recommender.kind", "als-implicit").unwrap();
        assert_eq!(with_kind(&there, "recommender.kind", "mlp").unwrap(), ExperimentSpec::default());
    }

    #[test]
    fn who_likes_an_item_is_measured_as_such_and_no_error_in_stars_stands_below_that_sentence() {
        let named = |spec: &ExperimentSpec| spec.evaluation.metrics.iter().map(ToString::to_string).collect::<Vec<_>>();
        let choose = |spec: &ExperimentSpec, kind: &str| with_kind(spec, "recommender.kind", kind).unwrap();
        let likes = choose(&ExperimentSpec::default(), "densenet");
        assert_eq!(named(&likes), ["auc", "log-loss", "accuracy"]);
        assert_eq!(named(&choose(&choose(&likes, "popularity"), "densenet")), ["auc", "log-loss", "accuracy"]);
        assert_eq!(choose(&likes, "mlp"), ExperimentSpec::default());
        // What the reader chose stays as far as another method can be measured by it.
        let chosen = set(&likes, "evaluation.metrics", Some(json!(["auc", "log-loss"]))).unwrap();
        let stars = choose(&chosen, "mlp");
        assert_eq!((named(&stars), stars.resolve().err()), (vec!["auc".to_owned()], None));
        let stars = set(&ExperimentSpec::default(), "evaluation.metrics", Some(json!(["rmse"]))).unwrap();
        assert_eq!(named(&choose(&stars, "densenet")), ["rmse"], "asked for by name");
    }

    #[test]
    fn another_format_of_a_file_leaves_no_names_of_columns_that_it_has_not() {
        let mut spec =
            ExperimentSpec { dataset: DatasetSpec::file("x", DataFormat::Parquet), ..ExperimentSpec::default() };
        spec.dataset.columns = Some(ColumnNames { user: Some("a".to_owned()), ..ColumnNames::default() });
        let arrow = with_kind(&spec, "dataset.format", "arrow").unwrap();
        assert_eq!((arrow.dataset.format, &arrow.dataset.columns), (Some(DataFormat::Arrow), &spec.dataset.columns));
        let recbole = with_kind(&spec, "dataset.format", "recbole").unwrap();
        assert_eq!((recbole.dataset.format, &recbole.dataset.columns), (Some(DataFormat::Recbole), &None));
        assert_eq!(recbole.resolve().err(), None);
        assert_eq!(with_kind(&spec, "dataset.format", "excel"), None);
    }

    #[test]
    fn filters_stay_with_another_data_set() {
        let spec = set(&ExperimentSpec::default(), "dataset.min_user", Some(json!(5))).unwrap();
        let spec = with_kind(&spec, "dataset", "builtin:beauty-synthetic").unwrap();
        assert_eq!(spec.dataset.min_user, Some(5));
        assert_eq!(dataset_value(&spec.dataset), "builtin:beauty-synthetic");
    }
}
