//! `recspeed engines` with a stand-in for Python: nothing is downloaded, the system's Python is not touched.

#[path = "../../engines/src/stand_in.rs"]
mod stand_in;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How long anything may take that must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A Python that makes environments of copies of itself. Its pip writes down what it was asked and does what `pip` says; its
/// engines answer `--check` with versions.
fn stand_in(folder: &Path, pip: &str, check: &str) -> PathBuf {
    let python = folder.join("stand-in");
    let log = folder.join("log");
    let answers = format!(
        r#"  *"pip download"*) echo "pip $*" >> {log} ;;
  *"pip install"*) echo "pip $*" >> {log}; {pip} ;;
  *--check*) {check} ;;
  *sysconfig*) echo {site} ;;
  *find_spec*) echo {site}/torch ;;
  *) echo "what? $*" >&2; exit 9 ;;"#,
        log = log.display(),
        site = folder.join("site").display()
    );
    stand_in::program(&python, &stand_in::python(&format!("echo made >> {}", log.display()), &answers));
    python
}

fn engines(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
    command.arg("engines").args(arguments).arg("--home").arg(home);
    command.output().expect("the command runs")
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object")
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const GOOD: &str = r#"echo '{"torch":"2.9.0+cpu","numpy":"2.4.6","python":"3.11.7"}'"#;

fn state(home: &Path, name: &str) -> String {
    let told = json(&engines(home, &["list", "--json"]));
    let engine = told["engines"].as_array().expect("a list").iter().find(|engine| engine["name"] == name);
    engine.expect("every engine is listed")["state"].as_str().expect("a word").to_owned()
}

#[test]
fn an_engine_is_installed_once_and_listed_with_its_versions() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    assert_eq!(state(&home, "pytorch"), "missing");
    let python = stand_in(folder.path(), "echo 'Downloading torch'", GOOD);
    let arguments = ["install", "pytorch", "--needs", "1", "--json", "--python", &python.display().to_string()];
    let told = json(&engines(&home, &arguments));
    assert_eq!(told["engines"][0]["record"]["versions"]["torch"], "2.9.0+cpu");
    assert_eq!(told["engines"][0]["differences"].as_array().map(Vec::len), Some(0));
    assert_eq!(state(&home, "pytorch"), "ready");
    json(&engines(&home, &arguments));
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert_eq!(log.lines().count(), 2, "installed twice: {log}");
    assert!(log.contains("--requirement"), "{log}");
    let checked = json(&engines(&home, &["check", "--json"]));
    assert_eq!(checked["engines"][0]["starts"], true);
}

#[test]
fn an_interrupted_installation_goes_on_with_what_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "echo 'connection lost' >&2; exit 1", GOOD);
    let python = python.display().to_string();
    let arguments = ["install", "pytorch", "--needs", "1", "--python", &python];
    let words = complaint(&engines(&home, &arguments));
    assert!(words.contains("could not be installed: connection lost") && words.contains("goes on"), "{words}");
    assert_eq!(state(&home, "pytorch"), "unfinished");
    let kept = home.join("engines/pytorch/downloads/torch.whl");
    fs::create_dir_all(kept.parent().expect("a folder")).expect("a folder");
    fs::write(&kept, "wheel").expect("a file");
    // The network is back; the environment that was made is the one that is gone on with.
    let environment = home.join("engines/pytorch/environment/bin/python");
    stand_in(folder.path(), &format!("test -f {} && echo reused", kept.display()), GOOD);
    fs::copy(folder.path().join("stand-in"), &environment).expect("a copy");
    assert!(engines(&home, &arguments).status.success());
    assert_eq!(state(&home, "pytorch"), "ready");
    assert!(!kept.exists(), "what was downloaded is not needed any more");
    let log = fs::read_to_string(folder.path().join("log")).expect("a log");
    assert_eq!(log.lines().filter(|line| *line == "made").count(), 1, "{log}");
}

#[test]
fn what_another_process_installs_is_listed_as_that_and_not_as_half_of_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    let engine = home.join("engines/pytorch");
    fs::create_dir_all(&engine).expect("a folder");
    // As an installation holds it.
    let lock = fs::File::create(engine.join("lock")).expect("a file");
    lock.lock().expect("nobody else");
    assert_eq!(state(home, "pytorch"), "busy");
    let checked = engines(home, &["check"]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && said.contains("is being installed by another process"), "{said}");
    drop(lock);
    assert_eq!(state(home, "pytorch"), "unfinished");
}

