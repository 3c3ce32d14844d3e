//! The rules of the house that a program can check: who may import whom, one place for versions, files with one job.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Crate → crates of ours that it may use outside its tests. Everything that is not listed is forbidden.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("recspeed-types", &[]),
    ("recspeed-plan", &["types"]),
    ("recspeed-data", &["types"]),
    ("recspeed-dense", &[]),
    ("recspeed-metrics", &["types"]),
    ("recspeed-recommenders", &["types", "data", "metrics", "dense"]),
    ("recspeed-neural", &["types", "data", "metrics", "dense", "plan", "parallel"]),
    ("recspeed-parallel", &["plan"]),
    ("recspeed-search", &["types"]),
    ("recspeed-experiment", &["types", "data", "metrics", "recommenders", "neural", "plan", "parallel"]),
    ("recspeed-datasets", &["types", "data"]),
    ("recspeed-models", &["types", "data"]),
    ("recspeed-engines", &["types"]),
    ("recspeed-server", &["types", "plan", "data", "metrics", "search", "datasets", "models", "engines"]),
    ("recspeed-worker", &["types", "plan", "data", "parallel", "experiment", "datasets", "models", "engines"]),
    ("recspeed-frontend", &["types", "plan"]),
    ("recspeed-runner", &["types", "data", "experiment"]),
    ("recspeed-tests", &["types"]),
];

/// Crates that compute with tensors: the server and the page must not link them, even through others.
const TENSOR_LIBRARIES: &[&str] = &["burn", "burn-core", "burn-tensor", "tch", "cubecl"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

fn metadata() -> cargo_metadata::Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).exec().expect("cargo metadata answers")
}
#[test]
fn crates_import_only_what_the_design_allows() {
    let metadata = metadata();
    let allowed: BTreeMap<_, BTreeSet<String>> = MAY_IMPORT
        .iter()
        .map(|(name, list)| (*name, list.iter().map(|short| format!("recspeed-{short}")).collect()))
        .collect();
    for package in metadata.workspace_packages() {
        let may = allowed
            .get(package.name.as_str())
            .unwrap_or_else(|| panic!("{} has no line in MAY_IMPORT: say there what it may use", package.name));
        for dependency in package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal) {
            if dependency.name.starts_with("recspeed-") {
                assert!(may.contains(&dependency.name), "{} must not import {}", package.name, dependency.name);
            }
        }
    }
}

#[test]
fn the_server_and_the_page_link_no_tensor_library() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().expect("the workspace resolves");
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    for start in ["recspeed-server", "recspeed-frontend"] {
        let package = metadata.packages.iter().find(|p| p.name == start).expect("the crate exists");
        let mut reached = BTreeSet::new();
        let mut waiting = vec![&package.id];
        while let Some(id) = waiting.pop() {
            if !reached.insert(id) {
                continue;
            }
            let normal = nodes[id].deps.iter().filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal));
            waiting.extend(normal.map(|d| &d.pkg));
        }
        for library in TENSOR_LIBRARIES {
            let linked = metadata.packages.iter().any(|p| p.name == *library && reached.contains(&p.id));
            assert!(!linked, "{start} links {library}: it must stay up when a worker crashes, or stay small");
        }
    }
}

#[test]
fn every_dependency_version_stands_in_the_root_manifest() {
    for package in metadata().workspace_packages() {
        let text = fs::read_to_string(&package.manifest_path).expect("a manifest is readable");
        let manifest: toml::Table = text.parse().expect("a manifest is TOML");
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, value) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
                let inherited = value.get("workspace").and_then(toml::Value::as_bool) == Some(true);
                assert!(inherited, "{}: {name} must say `workspace = true`", package.name);
            }
        }
        let lints = manifest.get("lints").and_then(|l| l.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(lints, Some(true), "{} must use the workspace's lints", package.name);
    }
}

#[test]
fn shared_crates_touch_no_file_socket_clock_or_process() {
    const FORBIDDEN: &[&str] =
        &["std::fs", "std::net", "std::process", "std::env", "std::time", "std::thread", "SystemTime", "Instant::now"];
    for file in rust_files(&root().join("shared")) {
        // Tests, benchmarks and examples run on a machine; the crates themselves also run in a browser.
        let path = file.to_string_lossy().into_owned();
        if ["/tests/", "/examples/", "/benches/", "tests.rs"].iter().any(|part| path.contains(part)) {
            continue;
        }
        let text = fs::read_to_string(&file).expect("a source file is readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        // A group would hide what it holds: `use std::{fs, time::Instant};`.
        assert!(
            !code.contains("use std::{"),
            "{path}: one `use` for each module of std, so that this test can read them"
        );
        for word in FORBIDDEN {
            let used = code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(word));
            assert!(!used, "{path} uses {word}: shared crates get time and files as arguments");
        }
    }
}

