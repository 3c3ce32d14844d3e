//! One rating at a time: stochastic gradient descent.

use pulp::{Arch, Simd, WithSimd};

use super::expand::{Numbers, expand, transposed};
use super::kept::{Kept, Sample};
use super::{Settings, start};
use crate::course::Learner;
use crate::divergence::OfNothing;
use crate::factorization::draws::{ROWS_AT_ONCE, order};
use crate::machines::features::{Side, Sides};
use crate::{FitError, TrainSet};

/// Each rating one step down the gradient of `½ (y − ŷ)² + ½ λ Σ_l (w_l² + ‖v_l‖²)`, in an order drawn anew each epoch:
/// `∂ŷ/∂w_l = x_l` and `∂ŷ/∂v_l = x_l (Σ_m x_m v_m − x_l v_l)`.
pub(super) struct Sgd<'a> {
    data: &'a TrainSet<'a>,
    sides: &'a Sides,
    settings: Settings,
    rate: f32,
    penalty: f32,
    seed: u64,
    intercept: Vec<f32>,
    users: Rowed,
    items: Rowed,
}

/// Numbers with those of a feature side by side.
#[derive(Debug, Clone)]
pub(super) struct Rowed {
    /// `[n_features]`
    pub(super) weights: Vec<f32>,
    /// `[n_features, k]`
    pub(super) vectors: Vec<f32>,
}

impl Rowed {
    fn of(numbers: Numbers, k: usize) -> Self {
        Self { vectors: transposed(&numbers.vectors, k), weights: numbers.weights }
    }

    fn turned(self) -> Numbers {
        Numbers { vectors: transposed(&self.vectors, self.weights.len()), weights: self.weights }
    }
}

impl<'a> Sgd<'a> {
    pub(super) fn new(
        data: &'a TrainSet<'a>,
        sides: &'a Sides,
        settings: Settings,
        (rate, penalty): (f32, f32),
        seed: u64,
    ) -> Result<Self, FitError> {
        let (users, items) = start(sides, settings, seed)?;
        let intercept = vec![data.global_mean().ok_or(FitError::NoRows)? as f32];
        let (users, items) = (Rowed::of(users, settings.factors), Rowed::of(items, settings.factors));
        Ok(Self { data, sides, settings, rate, penalty, seed, intercept, users, items })
    }

    #[cfg(test)]
    pub(super) fn numbers_of_features(self) -> (Numbers, Numbers) {
        (self.users.turned(), self.items.turned())
    }

    pub(super) fn finish(self) -> Result<Kept, FitError> {
        let k = self.settings.factors;
        let mut kept = Kept::new(self.sides, k, 1)?;
        let (users, items) = (self.users.turned(), self.items.turned());
        kept.add(
            0,
            &Sample {
                intercept: self.intercept[0],
                users: (&users, &expand(&self.sides.users, &users)),
                items: (&items, &expand(&self.sides.items, &items)),
                penalties: &vec![self.penalty; k + 1],
                unknown: &vec![0.0; k + 1],
            },
        );
        Ok(kept)
    }
}

impl Learner for Sgd<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let (users, items) = (&mut self.users, &mut self.items);
        vec![&mut self.intercept, &mut users.weights, &mut users.vectors, &mut items.weights, &mut items.vectors]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(&self.data.by_user.values)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.data.rows.len(), self.seed, round);
        let mut sum = vec![0.0; self.settings.factors];
        let mut squares = 0.0;
        for places in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            squares += Arch::new().dispatch(Steps { sgd: self, places, sum: &mut sum });
        }
        Ok(Some(squares / order.len() as f64))
    }
}

/// Some steps; the sum of the squared errors before each.
struct Steps<'a, 'b> {
    sgd: &'a mut Sgd<'b>,
    places: &'a [u32],
    /// `Σ x v` of the row, `[k]`.
    sum: &'a mut [f32],
}

impl WithSimd for Steps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        let Self { sgd, places, sum } = self;
        let columns = sgd.data.interactions;
        let (rate, keep) = (sgd.rate, 1.0 - sgd.rate * sgd.penalty);
        let mut squares = 0.0;
        for &place in places {
            let row = sgd.data.rows[place as usize] as usize;
            let (user, item) = (columns.user[row] as usize, columns.item[row] as usize);
            let (of_users, of_items) = (&sgd.sides.users, &sgd.sides.items);
            sum.fill(0.0);
            let (linear_u, norm_u) = sgd.users.add(of_users, user, sum);
            let (linear_i, norm_i) = sgd.items.add(of_items, item, sum);
            let pairs = 0.5 * (sum.iter().map(|s| s * s).sum::<f32>() - norm_u - norm_i);
            let error = columns.rating[row] - (sgd.intercept[0] + linear_u + linear_i + pairs);
            squares += f64::from(error) * f64::from(error);
            sgd.intercept[0] += rate * error;
            sgd.users.step(of_users, user, sum, rate * error, keep);
            sgd.items.step(of_items, item, sum, rate * error, keep);
        }
        squares
    }
}

impl Rowed {
    /// Adds `Σ x v` to `sum`; `Σ x w` and `Σ x² ‖v‖²`.
    #[inline(always)]
    fn add(&self, side: &Side, entity: usize, sum: &mut [f32]) -> (f32, f32) {
        let (mut linear, mut norm) = (0.0, 0.0);
        for (feature, x) in side.features(entity) {
            linear += x * self.weights[feature];
            let vector = &self.vectors[feature * sum.len()..][..sum.len()];
            for (sum, value) in sum.iter_mut().zip(vector) {
                let part = x * value;
                *sum += part;
                norm += part * part;
            }
        }
        (linear, norm)
    }

    /// A step of the numbers of an entity's features; `step`: learning rate times error.
    #[inline(always)]
    fn step(&mut self, side: &Side, entity: usize, sum: &[f32], step: f32, keep: f32) {
        for (feature, x) in side.features(entity) {
            self.weights[feature] = keep * self.weights[feature] + step * x;
            let vector = &mut self.vectors[feature * sum.len()..][..sum.len()];
            for (value, sum) in vector.iter_mut().zip(sum) {
                *value = keep * *value + step * x * (sum - x * *value);
            }
        }
    }
}
