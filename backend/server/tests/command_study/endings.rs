//! Rows that end without a number: what is said of them, and how soon; and rows that are named twice.

use std::fs;
use std::time::Instant;

use recspeed_types::memory::KILLED;
use recspeed_types::study::{StudyCell, StudyReport};

use crate::bench::{Bench, PATIENCE, read, said, told, worker};

/// Why the first row of the first table failed.
fn why(report: &StudyReport) -> String {
    match &report.tables[0].rows[0].cells[0] {
        StudyCell::Failed { cause } => cause.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_row_that_hangs_costs_no_more_than_the_limit_and_says_how_to_change_it() {
    let bench = Bench::new(&worker("sleep 600", "nrmse", "0.5"));
    let four_layer = ["four-layer", "--engines", "burn", "--repeats", "1", "--json"];
    let retrieval = ["retrieval", "--containers", "plain", "--rows", "10", "--repeats", "1", "--json"];
    let (silent, late) = ("“Burn” said nothing for 1 s, its limit,", " was not over after 1 s, its limit,");
    for (arguments, words) in [(&four_layer[..], silent), (&retrieval[..], late)] {
        let begun = Instant::now();
        let output = bench.study(&[arguments, &["--limit", "1"][..]].concat());
        let cause = why(&told(&output));
        assert!(cause.contains(words) && cause.contains("`--limit 2` gives it longer"), "{cause}");
        // As a server's studies are told, which nobody gives arguments.
        let output = bench.command(arguments).env("RECSPEED_STUDY_LIMIT", "1").output().unwrap();
        assert!(why(&told(&output)).contains(words), "{}", said(&output));
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    }
    for given in ["0", "-1", "604801", "soon"] {
        let output = bench.study(&["mixed", "--limit", given]);
        assert_eq!(output.status.code(), Some(2), "{given}: {}", said(&output));
        assert!(said(&output).contains("--limit"), "{}", said(&output));
    }
}

#[test]
fn a_worker_gives_another_framework_longer_than_the_study_gives_the_row() {
    let bench = Bench::new(&worker("tr '\\0' ' ' < /proc/$$/cmdline >> arguments; echo >> arguments", "nrmse", "0.5"));
    bench.put_pytorch();
    let output =
        bench.study(&["four-layer", "--engines", "burn,pytorch", "--repeats", "1", "--limit", "2000", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let arguments = fs::read_to_string(bench.path("arguments")).unwrap();
    let lines: Vec<&str> = arguments.lines().collect();
    assert_eq!(lines.len(), 2, "{arguments}");
    assert!(!lines[0].contains("--engine-silence"), "Burn is no other framework: {arguments}");
    assert!(lines[1].contains("--engine-silence 4060"), "{arguments}");
}

#[test]
fn a_row_whose_process_was_killed_says_what_is_known_and_what_needs_less_in_its_study() {
    let bench = Bench::new(&worker("kill -9 $$", "nrmse", "0.5"));
    for (arguments, less) in [
        (&["four-layer", "--engines", "burn"][..], "In this study: fewer rows (`--set dataset.sample=ROWS`)"),
        (&["mixed", "--full"][..], "In this study: leave out `--full`"),
        (&["retrieval", "--containers", "plain", "--rows", "10"][..], "In this study: fewer rows (`--rows COUNT`)"),
    ] {
        let output = bench.study(&[arguments, &["--repeats", "1", "--json"][..]].concat());
        let cause = why(&told(&output));
        assert!(cause.contains(KILLED) && cause.contains(less), "{arguments:?}: {cause}");
        assert!(!cause.contains("most often"), "{cause}");
    }
    let bench = Bench::new(&worker("echo boom >&2; exit 3", "nrmse", "0.5"));
    let cause = why(&told(&bench.study(&["four-layer", "--engines", "burn", "--repeats", "1", "--json"])));
    assert!(cause.contains("boom") && !cause.contains("In this study"), "{cause}");
}

/// Of a worker, what makes it end as the engine that it is told to start would have it end; a run of Burn ends well.
const BY_ENGINE: &str = r#"spec=$(cat)
case "$spec" in
*'"kind":"pytorch"'*)
  words='"code":"out-of-memory","cause":"The engine pytorch got no more memory.","detail":""'
  printf '{"run":"%s","seq":0,"at_us":0,"kind":"failed",%s}\n' "$run" "$words"
  exit 3;;
*'"kind":"tensorflow"'*) kill -SEGV $$;;
*'"kind":"pyvelox"'*) exec sleep 600;;
esac
"#;

#[test]
fn a_study_goes_on_with_the_others_whatever_becomes_of_an_engine_and_each_row_says_what_that_was() {
    let bench = Bench::new(&worker("", "nrmse", "0.5").replace("cat > /dev/null\n", BY_ENGINE));
    bench.put_pytorch();
    // Not of the pinned version, which may be why it crashes.
    bench.put_engine("tensorflow", ("tensorflow", "0.1"));
    bench.put_engine("pyvelox", ("pyvelox", "0.2.0"));
    fs::create_dir_all(bench.path("home/engines/deepspeed")).unwrap();
    let engines = "pytorch,tensorflow,pyvelox,deepspeed,torchgpipe,burn";
    let output = bench.study(&["four-layer", "--engines", engines, "--repeats", "1", "--limit", "5", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report = told(&output);
    let rows = &report.tables[0].rows;
    let says = |row: usize| match &rows[row].cells[0] {
        StudyCell::Failed { cause } => cause.clone(),
        StudyCell::Missing(missing) => format!("{}: {}", missing.show(), missing.install),
        other => panic!("{row}: {other:?}"),
    };
    for (row, words) in [
        (0, "The engine pytorch got no more memory. In this study: fewer rows"),
        (1, "with tensorflow 0.1 instead of the pinned "),
        (1, "killed by signal 11"),
        (2, "said nothing for 5 s, its limit, and was ended; `--limit 10` gives it longer"),
        (3, "half installed: recspeed engines install deepspeed"),
        (4, "not installed: recspeed engines install torchgpipe"),
    ] {
        assert!(says(row).contains(words), "{words}: {}", says(row));
    }
    assert_eq!(rows[5].cells[0].value(), Some(0.5), "the last of them is measured all the same");
    let page = read(&bench.path("home/studies/four-layer.json"));
    for row in rows {
        let shown = page.tables[0].rows.iter().find(|shown| shown.name == row.name);
        assert_eq!(shown.map(|shown| &shown.cells), Some(&row.cells), "the page says the same");
    }
}

#[test]
fn what_is_named_twice_is_measured_once_and_said() {
    let bench = Bench::new(&worker("echo again >> ran", "nrmse", "0.5"));
    let ran = || fs::read_to_string(bench.path("ran")).unwrap_or_default().lines().count();
    let output = bench.study(&["four-layer", "--engines", "burn,burn@flex,burn", "--repeats", "1", "--json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report = told(&output);
    assert_eq!((ran(), report.tables[0].rows.len()), (1, 1), "{}", said(&output));
    assert!(said(&output).contains("--engines names `burn@flex`, `burn` again"), "{}", said(&output));
    assert!(report.command.ends_with(" --engines burn"), "{}", report.command);
    fs::remove_file(bench.path("ran")).unwrap();
    // This worker answers with something else than a container's numbers; how often it is asked is what counts.
    let output = bench.study(&["retrieval", "--containers", "plain,plain", "--rows", "10,10,20", "--json"]);
    let report = told(&output);
    assert_eq!(ran(), 2, "{}", said(&output));
    let sizes = report.tables.iter().filter(|table| table.title.starts_with("Measured here: ")).count();
    assert_eq!(sizes, 2, "{}", report.command);
    assert!(said(&output).contains("--rows names `10` again"), "{}", said(&output));
    assert!(said(&output).contains("--containers names `plain` again"), "{}", said(&output));
    assert!(report.command.contains("--rows 10,20 --containers plain"), "{}", report.command);
}
