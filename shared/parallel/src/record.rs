//! What a rank has sent, and what it did last.

use std::collections::VecDeque;
use std::fmt;

use crate::Tag;

/// Operations that are remembered: enough for the last batch of a pipeline, which is what a hang is about.
const REMEMBERED: usize = 32;

/// What an operation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// A message to another rank.
    Send,
    /// A message from another rank.
    Recv,
}

/// A message that has been sent or received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// Sent or received.
    pub kind: OperationKind,
    /// The other rank.
    pub peer: usize,
    /// The message's tag.
    pub tag: Tag,
    /// Its bytes.
    pub bytes: u64,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            OperationKind::Send => "sent to",
            OperationKind::Recv => "received from",
        };
        write!(f, "{word} rank {} ({}, {} bytes)", self.peer, self.tag, self.bytes)
    }
}

/// Totals of one rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Bytes sent to other ranks.
    pub sent_bytes: u64,
    /// Bytes received from other ranks.
    pub received_bytes: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Microseconds in which it waited for messages.
    pub waited_us: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) counters: Counters,
    last: VecDeque<Operation>,
}

impl Record {
    pub(crate) fn note(&mut self, operation: Operation) {
        match operation.kind {
            OperationKind::Send => {
                self.counters.sent += 1;
                self.counters.sent_bytes += operation.bytes;
            }
            OperationKind::Recv => {
                self.counters.received += 1;
                self.counters.received_bytes += operation.bytes;
            }
        }
        if self.last.len() == REMEMBERED {
            self.last.pop_front();
        }
        self.last.push_back(operation);
    }

    pub(crate) fn last(&self) -> Vec<Operation> {
        self.last.iter().copied().collect()
    }
}
