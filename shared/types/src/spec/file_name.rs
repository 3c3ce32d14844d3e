//! What the name of a data file says of how it is written.

use super::DataFormat;

/// What the names of packed files end in; the readers know the packing itself by its first bytes.
const PACKINGS: [&str; 2] = [".gz", ".zst"];

/// A name or a path without the ending of what it is packed with.
pub fn without_packing(name: &str) -> &str {
    let bare = |packing: &&str| {
        let (bare, ending) = name.split_at_checked(name.len().checked_sub(packing.len())?)?;
        ending.eq_ignore_ascii_case(packing).then_some(bare)
    };
    PACKINGS.iter().find_map(bare).unwrap_or(name)
}

/// The format that the name of a file, or a path to it, speaks for; `None` where it speaks for none. Capitals and the ending of a packing
/// make no difference. What is in the file is better evidence: whoever can look there looks there first.
pub fn format_of_name(name: &str) -> Option<DataFormat> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let file = without_packing(file).to_ascii_lowercase();
    if ["u.data", "ratings.csv"].contains(&file.as_str()) {
        return Some(DataFormat::Movielens);
    }
    let (_, ending) = file.rsplit_once('.').filter(|(stem, _)| !stem.is_empty())?;
    match ending {
        "inter" => Some(DataFormat::Recbole),
        "csv" => Some(DataFormat::AmazonCsv),
        "dat" => Some(DataFormat::Movielens),
        "parquet" => Some(DataFormat::Parquet),
        "arrow" | "arrows" | "feather" | "ipc" => Some(DataFormat::Arrow),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_or_a_path_speaks_for_a_format_by_its_last_part_alone() {
        for (name, format) in [
            ("ml-100k/ml-100k.inter", Some(DataFormat::Recbole)),
            ("x.inter.zst", Some(DataFormat::Recbole)),
            ("ML-100K.INTER.GZ", Some(DataFormat::Recbole)),
            ("ML-100K/U.DATA", Some(DataFormat::Movielens)),
            ("u.data.gz", Some(DataFormat::Movielens)),
            ("ml-1m/ratings.dat", Some(DataFormat::Movielens)),
            ("ml-latest/ratings.csv", Some(DataFormat::Movielens)),
            ("ratings.csv.gz", Some(DataFormat::Movielens)),
            ("my_ratings.csv", Some(DataFormat::AmazonCsv)),
            ("/data/ratings_Beauty.csv.gz", Some(DataFormat::AmazonCsv)),
            ("x.parquet", Some(DataFormat::Parquet)),
            ("x.parquet.zst", Some(DataFormat::Parquet)),
            ("x.arrow", Some(DataFormat::Arrow)),
            ("x.feather", Some(DataFormat::Arrow)),
            (r"C:\data\x.inter", Some(DataFormat::Recbole)),
            // What is packed so is not read, and what has no such ending says nothing.
            ("x.csv.bz2", None),
            ("x.csv.gz.gz", None),
            ("sequences.txt", None),
            ("a.csv/sequences.txt", None),
            ("a.inter/b", None),
            ("mu.data", None),
            (".csv", None),
            (".gz", None),
            ("größe", None),
            ("", None),
        ] {
            assert_eq!(format_of_name(name), format, "{name}");
        }
    }

    #[test]
    fn a_packing_is_taken_off_once_whatever_its_capitals() {
        for (name, bare) in [
            ("a/x.csv.gz", "a/x.csv"),
            ("x.csv.ZST", "x.csv"),
            ("x.csv.gz.zst", "x.csv.gz"),
            ("x.csv", "x.csv"),
            ("größe", "größe"),
            ("gz", "gz"),
            ("", ""),
        ] {
            assert_eq!(without_packing(name), bare, "{name}");
        }
    }

    proptest! {
        #[test]
        fn neither_folders_nor_capitals_nor_a_packing_change_what_a_name_speaks_for(
            folder in "[a-z.]{0,6}",
            stem in "[a-z0-9._-]{0,8}",
            ending in prop::sample::select(vec![
                "inter", "csv", "dat", "data", "parquet", "arrow", "arrows", "feather", "ipc", "txt", "item", "bz2",
            ]),
            packing in prop::sample::select(PACKINGS.to_vec()),
        ) {
            let name = format!("{stem}.{ending}");
            let format = format_of_name(&name);
            prop_assert_eq!(format_of_name(&format!("{name}{packing}")), format);
            prop_assert_eq!(format_of_name(&format!("{folder}/{name}")), format);
            prop_assert_eq!(format_of_name(&name.to_ascii_uppercase()), format);
        }

        #[test]
        fn any_text_is_a_name(name in "\\PC*") {
            let bare = without_packing(&name);
            prop_assert!(name.starts_with(bare));
            format_of_name(&name);
        }
    }
}
