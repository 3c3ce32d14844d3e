//! A fit that goes through its data again and again: loss, progress, checkpoints, and an end between two rounds.

use recspeed_types::FitObserver;
use recspeed_types::event::{EventKind, MeasuredOn};
use recspeed_types::fit::STATE_ROOM;

use crate::FitError;
use crate::divergence::{Gauge, OfNothing};

/// How often a round that was asked to stop may be asked again before it gives up its work: about two seconds, so that a
/// fit usually ends between two rounds, where it can go on later, and always leaves in time.
const PATIENCE: u32 = 20;

const MAGIC: &[u8; 8] = b"RSFIT001";

/// A fit in progress.
pub(crate) trait Learner {
    /// Names the fit in its checkpoints: kind, sizes, seed.
    fn name(&self) -> String;

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
    let mut done = match observer.take_resume_state() {
        Some(bytes) => read(learner, &bytes, total)?,
        None => 0,
    };
    let (mut stopping, mut gauge) = (0, Gauge::new(learner.of_nothing()).going_on(done));
    while done < total {
        // The last state may have been declined as too young; before leaving it is worth keeping.
        if stopping > 0 || observer.stop_requested() {
            observer.checkpoint(done, &mut || write(learner, done));
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
        observer.checkpoint(done, &mut || write(learner, done));
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

/// Layout, little-endian: magic, rounds done (u64), length of the name (u64), the name, then every number (f32).
fn write(learner: &mut dyn Learner, done: u64) -> Vec<u8> {
    let name = learner.name();
    // At once as long as it becomes: what grows on the way is twice as much for a while.
    let numbers: usize = learner.numbers().iter().map(|array| array.len()).sum();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 16 + name.len() + 4 * numbers + STATE_ROOM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&done.to_le_bytes());
    bytes.extend_from_slice(&(name.len() as u64).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
    for number in learner.numbers().into_iter().flatten() {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes
}

fn read(learner: &mut dyn Learner, bytes: &[u8], total: u64) -> Result<u64, FitError> {
    let wrong = |reason: String| FitError::Checkpoint { reason };
    let name = learner.name();
    let body = bytes.strip_prefix(MAGIC).ok_or_else(|| wrong(format!("it is not a checkpoint of {name}")))?;
    let (header, rest) = body.split_at_checked(16).ok_or_else(|| wrong("it is cut off".to_owned()))?;
    let number = |at: usize| header[at..at + 8].try_into().map_or(0, u64::from_le_bytes);
    let (done, length) = (number(0), number(8));
    let found = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (found, values) = found.ok_or_else(|| wrong("it is cut off".to_owned()))?;
    if found != name.as_bytes() {
        return Err(wrong(format!("it belongs to {}, this fit is {name}", String::from_utf8_lossy(found))));
    }
    if done > total {
        return Err(wrong(format!("it has {done} iterations behind it, this fit has {total}")));
    }
    let (values, odd) = values.as_chunks::<4>();
    let mut arrays = learner.numbers();
    if values.len() != arrays.iter().map(|array| array.len()).sum::<usize>() || !odd.is_empty() {
        return Err(wrong(format!("it is cut off after {} bytes", bytes.len())));
    }
    for (number, value) in arrays.iter_mut().flat_map(|array| array.iter_mut()).zip(values) {
        *number = f32::from_le_bytes(*value);
        if !number.is_finite() {
            return Err(wrong("it holds numbers that are not finite".to_owned()));
        }
    }
    Ok(done)
}
