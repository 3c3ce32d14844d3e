//! Data sets on disk: found, cached, imported, and every file that is not as it should be.

// Test files of some thousand lines: clarity before speed.
#![allow(clippy::format_collect)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use recspeed_data::{Csr, SplitRows, split};
use recspeed_datasets::{DataHome, HomeError, LoadError, LoadRequest, Loaded, LookUp, Reading, sha256_hex};
use recspeed_types::spec::{ColumnNames, DataFormat, Dataset, Filters, FitOn, Source, Split, SplitPlan};
use tempfile::TempDir;

const USUAL: &ColumnNames = &ColumnNames { user: None, item: None, rating: None, timestamp: None };
const AS_AMAZON: Reading<'static> = Reading { format: DataFormat::AmazonCsv, columns: USUAL };
const CSV: &str = "u1,i1,5,10\nu2,i1,4,20\nu1,i2,3,30\n";

struct Lab {
    _folder: TempDir,
    home: DataHome,
    look_up: LookUp,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = DataHome::open(Some(folder.path().join("home"))).expect("a new home");
        let look_up = LookUp { spec_dir: Some(folder.path().to_owned()), data_root: None };
        Self { _folder: folder, home, look_up }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.look_up.spec_dir.as_ref().expect("a folder").join(name);
        fs::write(&path, bytes).expect("a temporary file");
        path
    }

    fn load(&self, source: Source) -> Result<Loaded, LoadError> {
        self.load_filtered(source, Filters::default())
    }

    fn load_filtered(&self, source: Source, filters: Filters) -> Result<Loaded, LoadError> {
        let dataset = Dataset { source, filters };
        self.home.load(&LoadRequest { dataset: &dataset, seed: 42, look_up: &self.look_up }, &mut |_, _| {})
    }

    fn fails(&self, name: &str) -> String {
        self.load(file(name)).expect_err(name).to_string()
    }

    fn cache_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.home.root().join("cache")).expect("a cache folder");
        entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension() == Some("arrow".as_ref()))
            .collect()
    }
}

fn file(path: &str) -> Source {
    file_as(path, DataFormat::AmazonCsv)
}

