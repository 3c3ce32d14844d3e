//! The last report of each study, kept in the lab's folder as `studies/NAME.json`, and reports in files.
//!
//! A part of a study, as of one engine, is put into the last report; where it cannot be, it is kept as `studies/NAME.part.json`, and so is
//! the report of a study that was stopped, where the last one is whole.

use std::io;
use std::path::{Path, PathBuf};

use recspeed_types::study::StudyReport;

use super::merge::merged;
use crate::{home, whole_file};

/// Where a report went.
pub(super) enum Kept {
    /// It is the one that the page shows.
    Shown,
    /// Its rows are in the one that the page shows.
    Merged,
    /// Beside it, and why.
    Apart(PathBuf, &'static str),
    /// The lab has no folder.
    Nowhere,
}

/// Keeps the report where the page finds the last one; of a `part` of the study, its rows in the last one.
pub(super) fn keep(named: Option<&Path>, report: &StudyReport, part: bool) -> io::Result<Kept> {
    let Some(root) = named.map(Path::to_owned).or_else(home::usual_place) else { return Ok(Kept::Nowhere) };
    let folder = home::studies(&root);
    std::fs::create_dir_all(&folder)?;
    let path = folder.join(format!("{}.json", report.study));
    // One that cannot be read is none.
    let last = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<StudyReport>(&text).ok());
    let fits = match last {
        Some(last) if report.partial.is_none() => part.then(|| merged(&last, report)),
        Some(last) if last.partial.is_none() => Some(Err("is whole")),
        Some(_) if part => Some(Err("has other rows too")),
        _ => None,
    };
    match fits {
        None => whole_file::write(&path, &serde_json::to_vec_pretty(report)?).map(|()| Kept::Shown),
        Some(Ok(whole)) => whole_file::write(&path, &serde_json::to_vec_pretty(&whole)?).map(|()| Kept::Merged),
        Some(Err(why)) => {
            let path = folder.join(format!("{}.part.json", report.study));
            whole_file::write(&path, &serde_json::to_vec_pretty(report)?)?;
            Ok(Kept::Apart(path, why))
        }
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::study::{StudyMachine, StudyProgress};

    use super::*;

    #[test]
    fn a_report_of_a_study_that_was_stopped_takes_no_whole_ones_place() {
        let home = tempfile::tempdir().expect("a folder");
        let of = |done: Option<u32>, command: &str| {
            let machine = StudyMachine::default();
            let mut report = super::super::report("mixed", command.to_owned(), machine, Vec::new());
            report.partial = done.map(|done| StudyProgress { done, total: 9 });
            report
        };
        let keep = |report: &StudyReport| match keep(Some(home.path()), report, false).expect("kept") {
            Kept::Shown => "shown",
            Kept::Apart(..) => "apart",
            Kept::Merged | Kept::Nowhere => "otherwise",
        };
        let shown = || {
            let text = std::fs::read(home::studies(home.path()).join("mixed.json")).expect("a report");
            serde_json::from_slice::<StudyReport>(&text).expect("a report").command
        };
        for (done, command, where_, stands) in [
            (Some(2), "first", "shown", "first"),
            (Some(4), "second", "shown", "second"),
            (None, "third", "shown", "third"),
            (Some(8), "fourth", "apart", "third"),
            (None, "fifth", "shown", "fifth"),
        ] {
            assert_eq!((keep(&of(done, command)), shown().as_str()), (where_, stands));
        }
    }
}
