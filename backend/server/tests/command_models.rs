//! `recspeed run --model`, `recspeed recommend`, `recspeed export` and `recspeed data export` with the worker that is built
//! beside these tests.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use recspeed_data::{Interactions, split};
use recspeed_datasets::{DataHome, LoadRequest, LookUp};
use recspeed_types::recommend::Recommendations;
use recspeed_types::spec::{ColumnNames, DataFormat, Dataset, Filters, Source};
use recspeed_types::{ExperimentSpec, RunSummary, StoredImportance};

/// A folder with a spec.
struct Bench {
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let spec = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\n\
                    [recommender]\nkind = \"item-knn\"\n[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n";
        std::fs::write(dir.path().join("spec.toml"), spec).unwrap();
        Self { dir }
    }

    /// A folder with a spec and its trained model.
    fn trained() -> Self {
        let bench = Self::new();
        let output = bench.recspeed(&["run", "spec.toml", "--json", "--model", "model"]);
        assert!(output.status.success(), "{output:?}");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn recspeed(&self, arguments: &[&str]) -> Output {
        let program = Path::new(env!("CARGO_BIN_EXE_recspeed"));
        let worker = program.with_file_name("recspeed-worker");
        assert!(worker.is_file(), "{} is not built: run `make build`", worker.display());
        self.command(program).args(arguments).output().unwrap()
    }

    /// A program in this folder.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.dir.path()).env("RECSPEED_HOME", self.path("home")).env_remove("RECSPEED_DATA");
        command
    }

    fn said(&self, arguments: &[&str]) -> String {
        let output = self.recspeed(arguments);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn refused(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.recspeed(arguments);
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The rows of a data set as a run would load them; files are looked up in this folder.
    fn load(&self, dataset: &Dataset, seed: u64) -> Interactions {
        let home = DataHome::open(Some(self.path("home"))).unwrap();
        let look_up = LookUp { spec_dir: Some(self.dir.path().to_owned()), data_root: None };
        home.load(&LoadRequest { dataset, seed, look_up: &look_up }, &mut |_, _| {}).unwrap().interactions
    }
}

#[test]
fn a_trained_model_recommends_to_users_and_for_baskets_and_says_why() {
    let bench = Bench::trained();
    let manifest = recspeed_models::manifest(&bench.path("model")).unwrap();
    let (user, item) = (manifest.users[0].as_str(), manifest.items[0].as_str());
    let text = bench.said(&["recommend", "--model", "model", "--user", user, "-k", "3", "--explain"]);
    assert!(text.starts_with(&format!("Recommended to user {user}\n")), "{text}");
    assert!(text.contains("because") && text.contains("they have "), "{text}");
    let basket = format!("{item}:5,{item}:4");
    let json = bench.said(&["recommend", "--model", "model", "--basket", &basket, "--explain", "--json"]);
    let answer: Recommendations = serde_json::from_str(&json).unwrap();
    assert_eq!((answer.left_out, answer.items.is_empty()), (1, false));
    assert!(answer.items.iter().all(|found| found.item != item));
    assert_eq!(answer.notes, [format!("The basket has {item} twice; each item counts once, as it was given last.")]);
    let text = bench.said(&["recommend", "--model", "model", "--basket", &basket]);
    assert!(text.starts_with("Recommended to 1 item in the basket\n"), "{text}");
    let absurd = bench.refused(2, &["recommend", "--model", "model", "--basket", &format!("{item}:1e300")]);
    assert!(absurd.contains("is beyond ±3.4e38, far outside the scale of any training"), "{absurd}");
}

#[test]
fn the_lab_keeps_the_model_of_a_run_of_the_terminal_and_answers_by_its_name() {
    let bench = Bench::new();
    let json = bench.said(&["run", "spec.toml", "--json"]);
    assert_eq!(json.lines().count(), 1, "{json}");
    let summary: RunSummary = serde_json::from_str(&json).unwrap();
    assert!(summary.warnings.iter().all(|warning| !warning.contains("model")), "{:?}", summary.warnings);
    let run = summary.run.as_str();
    let manifest = recspeed_models::manifest(&bench.path("home/models").join(run)).unwrap();
    assert_eq!(manifest.run, summary.run);
    let text = bench.said(&["recommend", "--run", run, "--user", &manifest.users[0]]);
    assert!(text.starts_with("Recommended to user "), "{text}");
    bench.said(&["export", "--run", run, "--to", "out"]);
    // Found, and asked what such a model has none of.
    let error = bench.refused(2, &["importance", "--run", run]);
    assert!(error.starts_with("recspeed: `item-knn` reads no attributes"), "{error}");
    let kept = || std::fs::read_dir(bench.path("home/models")).unwrap().count();
    bench.said(&["run", "spec.toml", "--json", "--no-keep"]);
    bench.said(&["run", "spec.toml", "--json", "--model", "model"]);
    assert_eq!(kept(), 1, "--no-keep keeps none, and --model elsewhere");
    let text = bench.said(&["run", "spec.toml"]);
    assert!(text.contains("The lab keeps the model: `recspeed recommend --run t"), "{text}");
    assert_eq!(kept(), 2);
}

#[test]
fn models_of_the_terminal_take_the_room_that_the_server_of_their_lab_was_told() {
    let bench = Bench::new();
    let models = bench.path("home/models");
    let run = || serde_json::from_str::<RunSummary>(&bench.said(&["run", "spec.toml", "--json"])).unwrap().run;
    let first = run();
    // As if it were larger than the room.
    let place = models.join(first.as_str()).join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&place).unwrap()).unwrap();
    manifest["files"]["users.ids.arrow"]["bytes"] = (64u64 << 20).into();
    std::fs::write(&place, manifest.to_string()).unwrap();
    let second = run();
    assert!(models.join(first.as_str()).is_dir(), "there is room for both");
    std::fs::write(bench.path("home/model-space"), "32\n").unwrap();
    let third = run();
    assert!(!models.join(first.as_str()).exists(), "the oldest makes room");
    assert!(models.join(second.as_str()).is_dir() && models.join(third.as_str()).is_dir());
    std::fs::write(bench.path("home/model-space"), "0\n").unwrap();
    let fourth = run();
    assert!(!models.join(fourth.as_str()).exists(), "a lab that keeps none keeps none of the terminal");
    std::fs::remove_dir_all(&models).unwrap();
    let error = bench.refused(4, &["recommend", "--run", fourth.as_str(), "--user", "u"]);
    assert!(error.contains("its server was told to keep none (--model-space 0)"), "{error}");
}