fn file_as(path: &str, format: DataFormat) -> Source {
    Source::File {
        path: path.to_owned(),
        format,
        columns: ColumnNames::default(),
        items: None,
        users: None,
        max_bad_share: 0.01,
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn a_file_is_parsed_once_and_then_comes_from_the_cache() {
    let lab = Lab::new();
    lab.write("r.csv", CSV);
    let first = lab.load(file("r.csv")).expect("a sound file");
    assert!(!first.from_cache && !first.synthetic);
    assert_eq!((first.name.as_str(), first.sha256.as_str()), ("r.csv", sha256_hex(CSV.as_bytes()).as_str()));
    lab.write("copy.csv", CSV);
    let second = lab.load(file("copy.csv")).expect("the same content");
    assert!(second.from_cache && second.warnings.is_empty());
    assert_eq!((second.interactions, second.report), (first.interactions, first.report));
    lab.load(file_as("r.csv", DataFormat::Movielens))
        .map(|loaded| assert!(!loaded.from_cache))
        .expect("another format");
}

#[test]
fn a_damaged_cache_file_is_reported_and_written_again() {
    for damage in [0usize, 1, 2] {
        let lab = Lab::new();
        lab.write("r.csv", CSV);
        let first = lab.load(file("r.csv")).expect("a sound file");
        let [cached] = &lab.cache_files()[..] else { panic!("one cache file") };
        match damage {
            0 => fs::write(cached, b"rubbish").expect("a cache file"),
            1 => {
                let mut bytes = fs::read(cached).expect("a cache file");
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                fs::write(cached, bytes).expect("a cache file");
            }
            _ => fs::remove_file(cached.with_extension("arrow.sha256")).expect("a checksum"),
        }
        let second = lab.load(file("r.csv")).expect("a sound file");
        assert!(!second.from_cache);
        assert!(second.warnings[0].contains("it is written again"), "{:?}", second.warnings);
        assert_eq!(second.interactions, first.interactions);
        let third = lab.load(file("r.csv")).expect("a sound file");
        assert!(third.from_cache && third.warnings.is_empty());
    }
}

#[test]
fn times_that_are_no_seconds_are_told_and_kept_with_their_parts_from_the_cache_too() {
    let lab = Lab::new();
    lab.write("ms.csv", "u,a,5,1404691200123\nu,b,4,1404691200007\nv,a,3,1369699200000\n");
    let [read, cached] = [(); 2].map(|()| lab.load(file("ms.csv")).expect("milliseconds"));
    assert!(!read.from_cache && cached.from_cache);
    assert_eq!(read.interactions, cached.interactions);
    assert_eq!(cached.interactions.moment(0), (1_404_691_200, 123_000_000));
    for loaded in [&read, &cached] {
        let [warning] = &loaded.warnings[..] else { panic!("{:?}", loaded.warnings) };
        assert!(warning.contains("milliseconds since 1970"), "{warning}");
    }
}

#[test]
fn the_cache_does_not_let_more_bad_lines_pass_than_the_spec_allows() {
    let lab = Lab::new();
    lab.write("r.csv", format!("{CSV}bad\n"));
    let lenient = Source::File {
        path: "r.csv".into(),
        format: DataFormat::AmazonCsv,
        columns: ColumnNames::default(),
        items: None,
        users: None,
        max_bad_share: 0.5,
    };
    assert_eq!(lab.load(lenient).expect("half may be bad").report.bad_lines, 1);
    assert!(lab.fails("r.csv").contains("1 of 4 data lines (25.0 %) are bad, allowed are 1 %"));
}

#[test]
fn a_missing_file_names_the_places_where_it_was_looked_for() {
    let mut lab = Lab::new();
    let here = lab.look_up.spec_dir.clone().expect("a folder");
    assert_eq!(
        lab.fails("none.csv"),
        format!(
            "dataset.path: `none.csv` was not found; looked for {}; correct the path, or set RECSPEED_DATA to the folder of your data",
            here.join("none.csv").display()
        )
    );
    let data = here.join("data");
    fs::create_dir(&data).expect("a folder");
    lab.look_up.data_root = Some(data.clone());
    assert!(
        lab.fails("none.csv")
            .ends_with(&format!("and {}; correct the path, or put the file there", data.join("none.csv").display()))
    );
    fs::write(data.join("there.csv"), CSV).expect("a file");
    lab.load(file("there.csv")).expect("it is under the data root");
}

#[test]
fn empty_binary_truncated_and_bad_files_name_path_and_remedy() {
    let lab = Lab::new();
    let lines: String = (0..20_000).map(|n| format!("u{},i{},5,{n}\n", n * 7919 % 5003, n % 977)).collect();
    let packed = gzip(lines.as_bytes());
    let cases: [(&str, Vec<u8>, &str); 8] = [
        ("empty.csv", Vec::new(), "the file is empty; choose a file with ratings"),
        (
            "binary.csv",
            b"\x7fELF\0\0\0\0".to_vec(),
            "the file is binary (it contains NUL bytes), not UTF-8 text; choose a text file, or a table as Parquet or Arrow",
        ),
        ("cut.csv.gz", packed[..packed.len() / 2].to_vec(), "the gzip file is cut off or damaged"),
        (
            "bad.csv",
            lines.replace("0\n", "x\n").into_bytes(),
            "data lines (10.0 %) are bad, allowed are 1 %; first line 1: the timestamp is `x`",
        ),
        (
            "megabyte.csv",
            format!("{},i,5,1\n", "u".repeat(1 << 20)).into_bytes(),
            "has 1048582 bytes, allowed are 65536",
        ),
        ("long.csv", vec![b'x'; 10_000_000], "has 10000000 bytes, allowed are 65536"),
        ("latin1.csv", b"caf\xe9,i,5,1\n".to_vec(), "line 1: is not UTF-8 text"),
        ("utf16.csv", vec![0xff, 0xfe, b'u', 0, b',', 0], "UTF-16 text"),
    ];
    for (name, bytes, expected) in cases {
        let path = lab.write(name, bytes);
        let error = lab.fails(name);
        assert!(error.starts_with(&format!("dataset.path: {}: ", path.display())), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains('\n') && error.len() < 800, "one sentence: {error}");
    }
    assert!(lab.cache_files().is_empty(), "nothing of them is kept");
    fs::create_dir(lab.look_up.spec_dir.as_ref().expect("a folder").join("folder.csv")).expect("a folder");
    assert!(lab.fails("folder.csv").ends_with("cannot be read: it is a folder, not a file; name the file in it"));
}

#[test]
fn an_import_is_found_by_its_hash_and_outlives_the_original() {
    let lab = Lab::new();
    let packed = gzip(CSV.as_bytes());
    let original = lab.write("r.csv.gz", &packed);
    let record = lab.home.import(&original, "My ratings", AS_AMAZON).expect("sound data");
    fs::remove_file(original).expect("a file");
    assert_eq!((record.rows, record.bad_lines, record.bytes), (3, 0, packed.len() as u64));
    assert_eq!(lab.home.list().expect("a list"), std::slice::from_ref(&record));
    assert_eq!(fs::read(lab.home.find(&record.sha256).expect("a file")).expect("a file"), packed);
    let upload = Source::Upload {
        sha256: record.sha256.clone(),
        format: DataFormat::AmazonCsv,
        columns: ColumnNames::default(),
        max_bad_share: 0.01,
    };
    let loaded = lab.load(upload).expect("an upload");
    assert_eq!((loaded.name.as_str(), loaded.interactions.len()), ("My ratings", 3));
    assert!(loaded.from_cache, "the import has parsed it already");
    let again = lab.home.import_bytes(&packed.clone().into(), "Renamed", AS_AMAZON).expect("sound data");
    assert_eq!(lab.home.list().expect("a list"), [again]);
}

#[test]
fn an_import_that_did_not_finish_is_not_listed_and_rubbish_is_not_kept() {
    let lab = Lab::new();
    fs::create_dir(lab.home.root().join("datasets").join("0".repeat(64))).expect("a folder");
    assert!(lab.home.list().expect("a list").is_empty());
    let error = lab.home.import_bytes(&b"\0"[..].into(), "x.csv", AS_AMAZON).unwrap_err().to_string();
    assert!(error.starts_with("x.csv cannot be imported: the file is binary"), "{error}");
    assert!(lab.home.list().expect("a list").is_empty());
}

#[test]
fn an_unknown_hash_says_how_to_get_one_and_no_hash_leaves_the_folder() {
    let lab = Lab::new();
    for hash in ["0".repeat(64), "../../../etc/passwd".to_owned()] {
        let error = lab.home.find(&hash).unwrap_err();
        assert!(matches!(error, HomeError::Unknown { .. }));
        assert!(error.to_string().contains("recspeed data import"), "{error}");
    }
}

#[test]
fn a_built_in_set_is_made_from_the_seed_and_filtered() {
    let lab = Lab::new();
    let entry = recspeed_types::builtin::find("beauty-synthetic-10k").expect("built in");
    let whole = lab.load(Source::Builtin { entry }).expect("always there");
    assert!(whole.synthetic && whole.item_attributes.is_some());
    // As the spec foretells.
    let source = Source::Builtin { entry };
    let found = (whole.item_attributes.is_some(), whole.user_attributes.is_some());
    assert_eq!((source.has_item_attributes(), source.has_user_attributes()), found);
    assert_eq!(whole.interactions.len(), 10_000);
    let filters = Filters { sample: Some(100), ..Filters::default() };
    let some = lab.load_filtered(Source::Builtin { entry }, filters).expect("always there");
    assert_eq!((some.interactions.len(), some.rows_before_filters), (100, 10_000));
    assert_eq!(some.sha256, whole.sha256, "the hash names the data before the filters");
    let filters = Filters { implicit_threshold: Some(6.0), ..Filters::default() };
    let error = lab.load_filtered(Source::Builtin { entry }, filters).unwrap_err().to_string();
    assert_eq!(error, "dataset: the filters leave none of 10000 rows; lower min_user, min_item or implicit_threshold");
}

#[test]
fn a_home_that_cannot_be_written_names_itself() {
    let lab = Lab::new();
    let blocked = lab.write("not-a-folder", "");
    let error = DataHome::open(Some(blocked.join("home"))).unwrap_err().to_string();
    assert!(error.starts_with("cannot create ") && error.contains("not-a-folder"), "{error}");
}

/// The folder of the real files, or a sentence that the test is skipped.
fn real_data(test: &str) -> Option<PathBuf> {
    let root = std::env::var_os("RECSPEED_DATA").filter(|value| !value.is_empty()).map(PathBuf::from);
    if root.is_none() {
        println!("{test}: skipped, because RECSPEED_DATA is not set to the folder of the real files");
    }
    root
}

fn load_real(root: &Path, source: Source) -> Loaded {
    let mut lab = Lab::new();
    lab.look_up.data_root = Some(root.to_owned());
    lab.load(source).expect("a real file")
}

fn rows_of(loaded: &Loaded, kind: Split) -> SplitRows {
    split(&loaded.interactions, &SplitPlan { split: kind, fit_on: FitOn::Train }, 42).expect("enough rows")
}

#[test]
fn real_movielens_100k_reads_with_its_known_sizes_folds_and_attributes() {
    let Some(root) = real_data("real_movielens_100k") else { return };
    let source = Source::File {
        path: "ml-100k/ml-100k.inter".into(),
        format: DataFormat::Recbole,
        columns: ColumnNames::default(),
        items: Some("ml-100k/ml-100k.item".into()),
        users: Some("ml-100k/ml-100k.user".into()),
        max_bad_share: 0.0,
    };
    let loaded = load_real(&root, source);
    let data = &loaded.interactions;
    assert_eq!((data.len(), data.n_users(), data.n_items()), (100_000, 943, 1_682));
    assert_eq!((data.users.get(data.user[0]), data.items.get(data.item[0])), ("196", "242"));
    assert_eq!(loaded.item_attributes.expect("items").ids.len(), 1_682);
    assert_eq!(loaded.user_attributes.expect("users").ids.len(), 943);
}

#[test]
fn real_movielens_splits_are_the_published_ones() {
    let Some(root) = real_data("real_movielens_splits") else { return };
    let loaded = load_real(&root, file_as("ml-100k/ml-100k.inter", DataFormat::Recbole));
    // GroupLens' mku.sh: the test of u1 is rows 1 to 20,000; of ua, each user's first ten rows.
    let u1 = rows_of(&loaded, Split::ContiguousFold { folds: 5, fold: 1 });
    assert!(u1.test.iter().copied().eq(0..20_000));
    let ua = rows_of(&loaded, Split::PerUserFirstN { n: 10 });
    assert_eq!((ua.test.len(), ua.train.len()), (9_430, 90_570));
    let train = Csr::by_item(&loaded.interactions, &ua.train);
    assert_eq!((0..train.n_rows()).filter(|&item| !train.row(item).0.is_empty()).count(), 1_680);
    // User mean on u1: reference RMSE 1.06300.
    let data = &loaded.interactions;
    let (mut sum, mut count) = (vec![0.0f64; data.n_users()], vec![0u32; data.n_users()]);
    for &row in &u1.train {
        sum[data.user[row as usize] as usize] += f64::from(data.rating[row as usize]);
        count[data.user[row as usize] as usize] += 1;
    }
    let squares: f64 = u1
        .test
        .iter()
        .map(|&row| {
            let user = data.user[row as usize] as usize;
            (f64::from(data.rating[row as usize]) - sum[user] / f64::from(count[user])).powi(2)
        })
        .sum();
    assert_eq!(format!("{:.5}", (squares / 20_000.0).sqrt()), "1.06300");
}

#[test]
fn real_beauty_5_core_sequences_read_with_their_known_sizes() {
    let Some(root) = real_data("real_beauty_5_core") else { return };
    let loaded = load_real(&root, file_as("amazon-beauty/beauty-5core-sequences.txt", DataFormat::Sequences));
    let data = &loaded.interactions;
    assert_eq!((data.n_users(), data.n_items(), data.len()), (22_363, 12_101, 198_502));
    let rows = rows_of(&loaded, Split::LeaveLastOut { validation: true });
    assert_eq!((rows.test.len(), rows.validation.len()), (22_363, 22_363));
}

#[test]
fn real_beauty_ratings_read_with_header_trailing_comma_and_windows_ends() {
    let Some(root) = real_data("real_beauty_ratings") else { return };
    let loaded = load_real(&root, file("amazon-beauty/ratings_Beauty.head.csv"));
    let data = &loaded.interactions;
    assert_eq!((data.len(), data.n_users(), data.n_items()), (29_999, 28_456, 1_858));
    assert_eq!(loaded.report.bad_lines, 0);
    assert_eq!(
        (data.users.get(0), data.items.get(0), data.rating[0], data.timestamp[0]),
        ("A39HTATAQ9V7YF", "205616461", 5.0, 1_369_699_200)
    );
}

#[test]
fn attributes_of_which_an_id_occurs_twice_load_with_a_warning_that_says_where() {
    let lab = Lab::new();
    lab.write("ratings.csv", CSV);
    lab.write("items.item", "item_id:token\ttitle:token\ni1\tHeat\ni2\tUp\ni1\tAlien\n");
    let Source::File { path, format, columns, users, max_bad_share, .. } = file("ratings.csv") else { panic!() };
    let items = Some("items.item".to_owned());
    let loaded = lab.load(Source::File { path, format, columns, items, users, max_bad_share }).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "1 of 3 lines of the file that dataset.items names have the id of an earlier line, whose values count; one of them says something else; the first is line 4, `i1`"
        ]
    );
}

