//! What computed each row, and in what a row cannot be compared with the others.

use std::collections::BTreeMap;

use recspeed_types::ExperimentSpec;
use recspeed_types::spec::Device;
use recspeed_types::study::StudyMachine;
use recspeed_types::summary::{Begun, MatrixPrecision, RunSummary};

use super::pins;
use super::row::Row;

/// Name and version of what computed.
pub(super) type Versions = BTreeMap<String, String>;

/// In what a row's last run cannot be compared with those of the other rows of the same training, nor with its own before it; nothing where
/// it has none.
pub(super) fn differences(rows: &[&Row], other: &Row) -> Vec<String> {
    let Some((first, ran_first)) = first_of(rows) else { return Vec::new() };
    let Some(ran_other) = other.last() else { return Vec::new() };
    let mut differs = run_differences(ran_first, ran_other);
    differs.extend(training_differences(ran_first, ran_other));
    differs.extend(setting_differences(&first.spec, &other.spec));
    differs.into_iter().map(str::to_owned).chain(build_differences(rows, other)).collect()
}

/// The same of rows that are different methods: neither what they train nor in how many steps is alike.
pub(super) fn method_differences(rows: &[&Row], other: &Row) -> Vec<String> {
    let Some((_, ran_first)) = first_of(rows) else { return Vec::new() };
    let Some(ran_other) = other.last() else { return Vec::new() };
    let differs = run_differences(ran_first, ran_other);
    differs.into_iter().map(str::to_owned).chain(build_differences(rows, other)).collect()
}

/// The first row that has a run, which the others are held against.
fn first_of<'a>(rows: &[&'a Row]) -> Option<(&'a Row, &'a RunSummary)> {
    rows.iter().find_map(|row| Some((*row, row.last()?)))
}

/// In what a row was computed by other programs than the others, or its own runs by several.
fn build_differences(rows: &[&Row], other: &Row) -> Vec<String> {
    let mut differs = version_differences(rows, other);
    differs.extend(unlike_runs(other));
    differs.extend(other.other_build.clone());
    differs
}

/// Every library of a row that another row has in another version, with the first such row. Two builds of the worker, or two
/// environments of Python, need not be of the same day.
pub(super) fn version_differences(rows: &[&Row], own: &Row) -> Vec<String> {
    let all = || rows.iter().filter_map(|row| Some((row.name.as_str(), &row.last()?.engine.versions)));
    own.last().map(|ran| other_versions(all, &ran.engine.versions)).unwrap_or_default()
}

/// Every library of which a row's own runs have several versions: a study that goes on may load another one than before it was stopped.
fn unlike_runs(row: &Row) -> Vec<String> {
    let Some((last, before)) = row.runs().split_last() else { return Vec::new() };
    let differs = |(name, version): (&String, &String)| {
        let other = before.iter().filter_map(|run| run.engine.versions.get(name)).find(|other| *other != version)?;
        Some(format!("the version of {} among its own runs ({other} and {version})", library(name)))
    };
    last.engine.versions.iter().filter_map(differs).collect()
}

/// Every library of `own` that one of `all` has in another version, with the name of the first such row.
pub(super) fn other_versions<'a, I>(all: impl Fn() -> I, own: &Versions) -> Vec<String>
where
    I: Iterator<Item = (&'a str, &'a Versions)>,
{
    let differs = |(name, version): (&String, &String)| {
        let library = library(name);
        all().find_map(|(row, versions)| {
            let (name, theirs) = versions.iter().find(|(name, _)| self::library(name) == library)?;
            let other = release(theirs) != release(version);
            other.then(|| format!("the version of {library} (“{row}” has {name} {theirs})"))
        })
    };
    own.iter().filter_map(differs).collect()
}

/// What a version is of: LibTorch is the library inside PyTorch, and has its versions.
pub(super) fn library(name: &str) -> &str {
    match name {
        "torch" | "libtorch" => "LibTorch",
        other => other,
    }
}

