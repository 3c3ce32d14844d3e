//! What is kept of a fit: the numbers of its end, or of several draws of the sampler, whose predictions are averaged.

use super::expand::{Expanded, Numbers};
use crate::FitError;
use crate::error::reserve;
use crate::machines::features::Sides;
use crate::machines::model::{Described, Machine, Newcomer, Newcomers};
use crate::machines::permuted::Within;
use crate::memory::machines::{REMEDY, REMEDY_OF_SAMPLES};

/// The vectors of a [`Machine`] while they are gathered. The mean of `p_s · q_s` over the samples is one product of all `p_s / S`,
/// one after another, with all `q_s`.
pub(super) struct Kept {
    /// S.
    samples: usize,
    k: usize,
    d: usize,
    /// `[users, d]`, `[items, d]`
    users: Vec<f32>,
    items: Vec<f32>,
    /// `[attributes, d]`
    user_attributes: Vec<f32>,
    item_attributes: Vec<f32>,
    /// `[d]` and `[S, k + 1]`, of [`Newcomer`].
    cold: Vec<f32>,
    penalties: Vec<f32>,
}

/// The numbers to keep.
pub(super) struct Sample<'a> {
    pub(super) intercept: f32,
    pub(super) users: (&'a Numbers, &'a Expanded),
    pub(super) items: (&'a Numbers, &'a Expanded),
    /// Of the factors and the weight of a new user, `[k + 1]`.
    pub(super) penalties: &'a [f32],
    /// Factors and weight of a user of whom nothing is known, `[k + 1]`.
    pub(super) unknown: &'a [f32],
}

impl Kept {
    pub(super) fn new(sides: &Sides, k: usize, samples: usize) -> Result<Self, FitError> {
        let d = samples * k + 2;
        let remedy = if samples > 1 { REMEDY_OF_SAMPLES } else { REMEDY };
        let Sides { users, items } = sides;
        let vectors = |rows: usize, ones: Option<usize>| -> Result<Vec<f32>, FitError> {
            let mut vectors: Vec<f32> = reserve(rows.checked_mul(d), "the vectors of all samples", remedy)?;
            if let Some(place) = ones {
                vectors.iter_mut().skip(place).step_by(d).for_each(|one| *one = 1.0);
            }
            Ok(vectors)
        };
        Ok(Self {
            samples,
            k,
            d,
            users: vectors(users.len(), Some(d - 2))?,
            items: vectors(items.len(), Some(d - 1))?,
            user_attributes: vectors(users.field.len(), None)?,
            item_attributes: vectors(items.field.len(), None)?,
            cold: vectors(1, Some(d - 2))?,
            penalties: vec![0.0; samples * (k + 1)],
        })
    }

    pub(super) fn samples(&self) -> usize {
        self.samples
    }

    /// All numbers that change, for checkpoints.
    pub(super) fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let vectors = [&mut self.users, &mut self.items, &mut self.user_attributes, &mut self.item_attributes];
        vectors.into_iter().chain([&mut self.cold, &mut self.penalties]).collect()
    }

    /// What newcomers are answered with.
    pub(super) fn of_newcomers(&mut self) -> [&mut Vec<f32>; 2] {
        [&mut self.cold, &mut self.penalties]
    }

    /// Keeps a sample; `place` counts from 0.
    pub(super) fn add(&mut self, place: usize, sample: &Sample<'_>) {
        let (k, d) = (self.k, self.d);
        let share = 1.0 / self.samples as f32;
        let user = Line { first: place * k, scale: share, at: d - 1, share };
        let item = Line { first: place * k, scale: 1.0, at: d - 2, share };
        let write = |vectors: &mut [f32], line: Line, values: &[f32], first: usize, biases: &dyn Fn(usize) -> f32| {
            let n = values.len() / k;
            for (row, vector) in vectors.chunks_exact_mut(d).enumerate() {
                line.write(vector, (0..k).map(|f| values[f * n + first + row]), biases(row));
            }
        };
        let (of_users, users) = sample.users;
        let (of_items, items) = sample.items;
        write(&mut self.users, user, &users.sums, 0, &|row| users.own[row] + sample.intercept);
        write(&mut self.items, item, &items.sums, 0, &|row| items.own[row]);
        let (n_users, n_items) = (users.own.len(), items.own.len());
        write(&mut self.user_attributes, user, &of_users.vectors, n_users, &|row| of_users.weights[n_users + row]);
        write(&mut self.item_attributes, item, &of_items.vectors, n_items, &|row| of_items.weights[n_items + row]);
        let (factors, weight) = (&sample.unknown[..k], sample.unknown[k]);
        user.write(&mut self.cold, factors.iter().copied(), weight + sample.intercept);
        self.penalties[place * (k + 1)..][..=k].copy_from_slice(sample.penalties);
    }

    pub(super) fn finish(self, sides: Sides, block: usize, per_rating: bool) -> Machine {
        let newcomer = Newcomer { cold: self.cold, block, penalties: self.penalties, per_rating };
        let Sides { users, items } = sides;
        // A user's vector is divided by the number of samples, an item's is not; the biases of both are.
        let samples = self.samples as f32;
        let described = |side, vectors, parts, times| Described::new(side, vectors, parts, Within::Pairs(times));
        Machine {
            d: self.d,
            users: described(users, self.users, self.user_attributes, samples),
            items: described(items, self.items, self.item_attributes, 1.0 / samples),
            newcomer: Newcomers::Regressed(newcomer),
        }
    }
}

/// Where a sample's numbers go in a vector.
#[derive(Clone, Copy)]
struct Line {
    first: usize,
    scale: f32,
    /// Place of the bias.
    at: usize,
    share: f32,
}

impl Line {
    fn write(self, vector: &mut [f32], factors: impl Iterator<Item = f32>, bias: f32) {
        vector[self.first..].iter_mut().zip(factors).for_each(|(kept, factor)| *kept = self.scale * factor);
        vector[self.at] += self.share * bias;
    }
}
