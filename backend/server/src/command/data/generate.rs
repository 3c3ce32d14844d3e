//! `recspeed data generate`: a built-in data set as a CSV file.

use std::io::{self, BufWriter, Write};

use recspeed_data::Interactions;
use recspeed_datasets::write_new;
use recspeed_types::builtin::{self, BEAUTY_SYNTHETIC_LICENCE};
use recspeed_types::limits::MAX_SEED;

use super::super::failure::CommandError;
use super::super::{figures, output, writable};
use super::{DataError, GenerateArgs, out_file};

/// Writes the file, or standard output; an unfinished file never takes its name.
pub(super) fn generate(args: &GenerateArgs) -> Result<u8, CommandError> {
    let entry = builtin::find(&args.id).ok_or_else(|| DataError::NotBuiltin {
        given: args.id.chars().take(60).collect(),
        known: builtin::ids().join(", "),
    })?;
    if args.seed > MAX_SEED {
        return Err(DataError::Seed { seed: args.seed }.into());
    }
    let to_output = writable::is_dash(&args.to);
    if !to_output {
        writable::new_file("--to", &args.to)?;
    }
    let made = recspeed_data::generate(entry, args.seed);
    let told = |place: &str| {
        let rows = figures::count(made.interactions.len() as u64);
        format!(
            "{}: {rows} synthetic ratings from the seed {} {place}.\nLicence: {BEAUTY_SYNTHETIC_LICENCE}.",
            entry.title, args.seed
        )
    };
    if to_output {
        write_csv(&mut BufWriter::new(io::stdout().lock()), &made.interactions)?;
        output::complain(&told("on standard output"));
        return Ok(0);
    }
    let bytes = write_new(&args.to, |mut to| write_csv(&mut to, &made.interactions))
        .map_err(|cause| out_file::unwritten(&args.to, cause))?;
    out_file::tell(&args.to, &told(&format!("in {} ({})", args.to.display(), figures::bytes(bytes))))?;
    Ok(0)
}

/// The rows as amazon-csv: header, `user,item,rating,timestamp`, one line at a time.
pub(in crate::command) fn write_csv(to: &mut impl Write, data: &Interactions) -> io::Result<()> {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(b"UserId,ProductId,Rating,Timestamp\n");
    for row in 0..data.len() {
        let (user, item) = (data.users.get(data.user[row]), data.items.get(data.item[row]));
        writeln!(line, "{user},{item},{},{}", data.rating[row], data.timestamp[row])?;
        to.write_all(&line)?;
        line.clear();
    }
    to.write_all(&line)?;
    to.flush()
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
        write_csv(&mut bytes, &example()).unwrap();
        let read = read_ratings(DataFormat::AmazonCsv, &bytes, ReadLimits::default()).unwrap();
        assert_eq!(read.report.bad_lines, 0);
        assert_eq!(read.interactions, example());
    }

    #[test]
    fn an_empty_data_set_is_a_file_with_a_header() {
        let mut bytes = Vec::new();
        write_csv(&mut bytes, &Interactions::default()).unwrap();
        assert_eq!(bytes, b"UserId,ProductId,Rating,Timestamp\n");
    }
}
