//! Installing, mending and taking back, by programs that play Python and pip.

use std::time::{Duration, Instant};

use super::*;
use crate::stand_in;

/// A program that plays Python: after `before` it makes an environment, whose Python installs nothing.
fn python(folder: &Path, before: &str) -> PathBuf {
    python_with(folder, before, "exit 0")
}

/// The same, whose environment's Python does `pip` where it is asked to install.
fn python_with(folder: &Path, before: &str, pip: &str) -> PathBuf {
    let program = folder.join("python");
    stand_in::program(&program, &stand_in::python(before, &format!("  *' install '*) {pip} ;;")));
    program
}

/// Makes an environment and installs a package into it; its Python.
fn installed(into: &Path, options: &InstallOptions, stop: &dyn Fn() -> bool) -> Result<PathBuf, EngineError> {
    let installation = Installation::begin(("pytorch", into, Room::whole(1)), options, stop)?;
    installation.environment(&mut |_| {})?;
    installation.packages("numpy==1\n", &mut |_| {})?;
    Ok(python_of(into))
}

#[test]
fn one_that_is_stopped_while_its_environment_is_made_says_so_and_the_same_command_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("pytorch");
    let install = |python: PathBuf, stop: &dyn Fn() -> bool| {
        let options = InstallOptions { python: Some(python), extra_index: None, needed_bytes: Some(1) };
        installed(&into, &options, stop)
    };
    // What venv starts, as ensurepip, is ended with it.
    let slow = python(folder.path(), &format!("sleep 600 & echo $! > {}/left\nwait", folder.path().display()));
    let left = folder.path().join("left");
    let begun = Instant::now();
    let stopped = install(slow, &|| fs::read_to_string(&left).is_ok_and(|text| text.ends_with('\n')));
    let error = stopped.expect_err("it was stopped");
    assert!(matches!(error, EngineError::Stopped { kind: "pytorch" }), "{error}");
    assert!(error.to_string().contains("the same command goes on"), "{error}");
    let pid = fs::read_to_string(&left).expect("it began").trim().to_owned();
    let alive = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while alive() {
        assert!(begun.elapsed() < Duration::from_secs(30), "what it had started goes on");
    }
    let python = install(python(folder.path(), ""), &|| false).expect("it goes on");
    assert_eq!(python, into.join("environment/bin/python"));
}

#[test]
fn what_a_killed_installer_had_unpacked_is_removed_and_is_no_part_of_what_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("pytorch");
    let (unpacking, seen) = (into.join("tmp"), folder.path().join("seen"));
    // As pip: it unpacks into TMPDIR and is killed before it has moved that.
    let pip = format!(
        r#"ls "$TMPDIR" > {seen}; mkdir "$TMPDIR/pip-unpack-x"; echo large > "$TMPDIR/pip-unpack-x/torch.whl"; kill -9 $$"#,
        seen = seen.display()
    );
    let install = |pip: &str, needed: u64| {
        let options = InstallOptions {
            python: Some(python_with(folder.path(), "", pip)),
            extra_index: None,
            needed_bytes: Some(needed),
        };
        let _ = fs::remove_dir_all(into.join("environment"));
        installed(&into, &options, &|| false)
    };
    install(&pip, 1).expect_err("it was killed");
    assert!(!unpacking.exists(), "it is removed at once");
    // The whole lab was killed, and removed nothing.
    fs::create_dir_all(&unpacking).expect("a folder");
    let rest = fs::File::create(unpacking.join("torch.whl")).expect("a file");
    rest.set_len(1 << 40).expect("a hole");
    let error = install(&pip, 1 << 50).expect_err("no disk is as large");
    assert!(matches!(error, EngineError::DiskTooSmall { needed, .. } if needed > (1 << 50) - (1 << 20)), "{error}");
    fs::create_dir_all(unpacking.join("pip-unpack-y")).expect("a folder");
    install("ls \"$TMPDIR\" > \"$TMPDIR/../../seen\"", 1).expect("it goes on");
    assert_eq!(fs::read_to_string(&seen).expect("its listing"), "", "it begins in an empty folder");
    assert!(!unpacking.exists(), "nothing is left");
}

