//! Logs that another search writes, or that somebody has written into.

use std::fs;

use super::bench::{Bench, stderr};
use super::{SEARCH, search};

#[test]
fn a_search_takes_nothing_from_a_log_that_another_one_writes_or_that_somebody_damaged() {
    let bench = Bench::new(SEARCH);
    let four = || search(&bench, &["--trials", "4"]);
    assert!(four().status.success());
    let log = bench.path("found/log.jsonl");
    let whole = fs::read_to_string(&log).unwrap();
    let lock = fs::File::open(&log).unwrap();
    lock.lock().unwrap();
    let busy = four();
    assert!(busy.status.code() == Some(2) && stderr(&busy).contains("another search is writing"), "{}", stderr(&busy));
    lock.unlock().unwrap();
    let damaged = whole.replacen("\"number\":2", "\"number\":", 1);
    fs::write(&log, &damaged).unwrap();
    let refused = four();
    assert!(refused.status.code() == Some(2) && stderr(&refused).contains("line 3 of"), "{}", stderr(&refused));
    assert_eq!(fs::read_to_string(&log).unwrap(), damaged);
    // Nor does a trial count whose value is gone, or is none of its own metrics'.
    let renamed = whole.replacen("\"value\":", "\"vxlue\":", 1);
    let better = whole.replacen("\"value\":0.", "\"value\":0.9", 1);
    for (damaged, due) in [(renamed, "line 2 of found/log.jsonl is none"), (better, "line 2 of found/log.jsonl gives")]
    {
        assert_ne!(damaged, whole);
        fs::write(&log, &damaged).unwrap();
        let refused = four();
        assert!(refused.status.code() == Some(2) && stderr(&refused).contains(due), "{}", stderr(&refused));
        assert!(stderr(&refused).ends_with("or begin anew with --fresh\n"), "{}", stderr(&refused));
        assert_eq!(fs::read_to_string(&log).unwrap(), damaged);
    }
    // Trials of other data do not count beside those of these.
    fs::write(&log, whole.replace("\"data\":\"abc\"", "\"data\":\"other\"")).unwrap();
    let other = search(&bench, &["--trials", "5"]);
    assert!(stderr(&other).contains("the data are no longer those"), "{}", stderr(&other));
}
