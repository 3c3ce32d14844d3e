//! How the ranks of a run ended, of all that is known of it.

use recspeed_experiment::RunFailure;
use recspeed_parallel::RankFailure;
use recspeed_types::{EventKind, FailureCode, RunSummary};

/// What is known once `mpirun` has ended.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// What the first rank said last, if that ends a run.
    pub(super) last: Option<EventKind>,
    /// The failure that a rank noted first.
    pub(super) noted: Option<RankFailure>,
    /// What `mpirun` said of a rank that was ended from outside.
    pub(super) fallen: Option<RankFailure>,
    /// Whether the run was told to stop.
    pub(super) stopped: bool,
    /// Exit status, and what was said last on standard error.
    pub(super) detail: String,
}

impl Known {
    /// The run's end: what was first, in the words of the rank that it happened to.
    pub(super) fn verdict(self) -> Result<RunSummary, RunFailure> {
        let Self { last, noted, fallen, stopped, detail } = self;
        let told = match last {
            Some(EventKind::Finished { summary }) => return Ok(*summary),
            Some(EventKind::Failed { code, cause, detail, refusal }) => {
                Some(RunFailure { code, cause, detail, refusal })
            }
            _ => None,
        };
        // A rank that is ended because another one failed says that it was cancelled; nobody else has asked for that.
        let own = told.filter(|told| stopped || told.code != FailureCode::Cancelled);
        let (noted, followed) = match noted {
            Some(noted) if noted.follows => (None, Some(noted)),
            noted => (noted, None),
        };
        if let Some(own) = own {
            return Err(own);
        }
        if stopped {
            return Err(RunFailure::cancelled());
        }
        let (failure, own) = noted.or(fallen).or(followed).map_or_else(
            || {
                let cause = "The ranks of the training ended without a result; the run's log has what mpirun says.";
                (RunFailure::new(FailureCode::Worker, cause), String::new())
            },
            |RankFailure { rank, cause, detail, .. }| (of_rank(rank, &cause), detail),
        );
        let parts = [own, detail].into_iter().filter(|part| !part.is_empty());
        Err(failure.with_detail(parts.collect::<Vec<_>>().join("\n")))
    }
}

/// The run's end by what happened to a rank.
pub(super) fn of_rank(rank: usize, cause: &str) -> RunFailure {
    RunFailure::new(FailureCode::Worker, format!("Rank {rank}: {}.", cause.trim_end_matches('.')))
}

/// Reads in a line of `mpirun` that a rank was ended from outside: `… process rank 1 with PID 17 on node a exited on signal 9 (Killed).`
pub(super) fn fallen(line: &str) -> Option<RankFailure> {
    let (_, rest) = line.split_once("process rank ")?;
    let (rank, rest) = rest.split_once(' ')?;
    let (_, how) = rest.split_once("exited on signal ")?;
    let signal: String = how.chars().take_while(char::is_ascii_digit).collect();
    let known = if signal == "9" {
        "; the kernel does so when memory runs out, or somebody ended it: it needs less memory with fewer rows (dataset.sample)"
    } else {
        ""
    };
    let cause = format!("its process was ended by signal {}{known}", how.trim_end().trim_end_matches('.'));
    Some(RankFailure::new(rank.parse().ok()?, cause))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KILLED: &str = "mpirun noticed that process rank 1 with PID 4711 on node lab exited on signal 9 (Killed).";

    fn cancelled() -> EventKind {
        RunFailure::cancelled().into_event()
    }

    fn rank(rank: usize, follows: bool) -> RankFailure {
        RankFailure { follows, ..RankFailure::new(rank, "out of luck") }
    }

    #[test]
    fn the_loss_of_a_rank_is_read_in_the_words_of_mpirun() {
        let fallen = fallen(KILLED).unwrap();
        assert_eq!(fallen.rank, 1);
        assert!(fallen.cause.starts_with("its process was ended by signal 9 (Killed)"), "{}", fallen.cause);
        assert_eq!(super::fallen("mpirun: all is well with process rank 1"), None);
        assert_eq!(super::fallen("process rank x with PID 1 exited on signal 9"), None);
    }

    #[test]
    fn whoever_failed_first_is_named() {
        let failed = |known: Known| known.verdict().expect_err("nobody finished");
        let killed = || Known { last: Some(cancelled()), fallen: fallen(KILLED), ..Known::default() };
        let failure = failed(killed());
        assert_eq!(failure.code, FailureCode::Worker);
        assert!(failure.cause.starts_with("Rank 1: its process was ended"), "{failure}");
        let noted = RankFailure { detail: "what it did".into(), ..rank(2, false) };
        let failure = failed(Known { noted: Some(noted), detail: "exit status: 1".into(), ..killed() });
        assert_eq!(failure.detail, "what it did\nexit status: 1");
        assert_eq!(failure.cause, "Rank 2: out of luck.", "it noted that before it went, and mpirun ended the others");
        let failure = failed(Known { noted: Some(rank(2, true)), ..killed() });
        assert!(failure.cause.starts_with("Rank 1"), "what follows from another's end says nothing new");
        let own = RunFailure::new(FailureCode::Diverged, "No.");
        let failure = failed(Known { last: Some(own.clone().into_event()), noted: Some(rank(2, true)), ..killed() });
        assert_eq!(failure, own, "what the first rank says of itself");
    }

    #[test]
    fn a_run_that_was_told_to_stop_was_cancelled() {
        let known = Known { last: Some(cancelled()), stopped: true, ..Known::default() };
        assert_eq!(known.verdict().expect_err("stopped").code, FailureCode::Cancelled);
        let known = Known { stopped: true, fallen: fallen(KILLED), ..Known::default() };
        assert_eq!(known.verdict().expect_err("stopped").code, FailureCode::Cancelled);
    }

    #[test]
    fn an_end_without_a_word_is_a_failure() {
        let failure = Known { detail: "exit status: 1".into(), ..Known::default() }.verdict().expect_err("no result");
        assert_eq!((failure.code, failure.detail.as_str()), (FailureCode::Worker, "exit status: 1"));
    }
}
