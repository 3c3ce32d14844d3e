//! How a worker left, in words that a student understands.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use recspeed_types::api::Failure;
use recspeed_types::memory::KILLED;
use recspeed_types::{EventKind, FailureCode};

use super::supervise::Stop;
use crate::store::Ending;

/// Characters of a cause, and of a detail, that are stored.
const MAX_CAUSE: usize = 1_000;
const MAX_DETAIL: usize = 12_000;

/// All that is known of an end.
#[derive(Debug)]
pub(super) struct End {
    /// Why the server ended the worker, if it did.
    pub(super) stop: Option<Stop>,
    /// The worker's own last event.
    pub(super) last: Option<EventKind>,
    /// How the process left; `None` when that could not be learnt.
    pub(super) status: Option<ExitStatus>,
    /// Its last words on standard error.
    pub(super) words: String,
    /// Whether it had to be killed because it did not leave when asked to.
    pub(super) killed: bool,
    /// How long the attempt was allowed to take.
    pub(super) time_limit: Duration,
    /// How long nothing had been heard from it.
    pub(super) silent: Duration,
}

/// The ending to store; `None` when the server is ending and the run is to go on later.
pub(super) fn judge(end: End) -> Option<Ending> {
    // What a worker finished is finished, whatever was asked of it in the same moment.
    if let Some(EventKind::Finished { summary }) = end.last {
        if !matches!(end.stop, Some(Stop::Rubbish { .. })) {
            return Some(Ending::Finished(summary));
        }
        return Some(failed(
            FailureCode::Worker,
            breach(end.stop.as_ref()),
            &detail(end.status, end.killed, &end.words),
        ));
    }
    let detail = detail(end.status, end.killed, &end.words);
    let ending = match &end.stop {
        Some(Stop::ServerEnds) => return None,
        Some(Stop::Cancel) => Ending::Cancelled(failure(
            FailureCode::Cancelled,
            "The run was cancelled.".into(),
            if end.killed { &detail } else { "" },
        )),
        Some(Stop::TimeLimit) => {
            let limit = end.time_limit.as_secs_f64();
            let silence = if end.silent > end.time_limit / 2 {
                format!(
                    " The worker had said nothing for the last {:.0} s: it may have hung.",
                    end.silent.as_secs_f64()
                )
            } else {
                String::new()
            };
            let cause = format!(
                "The run took longer than the {limit} s that this server allows. Take fewer epochs or a smaller data \
                 set, or start the server with a larger --time-limit.{silence}"
            );
            failed(FailureCode::TimeLimit, cause, &detail)
        }
        Some(Stop::Stopped { after }) => {
            let cause = format!(
                "The worker's process is stopped: it did not go on for {} s, as long as its ranks wait for each other, and was ended. Let \
                 it go on sooner (kill -CONT), or set `strategy.timeout` higher; then press “Run again” on its page.",
                after.as_secs()
            );
            failed(FailureCode::Worker, cause, &detail)
        }
        Some(Stop::DiskFull) => failed(
            FailureCode::Internal,
            "The disk of the server is full, so the run was stopped. Free some space on the server, then press “Run again” on its page: \
             what was stored before is kept."
                .into(),
            &detail,
        ),
        Some(Stop::Internal { what }) => failed(
            FailureCode::Internal,
            "The server could not store what the run said, so the run was stopped. Its log has the cause; press “Run again” on its page \
             when that is mended."
                .into(),
            &format!("{what}\n{detail}"),
        ),
        Some(Stop::Rubbish { .. }) => failed(FailureCode::Worker, breach(end.stop.as_ref()), &detail),
        None => match end.last {
            Some(EventKind::Failed { code: FailureCode::Cancelled, cause, detail, .. }) => {
                Ending::Cancelled(failure(FailureCode::Cancelled, cause, &detail))
            }
            Some(EventKind::Failed { code: FailureCode::Checkpoint, cause, detail: own, .. }) => {
                let cause = format!("{cause} Press “Run again” on its page: the run then starts from its beginning.");
                failed(FailureCode::Checkpoint, cause, &own)
            }
            Some(EventKind::Failed { code, cause, detail: own, refusal }) => {
                Ending::Failed(Failure { refusal, ..failure(code, cause, &own) })
            }
            _ => silent_exit(end.status, &detail),
        },
    };
    Some(ending)
}

/// The worker could not even be started.
pub(super) fn not_started(what: &str, detail: &str) -> Ending {
    failed(FailureCode::Worker, format!("The run could not be started: {what}."), detail)
}

/// The server itself could not go on with it.
pub(super) fn broken_off(what: &str) -> Ending {
    let cause = "The lab made a mistake and could not finish this run; please report it with the detail below.";
    failed(FailureCode::Internal, cause.to_owned(), what)
}

fn breach(stop: Option<&Stop>) -> String {
    let what = match stop {
        Some(Stop::Rubbish { what }) => what.as_str(),
        _ => "it broke the protocol",
    };
    format!(
        "The worker said something that is no part of the protocol: {what}. Server and worker are probably of different \
         versions; build both with `make lab`, then press “Run again” on its page."
    )
}