/// A version without what it was built for, as `2.9.0` of `2.9.0+cu128`.
pub(super) fn release(version: &str) -> &str {
    version.split('+').next().unwrap_or(version)
}

/// In what two specs train differently. Order and first weights come of these and of the seed: every engine is given them and says which it
/// has read ([`begun_differences`]).
fn setting_differences(first: &ExperimentSpec, other: &ExperimentSpec) -> impl Iterator<Item = &'static str> {
    let settings = (first.training != other.training).then_some("settings of the training");
    let network = (first.recommender != other.recommender).then_some("the network");
    settings.into_iter().chain(network)
}

/// In what two runs differ that no two rows of a table may differ in, whatever they train.
fn run_differences(first: &RunSummary, other: &RunSummary) -> Vec<&'static str> {
    let mut differs = data_differences(first, other);
    differs.extend((first.seed != other.seed).then_some("the seed"));
    differs.extend(thread_difference(Some(first.engine.threads), Some(other.engine.threads)));
    differs.extend(precision_difference(first.engine.precision, other.engine.precision));
    differs
}

/// In what two trainings of one network differ.
fn training_differences(first: &RunSummary, other: &RunSummary) -> Vec<&'static str> {
    let steps = |run: &RunSummary| run.training.as_ref().map(|training| (training.steps, training.parameters));
    let begun = |run: &RunSummary| run.training.as_ref().and_then(|training| training.begun.clone());
    let mut differs = begun_differences(begun(first).as_ref(), begun(other).as_ref());
    differs.extend((steps(first) != steps(other)).then_some("steps or parameters"));
    differs
}

/// In what two trainings that were to begin alike did not, by what each engine says that it has read. Where neither says, as in runs of
/// before this was told, nothing is known of either.
fn begun_differences(first: Option<&Begun>, other: Option<&Begun>) -> Vec<&'static str> {
    match (first, other) {
        (None, None) => Vec::new(),
        (Some(_), None) => vec!["first weights and order of the rows (it does not say with which it began)"],
        (None, Some(_)) => {
            vec!["first weights and order of the rows (it says with which it began, unlike the first row)"]
        }
        (Some(first), Some(other)) => {
            let weights = (first.weights != other.weights).then_some("the first weights");
            let orders = (first.orders != other.orders).then_some("the order of the rows");
            weights.into_iter().chain(orders).collect()
        }
    }
}

/// Whether the other one did not compute with the first one's threads, as both say themselves; one that does not say is unlike one that does.
pub(super) fn thread_difference(first: Option<u32>, other: Option<u32>) -> Option<&'static str> {
    (first != other).then_some("threads")
}

/// How the other one's products are computed, where that is not as the first one's, or one of them does not say: an engine chooses that
/// itself. Where neither says, as in runs of before this was told, nothing is known of either.
fn precision_difference(first: Option<MatrixPrecision>, other: Option<MatrixPrecision>) -> Option<&'static str> {
    (first != other).then_some(match other {
        Some(MatrixPrecision::Tf32) => "precision (it multiplies in TF32)",
        Some(MatrixPrecision::F32) => "precision (it multiplies in f32)",
        None => "precision (it does not say in what it multiplies)",
    })
}

/// Whether a browser's tab computed.
fn in_tab(run: &RunSummary) -> bool {
    run.engine.device == Device::Browser.as_str()
}

/// In what two runs of different methods cannot be compared.
fn data_differences(first: &RunSummary, other: &RunSummary) -> Vec<&'static str> {
    let rows = |run: &RunSummary| (run.data.train, run.data.validation, run.data.test);
    // Behind a semicolon stands the GPU, which is the row's own business.
    let machine = |run: &RunSummary| run.engine.host.split(';').next().map(str::to_owned);
    // A tab knows its browser and no machine; it was opened on this one.
    let elsewhere = !in_tab(first) && !in_tab(other) && machine(first) != machine(other);
    [
        ("the data set", first.data.sha256 != other.data.sha256),
        ("the rows", rows(first) != rows(other)),
        ("the machine", elsewhere),
    ]
    .into_iter()
    .filter_map(|(what, differs)| differs.then_some(what))
    .collect()
}

