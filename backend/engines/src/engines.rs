//! The folder of engines: which are there, and how one is started.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use recspeed_types::spec::EngineKind;
use serde::Serialize;

use crate::catalogue::{Reference, find};
use crate::damage::{self, Damage, Noted};
use crate::error::{EngineError, at};
use crate::record::{Mending, Record, fingerprint};
use crate::{install, package, process, python};

/// Names the folder where an engine keeps what it compiles: an environment may be somebody else's.
const COMPILED: &str = "RECSPEED_COMPILED";

/// The folder of engines.
#[derive(Debug, Clone)]
pub struct Engines {
    root: PathBuf,
}

/// What there is of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Missing,
    /// An installation that did not come to its end.
    Unfinished,
    /// One that another process is installing now.
    Busy,
    /// One that was damaged, and whose mending did not come to its end.
    Unmended(Mending),
    /// One whose Python is gone, or whose record is damaged; why it cannot be used.
    Stale(String),
    /// One that another version of the lab installed; in what it does not do for this one.
    OtherVersion(String),
    /// One of which files are not as they were installed: [`Engines::look`] tells that, [`Engines::state`] does not look.
    Damaged(Damage),
    /// All of it.
    Ready(Record),
}

/// What an engine said when it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What it is made of now.
    pub versions: BTreeMap<String, String>,
    /// What is another than when it was installed.
    pub changes: Vec<String>,
    /// Whether another version of the lab has installed it, and it does for this one all the same.
    pub other_version: bool,
    /// The Python that somebody has named, where the environment is theirs.
    pub existing: Option<PathBuf>,
}

/// How an engine is started: `python -m recspeed_engines KIND …` with the folder in `PYTHONPATH`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// The engine.
    pub kind: EngineKind,
    /// The Python of its environment.
    pub python: PathBuf,
    /// The folder that the package lies in.
    pub package: PathBuf,
    /// The folder of the lab for what the engine compiles.
    pub compiled: PathBuf,
    /// What it is made of.
    pub record: Record,
}

impl Launch {
    /// The program with everything that does not depend on the job.
    pub fn command(&self) -> Command {
        command(&self.python, (&self.package, &self.compiled), self.kind)
    }
}

/// The environment of the one who starts it must not change what is imported, nor the folder it is started in (`-P`).
fn command(python: &Path, (package, compiled): (&Path, &Path), kind: EngineKind) -> Command {
    let mut command = Command::new(python);
    command.args(["-s", "-P", "-m", "recspeed_engines", kind.as_str()]);
    command.env("PYTHONPATH", package).env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
    command.env_remove("PYTHONHOME").env_remove("PYTHONSTARTUP").env_remove("RECSPEED_RANK");
    command.env(COMPILED, compiled);
    // It ends once this process is gone, also where that happens before it looks for the first time.
    command.env("RECSPEED_PARENT", std::process::id().to_string());
    command
}

impl Engines {
    /// The engines of the lab whose folder is `home`, or else `$RECSPEED_HOME`, `$XDG_DATA_HOME/recspeed`,
    /// `~/.local/share/recspeed`.
    ///
    /// # Errors
    /// [`EngineError::NoPlace`].
    pub fn open(home: Option<&Path>) -> Result<Self, EngineError> {
        let given = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = home
            .map(Path::to_owned)
            .or_else(|| given("RECSPEED_HOME"))
            .or_else(|| given("XDG_DATA_HOME").map(|folder| folder.join("recspeed")))
            .or_else(|| given("HOME").map(|folder| folder.join(".local/share/recspeed")))
            .ok_or(EngineError::NoPlace)?;
        Ok(Self { root: home.join("engines") })
    }

