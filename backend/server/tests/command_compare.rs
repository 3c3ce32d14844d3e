//! `recspeed compare` and `recspeed search` against workers that are shell scripts: which runs are made, kept and gone on from.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use recspeed_types::comparison::Comparison;

/// A worker that reads its kind and its seed out of the spec, notes each run in `ran`, and gives four users values: hit@1 of
/// the kind `popularity` is 0 for all of them, that of others 1, 1, 1 and the last digit of the seed over 10.
const WORKER: &str = r#"#!/bin/sh
here=$(dirname "$0"); seq=0; run=none; users=/dev/null
while [ $# -gt 0 ]; do case "$1" in --run) run=$2; shift;; --users) users=$2; shift;; --checkpoint-dir) kept=$2; shift;;
--resume) echo "$2" >> "$here/resumed"; shift;; esac; shift; done
spec=$(cat)
number() { printf '%s' "$spec" | sed -n 's/.*"'"$1"'":\([0-9.]*\).*/\1/p'; }
kind=$(printf '%s' "$spec" | sed -n 's/.*"recommender":{"kind":"\([a-z-]*\)".*/\1/p')
seed=$(number seed); neighbours=$(number neighbours)
on=test; case "$spec" in *'"on":"validation"'*) on=validation;; esac
echo "$kind $seed $on $neighbours" >> "$here/ran"
[ -e "$here/stop-at" ] && [ "$(wc -l < "$here/ran")" -gt "$(cat "$here/stop-at")" ] && { : > "$kept/checkpoint-3.bin"; exit 1; }
say() { printf '{"run":"%s","seq":%s,"at_us":%s,%s}\n' "$run" "$seq" "$seq" "$1"; seq=$((seq+1)); }
fail() { say '"kind":"failed","code":"diverged","cause":"it grew without bound","detail":""'; exit 5; }
case "$kind" in slim) fail;; esac
last=0.$((seed % 10))
case "$kind" in popularity) v="0,0,0,0"; m=0;; *) v="1,1,1,$last"; m=0.9;; esac
[ -n "$neighbours" ] && m=0.$neighbours
printf '{"users":["a","b","c","d"],"columns":{"hit@1":[%s]}}' "$v" > "$users"
say '"kind":"finished","summary":{"run":"'$run'","status":"finished","metrics":{"hit@1":'$m'},
"timing":{"load_s":0.1,"fit_s":0.2,"evaluate_s":0.3},
"memory":{"parameters":8,"gradients":0,"optimizer":0,"activations":0,"buffers":0,"allocator_total":9,"peak":10},
"engine":{"kind":"burn","device":"flex","versions":{},"host":"a test","threads":1},
"data":{"name":"tiny","users":4,"items":4,"train":5,"validation":0,"test":6,"bad_lines":0,"sha256":"abc","synthetic":true},
"evaluation":{"candidates":"full ranking","candidate_items":4,"test_users":4,"evaluated_users":4,"sampled_users":false,"cold_users":0,
"cold_item_rows":0,"tie_rule":"lower id","tie_share":0,"rating_scale":"stars"},"seed":'$seed'}' | tr -d '\n'; echo
"#;

const FRAME: &str = "version = 1\nseed = 5\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[evaluation]\nmetrics = [\"hit@1\"]\n";

struct Bench(tempfile::TempDir);

