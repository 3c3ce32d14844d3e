//! Files become rows: found, hashed, cached, imported; and what is wrong with one is one sentence.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use recspeed_datasets::{DataHome, DatasetError, Loaded, LookUp, sha256_hex};
use recspeed_types::spec::{DataFormat, Dataset, Filters, Source};

const CSV: &str = "UserId,ProductId,Rating,Timestamp,\na,x,5,1\nb,y,3,2\na,y,1,3\n";

fn file(path: &Path) -> Dataset {
    let source = Source::File {
        path: path.to_string_lossy().into_owned(),
        format: DataFormat::AmazonCsv,
        items: None,
        users: None,
        max_bad_share: 0.01,
    };
    Dataset { source, filters: Filters::default() }
}

fn load(home: &Path, path: &Path) -> Result<Loaded, DatasetError> {
    DataHome::open(Some(home.to_owned()))?.load(&file(path), 42, &LookUp::default(), &mut |_, _| {})
}

/// A home and a file in another folder.
fn scene(content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ratings.csv");
    fs::write(&path, content).unwrap();
    (folder, path)
}

#[test]
fn the_second_load_comes_from_the_cache_and_is_equal() {
    let (folder, path) = scene(CSV.as_bytes());
    let home = folder.path().join("home");
    let first = load(&home, &path).unwrap();
    let second = load(&home, &path).unwrap();
    assert!(!first.from_cache && second.from_cache);
    assert_eq!(first.interactions, second.interactions);
    assert_eq!(first.report, second.report);
    assert_eq!(first.sha256, sha256_hex(CSV.as_bytes()));
}

#[test]
fn a_damaged_cache_is_read_anew_and_healed() {
    let (folder, path) = scene(CSV.as_bytes());
    let home = folder.path().join("home");
    let first = load(&home, &path).unwrap();
    let cached = fs::read_dir(home.join("cache"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|e| e == "arrow"))
        .unwrap();
    let whole = fs::read(&cached).unwrap();
    for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
        fs::write(&cached, &whole[..cut]).unwrap();
        let healed = load(&home, &path).unwrap();
        assert!(!healed.from_cache, "a cache file of {cut} bytes was believed");
        assert_eq!(healed.interactions, first.interactions);
        assert!(load(&home, &path).unwrap().from_cache);
    }
}

#[test]
fn a_changed_file_is_not_taken_for_the_cached_one() {
    let (folder, path) = scene(CSV.as_bytes());
    let home = folder.path().join("home");
    load(&home, &path).unwrap();
    fs::write(&path, format!("{CSV}c,z,2,4\n")).unwrap();
    let changed = load(&home, &path).unwrap();
    assert!(!changed.from_cache);
    assert_eq!(changed.interactions.len(), 4);
}

#[test]
fn a_home_that_cannot_be_written_costs_the_cache_and_not_the_run() {
    let (folder, path) = scene(CSV.as_bytes());
    let home = folder.path().join("home");
    fs::write(&home, "a file where the folder should be").unwrap();
    assert_eq!(load(&home, &path).unwrap().interactions.len(), 3);
}

#[test]
fn gzip_of_a_file_gives_the_same_rows() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(CSV.as_bytes()).unwrap();
    let (folder, path) = scene(&packed.finish().unwrap());
    let (plain_folder, plain) = scene(CSV.as_bytes());
    assert_eq!(
        load(&folder.path().join("home"), &path).unwrap().interactions,
        load(&plain_folder.path().join("home"), &plain).unwrap().interactions
    );
}

#[test]
fn an_import_is_kept_once_listed_and_found_by_its_hash() {
    let (folder, path) = scene(CSV.as_bytes());
    let home = DataHome::open(Some(folder.path().join("home"))).unwrap();
    assert_eq!(home.list().unwrap(), []);
    let record = home.import(&path, "first name", DataFormat::AmazonCsv).unwrap();
    let again = home.import(&path, "second name", DataFormat::AmazonCsv).unwrap();
    assert_eq!(record.sha256, again.sha256);
    let listed = home.list().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].name.as_str(), listed[0].rows, listed[0].bad_lines), ("second name", 3, 0));
    let source = Source::Upload { sha256: record.sha256, format: DataFormat::AmazonCsv, max_bad_share: 0.01 };
    let dataset = Dataset { source, filters: Filters::default() };
    fs::remove_file(&path).unwrap();
    let loaded = home.load(&dataset, 42, &LookUp::default(), &mut |_, _| {}).unwrap();
    assert_eq!((loaded.name.as_str(), loaded.interactions.len()), ("second name", 3));
}

#[test]
fn a_hash_from_outside_never_leaves_the_folder_of_imports() {
    let home = DataHome::open(Some(tempfile::tempdir().unwrap().path().to_owned())).unwrap();
    for bad in ["../../etc/passwd", "", "x", &"/".repeat(64)] {
        assert!(matches!(home.find(bad), Err(DatasetError::UnknownUpload { .. })), "{bad}");
    }
}

fn complaint(content: &[u8]) -> String {
    let (folder, path) = scene(content);
    load(&folder.path().join("home"), &path).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_file_is_one_sentence_that_names_it_and_a_remedy() {
    let thirty_percent_bad: String =
        (0..100).map(|row| if row % 10 < 3 { "rubbish\n".to_owned() } else { format!("u{row},i,4,1\n") }).collect();
    for (content, words) in [
        (&b""[..], "the file is empty"),
        (&b"\x00\x01\x02\x03\x00\x00"[..], "not UTF-8 text"),
        (&b"\x1f\x8b\x08\x00\x00"[..], "gzip file is cut off or damaged"),
        (thirty_percent_bad.as_bytes(), "30 of 100 data lines (30.0 %) are bad"),
    ] {
        let message = complaint(content);
        assert!(message.contains("ratings.csv: ") && message.contains(words), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }
}

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    let missing = load(&home, &folder.path().join("no.csv")).unwrap_err().to_string();
    assert!(missing.contains("no.csv cannot be read (no such file or directory); check the path"), "{missing}");
    let is_folder = load(&home, folder.path()).unwrap_err().to_string();
    assert!(is_folder.contains("name a file inside that folder"), "{is_folder}");
}
