//! Which fields stand where: at most five knobs, everything else under *Advanced*, in the order of the spec.

use recspeed_types::ExperimentSpec;
use recspeed_types::catalogue::{self, Condition, Entry};
use recspeed_types::limits::{
    GRADIENT_CLIP, LEARNING_RATE, LIKED_FROM, MAX_BATCH_SIZE, MAX_DRAWN, MAX_EPOCHS, MAX_FILTER_ROWS, MAX_FIRST_N,
    MAX_FOLDS, MAX_SEED, WEIGHT_DECAY,
};
use recspeed_types::spec::{Candidates, DataFormat, DataSource, FitOn, Optimizer, SplitKind};

use super::edit::has_validation;
use super::recommenders::trained;
use super::{Choice, Field, FieldKind, Offer, computing};

/// Fields under a heading.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Section {
    /// The heading.
    pub title: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// The fields, in order.
    pub fields: Vec<Field>,
}

/// The knobs besides data set and recommender: three at most. A trained method shows its first parameter, epochs and
/// learning rate; any other its first three parameters; one without parameters the size of the test.
pub(crate) fn knobs(spec: &ExperimentSpec) -> Vec<Field> {
    let Some(entry) = catalogue::find(&spec.recommender.kind) else { return Vec::new() };
    // Without its path a file is nothing: it comes first.
    let file = spec.dataset.source == DataSource::File;
    let of_file = file.then(|| [path(), format()]).into_iter().flatten();
    let mut fields: Vec<Field> = of_file.chain(shown_params(entry).map(Field::of_param)).collect();
    if entry.is_trained() {
        fields.push(epochs(entry));
        fields.push(learning_rate(entry));
    }
    if fields.is_empty() && spec.split.kind.has_ratios() {
        fields.push(test_ratio());
    }
    fields
}

/// Every field that is no knob; `offer` is what the server has.
pub(crate) fn advanced(spec: &ExperimentSpec, offer: &Offer) -> Vec<Section> {
    let mut sections = Vec::new();
    let entry = catalogue::find(&spec.recommender.kind);
    if let Some(entry) = entry {
        let shown = shown_params(entry).count();
        let other = |param| with_condition(Field::of_param(param), spec, param.name);
        let rest: Vec<Field> = entry.params.iter().skip(shown).map(other).collect();
        if !rest.is_empty() {
            sections.push(Section { title: "Recommender", about: "its other parameters", fields: rest });
        }
        if entry.is_trained() {
            sections.push(training(entry, spec));
        } else if let Some(component) = trained(&spec.recommender).first() {
            let mut section = training(component, spec);
            section.fields.splice(0..0, [epochs(component), learning_rate(component)]);
            sections.push(section);
        }
    }
    sections.push(computing::engine(spec, offer));
    sections.extend(computing::strategy(spec));
    sections.push(data(spec));
    let mut split = split(spec);
    if entry.is_some_and(|e| e.params.is_empty() && !e.is_trained()) {
        split.fields.retain(|field| field.path != "split.test_ratio");
    }
    sections.push(split);
    sections.push(evaluation());
    sections.push(rest());
    sections
}

/// A field whose help says what it takes for anybody to read it, while nobody does.
fn with_condition(mut field: Field, spec: &ExperimentSpec, name: &str) -> Field {
    let recommender = &spec.recommender;
    let unread = |_: &&Condition| !recommender.reads(name, spec.training.loss);
    if let Some(condition) = Condition::of(&recommender.kind, name).filter(unread) {
        let words = condition.words("recommender");
        field.help = format!("{} Nothing reads it now: it counts only where {words}.", field.help).into();
    }
    field
}

