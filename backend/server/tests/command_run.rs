//! `recspeed run` against workers that do well, badly, or nothing at all. The workers are shell scripts.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::{ExperimentSpec, RunSummary};

/// A folder with a spec and a worker.
struct Bench {
    dir: tempfile::TempDir,
}

/// What every script begins with: the run's name, the spec in `spec.json`, and `say KIND-AND-FIELDS`.
const PROLOGUE: &str = r#"#!/bin/sh
here=$(dirname "$0"); seq=0; run=none
while [ $# -gt 0 ]; do case "$1" in --run) run=$2; shift;; esac; shift; done
cat > "$here/spec.json"
say() { printf '{"run":"%s","seq":%s,"at_us":%s,%s}\n' "$run" "$seq" "$seq" "$1"; seq=$((seq+1)); }
"#;

/// Ends a run with a result.
const FINISH: &str = r#"
say '"kind":"phase","phase":"fit"'
say '"kind":"progress","done":1,"total":2,"unit":"batches"'
say '"kind":"metric","name":"loss","split":"train","step":1,"epoch":0.5,"value":0.25'
say '"kind":"finished","summary":{"run":"'$run'","status":"finished","metrics":{"rmse":1.153676,"mae":0.96805},
"timing":{"load_s":0.1,"fit_s":0.2,"evaluate_s":0.3},
"memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":10},
"engine":{"kind":"burn","device":"flex","versions":{"burn":"0.22.1"},"host":"a test","threads":1},
"data":{"name":"tiny","users":3,"items":4,"train":5,"validation":0,"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
"evaluation":{"candidates":"full ranking","candidate_items":4,"test_users":3,"evaluated_users":3,"sampled_users":false,"cold_users":0,
"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars"},"seed":42,"warnings":["small"]}' | tr -d '\n'; echo
"#;

