//! Links the LibTorch of `$LIBTORCH`, and says which one it is; only with the feature `libtorch`.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=LIBTORCH");
    if env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }
    let Some(libtorch) = env::var_os("LIBTORCH").map(PathBuf::from) else { return };
    let libraries = libtorch.join("lib");
    println!("cargo:rustc-link-arg-bins=-L{}", libraries.display());
    // The program finds it where it was linked; elsewhere LD_LIBRARY_PATH says where it is.
    println!("cargo:rustc-link-arg-bins=-Wl,-rpath,{}", libraries.display());
    // Its CUDA half registers itself when it is loaded, and nothing calls it by name.
    println!("cargo:rustc-link-arg-bins=-Wl,--no-as-needed");
    for library in ["torch_cuda", "torch_cpu", "c10"] {
        if libraries.join(format!("lib{library}.so")).exists() {
            println!("cargo:rustc-link-arg-bins=-l{library}");
        }
    }
    if let Some(version) = version(&libtorch) {
        println!("cargo:rustc-env=RECSPEED_LIBTORCH_VERSION={version}");
    }
}

/// Of a LibTorch, or of an installed PyTorch.
fn version(libtorch: &Path) -> Option<String> {
    let plain = fs::read_to_string(libtorch.join("build-version")).ok().map(|text| text.trim().to_owned());
    plain.or_else(|| {
        let python = fs::read_to_string(libtorch.join("version.py")).ok()?;
        let line = python.lines().find(|line| line.starts_with("__version__"))?;
        line.split(['\'', '"']).nth(1).map(str::to_owned)
    })
}
