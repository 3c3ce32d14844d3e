//! `recspeed data`: look at, make and bring data sets.

mod bring;
mod catalogue;
mod describe;
mod download;
mod export;
mod format;
mod generate;
mod out_file;
mod places;
mod report;

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use recspeed_types::FailureCode;
use recspeed_types::spec::{ColumnNames, DataFormat};

use self::download::DownloadError;
pub(crate) use self::export::{SplitPart, Whose};
pub(super) use self::generate::write_csv;
use super::failure::CommandError;
use super::writable::remedy;

/// What `recspeed data` can do.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// List the data sets: built-in, imported, public
    List(ListArgs),
    /// Describe a data set: sizes, ratings, years, how rows spread over users and items
    Describe(DescribeArgs),
    /// Write a built-in data set as a CSV file
    Generate(GenerateArgs),
    /// Take a copy of a ratings file into the lab
    Import(ImportArgs),
    /// Bring a public data set from its owner
    Fetch(FetchArgs),
    /// Write a data set, or the rows of a split, as Parquet or Arrow
    Export(ExportArgs),
}

/// Where the lab keeps data.
#[derive(Debug, Args)]
pub(super) struct HomeArgs {
    /// Where imported data and caches lie (otherwise as `recspeed serve`)
    #[arg(long, value_name = "DIR", env = "RECSPEED_HOME")]
    home: Option<PathBuf>,
}

/// Arguments of `recspeed data list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `recspeed data describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// A built-in, imported or fetched data set, or a file (looked up here, then under RECSPEED_DATA)
    #[arg(value_name = "NAME-or-FILE")]
    name: String,
    /// How the file is written (otherwise judged by its name and first line)
    #[arg(long, value_parser = format::parse)]
    format: Option<DataFormat>,
    /// The columns of a table, as user=reviewerID,item=asin (otherwise by their usual names)
    #[arg(long, value_name = "NAMES", value_parser = format::parse_columns)]
    columns: Option<ColumnNames>,
    /// The seed of a built-in data set
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    home: HomeArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Arguments of `recspeed data generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The built-in data set
    #[arg(value_name = "ID")]
    id: String,
    /// What it is made from
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// The file to write, a new one, in the format amazon-csv; - is standard output
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// Arguments of `recspeed data import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The ratings file; gzip and zstd are recognised
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What to call it (otherwise the file's name)
    #[arg(long)]
    name: Option<String>,
    /// How the file is written (otherwise judged by its name and first line)
    #[arg(long, value_parser = format::parse)]
    format: Option<DataFormat>,
    /// The columns of a table, as user=reviewerID,item=asin (otherwise by their usual names)
    #[arg(long, value_name = "NAMES", value_parser = format::parse_columns)]
    columns: Option<ColumnNames>,
    #[command(flatten)]
    home: HomeArgs,
}

/// Arguments of `recspeed data fetch`.
#[derive(Debug, Args)]
pub struct FetchArgs {
    /// The public data set, as `recspeed data list` names it
    #[arg(value_name = "NAME")]
    name: String,
    /// Another address of the same file
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Accept a file that differs from the one fetched before
    #[arg(long)]
    accept_changed: bool,
    #[command(flatten)]
    home: HomeArgs,
}

/// Arguments of `recspeed data export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A data set as for `describe`, or a spec (.toml, .json, a permalink): then with its filters
    #[arg(value_name = "NAME-or-FILE")]
    what: String,
    /// The file to write, a new one
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// How to write it (otherwise judged by its name)
    #[arg(long)]
    format: Option<TableFormat>,
    /// Instead of ratings the attributes, as a table with the ids in its first column, which `dataset.items` reads
    #[arg(long, value_name = "WHOSE", conflicts_with = "rows")]
    attributes: Option<Whose>,
    /// Only these rows of the spec's split
    #[arg(long, value_name = "PART")]
    rows: Option<SplitPart>,
    /// The columns of a table, as user=reviewerID,item=asin (otherwise by their usual names)
    #[arg(long, value_name = "NAMES", value_parser = format::parse_columns)]
    columns: Option<ColumnNames>,
    /// The seed of a built-in data set; a spec has its own
    #[arg(long, default_value_t = 42)]
    seed: u64,
    #[command(flatten)]
    home: HomeArgs,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// Apache Parquet, packed with zstd
    Parquet,
    /// Apache Arrow IPC file (Feather version 2)
    Arrow,
}

