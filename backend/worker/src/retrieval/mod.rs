//! `recspeed-worker retrieval`: ratings read back from the lab's own containers, one by one and in batches.
//!
//! Prints one JSON object, a [`Retrieved`]. What is measured stands in `recspeed_data::retrieval`, which a browser's tab uses too.

mod containers;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use recspeed_data::retrieval::{self, Columns, Container, Plain};
use recspeed_types::FailureCode;
use recspeed_types::spec::Device;
use recspeed_types::study::retrieval::{Asked, COLUMN_FILES, MOST_BEYOND, Retrieved};

use crate::output::{answer, complain};
use crate::{device, machine, watch};
use containers::{Arrow, Tensors};

/// Arguments of `recspeed-worker retrieval`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RetrievalArguments {
    /// The folder with the four columns, as bare little-endian numbers.
    #[arg(long, value_name = "DIR")]
    columns: PathBuf,
    /// The container: plain, arrow or burn.
    #[arg(long)]
    container: String,
    /// The device of Burn's tensors, as in a spec.
    #[arg(long, default_value = "flex")]
    device: String,
    /// How often everything is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
    /// Rows of a batch.
    #[arg(long, default_value_t = 65_536, value_parser = clap::value_parser!(u64).range(1..))]
    batch_rows: u64,
    /// Rows that are read one by one at most (all unless set).
    #[arg(long)]
    single_rows: Option<u64>,
    /// Bytes of a copy that no cache holds: batches are read once more, each time behind it (not unless set).
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_BEYOND))]
    beyond_bytes: Option<u64>,
}

/// Measures one container and prints what it found.
pub(crate) fn print(arguments: &RetrievalArguments) -> ExitCode {
    let failed = |code: FailureCode, what: String| {
        complain(format_args!("recspeed-worker: {what}"));
        ExitCode::from(code.exit_status())
    };
    if let Err(error) = watch::follow() {
        return failed(FailureCode::Internal, format!("it cannot watch for the end of whoever started it: {error}"));
    }
    let measured = match arguments.container.as_str() {
        // Both are read by the thread that asks.
        "plain" => measure(&Plain, ("recspeed", 1), arguments),
        "arrow" => measure(&Arrow, ("recspeed", 1), arguments),
        "burn" => {
            let Some(device) = Device::OF_BURN.into_iter().find(|device| device.as_str() == arguments.device) else {
                return failed(FailureCode::InvalidSpec, format!("`{}` is no device of Burn", arguments.device));
            };
            match device::burn(device) {
                Ok(opened) => measure(&Tensors(opened), ("burn", device::threads(device)), arguments),
                Err(error) => return failed(FailureCode::InvalidSpec, error.to_string()),
            }
        }
        other => {
            return failed(FailureCode::InvalidSpec, format!("no container is called `{other}`: plain, arrow, burn"));
        }
    };
    match measured.and_then(|found| serde_json::to_string(&found).map_err(io::Error::other)) {
        Ok(text) => answer(text),
        Err(error) => {
            let folder = arguments.columns.display();
            failed(FailureCode::Data, format!("the columns in {folder} cannot be read: {error}"))
        }
    }
}

/// What a container of this library, which has so many threads, holds and takes.
fn measure<C: Container>(
    container: &C,
    (version_of, threads): (&str, u32),
    arguments: &RetrievalArguments,
) -> io::Result<Retrieved> {
    let before = machine::process_memory().now;
    let filled = container.fill(read(&arguments.columns)?);
    let resident_bytes = grown(before, machine::process_memory().now);
    let plain = read(&arguments.columns)?;
    let RetrievalArguments { repeats, batch_rows, single_rows, beyond_bytes, .. } = *arguments;
    let asked = Asked { repeats, batch_rows, single_rows, beyond_bytes };
    let start = Instant::now();
    let found = retrieval::measure(container, &filled, &plain, &asked, 0.0, &mut || start.elapsed().as_secs_f64());
    // The lab's own of every container, so that two builds are told apart, and what Burn's tensors lie in.
    let of_burn = version_of == "burn";
    let told = |name: &str| name == "recspeed" || name == version_of || (of_burn && name == "libtorch");
    let versions = machine::versions().into_iter().filter(|(name, _)| told(name)).collect();
    Ok(Retrieved {
        container: arguments.container.clone(),
        versions,
        host: machine::describe(),
        threads: Some(threads),
        resident_bytes,
        ..found
    })
}

