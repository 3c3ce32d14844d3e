//! What is measured, kept and shown.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use recspeed_types::study::{StudyCell, Unit, Whose};

use crate::bench::{Bench, PATIENCE, read, said, told, worker, written};
use crate::stopped::counts;

/// A worker whose runs take half a second.
fn half_a_second() -> String {
    worker("", "nrmse", "0.5")
}

#[test]
fn a_study_is_printed_written_kept_and_put_into_a_document() {
    let bench = Bench::new(&half_a_second());
    let output = bench.study(&["four-layer", "--repeats", "3", "--out", "out.json", "--document", "studies.md"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Four-layer network") && text.contains("500.0 ms"), "{text}");
    let kept = read(&bench.path("home/studies/four-layer.json"));
    assert_eq!(kept, read(&bench.path("out.json")));
    assert_eq!(kept.tables.iter().map(|table| table.whose).collect::<Vec<_>>(), [Whose::Measured, Whose::Paper]);
    let rows = &kept.tables[0].rows;
    assert_eq!(rows[0].cells[0].value(), Some(0.5));
    // No other device and no engine is here, and each row says what brings it.
    let install = |row: usize| match &rows[row].cells[0] {
        StudyCell::Missing(missing) => missing.install.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(install(1), "recspeed engines install libtorch && make worker-libtorch");
    assert_eq!(install(3), "make worker-vulkan");
    assert_eq!([5, 6].map(install), ["make studies-tab"; 2]);
    assert_eq!(
        [7, 9, 10].map(install),
        ["pytorch", "tensorflow", "pyvelox"].map(|name| format!("recspeed engines install {name}"))
    );
    // What computes on a GPU alone says the same in every row.
    for row in [2, 4, 8, 11] {
        let says = rows[row].cells[0].show(Unit::Words);
        let Some(why) = recspeed_engines::gpu().absence() else { continue };
        assert_eq!(says, format!("{} here", why.words()), "{}", rows[row].name);
    }
    // What others took meanwhile stands beside the machine.
    let load = kept.machine.load.expect("Linux tells");
    assert!(text.contains(&format!("others took {} %", (load.others * 100.0).round())), "{text}");
    let document = fs::read_to_string(bench.path("studies.md")).unwrap();
    assert!(document.contains("<!-- study four-layer -->") && document.contains("500.0 ms to 500.0 ms"), "{document}");
}

#[test]
fn rows_measured_alone_stand_among_the_last_reports_unless_they_are_of_something_else() {
    let bench = Bench::new(&half_a_second());
    let kept = || read(&bench.path("home/studies/four-layer.json"));
    let study = |arguments: &[&str]| {
        let output = bench.study(arguments);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    study(&["four-layer", "--repeats", "1"]);
    let first = kept();
    bench.put_program("worker", &worker("", "nrmse", "0.25"));
    let said = study(&["four-layer", "--repeats", "1", "--engines", "burn"]);
    assert!(said.contains("now stands among the rows of the last report"), "{said}");
    let second = kept();
    assert_eq!(second.tables[0].rows.len(), first.tables[0].rows.len());
    assert_eq!(second.tables[0].rows[1..], first.tables[0].rows[1..]);
    let row = &second.tables[0].rows[0];
    assert_eq!(row.cells[0].value(), Some(0.25));
    // No other row has a number: what the head says is now of this one.
    assert!(!row.note.contains("measured") && second.command.ends_with("--engines burn"), "{}", row.note);
    assert!(second.measured_ms > first.measured_ms && second.machine.programs != first.machine.programs);
    let said = study(&["four-layer", "--repeats", "1", "--engines", "burn", "--set", "training.epochs=5"]);
    assert!(said.contains("of other data, sizes or settings") && said.contains("four-layer.part.json"), "{said}");
    assert_eq!(kept(), second);
    assert_eq!(read(&bench.path("home/studies/four-layer.part.json")).tables[0].rows.len(), 1);
}

#[test]
fn a_report_names_the_build_that_the_program_names_itself() {
    let bench = Bench::new(&half_a_second());
    let report = told(&bench.study(&["four-layer", "--engines", "burn", "--repeats", "1", "--json"]));
    let output = Command::new(env!("CARGO_BIN_EXE_recspeed")).arg("--version").output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap();
    assert_eq!(version.trim(), format!("recspeed {}", report.machine.build));
    assert!(report.machine.built().is_some_and(|words| words.starts_with("The lab was built from ")), "{version}");
}

#[test]
fn a_worker_that_dies_is_a_row_of_a_report_that_is_not_kept_where_it_measured_nothing() {
    let bench = Bench::new("#!/bin/sh\ncat > /dev/null\nexit 7\n");
    let output = bench.study(&["four-layer", "--engines", "burn", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(!bench.path("home/studies/four-layer.json").exists());
    let report = told(&output);
    assert!(matches!(&report.tables[0].rows[0].cells[0], StudyCell::Failed { cause } if cause.contains("status 7")));
}

#[test]
fn an_engine_that_another_version_installed_and_that_does_not_do_for_this_one_is_a_row_that_says_so() {
    let bench = Bench::new(&half_a_second());
    let folder = "home/engines/pytorch";
    fs::create_dir_all(bench.path(folder)).unwrap();
    // It lacks what this version's package imports.
    let python = format!("{folder}/python");
    bench.put_program(&python, "#!/bin/sh\necho 'no module named numpy' >&2\nexit 1\n");
    let record = serde_json::json!({
        "python": bench.path(&python), "own": false, "requirements": "", "package": "older", "versions": {}, "bytes": 0
    });
    fs::write(bench.path(folder).join("record.json"), record.to_string()).unwrap();
    let output = bench.study(&["four-layer", "--engines", "burn,pytorch", "--repeats", "1", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report = told(&output);
    let StudyCell::Missing(missing) = &report.tables[0].rows[1].cells[0] else { panic!("{:?}", report.tables[0]) };
    assert_eq!(
        (missing.show(), missing.install.as_str()),
        ("installed by another version", "recspeed engines install pytorch")
    );
}

#[test]
fn a_wrong_engine_or_setting_is_told_before_anything_runs() {
    let bench = Bench::new("#!/bin/sh\ntouch ran\n");
    for arguments in [
        ["four-layer", "--engines", "pytorhc"],
        ["pipeline-vs-sharded", "--engines", "tensorflow"],
        ["four-layer", "--set", "training.epohcs=3"],
        ["methods", "--set", "training.epohcs=3"],
        ["retrieval", "--containers", "torhc"],
        ["mixed", "--set", "strategy.kind=zero"],
        ["mixed", "--set", "engine.device=cuda"],
        ["four-layer", "--set", "engine.kind=pytorch"],
        ["methods", "--set", "recommender=3"],
        ["methods", "--set", "dataset.sample=1000"],
    ] {
        let output = bench.study(&arguments);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    }
    assert!(!bench.path("ran").exists() && !bench.path("home").exists());
}

#[test]
fn a_container_whose_process_crashes_or_reads_other_numbers_is_a_row() {
    let crashes = Bench::new("#!/bin/sh\necho 'no room left' >&2\nexit 9\n");
    let lies = Bench::new(
        r#"#!/bin/sh
echo '{"container":"plain","versions":{},"rows":100,"objects":4,"header_bytes":24,"buffer_bytes":2000,"resident_bytes":0,
"build_s":[1],"back_s":[1],"single_rows":100,"single_s":[1],"batch_rows":100,"batch_s":[1],"copy_s":[1],"single_sum":1,"batch_sum":1}'
"#,
    );
    for (bench, why) in [(crashes, "no room left"), (lies, "other numbers")] {
        let output = bench.study(&["retrieval", "--rows", "100", "--containers", "plain,torch", "--json"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let report = told(&output);
        let rows = &report.tables[0].rows;
        assert!(matches!(&rows[0].cells[0], StudyCell::Failed { cause } if cause.contains(why)), "{rows:?}");
        assert!(matches!(&rows[1].cells[0], StudyCell::Missing(missing) if missing.install.contains("pytorch")));
        assert!(!bench.path("home/studies/retrieval.json").exists(), "there is nothing to show");
    }
}

fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_study_whose_server_is_killed_ends_and_so_does_its_worker() {
    let bench = Bench::new("#!/bin/sh\necho $$ > worker-pid\nexec sleep 600\n");
    // A stand-in for the server: it starts the study and waits for it.
    let script = r#""$0" study four-layer --engines burn --worker worker --parent $$ & echo $! > study-pid; wait"#;
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_recspeed")]).current_dir(bench.folder());
    command.env("RECSPEED_HOME", bench.path("home")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut server = command.spawn().unwrap();
    let (study, worker) = (written(&bench.path("study-pid")), written(&bench.path("worker-pid")));
    thread::sleep(Duration::from_millis(500));
    assert!(is_alive(study) && is_alive(worker), "they go on while the server does");
    server.kill().unwrap();
    server.wait().unwrap();
    let begun = Instant::now();
    while is_alive(study) || is_alive(worker) {
        assert!(begun.elapsed() < PATIENCE, "study: {}, worker: {}", is_alive(study), is_alive(worker));
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn every_study_of_the_catalogue_is_a_command() {
    let output = Command::new(env!("CARGO_BIN_EXE_recspeed")).args(["study", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for study in recspeed_types::study::STUDIES {
        assert!(help.lines().any(|line| line.trim_start().starts_with(study.name)), "{}: {help}", study.name);
    }
}

#[test]
fn a_place_that_cannot_be_written_is_told_by_the_name_that_the_user_knows() {
    let bench = Bench::new(&half_a_second());
    let output = bench.study(&["four-layer", "--engines", "burn", "--document", "no/such.md"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let output = bench.study(&["four-layer", "--engines", "burn", "--out", "no/such.json"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let told = said(&output);
    assert!(told.starts_with("recspeed: cannot write no/such.json: No such file or directory"), "{told}");
    assert!(!told.contains(".tmp") && told.trim_end().ends_with("give --out another file"), "{told}");
    let temporary = bench.path("no temporary files");
    let mut study = bench.command(&["retrieval", "--rows", "10", "--containers", "plain"]);
    let output = study.env("TMPDIR", &temporary).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let told = said(&output);
    let due =
        format!("cannot write the rows that are read below {}, the folder of temporary files", temporary.display());
    assert!(told.contains(&due) && told.contains("TMPDIR"), "{told}");
    assert!(!told.replace(&temporary.display().to_string(), "").contains(".tmp"), "{told}");
}

#[test]
fn a_small_run_leaves_the_pages_report_as_it_is_and_says_so_unless_it_is_asked_for_there() {
    let bench = Bench::new(&half_a_second());
    let kept = || read(&bench.path("home/studies/four-layer.json"));
    let study = |arguments: &[&str]| {
        let output = bench.study(arguments);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    study(&["four-layer"]);
    let whole = kept();
    for small in [
        &["four-layer", "--repeats", "1"][..],
        &["four-layer", "--set", "dataset.sample=100"],
        &["four-layer", "--engines", "burn", "--repeats", "1"],
    ] {
        let said = study(small);
        assert!(said.contains("the page goes on showing it") && said.contains("measure with --publish"), "{said}");
        assert_eq!(kept(), whole, "{small:?}");
    }
    let said = study(&["four-layer", "--repeats", "1", "--publish"]);
    assert!(kept().command.ends_with("--repeats 1"), "{}", kept().command);
    let earlier = said.split("and is kept as ").nth(1).unwrap().split_once(".json.").unwrap().0;
    assert_eq!(read(Path::new(&format!("{earlier}.json"))), whole);
    let said = study(&["four-layer"]);
    assert!(kept().command.ends_with("--repeats 5") && !said.contains("is kept as"), "{said}");
    // The button on the page: a server starts the study, and shows what comes.
    let script = r#""$0" study four-layer --repeats 1 --json --worker worker --parent $$; exit $?"#;
    let mut server = Command::new("sh");
    server.args(["-c", script, env!("CARGO_BIN_EXE_recspeed")]).current_dir(bench.folder());
    assert!(server.env("RECSPEED_HOME", bench.path("home")).output().unwrap().status.success());
    assert!(kept().command.ends_with("--repeats 1"), "{}", kept().command);
}

#[test]
fn a_report_that_cannot_be_printed_is_told_by_the_file_that_it_stands_in() {
    let bench = Bench::new(&half_a_second());
    let page = bench.path("home/studies/four-layer.json");
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    let full = fs::File::options().write(true).open("/dev/full").map(Stdio::from);
    for out in std::iter::once(Stdio::from(gone)).chain(full) {
        let mut study = bench.command(&["four-layer", "--engines", "burn", "--repeats", "1", "--json"]);
        let output = study.stdout(out).output().unwrap();
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1), "{said}");
        let due = format!("; it stands in {}", page.display());
        assert!(said.contains("recspeed: the report was not printed to its end (") && said.contains(&due), "{said}");
        assert_eq!(read(&page).tables[0].rows[0].cells[0].value(), Some(0.5));
        let left = fs::read_dir(bench.path("home/studies")).unwrap().flatten().map(|file| file.file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["four-layer.json"], "nothing waits for a study that is whole");
    }
}

#[test]
fn a_file_that_cannot_be_written_costs_neither_the_printed_report_nor_what_was_measured() {
    if !Path::new("/dev/full").exists() {
        eprintln!("skipped: this system has no /dev/full");
        return;
    }
    let bench = Bench::new(&worker("echo x >> ran", "nrmse", "0.5"));
    let study = |out: &str| {
        bench.study(&[
            "four-layer",
            "--engines",
            "burn",
            "--repeats",
            "2",
            "--json",
            "--document",
            "d.md",
            "--out",
            out,
        ])
    };
    let first = study("/dev/full");
    assert_eq!(first.status.code(), Some(1), "{}", said(&first));
    assert!(said(&first).contains("cannot write /dev/full: "), "{}", said(&first));
    assert!(said(&first).contains("makes its report without measuring again"), "{}", said(&first));
    assert!(fs::read_to_string(bench.path("d.md")).unwrap().contains("500.0 ms"), "the other file is written");
    let again = study("out.json");
    assert!(again.status.success(), "{}", said(&again));
    assert_eq!(told(&again), read(&bench.path("out.json")));
    assert_eq!(told(&again).tables, told(&first).tables, "the first one was printed");
    assert_eq!(fs::read_to_string(bench.path("ran")).unwrap().lines().count(), 2, "nothing was measured again");
}

#[test]
fn a_row_that_was_measured_by_itself_says_when_and_by_which_build() {
    let bench = Bench::new(&counts());
    let study = |containers: &str| {
        let output = bench.study(&["retrieval", "--rows", "10", "--containers", containers]);
        assert!(output.status.success(), "{}", said(&output));
        read(&bench.path("home/studies/retrieval.json"))
    };
    let first = study("plain,arrow");
    bench.put_program("worker", &format!("{}# another build\n", counts()));
    let second = study("plain");
    assert_eq!(second.tables[0].rows[1], first.tables[0].rows[1]);
    assert_eq!((second.measured_ms, &second.command), (first.measured_ms, &first.command), "the head is of the others");
    let row = &second.tables[0].rows[0];
    assert_eq!(row.cells[0].value(), Some(3.0));
    assert!(row.note.contains("measured by itself on 20") && row.note.contains("by another build"), "{}", row.note);
}
