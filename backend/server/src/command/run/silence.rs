//! How long a worker has said nothing, and whether that is a long step that was foretold or a reason to wonder.

use std::time::Duration;

use recspeed_types::EventKind;

use super::super::figures;

/// After this long without an event it is spoken of.
const LONG: Duration = Duration::from_mins(1);
/// A step that was foretold may take so many times as long before anybody wonders.
const LATE: f64 = 2.0;

/// What was heard last, by the time since the run began.
#[derive(Debug, Default)]
pub(super) struct Silence {
    last_word: Duration,
    /// Seconds that a step of this stage was foretold to take, and when.
    foretold: Option<(f64, Duration)>,
    told: Option<Told>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Foretold,
    Strange,
}

impl Silence {
    /// Takes an event in.
    pub(super) fn hear(&mut self, kind: &EventKind, now: Duration) {
        (self.last_word, self.told) = (now, None);
        match kind {
            // Whoever tells of a step tells that before it, and of nothing else until it is over.
            EventKind::Phase { .. } | EventKind::Progress { .. } => self.foretold = None,
            EventKind::Log { seconds: Some(seconds), .. } => self.foretold = Some((*seconds, now)),
            _ => {}
        }
    }

    /// How long nothing was heard.
    pub(super) const fn lasts(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_word)
    }

    /// Seconds of a step that was foretold and may still be on.
    pub(super) fn foretold(&self, now: Duration) -> Option<f64> {
        let (seconds, since) = self.foretold?;
        (now.saturating_sub(since).as_secs_f64() < LATE * seconds).then_some(seconds)
    }

    /// What to say of a long one: once that it was foretold, and once that it is strange.
    pub(super) fn told(&mut self, now: Duration) -> Option<String> {
        let lasts = self.lasts(now);
        if lasts < LONG {
            return None;
        }
        let foretold = self.foretold(now);
        let telling = if foretold.is_some() { Told::Foretold } else { Told::Strange };
        if self.told.is_some_and(|told| told == telling || told == Told::Strange) {
            return None;
        }
        self.told = Some(telling);
        let quiet = figures::whole_seconds(lasts.as_secs_f64());
        Some(match (foretold, self.foretold) {
            (Some(seconds), Some((_, since))) => {
                let about = figures::whole_seconds(seconds);
                let over = figures::whole_seconds(now.saturating_sub(since).as_secs_f64());
                format!("about {about} were foretold for this step, and {over} of them are over; Ctrl-C ends the run")
            }
            (_, late) => {
                let late = late.map_or_else(String::new, |(seconds, _)| {
                    format!(", where about {} were foretold", figures::whole_seconds(seconds))
                });
                format!("the worker has said nothing for {quiet}{late}: a long step, or it hangs; Ctrl-C ends the run")
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::event::Phase;

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_long_silence_is_told_once_and_anew_after_a_word() {
        let mut silence = Silence::default();
        silence.hear(&EventKind::Phase { phase: Phase::Fit }, at(1));
        assert_eq!(silence.told(at(60)), None);
        assert!(silence.told(at(61)).unwrap().contains("a long step, or it hangs"));
        assert_eq!(silence.told(at(300)), None);
        silence.hear(&EventKind::Progress { done: 1, total: 2, unit: "batches".to_owned() }, at(301));
        assert_eq!(silence.told(at(330)), None);
        assert!(silence.told(at(361)).is_some());
    }

    #[test]
    fn a_step_that_was_foretold_is_told_as_that_until_it_takes_twice_as_long() {
        let mut silence = Silence::default();
        silence.hear(&EventKind::Phase { phase: Phase::Fit }, at(0));
        silence.hear(&EventKind::Log { message: "an inverse".to_owned(), seconds: Some(80.0) }, at(0));
        let told = silence.told(at(60)).unwrap();
        assert!(told.starts_with("about 80 s were foretold for this step, and 60 s of them are over"), "{told}");
        assert!(!told.contains("hangs"), "{told}");
        assert_eq!(silence.told(at(159)), None);
        let late = silence.told(at(160)).unwrap();
        assert!(late.contains("or it hangs") && late.contains(" were foretold"), "{late}");
        assert_eq!(silence.told(at(1000)), None);
        silence.hear(&EventKind::Phase { phase: Phase::Evaluate }, at(1001));
        assert_eq!(silence.foretold(at(1001)), None, "another stage is another step");
    }

    #[test]
    fn what_was_foretold_counts_from_then_until_the_next_progress() {
        let mut silence = Silence::default();
        silence.hear(&EventKind::Log { message: "an inverse".to_owned(), seconds: Some(80.0) }, at(0));
        silence.hear(&EventKind::Log { message: "a word".to_owned(), seconds: None }, at(10));
        let told = silence.told(at(70)).unwrap();
        assert!(told.contains(" foretold for this step, and 70 s of them are over"), "{told}");
        silence.hear(&EventKind::Progress { done: 2, total: 3, unit: "stages".to_owned() }, at(71));
        assert_eq!(silence.foretold(at(71)), None);
        assert!(silence.told(at(131)).unwrap().starts_with("the worker has said nothing for 60 s: "));
    }
}
