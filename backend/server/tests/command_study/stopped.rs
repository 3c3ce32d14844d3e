//! A study that is stopped or killed loses nothing that it measured: it reports what it has, and goes on there.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use recspeed_types::study::{NumberCell, StudyCell, StudyProgress, StudyReport, Unit};

use crate::bench::{Bench, read, said, told, worker, written};

/// Of a worker, what makes its first run take one second, the second two and so on. Once as many runs have been made as the file
/// `stop-at` says, it says in `waits` who it is, and waits.
const COUNTS: &str = r#"echo "$run" >> runs
n=$(($(wc -l < runs)))
if [ -e stop-at ] && [ "$n" -gt "$(cat stop-at)" ]; then echo $$ > waits; exec sleep 600; fi
if [ -n "$columns" ]; then
  rows=$(($(wc -c < "$columns/user.u32") / 4))
  sum=$({ od -An -v -tu4 "$columns/user.u32"; od -An -v -tu4 "$columns/item.u32"; od -An -v -tf4 "$columns/rating.f32"
    od -An -v -td8 "$columns/timestamp.i64"; } | awk '{ for (i = 1; i <= NF; i++) s += $i } END { printf "%.1f", s }')
  echo '{"container":"plain","versions":{},"rows":'$rows',"objects":4,"header_bytes":24,"buffer_bytes":2000,"resident_bytes":0,
"build_s":[1],"back_s":[1],"single_rows":'$rows',"single_s":['$n'],"batch_rows":2,"batch_s":[1],"copy_s":[1],
"single_sum":'$sum',"batch_sum":'$sum'}'
  exit
fi"#;

pub(crate) fn counts() -> String {
    worker(COUNTS, "rmse", "'$n'")
}

/// Two rows that a worker without any other device can run, three times each.
const STUDY: [&str; 4] = ["mixed", "--repeats", "3", "--json"];

impl Bench {
    /// A study that nobody stops.
    fn whole(&self, arguments: &[&str]) -> (StudyReport, String) {
        let output = self.study(arguments);
        assert!(output.status.success(), "{}", said(&output));
        (told(&output), said(&output))
    }

    /// A study that gets the signal while it makes the run behind so many, as they are counted since the bench is there.
    pub(crate) fn stopped(&self, after: u32, signal: Signal, arguments: &[&str]) -> Output {
        fs::write(self.path("stop-at"), after.to_string()).unwrap();
        let _ = fs::remove_file(self.path("waits"));
        let study = self.command(arguments).spawn().unwrap();
        let worker = Pid::from_raw(written(&self.path("waits")));
        kill(Pid::from_raw(study.id() as i32), signal).unwrap();
        if signal == Signal::SIGKILL {
            let _ = kill(worker, Signal::SIGKILL);
        }
        let output = study.wait_with_output().unwrap();
        fs::remove_file(self.path("stop-at")).unwrap();
        output
    }

    /// The file of what is kept until the study has ended.
    fn rows(&self) -> Option<PathBuf> {
        let mut files = fs::read_dir(self.path("home/studies")).into_iter().flatten().flatten().map(|file| file.path());
        files.find(|path| path.to_string_lossy().ends_with(".rows.jsonl"))
    }
}

/// The median, the least and the most of so many runs, and what stands beside them.
type Measured<'a> = (f64, f64, f64, u32, &'a str);

/// The first column of the first two rows.
fn numbers(report: &StudyReport) -> [Option<Measured<'_>>; 2] {
    [0, 1].map(|row| match &report.tables[0].rows[row].cells[0] {
        StudyCell::Number(NumberCell { value, spread: Some(spread), note, .. }) => {
            Some((*value, spread.least, spread.most, spread.runs, note.as_str()))
        }
        _ => None,
    })
}

#[test]
fn a_study_that_is_stopped_reports_exactly_what_it_had_measured() {
    let (one, two, three) = ("1 of 3 runs", "2 of 3 runs", "");
    for (signal, made, expected) in [
        (Signal::SIGTERM, 1, [Some((1.0, 1.0, 1.0, 1, one)), None]),
        (Signal::SIGINT, 3, [Some((2.0, 1.0, 3.0, 2, two)), Some((2.0, 2.0, 2.0, 1, one))]),
        (Signal::SIGTERM, 4, [Some((2.0, 1.0, 3.0, 2, two)), Some((3.0, 2.0, 4.0, 2, two))]),
        (Signal::SIGTERM, 5, [Some((3.0, 1.0, 5.0, 3, three)), Some((3.0, 2.0, 4.0, 2, two))]),
    ] {
        let bench = Bench::new(&counts());
        let arguments = [&STUDY[..], &["--out", "out.json", "--document", "studies.md"]].concat();
        let output = bench.stopped(made, signal, &arguments);
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        let report = told(&output);
        assert_eq!(report.partial, Some(StudyProgress { done: made, total: 6 }));
        assert_eq!(numbers(&report), expected, "after {made}");
        if let (None, StudyCell::Missing(missing)) = (expected[1], &report.tables[0].rows[1].cells[0]) {
            assert_eq!(missing.show(), "not measured: the study was stopped");
            assert_eq!(missing.install, report.command);
        } else {
            assert!(expected[1].is_some(), "a row without a run says why");
        }
        assert_eq!(report, read(&bench.path("out.json")));
        assert_eq!(
            report,
            read(&bench.path("home/studies/mixed.json")),
            "the page shows it where there is no whole one"
        );
        let document = fs::read_to_string(bench.path("studies.md")).unwrap();
        let head = format!("**Partial:** the study was stopped after {made} of 6 measurements");
        assert!(document.contains(&head), "{document}");
        assert!(said(&output).contains(&format!("after {made} of 6 measurements")), "{}", said(&output));
    }
}

