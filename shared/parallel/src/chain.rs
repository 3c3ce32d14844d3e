//! Who holds up a rank that waits in vain. The one that it waits for may itself wait for a third: in a pipeline the rank that hangs is
//! often far from the one whose time is over first.

use std::fmt;

use crate::record::one_by_one;
use crate::{Operation, Waiting};

/// A rank's wait for a message, as others see it: in the memory that they share, or in a note of another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenWait {
    /// The rank that waits.
    pub rank: usize,
    /// The rank that should send.
    pub from: usize,
    /// The message's tag, in words.
    pub tag: String,
    /// Microseconds that it has waited.
    pub us: u64,
}

impl SeenWait {
    /// A wait that has lasted so many microseconds.
    pub fn new(waiting: Waiting, us: u64) -> Self {
        Self { rank: waiting.rank, from: waiting.from, tag: waiting.tag.to_string(), us }
    }

    fn seconds(&self) -> f64 {
        self.us as f64 / 1e6
    }
}

impl fmt::Display for SeenWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rank, from, tag, .. } = self;
        write!(f, "rank {rank} waits for rank {from} ({tag}) for {:.1} s", self.seconds())
    }
}

/// What others see of a rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// It waits for a message that is not there.
    Waits(SeenWait),
    /// It waits for none.
    Busy,
    /// Its process is stopped, as by SIGSTOP.
    Stopped,
    /// It has ended.
    Ended,
}

/// What a rank that has waited in vain waits for in the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The waits of the others, one behind the other; the first is that of the rank whose message did not come. None where that one
    /// is the end.
    pub waits: Vec<SeenWait>,
    /// Where they end.
    pub end: ChainEnd,
}

/// Where waits end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainEnd {
    /// One rank holds up the others.
    Rank {
        /// That rank.
        rank: usize,
        /// What is seen of it.
        why: Why,
        /// What it did before, the newest last; `None` where nobody else sees that.
        last: Option<Vec<Operation>>,
    },
    /// Each of these waits for the next one, and the last for the first: nothing will come.
    Cycle(Vec<usize>),
}

/// Why a rank is said to hold up the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It waits for no message.
    Busy,
    /// It waits for one, but for less than half as long as others wait in vain: it was at something else for most of that time.
    Late(SeenWait),
    /// Its process is stopped.
    Stopped,
    /// It has ended.
    Ended,
}

impl Chain {
    /// Goes from a wait to that of the rank that is waited for, and on, to a rank that waits for nobody or that was met before. `seen`
    /// says what a rank does; it is not asked about the one whose wait is the first.
    pub fn follow(first: &SeenWait, seen: impl Fn(usize) -> Seen) -> Self {
        let (mut waits, mut path, mut at) = (Vec::<SeenWait>::new(), vec![first.rank], first.from);
        let (rank, why) = loop {
            if let Some(place) = path.iter().position(|&rank| rank == at) {
                return Self { waits, end: ChainEnd::Cycle(path.split_off(place)) };
            }
            path.push(at);
            match seen(at) {
                Seen::Waits(wait) => {
                    at = wait.from;
                    waits.push(wait);
                }
                Seen::Busy => break (at, Why::Busy),
                Seen::Stopped => break (at, Why::Stopped),
                Seen::Ended => break (at, Why::Ended),
            }
        };
        // A rank that began to wait only now is no victim of whoever it waits for.
        let late = waits.iter().position(|wait| wait.us.saturating_mul(2) < first.us);
        if why == Why::Busy
            && let Some(place) = late
        {
            let late = waits[place].clone();
            waits.truncate(place);
            return Self { waits, end: ChainEnd::Rank { rank: late.rank, why: Why::Late(late), last: None } };
        }
        Self { waits, end: ChainEnd::Rank { rank, why, last: None } }
    }

    /// The rank that holds up the others; one of them where they wait for each other.
    pub fn rank(&self) -> usize {
        match &self.end {
            ChainEnd::Rank { rank, .. } => *rank,
            ChainEnd::Cycle(ranks) => ranks.first().copied().unwrap_or_default(),
        }
    }

    /// With what the rank at the end did before, for transports that see it.
    #[must_use]
    pub fn with_last(mut self, did: impl FnOnce(usize) -> Vec<Operation>) -> Self {
        if let ChainEnd::Rank { rank, last, .. } = &mut self.end {
            *last = Some(did(*rank));
        }
        self
    }

    /// The end is a rank that is seen to be stopped, wherever it is, unless that of the chain can do nothing either: a wait that is
    /// too short to be seen may lie between.
    #[must_use]
    pub fn or_stopped(mut self, stopped: Option<usize>) -> Self {
        let is_certain = matches!(self.end, ChainEnd::Rank { why: Why::Stopped | Why::Ended, .. });
        if !is_certain && let Some(rank) = stopped {
            self.end = ChainEnd::Rank { rank, why: Why::Stopped, last: None };
        }
        self
    }

