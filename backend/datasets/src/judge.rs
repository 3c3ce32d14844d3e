//! How a data file is probably written, judged by its beginning and its name.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use recspeed_data::{PACKED_START, unpack_start};
use recspeed_types::spec::{DataFormat, format_of_name};

/// Bytes of a file that it is judged by, unpacked.
const JUDGED_BYTES: u64 = 4096;

/// The beginning of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// What stands there, out of its packing; of a packed file nothing, where too little of it can be unpacked.
    bytes: Vec<u8>,
    is_packed: bool,
    /// Whether that may be less than all of the file.
    is_cut_off: bool,
}

impl Beginning {
    /// Reads as much of a regular file as it is judged by: the first 4 KiB, of packed ones as many out of the first 128 KiB.
    ///
    /// # Errors
    /// What the system says.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut bytes = Vec::new();
        file.by_ref().take(JUDGED_BYTES).read_to_end(&mut bytes)?;
        if unpack_start(&bytes, 0).is_none() {
            let is_cut_off = bytes.len() as u64 == JUDGED_BYTES;
            return Ok(Self { bytes, is_packed: false, is_cut_off });
        }
        file.take(PACKED_START - JUDGED_BYTES).read_to_end(&mut bytes)?;
        let bytes = unpack_start(&bytes, JUDGED_BYTES).unwrap_or_default();
        Ok(Self { bytes, is_packed: true, is_cut_off: true })
    }

    /// The format that the file looks like by its beginning and, where that tells nothing, by its name; `None` where it looks like none.
    pub fn format(&self, path: &Path) -> Option<DataFormat> {
        judge_format(path.file_name()?.to_str()?, &self.bytes)
    }

    /// Whether there is nothing to judge by: the file is empty, or is packed so that nothing of it can be unpacked.
    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it is packed in what it is packed with, which no reader takes.
    pub(crate) fn is_packed_twice(&self) -> bool {
        self.is_packed && unpack_start(&self.bytes, 0).is_some()
    }

    /// Its lines; without the last one where that may be cut off, unless there is no other.
    pub(crate) fn lines(&self) -> &[u8] {
        let end = self.bytes.iter().rposition(|&byte| byte == b'\n').filter(|_| self.is_cut_off);
        end.and_then(|end| self.bytes.get(..=end)).unwrap_or(&self.bytes)
    }
}