/// Bytes that a process holds more than before; nothing where the system does not tell, which is 0 of a process that runs.
fn grown(before: u64, after: u64) -> Option<u64> {
    (before > 0 && after > 0).then(|| after.saturating_sub(before))
}

/// The columns of the folder.
fn read(folder: &Path) -> io::Result<Columns> {
    let bytes = |place: usize| fs::read(folder.join(COLUMN_FILES[place]));
    let [user, item, rating, timestamp] = [bytes(0)?, bytes(1)?, bytes(2)?, bytes(3)?];
    Columns::from_le_bytes([&user, &item, &rating, &timestamp])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, rows: usize) -> Columns {
        let columns = Columns {
            user: (0..rows as u32).map(|row| row % 70).collect(),
            item: (0..rows as u32).map(|row| row % 30).collect(),
            rating: (0..rows).map(|row| 1.0 + (row % 5) as f32).collect(),
            timestamp: (0..rows as i64).map(|row| 1_400_000_000 + row).collect(),
        };
        let files: [Vec<u8>; 4] = [
            columns.user.iter().flat_map(|number| number.to_le_bytes()).collect(),
            columns.item.iter().flat_map(|number| number.to_le_bytes()).collect(),
            columns.rating.iter().flat_map(|number| number.to_le_bytes()).collect(),
            columns.timestamp.iter().flat_map(|number| number.to_le_bytes()).collect(),
        ];
        for (name, bytes) in COLUMN_FILES.iter().zip(files) {
            fs::write(folder.join(name), bytes).expect("written");
        }
        columns
    }

    #[test]
    fn every_container_gives_every_number_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let written = write(folder.path(), 1000);
        let arguments = |container: &str| RetrievalArguments {
            columns: folder.path().to_owned(),
            container: container.to_owned(),
            device: "flex".to_owned(),
            repeats: 2,
            // The last batch is shorter.
            batch_rows: 300,
            single_rows: Some(50),
            beyond_bytes: Some(100_000),
        };
        let flex = device::burn(Device::Flex).expect("flex is always here");
        for (name, found) in [
            ("plain", measure(&Plain, ("recspeed", 1), &arguments("plain"))),
            ("arrow", measure(&Arrow, ("recspeed", 1), &arguments("arrow"))),
            ("burn", measure(&Tensors(flex), ("burn", device::threads(Device::Flex)), &arguments("burn"))),
        ] {
            let found = found.expect("measured");
            assert_eq!((found.rows, found.single_rows), (1000, 50), "{name}");
            assert_eq!(found.threads, Some(1), "{name}");
            let of = |library: &str| found.versions.contains_key(library);
            assert_eq!((of("recspeed"), of("burn")), (true, name == "burn"), "{name}: {:?}", found.versions);
            assert_eq!(found.batch_sum, written.sum(1000), "{name}");
            assert_eq!(found.single_sum, written.sum(50), "{name}");
            assert_eq!(
                [&found.single_s, &found.batch_s, &found.copy_s, &found.build_s, &found.back_s].map(Vec::len),
                [2; 5]
            );
            let beyond = found.beyond.expect("it was asked for");
            assert_eq!([&beyond.memory_s, &beyond.batch_s, &beyond.copy_s].map(Vec::len), [2; 3], "{name}");
            // Flex holds times in 32 bits too.
            assert!(found.buffer_bytes >= 16 * 1000, "{name}: {}", found.buffer_bytes);
        }
    }

    #[test]
    fn what_the_system_does_not_tell_of_a_process_is_not_0_bytes() {
        assert_eq!([grown(4096, 12_288), grown(4096, 4096), grown(4096, 0)], [Some(8192), Some(0), None]);
        assert_eq!([grown(0, 0), grown(0, 4096)], [None, None]);
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), 10);
        fs::write(folder.path().join(COLUMN_FILES[2]), [0; 4]).expect("written");
        assert!(read(folder.path()).is_err());
    }
}
