//! What a rank has sent, and what it did last.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::Tag;

/// Operations that are remembered: enough for the last batch of a pipeline, which is what a hang is about.
const REMEMBERED: usize = 32;

/// Members of a group that are named one by one.
const NAMED: usize = 8;

/// What an operation was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// A message to another rank.
    Send,
    /// A message from another rank.
    Recv,
}

/// A message that has been sent or received. Ranks are named by their numbers in the transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Sent or received.
    pub kind: OperationKind,
    /// The other rank.
    pub peer: usize,
    /// The message's tag, which numbers the group.
    pub tag: Tag,
    /// Its bytes.
    pub bytes: u64,
    /// The ranks of the group that it was exchanged in; `None` in that of all.
    pub members: Option<Arc<[usize]>>,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.kind {
            OperationKind::Send => "sent to",
            OperationKind::Recv => "received from",
        };
        write!(f, "{word} rank {} ({}", self.peer, self.tag)?;
        if let Some(members) = &self.members {
            write!(f, " of {}", ranks(members))?;
        }
        write!(f, ", {} bytes)", self.bytes)
    }
}

/// The members of a group, by their numbers.
fn ranks(members: &[usize]) -> String {
    match members {
        [first, .., last] if members.len() > NAMED => format!("{} ranks from {first} to {last}", members.len()),
        few => one_by_one(few),
    }
}

/// All of some ranks: `ranks 0, 2 and 3`.
pub(crate) fn one_by_one(ranks: &[usize]) -> String {
    match ranks {
        [] => "no rank".to_owned(),
        [one] => format!("rank {one}"),
        [before @ .., last] => {
            let before: Vec<String> = before.iter().map(ToString::to_string).collect();
            format!("ranks {} and {last}", before.join(", "))
        }
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

/// How long a rank waited for one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// The rank that sent it, by its number in the transport.
    pub rank: usize,
    /// Microseconds.
    pub us: u64,
}

/// What a rank did last.
#[derive(Debug, Clone, Default)]
pub struct LastOperations(VecDeque<Operation>);

impl LastOperations {
    /// Remembers an operation; of too many the oldest is forgotten.
    pub fn note(&mut self, operation: Operation) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(operation);
    }

    /// The operations that are remembered, the newest last.
    pub fn to_vec(&self) -> Vec<Operation> {
        self.0.iter().cloned().collect()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) counters: Counters,
    /// The longest wait since somebody asked last; `None` where nobody measures.
    pub(crate) longest: Option<Wait>,
    last: LastOperations,
}

impl Record {
    pub(crate) fn waited(&mut self, wait: Wait) {
        self.counters.waited_us += wait.us;
        if self.longest.map_or(0, |longest| longest.us) < wait.us {
            self.longest = Some(wait);
        }
    }

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
        self.last.note(operation);
    }

    pub(crate) fn last(&self) -> Vec<Operation> {
        self.last.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_waits_count_and_the_longest_is_remembered() {
        let mut record = Record::default();
        for (rank, us) in [(4, 0), (2, 5), (3, 7), (2, 6)] {
            record.waited(Wait { rank, us });
        }
        assert_eq!((record.counters.waited_us, record.longest), (18, Some(Wait { rank: 3, us: 7 })));
        record.longest = None;
        record.waited(Wait { rank: 4, us: 0 });
        assert_eq!(record.longest, None, "nobody waited");
    }

    #[test]
    fn a_message_in_a_group_is_told_with_the_ranks_of_the_group() {
        let tag = Tag::new("activation", 3);
        let of_all = Operation { kind: OperationKind::Send, peer: 3, tag, bytes: 4, members: None };
        assert_eq!(of_all.to_string(), "sent to rank 3 (activation 3, 4 bytes)");
        let within = |members: Vec<usize>| Operation {
            kind: OperationKind::Recv,
            tag: Tag { group: 2, ..tag },
            members: Some(members.into()),
            ..of_all.clone()
        };
        for (members, told) in [
            (vec![1, 3], "ranks 1 and 3"),
            (vec![0, 2, 3], "ranks 0, 2 and 3"),
            ((3..30).step_by(3).collect(), "9 ranks from 3 to 27"),
        ] {
            let expected = format!("received from rank 3 (activation 3 in group 2 of {told}, 4 bytes)");
            assert_eq!(within(members).to_string(), expected);
        }
    }
}