#[test]
fn a_disk_that_is_too_small_is_found_before_anything_is_downloaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "true", GOOD).display().to_string();
    let words = complaint(&engines(&home, &["install", "pytorch", "--needs", "999000000", "--python", &python]));
    assert!(words.contains("needs about 999000.0 GB") && words.contains("make room"), "{words}");
    assert!(!folder.path().join("log").exists(), "something was begun");
    assert_eq!(state(&home, "pytorch"), "missing");
}

#[test]
fn a_disk_that_is_too_small_for_all_that_are_named_is_found_before_the_first_is_downloaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "true", GOOD).display().to_string();
    let free = nix::sys::statvfs::statvfs(folder.path()).expect("it tells");
    let free = free.blocks_available() as u64 * free.fragment_size() as u64;
    // Each alone fits, both do not.
    let needs = (free / 10 * 6 / 1_000_000).to_string();
    let words = complaint(&engines(
        &home,
        &["install", "pytorch", "tensorflow", "pytorch", "--needs", &needs, "--python", &python],
    ));
    assert!(words.contains("these engines together need about") && words.contains("GB free"), "{words}");
    let each = words.split("each alone needs: ").nth(1).expect("what each needs");
    assert_eq!((each.matches("pytorch ").count(), each.matches("tensorflow ").count()), (1, 1), "{words}");
    assert!(words.contains("the command names `pytorch` again; it is installed once."), "{words}");
    assert!(!folder.path().join("log").exists(), "something was begun");
    assert_eq!(state(&home, "pytorch"), "missing");
}

#[test]
fn what_does_not_start_is_not_called_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "true", "echo 'no module named torch' >&2; exit 1").display().to_string();
    let words = complaint(&engines(&home, &["install", "pytorch", "--needs", "1", "--python", &python]));
    assert!(words.contains("does not start") && words.contains("no module named torch"), "{words}");
    assert_eq!(state(&home, "pytorch"), "unfinished");
    let words = complaint(&engines(&home, &["install", "pytorch", "--existing", &python]));
    assert!(words.contains("does not start") && words.contains("name another with --existing"), "{words}");
    let words = complaint(&engines(&home, &["install", "tensorflow", "--needs", "1", "--python", "/bin/true"]));
    assert!(words.contains("it does not answer as a Python does") && words.contains("Python 3.11 or newer"), "{words}");
    assert_eq!(state(&home, "tensorflow"), "missing");
    let missing = complaint(&engines(&home, &["install", "tensorflow", "--needs", "1", "--python", "/nowhere/python"]));
    assert!(missing.contains("/nowhere/python cannot make a virtual environment"), "{missing}");
}

#[test]
fn an_environment_that_is_there_is_used_and_its_other_versions_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "exit 1", r#"echo '{"torch":"2.8.1","numpy":"2.4.6"}'"#);
    let told = engines(&home, &["install", "pytorch", "--json", "--existing", &python.display().to_string()]);
    let warning = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(warning.contains("pytorch has torch 2.8.1 instead of"), "{warning}");
    assert_eq!(json(&told)["engines"][0]["record"]["own"], false);
    assert!(!folder.path().join("log").exists(), "it was changed");
    fs::remove_file(&python).expect("gone");
    assert_eq!(state(&home, "pytorch"), "stale");
}

#[test]
fn an_environment_that_is_there_is_tried_and_that_is_said_before_it_answers() {
    for (kind, due) in [
        ("pytorch", "pytorch: trying whether it starts with "),
        ("deepspeed", "deepspeed: compiling a part of it, then trying whether it starts with "),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let may_answer = folder.path().join("may-answer");
        // It does not wait for ever: a command that says nothing must fail this test and not hang it.
        let waits = format!(
            "for n in $(seq 300); do if [ -e '{}' ]; then break; fi; sleep 0.1; done; {GOOD}",
            may_answer.display()
        );
        let python = stand_in(folder.path(), "exit 1", &waits).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.args(["engines", "install", kind, "--existing", &python, "--json", "--home"]).arg(folder.path());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command runs");
        let mut said = String::new();
        let mut from = BufReader::new(child.stderr.take().expect("a pipe"));
        from.read_line(&mut said).expect("a line");
        assert!(said.starts_with(due) && said.contains(&python), "{said}");
        assert!(child.try_wait().expect("ours").is_none(), "it has not answered yet");
        fs::write(&may_answer, "").expect("a file");
        // What else it says is read, so that it can end.
        from.read_to_string(&mut said).expect("text");
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(json(&output)["engines"][0]["record"]["own"], false, "{said}");
    }
}