    /// The folder itself; it may not exist yet.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn folder(&self, kind: EngineKind) -> PathBuf {
        self.root.join(kind.as_str())
    }

    /// Where engines keep what they compile. Not in the folder of one: that is there once its installation has begun.
    fn compiled(&self) -> PathBuf {
        self.root.join("compiled")
    }

    /// Whether this engine compiles a part of itself when it is asked for the first time: minutes. What it has compiled is
    /// there once it is done, for whichever of its environments.
    pub fn compiles(&self, kind: EngineKind) -> bool {
        kind == EngineKind::Deepspeed && !self.compiled().is_dir()
    }

    fn mending_file(&self, kind: EngineKind) -> PathBuf {
        self.folder(kind).join("mending.json")
    }

    fn record_file(&self, kind: EngineKind) -> PathBuf {
        self.folder(kind).join("record.json")
    }

    pub(crate) fn environment(&self, kind: EngineKind) -> PathBuf {
        install::environment_of(&self.folder(kind))
    }

    /// What there is of this engine, by its record alone, and whether another process is at it.
    pub fn state(&self, kind: EngineKind) -> State {
        let noted = self.noted(kind);
        let is_over = matches!(noted, State::Missing | State::Ready(_));
        if !is_over && install::is_busy(&self.folder(kind)) { State::Busy } else { noted }
    }

    fn noted(&self, kind: EngineKind) -> State {
        let text = match fs::read(self.record_file(kind)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mending = fs::read(self.mending_file(kind)).ok();
                let mending = mending.and_then(|text| serde_json::from_slice(&text).ok());
                return match mending {
                    Some(mending) => State::Unmended(mending),
                    None if self.folder(kind).is_dir() => State::Unfinished,
                    None => State::Missing,
                };
            }
            Err(error) => return State::Stale(format!("its record cannot be read ({error})")),
        };
        let record: Record = match serde_json::from_slice(&text) {
            Ok(record) => record,
            // Whatever is whole and no record of this version is one of another.
            Err(error) if serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text).is_ok() => {
                return State::OtherVersion(format!("its record has another form: {error}"));
            }
            Err(error) => return State::Stale(format!("its record is damaged ({error})")),
        };
        if !record.python.is_file() {
            if self.is_elsewhere(kind, &record) {
                return State::Stale(format!(
                    "its environment was made in another place, {}, and cannot be moved: installing makes it anew",
                    record.python.display()
                ));
            }
            return State::Stale(format!("{} is gone", record.python.display()));
        }
        let expected = find(kind).map(|reference| fingerprint(reference.requirements));
        if record.own && expected.as_ref() != Some(&record.requirements) {
            return State::OtherVersion("it has other packages than this one asks for".to_owned());
        }
        State::Ready(record)
    }

    /// Whether the environment of the lab's own was made where it is not any more, as before the lab's folder was moved: programs in it name
    /// the former place.
    fn is_elsewhere(&self, kind: EngineKind, record: &Record) -> bool {
        let here = install::python_of(&self.folder(kind));
        record.own && !record.python.is_file() && record.python != here && here.is_file()
    }

    /// The same by its record.
    pub(crate) fn was_moved(&self, kind: EngineKind) -> bool {
        let record = fs::read(self.record_file(kind)).ok();
        let record = record.and_then(|text| serde_json::from_slice(&text).ok());
        record.is_some_and(|record: Record| self.is_elsewhere(kind, &record))
    }

    /// What there is of this engine, with the files of an environment of the lab's own held against what was installed: their names and
    /// sizes, a fraction of a second for tens of thousands of them.
    pub fn look(&self, kind: EngineKind) -> State {
        match self.state(kind) {
            State::Ready(record) => self.damage(kind, &record).map_or(State::Ready(record), State::Damaged),
            other => other,
        }
    }

    /// What is not as it was installed in an environment of the lab's own; somebody else's may become what they like.
    pub(crate) fn damage(&self, kind: EngineKind, record: &Record) -> Option<Damage> {
        let pinned: Vec<&str> = find(kind).into_iter().flat_map(Reference::pins).map(|pin| pin.name).collect();
        let noted =
            Noted { as_they_came: &record.as_they_came, lists: record.lists.as_ref(), pinned: pinned.as_slice() };
        record.own.then(|| damage::of_environment(&self.environment(kind), noted)).flatten()
    }

    /// How this engine is started.
    ///
    /// # Errors
    /// [`EngineError`]: it is not there, or not whole, with the command that mends it.
    pub fn launch(&self, kind: EngineKind) -> Result<Launch, EngineError> {
        let name = kind.as_str();
        match self.state(kind) {
            State::Missing => Err(EngineError::Missing { kind: name }),
            State::Unfinished => Err(EngineError::Unfinished { kind: name }),
            State::Busy => Err(EngineError::Busy { kind: name }),
            State::Unmended(Mending { why, failed, .. }) => Err(EngineError::Unmended { kind: name, why, failed }),
            State::Stale(why) => Err(EngineError::Stale { kind: name, why, remedy: again(name) }),
            State::OtherVersion(why) => Err(EngineError::OtherVersion { kind: name, why, remedy: again(name) }),
            State::Damaged(damage) => Err(EngineError::Damaged { kind: name, damage }),
            State::Ready(record) => {
                let (python, package, compiled) = (record.python.clone(), self.package()?, self.compiled());
                Ok(Launch { kind, python, package, compiled, record })
            }
        }
    }

    /// How this engine is started, its files looked at: [`Self::look`].
    ///
    /// # Errors
    /// As [`Self::launch`], and [`EngineError::Damaged`].
    pub fn launch_whole(&self, kind: EngineKind) -> Result<Launch, EngineError> {
        let launch = self.launch(kind)?;
        match self.damage(kind, &launch.record) {
            None => Ok(launch),
            Some(damage) => Err(EngineError::Damaged { kind: kind.as_str(), damage }),
        }
    }

    pub(crate) fn package(&self) -> Result<PathBuf, EngineError> {
        package::unpacked(&self.root.join("package"))
    }

    /// Takes back an engine whose mending failed, where it is whole and starts again: nothing is downloaded.
    fn take_back(&self, kind: EngineKind) -> Result<(), EngineError> {
        if !matches!(self.state(kind), State::Unmended(_)) {
            return Ok(());
        }
        // Who may not write there, or comes while another process is at it, is told what is noted.
        let Ok(_alone) = install::alone(kind.as_str(), &self.folder(kind)) else { return Ok(()) };
        // By now another process may have mended it: its record counts, and not what was there before.
        let State::Unmended(mending) = self.noted(kind) else { return Ok(()) };
        if self.damage(kind, &mending.record).is_some() {
            return Ok(());
        }
        match self.ask(kind, &mending.record.python, String::new()) {
            Ok(versions) if mending.record.changes(&versions).is_empty() => {
                self.write(kind, &Record { versions, package: package::version(), ..mending.record })
            }
            _ => Ok(()),
        }
    }

    /// Looks at the files of an installed engine ([`Self::look`]) and asks it to import all that it needs; what it is made of.
    ///
    /// # Errors
    /// As [`Self::launch`]; [`EngineError::Damaged`], [`EngineError::DoesNotStart`], or [`EngineError::OtherVersion`] where another
    /// version installed it. Each names what mends it: [`Self::install`], or in somebody else's environment they.
    pub fn check(&self, kind: EngineKind) -> Result<Checked, EngineError> {
        self.take_back(kind)?;
        let Launch { record, python, .. } = self.launch(kind)?;
        if let Some(damage) = self.damage(kind, &record) {
            return Err(EngineError::Damaged { kind: kind.as_str(), damage });
        }
        let other_version = record.package != package::version();
        let versions = self.ask(kind, &python, remedy(kind, &record)).map_err(|error| match error {
            EngineError::DoesNotStart { kind, why, remedy, .. } if other_version => {
                EngineError::OtherVersion { kind, why, remedy }
            }
            other => other,
        })?;
        let changes = record.changes(&versions);
        let existing = (!record.own).then_some(python);
        if other_version {
            // Where it cannot be noted it is tried again the next time.
            let _ = self.note_tried(kind, record);
        }
        Ok(Checked { versions, changes, other_version, existing })
    }

    /// Notes that what this record is of was tried with this version. What somebody has installed or noted meanwhile stays.
    fn note_tried(&self, kind: EngineKind, record: Record) -> Result<(), EngineError> {
        let _alone = install::alone(kind.as_str(), &self.folder(kind))?;
        match self.state(kind) {
            State::Ready(now) if now == record => self.write(kind, &Record { package: package::version(), ..record }),
            _ => Ok(()),
        }
    }

    /// How this engine is started, its files looked at, and tried once with each version of the lab's own package: what another version
    /// installed may lack what this one imports.
    ///
    /// # Errors
    /// As [`Self::launch`] and [`Self::check`].
    pub fn launch_tried(&self, kind: EngineKind) -> Result<Launch, EngineError> {
        let launch = self.launch(kind)?;
        if launch.record.package == package::version() {
            if let Some(damage) = self.damage(kind, &launch.record) {
                return Err(EngineError::Damaged { kind: kind.as_str(), damage });
            }
        } else {
            self.check(kind)?;
        }
        Ok(launch)
    }

    /// Uses somebody's Python environment as this engine; it is asked, and never changed.
    ///
    /// # Errors
    /// [`EngineError::DoesNotStart`] where it lacks what the engine needs, or is no Python.
    pub fn adopt(&self, reference: &Reference, python: &Path) -> Result<Record, EngineError> {
        // Not canonical: a virtual environment's Python is a link, and is told from the system's by where the link lies.
        let python = std::path::absolute(python).map_err(at("find", python))?;
        let lacks = format!("{}, or name another with --existing", owners(reference.kind, &python));
        let versions = self.ask(reference.kind, &python, lacks).map_err(|error| match error {
            EngineError::DoesNotStart { kind, python, why, remedy } => match python::unfit(&python) {
                Some(why) => EngineError::DoesNotStart { kind, python, why, remedy: python::WANTED.to_owned() },
                None => EngineError::DoesNotStart { kind, python, why, remedy },
            },
            other => other,
        })?;
        let (requirements, package) = (fingerprint(reference.requirements), package::version());
        let as_they_came = Vec::new();
        let record =
            Record { python, own: false, requirements, package, versions, bytes: 0, as_they_came, lists: None };
        self.write(reference.kind, &record)?;
        Ok(record)
    }

    /// Lets an engine import all that it needs; what it is made of. `remedy`: what is said to mend it where it cannot.
    pub(crate) fn ask(
        &self,
        kind: EngineKind,
        python: &Path,
        remedy: String,
    ) -> Result<BTreeMap<String, String>, EngineError> {
        let package = self.package()?;
        let mut command = command(python, (&package, &self.compiled()), kind);
        let patience = if kind == EngineKind::Deepspeed { process::COMPILING } else { process::PATIENCE };
        let asked = process::answer(command.arg("--check"), patience);
        let answered = asked.map_err(process::Ended::words).and_then(|answer| {
            serde_json::from_slice(&answer).map_err(|error| format!("it answered with something else ({error})"))
        });
        answered.map_err(|why| EngineError::DoesNotStart {
            kind: kind.as_str(),
            python: python.to_owned(),
            why,
            remedy,
        })
    }

    pub(crate) fn write(&self, kind: EngineKind, record: &Record) -> Result<(), EngineError> {
        self.write_record(&self.record_file(kind), record)?;
        install::remove_file(&self.mending_file(kind))
    }

    /// Notes why an engine is mended, and why that came to no end; whoever finds no record finds this.
    pub(crate) fn note_mending(&self, kind: EngineKind, mending: &Mending) -> Result<(), EngineError> {
        self.write_record(&self.mending_file(kind), mending)
    }

    /// From here on it is no engine, until it is whole.
    pub(crate) fn forget(&self, kind: EngineKind) -> Result<(), EngineError> {
        install::remove_file(&self.record_file(kind))
    }

    /// Whole or not at all.
    pub(crate) fn write_record(&self, path: &Path, record: &impl Serialize) -> Result<(), EngineError> {
        let folder = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder).map_err(at("create", folder))?;
        let text = serde_json::to_vec_pretty(record).map_err(|error| at("write", path)(error.into()))?;
        let file = tempfile::NamedTempFile::new_in(folder).map_err(at("write", folder))?;
        fs::write(file.path(), text).map_err(at("write", path))?;
        file.persist(path).map_err(|error| at("write", path)(error.error))?;
        Ok(())
    }
}

