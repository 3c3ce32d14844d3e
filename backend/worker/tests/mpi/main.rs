//! `launcher = "mpi"`: the result is that of threads, a rank that is lost ends the run in the deadline with its own name, nobody is
//! left behind. Without the feature, or without `mpirun`, the spec is refused with what to do.

mod faults;
mod ranks;
mod results;

use recspeed_types::FailureCode;

use ranks::{command, events, failure, long, run, spec, started};

#[test]
fn a_build_without_mpi_says_how_to_get_it() {
    if cfg!(feature = "mpi") {
        return;
    }
    let (events, status, _) = run(&spec("", "kind = \"pipeline\"\nranks = 2\nlauncher = \"mpi\""), &[]);
    let (code, cause) = failure(&events);
    assert_eq!((code, status), (FailureCode::InvalidSpec, Some(2)));
    assert!(cause.contains("--features recspeed-worker/mpi") && cause.contains("threads"), "{cause}");
}

#[test]
fn a_machine_without_mpirun_says_what_to_install() {
    if !cfg!(feature = "mpi") {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut command = command(home.path(), &[]);
    command.env("PATH", home.path());
    let output = started(command, &long()).wait_with_output().unwrap();
    let (code, cause) = failure(&events(&output));
    assert_eq!(code, FailureCode::InvalidSpec);
    assert!(cause.contains("install Open MPI"), "{cause}");
}
