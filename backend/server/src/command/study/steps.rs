//! Says how far a study is, in front of the line of each measurement: the terminal shows it, the server reads it.

use recspeed_types::study::StudyProgress;

use super::super::output;

/// Counts measurements.
pub(super) struct Steps(StudyProgress);

impl Steps {
    /// So many are ahead.
    pub(super) fn of(total: usize) -> Self {
        let steps = Self(StudyProgress { done: 0, total: u32::try_from(total).unwrap_or(u32::MAX) });
        output::complain(&format!("{} The first measurement begins", steps.0));
        steps
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
        let mut steps = Steps::of(3);
        steps.one("a");
        assert_eq!(steps.title("b"), "[2/3] b");
        // It fails, and its next turn is left out.
        steps.fewer(1);
        steps.one("b");
        steps.one("c");
        assert_eq!(steps.0, StudyProgress { done: 2, total: 2 });
    }
}
