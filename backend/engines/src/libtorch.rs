//! LibTorch: a library that a build of the worker is linked to, and no engine of its own.
//!
//! It is in PyPI's wheel of PyTorch: its headers, and its libraries for the processor and for CUDA. The processor's part is a third of
//! that; the rest is removed once it is installed. Whoever wants CUDA has a PyTorch with it, and names that instead.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::engines::Engines;
use crate::error::{EngineError, at};
use crate::install::{InstallOptions, Step, install_packages, remove_folder};
use crate::process::{self, bytes_below};
use crate::record::fingerprint;

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

impl Engines {
    fn libtorch_folder(&self) -> PathBuf {
        self.root().join(LIBTORCH)
    }

    fn libtorch_record(&self) -> PathBuf {
        self.libtorch_folder().join("record.json")
    }

    /// The LibTorch that was installed or named; `None` where there is none, or only a part, or one that is gone since.
    pub fn libtorch(&self) -> Option<Libtorch> {
        let record: Libtorch = serde_json::from_slice(&fs::read(self.libtorch_record()).ok()?).ok()?;
        let fits = !record.own || record.requirements == fingerprint(REQUIREMENTS);
        (fits && is_libtorch(&record.folder)).then_some(record)
    }

    /// Installs LibTorch for the processor, or goes on with an installation that was interrupted.
    ///
    /// # Errors
    /// As [`Engines::install`].
    pub fn install_libtorch(
        &self,
        options: &InstallOptions,
        stop: &dyn Fn() -> bool,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Libtorch, EngineError> {
        if let Some(installed) = self.libtorch() {
            return Ok(installed);
        }
        let folder = self.libtorch_folder();
        let needed = LIBTORCH_UNPACKED_BYTES + LIBTORCH_BYTES.1;
        let what = (LIBTORCH, REQUIREMENTS, needed, &["--no-deps"][..]);
        let python = install_packages(&folder, what, options, stop, tell)?;
        let failed = |why: String| EngineError::DoesNotStart { kind: LIBTORCH, python: python.clone(), why };
        let place = "import sysconfig; print(sysconfig.get_path('platlib'))";
        let place = process::answer(Command::new(&python).args(["-s", "-P", "-c", place]), process::PATIENCE);
        let place = place.map_err(|ended| failed(ended.words()))?;
        let torch = PathBuf::from(String::from_utf8_lossy(&place).trim()).join("torch");
        keep_the_processors_half(&torch)?;
        remove_folder(&folder.join("downloads"))?;
        let version = version(&torch).ok_or_else(|| failed("its version is not to be found".to_owned()))?;
        let bytes = bytes_below(&folder);
        let requirements = fingerprint(REQUIREMENTS);
        self.note(Libtorch { folder: torch, own: true, requirements, version, cuda: false, bytes })
    }

    /// Uses the LibTorch inside somebody's PyTorch, with CUDA where that has it.
    ///
    /// # Errors
    /// [`EngineError::DoesNotStart`] where this Python has no PyTorch.
    pub fn adopt_libtorch(&self, python: &Path) -> Result<Libtorch, EngineError> {
        let failed = |why: String| EngineError::DoesNotStart { kind: LIBTORCH, python: python.to_owned(), why };
        // Found, not imported: that would take seconds and could fail for reasons that do not matter here.
        let place =
            "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s else '')";
        let mut ask = Command::new(python);
        ask.args(["-P", "-c", place]).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        let answer = process::answer(&mut ask, process::PATIENCE).map_err(|ended| failed(ended.words()))?;
        let folder = PathBuf::from(String::from_utf8_lossy(&answer).trim());
        if !is_libtorch(&folder) {
            return Err(failed(
                "it has no PyTorch with headers and libraries; name another with --existing".to_owned(),
            ));
        }
        let version = version(&folder).unwrap_or_else(|| "unknown".to_owned());
        let cuda = folder.join("lib/libtorch_cuda.so").is_file();
        self.note(Libtorch { folder, own: false, requirements: String::new(), version, cuda, bytes: 0 })
    }

    fn note(&self, libtorch: Libtorch) -> Result<Libtorch, EngineError> {
        let path = self.libtorch_record();
        self.write_record(&path, &libtorch)?;
        Ok(libtorch)
    }
}

/// Headers and a library.
fn is_libtorch(folder: &Path) -> bool {
    folder.join("include/torch").is_dir() && folder.join("lib/libtorch_cpu.so").is_file()
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
        remove(&libraries.join(part))?;
    }
    let both = libraries.join("libtorch.so");
    remove(&both)?;
    symlink("libtorch_cpu.so", &both).map_err(at("create", &both))?;
    // The linker looks for OpenMP by a name without a version.
    let openmp = libraries.join("libgomp.so");
    remove(&openmp)?;
    symlink("libgomp.so.1", &openmp).map_err(at("create", &openmp))
}

fn remove(path: &Path) -> Result<(), EngineError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like an installed PyTorch.
    fn torch(at: &Path) -> PathBuf {
        let torch = at.join("torch");
        fs::create_dir_all(torch.join("include/torch")).expect("a folder");
        fs::create_dir_all(torch.join("lib")).expect("a folder");
        for name in ["libtorch_cpu.so", "libtorch.so", "libtorch_cuda.so", "libgomp.so.1"] {
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
            assert!(is_libtorch(&torch));
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
}
