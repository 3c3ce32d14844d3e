//! How long the ranking of the evaluated users will take, told once, where that is minutes.

use recspeed_types::forecast::duration;
use recspeed_types::{EventKind, FitObserver};

use crate::Host;

/// The first lists are ranked while memory and threads warm up: nothing is foretold before so many microseconds.
const FIRST_US: u64 = 1_000_000;
/// Seconds that are worth a word.
const LONG_S: f64 = 300.0;
/// Seconds that a ranking of the users that are proposed would take.
const SHORT_S: f64 = 60.0;

/// Passes on everything, and says once by the pace of the first users how long the others will take, with the setting that lessens them.
pub(crate) struct Pace<'a> {
    host: &'a mut dyn Host,
    begun: u64,
    is_told: bool,
}

impl<'a> Pace<'a> {
    /// From now on.
    pub(crate) fn new(host: &'a mut dyn Host) -> Self {
        let begun = host.now_us();
        Self { host, begun, is_told: false }
    }
}

impl FitObserver for Pace<'_> {
    fn event(&mut self, event: EventKind) {
        let progress = match &event {
            EventKind::Progress { done, total, .. } if !self.is_told => Some((*done, *total)),
            _ => None,
        };
        self.host.event(event);
        let Some((done, total)) = progress else { return };
        let Some((seconds, message)) = foretold(self.host.now_us().saturating_sub(self.begun), done, total) else {
            return;
        };
        self.is_told = true;
        self.host.event(EventKind::Log { message, seconds: Some(seconds) });
    }
    fn stop_requested(&mut self) -> bool {
        self.host.stop_requested()
    }
    fn memory_left(&self) -> Option<u64> {
        self.host.memory_left()
    }
    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.host.checkpoint(step, state);
    }
    fn keeps_checkpoints(&self) -> bool {
        self.host.keeps_checkpoints()
    }
    fn wants_checkpoint(&mut self) -> bool {
        self.host.wants_checkpoint()
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.host.take_resume_state()
    }
}

/// Seconds that are left after `done` of `total` users took `taken_us`, and what to say of them; `None` where they are few, or the pace is
/// not known yet.
fn foretold(taken_us: u64, done: u64, total: u64) -> Option<(f64, String)> {
    if taken_us < FIRST_US || done == 0 {
        return None;
    }
    let each = taken_us as f64 / 1e6 / done as f64;
    let left = each * total.saturating_sub(done) as f64;
    if left < LONG_S {
        return None;
    }
    let few = one_digit((SHORT_S / each) as u64);
    let remedy = format!(
        "evaluation.max_users = {few} draws so many of them, which takes about {}",
        duration(each * few as f64)
    );
    Some((
        left,
        format!(
            "at the pace of the first {done} of {total} users their lists take about {} more; {remedy}",
            duration(left)
        ),
    ))
}

/// The largest number of one digit and zeros that is not above, but at least 1.
fn one_digit(number: u64) -> u64 {
    let number = number.max(1);
    let zeros = 10_u64.pow(number.ilog10());
    number / zeros * zeros
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ranking_of_minutes_is_foretold_with_the_setting_that_makes_it_short() {
        // 1,560 of 345,510 users in ten seconds, as user-knn on the synthetic Beauty.
        let (seconds, message) = foretold(10_000_000, 1_560, 345_510).unwrap();
        assert!((seconds - 2204.8).abs() < 0.1, "{seconds}");
        assert_eq!(
            message,
            "at the pace of the first 1560 of 345510 users their lists take about 37 minutes more; evaluation.max_users = 9000 draws so \
             many of them, which takes about 58 seconds"
        );
        // Lists of which one takes longer than a minute.
        let (_, message) = foretold(90_000_000, 1, 1_000).unwrap();
        assert!(message.contains("evaluation.max_users = 1 draws"), "{message}");
    }

    #[test]
    fn nothing_is_foretold_before_a_second_or_of_what_is_over_soon() {
        assert_eq!(foretold(999_999, 1, 345_510), None);
        assert_eq!(foretold(10_000_000, 0, 345_510), None, "no user tells a pace");
        assert_eq!(foretold(10_000_000, 1_560, 40_000), None, "four minutes");
        assert_eq!(foretold(400_000_000, 1_000, 1_000), None, "all are done");
    }

    #[test]
    fn what_is_proposed_is_a_round_number() {
        assert_eq!([0, 1, 9, 10, 99, 9_360].map(one_digit), [1, 1, 9, 10, 90, 9_000]);
    }
}
