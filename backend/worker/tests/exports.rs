//! A model of every kind is exported in every format, whatever the data say of users and items, with what its arrays are; by what is
//! written there a prediction is made again of the files alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Float32Type;
use arrow_array::{Array as _, RecordBatch};
use arrow_ipc::reader::FileReader;
use recspeed_data::{Csr, ReadReport, generate};
use recspeed_experiment::{Host, LoadedData, Model, Outcome, ProcessMemory, RunFailure, run};
use recspeed_models::{ExportFormat, ModelToSave, SavedModel, export, load, read_tensors, save};
use recspeed_types::catalogue::{ENTRIES, Entry, Need, ParamKind};
use recspeed_types::spec::{Dataset, ResolvedSpec, Source};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, RunId};
use serde_json::Value;

/// A host that has the built-in data sets, with the attributes of their items or without, and tells nobody anything.
struct Desk {
    attributes: bool,
}

impl FitObserver for Desk {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

impl Host for Desk {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        let Source::Builtin { entry } = &dataset.source else {
            return Err(RunFailure::new(FailureCode::Data, "this desk has no files"));
        };
        let made = generate(entry, seed);
        Ok(LoadedData {
            interactions: made.interactions,
            item_attributes: self.attributes.then_some(made.item_attributes),
            user_attributes: None,
            report: ReadReport::default(),
            name: "desk".into(),
            sha256: String::new(),
            synthetic: true,
            warnings: Vec::new(),
        })
    }
    fn engine(&self, _: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        let [kind, device, host] = ["burn", "flex", "desk"].map(str::to_owned);
        Ok(EngineInfo { kind, device, versions: BTreeMap::new(), host, threads: 1, precision: None })
    }
    fn now_us(&self) -> u64 {
        0
    }
    fn memory(&self) -> ProcessMemory {
        ProcessMemory::default()
    }
}

/// A model that was trained, and what it is kept with.
fn fitted(recommender: &str, training: &str, attributes: bool) -> (ExperimentSpec, Outcome) {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\nmin_item = 3\n\
         [recommender]\n{recommender}\n{training}[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n"
    );
    let spec = ExperimentSpec::from_toml(&text).expect("the test's spec parses");
    let outcome = run(&id(), &spec, &mut Desk { attributes });
    let outcome = outcome.unwrap_or_else(|failure| panic!("{recommender}: {failure}"));
    (spec, outcome)
}

fn id() -> RunId {
    RunId::new("desk").expect("a run id")
}

/// The model as it lies on the disk.
fn kept(spec: &ExperimentSpec, outcome: &Outcome, dir: &Path) -> SavedModel {
    let (data, kind) = (&outcome.interactions, &spec.recommender.kind);
    let model = ModelToSave {
        run: &id(),
        spec,
        data: &outcome.summary.data,
        users: &data.users,
        items: &data.items,
        titles: outcome.titles.as_ref(),
        known: &Csr::by_user(data, &outcome.known_rows),
        liked_rating: 5.0,
        rating_scale: Some([1.0, 5.0]),
        parts: &outcome.model.as_recommender().parts(),
        as_tensors: matches!(outcome.model, Model::Network(_)),
    };
    save(dir, &model).unwrap_or_else(|error| panic!("{kind}: {error}"));
    load(dir).unwrap_or_else(|error| panic!("{kind}: {error}"))
}

/// A trained model of a kind as it lies on the disk.
fn trained(entry: &Entry, attributes: bool, dir: &Path) -> SavedModel {
    let training = if entry.is_trained() { "[training]\nepochs = 1\n" } else { "" };
    let (spec, outcome) = fitted(&format!("kind = \"{}\"", entry.kind), training, attributes);
    kept(&spec, &outcome, dir)
}

/// What `model.json` says of an array; of one of the three of a sparse matrix what it says of that.
fn told<'a>(arrays: &'a [Value], name: &str) -> Option<&'a Value> {
    let matrix = [".indptr", ".indices", ".values"].iter().find_map(|part| name.strip_suffix(part));
    let of = |name: &str| arrays.iter().find(|array| array["name"] == name);
    of(name).or_else(|| of(matrix?))
}

