//! What a rank counts while it works.

use recspeed_plan::Instruction;
use recspeed_plan::sharding::Traffic;

use super::ledger::Ledger;
use crate::Counters;

/// One instruction that has been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The instruction.
    pub instruction: Instruction,
    /// When it began, by the transport's clock, with nothing left to do on the device.
    pub start_us: u64,
    /// When it ended, with all that it gave to the device.
    pub end_us: u64,
    /// Microseconds of it, at its beginning, in which a forward pass was computed again.
    pub again_us: u64,
    /// Bytes that it sent to other ranks.
    pub sent_bytes: u64,
}

/// What a rank has sent to others in some steps, and how long it waited for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sent {
    /// How many steps.
    pub steps: u64,
    /// Bytes of all messages: of passes, of gradients and parameters, of tables, and the few by which ranks agree on a step.
    pub bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Microseconds in which it waited for messages of others; 0 where nobody measures.
    pub waited_us: u64,
}

impl Sent {
    fn add_step(&mut self, before: Counters, after: Counters) {
        self.steps += 1;
        self.bytes += after.sent_bytes - before.sent_bytes;
        self.messages += after.sent - before.sent;
        self.waited_us += after.waited_us - before.waited_us;
    }
}

/// Ledger, traffic and timeline of a rank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Meter {
    pub(super) ledger: Ledger,
    pub(super) traffic: Traffic,
    /// Microseconds of the current instruction in which a forward pass was computed again.
    pub(super) again_us: u64,
    /// `None` while nobody wants to know.
    pub(super) timeline: Option<Vec<Done>>,
    /// In all steps, and in those of which there was a timeline.
    pub(super) sent: [Sent; 2],
}

impl Meter {
    /// A step is over, before and after which a rank's counters stood so.
    pub(super) fn end_step(&mut self, before: Counters, after: Counters) {
        let of = if self.timeline.is_some() { 2 } else { 1 };
        self.sent[..of].iter_mut().for_each(|sent| sent.add_step(before, after));
    }
}