#[test]
fn a_second_installation_into_the_same_folder_is_refused_while_the_first_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = alone("pytorch", folder.path()).expect("nobody else");
    assert!(matches!(alone("pytorch", folder.path()), Err(EngineError::Busy { kind: "pytorch" })));
    drop(first);
    alone("pytorch", folder.path()).expect("nobody else any more");
}

/// A lab with a program that plays Python, pip and PyTorch. Its pip takes a package of which there is a list as installed, as pip does, unless
/// it is told to ignore that; `refuses` is a file that makes it fail. What it was asked is in the file `log`, and
/// what it is made of in `versions`.
struct Bench {
    folder: tempfile::TempDir,
    engines: Engines,
    told: Vec<Step>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let log = folder.path().join("log");
        let answers = format!(
            r#"  *"pip install"*)
    if [ -e {refuses} ]; then echo 'no network' >&2; exit 1; fi
    case "$*" in *--ignore-installed*) ;; *) if [ -d "$site/torch-2.9.0.dist-info" ]; then exit 0; fi ;; esac
    echo "$*" >> {log}
    mkdir -p "$site/torch" "$site/torch-2.9.0.dist-info"
    echo good > "$site/torch/init.py"; echo layers > "$site/torch/nn.py"
    printf '%s\n' 'torch/init.py,x,5' 'torch/nn.py,x,7' 'torch/never.py,x,9' > "$site/torch-2.9.0.dist-info/RECORD" ;;
  *--check*) if grep -q good "$site/torch/init.py"; then cat {versions}; else echo 'no module torch' >&2; exit 1; fi ;;"#,
            log = log.display(),
            refuses = folder.path().join("refuses").display(),
            versions = folder.path().join("versions").display(),
        );
        fs::write(folder.path().join("versions"), r#"{"torch":"2.9.0"}"#).expect("a file");
        let site = r#"site="${0%/bin/python}/lib/python3.11/site-packages""#;
        let python = stand_in::python(&format!("echo venv >> {}", log.display()), &answers);
        stand_in::program(&folder.path().join("python"), &format!("{site}\n{python}"));
        Self { folder, engines, told: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn site(&self) -> PathBuf {
        self.engines.environment(EngineKind::Pytorch).join("lib/python3.11/site-packages")
    }

    fn install(&mut self) -> Result<Record, EngineError> {
        self.install_whole_of(1)
    }

    /// The same where somebody says how many bytes the whole engine takes.
    fn install_whole_of(&mut self, bytes: u64) -> Result<Record, EngineError> {
        let python = Some(self.path("python"));
        let options = InstallOptions { python, needed_bytes: Some(bytes), extra_index: None };
        let reference = crate::find(EngineKind::Pytorch).expect("an entry");
        self.told.clear();
        self.engines.install(reference, &options, &|| false, &mut |step| self.told.push(step))
    }

    fn check(&self) -> Result<(), String> {
        self.engines.check(EngineKind::Pytorch).map(|_| ()).map_err(|error| error.to_string())
    }

    /// How often an environment was made, and packages were installed.
    fn asked(&self) -> (usize, usize) {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        let environments = log.lines().filter(|line| *line == "venv").count();
        (environments, log.lines().count() - environments)
    }

    fn said(&self, words: &str) -> bool {
        self.told.iter().any(|step| matches!(step, Step::Mend(why) if why.contains(words)))
    }
}

/// Damages a package in these site-packages.
type Damages<'a> = &'a dyn Fn(&Path);

#[test]
fn what_is_damaged_is_not_ready_and_the_command_that_a_check_names_mends_it() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    // A file that is in a package's list and not in the package is no damage.
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (1, 1)));
    bench.install().expect("nothing is to be done");
    assert_eq!(bench.asked(), (1, 1));
    let damages: [(&str, Damages<'_>); 4] = [
        ("a file is gone", &|site: &Path| fs::remove_file(site.join("torch/nn.py")).expect("it was there")),
        ("a file is cut short", &|site: &Path| fs::write(site.join("torch/nn.py"), "la").expect("room")),
        ("the package is gone", &|site: &Path| fs::remove_dir_all(site.join("torch")).expect("it was there")),
        ("its list is gone", &|site| {
            fs::remove_file(site.join("torch-2.9.0.dist-info/RECORD")).expect("it was there");
        }),
    ];
    for (nth, (what, damage)) in damages.into_iter().enumerate() {
        damage(&bench.site());
        let State::Damaged(damage) = bench.engines.look(EngineKind::Pytorch) else { panic!("{what}: not seen") };
        assert!(damage.is_in("torch"), "{what}: {damage}");
        let why = bench.check().expect_err(what);
        assert!(why.contains("run `recspeed engines install pytorch`"), "{what}: {why}");
        assert!(bench.engines.launch_tried(EngineKind::Pytorch).is_err(), "{what}");
        bench.install().expect(what);
        assert!(bench.said("installing again: torch==2.9.0"), "{what}: {:?}", bench.told);
        assert_eq!((bench.check(), bench.asked()), (Ok(()), (1, 2 + nth)), "{what}");
    }
}

