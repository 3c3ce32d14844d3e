//! `recspeed plan FILE --lengths RUN`: by the passes of a stored run, and of its timeline in a file.

use std::path::Path;
use std::process::Command;

use recspeed_plan::timeline::bars_of;
use recspeed_plan::{Assumed, Outlook, of_spec};
use recspeed_server::store::{self, Store};
use recspeed_types::api::{RunRecord, RunStatus};
use recspeed_types::spec::StrategySpec;
use recspeed_types::{EventKind, ExperimentSpec, RunEvent, RunId};
use serde_json::Value;

use super::{DENSE, plan, spec_file, text};

/// How many times as long as planned the passes of the run take: so long that whole microseconds tell them well.
const LONGER: f64 = 1000.0;
/// How many times as long as those of the first stage those of the second one are, for what was planned of both.
const SLOWER: f64 = 4.0;

fn spec() -> String {
    let strategy = "kind = \"pipeline\"\nstages = 2\nmicro_batches = 4\nschedule = \"1f1b\"\n";
    let (frame, _) = DENSE.split_once("kind = \"hybrid\"").unwrap();
    format!("{frame}{strategy}")
}

/// What the ranks of this spec tell, where the second one is slow.
fn story(run: &RunId, spec: &ExperimentSpec) -> Vec<RunEvent> {
    let strategy = of_spec(&spec.resolve().unwrap(), Assumed::threads(50.0)).unwrap();
    let bars = bars_of(&strategy, &Outlook::of(&strategy).unwrap());
    let engine = serde_json::json!({"kind": "burn", "device": "flex", "versions": {}, "host": "a test", "threads": 1});
    let started = serde_json::json!({"kind": "started", "engine": engine, "seed": 1});
    let mut kinds: Vec<EventKind> = vec![serde_json::from_value(started).unwrap()];
    for (at, bar) in bars.iter().filter(|bar| bar.micro_batch.is_some()).enumerate() {
        let letter = if bar.part.as_str() == "forward" { "F" } else { "B" };
        let longer = LONGER * if bar.rank == 1 { SLOWER } else { 1.0 };
        kinds.push(EventKind::Span {
            rank: bar.rank as u32,
            lane: bar.chunk.to_string(),
            name: format!("{letter}{}", bar.micro_batch.unwrap()),
            start_us: 10 * at as u64 + (LONGER * SLOWER * bar.start_us) as u64,
            // Seven of them it waited.
            duration_us: 7 + (longer * (bar.end_us - bar.start_us)).round() as u64,
            bytes: 0,
            waited_us: 7,
            exchange: None,
        });
    }
    (0..).zip(kinds).map(|(seq, kind)| RunEvent { run: run.clone(), seq, at_us: seq, kind }).collect()
}

fn record(id: &RunId, spec: &ExperimentSpec) -> RunRecord {
    RunRecord {
        model: None,
        id: id.clone(),
        status: RunStatus::Cancelled,
        spec: spec.clone(),
        created_ms: 1,
        started_ms: Some(2),
        ended_ms: Some(3),
        queue_position: None,
        starts_in_s: None,
        waits_for_study: None,
        attempts: 1,
        parent: None,
        summary: None,
        failure: None,
    }
}

/// A lab with the run `divided`, one of which half was told, and one of the same network on one device, which tells nothing.
async fn lab() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let store = Store::open(&home.path().join("lab.sqlite3"), None).unwrap();
    let divided = ExperimentSpec::from_toml(&spec()).unwrap();
    let alone = ExperimentSpec { strategy: StrategySpec::default(), ..divided.clone() };
    for (name, spec, ranks) in [("divided", &divided, 2), ("half", &divided, 1), ("alone", &alone, 0)] {
        let id = RunId::new(name).unwrap();
        let mut story = if ranks > 0 { story(&id, spec) } else { Vec::new() };
        story.retain(|event| !matches!(event.kind, EventKind::Span { rank, .. } if rank >= ranks));
        for (seq, event) in (0..).zip(&mut story) {
            event.seq = seq;
        }
        let record = record(&id, spec);
        store.write(move |work| store::import(work, &record, &story)).await.unwrap();
    }
    home
}