fn shown_params(entry: &'static Entry) -> impl Iterator<Item = &'static catalogue::Param> {
    entry.params.iter().take(if entry.is_trained() { 1 } else { 3 })
}

fn epochs(entry: &Entry) -> Field {
    Field::new(
        "training.epochs",
        "Epochs",
        "Passes over the training rows.",
        FieldKind::Integer { min: 1, max: MAX_EPOCHS.into(), default: Some(entry.training_defaults().epochs.into()) },
    )
}

fn learning_rate(entry: &Entry) -> Field {
    Field::new(
        "training.learning_rate",
        "Learning rate",
        "Size of each step. Too small learns slowly, too large does not settle.",
        between(LEARNING_RATE, Some(entry.training_defaults().learning_rate)),
    )
}

const fn between((min, max): (f64, f64), default: Option<f64>) -> FieldKind {
    FieldKind::Number { min, max, default }
}

fn test_ratio() -> Field {
    Field::new(
        "split.test_ratio",
        "Test share",
        "Share of the ratings that is held out to the end.",
        FieldKind::Number { min: 0.0, max: 1.0, default: Some(0.2) },
    )
}

fn training(entry: &'static Entry, spec: &ExperimentSpec) -> Section {
    let names = |names: Vec<&str>| names.into_iter().map(Choice::plain).collect::<Vec<_>>();
    let losses: Vec<&str> = entry.losses.iter().map(|l| l.as_str()).collect();
    let mut fields = vec![
        Field::new(
            "training.batch_size",
            "Batch size",
            "Rows in one step: ratings, or people for networks that see all that a person has.",
            FieldKind::Integer {
                min: 1,
                max: MAX_BATCH_SIZE.into(),
                default: Some(entry.training_defaults().batch_size.into()),
            },
        ),
        Field::new(
            "training.optimizer",
            "Optimizer",
            "The rule that turns gradients into steps.",
            FieldKind::Choice {
                options: names(Optimizer::ALL.map(Optimizer::as_str).to_vec()),
                default: Optimizer::default().as_str().to_owned(),
            },
        ),
        Field::new(
            "training.loss",
            "Loss",
            "What is minimised, averaged over the ratings of a batch.",
            FieldKind::Choice {
                default: losses.first().copied().unwrap_or_default().to_owned(),
                options: names(losses),
            },
        ),
        Field::new(
            "training.weight_decay",
            "Weight decay",
            "Pull of every weight towards zero.",
            between(WEIGHT_DECAY, Some(0.0)),
        ),
        Field::new(
            "training.gradient_clip",
            "Gradient clip",
            "Largest norm of the whole gradient; empty for no bound.",
            between(GRADIENT_CLIP, None),
        ),
    ];
    // What is learnt from cannot tell when to stop; other frameworks take every epoch.
    let apart = has_validation(&spec.split) && spec.split.fit_on != Some(FitOn::TrainValidation);
    let stops = apart && !spec.engine.kind.is_reference();
    if stops || spec.training.early_stopping.is_some() {
        fields.push(Field::new(
            "training.early_stopping",
            "Early stopping",
            "Stop after this many epochs without a better validation loss, or list where the network ranks; empty for never.",
            FieldKind::Integer { min: 1, max: MAX_EPOCHS.into(), default: None },
        ));
    }
    Section { title: "Training", about: "how the network takes its steps", fields }
}

fn path() -> Field {
    Field::new(
        "dataset.path",
        "Path",
        "A file on the machine that runs the experiment; a relative path is looked up where the lab was started, then under RECSPEED_DATA.",
        FieldKind::Text,
    )
}

fn format() -> Field {
    Field::new(
        "dataset.format",
        "Format",
        "How the file is written. Gzip and zstd are recognised by themselves.",
        FieldKind::Choice {
            options: DataFormat::ALL.map(|f| Choice::titled(f.as_str(), f.title())).to_vec(),
            default: String::new(),
        },
    )
}

fn data(spec: &ExperimentSpec) -> Section {
    let mut fields = Vec::new();
    if spec.dataset.source == DataSource::Upload {
        fields.push(format());
    }
    if spec.dataset.source != DataSource::Builtin {
        fields.push(Field::new(
            "dataset.max_bad_share",
            "Bad lines",
            "Share of lines that may be unreadable before the run fails.",
            FieldKind::Number { min: 0.0, max: 1.0, default: Some(0.01) },
        ));
    }
    let at_least = |path, title, help| {
        Field::new(path, title, help, FieldKind::Integer { min: 1, max: MAX_FILTER_ROWS.into(), default: None })
    };
    fields.extend([
        at_least("dataset.min_user", "Ratings per user", "Keep only users with at least this many."),
        at_least("dataset.min_item", "Ratings per item", "Keep only items with at least this many."),
        Field::new(
            "dataset.sample",
            "Sample",
            "Keep this many ratings, drawn by the seed; empty for all.",
            FieldKind::Integer { min: 1, max: MAX_DRAWN.into(), default: None },
        ),
        Field::new(
            "dataset.implicit_threshold",
            "Keep only ratings from",
            "Drop ratings below this many stars: what remains counts as liked.",
            between(LIKED_FROM, None),
        ),
    ]);
    Section { title: "Data", about: "which ratings are used", fields }
}

fn split(spec: &ExperimentSpec) -> Section {
    let kind = spec.split.kind;
    let mut fields = vec![Field::new(
        "split.kind",
        "Rule",
        split_help(kind),
        FieldKind::Choice {
            options: SplitKind::ALL.map(|k| Choice::plain(k.as_str())).to_vec(),
            default: SplitKind::Random.as_str().to_owned(),
        },
    )];
    if kind.has_ratios() {
        fields.push(test_ratio());
        fields.push(Field::new(
            "split.validation_ratio",
            "Validation share",
            "Share of the ratings that steers the training; empty for none.",
            FieldKind::Number { min: 0.0, max: 1.0, default: None },
        ));
    }
    match kind {
        SplitKind::LeaveLastOut => fields.push(Field::new(
            "split.validation",
            "Validation",
            "Hold each user's second newest rating out to steer the training.",
            FieldKind::Flag { default: false },
        )),
        SplitKind::PerUserFirstN => fields.push(Field::new(
            "split.n",
            "First n",
            "Ratings of each user that are held out.",
            FieldKind::Integer { min: 1, max: MAX_FIRST_N.into(), default: Some(10) },
        )),
        SplitKind::ContiguousFold | SplitKind::KFold => {
            let folds = i64::from(spec.split.folds.unwrap_or(5));
            fields.push(Field::new(
                "split.folds",
                "Folds",
                "Number of parts.",
                FieldKind::Integer { min: 2, max: MAX_FOLDS.into(), default: Some(5) },
            ));
            fields.push(Field::new(
                "split.fold",
                "Test fold",
                "Which part is held out, from 1.",
                FieldKind::Integer { min: 1, max: folds, default: Some(1) },
            ));
        }
        SplitKind::Random | SplitKind::PerUserRandom | SplitKind::GlobalTime | SplitKind::ColdItems => {}
    }
    if has_validation(&spec.split) {
        fields.push(Field::new(
            "split.fit_on",
            "Learn from",
            "What the final recommender learns from.",
            FieldKind::Choice {
                options: ["train", "train-validation"].map(Choice::plain).to_vec(),
                default: "train".to_owned(),
            },
        ));
    }
    Section { title: "Split", about: "what is held out to test on", fields }
}

const fn split_help(kind: SplitKind) -> &'static str {
    match kind {
        SplitKind::Random => "Ratings drawn by the seed are held out.",
        SplitKind::PerUserRandom => "Of each user, ratings drawn by the seed are held out.",
        SplitKind::LeaveLastOut => "Of each user, the newest rating is held out.",
        SplitKind::PerUserFirstN => "Of each user, the first ratings of the file are held out.",
        SplitKind::ContiguousFold => "The file is cut into equal parts, and one of them is held out.",
        SplitKind::GlobalTime => "The newest ratings of all are held out.",
        SplitKind::KFold => "Ratings are dealt to folds by the seed, and one fold is held out.",
        SplitKind::ColdItems => "All ratings of items drawn by the seed are held out: nobody has rated them before.",
    }
}