impl TableFormat {
    /// The name as on the command line.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Arrow => "arrow",
        }
    }
}

/// A data set that cannot be found, read, made or brought.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    /// No data set and no file has this name.
    #[error("`{given}` is neither a data set nor a file here{hint}; `recspeed data list` names the data sets")]
    Unknown {
        /// What was given.
        given: String,
        /// ` (did you mean …?)`, or nothing.
        hint: String,
    },
    /// Only built-in data sets can be made.
    #[error("no built-in data set is called `{given}`; known: {known}")]
    NotBuiltin {
        /// What was given.
        given: String,
        /// Every name.
        known: String,
    },
    /// Only public data sets can be fetched.
    #[error(
        "no public data set is called `{given}`; known: {known}; bring any other file with `recspeed data import FILE`"
    )]
    NotPublic {
        /// What was given.
        given: String,
        /// Every name.
        known: String,
    },
    /// Nobody can tell how a file is written.
    #[error("cannot tell how {file} is written; add --format with one of: {allowed}")]
    Format {
        /// The file.
        file: String,
        /// Every format.
        allowed: String,
    },
    /// Nobody can tell how a table is to be written.
    #[error("{file} could be Parquet or Arrow; name it .parquet or .arrow, or add --format")]
    ExportFormat {
        /// The file.
        file: String,
    },
    /// Rows of a split were asked of something that is not split.
    #[error("--rows takes rows of a spec's split; give a spec (.toml, .json or a permalink) instead of a data set")]
    NoSplit,
    /// The split holds no such rows.
    #[error("the spec's split holds no such rows; see split.kind, split.validation_ratio and split.validation")]
    EmptyPart,
    /// The data set has no such attributes.
    #[error("the data set has no attributes of {whose}; a spec names their file as dataset.{whose}")]
    NoAttributes {
        /// `items` or `users`.
        whose: &'static str,
    },
    /// The seed is larger than JSON can carry.
    #[error("the seed {seed} is too large; allowed: 0 to {}", recspeed_types::limits::MAX_SEED)]
    Seed {
        /// What was given.
        seed: u64,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {cause}; give a file that exists and that you may read")]
    Read {
        /// The file.
        path: String,
        /// The system's words.
        cause: io::Error,
    },
    /// A file cannot be written.
    #[error("cannot write {path}: {cause}; {}", remedy(cause, "make room or choose another place"))]
    Write {
        /// The file.
        path: String,
        /// The system's words.
        cause: io::Error,
    },
    /// The lab's folder or a file in it does not serve.
    #[error("{0}")]
    Home(String),
    /// The download failed.
    #[error(
        "{source}. When this machine is offline, bring {url} here by other means and run `recspeed data import FILE --name {id} --format {format}`"
    )]
    Download {
        /// Why.
        source: Box<DownloadError>,
        /// The public address.
        url: String,
        /// The data set.
        id: &'static str,
        /// Its format.
        format: &'static str,
    },
    /// The file is not the owner's, or not the one that was fetched before.
    #[error(
        "{url} is another file than {known}: its SHA-256 is {found}, not {recorded}; results on the two do not compare. To take it all the same, add --accept-changed"
    )]
    Changed {
        /// The address.
        url: String,
        /// Of the file that came.
        found: String,
        /// Of the known file.
        recorded: String,
        /// Which that is.
        known: &'static str,
    },
}

impl DataError {
    /// The exit status that stands for this failure.
    pub(crate) fn exit_status(&self) -> u8 {
        match self {
            Self::Unknown { .. }
            | Self::NotBuiltin { .. }
            | Self::NotPublic { .. }
            | Self::Format { .. }
            | Self::ExportFormat { .. }
            | Self::NoSplit
            | Self::NoAttributes { .. }
            | Self::EmptyPart
            | Self::Seed { .. } => FailureCode::InvalidSpec.exit_status(),
            Self::Write { .. } => FailureCode::Internal.exit_status(),
            _ => FailureCode::Data.exit_status(),
        }
    }
}

/// Does what was asked.
pub(crate) fn run(command: DataCommand) -> Result<u8, CommandError> {
    match command {
        DataCommand::List(args) => catalogue::list(args),
        DataCommand::Describe(args) => describe::describe(args),
        DataCommand::Generate(args) => generate::generate(&args),
        DataCommand::Import(args) => bring::import(args),
        DataCommand::Fetch(args) => bring::fetch(args),
        DataCommand::Export(args) => export::export(args),
    }
}