/// More than any disk has.
const TOO_LARGE: u64 = 1 << 50;

#[test]
fn mending_a_file_asks_for_the_room_of_its_package_and_not_of_the_engine() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    fs::remove_file(bench.site().join("torch/nn.py")).expect("it was there");
    let (pytorch, others) = (crate::find(EngineKind::Pytorch), crate::find(EngineKind::Tensorflow));
    let both = [pytorch.expect("an entry"), others.expect("an entry")];
    let options = InstallOptions { needed_bytes: Some(TOO_LARGE), ..InstallOptions::default() };
    let together = bench.engines.room_for(&both, false, &options).expect_err("the other one is too large").to_string();
    assert!(together.contains("each alone needs: pytorch 2 MB, tensorflow "), "{together}");
    bench.install_whole_of(TOO_LARGE).expect("a file is not as large as all");
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (1, 2)));
    // Nobody knows how large a package is whose list is gone.
    fs::remove_file(bench.site().join("torch-2.9.0.dist-info/RECORD")).expect("it was there");
    let error = bench.install_whole_of(TOO_LARGE).expect_err("no disk is as large");
    assert!(matches!(error, EngineError::DiskTooSmall { .. }), "{error}");
    assert_eq!(bench.asked(), (1, 2), "nothing was begun");
    bench.install().expect("it is mended");
    assert_eq!(bench.check(), Ok(()));
}

#[test]
fn an_environment_that_is_made_anew_after_its_mending_has_the_room_of_all_or_stays() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    fs::remove_file(bench.site().join("torch/nn.py")).expect("it was there");
    // It does not start even so.
    let versions = fs::read(bench.path("versions")).expect("a file");
    fs::remove_file(bench.path("versions")).expect("it was there");
    let error = bench.install_whole_of(TOO_LARGE).expect_err("no disk is as large");
    assert!(matches!(error, EngineError::DiskTooSmall { .. }), "{error}");
    assert_eq!(bench.asked(), (1, 2), "what was mended is not removed");
    let State::Unmended(Mending { failed, .. }) = bench.engines.state(EngineKind::Pytorch) else { panic!("no note") };
    assert!(failed.contains("make room"), "{failed}");
    fs::write(bench.path("versions"), versions).expect("room");
    assert_eq!(bench.check(), Ok(()), "it starts again, and is taken back");
}