fn evaluation() -> Section {
    Section {
        title: "Evaluation",
        about: "what is measured, and among which items",
        fields: vec![
            Field::new("evaluation.metrics", "Metrics", "Measured on the held-out ratings.", FieldKind::Metrics),
            Field::new(
                "evaluation.candidates",
                "Candidates",
                "Items that compete in each user's list: all items of the training set, less the user’s own with “unseen”; “unseen-and-cold” adds the items that nobody rated before, “cold” takes only those.",
                FieldKind::Choice {
                    options: Candidates::EVERY.map(|set| Choice::plain(set.as_str())).to_vec(),
                    default: "unseen".to_owned(),
                },
            ),
            Field::new(
                "evaluation.threshold",
                "Counts as liked from",
                "Stars from which a rating counts as liked, for accuracy.",
                between(LIKED_FROM, Some(4.0)),
            ),
            Field::new(
                "evaluation.max_users",
                "Users ranked",
                "Rank for at most this many users, drawn by the seed; empty for all. The result says so.",
                FieldKind::Integer { min: 1, max: MAX_DRAWN.into(), default: None },
            ),
            Field::new(
                "evaluation.sampled",
                "Sampled ranking",
                "Rank each user's test items among so many drawn items instead of all, as many papers did; empty for a full ranking. It flatters, and the result says so.",
                FieldKind::Integer { min: 1, max: MAX_DRAWN.into(), default: None },
            ),
        ],
    }
}

