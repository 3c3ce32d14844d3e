//! The rows that every container is given, in files, and how large they are elsewhere.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use recspeed_data::Interactions;
use recspeed_types::study::retrieval::{COLUMN_FILES, Retrieved};
use tempfile::TempDir;

use crate::command::data::write_csv;

/// Bytes of a row's four numbers.
pub(super) const ROW_BYTES: u64 = 20;

/// The first rows of a data set, in files that are gone with this value.
pub(super) struct Columns {
    folder: TempDir,
    pub(super) rows: u64,
    /// Bytes of the same rows as a CSV file.
    pub(super) csv_bytes: u64,
    /// Bytes of the same rows in a data frame of pandas.
    pub(super) pandas_bytes: u64,
    /// Sum of all numbers up to each row.
    sums: Vec<f64>,
}

impl Columns {
    /// Writes the first rows.
    pub(super) fn write(data: &Interactions, rows: usize) -> io::Result<Self> {
        // Without the name that it would have had.
        let folder = tempfile::tempdir().map_err(|error| io::Error::from(error.kind()))?;
        let rows = rows.min(data.len());
        let file = |place: usize| std::fs::File::create(folder.path().join(COLUMN_FILES[place])).map(BufWriter::new);
        put(file(0)?, data.user[..rows].iter().map(|number| number.to_le_bytes()))?;
        put(file(1)?, data.item[..rows].iter().map(|number| number.to_le_bytes()))?;
        put(file(2)?, data.rating[..rows].iter().map(|number| number.to_le_bytes()))?;
        put(file(3)?, data.timestamp[..rows].iter().map(|number| number.to_le_bytes()))?;
        let mut total = 0.0;
        let row = |row: usize| {
            total += f64::from(data.user[row])
                + f64::from(data.item[row])
                + f64::from(data.rating[row])
                + data.timestamp[row] as f64;
            total
        };
        let sums = (0..rows).map(row).collect();
        let (csv_bytes, pandas_bytes) = elsewhere(data, rows)?;
        Ok(Self { folder, rows: rows as u64, csv_bytes, pandas_bytes, sums })
    }

    /// Where the files lie.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What is wrong with what was read; `None` where every number is as it was written.
    pub(super) fn differs(&self, read: &Retrieved) -> Option<String> {
        let sum = |rows: u64| rows.checked_sub(1).map_or(0.0, |last| self.sums[last as usize]);
        if read.rows != self.rows || read.single_rows > self.rows {
            return Some(format!("it read {} of {} rows", read.rows, self.rows));
        }
        let as_written = read.single_sum == sum(read.single_rows) && read.batch_sum == sum(self.rows);
        (!as_written).then(|| "it read other numbers than were written".to_owned())
    }
}

/// Bytes of the first rows as a CSV file, and in a data frame of pandas.
pub(super) fn elsewhere(data: &Interactions, rows: usize) -> io::Result<(u64, u64)> {
    let rows = rows.min(data.len());
    let mut csv = Counted(0);
    write_csv(&mut csv, &data.subset(&(0..rows as u32).collect::<Vec<_>>()))?;
    Ok((csv.0, pandas_bytes(data, rows)))
}

/// Bytes of a data frame as `DataFrame.memory_usage(deep=True)` counts them: ids as Python's strings (49 bytes and a byte a
/// character) behind pointers, ratings as 64-bit floats, timestamps as 64-bit integers, 132 bytes for the index.
fn pandas_bytes(data: &Interactions, rows: usize) -> u64 {
    let text = |id: &str| 8 + 49 + id.len() as u64;
    let row = |row: usize| text(data.users.get(data.user[row])) + text(data.items.get(data.item[row])) + 16;
    132 + (0..rows).map(row).sum::<u64>()
}

fn put<const N: usize>(mut file: impl Write, numbers: impl Iterator<Item = [u8; N]>) -> io::Result<()> {
    for number in numbers {
        file.write_all(&number)?;
    }
    file.flush()
}

/// Counts what is written.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;

    fn example() -> Interactions {
        let mut rows = InteractionsBuilder::default();
        rows.push("A234567890123X", "0123456789", 5.0, 100);
        rows.push("A234567890123Y", "0123456789", 3.0, 200);
        rows.push("A234567890123X", "0123456780", 1.0, 300);
        rows.finish()
    }

    #[test]
    fn what_is_written_is_what_was_asked_for() {
        let columns = Columns::write(&example(), 2).expect("written");
        let sizes = COLUMN_FILES.map(|name| std::fs::metadata(columns.folder().join(name)).expect("a file").len());
        assert_eq!((sizes, columns.rows), ([8, 8, 8, 16], 2));
        assert_eq!(columns.csv_bytes, "UserId,ProductId,Rating,Timestamp\n".len() as u64 + 2 * 32);
        // pandas 2.3.3 says the same of such rows: 154 bytes each, and 132.
        assert_eq!(columns.pandas_bytes, 2 * (32 + 49 + 14 + 49 + 10) + 132);
    }

    #[test]
    fn other_rows_than_those_that_were_written_are_found_out() {
        let columns = Columns::write(&example(), 3).expect("written");
        let read =
            |single_sum: f64, batch_sum: f64| Retrieved { single_sum, batch_sum, ..super::super::tests::told(3, 2) };
        // Users 0, 1, 0; items 0, 0, 1.
        assert_eq!(columns.differs(&read(309.0, 611.0)), None);
        assert!(columns.differs(&read(309.0, 610.0)).is_some());
        assert!(columns.differs(&read(105.0, 611.0)).is_some());
    }
}
