//! Installing an engine: a virtual environment, pinned packages, one import to see that it works, then its record.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use recspeed_types::spec::EngineKind;

use crate::catalogue::Reference;
use crate::damage::{self, Damage, Noted};
use crate::engines::{Engines, State};
use crate::error::{EngineError, at};
use crate::process::{self, Ended, bytes_below};
use crate::record::{Mending, Record, fingerprint};
use crate::room::Room;
use crate::{package, python};

/// How an engine is installed.
#[derive(Debug, Clone, Default)]
pub struct InstallOptions {
    /// The Python that makes the environment (that of the last installation into the same folder unless set, or else
    /// `python3`).
    pub python: Option<PathBuf>,
    /// Another package index beside PyPI (that of the last installation into the same folder unless set).
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
    /// The same, and first it compiles a part of itself.
    Compile,
    /// What was there does not do; why, and what is done about it.
    Mend(String),
}

impl Engines {
    /// Installs an engine, or goes on with an installation that was interrupted. One that is whole, starts and is what was installed is left
    /// as it is; so is somebody else's that starts, whatever it has become.
    ///
    /// Packages of which files are not as they were installed are installed again. Where it does not start even so, its environment is made
    /// anew; so is one that was made in another place, before the lab's folder was moved. Where a mending fails, what was there before it is
    /// noted, and taken back once it is whole and starts again. Packages that have been downloaded whole are not downloaded again where
    /// their index lets pip keep them (a header `Cache-Control` or `ETag`); what is kept is removed once all is installed.
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
        let kind = reference.kind;
        let before = match self.state(kind) {
            State::Ready(record) | State::Unmended(Mending { record, .. }) => Some(record),
            _ => None,
        };
        let mut why = String::new();
        if let Some(record) = &before {
            match self.still(kind, record, tell) {
                Ok(record) => return Ok(record),
                Err(unlike) => {
                    tell(Step::Mend(unlike.clone()));
                    why = unlike;
                }
            }
        }
        let own = before.filter(|record| record.own);
        let folder = self.folder(kind);
        let room = self.room_of(reference, own.as_ref());
        let installation = Installation::begin((kind.as_str(), &folder, room), options, stop)?;
        let mending = own.map(|record| Mending { why, failed: "it was interrupted".to_owned(), record });
        if let Some(mending) = &mending {
            self.note_mending(kind, mending)?;
            self.forget(kind)?;
        }
        if self.was_moved(kind) {
            tell(Step::Mend("its environment was made in another place: it is made anew".to_owned()));
            installation.environment_anew(tell)?;
        }
        let new = match installation.mended(reference.requirements, mending.as_ref().map(|it| &it.record), tell) {
            Ok(new) => new,
            Err(error) => {
                if let Some(mending) = mending {
                    self.keep(kind, mending, &error);
                }
                return Err(error);
            }
        };
        tell(self.trying(kind));
        let python = python_of(&folder);
        let mut asked = self.ask(kind, &python, NO_USE.to_owned());
        if !new && let Err(EngineError::DoesNotStart { why, .. }) = &asked {
            // Looked at so far was the room of what was mended.
            if let Err(error) = room.anew().look((kind.as_str(), &folder), options) {
                if let Some(mending) = mending {
                    self.keep(kind, mending, &error);
                }
                return Err(error);
            }
            tell(Step::Mend(format!("it does not start ({why}): its environment is made anew")));
            installation.environment_anew(tell)?;
            installation.packages(reference.requirements, tell)?;
            tell(self.trying(kind));
            asked = self.ask(kind, &python, NO_USE.to_owned());
        }
        let versions = asked?;
        remove_folder(&installation.downloads())?;
        let environment = environment_of(&folder);
        let as_they_came =
            damage::of_environment(&environment, Noted::default()).map(|damage| damage.files).unwrap_or_default();
        let lists = Some(damage::lists_of(&environment));
        let (requirements, package) = (fingerprint(reference.requirements), package::version());
        let bytes = bytes_below(&folder);
        let record = Record { python, own: true, requirements, package, versions, bytes, as_they_came, lists };
        self.write(kind, &record)?;
        Ok(record)
    }

    /// Notes again what was there before a mending that failed, as without a network: where it starts as it did, nobody
    /// loses it; where it does not, nobody loses why.
    fn keep(&self, kind: EngineKind, mending: Mending, error: &EngineError) {
        // Where it cannot be noted it was interrupted, as noted before, and the same command goes on.
        let _ = if self.ask(kind, &mending.record.python, String::new()).is_ok() {
            self.write(kind, &mending.record)
        } else {
            let failed = match error {
                EngineError::Pip { why, .. } => why.clone(),
                EngineError::Stopped { .. } => "it was stopped".to_owned(),
                other => other.to_string(),
            };
            self.note_mending(kind, &Mending { failed, ..mending })
        };
    }

    /// What it does while it is asked whether it starts.
    fn trying(&self, kind: EngineKind) -> Step {
        if self.compiles(kind) { Step::Compile } else { Step::Check }
    }

    /// The record of an engine that is ready, as it is now; or in what it is not what was installed, or does not start.
    fn still(&self, kind: EngineKind, record: &Record, tell: &mut dyn FnMut(Step)) -> Result<Record, String> {
        tell(self.trying(kind));
        if let Some(damage) = self.damage(kind, record) {
            return Err(damage.to_string());
        }
        let versions = self.ask(kind, &record.python, String::new()).map_err(|error| match error {
            EngineError::DoesNotStart { why, .. } if record.own => format!("it does not start ({why})"),
            EngineError::DoesNotStart { python, why, .. } => {
                format!("it does not start with {} ({why}): the lab makes an environment of its own", python.display())
            }
            other => other.to_string(),
        })?;
        let changes = record.changes(&versions);
        if record.own && !changes.is_empty() {
            return Err(format!("it has {}", changes.join(", ")));
        }
        // An older version of the lab noted no lists of an environment of its own.
        let of_own = || record.own.then(|| damage::lists_of(&self.environment(kind)));
        let lists = record.lists.clone().or_else(of_own);
        let record = Record { versions, package: package::version(), lists, ..record.clone() };
        // Where it cannot be noted, the next one finds out the same.
        let _ = self.write(kind, &record);
        Ok(record)
    }
}

