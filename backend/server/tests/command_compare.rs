//! `recspeed compare` against workers that are shell scripts: which runs are made, kept and gone on from.

mod bench;

use std::fs;

use recspeed_types::comparison::Comparison;

use bench::{Bench, FRAME, lines, stderr, stdout};

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
fn a_comparison_says_in_a_pipe_how_far_a_run_that_takes_its_time_is_and_what_is_best_so_far() {
    let bench = Bench::new(TWO);
    bench.put("slow", "2");
    let output = bench.command(&["compare", "group.toml", "--seeds", "2", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let said = lines(&output);
    let [line] = said[..] else { panic!("{said:?}") };
    assert!(line.starts_with("recspeed: 2 of 3: Factors, seed 5: fit: "), "{line}");
    assert!(line.contains("; best so far hit@1 0 (popularity, seed 5); ") && line.ends_with(" in all"), "{line}");
    let comparison: Comparison = serde_json::from_str(stdout(&output)).unwrap();
    assert_eq!(comparison.methods.len(), 2);
}

#[test]
fn what_is_set_counts_or_is_refused_with_the_place_where_it_does() {
    let bench = Bench::new(&TWO.replace("\"popularity\"", "\"item-knn\""));
    for command in [&["compare"][..], &["search", "--trials", "2"]] {
        let output = bench.command(&[command, &["group.toml", "--set", "recommender.neighbours=5"]].concat());
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let due = "group.toml: recommender.neighbours: stands beside [[compare]], and";
        assert!(stderr(&output).contains(due), "{}", stderr(&output));
        assert!(stderr(&output).contains("set compare.N.recommender.neighbours (N from 0 to 1)"));
    }
    assert!(bench.ran().is_empty());
    let one = ["compare", "group.toml", "--seeds", "1", "--set", "compare.0.recommender.neighbours=7"];
    assert!(bench.command(&one).status.success());
    assert_eq!(bench.ran()[0], "item-knn 5 test 7");
}

#[test]
fn a_group_is_sent_to_the_commands_that_take_one() {
    let bench = Bench::new(TWO);
    for command in ["run", "features"] {
        let output = bench.command(&[command, "group.toml"]);
        assert_eq!(output.status.code(), Some(2));
        let said = stderr(&output);
        assert!(said.contains("compare: makes a spec group") && said.contains("`recspeed compare FILE`"), "{said}");
    }
    assert!(bench.ran().is_empty());
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
    let comparison = bench.compared(&kept);
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

#[test]
fn the_seeds_of_what_failed_once_are_said_to_be_passed_over_and_its_remedy_is_that_of_its_group() {
    let kinds = ["warp", "popularity", "item-knn"];
    let members = kinds.map(|kind| format!("[[compare]]\nrecommender = {{ kind = \"{kind}\" }}\n"));
    let bench = Bench::new(&members.concat());
    bench.put("cause", "the loss grew; lower recommender.learning_rate (now 1)");
    let failed = "warp, seed 5: failed: the loss grew; lower compare.0.recommender.learning_rate (now 1)";
    for (seeds, due) in [
        ("1", vec![format!("1 of 3: {failed}")]),
        (
            "2",
            vec![
                format!("1 of 4: {failed}"),
                "2 of 4: warp, seed 6: passed over, for what failed once is not compared".to_owned(),
            ],
        ),
        (
            "4",
            vec![
                format!("1 of 6: {failed}"),
                "2 to 4 of 6: warp, seeds 6 to 8: passed over, for what failed once is not compared".to_owned(),
            ],
        ),
    ] {
        let output = bench.command(&["compare", "group.toml", "--seeds", seeds]);
        assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
        let said: Vec<&str> = stderr(&output).lines().collect();
        assert_eq!(said[..due.len()], due, "{said:?}");
        let [popularity, knn] = &said[due.len()..] else { panic!("{said:?}") };
        assert!(
            popularity.contains(": popularity, seed 5: hit@1 ") && knn.contains(": item-knn, seed 5: "),
            "{said:?}"
        );
        assert!(stdout(&output).contains("lower compare.0.recommender.learning_rate (now 1)"), "{}", stdout(&output));
    }
    // A spec of its own is set by its own name.
    bench.put("group.toml", &format!("{FRAME}[recommender]\nkind = \"warp\"\n"));
    let alone = bench.command(&["compare", "group.toml", "--seeds", "1"]);
    assert_eq!(stderr(&alone), format!("1 of 1: {}\n", failed.replace("compare.0.", "")));
}

#[test]
fn who_knows_the_validation_rows_at_the_test_and_who_does_not_is_told_with_a_remedy() {
    let kinds = ["item-knn", "bpr"].map(|kind| format!("[[compare]]\nrecommender = {{ kind = \"{kind}\" }}\n"));
    let bench = Bench::new(&kinds.concat());
    bench.put("validation", "500");
    let compare = ["compare", "group.toml", "--seeds", "1"];
    let compared = |arguments: &[&str]| {
        let output = bench.command(&[&compare[..], arguments].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).to_owned()
    };
    let comparison: Comparison = serde_json::from_str(&compared(&["--json"])).unwrap();
    let [warning] = &comparison.warnings[..] else { panic!("{comparison:?}") };
    for part in ["as what each person has: “item-knn”. Without them: “bpr”.", "split.fit_on = \"train-validation\""]
    {
        assert!(warning.contains(part), "{part} is missing in {warning}");
    }
    for arguments in [&[][..], &["--markdown"]] {
        let shown = compared(arguments);
        assert!(shown.contains(&format!("\nWarning: {warning}\n")), "{shown}");
    }
    // Who learns from them knows them.
    let comparison: Comparison =
        serde_json::from_str(&compared(&["--set", "split.fit_on=\"train-validation\"", "--json"])).unwrap();
    assert_eq!(comparison.warnings, Vec::<String>::new());
}

#[test]
fn whoever_is_measured_on_the_rows_that_chose_its_epoch_is_named() {
    let network = "[[compare]]\nrecommender = { kind = \"neumf\" }\ntraining = { early_stopping = 3 }\n";
    let bench = Bench::new(&format!("{network}[[compare]]\nrecommender = {{ kind = \"bpr\" }}\n"));
    let told = |on: &str| {
        let on = format!("evaluation.on=\"{on}\"");
        let output = bench.command(&["compare", "group.toml", "--seeds", "1", "--set", &on, "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        serde_json::from_str::<Comparison>(stdout(&output)).unwrap().warnings
    };
    let warnings = told("validation");
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(warning.contains("flattered") && warning.contains("“neumf” stops its training"), "{warning}");
    assert!(!warning.contains("bpr"), "{warning}");
    assert_eq!(told("test"), Vec::<String>::new());
}

#[test]
fn what_stands_beside_the_methods_is_told_once_though_the_first_gives_scores_alone() {
    let kinds = ["popularity", "biased-mf"].map(|kind| format!("[[compare]]\nrecommender = {{ kind = \"{kind}\" }}\n"));
    let bench = Bench::new(&kinds.concat());
    bench.put("of-mean", "biased-mf");
    let compared = |more: &[&str]| {
        let asked = ["compare", "group.toml", "--seeds", "1", "--metric", "hit@1", "--metric", "rmse"];
        let output = bench.command(&[&asked[..], more].concat());
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output).to_owned()
    };
    let comparison: Comparison = serde_json::from_str(&compared(&["--json"])).unwrap();
    assert_eq!(comparison.evaluation.of_the_mean.into_iter().collect::<Vec<_>>(), [("rmse".to_owned(), 1.125)]);
    assert_eq!(comparison.evaluation.baselines["bias"]["rmse"], 1.0625, "of the second, which has it");
    for more in [&[][..], &["--markdown"]] {
        let shown = compared(more);
        for (title, value) in [("Global mean", "1.125"), ("User and item bias", "1.06")] {
            let row = shown.lines().find(|line| line.contains(title));
            assert!(row.is_some_and(|row| row.contains(value)), "{title}: {shown}");
        }
        assert!(shown.contains("Global mean is the mean of what was learnt from"), "{shown}");
        assert!(!shown.contains("Popularity"), "it is one of the methods: {shown}");
    }
}

#[test]
fn what_runs_warn_of_is_said_once_for_all_seeds_with_the_names_and_not_among_the_results() {
    let bench = Bench::new(TWO);
    bench.put("warning", "its rmse of 1.SEED is above the mean's");
    for _ in ["run", "kept"] {
        let output = bench.command(&["compare", "group.toml", "--seeds", "3", "--json"]);
        assert!(output.status.success(), "{}", stderr(&output));
        let due = "recspeed: warning: popularity, Factors: its rmse of 1.5 is above the mean's";
        assert_eq!(lines(&output), [due]);
        assert!(!stdout(&output).contains("above the mean's"), "{}", stdout(&output));
    }
}
