//! Parts of a study: what a command leaves out, and what becomes of reports that are kept at once.

use std::fs;

use recspeed_types::study::{StudyCell, StudyReport, remedies};

use crate::bench::{Bench, read, said, told, worker};

/// The seconds of a row of the page's report; nothing where it has none.
fn seconds(report: &StudyReport, row: &str) -> Option<f64> {
    let mut rows = report.tables.iter().flat_map(|table| &table.rows);
    rows.find(|other| other.name == row).and_then(|row| row.cells[0].value())
}

fn commands(report: &StudyReport) -> Vec<String> {
    remedies(report).into_iter().map(|remedy| remedy.command).collect()
}

#[test]
fn of_two_commands_that_end_at_the_same_moment_none_loses_its_rows() {
    // Each worker waits for the other one.
    let waits = r#"touch "here-$run"; n=0
while [ "$(ls here-* | wc -l)" -lt 2 ] && [ "$n" -lt 1000 ]; do sleep 0.01; n=$((n + 1)); done"#;
    let bench = Bench::new(&worker(waits, "nrmse", "0.5"));
    bench.put_pytorch();
    let page = bench.path("home/studies/four-layer.json");
    for _ in 0..3 {
        let _ = fs::remove_file(&page);
        for file in fs::read_dir(bench.folder()).unwrap().flatten() {
            if file.file_name().to_string_lossy().starts_with("here-") {
                fs::remove_file(file.path()).unwrap();
            }
        }
        let start = |engine| bench.command(&["four-layer", "--repeats", "1", "--engines", engine]).spawn().unwrap();
        for study in ["burn", "pytorch"].map(start) {
            let output = study.wait_with_output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
        }
        let report = read(&page);
        assert_eq!((seconds(&report, "Burn"), seconds(&report, "PyTorch")), (Some(0.5), Some(0.5)), "{report:?}");
        let left = fs::read_dir(bench.path("home/studies")).unwrap().flatten().map(|file| file.file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["four-layer.json"], "no lock is left behind");
    }
}

#[test]
fn engines_of_pipelines_and_sharding_are_named_as_those_of_the_four_layer_network() {
    let bench = Bench::new(&worker("", "rmse", "0.5"));
    let usual = ["pipeline-vs-sharded", "--repeats", "1", "--json"];
    let study = |arguments: &[&str]| bench.study(&[&usual[..], arguments].concat());
    let output = study(&["--engines", "deepspeed,burn,burn@flex"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("--engines names `burn@flex` again; it is measured once"), "{}", said(&output));
    let report = told(&output);
    assert!(report.command.ends_with(" --engines deepspeed,burn"), "{}", report.command);
    let rows = &report.tables[0].rows;
    assert_eq!((rows.len(), rows[0].cells[0].value()), (10, Some(0.5)), "seven of ours and three of DeepSpeed's");
    // An engine that is missing is a row as in a study of all engines.
    for row in &rows[7..] {
        let StudyCell::Missing(missing) = &row.cells[0] else { panic!("{row:?}") };
        assert_eq!((missing.show(), missing.install.as_str()), ("not installed", "recspeed engines install deepspeed"));
    }
    // The page names what no command has asked for so far.
    let page = || read(&bench.path("home/studies/pipeline-vs-sharded.json"));
    let rest = "recspeed study pipeline-vs-sharded --repeats 1 --engines";
    let on_gpu = "burn@libtorch-cuda,burn@cuda,pytorch@cuda";
    assert_eq!(
        commands(&page()),
        [format!("{rest} pytorch,torchgpipe,{on_gpu}"), "recspeed engines install deepspeed".to_owned()]
    );
    let output = study(&["--engines", "pytorch,torchgpipe"]);
    assert!(output.status.success(), "{}", said(&output));
    let engines = "recspeed engines install pytorch torchgpipe deepspeed";
    assert_eq!(commands(&page()), [engines, "recspeed study pipeline-vs-sharded --repeats 1 --on gpu"]);
    assert_eq!(seconds(&page(), "ZeRO 3, ours"), Some(0.5), "what was measured before stays");

    for (arguments, words) in [
        (&["--engines", "tensorflow"][..], "the study has no engine `tensorflow`; it knows burn@flex, pytorch@cpu"),
        (&["--engines", "burn", "--on", "gpu"][..], "cannot be used with"),
    ] {
        let output = study(arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
    }
}
