//! Writes the value of each user of a finished run.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use recspeed_types::UserValues;

/// Writes the file whole or not at all, with its folder; no more than `most` bytes of it.
pub(crate) fn write(path: &Path, values: &UserValues, most: Option<u64>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let aside = path.with_extension("part");
    let whole = || {
        let left = most.unwrap_or(u64::MAX);
        let mut file = BufWriter::with_capacity(1 << 16, Bounded { file: File::create(&aside)?, left });
        serde_json::to_writer(&mut file, values)?;
        file.flush()?;
        drop(file);
        fs::rename(&aside, path)
    };
    whole().inspect_err(|_| {
        // What is left of it is nobody's; a folder that cannot be written cannot be swept either.
        let _ = fs::remove_file(&aside);
    })
}

/// A file that refuses to grow beyond a bound.
struct Bounded {
    file: File,
    left: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() as u64 > self.left {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "they are more than there is room for"));
        }
        let written = self.file.write(bytes)?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("per-user").join("r1.json");
        let columns = [("ndcg@10".to_owned(), vec![Some(0.5), None])].into();
        let values = UserValues { users: vec!["a".into(), "b".into()], columns };
        write(&path, &values, Some(1000)).unwrap();
        assert_eq!(serde_json::from_slice::<UserValues>(&fs::read(&path).unwrap()).unwrap(), values);
        fs::remove_file(&path).unwrap();
        let error = write(&path, &values, Some(10)).unwrap_err().to_string();
        assert!(error.contains("more than there is room for"), "{error}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 0, "nothing is left of it");
    }
}
