//! What is said of a row that may have had too little memory: what is known of it, and what of this study needs less.

use recspeed_types::FailureCode;
use recspeed_types::memory::{KILLED, was_refused};

/// Of rows that train on data which `--set` makes smaller.
pub(super) const FEWER_ROWS: &str =
    "fewer rows (`--set dataset.sample=ROWS`) or a smaller batch (`--set training.batch_size=ROWS`) need less memory";
/// Of the same at full size.
pub(super) const NOT_FULL: &str =
    "leave out `--full`, or take a smaller batch (`--set training.batch_size=ROWS`), to need less memory";

/// How a worker says what takes less memory in any run: a study says it in its own options.
const GENERAL: &str = "(dataset.sample)";

/// The cause without the clause that says what takes less memory in any run.
fn without_general(cause: String) -> String {
    let Some(at) = cause.find(GENERAL) else { return cause };
    let (head, tail) = cause.split_at(at);
    // The full stop stays with the sentence in front; what divides clauses goes.
    let ends = [(". ", 1), ("; ", 0), (": ", 0)].map(|(mark, own)| head.rfind(mark).map(|at| at + own));
    let Some(begin) = ends.into_iter().flatten().max() else { return cause };
    // Behind it may be another sentence, or the lines of a log.
    let end = [tail.find(". ").map(|at| at + 1), tail.find('\n')].into_iter().flatten().min();
    let rest = end.map_or("", |end| tail.split_at(end).1);
    let (before, _) = head.split_at(begin);
    let stop = if before.ends_with('.') { "" } else { "." };
    format!("{before}{stop}{rest}")
}

/// A cause that may be a want of memory, with what needs less in this study; any other one as it is.
pub(super) fn with_remedy(cause: String, code: Option<FailureCode>, less: &str) -> String {
    let may_be = code == Some(FailureCode::OutOfMemory) || cause.contains(KILLED) || was_refused(&cause);
    if !may_be {
        return cause;
    }
    let cause = without_general(cause);
    let end = if cause.ends_with(['.', '\n']) { "" } else { "." };
    format!("{cause}{end} In this study: {less}.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_may_have_had_too_little_memory_says_what_needs_less_in_this_study_and_no_other_row_does() {
        let told = |cause: &str, code| with_remedy(cause.to_owned(), code, "leave out `--full`");
        let killed = format!("The engine pytorch {KILLED}.");
        assert_eq!(told(&killed, Some(FailureCode::Worker)), format!("{killed} In this study: leave out `--full`."));
        assert_eq!(told("Too large.", Some(FailureCode::OutOfMemory)), "Too large. In this study: leave out `--full`.");
        let refused = "exit status: 1: MemoryError";
        assert_eq!(told(refused, None), format!("{refused}. In this study: leave out `--full`."));
        // What a worker says of any run is said in the study's own options, once.
        let general = "It needs less memory with fewer rows (dataset.sample) or a smaller batch (training.batch_size).";
        assert_eq!(
            told(&format!("{killed} {general}"), Some(FailureCode::Worker)),
            format!("{killed} In this study: leave out `--full`.")
        );
        for (cause, kept) in [
            (
                "It got no more memory: its log ends with “x: y”; take fewer rows (dataset.sample) or less.",
                "It got no more memory: its log ends with “x: y”.",
            ),
            (
                "Data are 2 GB of that: fewer rows (dataset.sample) take less. Most is data.",
                "Data are 2 GB of that. Most is data.",
            ),
        ] {
            let due = format!("{kept} In this study: leave out `--full`.");
            assert_eq!(told(cause, Some(FailureCode::OutOfMemory)), due);
        }
        for cause in ["It crashed.", "The engine pytorch failed: ImportError: no"] {
            assert_eq!(told(cause, Some(FailureCode::Worker)), cause);
        }
    }
}