fn rest() -> Section {
    Section {
        title: "Name and seed",
        about: "what makes it repeatable",
        fields: vec![
            Field::new("name", "Name", "For people; shown in the run list.", FieldKind::Text),
            Field::new(
                "seed",
                "Seed",
                "Decides everything random: the same seed gives the same result.",
                FieldKind::Integer { min: 0, max: MAX_SEED as i64, default: Some(42) },
            ),
        ],
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::catalogue::kinds;
    use recspeed_types::spec::StrategyKind;

    use super::super::edit::{set, with_kind};
    use super::*;

    /// What the lab says about one field of a spec.
    fn complaint(spec: &ExperimentSpec, path: &str, value: serde_json::Value) -> Option<String> {
        let errors = match set(spec, path, Some(value)) {
            Ok(spec) => spec.resolve().err()?.0,
            Err(error) => error.into_errors().0,
        };
        errors.into_iter().find(|error| error.path == path && error.message.contains("allowed: ")).map(|e| e.message)
    }

    #[test]
    fn the_bounds_of_a_field_are_those_that_the_lab_checks() {
        for kind in ["mlp", "item-knn"] {
            let spec = with_kind(&ExperimentSpec::default(), "recommender.kind", kind).unwrap();
            let suiting = StrategyKind::ALL.into_iter().filter(|strategy| strategy.suits(kind));
            let splits = SplitKind::ALL.map(|split| ("split.kind", split.as_str()));
            for (path, choice) in suiting.map(|strategy| ("strategy.kind", strategy.as_str())).chain(splits) {
                let mut spec = with_kind(&spec, path, choice).unwrap();
                spec.split.validation_ratio = spec.split.kind.has_ratios().then_some(0.1);
                let rest = advanced(&spec, &Offer::default());
                for field in knobs(&spec).iter().chain(rest.iter().flat_map(|section| &section.fields)) {
                    let (bounds, beyond) = match field.kind {
                        FieldKind::Integer { min, max, .. } => {
                            ([min.into(), max.into()], [(min - 1).into(), (max + 1).into()])
                        }
                        // Shares of a split are open intervals.
                        FieldKind::Number { min, max, .. } if !field.path.starts_with("split.") => {
                            ([min.into(), max.into()], [(min - 1.0).into(), (max * 2.0).into()])
                        }
                        _ => continue,
                    };
                    for value in bounds {
                        assert_eq!(complaint(&spec, &field.path, value), None, "{}", field.path);
                    }
                    for value in beyond {
                        let refused = match set(&spec, &field.path, Some(value)) {
                            Ok(spec) => spec.resolve().is_err(),
                            Err(_) => true,
                        };
                        assert!(refused, "{}", field.path);
                    }
                }
            }
        }
    }

    #[test]
    fn no_two_settings_of_an_experiment_are_called_the_same() {
        let spec = ExperimentSpec::default();
        let rest = advanced(&spec, &Offer::default());
        let knobs = knobs(&spec);
        let all = knobs.iter().chain(rest.iter().flat_map(|section| &section.fields));
        let mut titles: Vec<&str> = all.map(|field| field.title.as_ref()).collect();
        for title in ["Keep only ratings from", "Counts as liked from"] {
            assert!(titles.contains(&title), "{titles:?}");
        }
        let number = titles.len();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), number, "{titles:?}");
    }

    #[test]
    fn a_parameter_that_nothing_reads_says_what_it_takes() {
        let help = |spec: &ExperimentSpec| {
            let sections = advanced(spec, &Offer::default());
            let field = sections[0].fields.iter().find(|field| field.path == "recommender.bm25_k1");
            field.expect("BM25's own").help.to_string()
        };
        let mut spec = with_kind(&ExperimentSpec::default(), "recommender.kind", "item-knn").unwrap();
        assert!(help(&spec).ends_with("Nothing reads it now: it counts only where recommender.similarity is bm25."));
        let bm25 = recspeed_types::spec::ParamValue::Text("bm25".to_owned());
        spec.recommender = spec.recommender.with("similarity", bm25);
        assert!(!help(&spec).contains("Nothing reads it"), "{}", help(&spec));
    }

    #[test]
    fn no_recommender_shows_more_than_five_knobs_and_no_field_stands_twice() {
        for kind in kinds() {
            let spec = with_kind(&ExperimentSpec::default(), "recommender.kind", kind).unwrap();
            for split in SplitKind::ALL {
                let spec = with_kind(&spec, "split.kind", split.as_str()).unwrap();
                let knobs = knobs(&spec);
                assert!(knobs.len() + 2 <= 5, "{kind}: {}", knobs.len() + 2);
                let rest = advanced(&spec, &Offer::default());
                let mut paths: Vec<&str> =
                    knobs.iter().chain(rest.iter().flat_map(|s| &s.fields)).map(|f| f.path.as_str()).collect();
                let all = paths.len();
                paths.sort_unstable();
                paths.dedup();
                assert_eq!(paths.len(), all, "{kind}: a field stands twice");
            }
        }
    }
}
