//! LibTorch: a library that a build of the worker is linked to, and no engine of its own.
//!
//! It is in PyPI's wheel of PyTorch: its headers, and its libraries for the processor and for CUDA. The processor's part is a third of
//! that; the rest is removed once it is installed. Whoever wants CUDA has a PyTorch with it, and names that instead.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::damage;
use crate::engines::{Engines, again};
use crate::error::{EngineError, at};
use crate::install::{
    InstallOptions, Installation, NO_USE, Step, downloads_of, is_busy, python_of, remove_file, remove_folder,
};
use crate::process::{self, bytes_below};
use crate::python;
use crate::record::fingerprint;
use crate::room::Room;

/// The name that it is installed by.
pub const LIBTORCH: &str = "libtorch";
/// Bytes on disk once installed, and bytes to download; measured with the wheels of PyPI for Linux on x86-64.
pub const LIBTORCH_BYTES: (u64, u64) = (650_000_000, 910_000_000);

const REQUIREMENTS: &str = include_str!("../requirements/libtorch.txt");
/// Bytes on disk while its parts are all there, without what was downloaded.
pub(crate) const LIBTORCH_UNPACKED_BYTES: u64 = 1_800_000_000;
/// Parts of the wheel that nothing needs which computes on the processor and is no Python.
const CUDA_PARTS: [&str; 6] = [
    "libtorch_cuda.so",
    "libtorch_cuda_linalg.so",
    "libtorch_nvshmem.so",
    "libc10_cuda.so",
    "libcaffe2_nvrtc.so",
    "libtorch_python.so",
];

/// Folders below that of the packages whose files are what a worker is linked to: noted when all is assembled.
const ASSEMBLED: [&str; 3] = ["torch/include", "torch/lib", "nvidia"];
/// What a PyTorch with CUDA has, and no other.
const CUDA: &str = "lib/libtorch_cuda.so";
/// Libraries of the processor's half that every PyTorch has.
const LIBRARIES: [&str; 3] = ["libtorch.so", "libtorch_cpu.so", "libc10.so"];

/// A LibTorch that a worker can be linked to. Written last: without it, it is half installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libtorch {
    /// The folder with `include` and `lib`: what `LIBTORCH` is set to when the worker is built.
    pub folder: PathBuf,
    /// Whether the lab installed it; otherwise it is somebody's PyTorch, and never changed.
    pub own: bool,
    /// SHA-256 of the requirements that it was installed from.
    requirements: String,
    /// Its version, as `2.9.0+cu128`.
    pub version: String,
    /// Whether its CUDA half is there.
    pub cuda: bool,
    /// Bytes on disk; 0 where it is somebody else's.
    pub bytes: u64,
}

/// What there is of LibTorch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibtorchState {
    /// Nothing.
    Missing,
    /// An installation that did not come to its end.
    Unfinished,
    /// One that another process is installing now.
    Busy,
    /// One that no worker can be linked to.
    Unusable {
        /// What is wrong with it.
        why: String,
        /// What mends it, and who can do that.
        remedy: String,
    },
    /// All of it.
    Ready(Libtorch),
}

impl Engines {
    fn libtorch_folder(&self) -> PathBuf {
        self.root().join(LIBTORCH)
    }

    fn libtorch_record(&self) -> PathBuf {
        self.libtorch_folder().join("record.json")
    }

    /// Names and bytes of what was assembled.
    fn libtorch_inventory(&self) -> PathBuf {
        self.libtorch_folder().join("assembled.json")
    }

    /// The LibTorch that was installed or named; `None` where there is none, or only a part, or one that is gone since.
    pub fn libtorch(&self) -> Option<Libtorch> {
        match self.libtorch_state() {
            LibtorchState::Ready(libtorch) => Some(libtorch),
            _ => None,
        }
    }