impl Bench {
    fn new(worker: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bench = Self { dir };
        fs::write(bench.path("spec.toml"), ExperimentSpec::default().to_toml()).unwrap();
        fs::write(bench.path("worker"), format!("{PROLOGUE}{worker}")).unwrap();
        fs::set_permissions(bench.path("worker"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.arg("run").arg(self.path("spec.toml")).arg("--worker").arg(self.path("worker")).args(more);
        command.env("RECSPEED_HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

/// What standard error has beside how far the run is, which a slow machine has it say.
fn complaints(output: &Output) -> Vec<&str> {
    stderr(output).lines().filter(|line| !line.ends_with(" begins")).collect()
}

#[test]
fn json_prints_the_summary_as_one_object_and_nothing_else() {
    let output = Bench::new(FINISH).run(&["--json"]);
    assert_eq!((output.status.code(), complaints(&output)), (Some(0), vec![]));
    assert_eq!(stdout(&output).lines().count(), 1);
    let summary: RunSummary = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(summary.metrics["rmse"], 1.153676);
}

#[test]
fn the_table_has_metrics_and_their_circumstances_and_no_colour_in_a_pipe() {
    let output = Bench::new(FINISH).run(&[]);
    assert_eq!((output.status.code(), complaints(&output)), (Some(0), vec![]));
    for part in ["1.153676", "0.9680500", "3 users and 4 items", "(synthetic)", "Warning: small", "spec.toml"] {
        assert!(stdout(&output).contains(part), "{part} is missing in\n{}", stdout(&output));
    }
    assert!(!stdout(&output).contains('\u{1b}'));
}

#[test]
fn a_run_that_takes_its_time_says_in_a_pipe_how_far_it_is_and_keeps_standard_output_clean() {
    let slow = r#"
say '"kind":"phase","phase":"load"'
sleep 3
say '"kind":"log","message":"a long step: about 80 seconds","seconds":80.5'
"#;
    let output = Bench::new(&format!("{slow}{FINISH}")).run(&["--json"]);
    let said = "recspeed: load begins\nrecspeed: a long step: about 80 seconds\nrecspeed: fit begins\n";
    assert_eq!((output.status.code(), stderr(&output)), (Some(0), said));
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn a_run_whose_progress_nobody_reads_any_more_prints_its_result_all_the_same() {
    let slow = r#"
say '"kind":"phase","phase":"load"'
sleep 3
say '"kind":"warning","message":"the cache cannot be written"'
"#;
    let bench = Bench::new(&format!("{slow}{FINISH}"));
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bench.command(&["--json"]).stderr(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let summary: RunSummary = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(summary.metrics["rmse"], 1.153676);
}

#[test]
fn the_timeline_that_ranks_have_told_is_written_with_the_planned_one() {
    let spans = r#"
span() { say '"kind":"span","rank":'$1',"lane":"0","name":"'$2'","start_us":'$3',"duration_us":5'; }
span 0 F0 10; span 1 F0 20; span 1 B0 30; span 0 B0 40; span 0 step 50; span 1 step 50
"#;
    let bench = Bench::new(&format!("{spans}{FINISH}"));
    let trace = bench.path("run.trace.json");
    let more = ["--set", "recommender.kind=mlp", "--set", "strategy.kind=pipeline", "--trace", trace.to_str().unwrap()];
    let output = bench.run(&more);
    assert_eq!((output.status.code(), complaints(&output)), (Some(0), vec![]));
    let trace: serde_json::Value = serde_json::from_slice(&fs::read(trace).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let named = |name: &str| events.iter().any(|event| event["args"]["name"] == name);
    assert!(named("predicted rank 1, stage 1") && named("measured rank 1, stage 1"), "{trace}");
    let of_run = |phase: &str| {
        let of = |event: &&serde_json::Value| event["ph"] == phase && event["pid"].as_u64().unwrap() > 2;
        events.iter().filter(of).count()
    };
    assert_eq!((of_run("X"), of_run("s")), (6, 2), "an activation and a gradient");
    let alone = Bench::new(FINISH);
    let trace = alone.path("run.trace.json");
    let output = alone.run(&["--trace", trace.to_str().unwrap()]);
    assert!(output.status.success() && !trace.exists());
    assert!(stderr(&output).contains("no trace was written: ranks tell"), "{}", stderr(&output));
}

#[test]
fn a_model_that_was_not_kept_is_no_success_and_the_metrics_are_shown_all_the_same() {
    let bench = Bench::new(FINISH);
    let model = bench.path("model");
    let output = bench.run(&["--model", model.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("1.153676"), "{}", stdout(&output));
    let said = stderr(&output);
    assert!(said.starts_with(&format!("recspeed: the model was not kept in {}, ", model.display())), "{said}");
    assert!(said.contains("name another folder with --model DIR"), "{said}");
}

#[test]
fn a_run_that_fails_leaves_no_model_in_the_lab_nor_half_of_one() {
    let fail = r#"mkdir -p "$here/home/models/$run/files-x" "$here/home/models/other/files-x"
say '"kind":"failed","code":"data","cause":"the file is empty","detail":""'; exit 4"#;
    let bench = Bench::new(fail);
    assert_eq!(bench.run(&["--json"]).status.code(), Some(4));
    let left: Vec<_> =
        fs::read_dir(bench.path("home/models")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["other"], "what others write is theirs");
}

#[test]
fn a_worker_that_breaks_its_word_leaves_no_model_in_the_lab_nor_half_of_one() {
    let writes = r#"mkdir -p "$here/home/models/$run/files-x" "$here/home/models/other/files-x"
echo half > "$here/home/models/$run/files-x/users.ids.arrow""#;
    for (breaks, told) in [
        ("echo 'no event'", "the worker printed what is no event"),
        (r#"seq=7; say '"kind":"phase","phase":"fit"'"#, "the worker broke the protocol"),
        ("head -c 3000000 /dev/zero", "a line of more than 1048576 bytes"),
    ] {
        let bench = Bench::new(&format!("{writes}\n{breaks}\nexec sleep 1000\n"));
        let output = bench.run(&[]);
        assert_eq!((output.status.success(), stdout(&output)), (false, ""), "{breaks}");
        assert!(stderr(&output).contains(told), "{breaks}: {}", stderr(&output));
        let left: Vec<_> =
            fs::read_dir(bench.path("home/models")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["other"], "{breaks}: what is another run's stays");
    }
}

#[test]
fn a_model_that_cannot_be_kept_is_told_before_a_worker_is_started() {
    let bench = Bench::new(FINISH);
    let spec = bench.path("spec.toml");
    let output = bench.run(&["--model", spec.to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("a file stands where a folder must be"), "{}", stderr(&output));
    assert!(!bench.path("spec.json").exists(), "no worker has read a spec");
}

#[test]
fn a_trace_takes_the_place_of_no_other_file_and_that_is_told_before_a_worker_is_started() {
    let bench = Bench::new(FINISH);
    let spec = bench.path("spec.toml");
    let before = fs::read_to_string(&spec).unwrap();
    let output = bench.run(&["--trace", spec.to_str().unwrap()]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert!(stderr(&output).contains("give --trace another name, or remove that file first"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(&spec).unwrap(), before);
    assert!(!bench.path("spec.json").exists(), "no worker has read a spec");
}

#[test]
fn assignments_reach_the_worker() {
    let bench = Bench::new(FINISH);
    assert!(bench.run(&["--set", "training.epochs=7", "--set", "name=Other"]).status.success());
    let spec = ExperimentSpec::from_json(&fs::read_to_string(bench.path("spec.json")).unwrap()).unwrap();
    assert_eq!((spec.training.epochs, spec.name.as_str()), (Some(7), "Other"));
}

#[test]
fn an_invalid_spec_is_told_whole_and_no_worker_starts() {
    let bench = Bench::new(FINISH);
    let output = bench.run(&["--set", "training.epochs=0", "--set", "seed=9007199254740993"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("has 2 mistakes"), "{}", stderr(&output));
    assert!(stderr(&output).contains("training.epochs: is 0; allowed: 1 to 10000"), "{}", stderr(&output));
    assert!(!bench.path("spec.json").exists() && output.stdout.is_empty());
    let output = bench.run(&["--set", "training.epoch=3"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("training.epoch: is no field of this section (did you mean `epochs`?)"));
}

#[test]
fn the_worker_s_own_failure_is_shown_and_its_status_passed_on() {
    let fail =
        r#"say '"kind":"failed","code":"data","cause":"the file is empty; choose another","detail":"0 bytes"'; exit 4"#;
    let output = Bench::new(fail).run(&["--json"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(4), ""));
    assert_eq!(stderr(&output), "recspeed: the file is empty; choose another\n0 bytes\n");
}

#[test]
fn what_a_worker_warns_of_before_it_refuses_is_said_under_the_same_name_as_the_refusal() {
    let refuse = r#"say '"kind":"warning","message":"3 rows are older"'
say '"kind":"failed","code":"invalid-spec","cause":"it has no ratings","detail":""'; exit 2"#;
    let output = Bench::new(refuse).run(&[]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""));
    assert_eq!(stderr(&output), "recspeed: warning: 3 rows are older\nrecspeed: it has no ratings\n");
}

#[test]
fn rubbish_ends_the_run_with_a_quotation() {
    let output = Bench::new("echo \"Segmentation fault\"; sleep 60").run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("the worker printed what is no event: `Segmentation fault`"),
        "{}",
        stderr(&output)
    );
    let output = Bench::new("head -c 3000000 /dev/zero; sleep 60").run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("a line of more than 1048576 bytes"), "{}", stderr(&output));
}

#[test]
fn a_gap_in_the_stream_breaks_the_protocol() {
    let output = Bench::new("seq=3; say '\"kind\":\"log\",\"message\":\"x\"'").run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("its event has seq 3 where 0 was due"), "{}", stderr(&output));
}

#[test]
fn a_worker_that_is_killed_is_not_mistaken_for_a_result() {
    let output = Bench::new("echo 'reading' >&2; kill -9 $$").run(&["--json"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(137), ""));
    let said = stderr(&output);
    assert!(
        said.contains("killed by signal 9 (SIGKILL)") && said.contains("when memory runs out, or somebody ended it"),
        "{said}"
    );
    assert!(said.contains("The end of its log:\n  reading"), "{said}");
}

#[test]
fn a_worker_without_a_last_word_is_a_failure_whatever_its_status() {
    for (script, status) in [("exit 0", 1), ("exit 7", 7)] {
        let output = Bench::new(script).run(&[]);
        assert_eq!(output.status.code(), Some(status));
        assert!(stderr(&output).contains("and without a result"), "{}", stderr(&output));
    }
}

#[test]
fn a_worker_that_stays_after_its_result_is_ended() {
    let start = Instant::now();
    let output = Bench::new(&format!("{FINISH}\nsleep 60")).run(&["--json"]);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(serde_json::from_slice::<RunSummary>(&output.stdout).is_ok(), "the result is not lost");
    assert_eq!(output.status.code(), Some(137));
    assert!(stderr(&output).contains("gave its result but then ended with"), "{}", stderr(&output));
}

#[test]
fn nobody_whom_a_worker_has_started_outlives_it_even_stopped() {
    for ending in [FINISH, "exit 1"] {
        let starts = "sleep 60 > \"$here/out\" 2>&1 & echo $! > \"$here/left\"; kill -STOP $!";
        let bench = Bench::new(&format!("{starts}\n{ending}"));
        bench.run(&["--json"]);
        let left = fs::read_to_string(bench.path("left")).expect("it was started");
        // Killed is not yet gone: the system takes it apart in its own time.
        let limit = Instant::now() + Duration::from_secs(20);
        let stat = format!("/proc/{}/stat", left.trim());
        while fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < limit, "it is still there after {ending}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_worker_with_ranks_whose_process_is_stopped_is_found_in_their_time_and_leaves_nobody() {
    let bench = Bench::new("sleep 60 > \"$here/out\" 2>&1 & echo $! $$ > \"$here/left\"; kill -STOP $$; sleep 60");
    let more = ["--set", "strategy.kind=data-parallel", "--set", "strategy.ranks=2", "--set", "strategy.timeout=2"];
    let start = Instant::now();
    let output = bench.run(&more);
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told = "the worker's process is stopped: it did not go on for 2 s, as long as its ranks wait for each other, and was ended; let \
                it go on sooner (kill -CONT), or set strategy.timeout higher";
    assert!(stderr(&output).contains(told), "{}", stderr(&output));
    let left = fs::read_to_string(bench.path("left")).expect("it was started");
    let limit = Instant::now() + Duration::from_secs(20);
    for pid in left.split_whitespace() {
        while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(Instant::now() < limit, "{pid} is still there");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_worker_without_ranks_may_be_stopped_and_goes_on() {
    let stops = "(sleep 3; kill -CONT $$) & kill -STOP $$";
    let output = Bench::new(&format!("{stops}\n{FINISH}")).run(&["--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stdout(&output).lines().count(), 1);
}

#[test]
fn a_missing_worker_is_named_with_the_remedy() {
    let bench = Bench::new("");
    let output = Command::new(env!("CARGO_BIN_EXE_recspeed"))
        .args(["run", "--worker", "no/such/worker"])
        .arg(bench.path("spec.toml"))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("there is no worker at no/such/worker; name an existing program with --worker PATH")
    );
    fs::write(bench.path("worker"), "no program").unwrap();
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot start the worker") || stderr(&output).contains("ended with status"));
}

/// Waits until the worker has read its spec, so that it has started for sure.
fn wait_for_start(bench: &Bench) {
    let limit = Instant::now() + Duration::from_secs(20);
    while fs::read_to_string(bench.path("started")).is_err() {
        assert!(Instant::now() < limit, "the worker did not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn interrupt(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

#[test]
fn an_interrupt_lets_the_worker_write_a_checkpoint_and_says_what_was_kept() {
    let script = r#"
trap 'sleep 0.4; say "\"kind\":\"checkpoint\",\"file\":\"step-1200.bin\",\"step\":1200,\"sha256\":\"ab\""
say "\"kind\":\"failed\",\"code\":\"cancelled\",\"cause\":\"The run was cancelled.\",\"detail\":\"\""; exit 130' TERM
touch "$here/started"
while :; do sleep 0.05; done"#;
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bench = Bench::new(script);
        let child = bench.command(&["--checkpoint-dir", "kept"]).spawn().unwrap();
        wait_for_start(&bench);
        interrupt(&child, signal);
        // As `timeout` does: once to the process, once to its group.
        std::thread::sleep(Duration::from_millis(100));
        interrupt(&child, signal);
        let (status, said) = ended(child);
        assert_eq!(status, Some(130), "{said}");
        assert!(said.contains("The run was cancelled."), "{said}");
        assert!(said.contains("Kept: the checkpoint kept/step-1200.bin of step 1,200"), "{said}");
    }
}

#[test]
fn a_folder_for_checkpoints_that_gets_none_is_told_in_one_line_before_the_run_which_goes_on() {
    let bench = Bench::new(FINISH);
    let folder = bench.path("kept").display().to_string();
    let run = |kind: &str, more: &[&str]| {
        let kind = format!("recommender.kind={kind}");
        let output = bench.run(&[&["--set", kind.as_str()][..], more].concat());
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stderr(&output).to_owned()
    };
    let checkpoints = ["--checkpoint-dir", folder.as_str()];
    for kind in ["slope-one", "user-knn"] {
        let line = format!(
            "recspeed: a run with recommender.kind = \"{kind}\" keeps no checkpoints: it is fitted in one go; nothing will \
             be written to {folder}"
        );
        let said = run(kind, &checkpoints);
        assert_eq!(said.lines().filter(|each| *each == line).count(), 1, "{said}");
        assert!(!run(kind, &[]).contains("checkpoints"), "nobody asked");
    }
    for kind in ["biased-mf", "mlp"] {
        let said = run(kind, &checkpoints);
        assert!(!said.contains("keeps no checkpoints"), "{kind}: {said}");
    }
}

#[test]
fn a_worker_that_ignores_the_interrupt_is_ended_after_five_seconds() {
    let bench = Bench::new("trap '' TERM; touch \"$here/started\"; while :; do sleep 0.1; done");
    let child = bench.command(&[]).spawn().unwrap();
    wait_for_start(&bench);
    let start = Instant::now();
    interrupt(&child, Signal::SIGINT);
    let (status, said) = ended(child);
    let took = start.elapsed();
    assert_eq!(status, Some(130), "{said}");
    assert!(said.contains("was interrupted") && said.contains("Nothing was kept"), "{said}");
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(12), "{took:?}");
}

#[test]
fn a_second_interrupt_ends_it_at_once() {
    let bench = Bench::new("trap '' TERM; touch \"$here/started\"; while :; do sleep 0.1; done");
    let child = bench.command(&[]).spawn().unwrap();
    wait_for_start(&bench);
    let start = Instant::now();
    interrupt(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(1200));
    interrupt(&child, Signal::SIGINT);
    let (status, _) = ended(child);
    assert_eq!(status, Some(130));
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
}
