//! Devices as a study sees them: here, or missing with what brings them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use recspeed_engines::{EngineError, Engines, Reference, find, gpu};
use recspeed_types::build::{built_from, words_beside};
use recspeed_types::probe::Probe;
use recspeed_types::spec::{Device, EngineKind, Launcher};
use recspeed_types::study::Missing;
use recspeed_types::{Absence, AbsentDevice, ExperimentSpec};

use super::child::{Answer, ask};
use super::named::OnDevice;
use crate::launch::of_devices;

/// How long a worker may take to say what it can do: each of its drivers is tried, for a minute at most.
const PATIENCE: Duration = Duration::from_mins(3);
/// Brings MPI into the usual worker, where Open MPI is installed.
const WITH_MPI: &str =
    "cargo build --release --workspace --bin recspeed --bin recspeed-worker --features recspeed-worker/mpi";

/// Where the rows of a study run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The usual worker; others stand beside it.
    pub(super) worker: &'a Path,
    /// The reference engines.
    pub(super) engines: &'a Engines,
    /// What both have answered so far.
    pub(super) answers: &'a Answers,
}

/// What engines and devices of one study lack, and what workers said. Each is tried once, not for every row of it: one that does not start may
/// take minutes.
#[derive(Debug, Default)]
pub(super) struct Answers {
    lacks: RefCell<BTreeMap<&'static str, Option<Missing>>>,
    probes: RefCell<BTreeMap<PathBuf, Result<Probe, Silent>>>,
}

/// A worker that does not say what it can do.
#[derive(Debug, Clone)]
enum Silent {
    Failed(String),
    Interrupted,
}

impl Answers {
    /// What a reference engine waits for.
    pub(super) fn lacks_engine(&self, engines: &Engines, kind: EngineKind) -> Option<Missing> {
        self.known(kind.as_str(), || lacks_engine(engines, kind))
    }

    /// What ranks over MPI wait for; `None` where the usual worker was built with it.
    fn lacks_mpi(&self, worker: &Path) -> Option<Missing> {
        self.known("mpi", || {
            let built = self.probe(worker).is_ok_and(|probe| probe.features.iter().any(|feature| feature == "mpi"));
            (!built).then(|| Missing { install: WITH_MPI.to_owned(), why: "no worker with MPI here".to_owned() })
        })
    }

    /// What a run of Burn on this device waits for; `None` where the device is here.
    pub(super) fn missing(&self, worker: &Path, device: Device) -> Option<Missing> {
        self.known(device.as_str(), || {
            let program = of_devices(worker, &[device]);
            missing_of(&self.probe(&program), &program, (worker, device))
        })
    }

    /// In what the worker that computes on these devices is another build than the usual one; nothing where it is that one, or says that it is of the
    /// same sources. Where neither says what it is of, an older file may be of other ones.
    pub(super) fn other_build(&self, worker: &Path, devices: &[Device]) -> Option<String> {
        let program = of_devices(worker, devices);
        if program == worker {
            return None;
        }
        let version = |program: &Path| self.probe(program).ok()?.versions.remove("recspeed");
        let [own, usual] = [program.as_path(), worker].map(|program| version(program).unwrap_or_default());
        if built_from(&own).is_none() && built_from(&usual).is_none() {
            let older = is_older(&program, worker);
            return older.then(|| "the build of its worker, which is older than the usual one's".to_owned());
        }
        (own != usual).then(|| {
            let [own, usual] = [words_beside(&own, &usual), words_beside(&usual, &own)];
            format!("the build of its worker (of {own}, the usual one of {usual})")
        })
    }

    fn probe(&self, program: &Path) -> Result<Probe, Silent> {
        let known = self.probes.borrow().get(program).cloned();
        known.unwrap_or_else(|| {
            let answer = probed(PATIENCE, program);
            self.probes.borrow_mut().insert(program.to_owned(), answer.clone());
            answer
        })
    }

    fn known(&self, name: &'static str, ask: impl FnOnce() -> Option<Missing>) -> Option<Missing> {
        let known = self.lacks.borrow().get(name).cloned();
        known.unwrap_or_else(|| {
            let answer = ask();
            self.lacks.borrow_mut().insert(name, answer.clone());
            answer
        })
    }
}