    /// What there is of LibTorch: the names and sizes of all files that were assembled are held against those that are there.
    pub fn libtorch_state(&self) -> LibtorchState {
        let noted = self.libtorch_noted();
        let is_over = matches!(noted, LibtorchState::Missing | LibtorchState::Ready(_));
        if !is_over && is_busy(&self.libtorch_folder()) { LibtorchState::Busy } else { noted }
    }

    fn libtorch_noted(&self) -> LibtorchState {
        let unusable = |why: String| LibtorchState::Unusable { why, remedy: again(LIBTORCH) };
        let record: Libtorch = match fs::read(self.libtorch_record()) {
            Ok(text) => match serde_json::from_slice(&text) {
                Ok(record) => record,
                Err(error) => return unusable(format!("its record is damaged, or of another version ({error})")),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let begun = self.libtorch_folder().is_dir();
                return if begun { LibtorchState::Unfinished } else { LibtorchState::Missing };
            }
            Err(error) => return unusable(format!("its record cannot be read ({error})")),
        };
        if record.own {
            if record.requirements != fingerprint(REQUIREMENTS) {
                return unusable("another version of the lab installed it, from other packages".to_owned());
            }
            if let Some(damage) = self.libtorch_damage(&record) {
                return unusable(format!("it is damaged: {damage}"));
            }
        }
        let no_cuda = record.cuda && !has_cuda(&record.folder);
        match lacks(&record.folder).or_else(|| no_cuda.then(|| CUDA.to_owned())) {
            None => LibtorchState::Ready(record),
            Some(part) if record.own => unusable(format!("it is damaged: {part} is missing")),
            Some(part) => LibtorchState::Unusable {
                why: format!("{part} is missing in {}", record.folder.display()),
                remedy: format!(
                    "that PyTorch is not the lab's: whoever keeps it mends it; or run `recspeed engines install {LIBTORCH}`, with \
                     --existing PYTHON for another one"
                ),
            },
        }
    }

    fn libtorch_damage(&self, record: &Libtorch) -> Option<damage::Damage> {
        // What an older version of the lab assembled has no inventory.
        let text = fs::read(self.libtorch_inventory()).ok()?;
        let inventory: BTreeMap<String, u64> = serde_json::from_slice(&text).ok()?;
        damage::of_inventory(record.folder.parent()?, &inventory)
    }

    /// The LibTorch that was installed or named.
    ///
    /// # Errors
    /// [`EngineError::Missing`], [`EngineError::Unfinished`] or [`EngineError::Stale`], each with what mends it.
    pub fn check_libtorch(&self) -> Result<Libtorch, EngineError> {
        match self.libtorch_state() {
            LibtorchState::Missing => Err(EngineError::Missing { kind: LIBTORCH }),
            LibtorchState::Unfinished => Err(EngineError::Unfinished { kind: LIBTORCH }),
            LibtorchState::Busy => Err(EngineError::Busy { kind: LIBTORCH }),
            LibtorchState::Unusable { why, remedy } => Err(EngineError::Stale { kind: LIBTORCH, why, remedy }),
            LibtorchState::Ready(libtorch) => Ok(libtorch),
        }
    }

