//! A log that nobody reads, or that cannot be written, costs lines of the log, and neither the queue nor a request nor
//! the end.

use std::fs::File;
use std::process::Stdio;

use nix::sys::signal::Signal;
use recspeed_types::api::RunStatus;

use crate::bench::{PATIENCE, fake_worker};
use crate::process::Served;

/// Three runs are made, one behind the other, and a polite signal ends the server in order.
fn works_and_ends(server: Served) {
    let runs: Vec<String> = (0..3).map(|_| server.submit("quick")).collect();
    for run in &runs {
        server.until(run, |record| record.status == RunStatus::Finished);
    }
    assert!(server.end_with(Signal::SIGTERM).success());
}

#[test]
fn a_server_whose_log_nobody_reads_any_more_makes_its_runs_and_ends_when_it_is_asked_to() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Served::spawn(Served::command(&fake_worker(), home.path()).stderr(Stdio::piped()));
    drop(server.log());
    works_and_ends(server);
}

#[test]
fn a_server_whose_log_is_on_a_full_disk_makes_its_runs_and_ends_when_it_is_asked_to() {
    let Ok(full) = File::options().write(true).open("/dev/full") else {
        println!("skipped: this system has no /dev/full");
        return;
    };
    let home = tempfile::tempdir().unwrap();
    works_and_ends(Served::spawn(Served::command(&fake_worker(), home.path()).stderr(full)));
}

#[test]
fn a_server_whose_log_is_held_up_answers_makes_its_runs_and_ends_when_it_is_asked_to() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Served::command(&fake_worker(), home.path());
    let mut server = Served::spawn(command.env("RECSPEED_LOG", "debug").stderr(Stdio::piped()));
    let unread = server.log();
    // Each request is a line with its path: together several times what a pipe holds.
    let url = format!("{}/api/runs/{}", server.base, "x".repeat(2_000));
    for _ in 0..200 {
        let request = ureq::get(&url).config().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        request.call().expect("it answers");
    }
    works_and_ends(server);
    drop(unread);
}
