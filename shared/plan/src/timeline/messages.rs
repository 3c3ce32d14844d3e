//! What ranks of a run sent to each other, and when: the lane beside those of what they computed.

use recspeed_types::{EventKind, RunEvent};

use super::bars::{Bar, bars_of_events, beginning};
use super::exchanges::{Mark, marks_of};
use super::order::by_rank_and_time;

/// Something between ranks that took one of them a while: it sent, waited for what another one sent, or exchanged with its replicas.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// The rank.
    pub rank: usize,
    /// What it did, by the name that the run gave it, as `receive slope 3`.
    pub name: String,
    /// Microseconds from the beginning of the first bar; what was waited before that is left out.
    pub start_us: f64,
    /// The same of its end.
    pub end_us: f64,
    /// Bytes that it sent meanwhile.
    pub bytes: u64,
}

/// All that a run's `span` events tell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// What ranks computed.
    pub bars: Vec<Bar>,
    /// What they sent and waited for, rank by rank in the order of time.
    pub messages: Vec<Message>,
    /// The collectives that they took part in, rank by rank in the order of time: within the bars, and before them.
    pub marks: Vec<Mark>,
    /// By rank and in the order of time, moments and the bytes that the rank had sent by then, whatever it did meanwhile.
    pub sent: Vec<(usize, f64, u64)>,
}

impl Told {
    /// Of these events.
    pub fn of_events(events: &[RunEvent]) -> Self {
        let bars = bars_of_events(events);
        let first = beginning(events).unwrap_or(0);
        let marks = marks_of(events, &bars, first);
        let (mut messages, mut sent) = (Vec::new(), Vec::new());
        for event in events {
            let EventKind::Span { rank, name, start_us, duration_us, bytes, exchange, .. } = &event.kind else {
                continue;
            };
            // What was sent within another span is told of that one.
            if exchange.as_ref().is_some_and(|exchange| exchange.within.is_some()) {
                continue;
            }
            let (rank, end) = (*rank as usize, start_us.saturating_add(*duration_us));
            if end < first {
                continue;
            }
            let (start_us, end_us) = (start_us.saturating_sub(first) as f64, (end - first) as f64);
            if *bytes > 0 {
                sent.push((rank, end_us, *bytes));
            }
            // As `Instruction::message_name` says, and the exchange that has a bar of its own.
            if name.starts_with("send ") || name.starts_with("receive ") || name == "reduce" {
                // Names go into the trace as they are.
                let name = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ').collect();
                messages.push(Message { rank, name, start_us, end_us, bytes: *bytes });
            }
        }
        by_rank_and_time(&mut messages, |message| (message.rank, message.start_us));
        by_rank_and_time(&mut sent, |&(rank, at_us, _)| (rank, at_us));
        let mut before = (0, 0);
        for (rank, _, bytes) in &mut sent {
            let already = if before.0 == *rank { before.1 } else { 0 };
            *bytes = bytes.saturating_add(already);
            before = (*rank, *bytes);
        }
        Self { bars, messages, marks, sent }
    }
}
