//! Parts of a study: what a command leaves out, and what becomes of reports that are kept at once.

use std::fs;

use nix::sys::signal::Signal;
use recspeed_types::study::{StudyCell, StudyReport, remedies};

use crate::bench::{Bench, read, said, told, worker};
use crate::stopped::counts;

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
        assert_eq!(
            (seconds(&report, "Burn"), seconds(&report, "PyTorch, eager")),
            (Some(0.5), Some(0.5)),
            "{report:?}"
        );
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
    assert_eq!((rows.len(), rows[0].cells[0].value()), (16, Some(0.5)), "ten of ours and six of DeepSpeed's");
    // What is missing is a row as in a study of all engines: a worker with MPI, an engine.
    let with_mpi =
        "cargo build --release --workspace --bin recspeed --bin recspeed-worker --features recspeed-worker/mpi";
    let over_mpi: Vec<_> = rows.iter().filter(|row| row.name.contains("MPI")).collect();
    assert_eq!(over_mpi.len(), 2, "a pipeline and ZeRO 1");
    for row in over_mpi {
        let StudyCell::Missing(missing) = &row.cells[0] else { panic!("{row:?}") };
        assert_eq!((missing.show(), missing.install.as_str()), ("no worker with MPI here", with_mpi));
    }
    let of_deepspeed: Vec<_> = rows.iter().filter(|row| row.name.contains("DeepSpeed")).collect();
    assert_eq!(of_deepspeed.len(), 6);
    for row in of_deepspeed {
        let StudyCell::Missing(missing) = &row.cells[0] else { panic!("{row:?}") };
        assert_eq!((missing.show(), missing.install.as_str()), ("not installed", "recspeed engines install deepspeed"));
    }
    // The page names what no command has asked for so far.
    let page = || read(&bench.path("home/studies/pipeline-vs-sharded.json"));
    let rest = "recspeed study pipeline-vs-sharded --repeats 1 --engines";
    // What no command can measure is named by none.
    let on_gpu = recspeed_engines::gpu().absence().is_none();
    let devices = if on_gpu { ",burn@libtorch-cuda,burn@cuda,pytorch@cuda,torchgpipe@cuda" } else { "" };
    let due = format!("{rest} pytorch,torchgpipe{devices}");
    assert_eq!(commands(&page()), [due.as_str(), with_mpi, "recspeed engines install deepspeed"]);
    let output = study(&["--engines", "pytorch,torchgpipe"]);
    assert!(output.status.success(), "{}", said(&output));
    let engines = "recspeed engines install pytorch torchgpipe deepspeed";
    let on_gpu = on_gpu.then_some("recspeed study pipeline-vs-sharded --repeats 1 --on gpu");
    assert_eq!(commands(&page()), [engines, with_mpi].into_iter().chain(on_gpu).collect::<Vec<_>>());
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

/// Seconds of a container in the table whose title begins so; nothing where the table or the number is not there.
fn of_table(report: &StudyReport, title: &str, row: &str) -> Option<f64> {
    let table = report.tables.iter().find(|table| table.title.starts_with(title))?;
    table.rows.iter().find(|other| other.name == row)?.cells[0].value()
}

const PLAIN: &str = "Plain columns (Rust vectors)";
const ARROW: &str = "Arrow arrays (Rust)";