    /// What to do about it, where so many seconds were waited.
    pub(crate) fn remedy(&self, seconds: u64) -> String {
        match &self.end {
            ChainEnd::Cycle(_) => "No `strategy.timeout` is long enough for that".to_owned(),
            ChainEnd::Rank { why: Why::Ended, .. } => "What it said is in the run's log".to_owned(),
            ChainEnd::Rank { why: Why::Stopped, .. } => {
                format!("A rank that is stopped for longer than {seconds} s needs a longer `strategy.timeout`")
            }
            ChainEnd::Rank { why: Why::Busy | Why::Late(_), .. } => {
                format!("A rank that takes longer than {seconds} s needs a longer `strategy.timeout`")
            }
        }
    }
}

impl fmt::Display for ChainEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cycle(ranks) => write!(f, "{} wait for each other, and none can go on", one_by_one(ranks)),
            Self::Rank { rank, why, .. } => write!(f, "rank {rank} {why}"),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("hangs: it waits for no message"),
            Self::Late(wait) => {
                let SeenWait { from, tag, .. } = wait;
                write!(f, "is late: it waits for rank {from} ({tag}) for {:.1} s only", wait.seconds())
            }
            Self::Stopped => f.write_str("hangs: its process is stopped"),
            Self::Ended => f.write_str("has ended"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CommError, OperationKind, RankFailure, Tag};

    const TAG: Tag = Tag { about: "gradient", group: 0, number: 3 };

    fn wait(rank: usize, from: usize, seconds: u64) -> SeenWait {
        SeenWait::new(Waiting { rank, from, tag: TAG }, seconds * 1_000_000)
    }

    /// Ranks of which these wait, and the others for nobody.
    fn among(waits: Vec<SeenWait>) -> impl Fn(usize) -> Seen {
        move |rank| waits.iter().find(|wait| wait.rank == rank).cloned().map_or(Seen::Busy, Seen::Waits)
    }

    /// The failure of a run whose first rank has waited for the second one for 20 s.
    fn failure(chain: Chain) -> RankFailure {
        let waiting = Waiting { rank: 0, from: 1, tag: TAG };
        CommError::Timeout { waiting, seconds: 20, last: Vec::new(), chain: Box::new(chain) }.into()
    }

    #[test]
    fn the_rank_at_the_end_of_the_waits_is_named_first_and_who_gave_up_second() {
        let all = among(vec![wait(1, 2, 19), wait(3, 2, 18)]);
        let chain = Chain::follow(&wait(0, 1, 20), all);
        let told = failure(chain.clone());
        assert_eq!((told.rank, told.follows), (2, false));
        let text = "rank 2 hangs: it waits for no message. A rank that takes longer than 20 s needs a longer `strategy.timeout`. Found so: \
                    rank 0 waits for rank 1 (gradient 3) for more than 20 s, and gives up; rank 1 waits for rank 2 (gradient 3) for 19.0 \
                    s; last operations of rank 0: none";
        assert_eq!(told.cause, text);

        let did = |rank: usize| {
            vec![Operation { kind: OperationKind::Send, peer: rank + 1, tag: TAG, bytes: 8, members: None }]
        };
        let told = failure(chain.with_last(did));
        let ends = "; last operations of rank 2: sent to rank 3 (gradient 3, 8 bytes); last operations of rank 0: none";
        assert!(told.cause.ends_with(ends), "{told}");

        // Nobody between them.
        let direct = Chain::follow(&wait(0, 1, 20), among(Vec::new()));
        assert_eq!((direct.rank(), direct.waits.len()), (1, 0));
    }

    #[test]
    fn cause_and_remedy_come_first_then_three_operations_of_each_rank_and_all_others_are_in_the_detail() {
        let operation = |number: u64| Operation {
            kind: OperationKind::Send,
            peer: 1,
            tag: Tag { number, ..TAG },
            bytes: 8,
            members: None,
        };
        let operations: Vec<Operation> = (0..32).map(operation).collect();
        // A pipeline of 64 stages, of which the last one hangs.
        let waits = (1..63).map(|rank| wait(rank, rank + 1, 19)).collect();
        let chain = Chain::follow(&wait(0, 1, 20), among(waits)).with_last(|_| operations.clone());
        let waiting = Waiting { rank: 0, from: 1, tag: TAG };
        let error = CommError::Timeout { waiting, seconds: 20, last: operations.clone(), chain: Box::new(chain) };
        let told = RankFailure::from(error);
        let begins = "rank 63 hangs: it waits for no message. A rank that takes longer than 20 s needs a longer `strategy.timeout`. ";
        assert!(told.cause.starts_with(begins), "{told}");
        // What the lab keeps of a cause.
        assert!(told.cause.len() < 1000, "{} bytes: {told}", told.cause.len());
        let newest = "sent to rank 1 (gradient 29, 8 bytes), sent to rank 1 (gradient 30, 8 bytes), sent to rank 1 (gradient 31, 8 bytes)";
        for rank in [63, 0] {
            assert!(told.cause.contains(&format!("; last operations of rank {rank}: {newest}")), "{told}");
            let title =
                format!("Operations of rank {rank}, the newest last:\n  sent to rank 1 (gradient 0, 8 bytes)\n");
            assert!(told.detail.contains(&title), "{}", told.detail);
        }
        assert!(
            told.cause.contains("rank 3 waits for rank 4 (gradient 3) for 19.0 s; 59 more in the detail; last"),
            "{told}"
        );
        assert!(!told.cause.contains("rank 4 waits") && !told.cause.contains("(gradient 28, "), "{told}");
        assert!(told.detail.contains("\n  rank 62 waits for rank 63 (gradient 3) for 19.0 s\n"), "{}", told.detail);
        assert_eq!(told.detail.lines().count(), 1 + 62 + 2 * (1 + 32));

        // Other errors say all in their text.
        let ended = CommError::PeerEnded { rank: 0, peer: 1, cause: Some(told.cause) };
        assert_eq!(ended.detail(), "");
    }

    #[test]
    fn ranks_that_wait_for_each_other_are_all_named_whether_or_not_who_gave_up_is_one_of_them() {
        for (waits, ranks, text) in [
            (
                vec![wait(1, 0, 1)],
                vec![0, 1],
                "ranks 0 and 1 wait for each other, and none can go on. No `strategy.timeout` is",
            ),
            (
                vec![wait(1, 2, 19), wait(2, 3, 18), wait(3, 1, 1)],
                vec![1, 2, 3],
                "ranks 1, 2 and 3 wait for each other, and none can go on. No `strategy.timeout` is",
            ),
        ] {
            // However short one of the waits is: it closes the circle.
            let chain = Chain::follow(&wait(0, 1, 20), among(waits.clone()));
            assert_eq!(chain.end, ChainEnd::Cycle(ranks.clone()));
            assert_eq!(chain.waits, waits);
            let told = failure(chain);
            assert_eq!(told.rank, ranks[0]);
            assert!(told.cause.starts_with(text), "{told}");
            assert!(told.cause.contains(" is long enough for that. Found so: rank 0 waits for rank 1"), "{told}");
        }
    }

    #[test]
    fn a_rank_that_began_to_wait_only_now_was_slow_itself() {
        for (seconds, named) in [(9, 1), (10, 2)] {
            let chain = Chain::follow(&wait(0, 1, 20), among(vec![wait(1, 2, seconds)]));
            assert_eq!(chain.rank(), named, "rank 1 has waited for {seconds} s of 20");
        }
        let told = failure(Chain::follow(&wait(0, 1, 20), among(vec![wait(1, 2, 3), wait(2, 3, 2)])));
        let begins = "rank 1 is late: it waits for rank 2 (gradient 3) for 3.0 s only. A rank that takes longer than 20 s needs a longer \
                      `strategy.timeout`. Found so: rank 0 waits for rank 1 (gradient 3) for more than 20 s, and gives up; last \
                      operations of rank 0";
        assert!(told.rank == 1 && told.cause.starts_with(begins), "{told}");
    }

    #[test]
    fn a_rank_that_is_stopped_or_has_ended_is_named_before_one_that_only_seems_slow() {
        let first = wait(0, 1, 20);
        for (seen, why) in [(Seen::Stopped, Why::Stopped), (Seen::Ended, Why::Ended)] {
            let chain = Chain::follow(&first, |rank| if rank == 1 { Seen::Waits(wait(1, 2, 3)) } else { seen.clone() });
            assert_eq!(chain.end, ChainEnd::Rank { rank: 2, why, last: None }, "however short the wait for it is");
            assert_eq!(chain.clone().or_stopped(Some(3)), chain, "it can do nothing itself");
        }
        let slow = Chain::follow(&first, among(vec![wait(1, 2, 3)]));
        assert_eq!(slow.clone().or_stopped(None), slow);
        let told = failure(slow.or_stopped(Some(3)));
        assert!(
            told.rank == 3
                && told.cause.starts_with("rank 3 hangs: its process is stopped. A rank that is stopped for longer"),
            "{told}"
        );
    }
}
