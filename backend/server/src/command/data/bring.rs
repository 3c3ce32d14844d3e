//! `recspeed data import` and `recspeed data fetch`: data from elsewhere.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use recspeed_datasets::{DataHome, Reading};
use recspeed_types::api::UploadRecord;
use recspeed_types::builtin::{PUBLIC_DATASETS, PublicDataset};
use recspeed_types::spec::ColumnNames;

use super::super::failure::CommandError;
use super::super::figures::{bytes, counted};
use super::super::output;
use super::download::Download;
use super::{DataError, FetchArgs, ImportArgs, format, places};

/// Bytes of a fetched file at most.
const MAX_FETCHED_BYTES: u64 = 4 << 30;

/// Takes a copy of a file.
pub(super) fn import(args: ImportArgs) -> Result<u8, CommandError> {
    let home = places::open(args.home)?;
    let format = format::told_or_judged(args.format, &args.file)?;
    let name = args.name.unwrap_or_else(|| {
        args.file.file_name().map_or_else(|| "data".to_owned(), |name| name.to_string_lossy().into_owned())
    });
    let columns = args.columns.unwrap_or_default();
    let record = places::import(&home, &args.file, &name, Reading { format, columns: &columns })?;
    output::say(&output::printable(&told(&record, &columns)))?;
    Ok(0)
}

/// What is here now, and the lines of a spec that use it.
fn told(record: &UploadRecord, columns: &ColumnNames) -> String {
    let format = record.format.as_str();
    let named = columns.named().into_iter().filter_map(|(what, name)| Some(format!("{what} = {:?}", name?)));
    let named = named.collect::<Vec<_>>().join(", ");
    let columns = if named.is_empty() { String::new() } else { format!("\ncolumns = {{ {named} }}") };
    format!(
        "{}: {}, {}, {}\n\n[dataset]\nsource = \"upload\"\nid = \"{}\"\nformat = \"{format}\"{columns}",
        record.name,
        counted(record.rows, "row", "rows"),
        counted(record.bad_lines, "bad line", "bad lines"),
        bytes(record.bytes),
        record.sha256,
    )
}

/// Brings a public data set.
pub(super) fn fetch(args: FetchArgs) -> Result<u8, CommandError> {
    let entry = places::public(&args.name).ok_or_else(|| DataError::NotPublic {
        given: args.name.chars().take(60).collect(),
        known: PUBLIC_DATASETS.iter().map(|entry| entry.id).collect::<Vec<_>>().join(", "),
    })?;
    let home = places::open(args.home)?;
    if !args.accept_changed
        && let Some(record) = places::imported(&home)?.into_iter().find(|record| record.name == entry.id)
    {
        output::say(&output::printable(&format!("It is here already.\n{}", told(&record, &ColumnNames::default()))))?;
        return Ok(0);
    }
    output::complain(&format!(
        "{}\nsource:  {}\nlicence: {}\ncite:    {}",
        entry.title, entry.source, entry.licence, entry.citation
    ));
    let url = args.from.as_deref().unwrap_or(entry.url);
    let record = bring(&home, entry, url, args.accept_changed)?;
    output::say(&output::printable(&told(&record, &ColumnNames::default())))?;
    Ok(0)
}

/// Downloads, holds the file against the hash of the first fetch or of the owner's file, imports it, records its hash.
fn bring(
    home: &DataHome,
    entry: &'static PublicDataset,
    url: &str,
    accept_changed: bool,
) -> Result<UploadRecord, DataError> {
    let folder = home.root().join("fetched");
    let write = |path: &Path, cause: io::Error| DataError::Write { path: path.display().to_string(), cause };
    fs::create_dir_all(&folder).map_err(|cause| write(&folder, cause))?;
    let part = folder.join(entry.id).with_extension("part");
    let bar = places::bytes_bar("fetch");
    let brought = Download { url, part: &part, limit: MAX_FETCHED_BYTES }.bring(&mut |done, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    });
    bar.finish_and_clear();
    brought.map_err(|source| DataError::Download {
        source: Box::new(source),
        url: entry.url.to_owned(),
        id: entry.id,
        format: entry.format.as_str(),
    })?;
    let found = sha256_of(&part).map_err(|cause| DataError::Read { path: part.display().to_string(), cause })?;
    let recorded_at = folder.join(entry.id).with_extension("sha256");
    let recorded = fs::read_to_string(&recorded_at).unwrap_or_default().trim().to_owned();
    let (recorded, known) = if recorded.is_empty() {
        (entry.sha256.unwrap_or_default().to_owned(), "its owner's")
    } else {
        (recorded, "the one that was first fetched")
    };
    if !recorded.is_empty() && recorded != found && !accept_changed {
        let _ = fs::remove_file(&part);
        return Err(DataError::Changed { url: url.to_owned(), found, recorded, known });
    }
    let imported =
        places::import(home, &part, entry.id, Reading { format: entry.format, columns: &ColumnNames::default() });
    // Whole but unreadable, as a page that says "moved": a second try must begin again.
    let _ = fs::remove_file(&part);
    let record = imported?;
    fs::write(&recorded_at, format!("{found}\n")).map_err(|cause| write(&recorded_at, cause))?;
    Ok(record)
}

fn sha256_of(path: &PathBuf) -> io::Result<String> {
    use sha2::{Digest as _, Sha256};
    use std::fmt::Write as _;
    use std::io::Read as _;
    let mut file = fs::File::open(path)?;
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hasher.update(&buffer[..n]),
        }
    }
    let mut text = String::with_capacity(64);
    for byte in hasher.finalize() {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}