/// What stands behind a row's name: `words`, and everything in which the row is not like the first.
pub(super) fn note(words: String, differs: &[String]) -> String {
    let differs = (!differs.is_empty()).then(|| format!("differs in {}", differs.join(", ")));
    (!words.is_empty()).then_some(words).into_iter().chain(differs).collect::<Vec<_>>().join("; ")
}

/// Name and version of what computed, without what every run has unless it is not the pinned one, and the GPU that it computed on, which
/// may be one in software.
pub(super) fn versions(run: &RunSummary) -> String {
    let is_shown = |name: &str| !["python", "numpy", "recspeed", "pyarrow"].contains(&name);
    let told = pins::told(pins::reference(&run.engine.kind), &run.engine.versions, is_shown).into_iter();
    // A tab's host is its browser's own words, which have semicolons of their own.
    let named = run.engine.host.split_once("; ").filter(|_| run.engine.device != Device::Browser.as_str());
    let gpu = named.map(|(_, gpu)| format!("on {gpu}"));
    told.chain(gpu).collect::<Vec<_>>().join(", ")
}

/// The machine that the rows ran on: the first one's, without the GPU of that row, which others do not compute on. Rows of it are put among
/// those of the same machine.
pub(super) fn machine(rows: &[Row]) -> StudyMachine {
    let ran = || rows.iter().filter_map(Row::last).filter(|run| !in_tab(run));
    let Some(first) = ran().next() else { return StudyMachine::default() };
    let threads = first.engine.threads;
    StudyMachine {
        host: first.engine.host.split_once("; ").map_or(first.engine.host.as_str(), |(host, _)| host).to_owned(),
        threads: ran().all(|run| run.engine.threads == threads).then_some(threads),
        versions: first_versions(ran().map(|run| &run.engine.versions)),
        ..StudyMachine::default()
    }
}

/// Every library with the version of the first one that has it: what differs from it says so in its own row.
pub(super) fn first_versions<'a>(all: impl Iterator<Item = &'a Versions>) -> Versions {
    let mut versions = Versions::new();
    for (name, version) in all.flatten() {
        versions.entry(name.clone()).or_insert_with(|| version.clone());
    }
    versions
}

#[cfg(test)]
mod tests {
    use recspeed_types::summary::TrainingInfo;

    use super::super::row::Measured;
    use super::super::row::tests::{RUN, row};
    use super::*;

    #[test]
    fn a_row_names_its_gpu_and_not_what_a_browser_says_of_itself() {
        let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        "Linux, 16 cores; NVIDIA H200".clone_into(&mut run.engine.host);
        assert_eq!(versions(&run), "on NVIDIA H200");
        Device::Browser.as_str().clone_into(&mut run.engine.device);
        "Mozilla/5.0 (X11; Linux x86_64)".clone_into(&mut run.engine.host);
        assert_eq!(versions(&run), "");
    }

