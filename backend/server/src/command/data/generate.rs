//! `recspeed data generate`: a built-in data set as a CSV file.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use recspeed_data::Interactions;
use recspeed_types::builtin::{self, BEAUTY_SYNTHETIC_LICENCE};
use recspeed_types::limits::MAX_SEED;

use super::super::failure::CommandError;
use super::super::{figures, output};
use super::{DataError, GenerateArgs};

/// Writes the file; an unfinished one never takes its name.
pub(super) fn generate(args: &GenerateArgs) -> Result<u8, CommandError> {
    let entry = builtin::find(&args.id).ok_or_else(|| DataError::NotBuiltin {
        given: args.id.chars().take(60).collect(),
        known: builtin::ids().join(", "),
    })?;
    if args.seed > MAX_SEED {
        return Err(DataError::Seed { seed: args.seed }.into());
    }
    let made = recspeed_data::generate(entry, args.seed);
    let bytes = write_file(&args.out, &made.interactions)
        .map_err(|cause| DataError::Write { path: args.out.display().to_string(), cause })?;
    output::say(&format!(
        "{}: {} synthetic ratings from the seed {} in {} ({}).\nLicence: {BEAUTY_SYNTHETIC_LICENCE}.",
        entry.title,
        figures::count(made.interactions.len() as u64),
        args.seed,
        args.out.display(),
        figures::bytes(bytes),
    ))?;
    Ok(0)
}

/// Bytes written.
fn write_file(path: &Path, data: &Interactions) -> io::Result<u64> {
    // A device or a pipe cannot be replaced by a finished file: it is written straight.
    if path.exists() && !path.is_file() {
        let file = std::fs::OpenOptions::new().write(true).open(path)?;
        return write_csv(&mut BufWriter::with_capacity(1 << 18, file), data);
    }
    let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = BufWriter::with_capacity(1 << 18, tempfile::NamedTempFile::new_in(folder)?);
    let bytes = write_csv(&mut file, data)?;
    let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    readable_as_usual(file.path())?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(bytes)
}

/// Temporary files are for their owner alone; a data file is not secret.
fn readable_as_usual(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

/// The rows as amazon-csv: header, `user,item,rating,timestamp`, one line at a time.
fn write_csv(to: &mut impl Write, data: &Interactions) -> io::Result<u64> {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(b"UserId,ProductId,Rating,Timestamp\n");
    let mut bytes = 0;
    for row in 0..data.len() {
        let (user, item) = (data.users.get(data.user[row]), data.items.get(data.item[row]));
        writeln!(line, "{user},{item},{},{}", data.rating[row], data.timestamp[row])?;
        to.write_all(&line)?;
        bytes += line.len() as u64;
        line.clear();
    }
    to.write_all(&line)?;
    to.flush()?;
    Ok(bytes + line.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_data::{InteractionsBuilder, ReadLimits, read_ratings};
    use recspeed_types::spec::DataFormat;

    fn example() -> Interactions {
        let mut rows = InteractionsBuilder::default();
        rows.push("u1", "i1", 5.0, 1_369_699_200);
        rows.push("u2", "i1", 3.5, 0);
        rows.push("u1", "i2", 1.0, 7);
        rows.finish()
    }

    #[test]
    fn a_written_file_reads_back_to_the_same_columns() {
        let mut bytes = Vec::new();
        let written = write_csv(&mut bytes, &example()).unwrap();
        assert_eq!(written, bytes.len() as u64);
        let read = read_ratings(DataFormat::AmazonCsv, &bytes, ReadLimits::default()).unwrap();
        assert_eq!(read.report.bad_lines, 0);
        assert_eq!(read.interactions, example());
    }

    #[test]
    fn a_full_disk_leaves_no_file_and_says_so() {
        if !Path::new("/dev/full").exists() {
            eprintln!("skipped: this system has no /dev/full");
            return;
        }
        let error = write_file(Path::new("/dev/full"), &example()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn an_empty_data_set_is_a_file_with_a_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("empty.csv");
        write_file(&path, &Interactions::default()).unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "UserId,ProductId,Rating,Timestamp\n");
    }
}
