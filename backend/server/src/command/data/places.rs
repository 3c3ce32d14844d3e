//! Where data sets lie: the lab's folder, the working folder, `RECSPEED_DATA`.

use std::path::{Path, PathBuf};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use recspeed_data::ReadLimits;
use recspeed_datasets::{DataHome, LoadRequest, Loaded, LookUp, Reading};
use recspeed_types::api::UploadRecord;
use recspeed_types::builtin::{self, PUBLIC_DATASETS, PublicDataset};
use recspeed_types::limits::MAX_SEED;
use recspeed_types::spec::{ColumnNames, DataFormat, Dataset, Filters, Source, SplitPlan};

use super::super::failure::CommandError;
use super::super::output;
use super::super::run::SpecFile;
use super::{DataError, HomeArgs, format};

/// Opens the lab's folder.
///
/// # Errors
/// [`DataError::Home`].
pub(super) fn open(args: HomeArgs) -> Result<DataHome, DataError> {
    DataHome::open(args.home).map_err(|error| DataError::Home(error.to_string()))
}

/// Imported data sets, newest first.
///
/// # Errors
/// [`DataError::Home`].
pub(super) fn imported(home: &DataHome) -> Result<Vec<UploadRecord>, DataError> {
    home.list().map_err(|error| DataError::Home(error.to_string()))
}

/// The folders in which a relative path is looked up: here, then `RECSPEED_DATA`.
pub(super) fn look_up() -> LookUp {
    LookUp::from_env(Some(PathBuf::from(".")))
}

/// A data set that was named on the command line.
#[derive(Debug)]
pub(super) struct Named {
    /// What to read.
    pub(super) source: Source,
    /// The name for people.
    pub(super) title: String,
    /// The public data set that it is a copy of.
    pub(super) public: Option<&'static PublicDataset>,
}

/// Finds `name`: a built-in data set, an imported one by name or by the start of its hash, or a file.
///
/// # Errors
/// [`DataError::Unknown`], or what [`format::told_or_judged`] says.
pub(super) fn find(
    name: &str,
    told: Option<DataFormat>,
    columns: ColumnNames,
    home: &DataHome,
) -> Result<Named, DataError> {
    if let Some(entry) = builtin::find(name) {
        return Ok(Named { source: Source::Builtin { entry }, title: entry.title.to_owned(), public: None });
    }
    let by_hash = |record: &UploadRecord| name.len() >= 8 && record.sha256.starts_with(name);
    if let Some(record) = imported(home)?.into_iter().find(|record| record.name == name || by_hash(record)) {
        return Ok(Named {
            source: Source::Upload {
                sha256: record.sha256,
                format: told.unwrap_or(record.format),
                columns,
                max_bad_share: ReadLimits::default().max_bad_share,
            },
            public: public(&record.name),
            title: record.name,
        });
    }
    let places = look_up();
    let mut folders = [places.spec_dir, places.data_root].into_iter().flatten();
    // A pipe or a device would be read twice, which they do not allow.
    let Some(file) = folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file())) else {
        return Err(unknown(name));
    };
    let format = format::told_or_judged(told, &file)?;
    let source = Source::File {
        path: name.to_owned(),
        format,
        columns,
        items: None,
        users: None,
        max_bad_share: ReadLimits::default().max_bad_share,
    };
    Ok(Named { source, title: name.to_owned(), public: None })
}

/// The public data set of this name.
pub(super) fn public(name: &str) -> Option<&'static PublicDataset> {
    PUBLIC_DATASETS.iter().find(|entry| entry.id == name)
}

fn unknown(name: &str) -> DataError {
    let hint = if public(name).is_some() {
        format!(" yet (bring it with `recspeed data fetch {name}`)")
    } else {
        builtin::ids()
            .into_iter()
            .filter(|id| id.contains(name) && !name.is_empty())
            .chain(PUBLIC_DATASETS.iter().map(|entry| entry.id).filter(|id| id.contains(name) && !name.is_empty()))
            .next()
            .map_or(String::new(), |near| format!(" (did you mean `{near}`?)"))
    };
    DataError::Unknown { given: name.chars().take(200).collect(), hint }
}

/// Whether a name is that of a spec: a TOML or JSON file, standard input, or a permalink.
pub(super) fn is_spec(what: &str) -> bool {
    let extension = Path::new(what).extension().and_then(|extension| extension.to_str());
    what == "-" || what.contains("#x=") || matches!(extension, Some("toml" | "json"))
}

/// The rows that a spec's filters keep, with its title, its split, and the seed of that.
///
/// # Errors
/// What is wrong with the spec, or as [`load`].
pub(super) fn of_spec(home: &DataHome, what: &str) -> Result<(String, Loaded, (SplitPlan, u64)), CommandError> {
    let SpecFile { spec, dir, title, .. } = SpecFile::read(what, &[])?;
    // `read` has resolved it once.
    let resolved = spec.resolve().map_err(|error| DataError::Home(error.to_string()))?;
    let loaded = load_from(home, &resolved.dataset, resolved.data_seed, &LookUp::from_env(Some(dir)))?;
    Ok((title, loaded, (resolved.split, resolved.data_seed)))
}

/// Reads a data set whole, with a bar where standard error is a terminal.
///
/// # Errors
/// [`DataError::Home`] with the reader's sentence; [`DataError::Seed`].
pub(super) fn load(home: &DataHome, source: Source, seed: u64) -> Result<Loaded, DataError> {
    load_from(home, &Dataset { source, filters: Filters::default() }, seed, &look_up())
}

/// Says on standard error what was seen while data were read, for commands whose report does not.
pub(super) fn complain_of(loaded: &Loaded) {
    for warning in &loaded.warnings {
        output::complain(&format!("warning: {warning}"));
    }
}

/// Reads the rows that a data set's filters keep. What was seen while they were read stands in its warnings and is said by whoever asked.
///
/// # Errors
/// As [`load`].
pub(super) fn load_from(home: &DataHome, dataset: &Dataset, seed: u64, look_up: &LookUp) -> Result<Loaded, DataError> {
    if seed > MAX_SEED {
        return Err(DataError::Seed { seed });
    }
    let bar = bytes_bar("read");
    let mut progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let loaded = home.load(&LoadRequest { dataset, seed, look_up }, &mut progress);
    bar.finish_and_clear();
    loaded.map_err(|error| DataError::Home(error.to_string()))
}

/// Takes a file into the lab's folder.
///
/// # Errors
/// [`DataError::Home`] with the reader's sentence.
pub(super) fn import(
    home: &DataHome,
    path: &Path,
    name: &str,
    reading: Reading<'_>,
) -> Result<UploadRecord, DataError> {
    home.import(path, name, reading).map_err(|error| DataError::Home(error.to_string()))
}

/// A bar that counts bytes; hidden when standard error is no terminal.
pub(super) fn bytes_bar(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{prefix:<6} {bar:32} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
    {
        bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
    }
    bar.set_prefix(what);
    bar
}