/// An end without a last event.
fn silent_exit(status: Option<ExitStatus>, detail: &str) -> Ending {
    let signal = status.and_then(|status| status.signal());
    let (code, cause) = match (signal, status.and_then(|status| status.code())) {
        (Some(9), _) => (
            FailureCode::Worker,
            format!(
                "The worker {KILLED}. It needs less memory with a smaller data set or a smaller model, and finds more once other runs are \
                 over: then press “Run again” on its page."
            ),
        ),
        (Some(number), _) => {
            let name =
                Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |signal| signal.to_string());
            (
                FailureCode::Worker,
                format!(
                    "The worker crashed or was stopped from outside ({name}). Press “Run again” on its page; if it happens again, report it."
                ),
            )
        }
        (None, Some(3)) => (
            FailureCode::OutOfMemory,
            "The worker ran out of memory. Take a smaller data set or a smaller model.".to_owned(),
        ),
        (None, Some(2)) => (
            FailureCode::InvalidSpec,
            "The worker refused the spec without saying why. Server and worker are probably of different versions."
                .to_owned(),
        ),
        (None, Some(4)) => (
            FailureCode::Data,
            "The worker could not read the data set, and did not say why. The details have its last words.".to_owned(),
        ),
        (None, Some(code)) => (
            FailureCode::Worker,
            format!(
                "The worker left without a result (exit status {code}). Press “Run again” on its page; if it happens again, report it."
            ),
        ),
        (None, None) => {
            (FailureCode::Worker, "The worker left, and nobody knows how. Press “Run again” on its page.".to_owned())
        }
    };
    failed(code, cause, detail)
}

fn detail(status: Option<ExitStatus>, killed: bool, words: &str) -> String {
    let mut text = status.map_or_else(|| "no exit status".to_owned(), |status| status.to_string());
    if killed {
        text.push_str("; killed, because it did not leave when asked to");
    }
    if !words.is_empty() {
        text.push_str("; last words on standard error:\n");
        text.push_str(words);
    }
    text
}

fn failed(code: FailureCode, cause: String, detail: &str) -> Ending {
    Ending::Failed(failure(code, cause, detail))
}

fn failure(code: FailureCode, cause: String, detail: &str) -> Failure {
    let short = |text: &str, limit: usize| text.chars().take(limit).collect::<String>();
    Failure { code, cause: short(&cause, MAX_CAUSE), detail: short(detail, MAX_DETAIL), refusal: None }
}

#[cfg(test)]
mod tests {
    use recspeed_types::{Instead, Refusal};

    use super::*;

    fn end(stop: Option<Stop>, raw_status: i32) -> End {
        End {
            stop,
            last: None,
            status: Some(ExitStatus::from_raw(raw_status)),
            words: "panicked at main.rs".into(),
            killed: false,
            time_limit: Duration::from_secs(10),
            silent: Duration::ZERO,
        }
    }

    fn of(ending: Option<Ending>) -> Failure {
        match ending {
            Some(Ending::Failed(failure) | Ending::Cancelled(failure)) => failure,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_silent_end_has_a_code_a_cause_and_the_last_words() {
        for (status, code, word) in [
            (9, FailureCode::Worker, "memory"),
            (11, FailureCode::Worker, "SIGSEGV"),
            (0, FailureCode::Worker, "exit status 0"),
            (101 << 8, FailureCode::Worker, "exit status 101"),
            (3 << 8, FailureCode::OutOfMemory, "memory"),
            (4 << 8, FailureCode::Data, "data set"),
        ] {
            let failure = of(judge(end(None, status)));
            assert_eq!(failure.code, code, "{status}");
            assert!(failure.cause.contains(word), "{}", failure.cause);
            assert!(failure.detail.contains("panicked at main.rs"), "{}", failure.detail);
        }
    }

    #[test]
    fn what_a_worker_refused_is_stored_with_what_would_be_taken_instead() {
        let refusal = Some(Refusal { instead: Instead::kinds("recommender", &["slim"]) });
        let (code, detail) = (FailureCode::OutOfMemory, String::new());
        let last = EventKind::Failed { code, cause: "Too large.".into(), detail, refusal: refusal.clone() };
        let failure = of(judge(End { last: Some(last), ..end(None, 3 << 8) }));
        assert_eq!((failure.code, failure.refusal), (code, refusal));
    }

    #[test]
    fn why_the_server_ended_it_wins_over_what_the_worker_says_of_it() {
        let says_cancelled = || {
            Some(EventKind::Failed {
                code: FailureCode::Cancelled,
                cause: "cancelled".into(),
                detail: String::new(),
                refusal: None,
            })
        };
        let over =
            End { last: says_cancelled(), silent: Duration::from_secs(9), ..end(Some(Stop::TimeLimit), 130 << 8) };
        let failure = of(judge(over));
        assert_eq!(failure.code, FailureCode::TimeLimit);
        assert!(failure.cause.contains("10 s") && failure.cause.contains("said nothing"), "{}", failure.cause);
        assert!(judge(End { last: says_cancelled(), ..end(Some(Stop::ServerEnds), 130 << 8) }).is_none());
        let cancelled = judge(End { last: says_cancelled(), ..end(Some(Stop::Cancel), 130 << 8) });
        assert!(matches!(cancelled, Some(Ending::Cancelled(_))));
    }
}
