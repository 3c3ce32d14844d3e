//! What a trial costs that was refused before any work, and one that its time ends.

use std::fs;

use serde_json::Value;

use super::bench::{Bench, stderr, stdout};
use super::{SEARCH, members, neighbours, results, search, trials};

#[test]
fn a_search_of_what_is_too_large_as_it_is_ends_with_the_status_of_that_and_spends_no_trial() {
    let bench = Bench::new(SEARCH);
    bench.put("refuse-all", "");
    bench.put("too-large", "");
    let output = search(&bench, &["--trials", "12"]);
    // As `recspeed run`: 3 says that the memory is not there.
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!((bench.ran().len(), trials(&bench, "found").len()), (2, 0), "{}", stderr(&output));
    assert!(stderr(&output).contains("as it is, to see whether it can be tried at all"), "{}", stderr(&output));
}

#[test]
fn what_is_too_large_as_it_is_has_no_result_and_the_others_are_searched_all_the_same() {
    // Before and after the others, with something to search and without.
    for (kind, first) in [("item-knn", true), ("item-knn", false), ("popularity", true), ("popularity", false)] {
        let other = if kind == "item-knn" { "bpr" } else { "item-knn" };
        let [large, fits] = [kind, other].map(|kind| format!("recommender = {{ kind = \"{kind}\" }}"));
        let group = if first { members(&[&large, &fits]) } else { members(&[&fits, &large]) };
        let bench = Bench::new(&format!("[search]\nmethod = \"random\"\nmetric = \"hit@1\"\ntrials = 3\n{group}"));
        bench.put("refuse-kind", kind);
        bench.put("too-large", "");
        let output = search(&bench, &["--json"]);
        assert_eq!(output.status.code(), Some(3), "{kind}: {}", stderr(&output));
        let found = results(&output);
        let with: Vec<&Value> = found.iter().filter(|one| one["no_result"].is_null()).collect();
        assert_eq!(with.iter().map(|one| &one["name"]).collect::<Vec<_>>(), [other], "{kind}");
        assert_eq!((trials(&bench, "found").len(), &with[0]["trials"]), (3, &3.into()), "{kind}");
        assert!(stderr(&output).contains(&format!("{kind}: no result: it takes more")), "{}", stderr(&output));
    }
}

#[test]
fn a_member_that_is_refused_stands_in_the_log_the_table_and_the_json_with_the_cause_and_is_tried_again() {
    for kind in ["item-knn", "popularity"] {
        let other = if kind == "item-knn" { "bpr" } else { "item-knn" };
        let group = [kind, other].map(|kind| format!("recommender = {{ kind = \"{kind}\" }}"));
        let group = members(&[&group[0], &group[1]]);
        let bench = Bench::new(&format!("[search]\nmethod = \"random\"\nmetric = \"hit@1\"\ntrials = 2\n{group}"));
        bench.put("refuse-kind", kind);
        bench.put("too-large", "");
        let told = || -> Vec<Value> {
            let log = fs::read_to_string(bench.path("found/log.jsonl")).unwrap();
            let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            lines.filter(|line| line["kind"] == "no-result").collect()
        };
        let found = results(&search(&bench, &["--json"]));
        assert_eq!(found.iter().map(|one| &one["name"]).collect::<Vec<_>>(), [kind, other]);
        let why = &found[0]["no_result"];
        assert_eq!(why["code"], "out-of-memory");
        assert!(why["cause"].as_str().unwrap().contains("there are no such neighbours"), "{why}");
        assert_eq!((&found[0]["trials"], found[0]["test"].is_null()), (&0.into(), true), "{found:?}");
        let line = &told()[0];
        assert_eq!((&line["name"], &line["code"], &line["cause"]), (&kind.into(), &why["code"], &why["cause"]));
        // Once more: nothing new is to be said, and the others are compared.
        let again = search(&bench, &[]);
        assert_eq!((again.status.code(), told().len()), (Some(3), 1), "{}", stderr(&again));
        let row = stdout(&again).lines().find(|line| line.contains(kind)).unwrap();
        assert!(row.contains("no result"), "{}", stdout(&again));
        assert_eq!(bench.compared("found").methods.len(), 1);
        // Mended, it has a result as the other has.
        fs::remove_file(bench.path("refuse-kind")).unwrap();
        let found = results(&search(&bench, &["--json"]));
        assert!(found.iter().all(|one| one["no_result"].is_null() && one["test"].is_object()), "{found:?}");
    }
    // A table of nobody with a result says that of each, and nothing of numbers.
    let bench = Bench::new(SEARCH);
    bench.put("refuse-all", "");
    bench.put("too-large", "");
    let said = search(&bench, &["--trials", "2"]);
    assert!(stdout(&said).contains("no result: there are no such"), "{}", stdout(&said));
    assert!(said.status.code() == Some(3) && !stdout(&said).contains("flatters"), "{}", stdout(&said));
}

