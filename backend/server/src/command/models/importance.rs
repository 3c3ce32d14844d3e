//! `recspeed importance`: what a trained model loses where a feature tells nothing, without training it again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;
use recspeed_types::catalogue::Whose;
use recspeed_types::limits::MAX_REPEATS;
use recspeed_types::spec::FeatureName;
use recspeed_types::{ExperimentSpec, StoredImportance};

use super::{ModelCommandError, WhichModel, folder};
use crate::command::failure::CommandError;
use crate::command::figures::value;
use crate::command::importance::{WORDS, table};
use crate::command::run::WorkerError;
use crate::command::{output, run};

/// Arguments of `recspeed importance`.
#[derive(Debug, Args)]
pub struct ImportanceArgs {
    #[command(flatten)]
    which: WhichModel,
    /// Features, as items.category,users.age,time (otherwise those of the spec's features.permute, or all that the data have)
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    features: Vec<String>,
    /// How often each is dealt out anew (otherwise as the spec says; 5 unless set there)
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_REPEATS)))]
    repeats: Option<u32>,
    /// Print the result as one JSON object
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the table as Markdown
    #[arg(long)]
    markdown: bool,
    /// Where relative data paths of the model's spec are looked up first (otherwise here)
    #[arg(long, value_name = "DIR")]
    spec_dir: Option<PathBuf>,
    /// The worker to use (otherwise `recspeed-worker` beside this program, then in PATH)
    #[arg(long, value_name = "PATH")]
    worker: Option<PathBuf>,
    /// The lab's folder (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// Lets a worker ask the model, and prints what it says; a failure is the worker's sentence and status.
