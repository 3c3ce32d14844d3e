//! A fit that goes through its data again and again: loss, progress, checkpoints, and an end between two rounds.

use recspeed_data::checkpoint::CheckpointError;
use recspeed_types::FitObserver;
use recspeed_types::event::{EventKind, MeasuredOn};
use recspeed_types::fit::STATE_ROOM;

use crate::FitError;
use crate::divergence::{Gauge, OfNothing};

/// How often a round that was asked to stop may be asked again before it gives up its work: about two seconds, so that a
/// fit usually ends between two rounds, where it can go on later, and always leaves in time.
const PATIENCE: u32 = 20;

const MAGIC: &[u8; 8] = b"RSFIT003";

/// A fit in progress.
pub(crate) trait Learner {
    /// All numbers that change, in a fixed order.
    fn numbers(&mut self) -> Vec<&mut Vec<f32>>;

    /// What is looked at after each round: all that any round may change. What rounds leave behind can be many times more.
    fn moving(&mut self) -> Vec<&mut Vec<f32>> {
        self.numbers()
    }

    /// What the losses of rounds are held against.
    fn of_nothing(&self) -> OfNothing;

    /// The loss of what the last round left, of a fit whose rounds tell the loss of what they found.
    fn left_behind(&self) -> Option<f64> {
        None
    }

    /// One round over the data; `round` counts from 0. The loss, or `None` when `go_on`, asked about ten times a second,
    /// said no.
    ///
    /// # Errors
    /// [`FitError::Diverged`].
    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError>;
}

/// Takes the fit through `total` rounds, from its checkpoint where there is one.
///
/// # Errors
/// [`FitError`]: interrupted, diverged, or a checkpoint of another fit.
pub(crate) fn take(learner: &mut dyn Learner, total: u64, observer: &mut dyn FitObserver) -> Result<(), FitError> {
    let mut losses = match observer.take_resume_state() {
        Some(bytes) => read(learner, &bytes, total)?,
        None => Vec::new(),
    };
    let (mut done, mut stopping) = (losses.len() as u64, 0);
    // It sees the whole fit, however often that was stopped: how it ends does not hang on that.
    let mut gauge = Gauge::new(learner.of_nothing()).having_seen(&losses)?;
    while done < total {
        // The last state may have been declined as too young; before leaving it is worth keeping.
        if stopping > 0 || observer.stop_requested() {
            observer.checkpoint(done, &mut || write(learner, &losses));
            return Err(FitError::Interrupted { done, total, unit: "iterations" });
        }
        let mut go_on = || {
            stopping += u32::from(observer.stop_requested());
            stopping <= PATIENCE
        };
        let Some(loss) = learner.round(done, &mut go_on)? else {
            return Err(FitError::Interrupted { done, total, unit: "iterations" });
        };
        done += 1;
        let before = gauge;
        gauge.take(loss, done)?;
        // Squares of ratings that overflow f32 are finite in f64: the loss alone would tell it late. Whatever it is,
        // the loss of a round that ends so is not good.
        if !all_finite(&learner.moving()) {
            return Err(before.not_finite("a learnt number", done));
        }
        losses.push(loss);
        observer.event(EventKind::Metric {
            name: "loss".to_owned(),
            split: MeasuredOn::Train,
            step: done,
            epoch: done as f64,
            value: loss,
        });
        observer.event(EventKind::Progress { done, total, unit: "iterations".to_owned() });
        if done == total {
            // Before its last checkpoint: whoever goes on from that would only take it as it is.
            gauge.finish(total, learner.left_behind())?;
        }
        observer.checkpoint(done, &mut || write(learner, &losses));
    }
    // Which round overflowed what is kept of all of them nobody knows.
    if all_finite(&learner.numbers()) {
        Ok(())
    } else {
        Err(gauge.not_finite_in_the_end("a number kept of the iterations"))
    }
}

/// A stretch is looked through without a way out of it, so that several numbers are at once.
fn all_finite(arrays: &[&mut Vec<f32>]) -> bool {
    let fine = |numbers: &[f32]| numbers.iter().fold(true, |fine, number| fine & number.is_finite());
    arrays.iter().all(|array| array.chunks(4096).all(fine))
}

