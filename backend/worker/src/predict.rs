//! `recspeed-worker predict`: what a saved model predicts for the rows of its own split, as a table.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use recspeed_data::{Interactions, table};
use recspeed_datasets::{file_beside, write_new, write_parquet};
use recspeed_experiment::{RunFailure, SplitPart, StoredPredictions, stored_predictions};
use recspeed_types::FailureCode;

use crate::output::{answer, complain};
use crate::reader::{self, Opened};

/// Arguments of `recspeed-worker predict`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PredictArguments {
    /// The folder of the model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Which rows of its split: train, validation or test.
    #[arg(long, default_value = "test", value_parser = ["train", "validation", "test"])]
    rows: String,
    /// The file to write, a new one: .parquet or .arrow.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Look relative data paths up here first.
    #[arg(long)]
    spec_dir: Option<PathBuf>,
    /// The lab's folder of data sets and caches.
    #[arg(long)]
    data_home: Option<PathBuf>,
}

/// Writes the table and says how many rows it has.
pub(crate) fn write(arguments: &PredictArguments) -> ExitCode {
    match predicted(arguments) {
        Ok(rows) => {
            let (part, out) = (&arguments.rows, arguments.out.display());
            answer(format_args!("{rows} {part} rows with their predictions in {out}."))
        }
        Err(failure) => {
            // The terminal is that of `recspeed`, which this is a part of: whoever called it has started no worker.
            complain(format_args!("recspeed: {}", failure.cause));
            ExitCode::from(failure.code.exit_status())
        }
    }
}

fn predicted(arguments: &PredictArguments) -> Result<usize, RunFailure> {
    try_table(&arguments.out)?;
    let Opened { spec, stored, mut reader } =
        reader::open(&arguments.model, arguments.spec_dir.clone(), arguments.data_home.clone())?;
    let part = match arguments.rows.as_str() {
        "train" => SplitPart::Train,
        "validation" => SplitPart::Validation,
        _ => SplitPart::Test,
    };
    let StoredPredictions { rows, predictions, of_ratings } = stored_predictions(&spec, &stored, part, &mut reader)?;
    let column = if of_ratings { "prediction" } else { "score" };
    write_table(&arguments.out, &rows, column, &predictions)?;
    Ok(rows.len())
}

/// A file that was asked for wrongly: its exit status is that of every other place which no command can write.
fn refused(cause: String) -> RunFailure {
    RunFailure::new(FailureCode::InvalidSpec, cause)
}

/// Whether the name of the file says Parquet; Arrow otherwise.
fn is_parquet(path: &Path) -> Result<bool, RunFailure> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => Ok(true),
        Some("arrow" | "feather" | "ipc") => Ok(false),
        _ => Err(refused(format!("{} could be Parquet or Arrow; name it .parquet or .arrow", path.display()))),
    }
}

fn unwritten(path: &Path, cause: &dyn std::fmt::Display) -> String {
    format!("cannot write {}: {cause}; make room, or name a file in a folder that you may write", path.display())
}

fn taken(path: &Path) -> RunFailure {
    let there = "is there already and is not replaced; name another file, or remove that one first";
    refused(format!("{} {there}", path.display()))
}

/// Whether [`write_table`] can, before anything is predicted.
fn try_table(path: &Path) -> Result<(), RunFailure> {
    is_parquet(path)?;
    // A link that leads nowhere is there, too.
    if path.symlink_metadata().is_ok() {
        return Err(taken(path));
    }
    file_beside(path).map(drop).map_err(|error| refused(unwritten(path, &error)))
}

/// Writes the file whole or not at all, and in place of none.
fn write_table(path: &Path, rows: &Interactions, column: &str, predictions: &[f32]) -> Result<(), RunFailure> {
    let is_parquet = is_parquet(path)?;
    let further = [(column, predictions)];
    let written = write_new(path, |to| {
        if is_parquet {
            write_parquet(rows, &further, to).map_err(io::Error::other)
        } else {
            table::write_arrow(rows, &further, to).map_err(io::Error::other)
        }
    });
    match written {
        Ok(_) => Ok(()),
        // It came while the rows were predicted.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(taken(path)),
        Err(error) => Err(RunFailure::new(FailureCode::Internal, unwritten(path, &error))),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;
    use recspeed_datasets::{DataHome, LoadRequest, LookUp};
    use recspeed_types::spec::{ColumnNames, DataFormat, Dataset, Filters, Source};

    use super::*;

    #[test]
    fn a_table_that_cannot_be_written_is_told_before_anything_is_predicted() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |name: &str| {
            let failure = try_table(&folder.path().join(name)).unwrap_err();
            assert_eq!(failure.code.exit_status(), 2, "{failure}");
            failure.cause
        };
        let message = refused("no/such/folder.arrow");
        assert!(message.starts_with("cannot write ") && message.contains("name a file in a folder"), "{message}");
        assert!(refused("out.csv").contains("could be Parquet or Arrow"));
        try_table(&folder.path().join("out.arrow")).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "trying leaves nothing behind");
    }

    #[test]
    fn a_table_takes_the_place_of_no_file_neither_before_nor_after_the_predictions() {
        let folder = tempfile::tempdir().unwrap();
        let mut rows = InteractionsBuilder::default();
        rows.push("u", "i", 1.0, 0);
        let rows = rows.finish();
        for name in ["out.parquet", "out.arrow"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "important").unwrap();
            for failure in [try_table(&path), write_table(&path, &rows, "score", &[0.5])].map(Result::unwrap_err) {
                let due = format!("{} is there already and is not replaced; name another file, or", path.display());
                assert!(failure.cause.starts_with(&due) && failure.code.exit_status() == 2, "{failure}");
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "important");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing else is left behind");
    }

    #[test]
    fn predictions_and_their_rows_are_read_back_from_either_format_bit_for_bit() {
        // More rows than a batch has.
        let count = 70_000u32;
        let mut rows = InteractionsBuilder::default();
        for row in 0..count {
            let (user, item) = (format!("u{}", row % 701), format!("i{}", row % 97));
            rows.push(&user, &item, row as f32 / 7.0, i64::from(row) - 9);
        }
        let rows = rows.finish();
        let mut predictions: Vec<f32> = (0..count).map(|row| 1.0 / (row as f32 + 3.0) - 0.1).collect();
        predictions[..4].copy_from_slice(&[-0.0, f32::from_bits(1), f32::MAX, f32::MIN]);
        let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        let folder = tempfile::tempdir().unwrap();
        let home = DataHome::open(Some(folder.path().join("home"))).unwrap();
        for (file, format) in [("out.parquet", DataFormat::Parquet), ("out.arrow", DataFormat::Arrow)] {
            let out = folder.path().join(file);
            write_table(&out, &rows, "prediction", &predictions).unwrap();
            let read = |rating: &str| {
                let path = out.to_str().unwrap().to_owned();
                let columns = ColumnNames { rating: Some(rating.to_owned()), ..ColumnNames::default() };
                let source = Source::File { path, format, columns, items: None, users: None, max_bad_share: 0.0 };
                let dataset = Dataset { source, filters: Filters::default() };
                let request = LoadRequest { dataset: &dataset, seed: 0, look_up: &LookUp::default() };
                home.load(&request, &mut |_, _| {}).unwrap().interactions
            };
            let (told, back) = (read("prediction"), read("rating"));
            assert_eq!(bits(&told.rating), bits(&predictions), "{file}");
            assert_eq!(bits(&back.rating), bits(&rows.rating), "{file}");
            assert!(back == rows, "{file}: ids, ratings or times are others");
        }
    }
}
