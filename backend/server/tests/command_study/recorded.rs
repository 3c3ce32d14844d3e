//! What comes with the program: printed, put into a document, and nothing is measured for it.

use std::fs;

use recspeed_types::study::STUDIES;

use crate::bench::{Bench, said, told};

/// A worker that leaves a file where it was asked for anything.
const ASKED: &str = "#!/bin/sh\n: > \"$(dirname \"$0\")/asked\"\nexit 1\n";

#[test]
fn what_the_authors_measured_is_printed_and_nothing_is_measured_or_kept() {
    let bench = Bench::new(ASKED);
    for study in STUDIES {
        let output = bench.study(&[study.name, "--recorded", "--json"]);
        assert!(output.status.success(), "{}: {}", study.name, said(&output));
        assert_eq!(told(&output).study, study.name);
        let output = bench.study(&[study.name, "--recorded"]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // On the machine that measured it, it is of this one.
        let first = "Measured by Recspeed's authors on ";
        assert!(output.status.success() && text.starts_with(first), "{text}");
    }
    assert!(!bench.path("asked").exists(), "no worker was asked for anything");
    assert!(!bench.path("home/studies").exists(), "nothing was measured here");
}

#[test]
fn a_recorded_report_is_put_into_a_document_as_a_measured_one_is() {
    let bench = Bench::new(ASKED);
    fs::write(bench.path("studies.md"), "# Studies\n").unwrap();
    let output = bench.study(&["mixed", "--recorded", "--document", "studies.md"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(bench.path("studies.md")).unwrap();
    assert!(text.starts_with("# Studies\n\n<!-- study mixed -->\n## Mixed architectures\n"), "{text}");
    assert!(text.trim_end().ends_with("<!-- end of study mixed -->"), "{text}");
}

#[test]
fn options_of_a_measurement_are_refused_beside_what_was_measured_already() {
    let bench = Bench::new(ASKED);
    for arguments in [
        &["methods", "--full"][..],
        &["methods", "--repeats", "1"],
        &["mixed", "--set", "training.epochs=2"],
        &["mixed", "--publish"],
        &["mixed", "--out", "report.json"],
        &["four-layer", "--engines", "burn"],
        &["four-layer", "--tab", "program"],
        &["pipeline-vs-sharded", "--on", "gpu"],
        &["pipeline-vs-sharded", "--engines", "burn"],
        &["pipeline-vs-sharded", "--network", "larger"],
        &["retrieval", "--rows", "10"],
        &["retrieval", "--batch-rows", "10"],
        &["retrieval", "--containers", "plain"],
    ] {
        let output = bench.study(&[arguments, &["--recorded"][..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains("--recorded"), "{arguments:?}: {}", said(&output));
    }
}