/// Whether an export says of every array of the model what it is and where it lies, and no file is empty.
fn check(model: &SavedModel, files: &[String], folder: &Path) {
    let kind = &model.manifest.spec.recommender.kind;
    let page: Value = json(&folder.join("model.json"));
    assert_eq!(page["kind"], kind.as_str());
    let arrays = page["arrays"].as_array().expect("a list");
    for (name, array) in model.parts.iter() {
        let told =
            told(arrays, name).unwrap_or_else(|| panic!("{kind}: {name} of shape {:?} is not told", array.shape));
        assert!(told["what"].as_str().is_some_and(|what| !what.is_empty()), "{kind}: nobody says what {name} is");
        match told["file"].as_str() {
            Some(file) => assert!(files.iter().any(|written| written == file), "{kind}: {name} in {file} of {files:?}"),
            None => assert!(array.shape.contains(&0) || told["entries"] == 0, "{kind}: {name} lies nowhere"),
        }
        if told["file"] == "numbers.json" {
            assert!(!json(&folder.join("numbers.json"))[name].is_null(), "{kind}: {name}");
        }
    }
    for file in files {
        assert!(fs::metadata(folder.join(file)).is_ok_and(|data| data.len() > 0), "{kind}: {file} is empty");
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn every_kind_is_exported_in_every_format_with_attributes_of_items_and_without() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut hollow = BTreeSet::new();
    for entry in ENTRIES {
        // Who needs attributes is refused without them, and who never reads them would be trained twice to the same arrays.
        let needs = entry.needs.contains(&Need::ItemAttributes);
        let reads = entry.params.iter().any(|param| matches!(param.kind, ParamKind::Names { .. }));
        for attributes in [true, false] {
            if !attributes && (needs || !reads) {
                continue;
            }
            let place = folder.path().join(format!("{}-{attributes}", entry.kind));
            let model = trained(entry, attributes, &place.join("model"));
            if model.parts.iter().any(|(_, array)| array.shape.len() == 2 && array.shape[1] == 0) {
                hollow.insert(entry.kind);
            }
            let formats = [
                (ExportFormat::Parquet, "parquet"),
                (ExportFormat::Arrow, "arrow"),
                (ExportFormat::Safetensors, "safetensors"),
            ];
            for (format, end) in formats {
                let to = place.join(end);
                let exported =
                    export(&model, &to, format).unwrap_or_else(|error| panic!("{} as {end}: {error}", entry.kind));
                if format == ExportFormat::Safetensors {
                    let bytes = fs::read(to.join("model.safetensors")).expect("the arrays");
                    assert!(read_tensors(&bytes).as_ref() == Some(&model.parts), "{}", entry.kind);
                }
                check(&model, &exported.files, &to);
            }
            fs::remove_dir_all(&place).expect("a folder of this test");
        }
    }
    // Users of whom nothing is known have no numbers: were there none such here, the test would say nothing of them.
    for kind in ["wide-and-deep", "deepfm"] {
        assert!(hollow.contains(kind), "{kind} has numbers of everybody here: {hollow:?}");
    }
}

/// An exported model, read with nothing of this lab.
struct Export<'a> {
    folder: &'a Path,
    users: Vec<String>,
    items: Vec<String>,
}

/// Rows of a table by their ids.
type Rows = BTreeMap<String, Vec<f32>>;

/// What a user gives an item, by their ids.
type Prediction = Box<dyn Fn(&str, &str) -> f64>;

impl<'a> Export<'a> {
    fn open(folder: &'a Path) -> Self {
        let mut all = Self { folder, users: Vec::new(), items: Vec::new() };
        (all.users, all.items) = (all.texts("ids-users", "id"), all.texts("ids-items", "id"));
        all
    }

    fn table(&self, name: &str) -> RecordBatch {
        let file = fs::File::open(self.folder.join(format!("{name}.arrow"))).unwrap_or_else(|_| panic!("no {name}"));
        FileReader::try_new(file, None).expect("an Arrow file").next().expect("rows").expect("whole")
    }

    fn texts(&self, name: &str, column: &str) -> Vec<String> {
        let table = self.table(name);
        let texts = table.column_by_name(column).expect("there").as_string::<i32>().clone();
        (0..texts.len()).map(|row| texts.value(row).to_owned()).collect()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let table = self.table(name);
        table.column_by_name("value").expect("there").as_primitive::<Float32Type>().values().to_vec()
    }

    /// A matrix with a row for each user or item.
    fn matrix(&self, name: &str) -> Rows {
        let table = self.table(name);
        let rows = table.column_by_name("values").expect("there").as_fixed_size_list();
        let row = |place: usize| rows.value(place).as_primitive::<Float32Type>().values().to_vec();
        self.texts(name, "id").into_iter().zip((0..rows.len()).map(row)).collect()
    }