#[test]
fn an_engine_that_is_no_longer_what_was_installed_says_so_and_the_command_that_it_names_mends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (home, changed) = (folder.path().join("home"), folder.path().join("changed"));
    // As after somebody's own pip in the environment; ours puts back what is pinned.
    let check = format!(
        r#"if [ -e {changed} ]; then echo '{{"torch":"2.8.1","numpy":"2.4.6"}}'; else {GOOD}; fi"#,
        changed = changed.display()
    );
    let python = stand_in(folder.path(), &format!("rm -f {}", changed.display()), &check).display().to_string();
    let arguments = ["install", "pytorch", "--needs", "1", "--python", &python];
    assert!(engines(&home, &arguments).status.success());
    let changes = || json(&engines(&home, &["check", "--json"]))["engines"][0]["changes"].clone();
    assert_eq!(changes(), serde_json::json!([]));
    fs::write(&changed, "").expect("a file");
    assert_eq!(changes(), serde_json::json!(["torch 2.8.1 instead of 2.9.0+cpu"]));
    let said = engines(&home, &["check"]);
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("torch 2.8.1 instead of 2.9.0+cpu: recspeed engines install pytorch"), "{said}");
    assert!(engines(&home, &arguments).status.success());
    assert_eq!(changes(), serde_json::json!([]));
}

#[test]
fn an_engine_that_another_version_installed_is_tried_with_this_one_and_what_does_not_do_names_the_command() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "true", GOOD).display().to_string();
    assert!(engines(&home, &["install", "pytorch", "--existing", &python]).status.success());
    let record = home.join("engines/pytorch/record.json");
    let noted = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
        let mut noted: Value = serde_json::from_slice(&fs::read(&record).expect("a record")).expect("JSON");
        change(noted.as_object_mut().expect("an object"));
        fs::write(&record, noted.to_string()).expect("written");
    };
    let older = || noted(&|record| drop(record.insert("package".to_owned(), "older".into())));
    let check = || {
        let output = engines(&home, &["check"]);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(!check().1.contains("another version"), "it is this one's");
    older();
    let (starts, said) = check();
    assert!(starts && said.contains("installed by another version of the lab, it does for this one too"), "{said}");
    assert!(!check().1.contains("another version"), "it has been tried");
    // A record of before this was noted.
    noted(&|record| drop(record.remove("package")));
    assert!(check().1.contains("another version"));
    // What this version imports is not there.
    stand_in(folder.path(), "true", "echo 'no module named numpy' >&2; exit 1");
    older();
    let (starts, said) = check();
    assert!(!starts && said.contains("was installed by another version of the lab"), "{said}");
    assert!(
        said.contains("no module named numpy") && said.contains("run `recspeed engines install pytorch`"),
        "{said}"
    );
    // Other packages than this version asks for, or a record as no version of today writes.
    for change in [("own", Value::from(true)), ("versions", Value::from(1))] {
        noted(&|record| drop(record.insert(change.0.to_owned(), change.1.clone())));
        noted(&|record| drop(record.insert("requirements".to_owned(), "others".into())));
        assert_eq!(state(&home, "pytorch"), "other-version");
        assert!(check().1.contains("was installed by another version of the lab"));
    }
}

#[test]
fn an_unknown_name_is_answered_with_the_names_that_exist() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = engines(folder.path(), &["install", "pytorhc"]);
    assert_eq!(output.status.code(), Some(2));
    let words = complaint(&output);
    assert!(words.contains("no engine is called `pytorhc`") && words.contains("tensorflow"), "{words}");
}

#[test]
fn an_installation_of_nothing_is_answered_with_the_names_that_exist() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = engines(folder.path(), &["install"]);
    assert_eq!(output.status.code(), Some(2));
    let words = complaint(&output);
    for name in ["pytorch", "tensorflow", "pyvelox", "deepspeed", "torchgpipe", "libtorch"] {
        assert!(words.contains(name), "{name}: {words}");
    }
    assert!(!words.contains("--home"), "what may be left out looks as if it were needed: {words}");
}