#[test]
fn a_lab_that_cannot_keep_the_model_costs_the_run_a_warning_and_nothing_else() {
    let bench = Bench::new();
    std::fs::create_dir_all(bench.path("home")).unwrap();
    std::fs::write(bench.path("home/models"), "a file in the way").unwrap();
    let summary: RunSummary = serde_json::from_str(&bench.said(&["run", "spec.toml", "--json"])).unwrap();
    let told = summary.warnings.iter().any(|warning| warning.starts_with("the model could not be kept: "));
    assert!(told, "{:?}", summary.warnings);
    let text = bench.said(&["run", "spec.toml"]);
    assert!(text.contains("the model could not be kept: ") && !text.contains("The lab keeps"), "{text}");
    assert_eq!(std::fs::read_to_string(bench.path("home/models")).unwrap(), "a file in the way");
}

#[test]
fn a_stored_model_is_asked_for_its_features_and_gives_the_numbers_of_its_run() {
    let bench = Bench::new();
    let spec = std::fs::read_to_string(bench.path("spec.toml")).unwrap().replace("item-knn", "content-tfidf");
    let plain = spec.replace("max_users = 5", "max_users = 200");
    std::fs::write(bench.path("spec.toml"), &plain).unwrap();
    std::fs::write(bench.path("asked.toml"), format!("{plain}[features]\npermute = [\"items.brand\"]\nrepeats = 3\n"))
        .unwrap();
    let summary: RunSummary = serde_json::from_str(&bench.said(&["run", "asked.toml", "--json"])).unwrap();
    bench.said(&["run", "spec.toml", "--json", "--model", "model"]);
    let asked = ["importance", "--model", "model", "--features", "items.brand", "--repeats", "3"];
    let json = bench.said(&[&asked[..], &["--json"]].concat());
    let told: StoredImportance = serde_json::from_str(&json).unwrap();
    assert_eq!((told.importance, told.metrics), (summary.importance, summary.metrics));
    assert!(told.warnings.is_empty(), "{:?}", told.warnings);
    let text = bench.said(&asked);
    assert!(text.contains("content-tfidf of the run ") && text.contains("items.brand"), "{text}");
    let error = bench.refused(2, &["importance", "--model", "model", "--features", "items.colour"]);
    assert!(error.contains("there is no attribute items.colour"), "{error}");
}

