//! All that a training needs to go on to the same bits, as bytes.
//!
//! Little endian: magic, counters, weights, moments, best weights. Floats are stored as their bits, so nothing is rounded.
//! Whose it is and whether it is whole is said behind it ([`recspeed_data::checkpoint`]).

use std::borrow::Cow;

use recspeed_data::checkpoint::CheckpointError;
use recspeed_types::fit::STATE_ROOM;

use crate::NeuralFitError;
use crate::training::curve::Mean;
use crate::training::steps::AllMoments;

const MAGIC: [u8; 8] = *b"recsnn05";

/// At most so many bytes beside the lists of numbers.
const LARGEST_HEAD: usize = 160;

/// The state between two batches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct State<'a> {
    /// Epochs finished.
    pub(crate) epoch: u32,
    /// Batches taken of the next one.
    pub(crate) batch: u64,
    /// Steps in all.
    pub(crate) step: u64,
    /// Loss of the epoch so far.
    pub(crate) epoch_loss: Mean,
    /// Loss of the last steps of an epoch: of the last one whose last steps have begun.
    pub(crate) end_loss: Mean,
    /// Loss of the last finished epoch.
    pub(crate) finished_loss: f64,
    /// The window of the loss curve that is being filled.
    pub(crate) window: Mean,
    /// All numbers: the dense parameters, then the tables. `[parameters]`
    pub(crate) weights: Cow<'a, [f32]>,
    /// Steps taken by the moments, and the two moments, `[parameters]` each.
    pub(crate) moments: Option<AllMoments<'a>>,
    /// The best epoch on the validation rows.
    pub(crate) best: Option<Best>,
}

/// The best epoch so far on the validation rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Best {
    /// From 1.
    pub(crate) epoch: u32,
    /// What its judge said; lower is better.
    pub(crate) regret: f64,
    /// Whether its judge has said anything else so far.
    pub(crate) told_apart: bool,
    /// Its weights, `[parameters]`, where early stopping may bring them back.
    pub(crate) weights: Option<Vec<f32>>,
}

impl State<'_> {
    /// The inverse of [`Self::decode`].
    pub(crate) fn encode(&self) -> Vec<u8> {
        let best = self.best.as_ref().is_some_and(|best| best.weights.is_some());
        let lists = 1 + 2 * usize::from(self.moments.is_some()) + usize::from(best);
        let mut bytes = Vec::with_capacity(LARGEST_HEAD + 4 * lists * self.weights.len() + STATE_ROOM);
        bytes.extend(MAGIC);
        put_u64(&mut bytes, u64::from(self.epoch));
        put_u64(&mut bytes, self.batch);
        put_u64(&mut bytes, self.step);
        for mean in [self.epoch_loss, self.end_loss, self.window] {
            put_u64(&mut bytes, mean.sum.to_bits());
            put_u64(&mut bytes, mean.rows);
        }
        put_u64(&mut bytes, self.finished_loss.to_bits());
        put_floats(&mut bytes, &self.weights);
        put_u64(&mut bytes, u64::from(self.moments.is_some()));
        if let Some((time, first, second)) = &self.moments {
            put_u64(&mut bytes, *time);
            put_floats(&mut bytes, first);
            put_floats(&mut bytes, second);
        }
        put_u64(&mut bytes, u64::from(self.best.is_some()));
        if let Some(best) = &self.best {
            put_u64(&mut bytes, u64::from(best.epoch));
            put_u64(&mut bytes, best.regret.to_bits());
            put_u64(&mut bytes, u64::from(best.told_apart));
            put_u64(&mut bytes, u64::from(best.weights.is_some()));
            if let Some(weights) = &best.weights {
                put_floats(&mut bytes, weights);
            }
        }
        bytes
    }

    /// # Errors
    /// [`NeuralFitError::Checkpoint`] for bytes that are not all of a state of so many parameters.
    pub(crate) fn decode(bytes: &[u8], parameters: usize) -> Result<State<'static>, NeuralFitError> {
        let other = || CheckpointError::other("another version of the lab wrote it");
        let body = bytes.strip_prefix(&MAGIC).ok_or_else(other)?;
        let mut reader = Reader { bytes: body, parameters };
        let state = reader.state().filter(|_| reader.bytes.is_empty());
        state.ok_or_else(|| CheckpointError::damaged("it is cut off").into())
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    parameters: usize,
}

impl Reader<'_> {
    fn state(&mut self) -> Option<State<'static>> {
        Some(State {
            epoch: self.u32()?,
            batch: self.u64()?,
            step: self.u64()?,
            epoch_loss: self.mean()?,
            end_loss: self.mean()?,
            window: self.mean()?,
            finished_loss: self.f64()?,
            weights: self.floats()?.into(),
            moments: match self.u64()? {
                0 => None,
                _ => Some((self.u64()?, self.floats()?.into(), self.floats()?.into())),
            },
            best: match self.u64()? {
                0 => None,
                _ => Some(Best {
                    epoch: self.u32()?,
                    regret: self.f64()?,
                    told_apart: self.u64()? != 0,
                    weights: match self.u64()? {
                        0 => None,
                        _ => Some(self.floats()?),
                    },
                }),
            },
        })
    }

    fn u64(&mut self) -> Option<u64> {
        let (head, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(u64::from_le_bytes(*head))
    }

    fn u32(&mut self) -> Option<u32> {
        self.u64()?.try_into().ok()
    }

    fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    fn mean(&mut self) -> Option<Mean> {
        Some(Mean { sum: self.f64()?, rows: self.u64()? })
    }

    fn floats(&mut self) -> Option<Vec<f32>> {
        let (head, rest) = self.bytes.split_at_checked(4 * self.parameters)?;
        self.bytes = rest;
        Some(head.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

fn put_u64(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend(value.to_le_bytes());
}

fn put_floats(bytes: &mut Vec<u8>, values: &[f32]) {
    for value in values {
        bytes.extend(value.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> State<'static> {
        State {
            epoch: 2,
            batch: 3,
            step: 17,
            epoch_loss: Mean { sum: 1.5, rows: 64 },
            end_loss: Mean { sum: 0.75, rows: 16 },
            finished_loss: 0.25,
            window: Mean { sum: 0.5, rows: 8 },
            weights: vec![1.0, -0.0, f32::MIN_POSITIVE].into(),
            moments: Some((17, vec![0.1; 3].into(), vec![0.2; 3].into())),
            best: Some(Best { epoch: 1, regret: 0.3, told_apart: true, weights: Some(vec![9.0; 3]) }),
        }
    }

    #[test]
    fn a_state_comes_back_bit_for_bit() {
        let state = state();
        let bytes = state.encode();
        assert_eq!(State::decode(&bytes, 3).unwrap(), state);
        assert!(bytes.len() <= LARGEST_HEAD + 4 * 4 * 3, "it fits where it is written to");
    }

    #[test]
    fn a_state_that_is_not_all_there_or_of_another_network_is_refused() {
        let whole = state().encode();
        for cut in 0..whole.len() {
            assert!(State::decode(&whole[..cut], 3).is_err(), "{cut} bytes");
        }
        assert!(State::decode(&[&whole[..], &[0]].concat(), 3).is_err(), "a byte more");
        for parameters in [2, 4] {
            assert!(State::decode(&whole, parameters).is_err(), "{parameters} parameters");
        }
    }

    proptest! {
        #[test]
        fn rubbish_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(State::decode(&bytes, 3).is_err());
        }
    }
}