#[test]
fn what_no_size_tells_is_found_by_a_check_and_mended_by_an_environment_that_is_made_anew() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    fs::write(bench.site().join("torch/init.py"), "evil\n").expect("room");
    assert!(matches!(bench.engines.look(EngineKind::Pytorch), State::Ready(_)), "it is as long as it was");
    let why = bench.check().expect_err("it does not start");
    assert!(why.contains("installs what is missing, and makes its environment anew where it does not start"), "{why}");
    bench.install().expect("it installs");
    assert!(bench.said("it does not start (no module torch): its environment is made anew"), "{:?}", bench.told);
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (2, 2)));
    // pip is not asked to mend itself.
    let notes = bench.site().join("pip-24.0.dist-info");
    fs::create_dir_all(&notes).expect("a folder");
    fs::write(notes.join("RECORD"), "pip/main.py,x,5\n").expect("a file");
    bench.install().expect("it installs");
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (3, 3)));
}

#[test]
fn a_mending_that_is_interrupted_is_half_an_installation_that_goes_on() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    for lost in ["torch/init.py", "torch/nn.py"] {
        fs::remove_file(bench.site().join(lost)).expect("it was there");
    }
    fs::write(bench.path("refuses"), "").expect("a file");
    let error = bench.install().expect_err("there is no network");
    assert!(matches!(error, EngineError::Pip { .. }), "{error}");
    // Why it was mended, and why that failed, is told as long as nothing is done about it.
    assert!(matches!(bench.engines.state(EngineKind::Pytorch), State::Unmended(_)));
    let why = bench.check().expect_err("it is damaged");
    let words = ["2 files are missing", "mending it failed: no network", "run `recspeed engines install pytorch`"];
    assert!(words.iter().all(|words| why.contains(words)), "{why}");
    fs::remove_file(bench.path("refuses")).expect("it was there");
    bench.install().expect("it goes on");
    assert_eq!(bench.check(), Ok(()));
    assert!(bench.site().join("torch/nn.py").is_file(), "the damage is not taken for what was installed");
}

#[test]
fn an_engine_whose_mending_failed_is_taken_back_without_a_download_once_it_is_whole_and_starts() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    let (lost, aside) = (bench.site().join("torch/init.py"), bench.path("aside"));
    for takes_back in ["check", "install"] {
        fs::rename(&lost, &aside).expect("it was there");
        fs::write(bench.path("refuses"), "").expect("a file");
        bench.install().expect_err("there is no network");
        assert!(bench.check().is_err(), "a file is gone yet");
        fs::rename(&aside, &lost).expect("it is put back");
        if takes_back == "check" {
            assert_eq!(bench.check(), Ok(()));
        } else {
            bench.install().expect("it is whole");
        }
        assert!(matches!(bench.engines.look(EngineKind::Pytorch), State::Ready(_)), "{takes_back}");
        assert_eq!(bench.asked(), (1, 1), "{takes_back}");
    }
}

#[test]
fn a_check_that_cannot_take_an_engine_back_tells_what_is_noted_of_it() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    let (lost, aside) = (bench.site().join("torch/init.py"), bench.path("aside"));
    fs::rename(&lost, &aside).expect("it was there");
    fs::write(bench.path("refuses"), "").expect("a file");
    bench.install().expect_err("there is no network");
    fs::rename(&aside, &lost).expect("it is put back");
    // As a folder that belongs to somebody else: no lock can be made there.
    let lock = bench.engines.folder(EngineKind::Pytorch).join("lock");
    fs::remove_file(&lock).expect("it was there");
    fs::create_dir(&lock).expect("a folder");
    let why = bench.check().expect_err("nobody could take it back");
    assert!(why.contains("mending it failed: no network"), "{why}");
    fs::remove_dir(&lock).expect("it was there");
    assert_eq!(bench.check(), Ok(()));
}