fn planned(arguments: &[&str]) -> Value {
    let output = plan(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn trace_into(file: &Path, home: &Path) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
    let output = command.args(["trace", "divided", "--out"]).arg(file).env("RECSPEED_HOME", home).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn the_passes_of_a_run_are_planned_with_and_say_where_to_cut() {
    let (home, folder) = (lab().await, tempfile::tempdir().unwrap());
    let (file, at) = (spec_file(&folder, &spec()), home.path().to_str().unwrap());
    let by_run = [file.as_str(), "--lengths", "divided", "--home", at];
    let (counted, timed) = (planned(&[&file]), planned(&by_run));
    assert_eq!((&counted["measured"], &timed["stages"]), (&Value::Null, &counted["stages"]), "cut as before");
    let measured = &timed["measured"];
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{timed}"));
    // The plan is that of the slow second stage, and the cut takes layers from it.
    let balance: Vec<u64> = serde_json::from_value(measured["balance"].clone()).unwrap();
    assert_eq!((balance.len(), balance.iter().sum::<u64>()), (2, 21), "{measured}");
    assert!(balance[1] < counted["stages"][1]["layers"].as_u64().unwrap(), "{measured}");
    assert!(number(&timed["step_us"]) > 100.0 * number(&counted["step_us"]), "{timed}");
    assert!(number(&measured["costliest_us"]) < 0.9 * number(&measured["now_costliest_us"]), "{measured}");
    assert!(number(&measured["step_us"]) < number(&timed["step_us"]), "{measured}");
    // So cut there is nothing left to say, and the step is the one that was promised.
    let set = format!("strategy.balance={}", measured["balance"]);
    let even = planned(&[&by_run[..], &["--set", set.as_str()]].concat());
    assert_eq!((&even["step_us"], &even["measured"]["balance"]), (&measured["step_us"], &measured["balance"]));
    assert_eq!(even["measured"]["costliest_us"], even["measured"]["now_costliest_us"]);
    let shown = plan(&by_run);
    let shown = text(&shown.stdout);
    let cut = format!("strategy.balance = [{}, {}], the costliest stage takes", balance[0], balance[1]);
    for words in ["Measured by the run `divided`", cut.as_str(), "Passes are as long as in the run `divided`"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("not measured"), "{shown}");

    // The same of the timeline in a file.
    let trace = folder.path().join("run.trace.json");
    trace_into(&trace, home.path());
    let of_file = planned(&[&file, "--lengths", trace.to_str().unwrap()]);
    let without_name = |planned: &Value| {
        let mut planned = planned.clone();
        planned["measured"]["by"] = Value::Null;
        planned
    };
    assert_eq!(without_name(&of_file), without_name(&timed));
    // Its passes are those of the stages that it had, whatever the spec has now.
    let of_file = planned(&[&file, "--lengths", trace.to_str().unwrap(), "--set", &set]);
    assert_eq!(without_name(&of_file), without_name(&even));
}

#[tokio::test]
async fn a_timeline_whose_json_was_written_anew_is_planned_by_and_one_whose_ranks_stand_elsewhere_is_not() {
    let (home, folder) = (lab().await, tempfile::tempdir().unwrap());
    let file = spec_file(&folder, &spec());
    let trace = folder.path().join("run.trace.json");
    trace_into(&trace, home.path());
    let lengths = ["--lengths", trace.to_str().unwrap()];
    let as_written = planned(&[&[file.as_str()][..], &lengths].concat());
    let mut told: Value = serde_json::from_str(&std::fs::read_to_string(&trace).unwrap()).unwrap();
    std::fs::write(&trace, serde_json::to_string_pretty(&told).unwrap()).unwrap();
    assert_eq!(planned(&[&[file.as_str()][..], &lengths].concat()), as_written);
    // As many ranks, chunks and micro-batches, and no pipeline.
    told["spec"]["strategy"] = serde_json::json!({"kind": "data-parallel", "ranks": 2, "micro_batches": 4});
    std::fs::write(&trace, serde_json::to_string(&told).unwrap()).unwrap();
    let output = plan(&[&[file.as_str()][..], &lengths].concat());
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), ""));
    let told = text(&output.stderr);
    assert!(told.contains("rank 0 is named `stage 0`, and would be `stage 0, replica 0`; take a timeline"), "{told}");
}

#[tokio::test]
async fn a_run_by_which_nothing_can_be_planned_is_refused_with_what_to_do() {
    let (home, folder) = (lab().await, tempfile::tempdir().unwrap());
    let (file, at) = (spec_file(&folder, &spec()), home.path().to_str().unwrap().to_owned());
    let trace = folder.path().join("run.trace.json");
    trace_into(&trace, home.path());
    // What says what it was asked for is its last line.
    let unsaid = folder.path().join("unsaid.trace.json");
    let told = std::fs::read_to_string(&trace).unwrap();
    std::fs::write(&unsaid, told.split_once("],\n\"spec\":").unwrap().0.to_owned() + "]}\n").unwrap();
    let cut = folder.path().join("cut.trace.json");
    std::fs::write(&cut, &told[..told.len() / 2]).unwrap();
    let [trace, unsaid, cut, folder] =
        [trace.as_path(), &unsaid, &cut, folder.path()].map(|path| path.to_str().unwrap());
    for (lengths, set, status, words) in [
        ("divided", "recommender.growth=32", 2, "the run `divided` trained another network than this spec's"),
        ("alone", "seed=1", 4, "the run `alone` has no timeline: one device trained it"),
        ("other", "seed=1", 4, "knows no run `other`"),
        ("No Such", "seed=1", 2, "`No Such` is neither a file nor the number of a run"),
        (folder, "seed=1", 2, "is neither a file nor the number of a run"),
        (file.as_str(), "seed=1", 2, "tells no passes of a run: with a spec --lengths takes the timeline"),
        (trace, "recommender.growth=32", 2, "run.trace.json trained another network than this spec's"),
        (unsaid, "seed=1", 2, "unsaid.trace.json does not say what its run was asked for"),
        (cut, "seed=1", 2, "is cut short or damaged: write it anew with `recspeed run FILE --trace`"),
        (
            "half",
            "seed=1",
            2,
            "it tells of 1 ranks with 1 stages each and 4 micro-batches, and what was planned of it has 2, 1 and 4",
        ),
    ] {
        let output = plan(&[&file, "--lengths", lengths, "--set", set, "--home", &at]);
        assert_eq!(output.status.code(), Some(status), "{lengths} {set}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(words), "{lengths} {set}: {}", text(&output.stderr));
    }
}