pub(crate) fn importance(args: ImportanceArgs) -> Result<u8, CommandError> {
    let model = folder(&args.which, args.home.as_ref())?;
    // The manifest first: a folder that is no model is told without starting anything.
    let manifest = recspeed_models::manifest(&model).map_err(ModelCommandError::from)?;
    check_names(&manifest.spec, &args.features)?;
    check_model(&manifest.spec)?;
    let worker = run::find_worker(args.worker.as_deref()).map_err(ModelCommandError::from)?;
    let mut command = Command::new(&worker);
    command.arg("importance").arg("--model").arg(&model);
    command.arg("--spec-dir").arg(args.spec_dir.as_deref().unwrap_or(Path::new(".")));
    for feature in &args.features {
        command.arg("--feature").arg(feature);
    }
    if let Some(repeats) = args.repeats {
        command.arg("--repeats").arg(repeats.to_string());
    }
    if let Some(home) = &args.home {
        command.arg("--data-home").arg(home);
    }
    let start = |source| WorkerError::Start { path: worker.display().to_string(), source };
    let said = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().map_err(start);
    let said = said.map_err(ModelCommandError::from)?;
    if !said.status.success() {
        return Ok(said.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
    }
    let told: StoredImportance = serde_json::from_slice(&said.stdout)
        .map_err(|error| ModelCommandError::Silent(format!("{}, {error}", said.status)))?;
    let title = format!("{} of the run {}, on {}", manifest.spec.recommender.kind, manifest.run, manifest.data.name);
    let text = if args.json {
        serde_json::to_string(&told).map_err(std::io::Error::other)?
    } else {
        render(&title, &told, args.markdown)
    };
    output::say(&output::printable(&text))?;
    Ok(0)
}

/// Refuses names that are none of a feature as what they are: given with the flag, and not in the model's spec, where the worker puts them.
fn check_names(spec: &ExperimentSpec, names: &[String]) -> Result<(), ModelCommandError> {
    let mut asked = spec.clone();
    asked.features.permute = names.to_vec();
    let mistakes = asked.resolve().err().map_or_else(Vec::new, |errors| errors.0);
    let of_names = mistakes.into_iter().filter(|mistake| mistake.path.starts_with("features.permute"));
    let told: Vec<String> = of_names.map(|mistake| mistake.message).collect();
    if told.is_empty() { Ok(()) } else { Err(ModelCommandError::Features(told.join("; "))) }
}

/// Refuses a model that no feature whatever tells anything: every one that the data have would be passed over. What cannot be resolved is
/// the worker's to refuse.
fn check_model(spec: &ExperimentSpec) -> Result<(), ModelCommandError> {
    let Ok(resolved) = spec.resolve() else { return Ok(()) };
    let recommender = &resolved.recommender;
    let reads = [Whose::Items, Whose::Users].into_iter().any(|whose| recommender.reads_attributes_of(whose));
    let inputs = [FeatureName::User, FeatureName::Item, FeatureName::Time];
    let predicts = resolved.evaluation.metrics.iter().any(|metric| metric.kind.of_ratings());
    if reads || (predicts && inputs.into_iter().any(|input| recommender.predicts_from(input))) {
        return Ok(());
    }
    let kind = spec.recommender.kind.clone();
    Err(if predicts { ModelCommandError::OneNumber { kind } } else { ModelCommandError::NoFeatures { kind } })
}

fn render(title: &str, told: &StoredImportance, markdown: bool) -> String {
    let metrics: Vec<String> = told.metrics.iter().map(|(name, of)| format!("{name} {}", value(*of))).collect();
    let mut text = format!("{title}: {}\n", metrics.join(", "));
    // Writing into a String cannot fail.
    if !told.importance.is_empty() {
        let _ = write!(text, "\n{WORDS}.\n\n{}\n", table(&told.importance, markdown));
    }
    for warning in &told.warnings {
        let _ = writeln!(text, "\nWarning: {warning}.");
    }
    if told.importance.is_empty() && told.warnings.is_empty() {
        text.push_str("\nThe data have no feature to deal out anew.\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use recspeed_types::Importance;
    use recspeed_types::spec::RecommenderSpec;

    use super::*;

    #[test]
    fn a_model_is_refused_exactly_where_no_feature_could_tell_it_anything() {
        let of = |kind: &str, metric: &str| {
            let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
            spec.evaluation.metrics = vec![metric.parse().unwrap()];
            check_model(&spec)
        };
        for (kind, metric) in [("content-tfidf", "ndcg@10"), ("fm", "rmse"), ("mlp", "rmse"), ("slope-one", "rmse")] {
            of(kind, metric).unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
        for kind in ["item-knn", "bpr", "popularity"] {
            let error = of(kind, "ndcg@10").unwrap_err();
            let due = format!("`{kind}` reads no attributes, and no metric of its run is of predicted ratings: ");
            assert!(error.to_string().starts_with(&due) && error.exit_status() == 2, "{error}");
        }
        let error = of("global-mean", "rmse").unwrap_err();
        let due = "`global-mean` reads no attributes and predicts one number for everybody: ";
        assert!(error.to_string().starts_with(due) && error.exit_status() == 2, "{error}");
    }

    #[test]
    fn a_name_that_is_no_feature_is_told_with_the_flag_that_gave_it() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let spec = ExperimentSpec::default();
        check_names(&spec, &names(&["items.brand", "time"])).unwrap();
        let message = check_names(&spec, &names(&["nope", "items."])).unwrap_err().to_string();
        assert!(message.starts_with("--features: is `nope`; allowed: items.NAME, users.NAME, time"), "{message}");
        assert!(message.contains("; is `items.`; allowed: "), "{message}");
    }

    #[test]
    fn the_model_its_numbers_and_what_each_feature_costs_are_told() {
        let losses = vec![0.25, 0.75];
        let told = StoredImportance {
            metrics: [("ndcg@10".to_owned(), 0.5)].into(),
            importance: vec![Importance::new("items.brand".to_owned(), "ndcg@10".to_owned(), losses)],
            warnings: vec!["time is not read".to_owned()],
        };
        let text = render("fm of the run 7, on u.data", &told, false);
        for words in ["fm of the run 7, on u.data: ndcg@10 0.5", "items.brand", "Warning: time is not read."] {
            assert!(text.contains(words), "{text}");
        }
        let none = StoredImportance { importance: Vec::new(), warnings: Vec::new(), ..told };
        assert!(render("fm", &none, false).contains("no feature to deal out"));
    }
}