/// What is left to try where an environment that was just made does not do.
pub(crate) const NO_USE: &str = "what is pinned does not work with this Python or on this machine: name another Python, 3.11 or newer, with \
                                 --python, or an environment that works with --existing";

/// The virtual environment in an engine's folder.
pub(crate) fn environment_of(folder: &Path) -> PathBuf {
    folder.join("environment")
}

/// The Python of that environment.
pub(crate) fn python_of(folder: &Path) -> PathBuf {
    environment_of(folder).join("bin").join("python")
}

/// An installation into a folder, into which nobody else installs meanwhile.
pub(crate) struct Installation<'a> {
    kind: &'static str,
    folder: &'a Path,
    options: &'a InstallOptions,
    /// Another package index beside PyPI.
    index: Option<String>,
    stop: &'a dyn Fn() -> bool,
    _alone: Flock<fs::File>,
}

impl<'a> Installation<'a> {
    /// Nothing is begun where there is no Python that could make an environment, or too little room.
    pub(crate) fn begin(
        (kind, folder, room): (&'static str, &'a Path, Room),
        options: &'a InstallOptions,
        stop: &'a dyn Fn() -> bool,
    ) -> Result<Self, EngineError> {
        if !has_pip(&python_of(folder)) {
            fit(&program(folder, options))?;
        }
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        let alone = alone(kind, folder)?;
        // Whoever is killed cleans nothing up: its remains are of no use to the next one, and would be taken for a part of what is needed.
        remove_folder(&folder.join("tmp"))?;
        if let Err(error) = room.look((kind, folder), options) {
            if bytes_below(folder) == 0 {
                // Nothing has been begun.
                let _ = fs::remove_dir_all(folder);
            }
            return Err(error);
        }
        let index = index(folder, options)?;
        Ok(Self { kind, folder, options, index, stop, _alone: alone })
    }

