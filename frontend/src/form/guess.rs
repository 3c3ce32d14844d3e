//! How a file is probably written, from its name and its first line.

use recspeed_types::spec::{DataFormat, format_of_name};

/// What packed files and streams of Arrow begin with: what is in them, their names tell.
const PACKED: [&[u8]; 3] = [&[0x1f, 0x8b], &[0x28, 0xb5, 0x2f, 0xfd], &[0xff; 4]];

/// What pictures, documents and archives begin with that people take for data, however short they are.
const NO_DATA: [&[u8]; 5] = [b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"%PDF", b"PK\x03\x04"];

/// The format that the name and the first bytes speak for; the reader can choose another. None of a file that is neither
/// text nor a table, as a picture.
pub(crate) fn guess_format(name: &str, head: &[u8]) -> Option<DataFormat> {
    let told = format_of_name(name);
    if NO_DATA.iter().any(|begins| head.starts_with(begins)) {
        return None;
    }
    if head.starts_with(b"PAR1") || told == Some(DataFormat::Parquet) {
        return Some(DataFormat::Parquet);
    }
    if head.starts_with(b"ARROW1") || told == Some(DataFormat::Arrow) {
        return Some(DataFormat::Arrow);
    }
    if head.contains(&0) && !PACKED.iter().any(|begins| head.starts_with(begins)) {
        return None;
    }
    let text = String::from_utf8_lossy(head);
    let line = text.lines().next().unwrap_or_default().to_ascii_lowercase();
    if told == Some(DataFormat::Recbole) || line.contains(":token") {
        return Some(DataFormat::Recbole);
    }
    // Two tabs may also be a person with two items.
    let tabs = line.matches('\t').count();
    let by_tabs = tabs == 3 || tabs == 2 && name.to_ascii_lowercase().ends_with(".tsv");
    let of_movielens = line.contains("::") || line.starts_with("userid,movieid") || by_tabs;
    if told == Some(DataFormat::Movielens) || of_movielens {
        return Some(DataFormat::Movielens);
    }
    let commas = told == Some(DataFormat::AmazonCsv) || line.contains(',');
    Some(if commas { DataFormat::AmazonCsv } else { DataFormat::Sequences })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_files_are_recognised_by_name_or_by_their_first_line() {
        for (name, head, format) in [
            ("ratings_Beauty.csv", "UserId,ProductId,Rating,Timestamp\n", DataFormat::AmazonCsv),
            ("mine.txt", "A3,B00,5.0,1369699200\n", DataFormat::AmazonCsv),
            ("nots.csv", "u0,i8,4\n", DataFormat::AmazonCsv),
            ("nots.tsv", "u0\ti8\t4\n", DataFormat::Movielens),
            ("u.data", "196\t242\t3\t881250949\n", DataFormat::Movielens),
            ("mine.tsv", "196\t242\t3\t881250949\n", DataFormat::Movielens),
            ("ratings.dat", "1::1193::5::978300760\n", DataFormat::Movielens),
            ("ratings.csv", "userId,movieId,rating,timestamp\n", DataFormat::Movielens),
            ("ml-100k.inter", "user_id:token\titem_id:token\trating:float\n", DataFormat::Recbole),
            ("ML-100K.inter.gz", "\u{1f}\u{8b}", DataFormat::Recbole),
            ("ml-100k.inter.zst", "(\u{b5}/", DataFormat::Recbole),
            ("ratings", "PAR1\u{15}", DataFormat::Parquet),
            ("Ratings.Parquet", "", DataFormat::Parquet),
            ("ratings", "ARROW1\0\0", DataFormat::Arrow),
            ("stream.arrow", "", DataFormat::Arrow),
            ("sequences.txt", "1 5 9 12\n", DataFormat::Sequences),
            ("empty", "", DataFormat::Sequences),
        ] {
            assert_eq!(guess_format(name, head.as_bytes()), Some(format), "{name}");
        }
    }

    #[test]
    fn what_is_neither_text_nor_a_table_has_no_format_unless_it_is_packed() {
        assert_eq!(guess_format("cat.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), None);
        assert_eq!(guess_format("ratings.csv", b"\xff\xfeu\0,\0i\0"), None, "UTF-16");
        for head in [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"GIF89a", b"%PDF-1.7\n", b"PK\x03\x04\x14"] {
            assert_eq!(guess_format("ratings.csv", head), None, "{head:?}: however short, and whatever it is called");
        }
        assert_eq!(guess_format("mine.csv.gz", b"\x1f\x8b\x08\0\0\0"), Some(DataFormat::AmazonCsv));
        assert_eq!(guess_format("mine.csv.zst", b"\x28\xb5\x2f\xfd\0"), Some(DataFormat::AmazonCsv));
    }
}