#[test]
fn what_cannot_be_recommended_is_one_sentence_with_a_remedy() {
    let bench = Bench::trained();
    let manifest = recspeed_models::manifest(&bench.path("model")).unwrap();
    let user = manifest.users[0].to_lowercase();
    let error = bench.refused(2, &["recommend", "--model", "model", "--user", &user]);
    assert_eq!(error, format!("recspeed: The model knows no user `{user}`. Did you mean {}?\n", manifest.users[0]));
    for k in ["0", "-3", "1001"] {
        let error = bench.refused(2, &["recommend", "--model", "model", "--user", "u", "-k", k]);
        assert!(error.contains(&format!("'{k}' for '--k <K>': {k} is not in 1..=1000")), "{error}");
    }
    let error = bench.refused(2, &["importance", "--model", "model", "--features", "nope"]);
    assert!(error.starts_with("recspeed: --features: is `nope`; allowed: items.NAME"), "{error}");
    let error = bench.refused(2, &["importance", "--model", "model"]);
    assert!(error.starts_with("recspeed: `item-knn` reads no attributes, and no metric of its run is of"), "{error}");
    let error = bench.refused(2, &["importance", "--model", "model", "--repeats", "-3"]);
    assert!(error.contains("-3 is not in 1..=100"), "{error}");
    let error = bench.refused(4, &["recommend", "--model", "nowhere", "--user", "u"]);
    assert!(error.starts_with("recspeed: nowhere holds no saved model; name a folder that"), "{error}");
    let error = bench.refused(4, &["recommend", "--run", "abc", "--user", "u"]);
    assert!(
        error.contains(
            "no model of the run `abc`; it keeps none yet: `recspeed run FILE` keeps the model under the name"
        ),
        "{error}"
    );
    let error = bench.refused(2, &["recommend", "--model", "model"]);
    assert!(error.contains("--user") && error.contains("--basket"), "{error}");
    for nothing in ["", ","] {
        let error = bench.refused(2, &["recommend", "--model", "model", "--basket", nothing]);
        assert_eq!(error, "recspeed: The basket names no item. Name at least one item that somebody has.\n");
    }
    let models = bench.path("home/models");
    std::fs::create_dir_all(&models).unwrap();
    std::fs::rename(bench.path("model"), models.join("kept")).unwrap();
    let error = bench.refused(4, &["export", "--run", "abc", "--to", "out"]);
    assert!(error.contains("it keeps those of ") && error.contains("(item-knn on "), "{error}");
    bench.said(&["recommend", "--run", "kept", "--user", &manifest.users[0]]);
}