#[test]
fn a_package_that_is_gone_with_its_notes_is_damage_and_installed_again() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    for folder in ["torch", "torch-2.9.0.dist-info"] {
        fs::remove_dir_all(bench.site().join(folder)).expect("it was there");
    }
    let State::Damaged(damage) = bench.engines.look(EngineKind::Pytorch) else { panic!("not seen") };
    assert!(damage.is_in("torch"), "{damage}");
    bench.install().expect("it is mended");
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (1, 2)));
    // A list that is cut short tells of too few files.
    let list = bench.site().join("torch-2.9.0.dist-info/RECORD");
    fs::write(&list, "torch/init.py,x,5\n").expect("room");
    assert!(matches!(bench.engines.look(EngineKind::Pytorch), State::Damaged(_)));
    bench.install().expect("it is mended");
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (1, 3)));
}

#[test]
fn an_engine_that_another_process_installs_is_called_so_by_whoever_looks() {
    let bench = Bench::new();
    let folder = bench.engines.folder(EngineKind::Pytorch);
    fs::create_dir_all(&folder).expect("a folder");
    assert_eq!(bench.engines.state(EngineKind::Pytorch), State::Unfinished);
    let installing = alone("pytorch", &folder).expect("nobody else");
    assert_eq!(bench.engines.look(EngineKind::Pytorch), State::Busy);
    assert!(bench.check().expect_err("it is not there yet").contains("is being installed by another process"));
    drop(installing);
    assert_eq!(bench.engines.state(EngineKind::Pytorch), State::Unfinished);
}

#[test]
fn an_environment_in_a_lab_that_was_moved_is_called_so_and_made_anew() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    let moved = bench.path("moved");
    fs::create_dir(&moved).expect("a folder");
    fs::rename(bench.path("engines"), moved.join("engines")).expect("moved");
    let former = bench.engines.environment(EngineKind::Pytorch);
    bench.engines = Engines::open(Some(&moved)).expect("a home");
    let why = bench.check().expect_err("it names another place");
    assert!(why.contains("was made in another place") && why.contains("installing makes it anew"), "{why}");
    assert!(why.contains(&former.display().to_string()), "{why}");
    bench.install().expect("it installs");
    assert!(bench.said("was made in another place"), "{:?}", bench.told);
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (2, 2)));
}

#[test]
fn the_cause_of_a_failure_is_what_pip_calls_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("pytorch");
    let pip = "echo 'INFO: pip is looking at multiple versions'; \
               echo 'WARNING: Retrying after connection broken by NewConnectionError'; \
               echo 'ERROR: No matching distribution found for numpy==1'; echo 'WARNING: old'; exit 1";
    let options = InstallOptions {
        python: Some(python_with(folder.path(), "", pip)),
        needed_bytes: Some(1),
        ..InstallOptions::default()
    };
    let error = installed(&into, &options, &|| false).expect_err("it fails");
    let EngineError::Pip { why, .. } = &error else { panic!("{error}") };
    assert_eq!(why, "No matching distribution found for numpy==1; there is no connection to the package index");
}

#[test]
fn an_engine_that_starts_is_not_lost_where_there_is_no_network_to_mend_it() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    fs::write(bench.path("refuses"), "").expect("a file");
    // As after somebody's own pip in the environment; then one that has lost a file, too, which it does not import.
    fs::write(bench.path("versions"), r#"{"torch":"2.10.0"}"#).expect("a file");
    for (why, lost) in [("it has torch 2.10.0 instead of 2.9.0", None), ("torch/nn.py", Some("torch/nn.py"))] {
        if let Some(lost) = lost {
            fs::remove_file(bench.site().join(lost)).expect("it was there");
        }
        let error = bench.install().expect_err("there is no network");
        assert!(matches!(error, EngineError::Pip { .. }) && bench.said(why), "{error}: {:?}", bench.told);
        bench.engines.launch(EngineKind::Pytorch).expect("it is as it was");
    }
    assert!(bench.check().expect_err("a file is gone").contains("torch/nn.py is missing"));
    fs::remove_file(bench.path("refuses")).expect("it was there");
    bench.install().expect("it is mended");
    assert_eq!((bench.check(), bench.asked()), (Ok(()), (1, 2)));
}