#[test]
fn a_file_of_attributes_without_any_is_told_as_what_it_is_and_not_as_one_of_ratings() {
    let lab = Lab::new();
    lab.write("ratings.csv", CSV);
    let said = |text: &str| {
        lab.write("items.item", text);
        let Source::File { path, format, columns, users, max_bad_share, .. } = file("ratings.csv") else { panic!() };
        let items = Some("items.item".to_owned());
        lab.load(Source::File { path, format, columns, items, users, max_bad_share }).unwrap_err().to_string()
    };
    for (text, what) in [
        ("", "is empty"),
        ("item_id:token\tclass:token_seq\n", "has no line with data"),
        ("{}", "has no line with data"),
        ("item_id:token\ni1\ni2\n", "has ids and nothing beside them"),
    ] {
        let told = said(text);
        assert!(told.starts_with("dataset.items: ") && told.contains(&format!("the file {what}; choose")), "{told}");
        assert!(told.ends_with("a file with a line of attributes for each id, or leave the field out"), "{told}");
    }
    let bad = said("item_id:token\tclass:token_seq\ni1\n");
    assert!(bad.contains("one of 1 data lines") && bad.ends_with("; correct them"), "{bad}");
}

#[test]
fn a_file_whose_ids_are_those_of_the_others_is_refused_by_the_name_of_its_first_column() {
    let lab = Lab::new();
    lab.write("ratings.csv", CSV);
    let load = |items: Option<&str>, users: Option<&str>| {
        let Source::File { path, format, columns, max_bad_share, .. } = file("ratings.csv") else { panic!() };
        let (items, users) = (items.map(str::to_owned), users.map(str::to_owned));
        lab.load(Source::File { path, format, columns, items, users, max_bad_share })
    };
    lab.write("ml.inter", "user_id:token\titem_id:token\trating:float\ni1\tx\t5\ni2\ty\t3\n");
    let told = load(Some("ml.inter"), None).unwrap_err().to_string();
    assert!(told.starts_with("dataset.items: ") && told.contains("the first column is `user_id:token`"), "{told}");
    assert!(told.contains("must stand; name a file with") && told.ends_with("or leave the field out"), "{told}");
    lab.write("ml.item", "item_id:token\tclass:token\nu1\ta\n");
    let told = load(None, Some("ml.item")).unwrap_err().to_string();
    assert!(told.starts_with("dataset.users: ") && told.contains("`item_id:token`, the id of an item"), "{told}");
    // Other names are nobody's: `id`, as tables that the lab writes have it, and `asin`.
    let mut table = Vec::new();
    let text = b"user_id:token\tclass:token\ni1\ta\n";
    let attributes = recspeed_data::read_attributes(text).unwrap().attributes;
    recspeed_datasets::write_attributes_parquet(&attributes, &mut table).unwrap();
    lab.write("made.parquet", table);
    for items in ["made.parquet", "own.item"] {
        lab.write("own.item", "asin:token\tclass:token\ni1\ta\ni2\tb\n");
        assert!(load(Some(items), None).is_ok(), "{items}");
    }
    // Items may be people.
    lab.write("people.user", "user_id:token\tclass:token\ni1\ta\ni2\tb\n");
    assert!(load(Some("people.user"), None).unwrap_err().to_string().contains("rename the column where it is that"));
    let Source::File { path, format, max_bad_share, .. } = file("ratings.csv") else { panic!() };
    let columns = ColumnNames { item: Some("user_id".to_owned()), ..ColumnNames::default() };
    let items = Some("people.user".to_owned());
    assert!(lab.load(Source::File { path, format, columns, items, users: None, max_bad_share }).is_ok());
}

