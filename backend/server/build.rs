//! Builds the server again when the front end was built again, or what it carries was recorded again, and lets it build before there is a
//! front end.

use std::path::Path;

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist");
    // Without the folder cargo would look at it as changed in every build.
    if let Err(cause) = std::fs::create_dir_all(&dist) {
        println!("cargo::warning=the folder {} cannot be made: {cause}", dist.display());
    }
    println!("cargo::rerun-if-changed=../../dist");
    println!("cargo::rerun-if-changed=showcase");
    println!("cargo::rerun-if-changed=../../docs/studies");
}
