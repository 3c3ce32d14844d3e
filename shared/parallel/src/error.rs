//! Why ranks could not talk.

use std::fmt;

use crate::{Chain, ChainEnd, Operation, Tag};

/// Waits that a text names, and operations that it names of each rank. Others are in the detail.
const TOLD: usize = 3;

/// What a rank waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The rank that waits.
    pub rank: usize,
    /// The rank that should send.
    pub from: usize,
    /// The message's tag.
    pub tag: Tag,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} waits for rank {} ({})", self.rank, self.from, self.tag)
    }
}

/// Communication that failed. Every text names the rank. Ranks are named by their numbers in the transport, whatever group they spoke in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommError {
    /// Every rank waits for another: nothing will come.
    #[error("no rank can go on: {}", .0.iter().map(Waiting::to_string).collect::<Vec<_>>().join(", "))]
    Deadlock(Vec<Waiting>),
    /// A message did not come in time.
    #[error("{}", given_up(waiting, *seconds, last, chain))]
    Timeout {
        /// What it waited for.
        waiting: Waiting,
        /// The time that it is given.
        seconds: u64,
        /// What it did before, the newest last.
        last: Vec<Operation>,
        /// Who holds it up.
        chain: Box<Chain>,
    },
    /// Another rank ended, or was found to hang, while this one needed it.
    #[error("rank {rank} needs rank {peer}, which has {}", fate(cause.as_deref()))]
    PeerEnded {
        /// The rank that needs it.
        rank: usize,
        /// The rank that ended or hangs.
        peer: usize,
        /// Why it failed, where that is known.
        cause: Option<String>,
    },
    /// A message with another length than the receiver expects.
    #[error("rank {rank} got {got} bytes from rank {from} ({tag}) where {expected} belong")]
    Length {
        /// The rank that received it.
        rank: usize,
        /// The rank that sent it.
        from: usize,
        /// The message's tag.
        tag: Tag,
        /// Bytes received.
        got: usize,
        /// Bytes expected.
        expected: usize,
    },
    /// The way to another rank does not work.
    #[error("rank {rank} cannot reach rank {peer}: {cause}")]
    Broken {
        /// The rank that tried.
        rank: usize,
        /// The other one.
        peer: usize,
        /// Why.
        cause: String,
    },
    /// A member that does not exist, or that a rank is itself.
    #[error("rank {rank} addressed place {place} in a group of {ranks}: nobody else is there")]
    NoSuchRank {
        /// The rank that addressed it.
        rank: usize,
        /// The place in the group, from 0.
        place: usize,
        /// Members of the group.
        ranks: usize,
    },
    /// A group with the same rank twice.
    #[error("rank {rank} made a group that holds rank {peer} twice")]
    Repeated {
        /// The rank that made it.
        rank: usize,
        /// The rank that is in it twice.
        peer: usize,
    },
    /// A group made by a rank that is not in it.
    #[error("rank {rank} made a group without itself, of ranks {members:?}")]
    NoMember {
        /// The rank that made it.
        rank: usize,
        /// The ranks in it.
        members: Vec<usize>,
    },
}

impl CommError {
    /// What an engineer wants to know beside the text, in lines: of a message that did not come in time all waits, and all that is
    /// remembered of what ranks did. Empty for other errors.
    pub fn detail(&self) -> String {
        let Self::Timeout { waiting, last, chain, .. } = self else { return String::new() };
        let mut lines = Vec::new();
        if !chain.waits.is_empty() {
            lines.push(format!("Waits behind that of rank {}:", waiting.rank));
            lines.extend(chain.waits.iter().map(|wait| format!("  {wait}")));
        }
        for (rank, did) in histories(waiting, last, chain).into_iter().filter(|(_, did)| !did.is_empty()) {
            lines.push(format!("Operations of rank {rank}, the newest last:"));
            lines.extend(did.iter().map(|operation| format!("  {operation}")));
        }
        lines.join("\n")
    }
}

/// The rank that holds up the others and what to do about it first, then how that was found: the one whose time is over, and the waits
/// between them.
fn given_up(waiting: &Waiting, seconds: u64, last: &[Operation], chain: &Chain) -> String {
    let mut parts = vec![format!("{waiting} for more than {seconds} s, and gives up")];
    parts.extend(chain.waits.iter().take(TOLD).map(ToString::to_string));
    if let Some(more) = chain.waits.len().checked_sub(TOLD + 1) {
        parts.push(format!("{} more in the detail", more + 1));
    }
    for (rank, did) in histories(waiting, last, chain) {
        parts.push(format!("last operations of rank {rank}: {}", newest(did)));
    }
    format!("{}. {}. Found so: {}", chain.end, chain.remedy(seconds), parts.join("; "))
}

/// What the rank that holds up the others did, where that is seen, and the one whose time is over.
fn histories<'a>(waiting: &Waiting, last: &'a [Operation], chain: &'a Chain) -> Vec<(usize, &'a [Operation])> {
    let mut all = Vec::new();
    if let ChainEnd::Rank { rank, last: Some(did), .. } = &chain.end {
        all.push((*rank, did.as_slice()));
    }
    all.push((waiting.rank, last));
    all
}

/// How a rank that another one needs has gone.
fn fate(cause: Option<&str>) -> String {
    cause.map_or_else(|| "ended".to_owned(), |cause| format!("failed: {cause}"))
}

fn newest(did: &[Operation]) -> String {
    if did.is_empty() {
        return "none".to_owned();
    }
    let newest = &did[did.len().saturating_sub(TOLD)..];
    newest.iter().map(Operation::to_string).collect::<Vec<_>>().join(", ")
}
