//! Installing an engine: a virtual environment, pinned packages, one import to see that it works, then its record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use recspeed_types::spec::EngineKind;

use crate::catalogue::Reference;
use crate::engines::{Engines, State};
use crate::error::{EngineError, at};
use crate::package;
use crate::process::{self, Ended, bytes_below};
use crate::record::{Record, fingerprint};
use crate::room::free_bytes;

/// How an engine is installed.
#[derive(Debug, Clone, Default)]
pub struct InstallOptions {
    /// The Python that makes the environment (`python3` unless set).
    pub python: Option<PathBuf>,
    /// Another package index beside PyPI.
    pub extra_index: Option<String>,
    /// Bytes of room that it needs, where that is known better than the catalogue does.
    pub needed_bytes: Option<u64>,
}

/// What an installation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The environment is being made.
    Environment,
    /// A line of the installer.
    Installer(String),
    /// Bytes on disk by now.
    Bytes(u64),
    /// All is there; whether it starts is being tried.
    Check,
}

impl Engines {
    /// Installs an engine, or goes on with an installation that was interrupted. One that starts and is what was installed is left as it is;
    /// so is somebody else's that starts, whatever it has become.
    ///
    /// Packages that have been downloaded whole are not downloaded again; they are removed once all is installed.
    ///
    /// # Errors
    /// [`EngineError`]: too little room, no Python, no network, or what was installed does not start.
    pub fn install(
        &self,
        reference: &Reference,
        options: &InstallOptions,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Record, EngineError> {
        let kind = reference.kind.as_str();
        if let State::Ready(record) = self.state(reference.kind)
            && let Some(record) = self.still(reference.kind, record, tell)
        {
            return Ok(record);
        }
        let folder = self.folder(reference.kind);
        let needed = reference.installed_bytes + reference.download_bytes;
        let python = install_packages(&folder, (kind, reference.requirements, needed, &[]), options, stop, tell)?;
        tell(Step::Check);
        let versions = self.ask(reference.kind, &python)?;
        remove_folder(&folder.join("downloads"))?;
        let bytes = bytes_below(&folder);
        let requirements = fingerprint(reference.requirements);
        let record = Record { python, own: true, requirements, package: package::version(), versions, bytes };
        self.write(reference.kind, &record)?;
        Ok(record)
    }

    /// The record of an engine that is ready, as it is now; `None` where it does not start, or is not what was installed.
    fn still(&self, kind: EngineKind, record: Record, tell: &mut dyn FnMut(Step)) -> Option<Record> {
        tell(Step::Check);
        let versions = self.ask(kind, &record.python).ok()?;
        if record.own && !record.changes(&versions).is_empty() {
            return None;
        }
        let record = Record { versions, package: package::version(), ..record };
        // Where it cannot be noted, the next one finds out the same.
        let _ = self.write(kind, &record);
        Some(record)
    }
}

/// Makes an environment in `folder` and installs packages into it: `kind` names them, and `flags` are more of pip's. Returns its Python.
pub(crate) fn install_packages(
    folder: &Path,
    (kind, requirements, needed, flags): (&'static str, &str, u64, &[&str]),
    options: &InstallOptions,
    stop: &dyn Fn() -> bool,
    tell: &mut dyn FnMut(Step),
) -> Result<PathBuf, EngineError> {
    fs::create_dir_all(folder).map_err(at("create", folder))?;
    let _alone = alone(kind, folder)?;
    // Whoever is killed cleans nothing up: its remains are of no use to the next one, and would be taken for a part of what is needed.
    let unpacking = folder.join("tmp");
    remove_folder(&unpacking)?;
    let there = bytes_below(folder);
    let needed = options.needed_bytes.unwrap_or(needed).saturating_sub(there);
    let free = free_bytes(folder)?;
    if free < needed {
        if there == 0 {
            // Nothing has been begun.
            let _ = fs::remove_dir_all(folder);
        }
        return Err(EngineError::DiskTooSmall { kind, folder: folder.to_owned(), needed, free });
    }
    let environment = folder.join("environment");
    let python = environment.join("bin").join("python");
    tell(Step::Environment);
    make_environment(kind, options.python.as_deref(), (&environment, &python), stop)?;
    let list = folder.join("requirements.txt");
    fs::write(&list, requirements).map_err(at("write", &list))?;
    let mut pip = Command::new(&python);
    pip.args(["-s", "-P", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--progress-bar", "off"]).args(flags);
    pip.arg("--cache-dir").arg(folder.join("downloads")).arg("--requirement").arg(&list);
    if let Some(index) = &options.extra_index {
        pip.arg("--extra-index-url").arg(index);
    }
    pip.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env_remove("PIP_TARGET").env_remove("PIP_USER");
    // Large packages are unpacked there before they are installed, and /tmp is often small.
    fs::create_dir_all(&unpacking).map_err(at("create", &unpacking))?;
    pip.env("TMPDIR", &unpacking);
    let mut quiet = 0_u32;
    let mut hear = |line: Option<&str>| {
        if let Some(line) = line {
            return tell(Step::Installer(line.to_owned()));
        }
        quiet += 1;
        // Five times a second is too often to count files.
        if quiet.is_multiple_of(10) {
            tell(Step::Bytes(bytes_below(folder)));
        }
    };
    let ended = process::run(&mut pip, stop, &mut hear);
    let removed = remove_folder(&unpacking);
    ended.map_err(|ended| match ended {
        Ended::Stopped => EngineError::Stopped { kind },
        ended => EngineError::Pip { kind, why: ended.words() },
    })?;
    removed?;
    Ok(python)
}

/// Removes a folder, where it is there.
pub(crate) fn remove_folder(folder: &Path) -> Result<(), EngineError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", folder)(error)),
        _ => Ok(()),
    }
}

/// Two installations into one folder would spoil each other. Held until it is dropped, or its process ends.
pub(crate) fn alone(kind: &'static str, folder: &Path) -> Result<Flock<fs::File>, EngineError> {
    let path = folder.join("lock");
    let file = fs::File::create(&path).map_err(at("create", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => EngineError::Busy { kind },
        error => at("lock", &path)(error.into()),
    })
}

/// An environment that was begun and does not work is made again; one that does is kept with all that is in it.
fn make_environment(
    kind: &'static str,
    given: Option<&Path>,
    (environment, python): (&Path, &Path),
    stop: &dyn Fn() -> bool,
) -> Result<(), EngineError> {
    let works =
        process::answer(Command::new(python).args(["-E", "-P", "-m", "pip", "--version"]), process::PATIENCE).is_ok();
    if works {
        return Ok(());
    }
    let program = given.unwrap_or(Path::new("python3"));
    let mut command = Command::new(program);
    command.args(["-P", "-m", "venv", "--clear"]).arg(environment).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
    process::run(&mut command, stop, &mut |_| {}).map_err(|ended| match ended {
        Ended::Stopped => EngineError::Stopped { kind },
        ended => EngineError::NoPython { python: program.display().to_string(), why: ended.words() },
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::{Duration, Instant};

    use super::*;

    /// A program that plays Python: it makes an environment whose Python does nothing, after `before`.
    fn python(folder: &Path, before: &str) -> PathBuf {
        python_with(folder, before, "exit 0")
    }

    /// The same, whose environment's Python does `pip` where it is asked to install.
    fn python_with(folder: &Path, before: &str, pip: &str) -> PathBuf {
        let program = folder.join("python");
        let inside = folder.join("inside");
        fs::write(&inside, format!("#!/bin/sh\ncase \"$*\" in *' install '*) {pip};; esac\n")).expect("a script");
        let inside = inside.display();
        let make = format!(
            "for last; do :; done\nmkdir -p \"$last/bin\" && cp {inside} \"$last/bin/python\" && chmod +x \"$last/bin/python\""
        );
        fs::write(&program, format!("#!/bin/sh\n{before}\n{make}\n")).expect("a script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("a program");
        program
    }

    #[test]
    fn one_that_is_stopped_while_its_environment_is_made_says_so_and_the_same_command_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let into = folder.path().join("pytorch");
        let install = |python: PathBuf, stop: &dyn Fn() -> bool| {
            let options = InstallOptions { python: Some(python), extra_index: None, needed_bytes: Some(1) };
            install_packages(&into, ("pytorch", "numpy==1\n", 1, &[]), &options, stop, &mut |_| {})
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
            install_packages(&into, ("pytorch", "numpy==1\n", 1, &[]), &options, &|| false, &mut |_| {})
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
}
