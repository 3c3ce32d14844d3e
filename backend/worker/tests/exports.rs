//! A model of every kind is exported in every format, whatever the data say of users and items.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use recspeed_data::{Csr, ReadReport, generate};
use recspeed_experiment::{Host, LoadedData, Model, ProcessMemory, RunFailure, run};
use recspeed_models::{ExportFormat, ModelToSave, SavedModel, export, load, read_tensors, save};
use recspeed_types::catalogue::{ENTRIES, Entry, Need, ParamKind};
use recspeed_types::spec::{Dataset, ResolvedSpec, Source};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, RunId};

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

/// A trained model as it lies on the disk.
fn trained(entry: &Entry, attributes: bool, dir: &Path) -> SavedModel {
    let training = if entry.is_trained() { "[training]\nepochs = 1\n" } else { "" };
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\nmin_item = 3\n\
         [recommender]\nkind = \"{}\"\n{training}[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n",
        entry.kind
    );
    let spec = ExperimentSpec::from_toml(&text).expect("the test's spec parses");
    let id = RunId::new("desk").expect("a run id");
    let outcome =
        run(&id, &spec, &mut Desk { attributes }).unwrap_or_else(|failure| panic!("{}: {failure}", entry.kind));
    let data = &outcome.interactions;
    let model = ModelToSave {
        run: &id,
        spec: &spec,
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
    save(dir, &model).unwrap_or_else(|error| panic!("{}: {error}", entry.kind));
    load(dir).unwrap_or_else(|error| panic!("{}: {error}", entry.kind))
}

/// Whether tables of this ending hold every array of the model: by itself, as a part of a sparse matrix, or as a single number.
fn check_tables(model: &SavedModel, files: &[String], folder: &Path, end: &str) {
    let numbers = fs::read(folder.join("numbers.json")).expect("single numbers");
    let numbers: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&numbers).expect("JSON");
    let has = |file: String| files.contains(&file);
    for (name, array) in model.parts.iter() {
        let matrix = [".indptr", ".indices", ".values"].iter().find_map(|part| name.strip_suffix(part));
        let told = if array.shape.is_empty() {
            numbers.contains_key(name)
        } else {
            let alone = has(format!("{name}.{end}")) || has(format!("{name}.txt"));
            alone || matrix.is_some_and(|matrix| has(format!("{matrix}.{end}")))
        };
        assert!(
            told,
            "{}: {name} of shape {:?} is not among {files:?}",
            model.manifest.spec.recommender.kind, array.shape
        );
    }
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
                } else {
                    check_tables(&model, &exported.files, &to, end);
                }
            }
            fs::remove_dir_all(&place).expect("a folder of this test");
        }
    }
    // Users of whom nothing is known have no numbers: were there none such here, the test would say nothing of them.
    for kind in ["wide-and-deep", "deepfm"] {
        assert!(hollow.contains(kind), "{kind} has numbers of everybody here: {hollow:?}");
    }
}
