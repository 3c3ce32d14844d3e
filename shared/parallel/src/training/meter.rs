//! What a rank counts while it works.

use recspeed_plan::sharding::Traffic;
use recspeed_plan::{Collective, Instruction};

use super::ledger::Ledger;
use crate::{Communicator, Counters, Transport, Wait};

/// One instruction that has been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The instruction.
    pub instruction: Instruction,
    /// When it began, by the transport's clock, with nothing left to do on the device.
    pub start_us: u64,
    /// When it ended, with all that it gave to the device.
    pub end_us: u64,
    /// Its beginning, where that was a forward pass that was computed again.
    pub again: Option<Again>,
    /// Bytes that it sent to other ranks.
    pub sent_bytes: u64,
    /// Microseconds in which it waited for messages of others.
    pub waited_us: u64,
}

/// The part of an instruction, at its beginning, in which a forward pass was computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// When it ended, and the rest began.
    pub end_us: u64,
    /// Bytes of the instruction that were sent in it.
    pub sent_bytes: u64,
    /// Microseconds of waiting of the instruction that fell into it.
    pub waited_us: u64,
}

/// A collective of several ranks, as one of them saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Which.
    pub collective: Collective,
    /// The instruction that it is part of; `None` of look-ups in tables, which come before the first one of a step.
    pub within: Option<Instruction>,
    /// Whether it is part of a forward pass that is computed again, with which the instruction begins.
    pub again: bool,
    /// The layer that it is about, by its place in the whole model, where it is about one.
    pub layer: Option<usize>,
    /// When it began, by the transport's clock: what it sends has left the device, which may still compute something
    /// else.
    pub start_us: u64,
    /// When all that came was there, in the machine's own memory.
    pub end_us: u64,
    /// Bytes that it sent to other ranks.
    pub sent_bytes: u64,
    /// Microseconds in which it waited for messages of others.
    pub waited_us: u64,
    /// The message of these that it waited for longest, where it waited.
    pub longest: Option<Wait>,
}

/// What a rank did in steps that were noted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Timeline {
    /// Its instructions, one after the other.
    pub done: Vec<Done>,
    /// The collectives within them, one after the other; none of a rank that has nobody to exchange anything with.
    pub exchanges: Vec<Exchange>,
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

/// A moment by the transport's clock, and what a rank had sent and waited by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) us: u64,
    pub(super) counters: Counters,
}

/// Ledger, traffic and timeline of a rank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Meter {
    pub(super) ledger: Ledger,
    pub(super) traffic: Traffic,
    /// `None` while nobody wants to know.
    pub(super) timeline: Option<Timeline>,
    /// In all steps, and in those of which there was a timeline.
    pub(super) sent: [Sent; 2],
    /// The instruction that is carried out, in a step that is noted.
    within: Option<Instruction>,
    /// Whether it computes a forward pass again.
    again: bool,
    /// When it had done so.
    again_ended: Option<Moment>,
}

impl Meter {
    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        (self.within, self.again, self.again_ended) = (None, false, None);
    }

    /// A step is over, before and after which a rank's counters stood so.
    pub(super) fn end_step(&mut self, before: Counters, after: Counters) {
        let of = if self.timeline.is_some() { 2 } else { 1 };
        self.sent[..of].iter_mut().for_each(|sent| sent.add_step(before, after));
    }

    /// An instruction of a step that is noted begins.
    pub(super) fn begin_instruction(&mut self, instruction: Instruction) {
        self.within = Some(instruction);
    }

    /// It is over; `begun` and `ended` say when.
    pub(super) fn end_instruction(&mut self, instruction: Instruction, begun: Moment, ended: Moment) {
        let since = |moment: Moment| {
            let (now, then) = (moment.counters, begun.counters);
            (now.sent_bytes - then.sent_bytes, now.waited_us - then.waited_us)
        };
        let again = self.again_ended.take().map(|moment| {
            let (sent_bytes, waited_us) = since(moment);
            Again { end_us: moment.us, sent_bytes, waited_us }
        });
        let (sent_bytes, waited_us) = since(ended);
        if let Some(timeline) = &mut self.timeline {
            let (start_us, end_us) = (begun.us, ended.us);
            timeline.done.push(Done { instruction, start_us, end_us, again, sent_bytes, waited_us });
        }
    }

    /// A forward pass is computed again from here on.
    pub(super) fn begin_again(&mut self) {
        self.again = true;
    }

    /// It has been; `ended` says when, in a step that is noted.
    pub(super) fn end_again(&mut self, ended: Option<Moment>) {
        (self.again, self.again_ended) = (false, ended);
    }

    /// A collective begins: what it sends is in the machine's own memory. Looks at no clock in a step that is not
    /// noted.
    pub(super) fn begin_exchange<T: Transport>(&self, among: &Communicator<T>) -> Moment {
        let mut us = 0;
        if self.timeline.is_some() {
            among.take_longest_wait();
            us = among.now_us();
        }
        Moment { us, counters: among.counters() }
    }

    /// It is over. Gives the bytes that it sent.
    pub(super) fn end_exchange<T: Transport>(
        &mut self,
        begun: Moment,
        (collective, layer): (Collective, Option<usize>),
        among: &Communicator<T>,
    ) -> u64 {
        let (now, then) = (among.counters(), begun.counters);
        let sent_bytes = now.sent_bytes - then.sent_bytes;
        // Where no message came or went there is nothing to tell of.
        if let Some(timeline) = &mut self.timeline
            && (now.sent, now.received) != (then.sent, then.received)
        {
            timeline.exchanges.push(Exchange {
                collective,
                within: self.within,
                again: self.again,
                layer,
                start_us: begun.us,
                end_us: among.now_us(),
                sent_bytes,
                waited_us: now.waited_us - then.waited_us,
                longest: among.take_longest_wait(),
            });
        }
        sent_bytes
    }
}