#[test]
fn a_grid_of_which_some_is_refused_is_told_with_all_of_its_trials() {
    let points = "[recommender]\nkind = \"item-knn\"\n[search]\nmethod = \"grid\"\nmetric = \"hit@1\"\n\
                  space.recommender.neighbours = [3, 5, 7, 9]\n";
    for (refused, due) in [("3 5", "of which 2 count"), ("3 5 7 9", "of which 0 count")] {
        let bench = Bench::new(points);
        bench.put("refused", refused);
        let output = search(&bench, &["--trials", "6"]);
        let told = format!("item-knn: its grid ended after 4 trials, {due}, before its budget of 6 trials");
        assert!(stderr(&output).contains(&told), "{}", stderr(&output));
    }
}

#[test]
fn points_that_are_refused_cost_none_of_the_trials() {
    for cause in ["too-large", "no-such-spec"] {
        let bench = Bench::new(SEARCH);
        bench.put("refused", "1 2 3 4");
        bench.put(cause, "");
        let output = search(&bench, &["--trials", "5"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let tried = trials(&bench, "found");
        assert_eq!(tried.iter().filter(|trial| !trial["value"].is_null()).count(), 5, "{cause}: {tried:?}");
        let refused: Vec<_> = tried.iter().filter(|trial| trial["refused"] == true).collect();
        assert_eq!(refused.len(), tried.len() - 5);
        assert!(!refused.is_empty() && refused.iter().all(|trial| neighbours(trial) < 5), "{cause}: {tried:?}");
        let told = format!("{} ({} refused)", tried.len(), refused.len());
        assert!(stdout(&output).contains(&told), "{}", stdout(&output));
        assert!(stderr(&output).contains(": refused: there are no such neighbours"), "{}", stderr(&output));
    }
}

#[test]
fn a_space_of_which_nearly_everything_is_refused_comes_to_an_end() {
    let bench = Bench::new(SEARCH);
    // Without the neighbours of the recommender as the file has it, which can be tried.
    bench.put("refused", "1 2 3 4 5 6 7 8");
    let output = search(&bench, &["--trials", "2"]);
    let tried = trials(&bench, "found");
    let refused = tried.iter().filter(|trial| trial["refused"] == true).count();
    assert_eq!(tried.len() - refused.min(2), 2, "{tried:?}");
    let due = if refused == tried.len() { 2 } else { 0 };
    assert_eq!(output.status.code(), Some(due), "{}", stderr(&output));
}

#[test]
fn the_trial_that_runs_when_the_seconds_are_over_is_cut_off_and_gives_no_value() {
    let bench = Bench::new(SEARCH);
    bench.put("slow", "2");
    // Far beyond what a busy machine adds to the others.
    bench.put("slow-for", "120");
    let output = search(&bench, &["--seconds", "5"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let tried = trials(&bench, "found");
    assert_eq!(tried.len(), 2, "{tried:?}");
    assert!(tried[0]["value"].is_f64() && tried[1]["value"].is_null(), "{tried:?}");
    assert_eq!(tried[1]["code"], "time-limit");
    let seconds: f64 = tried.iter().map(|trial| trial["seconds"].as_f64().unwrap()).sum();
    assert!((5.0..60.0).contains(&seconds), "{seconds}");
    assert!(stderr(&output).contains(": cut off: the "), "{}", stderr(&output));
    assert!(stdout(&output).contains("2 (1 failed)"), "{}", stdout(&output));
    let left: Vec<_> = fs::read_dir(bench.path("found")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".checkpoints")), "{left:?}");
}

#[test]
fn where_no_trial_ends_within_the_seconds_the_search_says_what_to_give() {
    let bench = Bench::new(SEARCH);
    bench.put("slow", "1");
    let output = search(&bench, &["--seconds", "1"]);
    assert_eq!(output.status.code(), Some(6), "{}", stderr(&output));
    assert!(stderr(&output).contains("no trial finished; give more with --seconds"), "{}", stderr(&output));
}
