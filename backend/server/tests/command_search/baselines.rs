//! Which runs of a search fit baselines.

use std::fs;

use super::bench::{Bench, stderr};
use super::{SEARCH, search};

#[test]
fn no_trial_fits_baselines_and_the_run_of_the_best_on_the_test_rows_does() {
    let bench = Bench::new(SEARCH);
    let output = search(&bench, &["--trials", "3", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let ran = bench.ran();
    let bare = fs::read_to_string(bench.path("bare")).unwrap();
    let bare: Vec<&str> = bare.lines().map(str::trim).collect();
    assert_eq!((ran.len(), bare.len()), (4, 3), "{ran:?}");
    assert_eq!(ran[..3], bare[..], "the trials alone");
    assert!(ran[3].contains(" test "), "{ran:?}");
}