    /// Installs LibTorch for the processor, or goes on with an installation that was interrupted: packages that were downloaded whole are
    /// kept until all is assembled. One that is damaged is installed again.
    ///
    /// # Errors
    /// As [`Engines::install`].
    pub fn install_libtorch(
        &self,
        options: &InstallOptions,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Libtorch, EngineError> {
        let folder = self.libtorch_folder();
        match self.libtorch_state() {
            LibtorchState::Ready(installed) => {
                // Whoever was killed when all was assembled has left them.
                remove_folder(&downloads_of(&folder))?;
                return Ok(installed);
            }
            LibtorchState::Unusable { why, .. } => tell(Step::Mend(format!("{why}: installing it again"))),
            LibtorchState::Missing | LibtorchState::Unfinished | LibtorchState::Busy => {}
        }
        let room = Room::whole(LIBTORCH_UNPACKED_BYTES + LIBTORCH_BYTES.1);
        let installation = Installation::begin((LIBTORCH, &folder, room), options, stop)?;
        remove_file(&self.libtorch_record())?;
        // pip takes for installed what is half unpacked, damaged, or has lost its CUDA half here: it begins with nothing, and its wheels.
        installation.environment_anew(tell)?;
        let list = installation.list(REQUIREMENTS)?;
        let wheels = installation.downloads();
        // One by one: of several that it is asked for, pip keeps none before it has them all.
        for requirement in REQUIREMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let mut download = installation.pip("download");
            download.args(["--no-cache-dir", "--no-deps", "--dest"]).arg(&wheels).arg(requirement);
            installation.run(download, tell)?;
        }
        let mut unpack = installation.pip("install");
        unpack.args(["--no-cache-dir", "--no-deps", "--no-index", "--find-links"]).arg(&wheels);
        unpack.arg("--requirement").arg(&list);
        installation.run(unpack, tell)?;
        let python = python_of(&folder);
        let remedy = NO_USE.to_owned();
        let failed = |why: String| EngineError::DoesNotStart { kind: LIBTORCH, python: python.clone(), why, remedy };
        let (packages, version) = assembled(&python).map_err(failed)?;
        let torch = packages.join("torch");
        keep_the_processors_half(&torch)?;
        self.write_record(&self.libtorch_inventory(), &damage::inventory(&packages, &ASSEMBLED))?;
        let bytes = bytes_below(&folder).saturating_sub(bytes_below(&wheels));
        let requirements = fingerprint(REQUIREMENTS);
        let libtorch = self.note(Libtorch { folder: torch, own: true, requirements, version, cuda: false, bytes })?;
        remove_folder(&wheels)?;
        Ok(libtorch)
    }

    /// Uses the LibTorch inside somebody's PyTorch, with CUDA where that has it.
    ///
    /// # Errors
    /// [`EngineError::DoesNotStart`] where this Python has no PyTorch, or is none.
    pub fn adopt_libtorch(&self, python: &Path) -> Result<Libtorch, EngineError> {
        let failed = |why: String| {
            let (kind, python, remedy) = (LIBTORCH, python.to_owned(), "name another with --existing".to_owned());
            EngineError::DoesNotStart { kind, python, why, remedy }
        };
        // Found, not imported: that would take seconds and could fail for reasons that do not matter here.
        let place =
            "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
        let mut ask = Command::new(python);
        ask.args(["-P", "-c", place]).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        let answer = process::answer(&mut ask, process::PATIENCE).map_err(process::Ended::words);
        let found = answer.and_then(|place| {
            let folder = PathBuf::from(String::from_utf8_lossy(&place).trim());
            if folder.is_absolute() { Ok(folder) } else { Err("it has no PyTorch".to_owned()) }
        });
        // What is no Python may answer with anything.
        let folder = found.map_err(|why| failed(python::unfit(python).unwrap_or(why)))?;
        if let Some(part) = lacks(&folder) {
            return Err(failed(format!("its PyTorch has no {part}")));
        }
        let version = version(&folder).unwrap_or_else(|| "unknown".to_owned());
        let cuda = has_cuda(&folder);
        self.note(Libtorch { folder, own: false, requirements: String::new(), version, cuda, bytes: 0 })
    }

    fn note(&self, libtorch: Libtorch) -> Result<Libtorch, EngineError> {
        let path = self.libtorch_record();
        self.write_record(&path, &libtorch)?;
        Ok(libtorch)
    }
}

/// What is not there of what every PyTorch has that a worker can be linked to.
fn lacks(folder: &Path) -> Option<String> {
    if !folder.join("include/torch").is_dir() {
        return Some("include/torch".to_owned());
    }
    let missing = LIBRARIES.iter().find(|library| !folder.join("lib").join(library).is_file());
    missing.map(|library| format!("lib/{library}"))
}

