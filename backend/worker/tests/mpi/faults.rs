//! Ranks that are killed, stopped, or told to stop: the run ends in the deadline, and nobody is left.

use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::{EventKind, FailureCode};

use crate::ranks::{
    Training, all_gone, can, command, events, failure, long, mpirun_of, ranks_of, shared_folder, spec, started,
    training, training_of, wait_for, with_tables,
};

/// A rank was killed: the run ends in time with its name, and leaves nobody.
fn ends_with_the_name_of(lost: usize, training: Training, home: &Path) {
    let begun = Instant::now();
    let output = training.ended();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let (code, cause) = failure(&events(&output));
    assert_eq!(code, FailureCode::Worker);
    let first = format!("Rank {lost}: its process was ended by signal 9");
    assert!(cause.starts_with(&first), "{cause}\n{}", String::from_utf8_lossy(&output.stderr));
    all_gone(home);
}

#[test]
fn a_rank_that_is_killed_ends_the_run_with_its_name_and_leaves_nobody() {
    if !can() {
        return;
    }
    for lost in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        let training = training(home.path());
        kill(training.rank(lost), Signal::SIGKILL).unwrap();
        ends_with_the_name_of(lost, training, home.path());
    }
}

/// Two ranks that wait so many seconds for each other.
fn two_ranks(timeout: u32) -> String {
    format!("kind = \"data-parallel\"\nranks = 2\nlauncher = \"mpi\"\ntimeout = {timeout}")
}

#[test]
fn a_rank_that_is_killed_while_another_waits_for_it_in_a_training_with_tables_is_named_and_leaves_nobody() {
    if !can() {
        return;
    }
    // Wide vectors and a narrow network: most of a step is what is fetched and given back.
    let spec = with_tables(
        "sample = 2000\n[recommender]\nkind = \"dlrm\"\nembedding = 256\nbottom = [1]\nhidden = [1]\n[training]\nepochs = \
         10000\nbatch_size = 1024\n[evaluation]\nmetrics = [\"ndcg@10\"]\n",
        &two_ranks(60),
    );
    for lost in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        let training = training_of(home.path(), &spec);
        let pid = training.rank(lost);
        // Stopped first, so that the other one waits for what it will never send.
        kill(pid, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        kill(pid, Signal::SIGKILL).unwrap();
        ends_with_the_name_of(lost, training, home.path());
    }
}

#[test]
fn a_rank_that_hangs_ends_the_run_in_the_deadline() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let training = training(home.path());
    kill(training.rank(1), Signal::SIGSTOP).unwrap();
    let output = training.ended();
    let (code, cause) = failure(&events(&output));
    assert_eq!(code, FailureCode::Worker);
    let begins = "Rank 1: rank 1 hangs: its process is stopped. A rank that is stopped for longer than 20 s needs a longer \
                  `strategy.timeout`. Found so: rank 0 waits for rank 1 (";
    assert!(cause.starts_with(begins), "{cause}");
    assert!(cause.contains("for more than 20 s"), "{cause}");
    all_gone(home.path());
}

#[test]
fn a_stage_that_hangs_is_named_whoever_gives_up_first() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let strategy = "kind = \"pipeline\"\nranks = 4\nstages = 4\nschedule = \"gpipe\"\nlauncher = \"mpi\"\ntimeout = 10";
    let training = training_of(home.path(), &spec("[training]\nepochs = 10000\nbatch_size = 32", strategy));
    kill(training.rank(2), Signal::SIGSTOP).unwrap();
    let begun = Instant::now();
    let output = training.ended();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let (code, cause) = failure(&events(&output));
    assert_eq!(code, FailureCode::Worker);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(
        cause.starts_with("Rank 2: rank 2 hangs: its process is stopped. A rank that is stopped "),
        "{cause}\n{log}"
    );
    assert!(cause.contains(" for more than 10 s, and gives up"), "{cause}\n{log}");
    all_gone(home.path());
}

