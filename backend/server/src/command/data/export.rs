//! `recspeed data export`: a data set, or the rows of a split, as Parquet or Arrow IPC.

use std::io;
use std::path::Path;

use recspeed_data::{Interactions, split, table};
use recspeed_datasets::{Loaded, write_attributes_parquet, write_new, write_parquet};
use recspeed_types::spec::{Dataset, Filters, SplitPlan};

use super::super::failure::CommandError;
use super::super::{figures, writable};
use super::{DataError, ExportArgs, TableFormat, out_file, places};

/// Rows of an experiment's split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SplitPart {
    /// Rows that the recommender learns from
    Train,
    /// Rows that steer the training
    Validation,
    /// Rows held out to the end
    Test,
}

impl SplitPart {
    /// The name as on the command line.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// Whose attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Whose {
    /// Attributes of items, as `dataset.items` names them
    Items,
    /// Attributes of users, as `dataset.users` names them
    Users,
}

/// Writes the file.
pub(super) fn export(args: ExportArgs) -> Result<u8, CommandError> {
    let home = places::open(args.home)?;
    writable::new_file("--to", &args.to)?;
    let format = format_of(args.format, &args.to)?;
    let (title, loaded, split) = if places::is_spec(&args.what) {
        let (title, loaded, split) = places::of_spec(&home, &args.what)?;
        (title, loaded, Some(split))
    } else {
        let named = places::find(&args.what, None, args.columns.unwrap_or_default(), &home)?;
        let dataset = Dataset { source: named.source, filters: Filters::default() };
        (named.title, places::load_from(&home, &dataset, args.seed, &places::look_up())?, None)
    };
    places::complain_of(&loaded);
    if let Some(whose) = args.attributes {
        return export_attributes(&title, whose, loaded, &args.to, format);
    }
    let data = match (args.rows, split) {
        (None, _) => loaded.interactions,
        (Some(part), Some((split, seed))) => part_of(&loaded.interactions, &split, seed, part)?,
        (Some(_), None) => return Err(DataError::NoSplit.into()),
    };
    // Ids in the order of their first row, as a reader numbers them: what is read back is the same, bit for bit.
    let data = data.subset(&(0..data.len() as u32).collect::<Vec<_>>());
    let bytes = write(&args.to, &data, format).map_err(|cause| out_file::unwritten(&args.to, cause))?;
    let rows = match args.rows {
        None => "rows",
        Some(SplitPart::Train) => "training rows",
        Some(SplitPart::Validation) => "validation rows",
        Some(SplitPart::Test) => "test rows",
    };
    say(&title, &format!("{} {rows}", figures::count(data.len() as u64)), &args.to, format, bytes)
}

fn export_attributes(
    title: &str,
    whose: Whose,
    loaded: Loaded,
    to: &Path,
    format: TableFormat,
) -> Result<u8, CommandError> {
    let (found, of) = match whose {
        Whose::Items => (loaded.item_attributes, ("item", "items")),
        Whose::Users => (loaded.user_attributes, ("user", "users")),
    };
    let attributes = found.ok_or(DataError::NoAttributes { whose: of.1 })?;
    let bytes = write_new(to, |to| match format {
        TableFormat::Parquet => write_attributes_parquet(&attributes, to).map_err(io::Error::other),
        TableFormat::Arrow => table::write_attributes_arrow(&attributes, to).map_err(io::Error::other),
    });
    let bytes = bytes.map_err(|cause| out_file::unwritten(to, cause))?;
    let columns = figures::counted(attributes.columns.len() as u64, "attribute", "attributes");
    let ids = figures::counted(attributes.ids.len() as u64, of.0, of.1);
    say(title, &format!("{columns} of {ids}"), to, format, bytes)
}

fn say(title: &str, what: &str, to: &Path, format: TableFormat, bytes: u64) -> Result<u8, CommandError> {
    let told = format!("{title}: {what} in {} ({}, {}).", to.display(), format.as_str(), figures::bytes(bytes));
    out_file::tell(to, &told)?;
    Ok(0)
}

/// A spec is told from a data set by its name.
fn format_of(told: Option<TableFormat>, to: &Path) -> Result<TableFormat, DataError> {
    let by_name = || match to.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "parquet" => Some(TableFormat::Parquet),
        "arrow" | "feather" | "ipc" => Some(TableFormat::Arrow),
        _ => None,
    };
    told.or_else(by_name).ok_or_else(|| DataError::ExportFormat { file: to.display().to_string() })
}

fn part_of(data: &Interactions, plan: &SplitPlan, seed: u64, part: SplitPart) -> Result<Interactions, DataError> {
    let rows = split(data, plan, seed).map_err(|error| DataError::Home(error.to_string()))?;
    let rows = match part {
        SplitPart::Train => rows.train,
        SplitPart::Validation => rows.validation,
        SplitPart::Test => rows.test,
    };
    if rows.is_empty() { Err(DataError::EmptyPart) } else { Ok(data.subset(&rows)) }
}

fn write(path: &Path, data: &Interactions, format: TableFormat) -> io::Result<u64> {
    write_new(path, |to| match format {
        TableFormat::Parquet => write_parquet(data, &[], to).map_err(io::Error::other),
        TableFormat::Arrow => table::write_arrow(data, &[], to).map_err(io::Error::other),
    })
}

#[cfg(test)]
mod tests {
    use recspeed_data::{InteractionsBuilder, ReadLimits};
    use recspeed_types::spec::ColumnNames;

    use super::*;

    #[test]
    fn the_name_tells_the_format_unless_it_is_told() {
        assert_eq!(format_of(None, Path::new("a.Parquet")).unwrap(), TableFormat::Parquet);
        assert_eq!(format_of(None, Path::new("a.feather")).unwrap(), TableFormat::Arrow);
        assert_eq!(format_of(Some(TableFormat::Arrow), Path::new("a.parquet")).unwrap(), TableFormat::Arrow);
        let error = format_of(None, Path::new("a.csv")).unwrap_err().to_string();
        assert_eq!(error, "a.csv could be Parquet or Arrow; name it .parquet or .arrow, or add --format");
    }

    #[test]
    fn a_spec_is_told_from_a_data_set_by_its_name() {
        assert!(
            places::is_spec("a/b.toml")
                && places::is_spec("b.json")
                && places::is_spec("-")
                && places::is_spec("https://lab/#x=1.abc")
        );
        assert!(!places::is_spec("ratings.csv") && !places::is_spec("beauty-synthetic-10k"));
    }

    #[test]
    fn what_is_written_is_read_back_bit_for_bit() {
        let mut rows = InteractionsBuilder::default();
        for row in 0..70_000 {
            rows.push(&format!("u{}", row % 701), &format!("i{}", row % 97), row as f32 / 7.0, i64::from(row) - 9);
        }
        let data = rows.finish();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.arrow");
        write(&path, &data, TableFormat::Arrow).unwrap();
        let bytes = std::fs::read(path).unwrap();
        let back = table::read_arrow(&bytes, &ColumnNames::default(), ReadLimits::default()).unwrap();
        assert_eq!(back.interactions, data);
    }
}