/// Of a worker, what makes its first run come to its end although it is told to stop: as where it measures its error by then.
const ENDS_WELL: &str = r#"echo "$run" >> runs
n=$(($(wc -l < runs)))
if [ "$n" = 1 ]; then
  trap 'heard=yes' TERM
  echo $$ > waits
  while [ -z "$heard" ]; do sleep 0.05; done
fi"#;

#[test]
fn a_study_that_is_stopped_while_a_run_comes_to_its_end_keeps_that_run_and_begins_no_other() {
    let bench = Bench::new(&worker(ENDS_WELL, "rmse", "'$n'"));
    let study = bench.command(&STUDY).spawn().unwrap();
    written(&bench.path("waits"));
    kill(Pid::from_raw(study.id() as i32), Signal::SIGTERM).unwrap();
    let output = study.wait_with_output().unwrap();
    assert_eq!(fs::read_to_string(bench.path("runs")).unwrap().lines().count(), 1, "{}", said(&output));
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let report = told(&output);
    assert_eq!(report.partial, Some(StudyProgress { done: 1, total: 6 }));
    assert_eq!(numbers(&report), [Some((1.0, 1.0, 1.0, 1, "1 of 3 runs")), None]);
    let (report, _) = bench.whole(&STUDY);
    assert_eq!(numbers(&report).map(|row| row.map(|row| row.3)), [Some(3), Some(3)], "the same command goes on");
}

#[test]
fn a_study_that_is_stopped_before_anything_is_measured_writes_nothing() {
    let bench = Bench::new(&counts());
    let output = bench.stopped(0, Signal::SIGTERM, &[&STUDY[..], &["--out", "out.json"]].concat());
    assert_eq!((output.status.code(), output.stdout.len()), (Some(130), 0), "{}", said(&output));
    assert!(!bench.path("out.json").exists() && !bench.path("home/studies").exists());
}

