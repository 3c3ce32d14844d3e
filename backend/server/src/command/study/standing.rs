//! How a study stands at the end of a sitting: whole or stopped, and in how many sittings it was measured.

use std::fs::File;
use std::path::PathBuf;

use recspeed_types::study::{Missing, StudyCell, StudyLoad, StudyProgress, StudyReport, Whose};

use super::render::date;
use super::rest::Rest;
use crate::alone::Alone;
use crate::command::figures;

/// A time in which a study measured without being stopped.
#[derive(Debug, Clone)]
pub(super) struct Sitting {
    /// Milliseconds since 1970.
    pub(super) began_ms: i64,
    /// What others took of the machine up to its last measurement.
    pub(super) load: Option<StudyLoad>,
}

/// A measurement, by its place.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    /// What is measured for all rows before the next turn, as `round 2`.
    pub(super) turn: String,
    /// The row.
    pub(super) row: String,
    /// The sitting, from 0.
    pub(super) sitting: usize,
}

/// All that was measured, in the order of the plan.
pub(super) struct Standing {
    pub(super) sittings: Vec<Sitting>,
    pub(super) measured: Vec<Measured>,
    /// Whether this sitting measured anything.
    pub(super) is_new: bool,
    /// Whether all of it is kept.
    pub(super) is_kept: bool,
    /// The file of the measurements; `None` where there is none.
    pub(super) file: Option<(PathBuf, File)>,
    /// Keeps others from measuring the same until the report is written.
    pub(super) alone: Option<Alone>,
}

/// A study that has ended or was stopped.
pub(super) struct Ended {
    pub(super) report: StudyReport,
    /// Of a part of the study: the rows that it leaves out.
    pub(super) rest: Option<Rest>,
    is_kept: bool,
    file: Option<(PathBuf, File)>,
    _alone: Option<Alone>,
}

impl Standing {
    /// The report with what is to be known of how it came about; `partial` where the study was stopped.
    pub(super) fn of(self, mut report: StudyReport, partial: Option<StudyProgress>) -> Ended {
        report.partial = partial;
        report.sittings = sentences(&self.sittings, &self.measured);
        if !self.is_new {
            report.machine.load = self.sittings.last().and_then(|sitting| sitting.load);
        }
        let is_kept = self.is_kept && self.file.is_some();
        Ended { report, rest: None, is_kept, file: self.file, _alone: self.alone }
    }
}

impl Ended {
    /// The same of a part of the study, with the rows that it leaves out.
    pub(super) fn beside(self, rest: Option<Rest>) -> Self {
        Self { rest, ..self }
    }

    /// Whether what was measured waits for the study to go on.
    pub(super) const fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The report is written: what was kept until then is needed no more, unless the study was stopped.
    pub(super) fn written(self) {
        if let Some((path, file)) = self.file.filter(|_| self.report.partial.is_none()) {
            // Where it cannot be removed, the next study of its kind says that it goes on behind it.
            let _ = std::fs::remove_file(path);
            drop(file);
        }
    }
}

/// Why a row that was not reached has no number, with the command that goes on.
pub(super) fn not_reached(command: &str) -> Missing {
    Missing { install: command.to_owned(), why: "not measured: the study was stopped".to_owned() }
}

/// Writes beside each number of a stopped study of how many of its runs it is, where some are left to be made.
pub(super) fn count_runs(report: &mut StudyReport, repeats: u32) {
    for table in report.tables.iter_mut().filter(|table| table.whose == Whose::Measured) {
        let Some(column) = table.bars else { continue };
        for cell in table.rows.iter_mut().filter_map(|row| row.cells.get_mut(column)) {
            if let StudyCell::Number(number) = cell
                && let Some(runs) = number.spread.map(|spread| spread.runs).filter(|runs| *runs < repeats)
            {
                number.note = format!("{runs} of {repeats} runs");
            }
        }
    }
}