/// What `run` writes into the file once it has begun: its process.
fn written(path: &Path) -> i32 {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if text.ends_with('\n') {
            return text.trim().parse().expect("a number");
        }
        assert!(begun.elapsed() < PATIENCE, "nothing in {}", path.display());
        thread::sleep(Duration::from_millis(10));
    }
}

fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn whoever_kills_a_check_or_an_installation_ends_the_python_that_it_has_started() {
    let folder = tempfile::tempdir().expect("a folder");
    // As an import that hangs, and as pip with a compiler.
    let hangs = format!("sleep 600 & echo $! > {}; wait", folder.path().join("left").display());
    let ready = stand_in(folder.path(), "true", GOOD);
    let home = folder.path().join("home");
    assert!(engines(&home, &["install", "pytorch", "--existing", &ready.display().to_string()]).status.success());
    let python = stand_in(folder.path(), &hangs, &hangs).display().to_string();
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGKILL] {
        for arguments in [
            &["check"][..],
            &["install", "tensorflow", "--needs", "1", "--python", &python],
            &["install", "libtorch", "--needs", "1", "--python", &python],
        ] {
            let left = folder.path().join("left");
            let _ = fs::remove_file(&left);
            let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
            command.arg("engines").args(arguments).arg("--home").arg(&home);
            let mut started = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs");
            let pid = written(&left);
            assert!(is_alive(pid), "{arguments:?}");
            kill(Pid::from_raw(started.id() as i32), signal).expect("ours");
            started.wait().expect("it ends");
            let begun = Instant::now();
            while is_alive(pid) {
                assert!(begun.elapsed() < PATIENCE, "{signal}, {arguments:?}: what it had started goes on");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// What pip leaves of LibTorch.
const TORCH: &str = r#"cd "${0%/home/*}" && mkdir -p site/torch/lib site/torch/include/torch && for l in torch_cpu torch c10 torch_cuda; do
echo $l > site/torch/lib/lib$l.so; done; echo "__version__ = '2.9.0+cu128'" > site/torch/version.py"#;

#[test]
fn libtorch_is_installed_without_its_cuda_half_and_its_path_is_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let missing = complaint(&engines(&home, &["path", "libtorch"]));
    assert!(missing.contains("recspeed engines install libtorch"), "{missing}");
    let python = stand_in(folder.path(), TORCH, GOOD);
    let python = python.to_str().expect("a path");
    let told = json(&engines(&home, &["install", "libtorch", "--needs", "1", "--python", python, "--json"]));
    assert_eq!(
        (told["libtorch"]["version"].as_str(), told["libtorch"]["cuda"].as_bool()),
        (Some("2.9.0+cu128"), Some(false))
    );
    let torch = folder.path().join("site/torch");
    assert!(!torch.join("lib/libtorch_cuda.so").exists());
    let path = engines(&home, &["path", "libtorch"]);
    assert_eq!(String::from_utf8_lossy(&path.stdout).trim(), torch.display().to_string());
    // Somebody's own is taken as it is.
    fs::write(torch.join("lib/libtorch_cuda.so"), "").expect("a file");
    let other = folder.path().join("other");
    let told = json(&engines(&other, &["install", "libtorch", "--existing", python, "--json"]));
    assert_eq!((told["libtorch"]["own"].as_bool(), told["libtorch"]["cuda"].as_bool()), (Some(false), Some(true)));
    assert!(torch.join("lib/libtorch_cuda.so").exists());
}

#[test]
fn of_several_engines_those_that_can_be_are_installed_and_the_exit_status_is_1_where_one_could_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    // One of the two does not start.
    let check = format!(r#"case "$*" in *tensorflow*) echo 'no module named keras' >&2; exit 1 ;; *) {GOOD} ;; esac"#);
    let python = stand_in(folder.path(), "true", &check).display().to_string();
    let install = ["install", "tensorflow", "pytorch", "--needs", "1", "--json", "--python", &python];
    let output = engines(&home, &install);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(told["engines"][0]["name"], "pytorch");
    assert_eq!(told["failures"][0]["name"], "tensorflow");
    assert!(complaint(&output).contains("recspeed: the engine `tensorflow` does not start"), "{told}");
    assert_eq!((state(&home, "pytorch"), state(&home, "tensorflow")), ("ready".to_owned(), "unfinished".to_owned()));
    assert_eq!(engines(&home, &["check"]).status.code(), Some(1));
    assert_eq!(engines(&home, &["check", "pytorch"]).status.code(), Some(0));
    for command in ["install", "check"] {
        let help = Command::new(env!("CARGO_BIN_EXE_recspeed")).args(["engines", command, "--help"]).output();
        let help = String::from_utf8_lossy(&help.expect("the command runs").stdout).into_owned();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(help.contains("Exit status:") && help.contains("1 when one"), "{help}");
    }
}

#[test]
fn an_engine_of_which_a_file_is_gone_is_listed_as_damaged_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let site = home.join("engines/pytorch/environment/lib/python3.11/site-packages");
    let pip = format!(
        "mkdir -p {site}/torch {site}/torch-2.9.0.dist-info; echo nn > {site}/torch/nn.py; \
         echo torch/nn.py,x,3 > {site}/torch-2.9.0.dist-info/RECORD",
        site = site.display()
    );
    let python = stand_in(folder.path(), &pip, GOOD).display().to_string();
    let arguments = ["install", "pytorch", "--needs", "1", "--python", &python];
    assert!(engines(&home, &arguments).status.success());
    assert_eq!(state(&home, "pytorch"), "ready");
    fs::remove_file(site.join("torch/nn.py")).expect("it was there");
    assert_eq!(state(&home, "pytorch"), "damaged");
    let output = engines(&home, &["check"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("torch/nn.py is missing") && said.contains("run `recspeed engines install pytorch`"),
        "{said}"
    );
    let mended = engines(&home, &arguments);
    let said = String::from_utf8_lossy(&mended.stderr).into_owned();
    assert!(mended.status.success() && said.contains("pytorch: installing again: torch==2.9.0"), "{said}");
    assert_eq!(state(&home, "pytorch"), "ready");
    assert!(engines(&home, &["check"]).status.success());
}

#[test]
fn somebody_elses_environment_that_has_changed_is_theirs_to_mend_or_to_be_taken_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let python = stand_in(folder.path(), "exit 1", GOOD).display().to_string();
    let take = ["install", "pytorch", "--existing", &python];
    assert!(engines(&home, &take).status.success());
    stand_in(folder.path(), "exit 1", r#"echo '{"torch":"2.8.1"}'"#);
    let check = || String::from_utf8_lossy(&engines(&home, &["check"]).stdout).into_owned();
    let said = check();
    assert!(said.contains("since it was named it has torch 2.8.1") && said.contains("whoever keeps"), "{said}");
    assert!(said.contains(&format!("`recspeed engines install pytorch --existing {python}` takes it")), "{said}");
    assert!(engines(&home, &take).status.success());
    assert!(!check().contains("since it was named"));
}

#[test]
fn libtorch_is_checked_as_the_engines_are_and_one_that_is_half_there_or_damaged_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path().join("home");
    let listed = || {
        let told = json(&engines(&home, &["list", "--json"]));
        let text = String::from_utf8_lossy(&engines(&home, &["list"]).stdout).into_owned();
        (told["libtorch_state"].as_str().expect("a word").to_owned(), text)
    };
    assert_eq!(listed().0, "missing");
    let python = stand_in(folder.path(), "exit 1", GOOD).display().to_string();
    let arguments = ["install", "libtorch", "--needs", "1", "--python", &python];
    assert_eq!(engines(&home, &arguments).status.code(), Some(1));
    let (state, text) = listed();
    assert!(state == "unfinished" && text.contains("half:"), "{text}");
    stand_in(folder.path(), TORCH, GOOD);
    assert!(engines(&home, &arguments).status.success());
    assert_eq!(listed().0, "ready");
    let check = |names: &[&str]| {
        let output = engines(&home, &[&["check"][..], names].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for names in [Vec::new(), vec!["libtorch"]] {
        let (status, said) = check(&names);
        assert!(status == Some(0) && said.contains("libtorch: whole, 2.9.0+cu128"), "{said}");
    }
    fs::remove_file(folder.path().join("site/torch/lib/libc10.so")).expect("it was there");
    assert_eq!(listed().0, "unusable");
    let (status, said) = check(&["libtorch"]);
    assert!(status == Some(1) && said.contains("torch/lib/libc10.so is missing"), "{said}");
    assert!(said.contains("run `recspeed engines install libtorch` again"), "{said}");
    assert!(complaint(&engines(&home, &["path", "libtorch"])).contains("libc10.so is missing"));
    assert!(engines(&home, &arguments).status.success());
    assert_eq!(check(&[]).0, Some(0));
}