/// What reads the commit is compiled again at each: that may be programs, never a library or a test.
#[test]
fn only_programs_are_compiled_again_for_another_commit() {
    let allowed = ["backend/server/src/main.rs", "backend/worker/src/machine.rs"];
    let mut found = BTreeSet::new();
    for folder in ["shared", "backend", "frontend"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source file is readable");
            let reads = |line: &str| line.contains("env!(\"RECSPEED_BUILD\")");
            if let Some(at) = text.lines().position(reads) {
                let before = text.lines().take(at).last().unwrap_or_default();
                assert_eq!(before, "#[cfg(not(test))]", "{}: its tests would be compiled again too", file.display());
                found.insert(file.strip_prefix(root()).expect("in the repository").to_string_lossy().into_owned());
            }
        }
    }
    assert_eq!(found, BTreeSet::from(allowed.map(str::to_owned)));
}

#[test]
fn no_file_grows_beyond_one_idea() {
    for folder in ["shared", "backend", "frontend", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source file is readable");
            let lines = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
            assert!(lines <= 500, "{} has {lines} lines without tests: split it, or say here why not", file.display());
        }
    }
}

#[test]
fn names_tell_a_job() {
    for folder in ["shared", "backend", "frontend"] {
        for file in rust_files(&root().join(folder)) {
            for part in &file {
                let name = part.to_string_lossy();
                let name = name.trim_end_matches(".rs");
                assert!(
                    !["utils", "util", "common", "helpers", "misc"].contains(&name),
                    "{}: name its job",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn every_metric_is_defined_in_the_documentation() {
    let docs = fs::read_to_string(root().join("docs/spec.md")).expect("docs/spec.md exists");
    for kind in recspeed_types::metric::METRIC_KINDS {
        let name = if kind.at_k() { format!("| `{}@k` |", kind.as_str()) } else { format!("| `{}` |", kind.as_str()) };
        assert!(docs.contains(&name), "docs/spec.md does not define {name}");
    }
}

#[test]
fn the_commands_by_which_the_readme_shows_its_claims_run_tests_that_are_there() {
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md exists");
    let makefile = fs::read_to_string(root().join("Makefile")).expect("the Makefile exists");
    let (_, claims) = readme.split_once("| claim |").expect("a table of claims");
    // What is left of the head, and the line of dashes.
    let rows: Vec<&str> = claims.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
    assert!(!rows.is_empty(), "the table of claims has rows");
    let tests = tests();
    for row in rows {
        let mut made = 0;
        for command in row.split('`').skip(1).step_by(2) {
            let Some((_, targets)) = command.split_once("make ") else { continue };
            for target in targets.split(' ').take_while(|word| !word.contains('=')) {
                assert!(makefile.contains(&format!("\n{target}:")), "{row}\nthe Makefile has no {target}");
                made += 1;
            }
            for binary in named(command, "binary(") {
                let there = tests.iter().any(|(of, _)| of == binary);
                assert!(there, "{row}\nno tests/{binary}.rs, nor a folder of that name");
            }
            for name in named(command, "test(") {
                assert!(tests.iter().any(|(_, test)| test.contains(name)), "{row}\nno test has {name} in its name");
            }
        }
        assert!(made > 0, "no command shows this:\n{row}");
    }
}

/// What stands behind each `kind`, as far as its bracket closes.
fn named<'a>(filter: &'a str, kind: &'a str) -> impl Iterator<Item = &'a str> {
    filter.split(kind).skip(1).filter_map(|rest| rest.split(')').next())
}

/// The binary of every test, nothing where it lies beside what it tests, and its name behind the modules of that binary: neither a crate
/// nor a binary is a part of it.
fn tests() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in ["shared", "backend", "frontend", "tests"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).expect("a source file is readable");
            let place = file.strip_prefix(root()).expect("it lies in the workspace").with_extension("");
            let parts: Vec<String> = place.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let source = parts.iter().position(|part| part == "src");
            let own = if source.is_some() { None } else { parts.iter().rposition(|part| part == "tests") };
            let binary = own.and_then(|at| parts.get(at + 1)).cloned().unwrap_or_default();
            let modules = own.map(|at| at + 2).or_else(|| source.map(|at| at + 1)).unwrap_or(0);
            let modules = parts.get(modules..).unwrap_or_default().join("::");
            let mut marked = false;
            for line in text.lines().map(str::trim_start) {
                if line.starts_with("#[") {
                    marked |= line.contains("test]") || line.contains("test(");
                } else if marked && !line.starts_with("//") {
                    let name = line.split_once("fn ").map_or(line, |(_, rest)| rest);
                    let name = name.split('(').next().unwrap_or_default();
                    found.push((binary.clone(), format!("{modules}::{name}")));
                    marked = false;
                }
            }
        }
    }
    found
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace is readable") {
            let path = entry.expect("an entry is readable").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["node_modules", "target", "dist"].contains(&name.as_str()) {
                waiting.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path);
            }
        }
    }
    found
}