/// What is to be known of a study that was measured in more than one sitting: ratios are of one.
fn sentences(sittings: &[Sitting], measured: &[Measured]) -> Vec<String> {
    let of = |(place, sitting): (usize, &Sitting)| {
        let count = measured.iter().filter(|one| one.sitting == place).count();
        let others = sitting.load.map(|load| format!(" (others took {:.0} % of the processors)", load.others * 100.0));
        let count = figures::counted(count as u64, "measurement", "measurements");
        format!("{count} on {}{}", date(sitting.began_ms), others.unwrap_or_default())
    };
    let took_part = |place: usize| measured.iter().any(|one| one.sitting == place);
    let parts: Vec<String> = sittings.iter().enumerate().filter(|(place, _)| took_part(*place)).map(of).collect();
    if parts.len() < 2 {
        return Vec::new();
    }
    let mut sentences = vec![format!(
        "Measured in {} sittings by the same programs on the same machine: {}.",
        parts.len(),
        parts.join(", ")
    )];
    let mut turns: Vec<&str> = measured.iter().map(|one| one.turn.as_str()).collect();
    turns.dedup();
    let divided = turns.into_iter().filter_map(|turn| divided(turn, measured));
    sentences.extend(divided);
    if sentences.len() == 1 {
        sentences.push("No round or table is divided between them.".to_owned());
    }
    sentences
}

/// Which rows of a turn are of a later sitting than the others; `None` where none is.
fn divided(turn: &str, measured: &[Measured]) -> Option<String> {
    let own = || measured.iter().filter(|one| one.turn == turn);
    let first = own().map(|one| one.sitting).min()?;
    let later: Vec<String> = own().filter(|one| one.sitting > first).map(|one| format!("“{}”", one.row)).collect();
    let (verb, words) = match later.len() {
        0 => return None,
        1 => ("is", later.concat()),
        _ => ("are", later.join(", ")),
    };
    Some(format!(
        "Of {turn}, {words} {verb} of a later sitting than the other rows: a ratio to those compares two sittings."
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(of: &[(&str, &str, usize)]) -> Vec<Measured> {
        let one = |(turn, row, sitting): &(&str, &str, usize)| Measured {
            turn: (*turn).to_owned(),
            row: (*row).to_owned(),
            sitting: *sitting,
        };
        of.iter().map(one).collect()
    }

    #[test]
    fn a_report_of_several_sittings_says_so_and_which_ratios_compare_two() {
        let busy = StudyLoad { before: 1.0, after: 1.0, others: 0.23 };
        let day = 86_400_000;
        let sittings = [
            Sitting { began_ms: 0, load: Some(busy) },
            Sitting { began_ms: day, load: None },
            Sitting { began_ms: day, load: None },
        ];
        let whole = measured(&[("round 1", "Burn", 0), ("round 1", "PyTorch", 0)]);
        assert!(sentences(&sittings, &whole).is_empty(), "one sitting is nothing to speak of");
        let two = measured(&[
            ("round 1", "Burn", 0),
            ("round 1", "PyTorch", 0),
            ("round 2", "Burn", 2),
            ("round 2", "PyTorch", 2),
        ]);
        assert_eq!(
            sentences(&sittings, &two),
            [
                "Measured in 2 sittings by the same programs on the same machine: 2 measurements on 1970-01-01 (others took 23 % of \
                 the processors), 2 measurements on 1970-01-02.",
                "No round or table is divided between them.",
            ]
        );
        let divided = measured(&[
            ("round 1", "Burn", 0),
            ("round 1", "PyTorch", 1),
            ("round 2", "Burn", 1),
            ("round 2", "PyTorch", 1),
        ]);
        assert_eq!(
            sentences(&sittings, &divided)[1..],
            [
                "Of round 1, “PyTorch” is of a later sitting than the other rows: a ratio to those compares two sittings."
            ]
        );
    }
}