/// Layout, little-endian: magic, rounds done (u64), the loss of each of them (f64), then every number (f32). Whose it
/// is and whether it is whole is said behind it ([`crate::checkpoint`]).
fn write(learner: &mut dyn Learner, losses: &[f64]) -> Vec<u8> {
    // At once as long as it becomes: what grows on the way is twice as much for a while.
    let numbers: usize = learner.numbers().iter().map(|array| array.len()).sum();
    let told = MAGIC.len() + 8 + size_of_val(losses);
    let mut bytes = Vec::with_capacity(told + 4 * numbers + STATE_ROOM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(losses.len() as u64).to_le_bytes());
    for loss in losses {
        bytes.extend_from_slice(&loss.to_le_bytes());
    }
    for number in learner.numbers().into_iter().flatten() {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// Fills the numbers from a checkpoint; the losses of the rounds that it has behind it.
fn read(learner: &mut dyn Learner, bytes: &[u8], total: u64) -> Result<Vec<f64>, FitError> {
    let wrong = |reason: String| FitError::from(CheckpointError::other(reason));
    let body = bytes.strip_prefix(MAGIC);
    let body = body.ok_or_else(|| wrong("another version of the lab wrote it".to_owned()))?;
    let (done, values) = body.split_first_chunk::<8>().ok_or_else(|| wrong("it is cut off".to_owned()))?;
    let done = u64::from_le_bytes(*done);
    if done > total {
        return Err(wrong(format!("it has {done} iterations behind it, this fit has {total}")));
    }
    let losses = usize::try_from(done).ok().and_then(|done| values.split_at_checked(done.checked_mul(8)?));
    let (losses, values) = losses.ok_or_else(|| wrong("it is cut off".to_owned()))?;
    let losses: Vec<f64> = losses.as_chunks::<8>().0.iter().map(|loss| f64::from_le_bytes(*loss)).collect();
    let (values, odd) = values.as_chunks::<4>();
    let mut arrays = learner.numbers();
    let learnt = arrays.iter().map(|array| array.len()).sum::<usize>();
    if values.len() != learnt || !odd.is_empty() {
        let found = values.len();
        return Err(wrong(format!(
            "it is of {found} numbers, this fit learns {learnt}: it is cut off, or users or items have other attributes"
        )));
    }
    for (number, value) in arrays.iter_mut().flat_map(|array| array.iter_mut()).zip(values) {
        *number = f32::from_le_bytes(*value);
        if !number.is_finite() {
            return Err(wrong("it holds numbers that are not finite".to_owned()));
        }
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells these losses, whatever it learns: a number, to which each round adds 1.
    struct Scripted<'a> {
        losses: &'a [f64],
        learnt: Vec<f32>,
    }

    impl Learner for Scripted<'_> {
        fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
            vec![&mut self.learnt]
        }

        fn of_nothing(&self) -> OfNothing {
            OfNothing::zeros(13.0)
        }

        fn round(&mut self, round: u64, _: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
            self.learnt[0] += 1.0;
            Ok(Some(self.losses[round as usize]))
        }
    }

    /// Keeps every checkpoint.
    #[derive(Default)]
    struct Keeper {
        resume: Option<Vec<u8>>,
        kept: Vec<Vec<u8>>,
    }

    impl FitObserver for Keeper {
        fn event(&mut self, _: EventKind) {}

        fn stop_requested(&mut self) -> bool {
            false
        }

        fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
            self.kept.push(state());
        }

        fn take_resume_state(&mut self) -> Option<Vec<u8>> {
            self.resume.take()
        }
    }

    /// How a fit ends, and what it has learnt by then.
    type Fit = (Result<(), FitError>, f32);

    /// A fit, and its checkpoints.
    fn taken(losses: &[f64], resume: Option<Vec<u8>>) -> (Fit, Vec<Vec<u8>>) {
        let mut learner = Scripted { losses, learnt: vec![0.0] };
        let mut keeper = Keeper { resume, kept: Vec::new() };
        let ended = take(&mut learner, losses.len() as u64, &mut keeper);
        ((ended, learner.learnt[0]), keeper.kept)
    }

    #[test]
    fn a_fit_that_goes_on_ends_as_one_that_was_never_stopped() {
        // Of ratings whose average square is 13: up and down without end, left for good, far off and back, and fine.
        let swinging: Vec<f64> = [504.0, 10.1].into_iter().cycle().take(40).collect();
        let left = [2.0, 1.5, 5e4, 4e4, 1.2];
        let back = [2.0, 5e4, 900.0, 5e4, 1.2];
        let fine = [9.0, 3.0, 1.5, 1.2];
        for (losses, is_fine) in [(&swinging[..], false), (&left[..], false), (&back[..], true), (&fine[..], true)] {
            let (whole, kept) = taken(losses, None);
            assert_eq!(whole.0.is_ok(), is_fine, "{losses:?}: {whole:?}");
            assert!(kept.len() > 1, "{losses:?}");
            for (round, state) in (1..).zip(kept) {
                assert_eq!(taken(losses, Some(state)).0, whole, "{losses:?}, stopped after round {round}");
            }
        }
    }

    #[test]
    fn a_checkpoint_that_is_cut_off_anywhere_is_refused() {
        let losses = [9.0, 3.0];
        let whole = taken(&losses, None).1.pop().unwrap();
        for cut in 0..whole.len() {
            let ended = taken(&losses, Some(whole[..cut].to_vec())).0.0;
            assert!(matches!(ended, Err(FitError::Checkpoint { .. })), "{cut} bytes: {ended:?}");
        }
    }
}