    /// The entries of a sparse matrix: row, column, value.
    fn sparse(&self, name: &str) -> BTreeMap<String, BTreeMap<String, f32>> {
        let mut rows: BTreeMap<String, BTreeMap<String, f32>> = BTreeMap::new();
        let places = self.texts(name, "row").into_iter().zip(self.texts(name, "column"));
        for ((row, column), value) in places.zip(self.floats(name)) {
            rows.entry(row).or_default().insert(column, value);
        }
        rows
    }

    /// `sum over all positions f of users[u][f] * items[i][f]`.
    fn products(&self) -> Prediction {
        let (users, items) = (self.matrix("users"), self.matrix("items"));
        Box::new(move |user, item| {
            let pairs = users[user].iter().zip(&items[item]);
            pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        })
    }

    /// `sum over the items j of u of ratings[u][j] * weight of j for i`.
    fn votes(&self, weight: impl Fn(&str, &str) -> f64 + 'static) -> Prediction {
        let ratings = self.sparse("ratings");
        Box::new(move |user, item| {
            let own = ratings.get(user).into_iter().flatten();
            own.map(|(j, rating)| f64::from(*rating) * weight(j, item)).sum()
        })
    }

    /// The formula that stands in `model.json` of these kinds.
    fn formula(&self, kind: &str) -> Prediction {
        match kind {
            "biased-mf" | "svd++" | "als-implicit" => self.products(),
            "item-knn" => {
                let similarities = self.sparse("similarities");
                self.votes(move |j, item| {
                    similarities.get(j).and_then(|row| row.get(item)).map_or(0.0, |&s| f64::from(s))
                })
            }
            "ease" => {
                let weights = self.matrix("weights");
                let places: BTreeMap<String, usize> = self.items.iter().cloned().zip(0..).collect();
                self.votes(move |j, item| f64::from(weights[j][places[item]]))
            }
            "slope-one" => {
                let (ratings, differences) = (self.sparse("ratings"), self.sparse("differences"));
                let mean_of_all = json(&self.folder.join("numbers.json"))["mean"].as_f64().expect("a number");
                Box::new(move |user, item| {
                    let Some(own) = ratings.get(user) else { return mean_of_all };
                    let mean = |all: Vec<f64>| all.iter().sum::<f64>() / all.len() as f64;
                    let there = own.keys().filter_map(|j| differences.get(j)?.get(item));
                    let there: Vec<f64> = there.map(|&difference| f64::from(difference)).collect();
                    let level = mean(own.values().map(|&rating| f64::from(rating)).collect());
                    level + if there.is_empty() { 0.0 } else { mean(there) }
                })
            }
            _ => panic!("no formula of {kind} stands here"),
        }
    }
}

#[test]
fn a_prediction_is_made_again_of_the_exported_files_alone_by_the_formula_beside_them() {
    let folder = tempfile::tempdir().expect("a folder");
    for (kind, more) in [
        ("biased-mf", "iterations = 3"),
        ("svd++", "iterations = 2"),
        ("als-implicit", "iterations = 2"),
        ("item-knn", "weighting = \"rating\""),
        ("ease", "weighting = \"rating\""),
        ("slope-one", ""),
    ] {
        let (spec, outcome) = fitted(&format!("kind = \"{kind}\"\n{more}"), "", false);
        let place = folder.path().join(kind);
        let model = kept(&spec, &outcome, &place.join("model"));
        let to = place.join("out");
        export(&model, &to, ExportFormat::Arrow).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let export = Export::open(&to);
        let formula = export.formula(kind);
        let fitted = outcome.model.as_recommender();
        let mut differ = BTreeSet::new();
        for (user, name) in (0u32..).zip(&export.users).step_by(29) {
            for (item, of) in (0u32..).zip(&export.items).step_by(7) {
                let (told, again) = (f64::from(fitted.predict(user, item, 0)), formula(name, of));
                assert!(
                    (told - again).abs() < 1e-4 * (1.0 + told.abs()),
                    "{kind}: {told} of {name} and {of}, and {again}"
                );
                differ.insert((told * 1e5) as i64);
            }
        }
        assert!(differ.len() > 10, "{kind} predicts next to one number: {differ:?}");
    }
}
