//! A bench for studies: a worker that is a shell script, and the lab's folder of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use recspeed_types::study::StudyReport;

/// A worker without any other device. It reads the spec, does `BEFORE`, and finds after `SECONDS` of training an error `METRIC` of 0.25.
const WORKER: &str = r#"#!/bin/sh
[ "$1" = probe ] && exit 1
run=none columns=
while [ $# -gt 0 ]; do case "$1" in --run) run=$2; shift;; --columns) columns=$2; shift;; esac; shift; done
cat > /dev/null
BEFORE
printf '{"run":"%s","seq":0,"at_us":0,"kind":"finished","summary":{"run":"%s","status":"finished","metrics":{"METRIC":0.25},
"timing":{"load_s":0.1,"fit_s":SECONDS,"evaluate_s":0.3},
"memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":1048576},
"engine":{"kind":"burn","device":"flex","versions":{"burn":"0"},"host":"a test","threads":1},
"data":{"name":"tiny","users":4,"items":4,"train":5,"validation":0,"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
"evaluation":{"candidates":"none","candidate_items":4,"test_users":4,"evaluated_users":4,"sampled_users":false,"cold_users":0,
"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars"},"seed":42}}' "$run" "$run" | tr -d '\n'; echo
"#;

/// How long anything may take that must come.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A worker whose every run ends well. `before` is shell, in which `run` and `columns` are what it was told; `seconds` stands between
/// single quotes.
pub(crate) fn worker(before: &str, metric: &str, seconds: &str) -> String {
    WORKER.replace("BEFORE", before).replace("METRIC", metric).replace("SECONDS", seconds)
}

/// A folder in which studies run.
pub(crate) struct Bench(tempfile::TempDir);

impl Bench {
    pub(crate) fn new(worker: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.put_program("worker", worker);
        bench
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// An installed PyTorch, as the lab records one.
    pub(crate) fn put_pytorch(&self) {
        self.put_engine("pytorch", ("torch", "2.9.0"));
    }

    /// An installed engine that is made of this package, as the lab records one.
    pub(crate) fn put_engine(&self, name: &str, (package, version): (&str, &str)) {
        let folder = self.path("home/engines").join(name);
        fs::create_dir_all(&folder).unwrap();
        let (python, versions) = (format!("{name}-python"), serde_json::json!({ package: version }));
        self.put_program(&python, &format!("#!/bin/sh\necho '{versions}'\n"));
        let record = serde_json::json!({
            "python": self.path(&python), "own": false, "requirements": "", "versions": versions, "bytes": 0
        });
        fs::write(folder.join("record.json"), record.to_string()).unwrap();
    }

    pub(crate) fn put_program(&self, name: &str, script: &str) {
        fs::write(self.path(name), script).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A study, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.arg("study").args(arguments).arg("--worker").arg(self.path("worker")).current_dir(self.folder());
        command.env("RECSPEED_HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// A study that nobody stops, however it ends.
    pub(crate) fn study(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn told(output: &Output) -> StudyReport {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

pub(crate) fn read(path: &Path) -> StudyReport {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Waits until a script has written its process into this file.
pub(crate) fn written(path: &Path) -> i32 {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().parse().unwrap();
        }
        assert!(begun.elapsed() < PATIENCE, "nothing in {}", path.display());
        thread::sleep(Duration::from_millis(10));
    }
}