/// What mends whatever the lab has installed.
pub(crate) fn again(kind: &str) -> String {
    format!("run `recspeed engines install {kind}` again")
}

/// What mends an environment in which an engine does not start. The lab changes nothing in somebody else's.
fn remedy(kind: EngineKind, record: &Record) -> String {
    let name = kind.as_str();
    if record.own {
        return format!(
            "run `recspeed engines install {name}`, which installs what is missing, and makes its environment anew where it does not start \
             even so"
        );
    }
    let owners = owners(kind, &record.python);
    format!("{owners}, or run `recspeed engines install {name}` for an environment of the lab's own instead")
}

/// What somebody does whose environment lacks something.
fn owners(kind: EngineKind, python: &Path) -> String {
    let pins = find(kind).into_iter().flat_map(Reference::pins);
    let pins: Vec<String> = pins.map(|pin| format!("{}=={}", pin.name, pin.version)).collect();
    format!(
        "that environment is not the lab's: whoever keeps it installs there what it lacks (`{} -m pip install {}`)",
        python.display(),
        pins.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in;

    #[test]
    fn what_was_tried_is_noted_and_what_was_installed_meanwhile_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let kind = EngineKind::Pytorch;
        let (python, newer) = (folder.path().join("python"), folder.path().join("newer.json"));
        let record = |package: &str, torch: &str| Record {
            python: python.clone(),
            own: false,
            requirements: String::new(),
            package: package.to_owned(),
            versions: [("torch".to_owned(), torch.to_owned())].into(),
            bytes: 0,
            as_they_came: Vec::new(),
            lists: None,
        };
        let kept = || match engines.state(kind) {
            State::Ready(record) => record,
            other => panic!("{other:?}"),
        };
        // A program that plays Python, and before it answers does this.
        let plays = |before: &str| {
            stand_in::program(&python, &format!("{before}\necho '{{\"torch\":\"1\"}}'"));
            engines.write(kind, &record("an older one", "1")).expect("written");
        };
        plays("");
        assert!(engines.check(kind).expect("it starts").other_version);
        assert_eq!(kept(), record(&package::version(), "1"), "nothing but the package is changed");
        let theirs = record("that of whoever installs", "2");
        fs::write(&newer, serde_json::to_vec(&theirs).expect("JSON")).expect("written");
        plays(&format!("cp {} {}", newer.display(), engines.record_file(kind).display()));
        engines.check(kind).expect("it starts");
        assert_eq!(kept(), theirs);
        // While somebody installs, the record is theirs.
        plays("");
        let installing = install::alone(kind.as_str(), &engines.folder(kind)).expect("nobody else");
        engines.check(kind).expect("it starts");
        assert_eq!(kept().package, "an older one");
        drop(installing);
    }
}