    /// Sees that the environment is there and all packages in it, those that are damaged anew; whether the environment
    /// was made.
    fn mended(
        &self,
        requirements: &str,
        before: Option<&Record>,
        tell: &mut dyn FnMut(Step),
    ) -> Result<bool, EngineError> {
        let mut new = self.environment(tell)?;
        let noted = before.map_or_else(Noted::default, |record| Noted {
            as_they_came: &record.as_they_came,
            lists: record.lists.as_ref(),
            pinned: &[],
        });
        if !new && let Some(damage) = damage::of_environment(&environment_of(self.folder), noted) {
            // What installs is no more to be trusted than what it has installed.
            if damage.is_in("pip") {
                tell(Step::Mend("pip is damaged: the environment is made anew".to_owned()));
                self.environment_anew(tell)?;
                new = true;
            } else {
                tell(Step::Mend(format!("installing again: {}", damage.owners())));
                self.packages_again(&damage, tell)?;
            }
        }
        self.packages(requirements, tell)?;
        Ok(new)
    }

    /// Makes the environment, unless there is one that works, with all that is in it; whether it was made.
    pub(crate) fn environment(&self, tell: &mut dyn FnMut(Step)) -> Result<bool, EngineError> {
        let there = has_pip(&python_of(self.folder));
        if !there {
            self.environment_anew(tell)?;
        }
        Ok(!there)
    }

    /// Makes the environment, and first removes the one that may be there.
    pub(crate) fn environment_anew(&self, tell: &mut dyn FnMut(Step)) -> Result<(), EngineError> {
        tell(Step::Environment);
        let program = program(self.folder, self.options);
        fit(&program)?;
        let mut venv = Command::new(&program);
        venv.args(["-P", "-m", "venv", "--clear"]).arg(environment_of(self.folder));
        venv.env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        process::run(&mut venv, self.stop, &mut |_| {}).map_err(|ended| match ended {
            Ended::Stopped => EngineError::Stopped { kind: self.kind },
            ended => EngineError::NoPython { python: program.display().to_string(), why: ended.words() },
        })
    }

    /// Installs packages from pinned requirements. What was downloaded whole is kept in [`Self::downloads`] until all is
    /// installed, by pip's cache: packages of an index that sends `Cache-Control` or `ETag` with them, as PyPI does. Of
    /// another one, as some mirrors, pip keeps nothing. `pip download` would, but only once it has every package, and
    /// source packages, as that of `torchgpipe`, could not be built behind it without an index.
    pub(crate) fn packages(&self, requirements: &str, tell: &mut dyn FnMut(Step)) -> Result<(), EngineError> {
        let mut pip = self.pip("install");
        pip.arg("--cache-dir").arg(self.downloads()).arg("--requirement").arg(self.list(requirements)?);
        self.run(pip, tell)
    }

    /// Installs packages over what is there of them. Not `--force-reinstall`: that removes them first, for which it needs the list of their
    /// files, which may be gone too.
    fn packages_again(&self, damage: &Damage, tell: &mut dyn FnMut(Step)) -> Result<(), EngineError> {
        let mut pip = self.pip("install");
        // One that stands in another version's place would be laid over it: what is asked for below puts it there.
        let environment = environment_of(self.folder);
        let broken = damage.packages.iter().filter(|package| !damage::is_replaced(&environment, package));
        let broken: Vec<&String> = broken.collect();
        if broken.is_empty() {
            return Ok(());
        }
        pip.args(["--ignore-installed", "--no-deps", "--cache-dir"]).arg(self.downloads()).args(broken);
        self.run(pip, tell)
    }

    /// Where downloads are kept until all is installed.
    pub(crate) fn downloads(&self) -> PathBuf {
        downloads_of(self.folder)
    }

    /// Writes requirements where pip reads them.
    pub(crate) fn list(&self, requirements: &str) -> Result<PathBuf, EngineError> {
        let list = self.folder.join("requirements.txt");
        fs::write(&list, requirements).map_err(at("write", &list))?;
        Ok(list)
    }

    /// pip of the environment, asked for this.
    pub(crate) fn pip(&self, verb: &str) -> Command {
        let mut pip = Command::new(python_of(self.folder));
        pip.args(["-s", "-P", "-m", "pip", verb, "--disable-pip-version-check", "--no-input", "--progress-bar", "off"]);
        if let Some(index) = &self.index {
            pip.arg("--extra-index-url").arg(index);
        }
        pip.env_remove("PYTHONHOME").env_remove("PYTHONPATH").env_remove("PIP_TARGET").env_remove("PIP_USER");
        pip
    }

