//! A run goes on from its checkpoint, and from nothing else.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::{EventKind, FailureCode};

use super::{SMALL, ended, run, start, toml};

/// Runs until the third epoch has said something, and stops; the newest checkpoint, and how many events there were.
fn stopped(home: &Path, folder: &Path, spec: &str) -> (PathBuf, u64) {
    let mut child = start(home, &["--checkpoint-dir", folder.to_str().unwrap()], spec);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut spoken = 0;
    let mut stopped = false;
    for line in lines.by_ref() {
        spoken += 1;
        if !stopped && line.unwrap().contains(r#""epoch":3"#) {
            kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
            stopped = true;
        }
    }
    child.wait().unwrap();
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort_by_key(|file| file.metadata().unwrap().modified().unwrap());
    (files.pop().expect("a checkpoint was written"), spoken)
}

#[test]
fn a_resumed_run_ends_with_the_bits_of_one_that_was_never_stopped() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("checkpoints");
    let spec = toml(&format!("{SMALL}\n[training]\nepochs = 400\nbatch_size = 16\n"));
    let whole = ended(&start(home.path(), &[], &spec).wait_with_output().unwrap());

    let (file, spoken) = stopped(home.path(), &folder, &spec);
    let first = spoken.to_string();
    let arguments = ["--resume", file.to_str().unwrap(), "--first-seq", &first];
    let resumed = ended(&start(home.path(), &arguments, &spec).wait_with_output().unwrap());
    assert_eq!(resumed.status, Some(0), "{}", resumed.log);
    assert_eq!(resumed.events[0].seq, spoken);
    for metric in ["rmse", "mae", "accuracy"] {
        assert_eq!(resumed.metric(metric).to_bits(), whole.metric(metric).to_bits(), "{metric}");
    }
}

#[test]
fn what_keeps_no_checkpoints_continues_from_none_and_says_so_before_any_work() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoint-1.bin");
    std::fs::write(&file, b"whatever it is").unwrap();
    let arguments = ["--resume", file.to_str().unwrap()];
    let spec = toml(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"item-knn\"\n\
         [evaluation]\nmetrics = [\"ndcg@10\"]\n",
    );
    let refused = ended(&start(home.path(), &arguments, &spec).wait_with_output().unwrap());
    let EventKind::Failed { code, cause, .. } = refused.last() else { panic!("{:?}", refused.last()) };
    assert_eq!(code, &FailureCode::Checkpoint);
    assert!(cause.contains("recommender.kind = \"item-knn\" keeps no checkpoints"), "{cause}");
    assert!(cause.ends_with("leave out --resume."), "{cause}");
    assert!(!refused.events.iter().any(|event| matches!(event.kind, EventKind::Phase { .. })), "{}", refused.log);
}

#[test]
fn a_file_that_is_no_checkpoint_is_named_with_what_was_found_before_any_data_are_read() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("checkpoint-1.bin");
    let path = file.display().to_string();
    for recommender in [
        "kind = \"als-implicit\"",
        "kind = \"neumf\"",
        "kind = \"switching\"\n[[recommender.components]]\nkind = \"bpr\"\n[[recommender.components]]\nkind = \"ease\"",
    ] {
        let spec = toml(&format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[evaluation]\n\
             metrics = [\"ndcg@10\"]\n[recommender]\n{recommender}\n"
        ));
        for (bytes, said) in [
            (
                &b"user_id:token\n1\n"[..],
                format!(
                    "The file {path} is not a checkpoint of this lab (it is text that begins with `user_id:token`); take \
                     another one, or start again without it."
                ),
            ),
            (
                b"RSFIT003 as far as a full disk let it",
                format!(
                    "The file {path} is damaged: it is cut off, or an earlier version of the lab wrote it; take another \
                     one, or start again without it."
                ),
            ),
        ] {
            std::fs::write(&file, bytes).unwrap();
            let refused = ended(&start(home.path(), &["--resume", &path], &spec).wait_with_output().unwrap());
            let EventKind::Failed { code, cause, .. } = refused.last() else { panic!("{:?}", refused.last()) };
            assert_eq!((code, cause), (&FailureCode::Checkpoint, &said), "{recommender}");
            assert!(
                !refused.events.iter().any(|event| matches!(event.kind, EventKind::Phase { .. })),
                "{}",
                refused.log
            );
        }
    }
}

#[test]
fn a_checkpoint_of_one_strategy_goes_on_under_another() {
    let spec = |strategy: &str| {
        toml(&format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 3000\n[recommender]\nkind = \
             \"mlp\"\nhidden = [16, 12, 8]\n[training]\nepochs = 12\nbatch_size = 16\n[strategy]\n{strategy}\n[evaluation]\n\
             metrics = [\"rmse\", \"mae\"]\n"
        ))
    };
    let single = "kind = \"single\"";
    let hybrid = "kind = \"hybrid\"\nranks = 4\nstage = 3\nschedule = \"zb-h1\"";
    let pipeline = "kind = \"pipeline\"\nstages = 3\nrecompute = \"always\"";
    let zero = "kind = \"zero\"\nranks = 3\nstage = 2";
    let expected = run(&[], &spec(single)).metric("rmse");
    for (first, then) in [(hybrid, pipeline), (pipeline, zero), (zero, single), (single, hybrid), (hybrid, hybrid)] {
        let home = tempfile::tempdir().unwrap();
        let (file, spoken) = stopped(home.path(), &home.path().join("checkpoints"), &spec(first));
        let arguments = ["--resume", file.to_str().unwrap(), "--first-seq", &spoken.to_string()];
        let resumed = ended(&start(home.path(), &arguments, &spec(then)).wait_with_output().unwrap());
        assert_eq!(resumed.status, Some(0), "{first} to {then}: {}", resumed.log);
        let rmse = resumed.metric("rmse");
        assert!((rmse - expected).abs() < 2e-3, "{first} to {then}: {rmse} against {expected}");
        if first == then {
            assert_eq!(
                rmse.to_bits(),
                run(&[], &spec(then)).metric("rmse").to_bits(),
                "the same layout: the same bits"
            );
        }
    }
}