/// A spec in which most of the time nobody trains but the first rank, which judges: a step an epoch, then full rankings.
fn judging(epochs: u32, timeout: u32) -> String {
    let rest = format!(
        "[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[recommender]\nkind = \"dlrm\"\nembedding = 8\nbottom = [8]\nhidden = \
         [64, 64]\n[training]\nepochs = {epochs}\nbatch_size = 8192\nloss = \"bpr\"\nlearning_rate = 1e-5\n[evaluation]\nmetrics = \
         [\"ndcg@10\"]\nmax_users = 300\n"
    );
    with_tables(&rest, &two_ranks(timeout))
}

#[test]
fn a_first_rank_that_hangs_wherever_it_is_ends_the_run_in_the_deadline() {
    if !can() {
        return;
    }
    // In the middle of steps, where the other one waits for it, and while it judges alone, where that waits at leisure.
    let steps = long().replace("\"timeout\":20", "\"timeout\":5");
    for (spec, times) in [(steps, 2), (judging(10_000, 5), 2)] {
        for time in 0..times {
            let home = tempfile::tempdir().unwrap();
            let training = training_of(home.path(), &spec);
            std::thread::sleep(Duration::from_millis(130 * time));
            kill(training.rank(0), Signal::SIGSTOP).unwrap();
            let begun = Instant::now();
            let output = training.ended();
            assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
            let (code, cause) = failure(&events(&output));
            assert_eq!(code, FailureCode::Worker);
            let hangs = cause.starts_with("Rank 0: rank 0 hangs: its process is stopped. A rank that is stopped ");
            let named = (hangs && cause.contains(" Found so: rank 1 waits for rank 0 ("))
                || cause.starts_with("Rank 0: its process was stopped");
            assert!(named, "{cause}\n{}", String::from_utf8_lossy(&output.stderr));
            all_gone(home.path());
        }
    }
}

#[test]
fn a_rank_that_is_stopped_while_it_joins_the_others_is_named_in_the_deadline() {
    if !can() {
        return;
    }
    // Where it had joined before the signal came, once more.
    for _ in 0..10 {
        let home = tempfile::tempdir().unwrap();
        let spec = long().replace("\"timeout\":20", "\"timeout\":10");
        let child = started(command(home.path(), &[]), &spec);
        let ranks = || ranks_of(home.path());
        let begun = Instant::now();
        let second = loop {
            let seated = |(rank, pid): &(usize, Pid)| {
                *rank == 1 && shared_folder(*pid).is_some_and(|folder| folder.join("rank-1").exists())
            };
            if let Some((_, pid)) = ranks().into_iter().find(seated) {
                break pid;
            }
            assert!(begun.elapsed() < Duration::from_mins(1), "the second rank starts");
        };
        kill(second, Signal::SIGSTOP).unwrap();
        let folder = shared_folder(second).expect("it is there");
        if folder.join("joined-1").exists() {
            kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
            child.wait_with_output().unwrap();
            all_gone(home.path());
            continue;
        }
        let begun = Instant::now();
        let output = child.wait_with_output().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
        let (code, cause) = failure(&events(&output));
        assert_eq!(code, FailureCode::Worker);
        assert!(cause.starts_with("Rank 1: its process is stopped and did not join the others within 10 s"), "{cause}");
        all_gone(home.path());
        return;
    }
    panic!("the second rank always joined before it was stopped");
}

#[test]
fn a_rank_that_is_stopped_once_nobody_needs_it_does_not_keep_the_result_back() {
    if !can() {
        return;
    }
    // The first rank ranks all items for all users at the end; the other one waits for it.
    for _ in 0..10 {
        let home = tempfile::tempdir().unwrap();
        let training = training_of(home.path(), &judging(2, 120));
        let second = training.rank(1);
        let Some(folder) = shared_folder(second) else { continue };
        wait_for("the second rank has done its part", || folder.join("done-1").exists() || !folder.exists());
        // It may be gone already.
        if kill(second, Signal::SIGSTOP).is_err() || !folder.join("done-1").exists() {
            training.ended();
            continue;
        }
        let begun = Instant::now();
        let output = training.ended();
        // What the evaluation takes, and ten seconds.
        assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
        let events = events(&output);
        assert!(matches!(events.last().unwrap().kind, EventKind::Finished { .. }), "{:?}", events.last());
        assert_eq!(output.status.code(), Some(0));
        all_gone(home.path());
        return;
    }
    panic!("the second rank was always gone before it was stopped");
}

