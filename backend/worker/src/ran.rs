//! How long a wait lasts by the time that this process runs. One that is stopped, or whose machine is paused, finds on going on that its
//! deadlines are over, and nobody who waits in it has waited in vain: what a process sleeps through counts in no wait.

use std::time::{Duration, Instant};

/// How often whoever waits looks at the clock, at least.
pub(crate) const LOOK: Duration = Duration::from_millis(250);
/// A look that comes so much later than it should did not come because nothing of this process ran. A busy machine keeps nobody who
/// sleeps from a core for so long.
const LATE: Duration = Duration::from_secs(1);

/// A wait that goes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    looked: Instant,
    before: Duration,
}

impl Ran {
    /// A wait that begins now.
    pub(crate) fn begin() -> Self {
        Self::since(Instant::now())
    }

    /// One that has just begun.
    pub(crate) const fn since(begun: Instant) -> Self {
        Self { looked: begun, before: Duration::ZERO }
    }

    /// How long it has lasted. Whoever waits asks at least once in [`LOOK`].
    pub(crate) fn look(&mut self) -> Duration {
        self.look_at(Instant::now())
    }

    /// The same, of a wait of somebody else.
    pub(crate) fn so_far(&self) -> Duration {
        self.by(Instant::now())
    }

    fn look_at(&mut self, now: Instant) -> Duration {
        (self.before, self.looked) = (self.by(now), now);
        self.before
    }

    fn by(&self, now: Instant) -> Duration {
        let since = now.saturating_duration_since(self.looked);
        if since > LOOK + LATE { self.before } else { self.before + since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_does_not_run_through_counts_in_no_wait_and_all_else_does() {
        let begun = Instant::now();
        let mut ran = Ran::since(begun);
        let mut now = begun;
        let mut after = |pause: Duration| {
            now += pause;
            (ran.by(now), ran.look_at(now))
        };
        let seconds = Duration::from_secs_f64;
        // A busy machine lets it look late, and a stop is what is later by more than a second.
        for (pause, lasts) in [(0.25, 0.25), (1.25, 1.5), (1.26, 1.5), (9.0, 1.5), (3600.0, 1.5), (0.25, 1.75)] {
            let found = after(seconds(pause));
            assert_eq!(found, (seconds(lasts), seconds(lasts)), "others see the same after {pause} s");
        }
    }
}
