//! How a data file is probably written, judged by its name and its first bytes.

use std::path::Path;

use recspeed_types::spec::DataFormat;

/// Bytes of a file that it is judged by.
pub const JUDGED_BYTES: u64 = 4096;

/// The format that a file looks like by its name and its first bytes; `None` where it looks like none. A header decides;
/// without one, the separators of the first line; for packed files, the name.
pub fn judge_format(path: &Path, start: &[u8]) -> Option<DataFormat> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    if start.starts_with(b"PAR1") {
        return Some(DataFormat::Parquet);
    }
    if start.starts_with(b"ARROW1") {
        return Some(DataFormat::Arrow);
    }
    let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
    let text = String::from_utf8_lossy(start);
    let line = text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty()).unwrap_or("");
    let packed = start.starts_with(&[0x1f, 0x8b]) || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
    let stream_of_arrow = start.starts_with(&[0xff; 4]);
    if packed || stream_of_arrow || line.is_empty() {
        return by_name(name);
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
    if words >= 2 && !line.contains([',', '\t']) { Some(DataFormat::Sequences) } else { by_name(name) }
}

fn by_name(name: &str) -> Option<DataFormat> {
    match name {
        "u.data" | "ratings.dat" => Some(DataFormat::Movielens),
        _ => match Path::new(name).extension()?.to_str()? {
            "inter" => Some(DataFormat::Recbole),
            "csv" => Some(DataFormat::AmazonCsv),
            "parquet" => Some(DataFormat::Parquet),
            "arrow" | "arrows" | "feather" | "ipc" => Some(DataFormat::Arrow),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
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
            assert_eq!(judge_format(Path::new(name), line.as_bytes()), format, "{name}");
        }
        assert_eq!(judge_format(Path::new("ratings.csv.gz"), &[0x1f, 0x8b, 8]), Some(DataFormat::AmazonCsv));
        assert_eq!(judge_format(Path::new("x.inter.zst"), &[0x28, 0xb5, 0x2f, 0xfd]), Some(DataFormat::Recbole));
        assert_eq!(judge_format(Path::new("table"), b"PAR1\x15"), Some(DataFormat::Parquet));
        assert_eq!(judge_format(Path::new("table"), b"ARROW1\0\0"), Some(DataFormat::Arrow));
        assert_eq!(judge_format(Path::new("stream.arrow"), &[0xff; 8]), Some(DataFormat::Arrow));
    }
}
