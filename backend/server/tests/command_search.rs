//! `recspeed search` against workers that are shell scripts: what is tried, logged, gone on from, and measured in the end.

#[path = "command_search/baselines.rs"]
mod baselines;
mod bench;
#[path = "command_search/budget.rs"]
mod budget;
#[path = "command_search/damaged.rs"]
mod damaged;
#[path = "command_search/twice.rs"]
mod twice;

use std::fs;
use std::process::Output;

use serde_json::Value;

use bench::{Bench, FRAME, lines, stderr, stdout};

const SEARCH: &str = "[recommender]\nkind = \"item-knn\"\n[search]\nmethod = \"random\"\nmetric = \"hit@1\"\nspace.recommender.neighbours = { min = 1, max = 9 }\n";

/// The lines of each member of a group.
fn members(all: &[&str]) -> String {
    all.iter().map(|member| format!("[[compare]]\n{member}\n")).collect::<Vec<_>>().concat()
}

/// Searches `group.toml`; what comes of it lies in `found`.
fn search(bench: &Bench, more: &[&str]) -> Output {
    search_into(bench, "found", more)
}

/// The same with another folder.
fn search_into(bench: &Bench, folder: &str, more: &[&str]) -> Output {
    bench.command(&[&["search", "group.toml", "--out", folder][..], more].concat())
}

/// The results that a search printed as JSON.
fn results(output: &Output) -> Vec<Value> {
    serde_json::from_str(stdout(output)).unwrap_or_else(|_| panic!("{}", stderr(output)))
}

/// The trials in the log of a search.
fn trials(bench: &Bench, folder: &str) -> Vec<Value> {
    let text = fs::read_to_string(bench.path(folder).join("log.jsonl")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["kind"] == "trial").collect()
}