#[test]
fn an_environment_of_somebody_else_that_lacks_something_is_its_owners_to_mend() {
    let mut bench = Bench::new();
    bench.install().expect("it installs");
    // As somebody's own, which the lab only uses.
    let theirs = bench.path("theirs");
    fs::rename(bench.engines.environment(EngineKind::Pytorch), &theirs).expect("moved");
    let python = theirs.join("bin/python");
    let reference = crate::find(EngineKind::Pytorch).expect("an entry");
    bench.engines.adopt(reference, &python).expect("it starts");
    let init = theirs.join("lib/python3.11/site-packages/torch/init.py");
    fs::remove_file(&init).expect("it was there");
    let why = bench.check().expect_err("it does not start");
    let theirs_to_do =
        format!("whoever keeps it installs there what it lacks (`{} -m pip install torch==", python.display());
    assert!(why.contains(&theirs_to_do) && !why.contains("makes its environment anew"), "{why}");
    let refused = bench.engines.adopt(reference, &python).expect_err("it does not start").to_string();
    assert!(refused.contains(&theirs_to_do) && refused.contains("name another with --existing"), "{refused}");
    // The other way that is named.
    assert!(bench.install().expect("one of the lab's own").own);
    assert!(bench.said("the lab makes an environment of its own") && !init.exists(), "{:?}", bench.told);
    assert_eq!(bench.check(), Ok(()));
}

#[test]
fn a_program_that_is_no_python_is_refused_with_what_is_wanted_before_anything_is_begun() {
    let mut bench = Bench::new();
    for (script, words) in [("", "it does not answer as a Python does"), ("echo Python 3.9", "it is Python 3.9")] {
        fs::write(bench.path("python"), format!("#!/bin/sh\n{script}\n")).expect("a script");
        let error = bench.install().expect_err("it makes no environment").to_string();
        assert!(error.contains(words) && error.contains("Python 3.11 or newer"), "{error}");
        assert_eq!(bench.engines.state(EngineKind::Pytorch), State::Missing);
        let reference = crate::find(EngineKind::Pytorch).expect("an entry");
        let error = bench.engines.adopt(reference, &bench.path("python")).expect_err("it has no PyTorch").to_string();
        assert!(error.contains(words) && error.contains("3.11 or newer, of an environment"), "{error}");
    }
}

#[test]
fn an_environment_is_made_anew_by_the_python_that_has_made_it_unless_another_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, maker) = (folder.path(), folder.path().join("python3.11"));
    let asked = |python: Option<&str>| {
        program(path, &InstallOptions { python: python.map(PathBuf::from), ..Default::default() })
    };
    assert_eq!(asked(None), Path::new("python3"));
    fs::write(&maker, "").expect("a file");
    fs::create_dir(environment_of(path)).expect("a folder");
    let notes = format!("home = /usr/bin\nversion = 3.11.7\nexecutable = {}\n", maker.display());
    fs::write(environment_of(path).join("pyvenv.cfg"), notes).expect("a file");
    assert_eq!(asked(None), maker);
    assert_eq!(asked(Some("python3.12")), Path::new("python3.12"));
    fs::remove_file(&maker).expect("it was there");
    assert_eq!(asked(None), Path::new("python3"), "it is gone");
}

#[test]
fn the_index_of_an_installation_is_that_of_its_mending_unless_it_may_hold_a_password() {
    let folder = tempfile::tempdir().expect("a folder");
    let options = |index: Option<&str>| InstallOptions { extra_index: index.map(str::to_owned), ..Default::default() };
    let asked = |given: Option<&str>| index(folder.path(), &options(given)).expect("room");
    assert_eq!(asked(None), None);
    assert_eq!(asked(Some("https://wheels/cpu")).as_deref(), Some("https://wheels/cpu"));
    assert_eq!(asked(None).as_deref(), Some("https://wheels/cpu"));
    assert_eq!(asked(Some("https://me:word@wheels/cpu")).as_deref(), Some("https://me:word@wheels/cpu"));
    assert_eq!(asked(None), None);
}
