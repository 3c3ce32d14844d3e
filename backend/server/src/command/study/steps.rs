//! Says how far a study is, in front of the line of each measurement: the terminal shows it, the server reads it.

use recspeed_types::study::StudyProgress;

use super::super::output;

/// Counts measurements.
pub(super) struct Steps(StudyProgress);

impl Steps {
    /// So many there are, and so many of them are kept from before.
    pub(super) fn of(total: usize, kept: usize) -> Self {
        let [done, total] = [kept.min(total), total].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let steps = Self(StudyProgress { done, total });
        let which = if done == 0 { "first" } else { "next" };
        if done < total {
            output::complain(&format!("{} The {which} measurement begins", steps.0));
        }
        steps
    }

    /// How far it is.
    pub(super) const fn progress(&self) -> StudyProgress {
        self.0
    }

    /// What heads the measurement that is being made.
    pub(super) fn title(&self, what: &str) -> String {
        format!("[{}/{}] {what}", (self.0.done + 1).min(self.0.total), self.0.total)
    }

    /// One was made, or failed.
    pub(super) fn one(&mut self, what: &str) {
        self.0.done = (self.0.done + 1).min(self.0.total);
        output::complain(&format!("{} {what}", self.0));
    }

    /// So many will not be made.
    pub(super) fn fewer(&mut self, by: u32) {
        self.0.total = self.0.total.saturating_sub(by).max(self.0.done);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_never_exceeds_what_there_is() {
        let mut steps = Steps::of(3, 0);
        steps.one("a");
        assert_eq!(steps.title("b"), "[2/3] b");
        // It fails, and its next turn is left out.
        steps.fewer(1);
        steps.one("b");
        steps.one("c");
        assert_eq!(steps.progress(), StudyProgress { done: 2, total: 2 });
        assert_eq!(Steps::of(3, 2).title("c"), "[3/3] c", "two are kept from before");
    }
}