impl Place<'_> {
    /// In what a run of this spec takes a worker that is another build than the usual one.
    pub(super) fn other_build(&self, spec: &ExperimentSpec) -> Option<String> {
        let ours = !spec.engine.kind.is_reference();
        ours.then(|| self.answers.other_build(self.worker, &spec.devices())).flatten()
    }

    /// What a run of this spec waits for.
    pub(super) fn lacks(&self, spec: &ExperimentSpec) -> Option<Missing> {
        if spec.strategy.launcher == Some(Launcher::Mpi)
            && let Some(missing) = self.answers.lacks_mpi(self.worker)
        {
            return Some(missing);
        }
        let kind = spec.engine.kind;
        if kind.is_reference() {
            // PyTorch finds a GPU only once it runs; and without one there is no use in installing it for that.
            let no_gpu = self.engines.has_device(kind, spec.engine.device).err();
            if let Some(EngineError::NoDevice { why, .. }) = no_gpu {
                return Some(without(why, "", (kind, spec.engine.device)));
            }
            return self.answers.lacks_engine(self.engines, kind);
        }
        // The usual worker has flex; every other device of Burn is in a build of its own.
        let mut others = spec.devices().into_iter().filter(|device| *device != Device::Flex);
        others.find_map(|device| self.answers.missing(self.worker, device))
    }
}

/// Whether a worker was built before the usual one.
fn is_older(program: &Path, worker: &Path) -> bool {
    let built = |program: &Path| program.metadata().and_then(|file| file.modified()).ok();
    built(program).zip(built(worker)).is_some_and(|(own, usual)| own < usual)
}

fn lacks_engine(engines: &Engines, kind: EngineKind) -> Option<Missing> {
    // What mends it stands beside it.
    let why = match engines.launch_tried(kind).err()? {
        EngineError::Missing { .. } => "not installed".to_owned(),
        EngineError::Unfinished { .. } => "half installed".to_owned(),
        EngineError::Busy { .. } => "being installed by another process".to_owned(),
        EngineError::Unmended { failed, .. } => format!("damaged, and mending it failed: {failed}"),
        EngineError::Stale { why, .. } => why,
        EngineError::OtherVersion { .. } => "installed by another version".to_owned(),
        EngineError::Damaged { .. } => "damaged".to_owned(),
        other => other.to_string(),
    };
    Some(Missing { install: find(kind).map(Reference::install_command).unwrap_or_default(), why })
}

/// What a worker can do, as it says itself.
fn probed(patience: Duration, program: &Path) -> Result<Probe, Silent> {
    let mut command = Command::new(program);
    command.arg("probe");
    // Ctrl-C ends this program meanwhile, and the worker follows it.
    match ask::<Probe>(command, "", patience, &|| false) {
        Answer::Told(probe) => Ok(*probe),
        Answer::Failed(why) => Err(Silent::Failed(why)),
        Answer::Late => Err(Silent::Failed(format!("it took longer than {} s", patience.as_secs()))),
        Answer::Interrupted => Err(Silent::Interrupted),
    }
}

/// What a run on this device waits for, after what the program that would have it has said.
fn missing_of(said: &Result<Probe, Silent>, program: &Path, (worker, device): (&Path, Device)) -> Option<Missing> {
    let absent = match said {
        Ok(probe) => Some(probe.absence(device)?),
        Err(_) => None,
    };
    // What the machine lacks no worker brings, also one that says nothing.
    if let Some(why) = no_gpu(device) {
        return Some(without(why, "", (EngineKind::Burn, device)));
    }
    let why = match (absent, said) {
        // One that was built for it, before workers told why: its driver, its library, or it is another build.
        (Some(AbsentDevice { why: Absence::NotBuilt, .. }), _) if program != worker => {
            format!("{} has no such device", program.display())
        }
        (Some(absent), _) => return Some(without(absent.why, &absent.detail, (EngineKind::Burn, device))),
        (None, Err(Silent::Failed(why))) => {
            format!("the worker {} does not say what it can do: {why}", program.display())
        }
        (None, _) => format!("the worker {} was not asked to the end", program.display()),
    };
    Some(Missing { install: Absence::Silent.install(EngineKind::Burn, device), why })
}

/// A device that is not here for this reason, with what somebody has said of it and what brings it.
fn without(why: Absence, detail: &str, (engine, device): (EngineKind, Device)) -> Missing {
    let install = why.install(engine, device);
    let why = match why {
        Absence::NoGpu => return Missing::no_gpu(),
        Absence::NotBuilt => format!("no worker with {} here", device.as_str()),
        // Where a command brings it, that is what stands below the table; else the words are.
        why if install.is_empty() => {
            let remedy = why.remedy(engine, device);
            let said = [detail, remedy.as_str()].into_iter().filter(|words| !words.is_empty());
            format!("{} here: {}", why.words(), said.collect::<Vec<_>>().join("; "))
        }
        why => format!("{} here", why.words()),
    };
    Missing { install, why }
}

/// What this machine lacks for a row on this engine and device that nobody has asked for so far, and that no command
/// brings: a GPU. No worker is asked and no engine is started for it, which may take minutes.
pub(super) fn without_gpu((engine, device): OnDevice) -> Option<Missing> {
    no_gpu(device).map(|why| without(why, "", (engine, device)))
}