#[test]
fn a_search_chooses_by_validation_and_looks_at_the_test_rows_once() {
    let bench = Bench::new(SEARCH);
    let output = search(&bench, &["--trials", "6", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ran = bench.ran();
    assert_eq!(ran.iter().filter(|run| run.contains("validation")).count(), 6);
    let log = trials(&bench, "found");
    let most = log.iter().map(|trial| trial["parameters"]["recommender.neighbours"].as_i64().unwrap()).max().unwrap();
    // hit@1 is 0.N for N neighbours: the most neighbours are the best, and those are measured on the test rows, once.
    assert_eq!(ran.last().unwrap(), &format!("item-knn 5 test {most}"));
    assert_eq!(results(&output)[0]["parameters"]["recommender.neighbours"], most);
    let best = fs::read_to_string(bench.path("found/best/01-item-knn.toml")).unwrap();
    assert!(best.starts_with("# The best of 6 trials (random) by hit@1"), "{best}");
    assert!(best.contains(&format!("neighbours = {most}")), "{best}");
    // Nothing is left to do, then three more trials.
    assert!(search(&bench, &["--trials", "6"]).status.success());
    assert!(bench.ran().is_empty());
    assert!(search(&bench, &["--trials", "9"]).status.success());
    assert_eq!(bench.ran().iter().filter(|run| run.contains("validation")).count(), 3);
}

#[test]
fn a_search_says_in_a_pipe_which_trial_of_how_many_takes_its_time_and_what_is_best_so_far() {
    let bench = Bench::new(&format!(
        "[search]\ntrials = 3\nmethod = \"random\"\nspace.recommender.neighbours = {{ min = 1, max = 9 }}\n{}",
        members(&["recommender = { kind = \"item-knn\" }", "recommender = { kind = \"popularity\" }"])
    ));
    bench.put("slow", "2");
    let output = search(&bench, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = lines(&output);
    let [line] = said[..] else { panic!("{said:?}") };
    let log = trials(&bench, "found");
    let due = format!("recspeed: item-knn, trial 2 of 3: neighbours {}: fit: ", neighbours(&log[1]));
    assert!(line.starts_with(&due), "{line}");
    let best = format!("; best so far hit@1 0.{}", neighbours(&log[0]));
    assert!(line.contains("; recommender 1 of 2; ") && line.contains(&best), "{line}");
    assert!(line.contains(" (trial 1); ") && line.ends_with(" in all"), "{line}");
    assert_eq!(results(&output).len(), 2, "standard output is one JSON text");
}

#[test]
fn what_the_best_run_warns_of_is_said_once_with_its_name() {
    let bench = Bench::new(SEARCH);
    bench.put("warning", "one list for everybody");
    let output = search(&bench, &["--trials", "3", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(lines(&output), ["recspeed: warning: item-knn: one list for everybody"]);
}

#[test]
fn a_folder_that_a_search_cannot_write_is_told_with_the_flag_that_it_has() {
    let bench = Bench::new(SEARCH);
    bench.put("taken", "important");
    let output = search_into(&bench, "taken", &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).ends_with("give --out another folder\n"), "{}", stderr(&output));
    assert!(bench.ran().is_empty());
}

#[test]
fn a_folder_of_other_files_is_refused_before_anything_runs_and_fresh_throws_away_only_a_search() {
    let bench = Bench::new(SEARCH);
    for (name, text) in [
        ("results.jsonl", "{\"mine\": 1}\n"),
        ("best/01-item-knn.toml", "# my own\n"),
        ("log.jsonl", "{\"kind\":\"epoch\",\"loss\":0.5}\n"),
        ("manifest.json", "{}"),
    ] {
        let folder = bench.path("theirs");
        let file = folder.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, text).unwrap();
        for more in [&["--trials", "2"][..], &["--trials", "2", "--fresh"]] {
            let output = search_into(&bench, "theirs", more);
            assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{name}");
            let due = "theirs holds other files and no earlier search, and nothing in it was changed; name a new or";
            assert!(stderr(&output).contains(due), "{name}: {}", stderr(&output));
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "{name}: nothing was put beside it");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
    assert!(bench.ran().is_empty());
    // A search of something else is an earlier one, and what stands beside it stays.
    assert!(search(&bench, &["--trials", "2"]).status.success());
    fs::write(bench.path("found/notes.md"), "mine").unwrap();
    let output = search(&bench, &["--method", "grid", "--fresh", "--trials", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(trials(&bench, "found").len(), 3);
    assert_eq!(fs::read_to_string(bench.path("found/notes.md")).unwrap(), "mine");
}

#[test]
fn a_search_of_no_trials_is_refused_however_it_is_asked_for() {
    let bench = Bench::new(SEARCH);
    for asked in [["--set", "search.trials=0"], ["--set", "search.seconds=0"], ["--trials", "0"]] {
        let output = search(&bench, &asked);
        assert_eq!((output.status.code(), stdout(&output)), (Some(2), ""), "{asked:?}");
    }
    let output = search(&bench, &["--set", "search.trials=0"]);
    assert!(stderr(&output).contains("search.trials: is 0; allowed: 1 to 100000"), "{}", stderr(&output));
    assert!(bench.ran().is_empty() && !bench.path("found").exists());
}

#[test]
fn a_search_that_was_killed_proposes_what_it_would_have_proposed() {
    let whole = Bench::new(SEARCH);
    assert!(search(&whole, &["--trials", "8"]).status.success());
    let cut = Bench::new(SEARCH);
    cut.put("stop-at", "3");
    assert!(!search(&cut, &["--trials", "8"]).status.success());
    fs::remove_file(cut.path("stop-at")).unwrap();
    // Half a line, as a kill leaves it.
    let log = cut.path("found/log.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("{text}{{\"kind\":\"tri")).unwrap();
    assert!(search(&cut, &["--trials", "8"]).status.success());
    let tried = |bench: &Bench| {
        let log = trials(bench, "found");
        log.iter().map(|trial| trial["parameters"].to_string()).collect::<Vec<_>>()
    };
    assert_eq!(tried(&whole), tried(&cut));
    // The same folder for something else is refused.
    let other = search(&cut, &["--method", "grid"]);
    assert!(other.status.code() == Some(2) && stderr(&other).contains("is the log of another search"));
}

#[test]
fn a_trial_that_was_killed_goes_on_from_its_checkpoint() {
    let bench = Bench::new(SEARCH);
    bench.put("stop-at", "2");
    assert!(!search(&bench, &["--trials", "4"]).status.success());
    fs::remove_file(bench.path("stop-at")).unwrap();
    assert!(search(&bench, &["--trials", "4"]).status.success());
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
fn a_search_without_validation_rows_is_refused_with_a_way_out() {
    let bench = Bench::new(SEARCH);
    let output = bench.command(&["search", "group.toml", "--set", "split.kind=leave-last-out"]);
    assert_eq!(output.status.code(), Some(2));
    let output = bench.command(&["search", "group.toml", "--metric", "coverage@10"]);
    assert!(stderr(&output).contains("neither more nor less of it is better"), "{}", stderr(&output));
    // Beside another mistake, too, and never of a field that nobody wrote.
    let output = bench.command(&["search", "group.toml", "--set", "split.validation_ratio=0"]);
    let said = stderr(&output);
    assert!(said.contains("split.validation_ratio: is 0; allowed: more than 0 and less than 1"), "{said}");
    assert!(
        said.contains("split: holds out no validation rows, which a search needs to judge its trials by"),
        "{said}"
    );
    assert!(output.status.code() == Some(2) && !said.contains("evaluation.on"), "{said}");
    bench.put("group.toml", &format!("{}{SEARCH}", FRAME.replace("validation_ratio = 0.1\n", "")));
    let output = bench.command(&["search", "group.toml"]);
    assert!(stderr(&output).contains("set split.validation_ratio"), "{}", stderr(&output));
    assert!(bench.ran().is_empty());
}

#[test]
fn what_has_nothing_to_search_runs_once_and_is_compared_with_the_winners() {
    let bench = Bench::new(&format!(
        "[search]\ntrials = 4\nmethod = \"random\"\nspace.recommender.neighbours = {{ min = 1, max = 9 }}\n{}",
        members(&[
            "name = \"Popularity\"\nrecommender = { kind = \"popularity\" }",
            "recommender = { kind = \"item-knn\" }"
        ])
    ));
    let output = search(&bench, &[]);
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
    let log = trials(&bench, "found");
    let only: Vec<_> = log.iter().filter(|trial| trial["nothing_to_search"] == true).collect();
    assert!(only.len() == 1 && only[0]["name"] == "Popularity" && log.len() == 5, "{log:?}");
    let said = stdout(&output);
    assert!(said.contains("the same budget: 4 trials (Popularity: 1 trial: nothing to search)"), "{said}");
    let best = fs::read_to_string(bench.path("found/best/01-popularity.toml")).unwrap();
    assert!(best.starts_with("# The only trial: there is nothing to search"), "{best}");
    let comparison = bench.compared("found");
    assert!(comparison.methods.len() == 2 && comparison.tests.len() == 1, "{comparison:?}");
    assert!(search(&bench, &[]).status.success());
    assert!(bench.ran().is_empty(), "nothing is left to do");
    // With nothing at all to search it is no search.
    bench.put("group.toml", &format!("{FRAME}[recommender]\nkind = \"popularity\"\n"));
    let refused = search_into(&bench, "other", &[]);
    assert!(stderr(&refused).contains("no parameter of popularity can be tried"), "{}", stderr(&refused));
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn every_recommender_of_a_search_has_the_same_budget() {
    let bench = Bench::new(&format!(
        "[search]\ntrials = 3\nmethod = \"grid\"\n{}",
        members(&[
            "recommender = { kind = \"item-knn\" }\nspace.recommender.neighbours = [3, 5, 7, 9]",
            "recommender = { kind = \"bpr\" }\nspace.recommender.factors = [8, 16]"
        ])
    ));
    let output = search(&bench, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ran = bench.ran();
    let of = |kind: &str| ran.iter().filter(|run| run.starts_with(kind) && run.contains("validation")).count();
    // The folder of a search can be compared: its kept runs are the winners on the test rows.
    let comparison = bench.compared("found");
    assert!(comparison.methods.len() == 2 && bench.ran().is_empty(), "{comparison:?}");
    // bpr's grid has two points.
    assert_eq!((of("item-knn"), of("bpr")), (3, 2));
    let said = stdout(&output);
    assert!(said.contains("Mind of bpr: its grid ended after 2 trials where another had 3"), "{said}");
    assert!(!said.contains("Mind of item-knn"), "{said}");
    assert!(said.contains("Best spec: found/best/02-bpr.toml"), "{said}");
    // What chose is no result.
    assert!(said.contains("flatters the best of them there: the numbers to report are those of the test"), "{said}");
    let best = fs::read_to_string(bench.path("found/best/02-bpr.toml")).unwrap();
    assert!(best.contains("\n# Validation, flattered by the choice: ") && best.contains("\n# Test: "), "{best}");
}

#[test]
fn the_best_spec_has_no_parameter_that_counts_for_nothing_in_it() {
    let bench = Bench::new(&format!(
        "{SEARCH}space.recommender.similarity = [\"jaccard\", \"tf-idf\", \"bm25\"]\nspace.recommender.bm25_k1 = {{ min = 0.5, max = 2.0 }}\n"
    ));
    let mut under_another = 0;
    for (folder, trials) in [("one", "1"), ("two", "2"), ("three", "3"), ("four", "4"), ("more", "7")] {
        let output = search_into(&bench, folder, &["--trials", trials, "--set", &format!("seed={trials}")]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let best = fs::read_to_string(bench.path(folder).join("best/01-item-knn.toml")).unwrap();
        assert_eq!(best.contains("bm25_k1 = "), best.contains("similarity = \"bm25\""), "{best}");
        under_another +=
            usize::from(["jaccard", "tf-idf"].iter().any(|name| best.contains(&format!("similarity = \"{name}\""))));
    }
    assert!(under_another > 0, "the best were all by bm25: nothing was to be left out");
}

/// Neighbours that a log says were tried.
fn neighbours(trial: &Value) -> i64 {
    trial["parameters"]["recommender.neighbours"].as_i64().unwrap()
}

#[test]
fn a_search_of_a_network_by_its_own_space_gets_through_all_of_its_trials() {
    let bench = Bench::new(&members(&["recommender = { kind = \"sasrec\" }", "recommender = { kind = \"bert4rec\" }"]));
    for method in ["random", "tpe", "grid"] {
        let output = search_into(&bench, method, &["--method", method, "--trials", "14"]);
        assert_eq!(output.status.code(), Some(0), "{method}: {}", stderr(&output));
        let tried = trials(&bench, method);
        assert_eq!(tried.len(), 28, "{method}");
        let of = |trial: &Value, name: &str| trial["parameters"][format!("recommender.{name}")].as_i64().unwrap();
        assert!(tried.iter().all(|trial| of(trial, "factors") % of(trial, "heads") == 0), "{method}: {tried:?}");
        assert!(tried.iter().any(|trial| of(trial, "heads") > 1), "{method}: {tried:?}");
        assert!(!stdout(&output).contains("failed"), "{}", stdout(&output));
    }
}

#[test]
fn a_network_of_another_framework_is_searched_without_stopping_early() {
    let bench = Bench::new("[recommender]\nkind = \"mlp\"\n[engine]\nkind = \"pytorch\"\n");
    let output = search(&bench, &["--trials", "3"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let best = fs::read_to_string(bench.path("found/best/01-mlp.toml")).unwrap();
    assert!(!best.contains("early_stopping"), "{best}");
}

#[test]
fn a_corner_of_a_grid_that_makes_no_spec_is_passed_over() {
    let bench = Bench::new(
        "[recommender]\nkind = \"weighted\"\ncomponents = [{ kind = \"item-knn\" }, { kind = \"popularity\" }]\n[search]\nmethod = \"grid\"\nspace.recommender.components.0.weight = [0, 1]\nspace.recommender.components.1.weight = [0, 1]\n",
    );
    let output = search(&bench, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let mut tried: Vec<(i64, i64)> = trials(&bench, "found")
        .iter()
        .map(|trial| {
            let weight = |place: usize| &trial["parameters"][format!("recommender.components.{place}.weight")];
            (weight(0).as_i64().unwrap(), weight(1).as_i64().unwrap())
        })
        .collect();
    tried.sort_unstable();
    assert_eq!(tried, [(0, 1), (1, 0), (1, 1)]);
    // Where nothing goes together, it says so and does not go round for ever.
    bench.put(
        "group.toml",
        &format!("{FRAME}[recommender]\nkind = \"sasrec\"\n[search.space]\nrecommender.factors = [32, 64]\nrecommender.heads = [3]\n"),
    );
    let refused = search_into(&bench, "other", &[]);
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("does not divide"), "{}", stderr(&refused));
}

#[test]
fn a_trial_that_the_worker_refuses_is_told_as_refused_and_the_search_goes_on() {
    let bench = Bench::new(SEARCH);
    bench.put("refused", "1 2 3 4");
    let output = search(&bench, &["--trials", "9"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let tried = trials(&bench, "found");
    assert_eq!(tried.len(), 9);
    for trial in &tried {
        assert_eq!(trial["value"].is_null(), neighbours(trial) < 5, "{trial}");
        assert!(neighbours(trial) > 4 || trial["cause"].as_str().unwrap().contains("no such neighbours"), "{trial}");
    }
    assert!(tried.iter().any(|trial| neighbours(trial) < 5), "{tried:?}");
    assert!(stdout(&output).contains("9 (4 refused)"), "{}", stdout(&output));
}

#[test]
fn a_trial_that_failed_says_why() {
    let bench = Bench::new("[recommender]\nkind = \"slim\"\n[search]\nmetric = \"hit@1\"\n");
    let output = search(&bench, &["--trials", "2"]);
    assert!(stderr(&output).contains(": failed: it grew without bound ("), "{}", stderr(&output));
}

#[test]
fn where_everything_is_refused_a_search_ends_and_goes_on_once_that_is_mended() {
    let bench = Bench::new(SEARCH);
    let six = || search(&bench, &["--trials", "6"]);
    bench.put("refuse-all", "");
    let output = six();
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("item-knn, as it is, to see whether it can be tried at all: "),
        "{}",
        stderr(&output)
    );
    assert_eq!((bench.ran().len(), trials(&bench, "found").len()), (2, 0));
    fs::remove_file(bench.path("refuse-all")).unwrap();
    assert!(six().status.success());
    assert!(trials(&bench, "found").iter().all(|trial| !trial["value"].is_null()));
    // The data go away in the middle: nothing of the budget is spent on that either.
    bench.ran();
    bench.put("refuse-all", "");
    let output = search(&bench, &["--trials", "9"]);
    assert_eq!((output.status.code(), bench.ran().len()), (Some(2), 2), "{}", stderr(&output));
    assert_eq!(trials(&bench, "found").len(), 6);
}

#[test]
fn the_folder_of_a_search_that_went_on_holds_one_winner_of_each_for_a_comparison() {
    let bench = Bench::new(&format!(
        "{}{}",
        SEARCH.replace("[recommender]\nkind = \"item-knn\"\n", ""),
        members(&["recommender = { kind = \"item-knn\" }", "recommender = { kind = \"popularity\" }"])
    ));
    let compared = || -> Vec<(String, f64)> {
        let comparison = bench.compared("found");
        comparison.methods.iter().map(|method| (method.name.clone(), method.metrics["hit@1"].mean)).collect()
    };
    let searched = |trials: &str| {
        let found = results(&search(&bench, &["--trials", trials, "--json"]));
        (found[0]["test"]["hit@1"].as_f64().unwrap(), found[0]["looks_at_test"].as_u64().unwrap())
    };
    let (first, looks) = searched("1");
    assert_eq!((compared().len(), looks), (2, 1));
    let (best, looks) = searched("12");
    assert!(best > first && looks == 2, "{best} {first} {looks}");
    let again = search(&bench, &["--trials", "12"]);
    assert!(stdout(&again).contains("the test rows were looked at 1 to 2 times"), "{}", stdout(&again));
    let kept = fs::read_dir(bench.path("found")).unwrap();
    let kept = kept.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".run.json"));
    assert_eq!(kept.count(), 3, "the former winner is there, and is none");
    assert_eq!(compared(), [("item-knn".to_owned(), best), ("popularity".to_owned(), 0.0)]);
    // Another build of the worker makes the same runs again.
    bench.put("worker", &format!("{}# another build\n", fs::read_to_string(bench.path("worker")).unwrap()));
    assert_eq!(searched("12"), (best, 3));
    assert_eq!(compared().len(), 2);
    // In a folder that is no search's, the later of two runs of one spec and seed counts.
    fs::remove_file(bench.path("found/results.jsonl")).unwrap();
    assert_eq!(compared().len(), 3);
}

#[test]
fn a_look_at_the_test_rows_counts_once_however_the_search_was_cut_off() {
    let bench = Bench::new(SEARCH);
    let searched = |trials: &str| {
        let found = results(&search(&bench, &["--trials", trials, "--json"]));
        found[0]["looks_at_test"].as_u64().unwrap()
    };
    assert_eq!((searched("2"), searched("2")), (1, 1), "the same run again is no further look");
    // Killed between the kept run and its line.
    let log = bench.path("found/log.jsonl");
    let without: String = fs::read_to_string(&log)
        .unwrap()
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"kind\":\"test\""))
        .collect();
    fs::write(&log, without).unwrap();
    bench.ran();
    assert_eq!(searched("2"), 1);
    assert!(bench.ran().is_empty(), "nothing was run for that");
}

#[test]
fn what_needs_the_validation_rows_to_the_end_lets_nobody_of_a_search_learn_from_them() {
    let frame = FRAME.replace("validation_ratio = 0.1\n", "validation_ratio = 0.1\nfit_on = \"train-validation\"\n");
    let bench = Bench::new("");
    let learnt = "recommender = { kind = \"weighted\", weights = \"learnt\" }\nspace.recommender.normalise = [\"z-score\", \"none\"]";
    let knn = "recommender = { kind = \"item-knn\" }";
    let network = "recommender = { kind = \"neumf\" }\ntraining = { early_stopping = 3 }";
    for (out, group, fit_on) in [
        ("alone", vec![knn], "train-validation"),
        ("learnt", vec![knn, learnt], "train"),
        ("stopped", vec![network, knn], "train"),
    ] {
        bench.put("group.toml", &format!("{frame}[search]\ntrials = 2\n{}", members(&group)));
        let found = results(&search_into(&bench, out, &["--json"]));
        bench.compared(out);
        for result in found {
            assert_eq!(result["spec"]["split"]["fit_on"], fit_on, "{result}");
            let notes = result["notes"].to_string();
            assert_eq!(notes.contains("learnt from the training rows alone"), fit_on == "train", "{result}");
            let kind = &result["spec"]["recommender"]["kind"];
            assert_eq!(notes.contains("flattered"), kind == "weighted" || kind == "neumf", "{result}");
        }
    }
}
