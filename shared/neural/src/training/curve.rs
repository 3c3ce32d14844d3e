//! When a training speaks: progress and loss, at most a few hundred times however long it is.

use recspeed_types::divergence::judged_steps;
use recspeed_types::event::MeasuredOn;
use recspeed_types::{EventKind, FitObserver};

/// Points of the loss curve of one run.
const POINTS: u64 = 200;
/// Epochs of which each one's own numbers are told; of longer trainings, evenly spread ones and the last.
const EPOCHS_TOLD: u32 = 1000;

/// A mean over rows that grows batch by batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Mean {
    /// Sum of loss × rows.
    pub(crate) sum: f64,
    /// Rows so far.
    pub(crate) rows: u64,
}

impl Mean {
    pub(crate) fn add(&mut self, mean: f64, rows: u64) {
        self.sum += mean * rows as f64;
        self.rows += rows;
    }

    /// Takes batch number `batch`, from 0, of `all` of an epoch, where it is one of those that tell how the epoch ends:
    /// the first of them takes the place of what the epoch before has left.
    pub(crate) fn add_at_the_end(&mut self, (batch, all): (u64, u64), mean: f64, rows: u64) {
        let first = all - judged_steps(all);
        if batch == first {
            *self = Self::default();
        }
        if batch >= first {
            self.add(mean, rows);
        }
    }

    /// The mean, or 0 of nothing.
    pub(crate) fn value(self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.sum / self.rows as f64 }
    }
}

/// The loss curve of a run: each point is the mean over a window of batches.
pub(crate) struct Curve {
    /// Steps of the whole training.
    total: u64,
    per_epoch: u64,
    stride: u64,
    epochs: u32,
    /// The window that is being filled.
    pub(crate) window: Mean,
}

impl Curve {
    /// A curve over `epochs` of `per_epoch` steps, going on from a half-filled window.
    pub(crate) fn new(epochs: u32, per_epoch: u64, window: Mean) -> Self {
        let total = u64::from(epochs) * per_epoch;
        Self { total, per_epoch, stride: total.div_ceil(POINTS).max(1), epochs, window }
    }

    /// Epochs taken after `step` steps, with the fraction of the current one.
    pub(crate) fn epoch_at(&self, step: u64) -> f64 {
        step as f64 / self.per_epoch as f64
    }

    /// Takes the loss of one batch; speaks when a window is full.
    pub(crate) fn batch(&mut self, step: u64, loss: f64, rows: u64, observer: &mut dyn FitObserver) {
        self.window.add(loss, rows);
        if step.is_multiple_of(self.stride) || step == self.total {
            let mean = std::mem::take(&mut self.window).value();
            self.tell("loss", MeasuredOn::Train, step, mean, observer);
            observer.event(EventKind::Progress { done: step, total: self.total, unit: "batches".to_owned() });
        }
    }

    /// Tells the numbers of a finished epoch: `(name, rows, value)`.
    pub(crate) fn epoch(
        &self,
        epoch: u32,
        step: u64,
        numbers: &[(&str, MeasuredOn, f64)],
        observer: &mut dyn FitObserver,
    ) {
        let told = epoch.is_multiple_of(self.epochs.div_ceil(EPOCHS_TOLD)) || epoch == self.epochs;
        for (name, split, value) in numbers {
            if told {
                self.tell(name, *split, step, *value, observer);
            }
        }
    }

    fn tell(&self, name: &str, split: MeasuredOn, step: u64, value: f64, observer: &mut dyn FitObserver) {
        // JSON has no infinity: a sum that overflowed is left out, the step that follows ends the training anyway.
        if value.is_finite() {
            let epoch = self.epoch_at(step);
            observer.event(EventKind::Metric { name: name.to_owned(), split, step, epoch, value });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_epoch_is_told_by_its_last_batches_alone_also_while_the_next_one_begins() {
        let mut end = Mean::default();
        let mut epoch = |losses: [f64; 20]| {
            for (batch, loss) in (0..).zip(losses) {
                end.add_at_the_end((batch, 20), loss, 32);
            }
            end
        };
        let mut early = [0.5; 20];
        early[0] = 5200.0;
        assert_eq!(epoch(early), Mean { sum: 0.5 * 8.0 * 32.0, rows: 8 * 32 });
        let rising = std::array::from_fn(|batch| if batch < 12 { 0.5 } else { 60.0 });
        let last = epoch(rising);
        assert!((last.value() - 60.0).abs() < 1e-9, "{last:?}");
        let mut going_on = last;
        (0..12).for_each(|batch| going_on.add_at_the_end((batch, 20), 0.1, 32));
        assert_eq!(going_on, last, "until the last batches of the next epoch");
        going_on.add_at_the_end((12, 20), 0.25, 32);
        assert_eq!(going_on, Mean { sum: 8.0, rows: 32 });
    }
}