    /// Runs pip to its end.
    pub(crate) fn run(&self, mut pip: Command, tell: &mut dyn FnMut(Step)) -> Result<(), EngineError> {
        // Large packages are unpacked there before they are installed, and /tmp is often small.
        let unpacking = self.folder.join("tmp");
        fs::create_dir_all(&unpacking).map_err(at("create", &unpacking))?;
        pip.env("TMPDIR", &unpacking);
        let mut quiet = 0_u32;
        let mut errors = Errors::default();
        let mut hear = |line: Option<&str>| {
            if let Some(line) = line {
                errors.hear(line);
                return tell(Step::Installer(line.to_owned()));
            }
            quiet += 1;
            // Five times a second is too often to count files.
            if quiet.is_multiple_of(10) {
                tell(Step::Bytes(bytes_below(self.folder)));
            }
        };
        let ended = process::run(&mut pip, self.stop, &mut hear);
        let removed = remove_folder(&unpacking);
        ended.map_err(|ended| match ended {
            Ended::Stopped => EngineError::Stopped { kind: self.kind },
            ended => EngineError::Pip { kind: self.kind, why: errors.words().unwrap_or_else(|| ended.words()) },
        })?;
        removed
    }
}

/// What pip calls an error, among all else that it says of what it tries.
#[derive(Default)]
struct Errors {
    told: Vec<String>,
    is_cut_off: bool,
}

impl Errors {
    /// Most that are told.
    const MOST: usize = 2;

    fn hear(&mut self, line: &str) {
        self.is_cut_off |= line.contains("connection broken by");
        if let Some(error) = line.trim().strip_prefix("ERROR: ")
            && self.told.len() < Self::MOST
        {
            self.told.push(error.chars().take(400).collect());
        }
    }

    fn words(&self) -> Option<String> {
        // Without a network it finds no version of anything, which it calls the error.
        let network = if self.is_cut_off { "; there is no connection to the package index" } else { "" };
        (!self.told.is_empty()).then(|| format!("{}{network}", self.told.join("; ")))
    }
}

/// Where an installation into this folder keeps its downloads.
pub(crate) fn downloads_of(folder: &Path) -> PathBuf {
    folder.join("downloads")
}

/// The index that is given, and kept for whatever is installed again; or the one that was kept. What may hold a password is not kept.
fn index(folder: &Path, options: &InstallOptions) -> Result<Option<String>, EngineError> {
    let kept = folder.join("extra-index");
    let Some(index) = &options.extra_index else {
        return Ok(fs::read_to_string(&kept).ok().filter(|index| !index.is_empty()));
    };
    if index.contains('@') {
        remove_file(&kept)?;
    } else {
        fs::write(&kept, index).map_err(at("write", &kept))?;
    }
    Ok(Some(index.clone()))
}

/// The Python that makes the environment in this folder: the one that is given; the one that has made what is there,
/// which whoever has it mended need not name again; or the system's.
fn program(folder: &Path, options: &InstallOptions) -> PathBuf {
    let given = options.python.clone();
    given.or_else(|| maker(&environment_of(folder))).unwrap_or_else(|| PathBuf::from("python3"))
}

/// The Python that has made an environment, as that notes it (`pyvenv.cfg`), where it is still there.
fn maker(environment: &Path) -> Option<PathBuf> {
    let notes = fs::read_to_string(environment.join("pyvenv.cfg")).ok()?;
    let mut notes = notes.lines().filter_map(|line| line.split_once('='));
    let (_, python) = notes.find(|(name, _)| name.trim() == "executable")?;
    Some(PathBuf::from(python.trim())).filter(|python| python.is_file())
}

/// Whether that is a Python which can.
fn fit(program: &Path) -> Result<(), EngineError> {
    let no_python = |why| EngineError::NoPython { python: program.display().to_string(), why };
    python::unfit(program).map_or(Ok(()), |why| Err(no_python(why)))
}

pub(crate) fn has_pip(python: &Path) -> bool {
    let mut pip = Command::new(python);
    process::answer(pip.args(["-E", "-P", "-m", "pip", "--version"]), process::PATIENCE).is_ok()
}

/// Removes a file, where it is there.
pub(crate) fn remove_file(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
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

/// Whether another process installs into this folder now.
pub(crate) fn is_busy(folder: &Path) -> bool {
    let Ok(file) = fs::File::open(folder.join("lock")) else { return false };
    // Shared: several may look at once.
    matches!(Flock::lock(file, FlockArg::LockSharedNonblock), Err((_, Errno::EWOULDBLOCK)))
}

#[cfg(test)]
mod tests;
