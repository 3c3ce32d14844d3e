//! The rows that every container is given, in files, and how large they are elsewhere.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use recspeed_data::Interactions;
use recspeed_types::study::retrieval::{COLUMN_FILES, Retrieved};
use tempfile::TempDir;

use crate::command::data::write_csv;

/// Bytes of a row's four numbers.
pub(super) const ROW_BYTES: u64 = 20;
/// Bytes of a data frame's index, whatever its rows.
const INDEX: u64 = 132;
/// Bytes by which a column of `object` names a string.
const POINTER: u64 = 8;
/// Bytes of a string of ASCII in Python 3.11 beside its characters: a head of six fields and the zero at its end. From Python 3.12 on
/// the head has a field less.
const STRING: u64 = 6 * 8 + 1;
/// Bytes of the place where a string ends among the characters of its column: Arrow's `large_string`, of which the first string has the
/// place where it begins, too. No string is missing, so there is no bitmap of those that are.
const OFFSET: u64 = 8;

/// The first rows of a data set, in files that are gone with this value.
pub(super) struct Columns {
    folder: TempDir,
    pub(super) rows: u64,
    pub(super) elsewhere: Elsewhere,
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
        let elsewhere = Elsewhere::of(data, rows)?;
        Ok(Self { folder, rows: rows as u64, elsewhere, sums })
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

/// Bytes of the same rows in other forms. Those of pandas are counted by formula, as `DataFrame.memory_usage(deep=True)` counts
/// them: no pandas is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Elsewhere {
    /// As a CSV file.
    pub(super) csv: u64,
    /// In a data frame of pandas 2.3 with Python 3.11, whose ids are Python's strings in columns of `object`.
    pub(super) object_strings: u64,
    /// In a data frame of pandas 3, whose ids are its `str`, which PyArrow holds.
    pub(super) arrow_strings: u64,
}

impl Elsewhere {
    /// Of the first rows.
    pub(super) fn of(data: &Interactions, rows: usize) -> io::Result<Self> {
        let rows = rows.min(data.len());
        let mut csv = Counted(0);
        write_csv(&mut csv, &data.subset(&(0..rows as u32).collect::<Vec<_>>()))?;
        let characters = |row: usize| {
            let ids = [data.users.get(data.user[row]), data.items.get(data.item[row])];
            ids.map(|id| id.len() as u64).iter().sum::<u64>()
        };
        let (characters, rows) = ((0..rows).map(characters).sum::<u64>(), rows as u64);
        // The index, and in each row a 64-bit rating and a 64-bit timestamp.
        let numbers = INDEX + 16 * rows;
        let object_strings = numbers + characters + 2 * rows * (POINTER + STRING);
        let arrow_strings = numbers + characters + 2 * (rows + 1) * OFFSET;
        Ok(Self { csv: csv.0, object_strings, arrow_strings })
    }
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
        assert_eq!(columns.elsewhere.csv, "UserId,ProductId,Rating,Timestamp\n".len() as u64 + 2 * 32);
    }

    #[test]
    fn object_strings_take_154_bytes_a_row_as_pandas_2_3_3_says_with_python_3_11() {
        let of = |rows: usize| Elsewhere::of(&example(), rows).expect("counted").object_strings;
        assert_eq!([of(0), of(1), of(2)], [132, 132 + 154, 132 + 2 * 154]);
        // Two pointers, two strings with their characters, a float and an integer.
        assert_eq!(of(1) - of(0), 2 * 8 + (49 + 14) + (49 + 10) + 8 + 8);
    }

    #[test]
    fn the_strings_of_pandas_3_take_what_arrows_buffers_of_them_do() {
        let data = example();
        let rows = data.len();
        // The buffers themselves: what each column's characters are, and where each string ends.
        let buffers = |ids: Vec<&str>| {
            let mut ends = vec![0_i64];
            let mut characters = Vec::new();
            for id in ids {
                characters.extend_from_slice(id.as_bytes());
                ends.push(characters.len() as i64);
            }
            (size_of_val(ends.as_slice()) + characters.len()) as u64
        };
        let users = buffers((0..rows).map(|row| data.users.get(data.user[row])).collect());
        let items = buffers((0..rows).map(|row| data.items.get(data.item[row])).collect());
        let numbers = (rows * (size_of::<f64>() + size_of::<i64>())) as u64;
        let counted = Elsewhere::of(&data, rows).expect("counted").arrow_strings;
        assert_eq!(counted, 132 + users + items + numbers);
        assert_eq!(counted, 132 + 2 * 8 + 3 * 56, "56 bytes a row");
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