#[test]
fn containers_and_sizes_that_a_part_leaves_out_are_named_on_the_page_in_the_terminal_and_in_the_document() {
    let bench = Bench::new(&counts());
    let study = |rows: &str, containers: &str| {
        let arguments = ["retrieval", "--repeats", "1", "--rows", rows, "--containers", containers];
        let files = ["--document", "studies.md", "--out", "out.json"];
        let output = bench.study(&[&arguments[..], &files].concat());
        assert!(output.status.success(), "{}", said(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let page = || read(&bench.path("home/studies/retrieval.json"));
    let others = "burn,torch,torch-matrix,tensorflow,tensorflow-matrix,pyvelox,pyvelox-list,pyarrow,numpy";
    let command = "recspeed study retrieval";
    let text = study("10000", "plain");
    let due = [
        format!("{command} --rows 10000 --containers arrow,{others} --repeats 1"),
        format!("{command} --rows 100000 --repeats 1"),
        "make studies-tab".to_owned(),
    ];
    let mut named = commands(&page());
    named.sort_by_key(|named| due.iter().position(|due| due == named));
    assert_eq!(named, due);
    let document = fs::read_to_string(bench.path("studies.md")).unwrap();
    for words in ["not measured yet", due[0].as_str(), due[1].as_str(), "Measured here: 100,000 rows"] {
        assert!(text.contains(words) && document.contains(words), "{words} in {text} and in {document}");
    }
    let own = read(&bench.path("out.json"));
    assert_eq!(own.tables[0].rows.len(), 1, "a program reads what was measured");
    assert!(own.tables.iter().all(|table| !table.title.contains("100,000")), "{own:?}");

    // Of the other size, of the same data: the rows of both stand in one report, and what each of them holds.
    study("100000", "plain,arrow");
    let (ten, hundred) = ("Measured here: 10,000 rows", "Measured here: 100,000 rows");
    let has = |title: &str, row: &str| of_table(&page(), title, row).is_some();
    assert!(has(ten, PLAIN) && !has(ten, ARROW) && has(hundred, PLAIN) && has(hundred, ARROW), "{:?}", page());
    let holds = "What the containers of";
    assert!(has(&format!("{holds} 10,000 rows"), PLAIN) && has(&format!("{holds} 100,000 rows"), ARROW));
    assert!(commands(&page()).contains(&format!("{command} --rows 100000 --containers {others} --repeats 1")));

    // The same is due of both: one command.
    study("10000", "arrow");
    let mut named = commands(&page());
    named.sort();
    assert_eq!(named, ["make studies-tab".to_owned(), format!("{command} --containers {others} --repeats 1")]);
}

#[test]
fn a_section_of_what_was_measured_alone_names_nothing_else() {
    let bench = Bench::new(&counts());
    let section = ["--document", "studies.md", "--section", "plain alone"];
    let output = bench.study(&[&["retrieval", "--containers", "plain", "--repeats", "1"][..], &section].concat());
    assert!(output.status.success(), "{}", said(&output));
    let document = fs::read_to_string(bench.path("studies.md")).unwrap();
    assert!(document.contains(PLAIN) && !document.contains("not measured yet"), "{document}");
}

#[test]
fn a_part_that_goes_on_leaves_no_row_that_says_it_was_stopped() {
    let bench = Bench::new(&counts());
    let study = ["retrieval", "--rows", "10000,100000", "--containers", "plain,arrow", "--json"];
    let page = || read(&bench.path("home/studies/retrieval.json"));
    let stopped = || {
        let is = |cell: &StudyCell| matches!(cell, StudyCell::Missing(missing) if missing.why.contains("stopped"));
        page().tables.iter().flat_map(|table| &table.rows).filter(|row| is(&row.cells[0])).count()
    };
    let output = bench.stopped(1, Signal::SIGTERM, &study);
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let holds = "What the containers of 10,000 rows";
    assert!(stopped() > 0 && of_table(&page(), holds, PLAIN).is_some(), "{:?}", page());
    let output = bench.study(&study);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(stopped(), 0, "{:?}", page());
    assert!(page().partial.is_none() && page().tables.iter().all(|table| !table.title.starts_with(holds)));
    assert!(of_table(&page(), "Measured here: 100,000 rows", ARROW).is_some());
}

#[test]
fn a_part_that_is_measured_by_another_lab_loses_no_row_of_the_file_and_the_section_that_it_names() {
    let bench = Bench::new(&counts());
    let study = |home: &str, containers: &str, more: &[&str]| {
        let part = ["retrieval", "--rows", "10", "--containers", containers, "--home", home];
        bench.study(&[&part[..], &["--document", "studies.md"], more].concat())
    };
    let document = || fs::read_to_string(bench.path("studies.md")).unwrap();
    let runs = || fs::read_to_string(bench.path("runs")).unwrap().lines().count();
    let out = ["--out", "out.json"];
    let output = study("one", "plain,arrow", &out);
    assert!(output.status.success(), "{}", said(&output));
    // Of another folder, whose page has nothing: the file has the report that the section is of.
    let output = study("two", "plain", &out);
    assert!(output.status.success(), "{}", said(&output));
    let title = "Measured here: 10 rows";
    let report = read(&bench.path("out.json"));
    let of = |row: &str| of_table(&report, title, row);
    assert_eq!((of(PLAIN), of(ARROW)), (Some(3.0), Some(2.0)));
    let note = "measured by itself on 20";
    assert!(
        report.tables[0].rows[0].note.contains(note) && !report.tables[0].rows[1].note.contains("measured"),
        "{report:?}"
    );
    let both = document();
    assert!(both.contains(note) && both.contains("| 2.00 s |"), "{both}");

    // Nobody knows the report of the section: that is said before anything is measured.
    let output = study("three", "plain", &[]);
    assert_eq!((output.status.code(), runs(), document()), (Some(1), 3, both), "{}", said(&output));
    assert!(said(&output).contains("keeps its section `retrieval`, which is of a report"), "{}", said(&output));
    assert!(said(&output).contains("--out") && said(&output).contains("--replace"), "{}", said(&output));
    let output = study("three", "plain", &["--replace"]);
    assert!(output.status.success() && !document().contains("Arrow arrays (Rust)"), "{}", said(&output));
}

#[test]
fn a_run_of_fewer_repeats_leaves_the_file_that_it_names_and_measures_nothing_again_to_write_over_it() {
    let bench = Bench::new(&worker("echo x >> ran", "rmse", "0.5"));
    let ran = || fs::read_to_string(bench.path("ran")).unwrap().lines().count();
    let out = || read(&bench.path("out.json"));
    let study = |more: &[&str]| bench.study(&[&["mixed", "--out", "out.json"][..], more].concat());
    assert!(study(&[]).status.success());
    let (whole, before) = (out(), ran());
    let output = study(&["--repeats", "1"]);
    assert_eq!((output.status.code(), out()), (Some(1), whole), "{}", said(&output));
    assert!(said(&output).contains("out.json keeps its report, which is of other settings or has more runs"));
    assert!(said(&output).contains("makes its report without measuring again"), "{}", said(&output));
    let after = ran();
    assert!(after > before);
    let output = study(&["--repeats", "1", "--replace"]);
    assert!(output.status.success() && out().command.ends_with("--repeats 1"), "{}", said(&output));
    assert_eq!(ran(), after, "nothing was measured again");
}

#[test]
fn a_file_that_holds_no_report_is_left_as_it_is_and_nothing_is_measured_for_it() {
    let bench = Bench::new(&counts());
    let notes = "my precious notes\n";
    fs::write(bench.path("notes.txt"), notes).unwrap();
    let part = ["retrieval", "--rows", "10", "--containers", "plain", "--out", "notes.txt"];
    let output = bench.study(&part);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("notes.txt holds no report that this version can read"), "{}", said(&output));
    assert_eq!(fs::read_to_string(bench.path("notes.txt")).unwrap(), notes);
    assert!(!bench.path("runs").exists() && !bench.path("home/studies").exists(), "nothing was measured");
    let output = bench.study(&[&part[..], &["--replace"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(of_table(&read(&bench.path("notes.txt")), "Measured here: 10 rows", PLAIN), Some(1.0));
}

#[test]
fn a_section_with_a_name_of_its_own_keeps_the_rows_of_its_command() {
    let bench = Bench::new(&counts());
    let study = |containers: &str, more: &[&str]| {
        let part = ["retrieval", "--rows", "10", "--containers", containers, "--document", "studies.md"];
        bench.study(&[&part[..], &["--section", "in the tab"], more].concat())
    };
    assert!(study("plain,arrow", &[]).status.success());
    assert!(study("plain,arrow", &[]).status.success(), "the same command measures it again");
    let both = fs::read_to_string(bench.path("studies.md")).unwrap();
    let runs = || fs::read_to_string(bench.path("runs")).unwrap().lines().count();
    let before = runs();
    let output = study("plain", &[]);
    assert_eq!((output.status.code(), runs()), (Some(1), before), "nothing is measured for it: {}", said(&output));
    let due = "keeps its section `retrieval: in the tab`, which is of another command; give --section another name";
    assert!(said(&output).contains(due), "{}", said(&output));
    assert_eq!(fs::read_to_string(bench.path("studies.md")).unwrap(), both);
    assert!(study("plain", &["--replace"]).status.success());
    assert!(!fs::read_to_string(bench.path("studies.md")).unwrap().contains("Arrow arrays (Rust)"));
}
