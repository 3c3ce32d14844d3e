//! `recspeed study` against workers that are shell scripts: what is measured, kept and shown.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use recspeed_types::study::{StudyCell, StudyReport, Whose};

/// A worker whose runs take half a second and find an error of 0.25.
const WORKER: &str = r#"#!/bin/sh
run=none
while [ $# -gt 0 ]; do case "$1" in --run) run=$2; shift;; esac; shift; done
cat > /dev/null
printf '{"run":"%s","seq":0,"at_us":0,"kind":"finished","summary":{"run":"%s","status":"finished","metrics":{"nrmse":0.25},
"timing":{"load_s":0.1,"fit_s":0.5,"evaluate_s":0.3},
"memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":1048576},
"engine":{"kind":"burn","device":"flex","versions":{"burn":"0"},"host":"a test","threads":1},
"data":{"name":"tiny","users":4,"items":4,"train":5,"validation":0,"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
"evaluation":{"candidates":"none","candidate_items":4,"test_users":4,"evaluated_users":4,"sampled_users":false,"cold_users":0,
"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars"},"seed":42}}' "$run" "$run" | tr -d '\n'; echo
"#;

struct Bench(tempfile::TempDir);

impl Bench {
    fn new(worker: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        fs::write(bench.path("worker"), worker).unwrap();
        fs::set_permissions(bench.path("worker"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn study(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.arg("study").args(arguments).arg("--worker").arg(self.path("worker")).current_dir(self.0.path());
        command.env("RECSPEED_HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }
}

fn report(path: &Path) -> StudyReport {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_study_is_printed_written_kept_and_put_into_a_document() {
    let bench = Bench::new(WORKER);
    let output = bench.study(&["four-layer", "--repeats", "3", "--out", "out.json", "--document", "studies.md"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("Four-layer network") && text.contains("500.0 ms"), "{text}");
    let kept = report(&bench.path("home/studies/four-layer.json"));
    assert_eq!(kept, report(&bench.path("out.json")));
    assert_eq!(kept.tables.iter().map(|table| table.whose).collect::<Vec<_>>(), [Whose::Measured, Whose::Paper]);
    let rows = &kept.tables[0].rows;
    assert_eq!(rows[0].cells[0].value(), Some(0.5));
    // No other device and no engine is here, and each row says what brings it.
    let install = |row: usize| match &rows[row].cells[0] {
        StudyCell::Missing(missing) => missing.install.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(install(1), "make worker-libtorch");
    assert_eq!([2, 3].map(install), ["make studies-tab"; 2]);
    assert_eq!(
        [4, 5, 6].map(install),
        ["pytorch", "tensorflow", "pyvelox"].map(|name| format!("recspeed engines install {name}"))
    );
    let document = fs::read_to_string(bench.path("studies.md")).unwrap();
    assert!(document.contains("<!-- study four-layer -->") && document.contains("500.0 ms to 500.0 ms"), "{document}");
}

#[test]
fn a_worker_that_dies_is_a_row_of_a_report_that_is_not_kept_where_it_measured_nothing() {
    let bench = Bench::new("#!/bin/sh\ncat > /dev/null\nexit 7\n");
    let output = bench.study(&["four-layer", "--engines", "burn", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!bench.path("home/studies/four-layer.json").exists());
    let report: StudyReport = serde_json::from_slice(&output.stdout).unwrap();
    assert!(matches!(&report.tables[0].rows[0].cells[0], StudyCell::Failed { cause } if cause.contains("status 7")));
}

#[test]
fn a_wrong_engine_or_setting_is_told_before_anything_runs() {
    let bench = Bench::new("#!/bin/sh\ntouch ran\n");
    for arguments in [
        ["four-layer", "--engines", "pytorhc"],
        ["four-layer", "--set", "training.epohcs=3"],
        ["methods", "--set", "training.epohcs=3"],
        ["retrieval", "--containers", "torhc"],
        ["mixed", "--set", "strategy.kind=zero"],
    ] {
        let output = bench.study(&arguments);
        assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
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
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        let report: StudyReport = serde_json::from_slice(&output.stdout).unwrap();
        let rows = &report.tables[0].rows;
        assert!(matches!(&rows[0].cells[0], StudyCell::Failed { cause } if cause.contains(why)), "{rows:?}");
        assert!(matches!(&rows[1].cells[0], StudyCell::Missing(missing) if missing.install.contains("pytorch")));
        assert!(!bench.path("home/studies/retrieval.json").exists(), "there is nothing to show");
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
