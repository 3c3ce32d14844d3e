//! What a worker may say: its own run, an unbroken count, one end.

use recspeed_types::protocol::{OutOfOrder, Protocol};
use recspeed_types::{EventKind, RunEvent, RunId};

use crate::store::RunTail;

/// Events of one run; more than the page could ever draw, and a bound on what a run takes on the disk.
const MAX_EVENTS: u64 = 1_000_000;
/// Bytes of all events of one attempt.
const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// A line that breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Breach {
    /// No event at all.
    #[error("line {line} is no event ({why}): `{quoted}`")]
    NoEvent {
        /// From 1.
        line: u64,
        /// The parser's words.
        why: String,
        /// The start of the line.
        quoted: String,
    },
    /// An event out of its order.
    #[error("line {line} {wrong}")]
    OutOfOrder {
        /// From 1.
        line: u64,
        /// How.
        wrong: OutOfOrder,
    },
    /// Too many words.
    #[error("it sent more than {allowed} {what}")]
    TooMuch {
        /// The bound.
        allowed: u64,
        /// Of what.
        what: &'static str,
    },
}

/// Follows one attempt's lines.
#[derive(Debug)]
pub(super) struct Story {
    protocol: Protocol,
    line: u64,
    bytes: u64,
    /// The last event, which is stored only when the process has gone.
    last: Option<EventKind>,
}

impl Story {
    /// The story of `run`, continued from `tail`.
    pub(super) fn new(run: RunId, tail: RunTail) -> Self {
        Self { protocol: Protocol::new(run, tail.next_seq), line: 0, bytes: 0, last: None }
    }

    /// Takes a line: an event to store, or `None` for the last event, which is kept, and for an empty line.
    ///
    /// # Errors
    /// [`Breach`].
    pub(super) fn accept(&mut self, line: &[u8]) -> Result<Option<RunEvent>, Breach> {
        self.line += 1;
        self.bytes += line.len() as u64;
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(None);
        }
        let line_number = self.line;
        let event: RunEvent = serde_json::from_slice(line).map_err(|error| Breach::NoEvent {
            line: line_number,
            why: error.to_string(),
            quoted: String::from_utf8_lossy(line)
                .chars()
                .take(80)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect(),
        })?;
        if self.protocol.next_seq() >= MAX_EVENTS {
            return Err(Breach::TooMuch { allowed: MAX_EVENTS, what: "events" });
        }
        if self.bytes > MAX_BYTES {
            return Err(Breach::TooMuch { allowed: MAX_BYTES, what: "bytes" });
        }
        self.protocol.hear(&event).map_err(|wrong| Breach::OutOfOrder { line: line_number, wrong })?;
        if event.kind.is_last() {
            self.last = Some(event.kind);
            return Ok(None);
        }
        Ok(Some(event))
    }

    /// The last event, if it came.
    pub(super) fn into_last(self) -> Option<EventKind> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story() -> Story {
        Story::new(RunId::new("r1").unwrap(), RunTail { next_seq: 5, at_us: 0 })
    }

    fn log(run: &str, seq: u64) -> Vec<u8> {
        format!(r#"{{"run":"{run}","seq":{seq},"at_us":0,"kind":"log","message":"m"}}"#).into_bytes()
    }

    #[test]
    fn a_story_continues_where_the_last_attempt_ended_and_keeps_its_end() {
        let mut story = story();
        assert_eq!(story.accept(&log("r1", 5)).unwrap().unwrap().seq, 5);
        let gap = story.accept(&log("r1", 7)).unwrap_err();
        assert_eq!(gap.to_string(), "line 2 has seq 7 where 6 was due");
        let end = br#"{"run":"r1","seq":6,"at_us":0,"kind":"failed","code":"data","cause":"c"}"#;
        assert_eq!(story.accept(end), Ok(None));
        let late = story.accept(&log("r1", 7)).unwrap_err();
        assert_eq!(late, Breach::OutOfOrder { line: 4, wrong: OutOfOrder::AfterTheEnd });
        assert!(matches!(story.into_last(), Some(EventKind::Failed { .. })));
    }

    #[test]
    fn rubbish_is_a_breach() {
        assert!(matches!(story().accept(b"Segmentation fault"), Err(Breach::NoEvent { line: 1, .. })));
        assert!(matches!(story().accept(&[0xff, 0xfe, 0x00]), Err(Breach::NoEvent { .. })));
    }

    #[test]
    fn a_finished_event_without_a_real_summary_is_rubbish() {
        let empty = br#"{"run":"r1","seq":5,"at_us":0,"kind":"finished","summary":{"run":"r1"}}"#;
        assert!(matches!(story().accept(empty), Err(Breach::NoEvent { .. })));
    }
}