    #[test]
    fn a_machine_is_the_same_whether_its_first_row_is_on_a_gpu_or_not() {
        let on = |host: &str| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            host.clone_into(&mut run.engine.host);
            machine(&[row(Measured::Ran(vec![run]))]).host
        };
        assert_eq!(on("Linux, 16 cores; NVIDIA H200"), "Linux, 16 cores");
        assert_eq!(on("Linux, 16 cores"), "Linux, 16 cores");
    }

    #[test]
    fn rows_of_other_settings_are_told_apart() {
        let spec = |assignment: &str| {
            let given = ["recommender={kind=\"mlp\"}", assignment].map(str::to_owned);
            ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &given).expect("a spec")
        };
        let of = |assignment: &str| setting_differences(&spec("seed=1"), &spec(assignment)).collect::<Vec<_>>();
        assert!(of("seed=1").is_empty() && of("engine=pytorch").is_empty());
        assert_eq!(of("training.learning_rate=0.1"), ["settings of the training"]);
        assert_eq!(of("training.optimizer=sgd"), ["settings of the training"]);
        assert_eq!(of("recommender.hidden=[8]"), ["the network"]);
    }

    #[test]
    fn a_row_that_multiplies_in_another_precision_says_in_which() {
        let of = |precision| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.precision = precision;
            row(Measured::Ran(vec![run]))
        };
        let [f32, tf32] = [MatrixPrecision::F32, MatrixPrecision::Tf32].map(|precision| of(Some(precision)));
        let unknown = of(None);
        let told = |first, other| differences(&[first, other], other);
        assert_eq!(told(&f32, &tf32), ["precision (it multiplies in TF32)"]);
        assert_eq!(told(&tf32, &f32), ["precision (it multiplies in f32)"]);
        assert_eq!(told(&f32, &unknown), ["precision (it does not say in what it multiplies)"]);
        assert_eq!(told(&unknown, &tf32), ["precision (it multiplies in TF32)"]);
        for alike in [&f32, &tf32, &unknown] {
            assert!(told(alike, alike).is_empty());
        }
    }

    #[test]
    fn a_row_whose_engine_read_other_first_weights_or_orders_than_the_first_says_so() {
        let of = |begun: Option<(&str, &str)>| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            let training = r#"{"epochs":3,"steps":96,"final_loss":0.1,"stopped_early":false,"parameters":7}"#;
            let mut training: TrainingInfo = serde_json::from_str(training).expect("a training of before it was told");
            training.begun =
                begun.map(|(weights, orders)| Begun { weights: weights.to_owned(), orders: orders.to_owned() });
            run.training = Some(training);
            row(Measured::Ran(vec![run]))
        };
        let told = |first: &Row, other: &Row| differences(&[first, other], other);
        let [first, silent] = [of(Some(("0a", "0b"))), of(None)];
        assert!(told(&first, &first).is_empty() && told(&silent, &silent).is_empty());
        assert_eq!(told(&first, &of(Some(("1a", "0b")))), ["the first weights"]);
        assert_eq!(told(&first, &of(Some(("0a", "1b")))), ["the order of the rows"]);
        assert_eq!(told(&first, &of(Some(("1a", "1b")))), ["the first weights", "the order of the rows"]);
        for (one, two, words) in [(&first, &silent, "it does not say"), (&silent, &first, "unlike the first row")] {
            let told = told(one, two);
            assert!(told.len() == 1 && told[0].contains(words), "{told:?}");
        }
        let other = of(Some(("1a", "1b")));
        assert!(method_differences(&[&first, &other], &other).is_empty(), "another method begins with others");
    }

    #[test]
    fn a_row_of_other_threads_libraries_or_builds_says_so_also_where_it_is_another_method() {
        let of = |threads: u32, torch: &str, other_build: Option<&str>| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.threads = threads;
            run.engine.versions = [("torch".to_owned(), torch.to_owned())].into();
            Row { other_build: other_build.map(str::to_owned), ..row(Measured::Ran(vec![run])) }
        };
        let (first, mut other) = (of(1, "2.9.0", None), of(2, "2.11.0", Some("the build of its worker")));
        let given = ["recommender={kind=\"mlp\"}", "training.learning_rate=0.1"].map(str::to_owned);
        other.spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &given).expect("a spec");
        let rows = [&first, &other];
        let told = ["threads", "the version of LibTorch (“PyVelox” has torch 2.9.0)", "the build of its worker"]
            .map(str::to_owned);
        assert_eq!(method_differences(&rows, &other), told);
        let of_one_network = differences(&rows, &other);
        assert!(told.iter().all(|what| of_one_network.contains(what)), "{of_one_network:?}");
        assert!(of_one_network.contains(&"settings of the training".to_owned()), "{of_one_network:?}");
        assert!(method_differences(&[&first, &first], &first).is_empty());
        let never = row(Measured::Failed { cause: "it fell".to_owned(), finished: 0 });
        assert!(method_differences(&[&never, &first, &other], &never).is_empty());
        assert_eq!(method_differences(&[&never, &first, &other], &other), told, "the first that ran is what counts");
    }

    #[test]
    fn a_report_names_the_library_of_its_first_row() {
        let of = |versions: &[(&str, &str)]| -> Versions {
            versions.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect()
        };
        let all = [of(&[("recspeed", "0.1.0+abc")]), of(&[("recspeed", "0.1.0+def"), ("torch", "2")])];
        assert_eq!(first_versions(all.iter()), of(&[("recspeed", "0.1.0+abc"), ("torch", "2")]));
    }

    #[test]
    fn a_note_tells_versions_and_differences() {
        assert_eq!(note(String::new(), &[]), "");
        let differs = ["the seed", "threads"].map(str::to_owned);
        assert_eq!(note("torch 2".into(), &differs), "torch 2; differs in the seed, threads");
    }

    #[test]
    fn a_row_says_on_which_gpu_it_computed() {
        let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
        run.engine.versions =
            [("burn", "1"), ("python", "3")].map(|(name, version)| (name.to_owned(), version.to_owned())).into();
        assert_eq!(versions(&run), "burn 1");
        run.engine.host = "linux, 2 cores; llvmpipe, in software".to_owned();
        assert_eq!(versions(&run), "burn 1, on llvmpipe, in software");
    }

    #[test]
    fn another_version_of_a_library_stands_beside_both_rows_whatever_it_is_called_there() {
        let of = |name: &str, versions: &[(&str, &str)]| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.versions =
                versions.iter().map(|(name, version)| ((*name).to_owned(), (*version).to_owned())).collect();
            Row { name: name.to_owned(), ..row(Measured::Ran(vec![run])) }
        };
        let burn = of("Burn", &[("burn", "0.22.1"), ("recspeed", "0.1.0")]);
        let libtorch = of("LibTorch", &[("burn", "0.22.1"), ("libtorch", "2.11.0+cu130"), ("recspeed", "0.0.9")]);
        let pytorch = of("PyTorch", &[("torch", "2.9.0+cu128")]);
        let other = of("PyVelox", &[("torch", "2.9.0+cpu")]);
        let rows = [&burn, &libtorch, &pytorch, &other];
        let told = |row| version_differences(&rows, row);
        assert_eq!(told(&burn), ["the version of recspeed (“LibTorch” has recspeed 0.0.9)"]);
        assert_eq!(
            told(&libtorch),
            [
                "the version of LibTorch (“PyTorch” has torch 2.9.0+cu128)",
                "the version of recspeed (“Burn” has recspeed 0.1.0)"
            ]
        );
        assert_eq!(told(&pytorch), ["the version of LibTorch (“LibTorch” has libtorch 2.11.0+cu130)"]);
        assert!(version_differences(&[&pytorch, &other], &other).is_empty(), "built for another device");
    }

    #[test]
    fn a_row_whose_runs_had_several_versions_of_a_library_says_so() {
        let run = |version: &str| {
            let mut run: RunSummary = serde_json::from_str(RUN).expect("a summary");
            run.engine.versions = [("libtorch".to_owned(), version.to_owned())].into();
            run
        };
        let of = |versions: &[&str]| row(Measured::Ran(versions.iter().map(|version| run(version)).collect()));
        let told = |row: &Row| differences(&[row], row);
        assert!(told(&of(&["2.9.0", "2.9.0", "2.9.0"])).is_empty());
        let went_on = of(&["2.9.0", "2.9.0", "2.11.0"]);
        assert_eq!(told(&went_on), ["the version of LibTorch among its own runs (2.9.0 and 2.11.0)"]);
    }
}
