//! `recspeed features FILE`: what each feature is worth to a recommender. The experiment runs as it is, without each feature,
//! with each attribute shuffled before it learns, and with each derived feature added; every variant is compared with the whole user
//! by user. The model of the whole is asked again with each feature dealt out anew: permutation importance.

mod choosing;
mod table;
mod variants;

use clap::Args;
use recspeed_datasets::{DataHome, LoadRequest, LookUp};
use recspeed_types::comparison::Comparison;
use recspeed_types::{FailureCode, Importance, MetricName};
use serde::Serialize;

use super::compare::{Method, evaluate, run_all};
use super::data::DataError;
use super::failure::CommandError;
use super::kept::{KeepArgs, Keeper};
use super::run::SpecFile;
use super::{output, writable};

pub(crate) use variants::FeaturesError;

/// Arguments of `recspeed features`.
#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// The spec: a TOML or JSON file, or a permalink
    #[arg(value_name = "FILE")]
    file: String,
    /// Runs of each variant that depends on the seed; a shuffle does
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Measure this instead of what the spec names (may be repeated)
    #[arg(long = "metric", value_name = "METRIC")]
    metrics: Vec<MetricName>,
    /// Replace one field of the spec, as dataset.sample=10000 (may be repeated)
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print the comparison and the importance of each feature as one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Print the report as Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    #[command(flatten)]
    keep: KeepArgs,
}

/// What features are worth.
#[derive(Debug, Serialize)]
struct Report {
    /// The variants beside the whole.
    #[serde(flatten)]
    comparison: Comparison,
    /// What the whole loses where it is asked with features dealt out anew.
    importance: Vec<Importance>,
    /// What has no importance, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Runs the variants. Exit status as that of `recspeed compare`.
pub(crate) fn run(args: FeaturesArgs) -> Result<u8, CommandError> {
    let SpecFile { mut spec, dir, title, .. } = SpecFile::read(&args.file, &args.set)?;
    if !args.metrics.is_empty() {
        spec.evaluation.metrics.clone_from(&args.metrics);
    }
    let resolved = spec.resolve().map_err(FeaturesError::Spec)?;
    let home = DataHome::open(args.keep.home.clone()).map_err(|error| DataError::Home(error.to_string()))?;
    // Before the data are read: a folder that cannot be written is told at once. The keeper itself would keep Ctrl-C from ending that.
    if let Some(folder) = &args.keep.keep {
        writable::folder("--keep", folder)?;
    }
    let request = LoadRequest {
        dataset: &resolved.dataset,
        seed: resolved.data_seed,
        look_up: &LookUp::from_env(Some(dir.clone())),
    };
    let loaded = home.load(&request, &mut |_, _| {}).map_err(|error| DataError::Home(error.to_string()))?;
    let variants = variants::of(&spec, &resolved, &loaded)?;
    let methods: Vec<Method> =
        variants.iter().map(|variant| variant.method(&resolved, dir.clone(), &args.file)).collect();
    let keeper = Keeper::new(args.keep, "--keep")?;
    let Some((finished, failed)) = run_all(&methods, args.seeds, &keeper)? else {
        output::complain(&format!(
            "recspeed: the analysis was interrupted. Kept: every run that had ended, in {}; the same command goes on from there.",
            keeper.folder().display()
        ));
        return Ok(FailureCode::Cancelled.exit_status());
    };
    let status = failed.first().map_or(0, |(code, _)| code.exit_status());
    // Without the whole there is nothing to compare with.
    if finished.first().is_none_or(|(place, _)| *place != 0) {
        return Ok(status);
    }
    let failed = failed.into_iter().map(|(_, method)| method).collect();
    let importance = Importance::together(finished[0].1.iter().map(|run| run.summary.importance.as_slice()));
    let warnings = finished[0].1.first().map_or(&[][..], |run| run.summary.warnings.as_slice());
    let notes = warnings.iter().filter(|warning| warning.starts_with("features.permute")).cloned().collect();
    let Some(comparison) = evaluate(&methods, &finished, Some(0), failed)? else { return Ok(status) };
    let report = Report { comparison, importance, notes };
    let text = if args.json {
        serde_json::to_string(&report).map_err(std::io::Error::other)?
    } else {
        table::render(&title, &spec, &report, args.markdown)
    };
    output::say(&output::printable(&text))?;
    Ok(status)
}
