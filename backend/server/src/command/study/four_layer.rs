//! The paper's four-layer network, on every engine.

use std::fmt::Write as _;

use recspeed_engines::Engines;
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::EngineKind;
use serde::Serialize;

use super::super::failure::CommandError;
use super::super::run::SpecFileError;
use super::measure::{Measured, Row, in_turns, spread};
use super::paper::{FOUR_LAYER, FourLayer};
use super::{StudyArgs, StudyError};
use crate::clock;

/// The name of its section in a document.
pub(super) const SECTION: &str = "four-layer";

/// The spec that every engine runs. 12,500 ratings leave 10,000 to learn from.
const SPEC: &str = r#"
version = 1
name = "Four-layer network"
seed = 42

[dataset]
source = "builtin"
id = "beauty-synthetic-100k"
sample = 12500

[split]
kind = "random"
test_ratio = 0.2

[recommender]
kind = "mlp"
hidden = [64, 64, 64]

[training]
epochs = 3
batch_size = 64
optimizer = "adam"
learning_rate = 1e-3

[evaluation]
metrics = ["rmse", "mae", "nrmse", "nmae"]
"#;

/// The engines of the paper's table, behind ours.
const USUAL: [EngineKind; 4] = [EngineKind::Burn, EngineKind::Pytorch, EngineKind::Tensorflow, EngineKind::Pyvelox];

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(super) struct Study {
    #[serde(rename = "study")]
    name: &'static str,
    /// Milliseconds since 1970.
    measured_ms: i64,
    command: String,
    spec: ExperimentSpec,
    repeats: u32,
    paper: [FourLayer; 3],
    rows: Vec<Row>,
}

pub(super) fn measure(args: &StudyArgs, engines: &Engines) -> Result<Option<Study>, CommandError> {
    let kinds = kinds(&args.engines)?;
    let name = || "the study's spec".to_owned();
    let mut spec = ExperimentSpec::from_toml_with(SPEC, &args.set)
        .map_err(|source| SpecFileError::Parse { name: name(), source })?;
    spec.engine.threads = args.threads.or(spec.engine.threads);
    for &kind in &kinds {
        let mut spec = spec.clone();
        spec.engine.kind = kind;
        spec.resolve().map_err(|errors| SpecFileError::Invalid { name: name(), errors })?;
    }
    let Some(rows) = in_turns(args, engines, &kinds, &spec)? else { return Ok(None) };
    Ok(Some(Study {
        name: SECTION,
        measured_ms: clock::now_ms(),
        command: command(args),
        spec,
        repeats: args.repeats,
        paper: FOUR_LAYER,
        rows,
    }))
}

/// Those that were named, or the usual ones.
fn kinds(names: &[String]) -> Result<Vec<EngineKind>, StudyError> {
    let all = || [EngineKind::Burn].into_iter().chain(EngineKind::REFERENCES);
    let named = |name: &String| {
        all().find(|kind| kind.as_str() == name).ok_or_else(|| StudyError::UnknownEngine {
            given: name.clone(),
            known: all().map(EngineKind::as_str).collect::<Vec<_>>().join(", "),
        })
    };
    if names.is_empty() { Ok(USUAL.to_vec()) } else { names.iter().map(named).collect() }
}

/// The command that measures the same again.
fn command(args: &StudyArgs) -> String {
    let mut command = format!("recspeed study four-layer --repeats {}", args.repeats);
    if let Some(threads) = args.threads {
        let _ = write!(command, " --threads {threads}");
    }
    if !args.engines.is_empty() {
        let _ = write!(command, " --engines {}", args.engines.join(","));
    }
    for assignment in &args.set {
        let _ = write!(command, " --set '{assignment}'");
    }
    command
}