fn has_cuda(folder: &Path) -> bool {
    folder.join(CUDA).is_file()
}

/// Where pip has put its packages, and the version of PyTorch among them.
fn assembled(python: &Path) -> Result<(PathBuf, String), String> {
    let place = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let place = process::answer(Command::new(python).args(["-s", "-P", "-c", place]), process::PATIENCE);
    let place = place.map_err(process::Ended::words)?;
    let packages = PathBuf::from(String::from_utf8_lossy(&place).trim());
    let torch = packages.join("torch");
    if let Some(part) = lacks(&torch) {
        return Err(format!("{part} did not come with it"));
    }
    let version = version(&torch).ok_or_else(|| "its version is not to be found".to_owned())?;
    Ok((packages, version))
}

fn version(torch: &Path) -> Option<String> {
    let text = fs::read_to_string(torch.join("version.py")).ok()?;
    let line = text.lines().find(|line| line.starts_with("__version__"))?;
    line.split(['\'', '"']).nth(1).map(str::to_owned)
}

/// Removes CUDA's half. `libtorch.so` is an empty library that pulls in both; it becomes another name of the processor's.
fn keep_the_processors_half(torch: &Path) -> Result<(), EngineError> {
    let libraries = torch.join("lib");
    for part in CUDA_PARTS {
        remove_file(&libraries.join(part))?;
    }
    let both = libraries.join("libtorch.so");
    remove_file(&both)?;
    symlink("libtorch_cpu.so", &both).map_err(at("create", &both))?;
    // The linker looks for OpenMP by a name without a version.
    let openmp = libraries.join("libgomp.so");
    remove_file(&openmp)?;
    symlink("libgomp.so.1", &openmp).map_err(at("create", &openmp))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_in;

    /// A folder that looks like an installed PyTorch.
    fn torch(at: &Path) -> PathBuf {
        let torch = at.join("torch");
        fs::create_dir_all(torch.join("include/torch")).expect("a folder");
        fs::create_dir_all(torch.join("lib")).expect("a folder");
        for name in ["libtorch_cpu.so", "libtorch.so", "libc10.so", "libtorch_cuda.so", "libgomp.so.1"] {
            fs::write(torch.join("lib").join(name), name).expect("a file");
        }
        fs::write(torch.join("version.py"), "from typing import Optional\n__version__ = '2.9.0+cu128'\n")
            .expect("a file");
        torch
    }

    #[test]
    fn what_is_left_is_the_processors_half_and_doing_it_twice_changes_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let torch = torch(folder.path());
        assert_eq!(version(&torch).as_deref(), Some("2.9.0+cu128"));
        for _ in 0..2 {
            keep_the_processors_half(&torch).expect("room");
            assert!(!torch.join("lib/libtorch_cuda.so").exists());
            assert_eq!(fs::read_to_string(torch.join("lib/libtorch.so")).expect("a link"), "libtorch_cpu.so");
            assert_eq!(lacks(&torch), None);
        }
    }

    #[test]
    fn one_that_is_gone_is_none_and_a_python_without_pytorch_is_refused() {
        let home = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(home.path())).expect("a place");
        assert_eq!(engines.libtorch(), None);
        let torch = torch(home.path());
        let (own, requirements, version) = (false, String::new(), "2.9.0".to_owned());
        let libtorch = Libtorch { folder: torch.clone(), own, requirements, version, cuda: true, bytes: 0 };
        engines.note(libtorch.clone()).expect("room");
        assert_eq!(engines.libtorch(), Some(libtorch));
        fs::remove_dir_all(torch.join("lib")).expect("it was there");
        assert_eq!(engines.libtorch(), None);
        let error = engines.adopt_libtorch(Path::new("/nonexistent/python")).expect_err("no Python");
        assert!(matches!(error, EngineError::DoesNotStart { kind: "libtorch", .. }), "{error}");
    }

    /// A lab with a program that plays Python, and pip, which keeps nothing of what it is asked for together before it
    /// has all of that. `refuses` is a file that holds what pip refuses: to download CUPTI, or to unpack, which it leaves
    /// half done. What pip brought is in the file `log`.
    struct Bench {
        folder: tempfile::TempDir,
        engines: Engines,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let engines = Engines::open(Some(folder.path())).expect("a home");
            let refuses = folder.path().join("refuses");
            let about_itself = format!(
                r#"engine="${{0%/environment/bin/python}}"
site="${{0%/bin/python}}/lib/python3.11/site-packages"
refuses() {{ grep -qs "$1" {}; }}"#,
                refuses.display()
            );
            let answers = format!(
                r#"  *"pip download"*)
    mkdir -p "$engine/downloads"
    new=
    for asked; do
      case "$asked" in *==*) wheel="${{asked%%==*}}" ;; *) continue ;; esac
      if [ -e "$engine/downloads/$wheel.whl" ]; then continue; fi
      case "$wheel" in *cupti*) if refuses download; then exit 1; fi ;; esac
      new="$new $wheel"
    done
    for wheel in $new; do echo $wheel >> {log}; echo wheel > "$engine/downloads/$wheel.whl"; done ;;
  *"pip install"*"--no-index"*)
    for wheel in torch nvidia-cuda-runtime-cu12 nvidia-cuda-cupti-cu12; do cat "$engine/downloads/$wheel.whl" || exit 1; done
    mkdir -p "$site/torch/include/torch" "$site/torch/lib" "$site/nvidia/lib"
    echo h > "$site/torch/include/torch/torch.h"; echo cupti > "$site/nvidia/lib/libcupti.so.12"
    if refuses unpack; then exit 1; fi
    for l in torch torch_cpu c10 torch_cuda; do echo $l > "$site/torch/lib/lib$l.so"; done
    echo gomp > "$site/torch/lib/libgomp.so.1"; echo "__version__ = '2.9.0+cu128'" > "$site/torch/version.py" ;;
  *sysconfig*) echo "$site" ;;
  *) exit 1 ;;"#,
                log = folder.path().join("log").display(),
            );
            let python = stand_in::python("", &answers);
            stand_in::program(&folder.path().join("python"), &format!("{about_itself}\n{python}"));
            Self { folder, engines }
        }

        fn refuse(&self, what: &str) {
            fs::write(self.folder.path().join("refuses"), what).expect("a file");
        }

        fn install(&self) -> Result<Libtorch, EngineError> {
            let python = Some(self.folder.path().join("python"));
            let options = InstallOptions { python, needed_bytes: Some(1), extra_index: None };
            self.engines.install_libtorch(&options, &|| false, &mut |_| {})
        }

        /// Every wheel that was downloaded.
        fn downloaded(&self) -> String {
            fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
        }
    }

    #[test]
    fn an_interrupted_libtorch_is_half_installed_and_goes_on_with_the_wheels_that_it_has() {
        let bench = Bench::new();
        assert_eq!(bench.engines.libtorch_state(), LibtorchState::Missing);
        let before = "torch\nnvidia-cuda-runtime-cu12\n";
        let all = format!("{before}nvidia-cuda-cupti-cu12\n");
        for (refused, downloaded) in [("download", before), ("unpack", all.as_str())] {
            bench.refuse(refused);
            let error = bench.install().expect_err("it is interrupted");
            assert!(error.to_string().contains("it goes on where it ended"), "{error}");
            assert_eq!(bench.engines.libtorch_state(), LibtorchState::Unfinished, "{refused}");
            let said = bench.engines.check_libtorch().expect_err("it is half there").to_string();
            assert!(said.contains("half installed; go on with `recspeed engines install libtorch`"), "{said}");
            assert_eq!(bench.downloaded(), downloaded, "{refused}");
        }
        bench.refuse("");
        let libtorch = bench.install().expect("it goes on");
        assert_eq!(bench.engines.libtorch_state(), LibtorchState::Ready(libtorch.clone()));
        assert_eq!(bench.downloaded(), all, "nothing was downloaded twice");
        let wheels = bench.folder.path().join("engines/libtorch/downloads");
        assert!(!wheels.exists(), "they are of no more use");
        fs::create_dir(&wheels).expect("a folder");
        assert_eq!(bench.install().expect("it is there"), libtorch);
        assert!(!wheels.exists(), "nor where somebody was killed before they were removed");
    }

    #[test]
    fn a_libtorch_of_which_any_file_is_gone_is_damaged_and_the_command_that_is_named_mends_it() {
        let bench = Bench::new();
        let torch = bench.install().expect("it installs").folder;
        let site = torch.parent().expect("a folder").to_owned();
        let files =
            ["torch/lib/libc10.so", "torch/lib/libgomp.so", "torch/include/torch/torch.h", "nvidia/lib/libcupti.so.12"];
        for file in files {
            fs::remove_file(site.join(file)).expect("it was there");
            assert_eq!(bench.engines.libtorch(), None, "{file}");
            let said = bench.engines.check_libtorch().expect_err("it is damaged").to_string();
            assert!(said.contains(&format!("{file} is missing")), "{said}");
            assert!(said.contains("run `recspeed engines install libtorch` again"), "{said}");
            bench.install().expect("it is mended");
            assert!(bench.engines.check_libtorch().is_ok() && fs::symlink_metadata(site.join(file)).is_ok(), "{file}");
        }
        fs::write(torch.join("lib/libtorch_cpu.so"), "cut").expect("room");
        assert_eq!(bench.engines.libtorch(), None, "it is cut short");
    }

    #[test]
    fn a_libtorch_that_another_process_installs_is_called_so() {
        let bench = Bench::new();
        let folder = bench.engines.libtorch_folder();
        fs::create_dir_all(&folder).expect("a folder");
        let installing = crate::install::alone(LIBTORCH, &folder).expect("nobody else");
        assert_eq!(bench.engines.libtorch_state(), LibtorchState::Busy);
        let said = bench.engines.check_libtorch().expect_err("it is not there yet").to_string();
        assert!(said.contains("is being installed by another process"), "{said}");
        drop(installing);
        assert_eq!(bench.engines.libtorch_state(), LibtorchState::Unfinished);
    }

    #[test]
    fn a_libtorch_that_is_somebody_elses_is_theirs_to_mend() {
        let home = tempfile::tempdir().expect("a folder");
        let engines = Engines::open(Some(home.path())).expect("a place");
        let torch = torch(home.path());
        let version = "2.9.0".to_owned();
        let libtorch =
            Libtorch { folder: torch.clone(), own: false, requirements: String::new(), version, cuda: true, bytes: 0 };
        engines.note(libtorch).expect("room");
        for part in ["lib/libtorch_cuda.so", "lib/libc10.so"] {
            fs::remove_file(torch.join(part)).expect("it was there");
            let said = engines.check_libtorch().expect_err("a part is gone").to_string();
            assert!(
                said.contains(&format!("{part} is missing")) && said.contains("whoever keeps it mends it"),
                "{said}"
            );
        }
    }

    #[test]
    fn a_program_that_is_no_python_has_no_libtorch_and_is_called_so() {
        let bench = Bench::new();
        let program = bench.folder.path().join("python");
        fs::write(&program, "#!/bin/sh\n").expect("a script");
        for error in [bench.install().expect_err("none"), bench.engines.adopt_libtorch(&program).expect_err("none")] {
            assert!(error.to_string().contains("it does not answer as a Python does"), "{error}");
        }
        assert_eq!(bench.engines.libtorch_state(), LibtorchState::Missing);
    }
}
