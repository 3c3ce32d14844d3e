//! `recspeed-worker retrieval`: ratings read back from the lab's own containers, one by one and in batches.
//!
//! Prints one JSON object, a [`Retrieved`]. Every number that is read is added up, so that nothing can be left out.

mod containers;

use std::fs;
use std::hint::black_box;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use recspeed_types::FailureCode;
use recspeed_types::spec::Device;
use recspeed_types::study::retrieval::{COLUMN_FILES, Retrieved};

use crate::{device, machine};
use containers::{Arrow, Container, Plain, Tensors};

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
}

/// The four columns of ratings.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Columns {
    pub(crate) user: Vec<u32>,
    pub(crate) item: Vec<u32>,
    pub(crate) rating: Vec<f32>,
    pub(crate) timestamp: Vec<i64>,
}

/// Measures one container and prints what it found.
pub(crate) fn print(arguments: &RetrievalArguments) -> ExitCode {
    let failed = |code: FailureCode, what: String| {
        eprintln!("recspeed-worker: {what}");
        ExitCode::from(code.exit_status())
    };
    let measured = match arguments.container.as_str() {
        "plain" => measure(&Plain, arguments),
        "arrow" => measure(&Arrow, arguments),
        "burn" => {
            let Some(device) = Device::OF_BURN.into_iter().find(|device| device.as_str() == arguments.device) else {
                return failed(FailureCode::InvalidSpec, format!("`{}` is no device of Burn", arguments.device));
            };
            match device::burn(device) {
                Ok(device) => measure(&Tensors(device), arguments),
                Err(error) => return failed(FailureCode::InvalidSpec, error.to_string()),
            }
        }
        other => {
            return failed(FailureCode::InvalidSpec, format!("no container is called `{other}`: plain, arrow, burn"));
        }
    };
    match measured.and_then(|found| serde_json::to_string(&found).map_err(io::Error::other)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let folder = arguments.columns.display();
            failed(FailureCode::Data, format!("the columns in {folder} cannot be read: {error}"))
        }
    }
}

fn measure<C: Container>(container: &C, arguments: &RetrievalArguments) -> io::Result<Retrieved> {
    let before = machine::process_memory().now;
    let filled = container.fill(read(&arguments.columns)?);
    let resident_bytes = machine::process_memory().now.saturating_sub(before);
    let plain = read(&arguments.columns)?;
    let rows = plain.rating.len();
    let single_rows = arguments.single_rows.map_or(rows, |most| rows.min(most as usize));
    let batch_rows = rows.min(arguments.batch_rows as usize).max(1);
    let mut targets = Columns::zeros(batch_rows);
    let parts: Vec<_> = (0..rows).step_by(batch_rows).map(|start| start..rows.min(start + batch_rows)).collect();
    let mut batch_sum = 0.0;
    for part in &parts {
        container.batch(&filled, part.clone(), &mut targets);
        batch_sum += targets.sum(part.len());
    }
    let single_sum = container.singles(&filled, single_rows);
    let repeats = arguments.repeats;
    Ok(Retrieved {
        container: arguments.container.clone(),
        versions: container.versions(),
        host: machine::describe(),
        rows: rows as u64,
        objects: container.objects(),
        header_bytes: container.header_bytes(),
        buffer_bytes: container.buffer_bytes(&filled),
        resident_bytes,
        single_rows: single_rows as u64,
        single_s: timed(repeats, || container.singles(black_box(&filled), single_rows)),
        batch_rows: batch_rows as u64,
        batch_s: timed(repeats, || {
            for part in &parts {
                container.batch(black_box(&filled), part.clone(), &mut targets);
            }
        }),
        copy_s: timed(repeats, || {
            for part in &parts {
                Plain.batch(black_box(&plain), part.clone(), &mut targets);
            }
        }),
        back_s: timed(repeats, || container.back(black_box(&filled))),
        build_s: (0..repeats).flat_map(|_| built(container, plain.clone())).collect(),
        single_sum,
        batch_sum,
    })
}

/// Seconds from columns to the container, which takes them over.
fn built<C: Container>(container: &C, columns: Columns) -> Vec<f64> {
    let mut columns = Some(columns);
    timed(1, || columns.take().map(|columns| container.fill(columns)))
}

/// Seconds of each of `repeats`.
fn timed<T>(repeats: u32, mut work: impl FnMut() -> T) -> Vec<f64> {
    let one = |_| {
        let start = Instant::now();
        let result = work();
        let seconds = start.elapsed().as_secs_f64();
        black_box(result);
        seconds
    };
    (0..repeats).map(one).collect()
}

/// Little-endian numbers of `N` bytes.
fn numbers<T, const N: usize>(bytes: &[u8], number: fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

/// The columns of the folder.
fn read(folder: &Path) -> io::Result<Columns> {
    let bytes = |place: usize| fs::read(folder.join(COLUMN_FILES[place]));
    let columns = Columns {
        user: numbers(&bytes(0)?, u32::from_le_bytes),
        item: numbers(&bytes(1)?, u32::from_le_bytes),
        rating: numbers(&bytes(2)?, f32::from_le_bytes),
        timestamp: numbers(&bytes(3)?, i64::from_le_bytes),
    };
    let rows = columns.rating.len();
    if [columns.user.len(), columns.item.len(), columns.timestamp.len()].iter().any(|other| *other != rows) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "they differ in length"));
    }
    Ok(columns)
}

impl Columns {
    fn zeros(rows: usize) -> Self {
        Self { user: vec![0; rows], item: vec![0; rows], rating: vec![0.0; rows], timestamp: vec![0; rows] }
    }

    /// Sum of all numbers of the first rows.
    fn sum(&self, rows: usize) -> f64 {
        (0..rows).map(|row| self.row(row)).sum()
    }

    /// The sum of a row's four numbers: exact, for every rating in halves of a star.
    pub(crate) fn row(&self, row: usize) -> f64 {
        f64::from(self.user[row]) + f64::from(self.item[row]) + f64::from(self.rating[row]) + self.timestamp[row] as f64
    }
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
        };
        let flex = device::burn(Device::Flex).expect("flex is always here");
        for (name, found) in [
            ("plain", measure(&Plain, &arguments("plain"))),
            ("arrow", measure(&Arrow, &arguments("arrow"))),
            ("burn", measure(&Tensors(flex), &arguments("burn"))),
        ] {
            let found = found.expect("measured");
            assert_eq!((found.rows, found.single_rows), (1000, 50), "{name}");
            assert_eq!(found.batch_sum, written.sum(1000), "{name}");
            assert_eq!(found.single_sum, written.sum(50), "{name}");
            assert_eq!(
                [&found.single_s, &found.batch_s, &found.copy_s, &found.build_s, &found.back_s].map(Vec::len),
                [2; 5]
            );
            // Flex holds times in 32 bits too.
            assert!(found.buffer_bytes >= 16 * 1000, "{name}: {}", found.buffer_bytes);
        }
    }

    #[test]
    fn columns_of_different_lengths_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), 10);
        fs::write(folder.path().join(COLUMN_FILES[2]), [0; 4]).expect("written");
        assert!(read(folder.path()).is_err());
    }
}