/// The section of the document.
pub(super) fn markdown(study: &Study) -> String {
    let mut text = String::from("## Four-layer network\n\n");
    let first = study.rows.iter().find_map(|row| match &row.result {
        Measured::Ran { summary, .. } => Some(summary),
        _ => None,
    });
    let hidden = match study.spec.recommender.params.get("hidden") {
        Some(hidden) => hidden.to_string(),
        None => "its defaults".to_owned(),
    };
    let _ = writeln!(text, "`{}`, measured on {}.", study.command, date(study.measured_ms));
    if let Some(run) = first {
        let steps = run.training.as_ref().map_or(0, |training| training.steps);
        let _ = writeln!(
            text,
            "{} ratings of {}{} to learn from, {} to test on; hidden layers {hidden}, {steps} steps of {}; {} threads, {}.",
            run.data.train,
            run.data.name,
            if run.data.synthetic { " (made up)" } else { "" },
            run.data.test,
            study.spec.training.batch_size.map_or_else(|| "the usual size".to_owned(), |size| format!("{size} rows")),
            run.engine.threads,
            run.engine.host
        );
    }
    text.push_str(
        "\n| engine | training, median | smallest to largest | runs | start of the framework | peak memory | RMSE, 0 to 1 | MAE, 0 to 1 |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let base = study.rows.iter().find_map(|row| median(&row.result));
    for row in &study.rows {
        text.push_str(&line(row, base));
    }
    text.push_str("\nThe paper, on its own machine (10,000 ratings, 3 epochs):\n\n");
    text.push_str("| engine | training | RMSE | MAE |\n|---|---|---|---|\n");
    for row in &study.paper {
        let _ = writeln!(text, "| {} | {:.0} s | {:.2} | {} |", row.engine, row.seconds, row.rmse, row.mae);
    }
    text.push_str(DIFFERENCES);
    text
}

/// Why the two tables differ.
const DIFFERENCES: &str = "
- **Time.** Other hardware, and how the paper's seconds were taken is not known here: its batch size, and whether they hold
  the start of the framework and the reading of rows (its PyVelox row is PyTorch behind another data path). Here the same
  rows, orders, first weights, batch size and threads go to every engine, on the processor, and the clock runs from numbers
  in memory to trained weights ([engines.md](engines.md)). No GPU takes part.
- **Errors.** The same metrics code for every engine. The paper's RMSE of .37 and MAE of
  .0563 do not fit each other on a scale of 0 to 1: where no error is larger than 1, the square of the RMSE, .137, is at
  most the MAE.
- **Data.** Not the paper's sample; the first lines say which rows these are. `--set` takes any other data set, as `--set dataset.source=file --set dataset.path=ratings_Beauty.csv --set dataset.format=amazon-csv`.
";

fn median(result: &Measured) -> Option<f64> {
    match result {
        Measured::Ran { fit_s, .. } => spread(fit_s).map(|(median, ..)| median),
        _ => None,
    }
}

fn line(row: &Row, base: Option<f64>) -> String {
    let Row { title, result, .. } = row;
    match result {
        Measured::Missing { install, why } => format!("| {title} | not here: `{install}` ({why}) | | | | | | |\n"),
        Measured::Failed { cause, finished } => {
            format!("| {title} | failed after {finished} runs: {cause} | | | | | | |\n")
        }
        Measured::Ran { fit_s, start_s, peak_bytes, summary, differs } => {
            let (median, least, most) = spread(fit_s).unwrap_or_default();
            let times =
                base.filter(|&base| base > 0.0 && base < median).map(|base| format!(" ({:.1} ×)", median / base));
            let start = spread(start_s).map_or_else(|| "none".to_owned(), |(median, ..)| seconds(median));
            let versions: Vec<String> = summary
                .engine
                .versions
                .iter()
                .filter(|(name, _)| !["python", "numpy", "recspeed", "pyarrow"].contains(&name.as_str()))
                .map(|(name, version)| format!("{name} {version}"))
                .collect();
            let of = |name: &str| summary.metrics.get(name).map_or_else(String::new, |error| format!("{error:.4}"));
            let note = if differs.is_empty() { String::new() } else { format!("; differs in {}", differs.join(", ")) };
            format!(
                "| {title} ({}{note}) | {}{} | {} to {} | {} | {start} | {:.0} MiB | {} | {} |\n",
                versions.join(", "),
                seconds(median),
                times.unwrap_or_default(),
                seconds(least),
                seconds(most),
                fit_s.len(),
                *peak_bytes as f64 / f64::from(1 << 20),
                of("nrmse"),
                of("nmae"),
            )
        }
    }
}

fn seconds(seconds: f64) -> String {
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

/// Day, month and year of a time in UTC.
fn date(ms: i64) -> String {
    // Days to a date of the Gregorian calendar: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    let days = ms.div_euclid(86_400_000) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let (day, month) = (day_of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_studys_spec_runs_on_every_engine() {
        for kind in [EngineKind::Burn].into_iter().chain(EngineKind::REFERENCES) {
            let mut spec = ExperimentSpec::from_toml(SPEC).expect("a spec");
            spec.engine.kind = kind;
            spec.resolve().unwrap_or_else(|errors| panic!("{kind:?}: {errors}"));
        }
        assert!(kinds(&["pytorhc".to_owned()]).is_err());
    }

    #[test]
    fn an_engine_that_is_missing_or_fails_is_a_row_and_the_papers_rows_stand_below() {
        let row = |engine, title, result| Row { engine, title, result };
        let study = Study {
            name: SECTION,
            measured_ms: 0,
            command: "recspeed study four-layer --repeats 3".to_owned(),
            spec: ExperimentSpec::from_toml(SPEC).expect("a spec"),
            repeats: 3,
            paper: FOUR_LAYER,
            rows: vec![
                row(
                    "pytorch",
                    "PyTorch",
                    Measured::Missing { install: "recspeed engines install pytorch".into(), why: "no".into() },
                ),
                row("pyvelox", "PyVelox", Measured::Failed { cause: "It crashed.".into(), finished: 1 }),
            ],
        };
        let text = markdown(&study);
        assert!(text.contains("| PyTorch | not here: `recspeed engines install pytorch`"), "{text}");
        assert!(text.contains("| PyVelox | failed after 1 runs: It crashed."), "{text}");
        assert!(text.contains("| TensorFlow | 17 s | 0.40 | 0.067 |"), "{text}");
        let columns = |line: &str| line.matches('|').count();
        let table: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("| engine | training, m") || line.contains("not here"))
            .collect();
        assert_eq!(columns(table[0]), columns(table[1]), "{text}");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(951_782_400_000), "2000-02-29");
        assert_eq!(date(1_795_651_200_000), "2026-11-26");
    }
}