#[test]
fn a_table_reads_the_same_packed_with_gzip_and_a_packing_that_is_cut_off_is_told() {
    let lab = Lab::new();
    lab.write("ratings.csv", CSV);
    let plain = lab.load(file("ratings.csv")).unwrap().interactions;
    let (mut arrow, mut parquet) = (Vec::new(), Vec::new());
    recspeed_data::table::write_arrow(&plain, &[], &mut arrow).unwrap();
    recspeed_datasets::write_parquet(&plain, &[], &mut parquet).unwrap();
    for (name, format, bytes) in
        [("t.arrow.gz", DataFormat::Arrow, arrow), ("t.parquet.gz", DataFormat::Parquet, parquet)]
    {
        let packed = gzip(&bytes);
        lab.write(name, &packed);
        assert_eq!(lab.load(file_as(name, format)).unwrap().interactions, plain, "{name}");
        lab.write("cut", &packed[..packed.len() / 2]);
        let error = lab.load(file_as("cut", format)).unwrap_err().to_string();
        assert!(error.contains("gzip file is cut off or damaged"), "{error}");
    }
    let mut items = Vec::new();
    let text = b"item_id:token\tclass:token_seq\ni1\ta\ni2\tb\n";
    let attributes = recspeed_data::read_attributes(text).unwrap().attributes;
    recspeed_datasets::write_attributes_parquet(&attributes, &mut items).unwrap();
    lab.write("items.parquet.gz", gzip(&items));
    let Source::File { path, format, columns, users, max_bad_share, .. } = file("ratings.csv") else { panic!() };
    let items = Some("items.parquet.gz".to_owned());
    let loaded = lab.load(Source::File { path, format, columns, items, users, max_bad_share }).unwrap();
    assert_eq!(loaded.item_attributes, Some(attributes));
}