#[test]
fn a_run_that_is_told_to_stop_is_cancelled_in_five_seconds() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let training = training(home.path());
    kill(training.pid(), Signal::SIGTERM).unwrap();
    let begun = Instant::now();
    let output = training.ended();
    let took = begun.elapsed();
    // Five, and what a busy machine adds.
    assert!(took < Duration::from_secs(8), "{took:?}");
    let events = events(&output);
    assert_eq!(failure(&events).0, FailureCode::Cancelled);
    assert_eq!(output.status.code(), Some(130));
    // Older ones are taken away.
    let kept = events.iter().rev().find_map(|event| match &event.kind {
        EventKind::Checkpoint { file, .. } => Some(home.path().join("checkpoints").join(file)),
        _ => None,
    });
    // Ranks that had the time for it have written one.
    if took < Duration::from_secs(4) {
        assert!(std::fs::read(kept.expect("a checkpoint is told of")).is_ok_and(|bytes| !bytes.is_empty()));
    }
    all_gone(home.path());
}

#[test]
fn a_run_with_a_stopped_rank_is_cancelled_in_five_seconds_and_leaves_nobody() {
    if !can() {
        return;
    }
    for stopped in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        let training = training(home.path());
        kill(training.rank(stopped), Signal::SIGSTOP).unwrap();
        kill(training.pid(), Signal::SIGTERM).unwrap();
        let begun = Instant::now();
        let output = training.ended();
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
        assert_eq!(failure(&events(&output)).0, FailureCode::Cancelled);
        assert_eq!(output.status.code(), Some(130));
        all_gone(home.path());
    }
}

#[test]
fn ranks_that_together_hold_too_much_are_ended_and_leave_nobody() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path(), &["--memory-limit", "16000000"]).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(long().as_bytes());
    let begun = Instant::now();
    let output = child.wait_with_output().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_eq!(failure(&events(&output)).0, FailureCode::OutOfMemory);
    all_gone(home.path());
}

#[test]
fn a_worker_that_is_killed_leaves_nobody_though_a_rank_is_stopped() {
    if !can() {
        return;
    }
    for stopped in [0, 1] {
        let home = tempfile::tempdir().unwrap();
        let mut killed = training(home.path());
        kill(killed.rank(stopped), Signal::SIGSTOP).unwrap();
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
        let begun = Instant::now();
        all_gone(home.path());
        // Long before whoever waits for the stopped one gives up.
        assert!(begun.elapsed() < Duration::from_secs(15), "rank {stopped}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_worker_that_is_killed_leaves_nobody_though_mpirun_is_stopped() {
    if !can() {
        return;
    }
    // Alone, and with a rank that hears nothing either.
    for stopped in [None, Some(1)] {
        let home = tempfile::tempdir().unwrap();
        let mut killed = training(home.path());
        let mpirun = mpirun_of(killed.rank(0));
        for pid in stopped.map(|rank| killed.rank(rank)).into_iter().chain([mpirun]) {
            kill(pid, Signal::SIGSTOP).unwrap();
        }
        killed.child.kill().unwrap();
        killed.child.wait().unwrap();
        let begun = Instant::now();
        all_gone(home.path());
        // The ranks after five seconds, in which they could have left, and mpirun two later.
        assert!(begun.elapsed() < Duration::from_secs(15), "{stopped:?}: {:?}", begun.elapsed());
    }
}

#[test]
fn ranks_leave_when_the_worker_or_mpirun_is_killed() {
    if !can() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let mut killed = training(home.path());
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    all_gone(home.path());
    let training = training(home.path());
    kill(mpirun_of(training.rank(0)), Signal::SIGKILL).unwrap();
    assert_eq!(failure(&events(&training.ended())).0, FailureCode::Worker);
    all_gone(home.path());
}