impl Bench {
    fn new(spec: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.put("group.toml", &format!("{FRAME}{spec}"));
        bench.put("worker", WORKER);
        fs::set_permissions(bench.path("worker"), fs::Permissions::from_mode(0o755)).unwrap();
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_recspeed"));
        command.args(arguments).arg("--worker").arg(self.path("worker")).current_dir(self.0.path());
        command.env("RECSPEED_HOME", self.path("home"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }

    /// What the worker ran since the last look: kind, seed, rows, neighbours.
    fn ran(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("ran")).unwrap_or_default();
        let _ = fs::remove_file(self.path("ran"));
        text.lines().map(|line| line.trim().to_owned()).collect()
    }
}

fn stdout(output: &Output) -> &str {
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

const TWO: &str = "[[compare]]\nrecommender = { kind = \"popularity\" }\n[[compare]]\nname = \"Factors\"\nrecommender = { kind = \"bpr\" }\n";

#[test]
fn what_depends_on_the_seed_runs_with_several_and_pairs_are_tested_by_user() {
    let bench = Bench::new(TWO);
    let output = bench.command(&["compare", "group.toml", "--seeds", "3", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(bench.ran(), ["popularity 5 test", "bpr 5 test", "bpr 6 test", "bpr 7 test"]);
    let comparison: Comparison = serde_json::from_str(stdout(&output)).unwrap();
    let [popularity, factors] = &comparison.methods[..] else { panic!("{comparison:?}") };
    assert_eq!((popularity.seeds.as_slice(), factors.seeds.as_slice()), (&[5][..], &[5, 6, 7][..]));
    assert_eq!((factors.name.as_str(), factors.metrics["hit@1"].sd), ("Factors", Some(0.0)));
    let [test] = &comparison.tests[..] else { panic!("{comparison:?}") };
    // Users a, b and c differ by 1, d by the mean of .5, .6 and .7. All of the 16 assignments of signs: only two reach 3.6.
    assert!((test.difference + 0.9).abs() < 1e-12 && test.exact && test.users == 4, "{test:?}");
    assert_eq!((test.p_randomization, test.p_randomization_holm), (0.125, 0.125));
    assert_eq!((test.left_larger, test.right_larger), (0, 4));
}

#[test]
fn an_interrupted_comparison_goes_on_and_a_finished_one_runs_nothing() {
    let bench = Bench::new(TWO);
    bench.put("stop-at", "2");
    assert_ne!(bench.command(&["compare", "group.toml", "--seeds", "3"]).status.code(), Some(0));
    assert_eq!(bench.ran().len(), 3);
    fs::remove_file(bench.path("stop-at")).unwrap();
    let output = bench.command(&["compare", "group.toml", "--seeds", "3"]);
    assert_eq!(
        (output.status.code(), bench.ran().as_slice()),
        (Some(0), &["bpr 6 test".to_owned(), "bpr 7 test".into()][..])
    );
    let again = bench.command(&["compare", "group.toml", "--seeds", "3", "--markdown"]);
    assert!(bench.ran().is_empty() && stdout(&again).contains("| popularity  |"), "{}", stdout(&again));
    assert!(bench.command(&["compare", "group.toml", "--seeds", "1", "--fresh"]).status.success());
    assert_eq!(bench.ran().len(), 2);
    // The kept runs alone, without any spec.
    let kept = bench.path("home/kept").to_string_lossy().into_owned();
    let stored = bench.command(&["compare", &kept, "--json"]);
    let comparison: Comparison =
        serde_json::from_str(stdout(&stored)).unwrap_or_else(|_| panic!("{}", stderr(&stored)));
    assert!(bench.ran().is_empty() && comparison.methods.len() == 2, "{comparison:?}");
}

#[test]
fn specs_of_different_rows_are_refused_with_the_fields_that_differ() {
    let bench = Bench::new("[recommender]\nkind = \"popularity\"\n");
    let other = FRAME.replace("validation_ratio = 0.1", "test_ratio = 0.3").replace("seed = 5", "seed = 6");
    bench.put("other.toml", &format!("{other}[recommender]\nkind = \"bpr\"\n"));
    let output = bench.command(&["compare", "group.toml", "other.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for part in [
        "not measured on the same rows",
        "split.test_ratio: not set for popularity (group.toml), 0.3 for bpr (other.toml)",
        "split.validation_ratio: 0.1 for popularity",
        "data_seed (or seed): 5 for popularity",
    ] {
        assert!(said.contains(part), "{part} is missing in\n{said}");
    }
    assert!(bench.ran().is_empty());
    // A default that is written out is the same split.
    bench.put(
        "other.toml",
        &format!("{}[recommender]\nkind = \"bpr\"\n", FRAME.replace("_ratio = 0.1", "_ratio = 0.1\ntest_ratio = 0.2")),
    );
    assert!(bench.command(&["compare", "group.toml", "other.toml", "--seeds", "1"]).status.success());
}

#[test]
fn a_recommender_that_fails_is_named_and_the_others_are_compared() {
    let bench = Bench::new(&format!("{TWO}[[compare]]\nrecommender = {{ kind = \"slim\" }}\n"));
    let output = bench.command(&["compare", "group.toml", "--seeds", "2", "--against", "popularity"]);
    assert_eq!(output.status.code(), Some(5));
    assert!(stdout(&output).contains("Not compared: slim, whose run with seed 5 failed: it grew without bound"));
    assert!(stdout(&output).contains("Factors − popularity"), "{}", stdout(&output));
}

const SEARCH: &str = "[recommender]\nkind = \"item-knn\"\n[search]\nmethod = \"random\"\nmetric = \"hit@1\"\nspace.recommender.neighbours = { min = 1, max = 9 }\n";

fn trials(log: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(log).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "trial").collect()
}

#[test]
fn a_search_chooses_by_validation_and_looks_at_the_test_rows_once() {
    let bench = Bench::new(SEARCH);
    let output = bench.command(&["search", "group.toml", "--trials", "6", "--out", "found", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ran = bench.ran();
    assert_eq!(ran.iter().filter(|run| run.contains("validation")).count(), 6);
    let log = trials(&bench.path("found/log.jsonl"));
    let most = log.iter().map(|trial| trial["parameters"]["recommender.neighbours"].as_i64().unwrap()).max().unwrap();
    // hit@1 is 0.N for N neighbours: the most neighbours are the best, and those are measured on the test rows, once.
    assert_eq!(ran.last().unwrap(), &format!("item-knn 5 test {most}"));
    let found: serde_json::Value = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(found[0]["parameters"]["recommender.neighbours"], most);
    let best = fs::read_to_string(bench.path("found/best/01-item-knn.toml")).unwrap();
    assert!(best.starts_with("# The best of 6 trials (random) by hit@1"), "{best}");
    assert!(best.contains(&format!("neighbours = {most}")), "{best}");
    // Nothing is left to do, then three more trials.
    assert!(bench.command(&["search", "group.toml", "--trials", "6", "--out", "found"]).status.success());
    assert!(bench.ran().is_empty());
    assert!(bench.command(&["search", "group.toml", "--trials", "9", "--out", "found"]).status.success());
    assert_eq!(bench.ran().iter().filter(|run| run.contains("validation")).count(), 3);
}

#[test]
fn a_search_that_was_killed_proposes_what_it_would_have_proposed() {
    let whole = Bench::new(SEARCH);
    assert!(whole.command(&["search", "group.toml", "--trials", "8", "--out", "found"]).status.success());
    let cut = Bench::new(SEARCH);
    cut.put("stop-at", "3");
    assert!(!cut.command(&["search", "group.toml", "--trials", "8", "--out", "found"]).status.success());
    fs::remove_file(cut.path("stop-at")).unwrap();
    // Half a line, as a kill leaves it.
    let log = cut.path("found/log.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("{text}{{\"kind\":\"tri")).unwrap();
    assert!(cut.command(&["search", "group.toml", "--trials", "8", "--out", "found"]).status.success());
    let tried = |bench: &Bench| {
        let log = trials(&bench.path("found/log.jsonl"));
        log.iter().map(|trial| trial["parameters"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(tried(&whole), tried(&cut));
    // The same folder for something else is refused.
    let other = cut.command(&["search", "group.toml", "--method", "grid", "--out", "found"]);
    assert!(other.status.code() == Some(2) && stderr(&other).contains("is the log of another search"));
}

#[test]
fn a_trial_that_was_killed_goes_on_from_its_checkpoint() {
    let bench = Bench::new(SEARCH);
    bench.put("stop-at", "2");
    assert!(!bench.command(&["search", "group.toml", "--trials", "4", "--out", "found"]).status.success());
    fs::remove_file(bench.path("stop-at")).unwrap();
    assert!(bench.command(&["search", "group.toml", "--trials", "4", "--out", "found"]).status.success());
    let resumed = fs::read_to_string(bench.path("resumed")).unwrap();
    let resumed: Vec<&str> = resumed.lines().collect();
    assert!(resumed.len() == 1 && resumed[0].ends_with(".checkpoints/checkpoint-3.bin"), "{resumed:?}");
    let ran = bench.ran();
    assert_eq!(ran[2], ran[3], "the same trial again");
    let left = fs::read_dir(bench.path("found")).unwrap();
    let left: Vec<String> = left.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    assert!(left.iter().all(|name| !name.ends_with(".checkpoints")), "{left:?}");
}

#[test]
fn a_search_takes_nothing_from_a_log_that_another_one_writes_or_that_somebody_damaged() {
    let bench = Bench::new(SEARCH);
    let search = || bench.command(&["search", "group.toml", "--trials", "4", "--out", "found"]);
    assert!(search().status.success());
    let log = bench.path("found/log.jsonl");
    let whole = fs::read_to_string(&log).unwrap();
    let lock = fs::File::open(&log).unwrap();
    lock.lock().unwrap();
    let busy = search();
    assert!(busy.status.code() == Some(2) && stderr(&busy).contains("another search is writing"), "{}", stderr(&busy));
    lock.unlock().unwrap();
    let damaged = whole.replacen("\"number\":2", "\"number\":", 1);
    fs::write(&log, &damaged).unwrap();
    let refused = search();
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("line 3 of"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(&log).unwrap(), damaged);
    // Trials of other data do not count beside those of these.
    fs::write(&log, whole.replace("\"data\":\"abc\"", "\"data\":\"other\"")).unwrap();
    let other = bench.command(&["search", "group.toml", "--trials", "5", "--out", "found"]);
    assert!(stderr(&other).contains("the data are no longer those"), "{}", stderr(&other));
}

#[test]
fn a_search_without_validation_rows_is_refused_with_a_way_out() {
    let bench = Bench::new(SEARCH);
    let output = bench.command(&["search", "group.toml", "--set", "split.kind=leave-last-out"]);
    assert_eq!(output.status.code(), Some(2));
    let output = bench.command(&["search", "group.toml", "--metric", "coverage@10"]);
    assert!(stderr(&output).contains("neither more nor less of it is better"), "{}", stderr(&output));
    bench.put("group.toml", &format!("{}{SEARCH}", FRAME.replace("validation_ratio = 0.1\n", "")));
    let output = bench.command(&["search", "group.toml"]);
    assert!(stderr(&output).contains("set split.validation_ratio"), "{}", stderr(&output));
    assert!(bench.ran().is_empty());
}

#[test]
fn what_has_nothing_to_search_runs_once_and_is_compared_with_the_winners() {
    let bench = Bench::new(
        "[search]\ntrials = 4\nmethod = \"random\"\nspace.recommender.neighbours = { min = 1, max = 9 }\n[[compare]]\nname = \"Popularity\"\nrecommender = { kind = \"popularity\" }\n[[compare]]\nrecommender = { kind = \"item-knn\" }\n",
    );
    let output = bench.command(&["search", "group.toml", "--out", "found"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ran = bench.ran();
    assert_eq!(
        ran.iter().filter(|run| run.starts_with("popularity")).count(),
        2,
        "validation once, test once: {ran:?}"
    );
    assert_eq!(ran.iter().filter(|run| run.starts_with("item-knn 5 validation")).count(), 4, "{ran:?}");
    // Said while it runs, in the log, in the table and above the best spec.
    assert!(stderr(&output).contains("Popularity, 1 trial: nothing to search: hit@1 0"), "{}", stderr(&output));
    let log = trials(&bench.path("found/log.jsonl"));
    let only: Vec<_> = log.iter().filter(|trial| trial["nothing_to_search"] == true).collect();
    assert!(only.len() == 1 && only[0]["name"] == "Popularity" && log.len() == 5, "{log:?}");
    let said = stdout(&output);
    assert!(said.contains("the same budget: 4 trials (Popularity: 1 trial: nothing to search)"), "{said}");
    let best = fs::read_to_string(bench.path("found/best/01-popularity.toml")).unwrap();
    assert!(best.starts_with("# The only trial: there is nothing to search"), "{best}");
    let compared = bench.command(&["compare", "found", "--json"]);
    let comparison: Comparison =
        serde_json::from_str(stdout(&compared)).unwrap_or_else(|_| panic!("{}", stderr(&compared)));
    assert!(comparison.methods.len() == 2 && comparison.tests.len() == 1, "{comparison:?}");
    assert!(bench.command(&["search", "group.toml", "--out", "found"]).status.success());
    assert!(bench.ran().is_empty(), "nothing is left to do");
    // With nothing at all to search it is no search.
    bench.put("group.toml", &format!("{FRAME}[recommender]\nkind = \"popularity\"\n"));
    let refused = bench.command(&["search", "group.toml", "--out", "other"]);
    assert!(stderr(&refused).contains("no parameter of popularity can be tried"), "{}", stderr(&refused));
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn every_recommender_of_a_search_has_the_same_budget() {
    let bench = Bench::new(
        "[search]\ntrials = 3\nmethod = \"grid\"\n[[compare]]\nrecommender = { kind = \"item-knn\" }\nspace.recommender.neighbours = [3, 5, 7, 9]\n[[compare]]\nrecommender = { kind = \"bpr\" }\nspace.recommender.factors = [8, 16]\n",
    );
    let output = bench.command(&["search", "group.toml", "--out", "found"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ran = bench.ran();
    let of = |kind: &str| ran.iter().filter(|run| run.starts_with(kind) && run.contains("validation")).count();
    // The folder of a search can be compared: its kept runs are the winners on the test rows.
    let compared = bench.command(&["compare", "found", "--json"]);
    let comparison: Comparison =
        serde_json::from_str(stdout(&compared)).unwrap_or_else(|_| panic!("{}", stderr(&compared)));
    assert!(comparison.methods.len() == 2 && bench.ran().is_empty(), "{comparison:?}");
    // bpr's grid has two points.
    assert_eq!((of("item-knn"), of("bpr")), (3, 2));
    let said = stdout(&output);
    assert!(said.contains("Mind of bpr: its grid ended after 2 trials where another had 3"), "{said}");
    assert!(!said.contains("Mind of item-knn"), "{said}");
    assert!(stdout(&output).contains("Best spec: found/best/02-bpr.toml"), "{}", stdout(&output));
}
