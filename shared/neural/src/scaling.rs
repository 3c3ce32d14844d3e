//! From columns to the numbers that a network sees, and back to stars.

use recspeed_data::parts::{Array, Parts, PartsError, Values, expect_len};

use crate::network::Saved;
use crate::{NeuralFitError, Rows};

/// Inputs of the paper's network: user index, item index, timestamp.
pub(crate) const INPUTS: usize = 3;

/// Scales the three inputs to `[0, 1]`.
///
/// - A user or item index is divided by the largest index of the data set's dictionary, so every id has a place, with or
///   without training rows. The dictionary numbers ids in the order of first appearance.
/// - A timestamp is placed between the oldest and the newest *training* row; what lies outside is clamped, because a ReLU
///   network continues in a straight line where it saw nothing.
/// - An input that takes a single value is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct InputScaling {
    user: f64,
    item: f64,
    oldest: i64,
    time: f64,
}

impl InputScaling {
    /// Requires rows that [`Rows::check`] accepted, at least one.
    pub(crate) fn of(train: Rows<'_>) -> Self {
        let data = train.interactions;
        let times = train.rows.iter().map(|&row| data.timestamp[row as usize]);
        let (oldest, newest) = times.fold((i64::MAX, i64::MIN), |(low, high), t| (low.min(t), high.max(t)));
        Self {
            user: inverse(data.n_users().saturating_sub(1) as f64),
            item: inverse(data.n_items().saturating_sub(1) as f64),
            oldest,
            time: inverse(newest as f64 - oldest as f64),
        }
    }

    /// The inverse of [`Self::add_to`].
    pub(crate) fn take_from(parts: &mut Parts) -> Result<Self, PartsError> {
        let scale = parts.take("inputs.scale")?;
        let Array { values: Values::F64(scale), .. } = scale else {
            return Err(scale.unexpected("inputs.scale", "f64"));
        };
        expect_len("inputs.scale", scale.len(), INPUTS)?;
        let oldest = parts.take_count("inputs.oldest")? as u64;
        Ok(Self { user: scale[0], item: scale[1], time: scale[2], oldest: oldest.cast_signed() })
    }

    /// The inputs of one row.
    pub(crate) fn apply(&self, user: u32, item: u32, timestamp: i64) -> [f32; INPUTS] {
        let time = (timestamp as f64 - self.oldest as f64) * self.time;
        [(f64::from(user) * self.user) as f32, (f64::from(item) * self.item) as f32, time.clamp(0.0, 1.0) as f32]
    }
}

impl Saved for InputScaling {
    /// As the parts `inputs.scale` (user, item, time) and `inputs.oldest`, seconds since 1970 in two's complement.
    fn add_to(&self, parts: Parts) -> Parts {
        parts.with("inputs.scale", &[INPUTS], Values::F64(vec![self.user, self.item, self.time])).with(
            "inputs.oldest",
            &[],
            Values::U64(vec![self.oldest.cast_unsigned()]),
        )
    }
}

/// 1 / extent, or 0 where there is no extent, which makes the scaled value 0.
fn inverse(extent: f64) -> f64 {
    if extent > 0.0 { extent.recip() } else { 0.0 }
}

/// Maps ratings in stars to `[0, 1]` over the range of the training ratings, and predictions back. Where all training
/// ratings are equal, every target is 0 and every prediction is that rating.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct RatingScale {
    lowest: f32,
    width: f32,
}

impl RatingScale {
    /// Requires finite ratings.
    ///
    /// # Errors
    /// [`NeuralFitError::NoTrainingRows`] when there are none.
    pub(crate) fn of(train: Rows<'_>) -> Result<Self, NeuralFitError> {
        let ratings = train.rows.iter().map(|&row| train.interactions.rating[row as usize]);
        let (low, high) = ratings.fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), r| (l.min(r), h.max(r)));
        if low > high {
            return Err(NeuralFitError::NoTrainingRows);
        }
        Ok(Self { lowest: low, width: high - low })
    }

    /// As the part `stars`: the lowest training rating, and the width of their range.
    pub(crate) fn add_to(self, parts: Parts) -> Parts {
        parts.with_list("stars", &[self.lowest, self.width])
    }

    /// The inverse of [`Self::add_to`].
    pub(crate) fn take_from(parts: &mut Parts) -> Result<Self, PartsError> {
        let stars = parts.take_list("stars")?;
        expect_len("stars", stars.len(), 2)?;
        Ok(Self { lowest: stars[0], width: stars[1] })
    }

    /// Stars to the network's scale.
    pub(crate) fn target(self, stars: f32) -> f32 {
        if self.width > 0.0 { (stars - self.lowest) / self.width } else { 0.0 }
    }

    /// The network's scale to stars. Not clamped: an output outside `[0, 1]` gives stars outside the training range.
    pub(crate) fn stars(self, output: f32) -> f32 {
        self.lowest + output * self.width
    }
}
