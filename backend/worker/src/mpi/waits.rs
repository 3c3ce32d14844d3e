//! Whom each rank waits for, as the others see it: noted in the folder that they share once a wait has lasted a while, so that messages
//! that come as usual cost nothing, and read by one whose own time is over. All ranks are on one machine, where it also sees whether the
//! others are stopped.

use std::time::Duration;

use recspeed_parallel::{Chain, Seen, SeenWait, Waiting};

use super::note::Notes;
use crate::machine;

/// A wait that is longer is noted, or one that is longer than a quarter of its limit: who waits less than half as long as another one
/// is late, and no victim, so that nothing is missed.
const LONG: Duration = Duration::from_secs(1);

/// A wait of this rank.
pub(super) struct OwnWait<'a> {
    notes: &'a Notes,
    waiting: Waiting,
    long: Duration,
    noted: bool,
}

impl<'a> OwnWait<'a> {
    /// One that may last so long.
    pub(super) fn new(notes: &'a Notes, waiting: Waiting, limit: Duration) -> Self {
        Self { notes, waiting, long: LONG.min(limit / 4), noted: false }
    }

    /// It goes on, and has lasted so long.
    pub(super) fn lasts(&mut self, waited: Duration) {
        if !self.noted && waited >= self.long {
            self.noted = true;
            self.notes.wait(&self.seen(waited));
        }
    }

    /// The message has come.
    pub(super) fn is_over(&self) {
        if self.noted {
            self.notes.go_on(self.waiting.rank);
        }
    }

    /// It has lasted too long: who holds it up, of so many ranks. Its note stays, for others whose time is over too.
    pub(super) fn held_up(&self, waited: Duration, ranks: usize) -> Chain {
        let chain = Chain::follow(&self.seen(waited), |rank| seen(self.notes, rank));
        let stopped = |rank: &usize| *rank != self.waiting.rank && seen(self.notes, *rank) == Seen::Stopped;
        chain.or_stopped((0..ranks).find(stopped))
    }

    fn seen(&self, waited: Duration) -> SeenWait {
        SeenWait::new(self.waiting, waited.as_micros() as u64)
    }
}

/// What a rank does.
fn seen(notes: &Notes, rank: usize) -> Seen {
    let pid = notes.pid(rank);
    if notes.has_ended(rank) || pid.is_some_and(machine::has_ended) {
        Seen::Ended
    } else if pid.is_some_and(machine::is_stopped) {
        Seen::Stopped
    } else {
        notes.waits(rank).map_or(Seen::Busy, Seen::Waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_parallel::{ChainEnd, Tag, Why};
    use std::process::{Command, Stdio};
    use std::time::Instant;

    const LIMIT: Duration = Duration::from_secs(20);

    fn waiting(rank: usize, from: usize) -> Waiting {
        Waiting { rank, from, tag: Tag::new("gradient", 3) }
    }

    #[test]
    fn only_a_long_wait_is_noted_and_others_follow_it_while_it_lasts() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path());
        let first = OwnWait::new(&notes, waiting(0, 1), LIMIT);
        let held_up = || first.held_up(LIMIT, 4).rank();
        let mut second = OwnWait::new(&notes, waiting(1, 2), LIMIT);
        second.lasts(Duration::from_millis(999));
        assert_eq!((notes.waits(1), held_up()), (None, 1));
        second.lasts(Duration::from_secs(15));
        let noted = notes.waits(1).expect("it is long");
        assert_eq!((noted.rank, noted.from, noted.tag.as_str()), (1, 2, "gradient 3"));
        assert!(noted.us >= 15_000_000, "{noted}");
        assert_eq!(held_up(), 2);
        // Noted once: what it has waited is known by its beginning.
        second.lasts(Duration::from_mins(5));
        assert!(notes.waits(1).expect("it goes on").us < 200_000_000);
        second.is_over();
        assert_eq!((notes.waits(1), held_up()), (None, 1));

        // Short limits have shorter waits.
        let mut short = OwnWait::new(&notes, waiting(1, 2), Duration::from_secs(2));
        short.lasts(Duration::from_millis(500));
        assert!(notes.waits(1).is_some());
    }

    #[test]
    fn a_rank_that_is_stopped_or_gone_is_seen_wherever_it_is_and_before_what_it_noted() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::new(folder.path());
        OwnWait::new(&notes, waiting(1, 2), LIMIT).lasts(Duration::from_secs(18));
        let first = OwnWait::new(&notes, waiting(0, 1), LIMIT);
        let end = || first.held_up(LIMIT, 4).end;
        let of = |rank, why| ChainEnd::Rank { rank, why, last: None };
        assert_eq!(end(), of(2, Why::Busy));

        let mut process =
            Command::new("sh").args(["-c", "kill -STOP $$; read line"]).stdin(Stdio::piped()).spawn().unwrap();
        let pid = process.id() as i32;
        let begun = Instant::now();
        while !machine::is_stopped(pid) {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
        // Beside the waits, and on their way.
        for rank in [3, 1] {
            notes.sit_down_as(rank, pid as u32);
            assert_eq!(end(), of(rank, Why::Stopped));
        }
        process.kill().unwrap();
        // Until somebody asks how it ended it is there, and dead.
        while !machine::has_ended(pid) {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(end(), of(1, Why::Ended));
        process.wait().unwrap();
        assert_eq!(end(), of(1, Why::Ended));
    }
}
