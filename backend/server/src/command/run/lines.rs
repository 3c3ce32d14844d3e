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

/// Which of several runs a run is, and what its lines say of the others.
#[derive(Debug, Clone, Default)]
pub(in crate::command) struct Among {
    /// Which, as `3 of 12: bpr, seed 7`.
    pub(in crate::command) title: String,
    /// Which recommender of how many, as `recommender 2 of 3`, where the title does not tell.
    pub(in crate::command) place: Option<String>,
    /// The best so far, and whose it is, as `ndcg@10 0.3100000 (trial 2)`.
    pub(in crate::command) best: Option<String>,
    /// Seconds that this run and others that are left of its recommender take, as far as those before it tell; and what they are, as
    /// `seeds`.
    pub(in crate::command) rest: Option<(f64, &'static str)>,
}

impl Among {
    /// What follows how far the run itself is. `now` and `begun`, that of the run, are since the command began.
    fn of_the_others(&self, now: Duration, begun: Duration) -> String {
        let rest = self.rest.map(|(seconds, of)| (seconds - now.saturating_sub(begun).as_secs_f64(), of));
        // One that takes longer than the others tells that they tell nothing.
        let rest = rest.filter(|(seconds, _)| *seconds >= 1.0);
        let parts = [
            self.place.clone(),
            rest.map(|(seconds, of)| format!("about {} more for its {of}", figures::whole_seconds(seconds))),
            self.best.as_ref().map(|best| format!("best so far {best}")),
            Some(format!("{} in all", figures::whole_seconds(now.as_secs_f64()))),
        ];
        parts.into_iter().flatten().fold(String::new(), |text, part| text + "; " + &part)
    }
}

/// What was heard, and what was told of it; times are those since the run began, of one among others since the first of them did.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Which of several runs it is, and when it began; `None` for one by itself.
    among: Option<(Among, Duration)>,
    stage: Option<(Phase, Duration)>,
    is_told: bool,
    /// When the last line was told.
    last: Option<Duration>,
    progress: Option<(u64, u64, String)>,
    loss: Option<f64>,
    is_news: bool,
}

impl Lines {
    /// Those of one of several runs, which begins at `now` where the last line of any was told at `last`.
    pub(super) fn among(among: Among, now: Duration, last: Option<Duration>) -> Self {
        Self { among: Some((among, now)), last, ..Self::default() }
    }

    /// When the last line was told.
    pub(super) const fn last(&self) -> Option<Duration> {
        self.last
    }

    /// Takes an event in; a line, where one is due.
    pub(super) fn hear(&mut self, kind: &EventKind, now: Duration) -> Option<String> {
        match kind {
            EventKind::Phase { phase } => {
                let (among, last) = (self.among.take(), self.last);
                *self = Self { among, stage: Some((*phase, now)), last, ..Self::default() };
            }
            EventKind::Progress { done, total, unit } => {
                (self.progress, self.is_news) = (Some((*done, *total, unit.clone())), true);
            }
            EventKind::Metric { name, split: MeasuredOn::Train, value, .. } if name == "loss" => {
                (self.loss, self.is_news) = (Some(*value), true);
            }
            // What is foretold to take long is told at once.
            EventKind::Log { message, seconds: Some(_) } => {
                (self.is_told, self.last) = (true, Some(now));
                return Some(self.named(message));
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
        let begun = self.among.as_ref().map_or(Duration::ZERO, |(_, begun)| *begun);
        if now.saturating_sub(begun) < QUICK {
            return None;
        }
        // A run by itself tells of every stage; the stages of many would be many lines.
        if !self.is_told && self.among.is_none() {
            (self.is_told, self.last) = (true, Some(now));
            return Some(format!("{} begins", name(phase)));
        }
        let is_new = self.is_news || !self.is_told;
        if !is_new || self.last.is_some_and(|last| now.saturating_sub(last) < PACE) {
            return None;
        }
        (self.is_told, self.is_news, self.last) = (true, false, Some(now));
        let mut line = self.named(name(phase));
        line.push(':');
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
        if let Some((among, begun)) = &self.among {
            line.push_str(&among.of_the_others(now, *begun));
        }
        Some(line)
    }

    /// `text` behind what tells the run from others.
    fn named(&self, text: &str) -> String {
        self.among.as_ref().map_or_else(|| text.to_owned(), |(among, _)| format!("{}: {text}", among.title))
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

    fn third() -> Among {
        Among { title: "3 of 12: bpr, seed 7".to_owned(), ..Among::default() }
    }

    #[test]
    fn a_run_among_others_says_which_it_is_and_what_is_known_of_them() {
        let among = Among {
            place: Some("recommender 2 of 3".to_owned()),
            best: Some("hit@1 0.9 (trial 2)".to_owned()),
            rest: Some((90.0, "trials")),
            ..third()
        };
        let mut lines = Lines::among(among, at(100), None);
        assert_eq!(lines.hear(&EventKind::Phase { phase: Phase::Fit }, at(101)), None);
        assert_eq!(lines.hear(&batches(100), at(101)), None, "it may be over in a second");
        let known = "best so far hit@1 0.9 (trial 2)";
        assert_eq!(
            lines.due(at(110)).unwrap(),
            format!(
                "3 of 12: bpr, seed 7: fit: 100 of 400 batches (25.0 %), 9 s; recommender 2 of 3; \
                 about 80 s more for its trials; {known}; 1 min 50 s in all"
            )
        );
        // It takes longer than the others did.
        assert_eq!(
            lines.hear(&batches(200), at(200)).unwrap(),
            format!(
                "3 of 12: bpr, seed 7: fit: 200 of 400 batches (50.0 %), 99 s; recommender 2 of 3; {known}; \
                 3 min 20 s in all"
            )
        );
        let mut first = Lines::among(third(), at(0), None);
        assert_eq!(first.hear(&EventKind::Phase { phase: Phase::Load }, at(0)), None);
        assert_eq!(first.due(at(2)).as_deref(), Some("3 of 12: bpr, seed 7: load: 2 s; 2 s in all"));
        let log = EventKind::Log { message: "about 80 seconds".to_owned(), seconds: Some(80.0) };
        assert_eq!(first.hear(&log, at(3)).as_deref(), Some("3 of 12: bpr, seed 7: about 80 seconds"));
    }

    #[test]
    fn between_two_lines_of_several_runs_are_ten_seconds_at_least_whatever_stages_begin() {
        let (mut last, mut told) = (None, Vec::new());
        for run in 0..20 {
            let begun = 3 * run;
            let mut lines = Lines::among(third(), at(begun), last);
            for (second, phase) in [(0, Phase::Load), (1, Phase::Fit), (2, Phase::Evaluate)] {
                let now = at(begun + second);
                let said = lines.hear(&EventKind::Phase { phase }, now).or_else(|| lines.hear(&batches(second), now));
                told.extend(said.map(|_| now));
            }
            last = lines.last();
        }
        assert_eq!(told.first(), Some(&at(2)));
        assert!(told.windows(2).all(|pair| pair[1] >= pair[0] + PACE), "{told:?}");
        assert!(told.len() >= 4, "{told:?}");
    }
}
