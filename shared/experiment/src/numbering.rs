//! Puts events in order: run, gap-free sequence number, time.

use recspeed_types::{EventKind, RunEvent, RunId};

/// Numbers the events of one run. A run that is resumed goes on where its earlier events ended.
#[derive(Debug, Clone)]
pub struct Numbering {
    run: RunId,
    next_seq: u64,
    latest_us: u64,
}

impl Numbering {
    /// The first event gets `first_seq` and no time before `start_us`.
    pub const fn new(run: RunId, first_seq: u64, start_us: u64) -> Self {
        Self { run, next_seq: first_seq, latest_us: start_us }
    }

    /// The event with its place in the stream. Times never run backwards, whatever the clock does.
    pub fn number(&mut self, kind: EventKind, now_us: u64) -> RunEvent {
        self.latest_us = self.latest_us.max(now_us);
        let event = RunEvent { run: self.run.clone(), seq: self.next_seq, at_us: self.latest_us, kind };
        self.next_seq += 1;
        event
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_numbered_without_gaps_and_time_never_runs_backwards() {
        let mut numbering = Numbering::new(RunId::new("r").unwrap(), 7, 100);
        let events: Vec<_> = [50, 300, 200]
            .map(|now| numbering.number(EventKind::Log { message: String::new(), seconds: None }, now))
            .into();
        assert_eq!(events.iter().map(|e| e.seq).collect::<Vec<_>>(), [7, 8, 9]);
        assert_eq!(events.iter().map(|e| e.at_us).collect::<Vec<_>>(), [100, 300, 300]);
    }
}