/// That there is no GPU for a device which computes on NVIDIA's and on nothing else.
fn no_gpu(device: Device) -> Option<Absence> {
    matches!(device, Device::LibtorchCuda | Device::Cuda).then(|| gpu().absence()).flatten()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn missing_within(patience: Duration, (worker, device): (&Path, Device)) -> Option<Missing> {
        let program = of_devices(worker, &[device]);
        missing_of(&probed(patience, &program), &program, (worker, device))
    }

    /// A worker that says this of itself.
    fn put(path: &Path, versions: &str) {
        let offers =
            format!(r#"{{"protocol":1,"versions":{{{versions}}},"features":[],"recommenders":[],"devices":[]}}"#);
        std::fs::write(path, format!("#!/bin/sh\necho '{offers}'\n")).expect("a script");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a program");
    }

    #[test]
    fn a_worker_of_another_build_than_the_usual_one_is_told_whichever_of_the_two_is_older() {
        let folder = tempfile::tempdir().expect("a folder");
        let (worker, build) = (folder.path().join("recspeed-worker"), folder.path().join("recspeed-worker-vulkan"));
        let of = |own: &str, usual: &str| {
            put(&build, own);
            put(&worker, usual);
            let told = |devices: &[Device]| Answers::default().other_build(&worker, devices);
            assert_eq!(told(&[Device::Flex]), None, "the usual worker itself");
            let alone = told(&[Device::Vulkan]);
            assert_eq!(told(&[Device::Flex, Device::Vulkan]), alone, "a stage is enough");
            alone
        };
        let [abc, def, bare] = ["\"recspeed\":\"0.1.0+abc\"", "\"recspeed\":\"0.1.0+def\"", "\"recspeed\":\"0.1.0\""];
        let [first, second] = ["1111", "2222"].map(|hash| format!("\"recspeed\":\"0.1.0+abc.changed.{hash}\""));
        let other =
            |own: &str, usual: &str| Some(format!("the build of its worker (of {own}, the usual one of {usual})"));
        assert_eq!(of(abc, abc), None);
        assert_eq!(of(&first, &first), None);
        assert_eq!(of(abc, def), other("commit abc", "commit def"));
        assert_eq!(of(def, abc), other("commit def", "commit abc"));
        assert_eq!(of(&first, abc), other("commit abc with changes", "commit abc"));
        let both = ["1111", "2222"].map(|hash| format!("commit abc with changes ({hash})"));
        assert_eq!(of(&first, &second), other(&both[0], &both[1]));
        // One of before this was told, or that cargo built alone.
        let unnamed = "a commit that it does not name";
        assert_eq!(of(bare, abc), other(unnamed, "commit abc"));
        assert_eq!(of("", abc), other(unnamed, "commit abc"));
        assert_eq!(of(abc, bare), other("commit abc", unnamed));
        put(&build, bare);
        put(&worker, bare);
        let date = |path: &Path, seconds: u64| {
            let file = std::fs::File::options().write(true).open(path).expect("a file");
            let day = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            file.set_modified(day).expect("ours");
        };
        for (own, usual, told) in [(1000, 2000, true), (2000, 1000, false), (1000, 1000, false)] {
            date(&build, own);
            date(&worker, usual);
            let older = Answers::default().other_build(&worker, &[Device::Vulkan]);
            assert_eq!(older.is_some_and(|words| words.contains("older than the usual one's")), told);
        }
    }

    #[test]
    fn a_worker_that_does_not_say_what_it_can_do_is_waited_for_a_while_and_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let worker = folder.path().join("recspeed-worker");
        for (script, seconds, words) in [("sleep 600", 1, "longer than"), ("echo no >&2; exit 1", 60, "status: 1: no")]
        {
            std::fs::write(&worker, format!("#!/bin/sh\n{script}\n")).expect("a script");
            std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
            let begun = std::time::Instant::now();
            let patience = Duration::from_secs(seconds);
            let missing = missing_within(patience, (&worker, Device::Flex)).expect("no answer");
            assert!(missing.why.contains(words), "{}", missing.why);
            assert!(begun.elapsed() < Duration::from_mins(1));
        }
    }

    #[test]
    fn ranks_over_mpi_are_a_row_where_the_usual_worker_was_built_with_it_and_else_it_says_what_brings_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let worker = folder.path().join("recspeed-worker");
        let lacks = |features: &str, launcher: Option<Launcher>| {
            let offers =
                format!(r#"{{"protocol":1,"versions":{{}},"features":[{features}],"recommenders":[],"devices":[]}}"#);
            std::fs::write(&worker, format!("#!/bin/sh\necho '{offers}'\n")).expect("a script");
            std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
            let mut spec = ExperimentSpec::default();
            spec.strategy.launcher = launcher;
            Place { worker: &worker, engines: &engines, answers: &Answers::default() }.lacks(&spec)
        };
        assert_eq!(lacks("\"libtorch\", \"mpi\"", Some(Launcher::Mpi)), None);
        let missing = lacks("\"libtorch\"", Some(Launcher::Mpi)).expect("it is missing");
        assert_eq!((missing.show(), missing.install.as_str()), ("no worker with MPI here", WITH_MPI));
        assert_eq!([lacks("", None), lacks("", Some(Launcher::Threads))], [None, None]);
    }

    #[test]
    fn what_does_not_start_is_tried_once_in_a_study() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let (worker, asked) = (folder.path().join("recspeed-worker"), folder.path().join("asked"));
        std::fs::write(&worker, format!("#!/bin/sh\necho again >> {}\nexit 1\n", asked.display())).expect("a script");
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let answers = Answers::default();
        let place = Place { worker: &worker, engines: &engines, answers: &answers };
        let mut spec = ExperimentSpec::default();
        spec.engine.device = Device::Vulkan;
        let first = place.lacks(&spec);
        assert!(first.is_some());
        assert_eq!([place.lacks(&spec), place.lacks(&spec)], [first.clone(), first]);
        assert_eq!(std::fs::read_to_string(&asked).expect("it was asked"), "again\n");
        spec.engine.kind = EngineKind::Deepspeed;
        let before = place.lacks(&spec).expect("nothing is installed");
        std::fs::create_dir_all(engines.root().join("deepspeed")).expect("a folder");
        assert_eq!(place.lacks(&spec).expect("as before"), before, "a study says one thing of an engine");
    }

    #[test]
    fn a_device_is_here_where_the_worker_offers_it_and_else_its_row_says_what_brings_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(folder.path())).expect("a home");
        let worker = folder.path().join("recspeed-worker");
        let script = |path: &Path, absent: &[AbsentDevice]| {
            let flex = r#"{"engine":"burn","device":"flex","title":"flex","memory":null,"threads":2}"#;
            let absent = serde_json::to_string(absent).expect("JSON");
            let offers = format!(
                r#"{{"protocol":1,"versions":{{}},"features":[],"recommenders":[],"devices":[{flex}],"absent":{absent}}}"#
            );
            // Words may hold what a shell would read.
            std::fs::write(path.with_extension("json"), offers).expect("its words");
            std::fs::write(path, "#!/bin/sh\ncat \"$0.json\"\n").expect("a script");
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("a program");
        };
        script(&worker, &[]);
        let pytorch = lacks_engine(&engines, EngineKind::Pytorch).expect("nothing is installed");
        assert_eq!(
            (pytorch.install.as_str(), pytorch.why.as_str()),
            ("recspeed engines install pytorch", "not installed")
        );
        std::fs::create_dir_all(engines.root().join("pytorch")).expect("a folder");
        assert!(lacks_engine(&engines, EngineKind::Pytorch).is_some_and(|part| part.why == "half installed"));
        let of = |device| missing_within(PATIENCE, (&worker, device));
        assert_eq!(of(Device::Flex), None);
        assert_eq!(of(Device::Vulkan).expect("missing").install, "make worker-vulkan");
        let libtorch = of(Device::LibtorchCpu).expect("missing");
        assert_eq!(libtorch.install, "recspeed engines install libtorch && make worker-libtorch");
        assert_eq!(libtorch.why, "no worker with libtorch-cpu here");
        for device in [Device::LibtorchCuda, Device::Cuda] {
            let expected = gpu().absence().map_or("no worker with", Absence::words);
            assert!(of(device).expect("missing").why.starts_with(expected), "{}", device.as_str());
        }
        // A worker that was built for it and finds no driver: no other build helps.
        let build = folder.path().join("recspeed-worker-vulkan");
        let vulkan = |why, said: &str| {
            script(&build, &[AbsentDevice::of_burn(Device::Vulkan, why, said)]);
            of(Device::Vulkan).expect("missing")
        };
        let no_driver = vulkan(Absence::NoDriver, "no Vulkan driver names a GPU");
        let told = (no_driver.show(), no_driver.install.as_str());
        assert_eq!(told, ("no driver here", "apt-get install mesa-vulkan-drivers"));
        // What nothing brings says in words what to do, and the cell the first of them.
        let fails = vulkan(Absence::Fails, "its driver crashes");
        assert_eq!((fails.show(), fails.install.as_str()), ("does not work here", ""));
        assert!(fails.why.contains("its driver crashes; choose another device"), "{}", fails.why);
        // One of before workers told why.
        script(&build, &[]);
        assert!(of(Device::Vulkan).is_some_and(|missing| missing.why.ends_with("has no such device")));
    }
}