#[test]
fn a_trained_model_is_exported_in_each_format_and_into_new_folders_only() {
    let bench = Bench::trained();
    for (format, file) in
        [("parquet", "similarities.parquet"), ("arrow", "similarities.arrow"), ("safetensors", "model.safetensors")]
    {
        let text = bench.said(&["export", "--model", "model", "--to", format, "--format", format]);
        assert!(text.contains("item-knn of the run ") && text.contains(file), "{text}");
        assert!(bench.path(format).join(file).is_file() && bench.path(format).join("spec.toml").is_file());
    }
    let error = bench.refused(2, &["export", "--model", "model", "--to", "parquet"]);
    assert_eq!(error, "recspeed: parquet holds other files; name a new or empty folder\n");
    let text = bench.said(&["export", "--model", "model", "--predictions", "test", "--to", "test.parquet"]);
    assert!(text.contains("test rows with their predictions in test.parquet"), "{text}");
    let before = std::fs::read(bench.path("test.parquet")).unwrap();
    let again = ["export", "--model", "model", "--predictions", "train", "--to", "test.parquet"];
    let error = bench.refused(2, &again);
    let due = "recspeed: --to names test.parquet, which is there already and is not replaced; ";
    assert!(error.starts_with(due), "{error}");
    assert_eq!(std::fs::read(bench.path("test.parquet")).unwrap(), before);
    // However it is wrong, what a place is refused for is the same mistake.
    for (more, due) in [
        (&["--predictions", "test", "--to", "p.csv"][..], "p.csv could be Parquet or Arrow"),
        (&["--to", "test.parquet"], "which cannot be written: a file stands where a folder must be"),
    ] {
        let error = bench.refused(2, &[&["export", "--model", "model"][..], more].concat());
        assert!(error.contains(due), "{error}");
    }
    let error = bench.refused(4, &["export", "--model", "model", "--predictions", "validation", "--to", "v.parquet"]);
    assert!(error.contains("has no validation rows"), "{error}");
}

#[test]
fn whatever_is_exported_has_the_rights_that_the_umask_leaves_it() {
    let bench = Bench::trained();
    for (command, file) in [
        ("data generate beauty-synthetic-10k --to made.csv", "made.csv"),
        ("data export beauty-synthetic-10k --to all.arrow", "all.arrow"),
        ("data export beauty-synthetic-10k --attributes items --to items.parquet", "items.parquet"),
        ("export --model model --predictions test --to test.parquet", "test.parquet"),
        ("export --model model --format arrow --to folder", "folder/similarities.arrow"),
    ] {
        let mut shell = bench.command(Path::new("sh"));
        shell.args(["-c", "umask 027; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_recspeed")]);
        let output = shell.args(command.split(' ')).output().unwrap();
        assert!(output.status.success(), "{command}: {output:?}");
        let mode = std::fs::metadata(bench.path(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o640, "{command}: {mode:o}");
    }
}

#[test]
fn places_that_cannot_be_written_are_refused_before_the_work() {
    let bench = Bench::new();
    std::fs::write(bench.path("taken"), "important").unwrap();
    std::fs::create_dir(bench.path("thesis")).unwrap();
    std::fs::write(bench.path("thesis/thesis.tex"), "important").unwrap();
    let error = bench.refused(2, &["run", "spec.toml", "--model", "thesis"]);
    assert_eq!(error, "recspeed: thesis holds other files; name a new or empty folder\n");
    for (flag, what, command) in [
        ("--model", "folder", "run spec.toml"),
        ("--checkpoint-dir", "folder", "run spec.toml"),
        ("--keep", "folder", "compare spec.toml --seeds 2"),
        ("--keep", "folder", "features spec.toml"),
        ("--trace", "file", "run spec.toml"),
        ("--to", "file", "data generate beauty-synthetic-10k"),
    ] {
        let place = if what == "file" { "taken/below.json" } else { "taken" };
        let error = bench.refused(2, &command.split(' ').chain([flag, place]).collect::<Vec<_>>());
        let begins = format!("recspeed: {flag} names {place}, which cannot be written: ");
        assert!(error.starts_with(&begins) && error.ends_with(&format!("give {flag} another {what}\n")), "{error}");
    }
    let model = Bench::trained();
    let error = model.refused(2, &["export", "--model", "model", "--to", "spec.toml/below"]);
    assert!(error.contains("--to names spec.toml/below") && error.contains("a file stands where"), "{error}");
    let error = model.refused(2, &["export", "--model", "model", "--predictions", "test", "--to", "no/such.parquet"]);
    assert!(error.contains("its folder is not there; give --to another file"), "{error}");
    for command in [
        "data export beauty-synthetic-10k --format arrow --to -",
        "export --model model --predictions test --to -",
        "export --model model --to -",
    ] {
        let error = model.refused(2, &command.split(' ').collect::<Vec<_>>());
        assert!(error.starts_with("recspeed: --to is -, which names no f"), "{command}: {error}");
        assert!(!model.path("-").exists(), "{command}");
    }
}

