//! How far a run is, in lines, where standard error is no terminal: one when a stage begins, and another now and then.

use std::fmt::Write as _;
use std::time::Duration;

use recspeed_types::EventKind;
use recspeed_types::event::{MeasuredOn, Phase};

use super::super::figures;
use super::progress::name;

/// A run that is over by then says nothing.
const QUICK: Duration = Duration::from_secs(2);
/// Between two lines of a stage.
const PACE: Duration = Duration::from_secs(10);

/// What was heard, and what was told of it; times are those since the run began.
#[derive(Debug, Default)]
pub(super) struct Lines {
    stage: Option<(Phase, Duration)>,
    is_told: bool,
    last: Duration,
    progress: Option<(u64, u64, String)>,
    loss: Option<f64>,
    is_news: bool,
}

impl Lines {
    /// Takes an event in; a line, where one is due.
    pub(super) fn hear(&mut self, kind: &EventKind, now: Duration) -> Option<String> {
        match kind {
            EventKind::Phase { phase } => {
                *self = Self { stage: Some((*phase, now)), last: self.last, ..Self::default() }
            }
            EventKind::Progress { done, total, unit } => {
                (self.progress, self.is_news) = (Some((*done, *total, unit.clone())), true);
            }
            EventKind::Metric { name, split: MeasuredOn::Train, value, .. } if name == "loss" => {
                (self.loss, self.is_news) = (Some(*value), true);
            }
            // What is foretold to take long is told at once.
            EventKind::Log { message, seconds: Some(_) } => {
                (self.is_told, self.last) = (true, now);
                return Some(message.clone());
            }
            // A run that is over is nowhere.
            EventKind::Finished { .. } | EventKind::Failed { .. } => self.stage = None,
            _ => {}
        }
        self.due(now)
    }

    /// A line, where one is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<String> {
        let (phase, since) = self.stage?;
        if now < QUICK {
            return None;
        }
        if !self.is_told {
            (self.is_told, self.last) = (true, now);
            return Some(format!("{} begins", name(phase)));
        }
        if !self.is_news || now.saturating_sub(self.last) < PACE {
            return None;
        }
        (self.is_news, self.last) = (false, now);
        let mut line = format!("{}:", name(phase));
        // Writing into a String cannot fail.
        if let Some((done, total, unit)) = &self.progress {
            let share = *done as f64 / (*total).max(1) as f64;
            let (done, total) = (figures::count(*done), figures::count(*total));
            let _ = write!(line, " {done} of {total} {unit} ({}),", figures::percent(share));
        }
        if let Some(loss) = self.loss {
            let _ = write!(line, " loss {},", figures::value(loss));
        }
        let _ = write!(line, " {}", figures::whole_seconds(now.saturating_sub(since).as_secs_f64()));
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::FailureCode;

    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn batches(done: u64) -> EventKind {
        EventKind::Progress { done, total: 400, unit: "batches".to_owned() }
    }

    #[test]
    fn a_quick_run_says_nothing_and_another_when_its_stages_begin() {
        let mut lines = Lines::default();
        assert_eq!(lines.hear(&EventKind::Phase { phase: Phase::Load }, at(0)), None);
        assert_eq!(lines.hear(&EventKind::Phase { phase: Phase::Fit }, at(1)), None);
        assert_eq!(lines.due(at(2)).as_deref(), Some("fit begins"));
        assert_eq!(lines.due(at(60)), None, "nothing is new");
        assert_eq!(
            lines.hear(&EventKind::Phase { phase: Phase::Evaluate }, at(61)).as_deref(),
            Some("evaluate begins")
        );
    }

    #[test]
    fn a_run_that_is_over_begins_nothing() {
        let mut lines = Lines::default();
        assert_eq!(lines.hear(&EventKind::Phase { phase: Phase::Fit }, at(1)), None);
        let failed = EventKind::Failed {
            code: FailureCode::Data,
            cause: "no ratings".to_owned(),
            detail: String::new(),
            refusal: None,
        };
        assert_eq!(lines.hear(&failed, at(3)), None);
        assert_eq!(lines.due(at(60)), None);
    }

    #[test]
    fn between_two_lines_of_a_stage_are_ten_seconds_at_least() {
        let mut lines = Lines::default();
        assert_eq!(lines.hear(&EventKind::Phase { phase: Phase::Fit }, at(3)).as_deref(), Some("fit begins"));
        let told: Vec<String> = (4..=63).filter_map(|second| lines.hear(&batches(second), at(second))).collect();
        assert_eq!(told.len(), 6, "{told:?}");
        assert!(told[0].starts_with("fit: 13 of 400 batches (") && !told[0].contains("loss"), "{}", told[0]);
    }

    #[test]
    fn what_is_foretold_to_take_long_is_told_at_once() {
        let mut lines = Lines::default();
        assert_eq!(lines.hear(&EventKind::Phase { phase: Phase::Fit }, at(0)), None);
        let log = |seconds| EventKind::Log { message: "about 80 seconds".to_owned(), seconds };
        assert_eq!(lines.hear(&log(None), at(0)), None);
        assert_eq!(lines.hear(&log(Some(80.0)), at(0)).as_deref(), Some("about 80 seconds"));
        assert_eq!(lines.due(at(5)), None, "the stage was told by that");
    }
}