/// The format that a file looks like by its name and its first bytes, unpacked. A header decides; without one, the separators of the first
/// line; where there is no line, the name.
fn judge_format(name: &str, start: &[u8]) -> Option<DataFormat> {
    if start.starts_with(b"PAR1") {
        return Some(DataFormat::Parquet);
    }
    if start.starts_with(b"ARROW1") {
        return Some(DataFormat::Arrow);
    }
    let text = String::from_utf8_lossy(start);
    let line = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let stream_of_arrow = start.starts_with(&[0xff; 4]);
    if stream_of_arrow || line.is_empty() {
        return format_of_name(name);
    }
    if line.contains(":token") {
        return Some(DataFormat::Recbole);
    }
    if line.to_ascii_lowercase().starts_with("userid,movieid,rating") || (2..=3).contains(&line.matches("::").count()) {
        return Some(DataFormat::Movielens);
    }
    let columns = |separator| line.split(separator).collect::<Vec<_>>();
    // Times may be missing: the rating is then what such a line is known by.
    let rated = |fields: &[&str]| fields.get(2).is_some_and(|rating| rating.trim().parse::<f32>().is_ok());
    let tabs = columns('\t');
    if (3..=4).contains(&tabs.len()) && rated(&tabs) {
        return Some(DataFormat::Movielens);
    }
    let commas = columns(',');
    let whole = (4..=5).contains(&commas.len()) && commas.get(4).is_none_or(|rest| rest.trim().is_empty());
    if whole || commas.len() == 3 && rated(&commas) {
        return Some(DataFormat::AmazonCsv);
    }
    let words = line.split_ascii_whitespace().count();
    if words >= 2 && !line.contains([',', '\t']) { Some(DataFormat::Sequences) } else { format_of_name(name) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_first_line_tells_the_format() {
        for (name, line, format) in [
            ("x.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float", Some(DataFormat::Recbole)),
            ("u.data", "196\t242\t3\t881250949", Some(DataFormat::Movielens)),
            ("ratings.dat", "1::1193::5::978300760", Some(DataFormat::Movielens)),
            ("ratings.csv", "userId,movieId,rating,timestamp", Some(DataFormat::Movielens)),
            ("ratings_Beauty.csv", "UserId,ProductId,Rating,Timestamp,", Some(DataFormat::AmazonCsv)),
            ("plain", "A39HTATAQ9V7YF,0205616461,5.0,1369699200", Some(DataFormat::AmazonCsv)),
            ("no_times", "u0,i8,4", Some(DataFormat::AmazonCsv)),
            ("no_times.csv", "user,item,rating", Some(DataFormat::AmazonCsv)),
            ("no_times.tsv", "u0\ti8\t4", Some(DataFormat::Movielens)),
            ("no_times.dat", "1::1193::5", Some(DataFormat::Movielens)),
            ("sequences.txt", "1 1 2 3 4 5", Some(DataFormat::Sequences)),
            ("notes.md", "#hello", None),
        ] {
            assert_eq!(judge_format(name, line.as_bytes()), format, "{name}");
        }
        assert_eq!(judge_format("table", b"PAR1\x15"), Some(DataFormat::Parquet));
        assert_eq!(judge_format("table", b"ARROW1\0\0"), Some(DataFormat::Arrow));
        assert_eq!(judge_format("stream.arrow", &[0xff; 8]), Some(DataFormat::Arrow));
        assert_eq!(judge_format("mine.csv.gz", b""), Some(DataFormat::AmazonCsv), "nothing of it can be unpacked");
    }

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_packed_file_is_judged_by_what_is_in_it_and_by_its_name_where_nothing_can_be_unpacked() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let beginning = Beginning::read(&path).unwrap();
            let format = beginning.format(&path);
            (beginning, format)
        };
        let many =
            (0..20_000).map(|row| format!("{}\t{}\t3\t88125{row}\n", row % 77, row % 91)).collect::<Vec<_>>().concat();
        for (name, text, format) in [
            ("ratings", many.as_str(), Some(DataFormat::Movielens)),
            // The name says another thing.
            ("a.csv.gz", many.as_str(), Some(DataFormat::Movielens)),
            ("b.inter.gz", "u,i,4,5\n", Some(DataFormat::AmazonCsv)),
            ("c.gz", "PAR1 and more", Some(DataFormat::Parquet)),
            ("notes.txt.gz", "#hello", None),
        ] {
            let (plain, packed) = (of(name, text.as_bytes()), of(name, &gzip(text)));
            assert_eq!((plain.1, packed.1), (format, format), "{name}");
            assert_eq!(packed.0.bytes, plain.0.bytes, "{name}");
            assert!(packed.0.is_packed && !packed.0.is_packed_twice() && !plain.0.is_packed, "{name}");
        }
        let (beginning, _) = of("a", many.as_bytes());
        assert!(beginning.bytes.len() as u64 == JUDGED_BYTES && beginning.lines().ends_with(b"\n"));
        assert!(JUDGED_BYTES as usize - beginning.lines().len() < 40, "no more than a line is left off");
        assert_eq!(of("b", b"u,i,4,5").0.lines(), b"u,i,4,5", "all of the file");
        let (damaged, format) = of("d.csv.gz", &gzip("u,i,4,5\n")[..10]);
        assert!(damaged.is_empty() && damaged.is_packed);
        assert_eq!(format, Some(DataFormat::AmazonCsv));
        let twice = gzip("u,i,4,5\n");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&twice).unwrap();
        assert!(of("e.csv.gz", &encoder.finish().unwrap()).0.is_packed_twice());
    }
}