#[test]
fn an_earlier_model_is_replaced_by_that_of_a_new_run_and_named_before() {
    let bench = Bench::trained();
    let earlier = recspeed_models::manifest(&bench.path("model")).unwrap();
    std::fs::write(bench.path("model/notes.txt"), "important").unwrap();
    let output = bench.recspeed(&["run", "spec.toml", "--json", "--model", "model"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    let due = format!("recspeed: model holds the model of the run {} (item-knn on ", earlier.run);
    assert!(said.starts_with(&due) && said.contains("; the model of this run will replace it\n"), "{said}");
    let summary: RunSummary = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(recspeed_models::manifest(&bench.path("model")).unwrap().run, summary.run);
    assert_eq!(std::fs::read_to_string(bench.path("model/notes.txt")).unwrap(), "important");
    // The first one has nothing to replace.
    let output = bench.recspeed(&["run", "spec.toml", "--json", "--model", "new"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("will replace"));
}

#[test]
fn a_data_set_and_a_split_are_exported_and_read_back() {
    let bench = Bench::new();
    for name in ["all.parquet", "all.arrow"] {
        let text = bench.said(&["data", "export", "beauty-synthetic-10k", "--to", name]);
        assert!(text.contains(": 10,000 rows in ") || text.contains(": 10000 rows in "), "{text}");
        let text = bench.said(&["data", "describe", name]);
        assert!(text.contains("10,000") || text.contains("10000"), "{text}");
        bench.said(&["data", "import", name, "--name", name]);
        bench.said(&["data", "export", name, "--to", &format!("again-{name}")]);
        assert_eq!(
            std::fs::read(bench.path(name)).unwrap(),
            std::fs::read(bench.path(&format!("again-{name}"))).unwrap()
        );
    }
    let before = std::fs::read(bench.path("all.parquet")).unwrap();
    let error = bench.refused(2, &["data", "export", "spec.toml", "--to", "all.parquet"]);
    let due = "recspeed: --to names all.parquet, which is there already and is not replaced; \
               give --to another name, or remove that file first\n";
    assert_eq!(error, due);
    // Data that are made replace as little.
    assert_eq!(bench.refused(2, &["data", "generate", "beauty-synthetic-10k", "--to", "all.parquet"]), due);
    assert_eq!(std::fs::read(bench.path("all.parquet")).unwrap(), before);
    let rows = |part: &str, file: &str| bench.said(&["data", "export", "spec.toml", "--rows", part, "--to", file]);
    assert!(rows("train", "train.parquet").contains(" training rows in train.parquet (parquet, "));
    assert!(rows("test", "test.arrow").contains(" test rows in test.arrow (arrow, "));
    let error = bench.refused(2, &["data", "export", "spec.toml", "--rows", "validation", "--to", "v.arrow"]);
    assert!(error.contains("the spec's split holds no such rows"), "{error}");
    let error = bench.refused(2, &["data", "export", "beauty-synthetic-10k", "--rows", "test", "--to", "v.arrow"]);
    assert!(error.contains("--rows takes rows of a spec's split"), "{error}");
    let error = bench.refused(2, &["data", "export", "beauty-synthetic-10k", "--to", "v.csv"]);
    assert!(error.contains("v.csv could be Parquet or Arrow"), "{error}");
    let error = bench.refused(4, &["data", "describe", "train.parquet", "--columns", "user=who"]);
    assert!(error.contains("has no column `who`; it has `user`, `item`, `rating`, `timestamp`"), "{error}");
    let half = std::fs::read(bench.path("all.parquet")).unwrap();
    std::fs::write(bench.path("half.parquet"), &half[..half.len() / 2]).unwrap();
    let error = bench.refused(4, &["data", "describe", "half.parquet"]);
    assert!(error.contains("no sound Parquet file: "), "{error}");
}

#[test]
fn every_part_of_a_split_is_read_back_from_either_format_as_the_rows_of_a_run_bit_for_bit() {
    let bench = Bench::new();
    let text = std::fs::read_to_string(bench.path("spec.toml")).unwrap();
    let text = format!("{text}[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n");
    std::fs::write(bench.path("spec.toml"), &text).unwrap();
    let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
    let whole = bench.load(&spec.dataset, spec.data_seed);
    let parts = split(&whole, &spec.split, spec.data_seed).unwrap();
    let bits = |rows: &Interactions| rows.rating.iter().map(|rating| rating.to_bits()).collect::<Vec<_>>();
    for (part, rows) in [("train", &parts.train), ("validation", &parts.validation), ("test", &parts.test)] {
        let expected = whole.subset(rows);
        assert!(!expected.is_empty(), "{part}");
        for (ending, format) in [("parquet", DataFormat::Parquet), ("arrow", DataFormat::Arrow)] {
            let path = format!("{part}.{ending}");
            bench.said(&["data", "export", "spec.toml", "--rows", part, "--to", &path]);
            let columns = ColumnNames::default();
            let source = Source::File { path, format, columns, items: None, users: None, max_bad_share: 0.0 };
            let read = bench.load(&Dataset { source, filters: Filters::default() }, 0);
            // Ids, their order and times are equal where the rows are; of numbers that are equal, -0 and 0 are two.
            assert!(read == expected, "{part} as {ending}: {} rows of {}", read.len(), expected.len());
            assert_eq!(bits(&read), bits(&expected), "{part} as {ending}");
        }
    }
}

#[test]
fn attributes_are_exported_and_read_back() {
    let bench = Bench::new();
    bench.said(&["data", "export", "beauty-synthetic-10k", "--to", "all.parquet"]);
    for name in ["items.parquet", "items.arrow"] {
        let text = bench.said(&["data", "export", "beauty-synthetic-10k", "--attributes", "items", "--to", name]);
        assert!(text.contains(" attributes of 1,500 items in "), "{text}");
        let spec = format!(
            "version = 1\n[dataset]\nsource = \"file\"\npath = \"all.parquet\"\nformat = \"parquet\"\nitems = \"{name}\"\n\
             [split]\nkind = \"random\"\n[recommender]\nkind = \"content-tfidf\"\n"
        );
        std::fs::write(bench.path("own.toml"), spec).unwrap();
        let again = format!("again-{name}");
        bench.said(&["data", "export", "own.toml", "--attributes", "items", "--to", &again]);
        assert_eq!(std::fs::read(bench.path(name)).unwrap(), std::fs::read(bench.path(&again)).unwrap());
    }
    let error = bench.refused(2, &["data", "export", "own.toml", "--attributes", "users", "--to", "u.arrow"]);
    assert!(
        error.contains("the data set has no attributes of users; a spec names their file as dataset.users"),
        "{error}"
    );
}
