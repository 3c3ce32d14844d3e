//! `recspeed-worker predict`: what a saved model predicts for the rows of its own split, as a table.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use recspeed_data::{Interactions, split, table};
use recspeed_datasets::{DataHome, LoadRequest, LookUp, write_parquet};
use recspeed_experiment::Model;
use recspeed_models::SavedModel;
use recspeed_types::FailureCode;

/// Rows predicted at a time.
const BLOCK: usize = 1 << 16;

/// Arguments of `recspeed-worker predict`.
#[derive(Debug, Clone, Args)]
pub(crate) struct PredictArguments {
    /// The folder of the model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Which rows of its split: train, validation or test.
    #[arg(long, default_value = "test", value_parser = ["train", "validation", "test"])]
    rows: String,
    /// The file to write: .parquet or .arrow.
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
            println!("{rows} {} rows with their predictions in {}.", arguments.rows, arguments.out.display());
            ExitCode::SUCCESS
        }
        Err(cause) => {
            eprintln!("recspeed-worker: {cause}");
            ExitCode::from(FailureCode::Data.exit_status())
        }
    }
}

fn predicted(arguments: &PredictArguments) -> Result<usize, String> {
    let SavedModel { manifest, users, items, parts, .. } =
        recspeed_models::load(&arguments.model).map_err(|error| error.to_string())?;
    let spec = manifest.spec.resolve().map_err(|errors| format!("the model's spec cannot be read here: {errors}"))?;
    let home = DataHome::open(arguments.data_home.clone()).map_err(|error| error.to_string())?;
    let look_up = LookUp::from_env(arguments.spec_dir.clone());
    let request = LoadRequest { dataset: &spec.dataset, seed: spec.data_seed, look_up: &look_up };
    let loaded = home.load(&request, &mut |_, _| {}).map_err(|error| error.to_string())?;
    let data = loaded.interactions;
    if loaded.sha256 != manifest.data.sha256 || data.users != users || data.items != items {
        return Err(format!(
            "{} is not the data set that the model was fitted on (SHA-256 {}); bring that one back, or run the experiment again",
            loaded.name, manifest.data.sha256
        ));
    }
    let rows = split(&data, &spec.split, spec.data_seed).map_err(|error| error.to_string())?;
    let rows = match arguments.rows.as_str() {
        "train" => rows.train,
        "validation" => rows.validation,
        _ => rows.test,
    };
    if rows.is_empty() {
        return Err(format!("the model's split has no {} rows; see split.kind", arguments.rows));
    }
    let model = Model::restore(&spec, parts).map_err(|error| error.to_string())?;
    let column = if spec.recommender.predicts().has_ratings() { "prediction" } else { "score" };
    let predictions = predictions(&model, &data, &rows);
    write_table(&arguments.out, &data.subset(&rows), column, &predictions)?;
    Ok(rows.len())
}

fn predictions(model: &Model, data: &Interactions, rows: &[u32]) -> Vec<f32> {
    let mut all = Vec::with_capacity(rows.len());
    for block in rows.chunks(BLOCK) {
        let of = |column: &[u32]| block.iter().map(|&row| column[row as usize]).collect::<Vec<_>>();
        let times: Vec<i64> = block.iter().map(|&row| data.timestamp[row as usize]).collect();
        all.extend(model.predict_rows(&of(&data.user), &of(&data.item), &times));
    }
    all
}

/// Writes the file whole or not at all.
fn write_table(path: &Path, rows: &Interactions, column: &str, predictions: &[f32]) -> Result<(), String> {
    let is_parquet = match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => true,
        Some("arrow" | "feather" | "ipc") => false,
        _ => return Err(format!("{} could be Parquet or Arrow; name it .parquet or .arrow", path.display())),
    };
    let further = [(column, predictions)];
    let failed = |cause: &dyn std::fmt::Display| format!("cannot write {}: {cause}", path.display());
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?;
    let to = BufWriter::with_capacity(1 << 18, file.reopen().map_err(|error| failed(&error))?);
    if is_parquet {
        write_parquet(rows, &further, to).map_err(|error| failed(&error))?;
    } else {
        table::write_arrow(rows, &further, to).map_err(|error| failed(&error))?;
    }
    file.persist(path).map(drop).map_err(|error| failed(&error.error))
}
