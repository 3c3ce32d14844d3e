//! A browser's tab as the place of a measurement: a program opens one, does what it is given as JSON, prints what came of it.
//!
//! `tests/browser/in-tab.mjs` is such a program. The command line knows no browser.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use recspeed_types::ExperimentSpec;
use recspeed_types::study::Missing;
use recspeed_types::study::retrieval::{Asked, COLUMN_FILES, Retrieved};
use recspeed_types::summary::RunSummary;
use serde_json::json;

use super::child::{Answer, ask};
use crate::command::run::Interrupts;

/// Why a row of the tab has no numbers.
pub(super) fn missing() -> Missing {
    Missing { install: "make studies-tab".to_owned(), why: "a terminal has no tab".to_owned() }
}

/// Runs a spec in a fresh tab, after it was run there `before` times.
pub(super) fn run(
    program: &Path,
    spec: &ExperimentSpec,
    before: u32,
    limit: Duration,
    interrupts: &Interrupts,
) -> Answer<RunSummary> {
    let input = json!({ "spec": spec.to_json(), "before": before });
    ask(command(program), &input.to_string(), limit, &|| interrupts.came())
}

/// Has a fresh tab read the columns of the folder back.
pub(super) fn retrieve(
    program: &Path,
    folder: &Path,
    asked: Asked,
    limit: Duration,
    interrupts: &Interrupts,
) -> Answer<Retrieved> {
    let columns = COLUMN_FILES.map(|file| folder.join(file));
    let input = json!({ "retrieval": asked, "columns": columns });
    ask(command(program), &input.to_string(), limit, &|| interrupts.came())
}

/// The program finds the lab that it opens a tab of beside this one.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some(folder) = std::env::current_exe().ok().as_deref().and_then(Path::parent) {
        command.env("RECSPEED_BIN_DIR", folder);
    }
    command
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_program_is_told_what_to_do_and_its_complaint_is_the_cause() {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("tab");
        let heard = folder.path().join("heard");
        let script = format!("#!/bin/sh\ncat >'{}'\necho 'Chromium is missing' >&2\nexit 1\n", heard.display());
        std::fs::write(&program, script).expect("a script");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("a program");
        let interrupts = Interrupts::listen();
        let limit = Duration::from_mins(1);
        let told = run(&program, &ExperimentSpec::default(), 1, limit, &interrupts);
        let Answer::Failed(why) = told else { panic!("it fails") };
        assert!(why.ends_with("Chromium is missing"), "{why}");
        let text = std::fs::read_to_string(&heard).expect("its input");
        let told: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let spec = ExperimentSpec::from_json(told["spec"].as_str().expect("a text")).expect("a spec");
        assert_eq!((spec, &told["before"]), (ExperimentSpec::default(), &json!(1)));
        let asked = Asked { repeats: 2, batch_rows: 3, single_rows: None, beyond_bytes: None };
        let read = retrieve(&program, folder.path(), asked, limit, &interrupts);
        assert!(matches!(read, Answer::Failed(_)), "it fails");
        let told: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&heard).expect("its input")).expect("JSON");
        assert_eq!(told["columns"].as_array().map(Vec::len), Some(4));
        assert_eq!(told["retrieval"]["batch_rows"], 3);
    }
}