#[test]
fn a_study_that_was_killed_goes_on_behind_what_it_had_measured_and_says_that_it_was_two_sittings() {
    let bench = Bench::new(&counts());
    let output = bench.stopped(3, Signal::SIGKILL, &STUDY);
    assert!(output.stdout.is_empty() && !bench.path("home/studies/mixed.json").exists());
    let rows = bench.rows().expect("what was measured is kept");
    // As it is where a disk or a power supply fails in the middle of a line.
    let torn = [fs::read(&rows).unwrap(), br#"{"measured":{"row":"All on Bur"#.to_vec()].concat();
    fs::write(&rows, torn).unwrap();
    let (report, said) = bench.whole(&STUDY);
    assert!(said.contains("goes on behind what is kept (3 measurements"), "{said}");
    assert!(said.contains("[3/6] The next measurement begins"), "{said}");
    // The fourth run was lost with its worker.
    assert_eq!(numbers(&report), [Some((3.0, 1.0, 6.0, 3, "")), Some((5.0, 2.0, 7.0, 3, ""))]);
    assert_eq!(report.partial, None);
    assert!(report.sittings[0].starts_with("Measured in 2 sittings"), "{:?}", report.sittings);
    assert!(report.sittings[1].starts_with("Of round 2, “Two stages on"), "{:?}", report.sittings);
    assert_eq!(bench.rows(), None, "what is in a whole report is kept no longer");
    // So the next one begins anew, and is of one sitting.
    let (report, _) = bench.whole(&STUDY);
    assert_eq!(numbers(&report), [Some((10.0, 8.0, 12.0, 3, "")), Some((11.0, 9.0, 13.0, 3, ""))]);
    assert!(report.sittings.is_empty());
    let json = serde_json::to_string(&report).unwrap();
    assert!(
        !json.contains("partial") && !json.contains("sittings"),
        "a report that nobody stopped is as it was: {json}"
    );
}

#[test]
fn a_study_begins_anew_where_it_is_told_to_or_something_is_not_as_it_was() {
    let bench = Bench::new(&counts());
    bench.stopped(2, Signal::SIGTERM, &STUDY);
    let other = bench.stopped(3, Signal::SIGTERM, &["mixed", "--repeats", "2", "--json"]);
    assert!(said(&other).contains("goes on by: recspeed study mixed --repeats 3"), "{}", said(&other));
    let (report, said_of_all) = bench.whole(&[&STUDY[..], &["--fresh"]].concat());
    assert!(said_of_all.contains("asked to begin anew"), "{said_of_all}");
    assert!(report.sittings.is_empty() && numbers(&report)[0].is_some_and(|number| number.3 == 3));
    assert!(report.command.ends_with("mixed --repeats 3"), "{}", report.command);

    let runs = fs::read_to_string(bench.path("runs")).unwrap().lines().count() as u32;
    bench.stopped(runs + 2, Signal::SIGTERM, &STUDY);
    bench.put_program("worker", &format!("{}# another build\n", counts()));
    let files = fs::read_dir(bench.path("home/studies")).unwrap().flatten().map(|file| file.path());
    let kept = files.filter(|path| path.to_string_lossy().ends_with(".rows.jsonl"));
    let before = kept.map(|path| fs::read_to_string(path).unwrap()).find(|text| text.contains("mixed --repeats 3"));
    let (report, said) = bench.whole(&STUDY);
    assert!(said.contains("begins anew, for the program `worker` has changed"), "{said}");
    assert!(report.sittings.is_empty());
    // The sentence names where it now lies.
    let aside = said.split("what was kept (2 measurements) is now ").nth(1).unwrap().split_once(".jsonl.").unwrap().0;
    assert_eq!(fs::read_to_string(format!("{aside}.jsonl")).ok(), before);
}

#[test]
fn the_same_study_is_refused_while_another_process_measures_it() {
    let bench = Bench::new(&counts());
    fs::write(bench.path("stop-at"), "1").unwrap();
    let first = bench.command(&STUDY).spawn().unwrap();
    written(&bench.path("waits"));
    let second = bench.study(&STUDY);
    assert_eq!((second.status.code(), second.stdout.len()), (Some(2), 0), "{}", said(&second));
    let due = format!("the same study is being measured by process {}, which holds ", first.id());
    assert!(said(&second).contains(&due), "{}", said(&second));
    kill(Pid::from_raw(first.id() as i32), Signal::SIGTERM).unwrap();
    let output = first.wait_with_output().unwrap();
    assert_eq!(told(&output).partial, Some(StudyProgress { done: 1, total: 6 }), "it heard nothing of the other one");
    assert_eq!(fs::read_to_string(bench.path("runs")).unwrap().lines().count(), 2, "nothing was measured beside it");
    // Once it has gone, the same command goes on.
    fs::remove_file(bench.path("stop-at")).unwrap();
    bench.whole(&STUDY);
    let left = fs::read_dir(bench.path("home/studies")).unwrap().flatten().map(|file| file.file_name());
    assert_eq!(left.collect::<Vec<_>>(), ["mixed.json"], "no lock is left behind");
}

#[test]
fn a_partial_report_takes_the_place_of_no_whole_one() {
    let bench = Bench::new(&counts());
    let arguments = [&STUDY[..], &["--document", "studies.md"]].concat();
    let (whole, _) = bench.whole(&arguments);
    let document = fs::read_to_string(bench.path("studies.md")).unwrap();
    let output = bench.stopped(8, Signal::SIGTERM, &arguments);
    assert_eq!(read(&bench.path("home/studies/mixed.json")), whole);
    assert_eq!(read(&bench.path("home/studies/mixed.part.json")), told(&output));
    assert_eq!(fs::read_to_string(bench.path("studies.md")).unwrap(), document);
    let said = said(&output);
    assert!(said.contains("the last report is whole") && said.contains("keeps its section"), "{said}");
}

#[test]
fn containers_that_were_not_reached_say_so_and_those_that_were_read_are_read_once() {
    let bench = Bench::new(&counts());
    let study = ["retrieval", "--rows", "10,20", "--containers", "plain,arrow", "--json"];
    let output = bench.stopped(1, Signal::SIGTERM, &study);
    assert_eq!(output.status.code(), Some(130), "{}", said(&output));
    let report = told(&output);
    assert_eq!(report.partial, Some(StudyProgress { done: 1, total: 4 }));
    let shown = |report: &StudyReport, table: usize| {
        report.tables[table].rows.iter().map(|row| row.cells[0].show(Unit::Seconds)).collect::<Vec<_>>()
    };
    let not = "not measured: the study was stopped".to_owned();
    assert_eq!(shown(&report, 0), ["1.00 s".to_owned(), not.clone()]);
    assert_eq!(shown(&report, 1), [not.clone(), not]);
    let titles: Vec<&str> = report.tables[2..].iter().map(|table| table.title.as_str()).collect();
    assert!(titles[0].starts_with("Batches out of memory: 10 rows"), "{titles:?}");
    assert!(titles[1].starts_with("What the containers of 10 rows hold"), "{titles:?}");
    assert_eq!(read(&bench.path("home/studies/retrieval.json")), report);
    let (report, _) = bench.whole(&study);
    assert_eq!(read(&bench.path("home/studies/retrieval.json")), report, "the page shows that it is whole now");
    assert_eq!(
        (shown(&report, 0), shown(&report, 1)),
        (vec!["1.00 s".to_owned(), "3.00 s".to_owned()], vec!["4.00 s".to_owned(), "5.00 s".to_owned()],)
    );
    assert!(report.sittings[1].contains("Of the table of 10 rows, “Arrow arrays (Rust)” is"), "{:?}", report.sittings);
}
