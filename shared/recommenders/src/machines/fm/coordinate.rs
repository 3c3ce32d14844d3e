//! One number at a time: alternating least squares, and the Gibbs sampler of the same sweeps.

use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, StandardNormal};

use super::expand::{Expanded, Numbers, expand, transposed};
use super::kept::{Kept, Sample};
use super::rows::Rows;
use super::sweep::{Block, Pass, Prior};
use super::{Settings, start};
use crate::course::Learner;
use crate::divergence::OfNothing;
use crate::factorization::draws::stream;
use crate::machines::features::Sides;
use crate::{FitError, TrainSet};

/// ChaCha8 streams of the Gibbs sampler, one a round.
const GIBBS_STREAM: u64 = 1 << 22;

/// Of the hyper-priors, as libFM has them: `α, λ ~ Γ(½, ½)` and `μ ~ N(0, 1/λ)`.
const SHAPE: f64 = 1.0;
const RATE: f64 = 1.0;
const STRENGTH: f64 = 1.0;

/// What a number becomes in its turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Choice {
    /// The least squares, with this penalty for each row and number.
    Best(f32),
    /// A draw; the precision of the ratings, and mean and precision of each field and factor, are drawn too.
    Drawn,
}

/// The sweeps, and all that they change.
pub(super) struct Coordinate<'a> {
    pub(super) users: Half<'a>,
    pub(super) items: Half<'a>,
    ratings: &'a [f32],
    settings: Settings,
    choice: Choice,
    seed: u64,
    /// α and the intercept.
    common: Vec<f32>,
    kept: Kept,
    /// Whether errors and expanded vectors are those of the numbers.
    fresh: bool,
}

/// One side of the sweeps.
pub(super) struct Half<'a> {
    block: Block<'a>,
    pub(super) numbers: Numbers,
    /// λ and μ, `[1 + k, fields, 2]`: of the weights, then of each factor.
    hyper: Vec<f32>,
    pub(super) expanded: Expanded,
    /// Of each row, in the order of this side.
    pub(super) errors: Vec<f32>,
}

impl<'a> Coordinate<'a> {
    pub(super) fn new(
        data: &TrainSet<'_>,
        sides: &'a Sides,
        rows: &'a Rows,
        settings: Settings,
        choice: Choice,
        seed: u64,
    ) -> Result<Self, FitError> {
        let (users, items) = start(sides, settings, seed)?;
        let half = |block: Block<'a>, numbers| Half {
            hyper: [1.0, 0.0].repeat((1 + settings.factors) * block.side.n_fields),
            errors: vec![0.0; rows.ratings.len()],
            expanded: Expanded::default(),
            block,
            numbers,
        };
        let samples = settings.kept(matches!(choice, Choice::Drawn));
        Ok(Self {
            users: half(Block::new(&sides.users, &rows.by_user), users),
            items: half(Block::new(&sides.items, &rows.by_item), items),
            ratings: &rows.ratings,
            common: vec![1.0, data.global_mean().ok_or(FitError::NoRows)? as f32],
            kept: Kept::new(sides, settings.factors, samples)?,
            settings,
            choice,
            seed,
            fresh: false,
        })
    }

    pub(super) fn finish(self) -> Kept {
        self.kept
    }

    /// Expanded vectors and errors anew, so that rounding does not add up over the rounds.
    pub(super) fn refresh(&mut self) {
        self.users.expanded = expand(self.users.block.side, &self.users.numbers);
        self.items.expanded = expand(self.items.block.side, &self.items.numbers);
        let k = self.settings.factors;
        let (p, q) = (transposed(&self.users.expanded.sums, k), transposed(&self.items.expanded.sums, k));
        let (partner, intercept, ratings) = (&self.users.block.order.partner, self.common[1], self.ratings);
        let (own_u, own_i) = (&self.users.expanded.own, &self.items.expanded.own);
        self.users.block.each_entity(&mut self.users.errors, |user, rows, errors| {
            let p = &p[user * k..][..k];
            for (row, error) in rows.zip(errors) {
                let item = partner[row] as usize;
                let product: f32 = p.iter().zip(&q[item * k..][..k]).map(|(p, q)| p * q).sum();
                *error = ratings[row] - (intercept + own_u[user] + own_i[item] + product);
            }
        });
        self.fresh = true;
    }

    #[cfg(test)]
    pub(super) fn intercept(&self) -> f32 {
        self.common[1]
    }

    fn squares(&self) -> f64 {
        self.users.errors.iter().map(|&error| f64::from(error).powi(2)).sum()
    }

    /// α and the intercept.
    fn draw_common(&mut self, rng: &mut ChaCha8Rng) {
        let n = self.ratings.len() as f64;
        let centre = self.users.errors.iter().map(|&error| f64::from(error)).sum::<f64>() / n;
        let change = match self.choice {
            Choice::Best(_) => centre,
            Choice::Drawn => {
                let alpha = draw_gamma(rng, SHAPE + n, RATE + self.squares());
                self.common[0] = alpha as f32;
                let noise: f64 = StandardNormal.sample(rng);
                centre + noise / (alpha * n).sqrt()
            }
        };
        let before = self.common[1];
        self.common[1] = (f64::from(before) + change) as f32;
        let change = self.common[1] - before;
        self.users.errors.iter_mut().for_each(|error| *error -= change);
    }

    /// Every number once; `false` when `go_on` said no. The errors end in the order of the items.
    pub(super) fn sweeps(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> bool {
        let mut rng = stream(self.seed, GIBBS_STREAM + round);
        self.draw_common(&mut rng);
        self.fresh = false;
        for factor in 0..=self.settings.factors {
            if !go_on() {
                return false;
            }
            self.sweep(factor, factor > 0, &mut rng);
        }
        true
    }

    /// Both sides of the weights (`factor` 0), or of a factor (from 1).
    fn sweep(&mut self, factor: usize, newer: bool, rng: &mut ChaCha8Rng) {
        let alpha = f64::from(self.common[0]);
        let (users, items) = (&mut self.users, &mut self.items);
        if self.choice == Choice::Drawn {
            draw_hyper(users, items, factor, self.settings.one_group, rng);
        }
        users.pass(factor, items, newer, alpha, self.choice, rng);
        items.pass(factor, users, true, alpha, self.choice, rng);
    }

    /// Number of kept samples after this many rounds.
    fn kept_after(&self, rounds: u64) -> usize {
        let (samples, burn_in) = (self.kept.samples(), self.settings.burn_in());
        match self.choice {
            Choice::Best(_) => usize::from(rounds as usize == self.settings.iterations),
            Choice::Drawn => (rounds as usize).saturating_sub(burn_in) * samples / (self.settings.iterations - burn_in),
        }
    }

    fn keep(&mut self, place: usize) {
        let (alpha, intercept, k) = (self.common[0], self.common[1], self.settings.factors);
        // A new user's numbers: the weight's and each factor's λ and μ of the field of the ids.
        let of_ids = |factor: usize| &self.users.hyper(factor)[..2];
        let mut penalties: Vec<f32> = (1..=k).chain([0]).map(|factor| of_ids(factor)[0] / alpha).collect();
        let mut unknown: Vec<f32> = (1..=k).chain([0]).map(|factor| of_ids(factor)[1]).collect();
        if let Choice::Best(penalty) = self.choice {
            penalties.fill(penalty);
            unknown.fill(0.0);
        }
        self.kept.add(
            place,
            &Sample {
                intercept,
                users: (&self.users.numbers, &self.users.expanded),
                items: (&self.items.numbers, &self.items.expanded),
                penalties: &penalties,
                unknown: &unknown,
            },
        );
    }
}

impl Half<'_> {
    /// One pass; `other` is the side whose numbers stay.
    fn pass(&mut self, factor: usize, other: &Half<'_>, newer: bool, alpha: f64, choice: Choice, rng: &mut ChaCha8Rng) {
        let n_features = self.block.side.n_features();
        let n_fields = self.block.side.n_fields;
        let mut noise = Vec::new();
        let fields: Vec<(f64, f64)> = match choice {
            Choice::Best(penalty) => vec![(f64::from(penalty), 0.0); n_fields],
            Choice::Drawn => {
                noise = (0..n_features).map(|_| StandardNormal.sample(rng)).collect();
                self.hyper(factor).chunks_exact(2).map(|pair| (f64::from(pair[0]), f64::from(pair[1]))).collect()
            }
        };
        let per_row = matches!(choice, Choice::Best(_));
        let prior = Prior { alpha: if per_row { 1.0 } else { alpha }, fields: &fields, per_row, noise: &noise };
        let newer = newer.then_some(&other.errors[..]);
        let errors = &mut self.errors[..];
        if let Some(f) = factor.checked_sub(1) {
            let theta = &mut self.numbers.vectors[f * n_features..][..n_features];
            let (n, m) = (self.block.side.len(), other.block.side.len());
            let sums = &mut self.expanded.sums[f * n..][..n];
            let partner = &other.expanded.sums[f * m..][..m];
            self.block.sweep::<false>(Pass { theta, sums, partner, errors, newer }, &prior);
        } else {
            let theta = &mut self.numbers.weights[..];
            let sums = &mut vec![0.0; self.block.side.len()][..];
            self.block.sweep::<true>(Pass { theta, sums, partner: &[], errors, newer }, &prior);
        }
    }
}

/// Count, sum and sum of squares of some numbers.
#[derive(Debug, Clone, Copy, Default)]
struct Tally(f64, f64, f64);

impl Tally {
    fn plus(self, other: Self) -> Self {
        Self(self.0 + other.0, self.1 + other.1, self.2 + other.2)
    }

    /// λ and μ given these numbers and the μ before.
    fn draw(self, mean: f32, rng: &mut ChaCha8Rng) -> [f32; 2] {
        let (Self(n, sum, squares), mean) = (self, f64::from(mean));
        let around = (squares - 2.0 * mean * sum + n * mean * mean).max(0.0);
        let lambda = draw_gamma(rng, SHAPE + n + 1.0, RATE + around + STRENGTH * mean * mean);
        let noise: f64 = StandardNormal.sample(rng);
        let mean = sum / (n + STRENGTH) + noise / ((n + STRENGTH) * lambda).sqrt();
        [lambda as f32, mean as f32]
    }
}

impl Half<'_> {
    /// λ and μ of each field, of the weights (`factor` 0) or of a factor.
    fn hyper(&self, factor: usize) -> &[f32] {
        let pairs = 2 * self.block.side.n_fields;
        &self.hyper[factor * pairs..][..pairs]
    }

    fn hyper_mut(&mut self, factor: usize) -> &mut [f32] {
        let pairs = 2 * self.block.side.n_fields;
        &mut self.hyper[factor * pairs..][..pairs]
    }

    /// Of the numbers of each field. Those that no row has say nothing.
    fn tallies(&self, factor: usize) -> Vec<Tally> {
        let (side, n) = (self.block.side, self.block.side.n_features());
        let theta = factor.checked_sub(1).map_or(&self.numbers.weights[..], |f| &self.numbers.vectors[f * n..][..n]);
        let mut tallies = vec![Tally::default(); side.n_fields];
        for (feature, (&value, _)) in theta.iter().zip(&self.block.rows).enumerate().filter(|(_, (_, rows))| **rows > 0)
        {
            let field = feature.checked_sub(side.len()).map_or(0, |attribute| side.field[attribute] as usize);
            let value = f64::from(value);
            tallies[field] = tallies[field].plus(Tally(1.0, value, value * value));
        }
        tallies
    }
}

/// λ and μ of each field, or one of each for all features of both sides.
fn draw_hyper<'a>(users: &mut Half<'a>, items: &mut Half<'a>, factor: usize, one_group: bool, rng: &mut ChaCha8Rng) {
    let (of_users, of_items) = (users.tallies(factor), items.tallies(factor));
    if one_group {
        let all = of_users.into_iter().chain(of_items).fold(Tally::default(), Tally::plus);
        let drawn = all.draw(users.hyper(factor)[1], rng);
        for half in [users, items] {
            half.hyper_mut(factor).chunks_exact_mut(2).for_each(|pair| pair.copy_from_slice(&drawn));
        }
        return;
    }
    for (half, tallies) in [(users, of_users), (items, of_items)] {
        for (pair, tally) in half.hyper_mut(factor).chunks_exact_mut(2).zip(tallies) {
            let drawn = tally.draw(pair[1], rng);
            pair.copy_from_slice(&drawn);
        }
    }
}

/// From `Γ(shape / 2, rate / 2)`.
fn draw_gamma(rng: &mut ChaCha8Rng, shape: f64, rate: f64) -> f64 {
    // Both are above 0, as the hyper-priors' are; without a finite rate the fit has diverged, which its loss will say.
    Gamma::new(shape / 2.0, 2.0 / rate).map_or(f64::NAN, |gamma| gamma.sample(rng))
}

/// What a sweep changes.
fn moved<'f>(common: &'f mut Vec<f32>, halves: [&'f mut Half<'_>; 2]) -> Vec<&'f mut Vec<f32>> {
    let of = |half: &'f mut Half<'_>| [&mut half.numbers.weights, &mut half.numbers.vectors, &mut half.hyper];
    [common].into_iter().chain(halves.into_iter().flat_map(of)).collect()
}

impl Learner for Coordinate<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let mut all = moved(&mut self.common, [&mut self.users, &mut self.items]);
        all.extend(self.kept.numbers());
        all
    }

    /// With what is made of them, where products overflow first; what is kept of users and items is a copy of these.
    fn moving(&mut self) -> Vec<&mut Vec<f32>> {
        let Self { common, users, items, kept, .. } = self;
        let made = [users, items].map(|half| {
            let Half { numbers, hyper, expanded, .. } = half;
            [&mut numbers.weights, &mut numbers.vectors, hyper, &mut expanded.sums, &mut expanded.own]
        });
        [common].into_iter().chain(made.into_iter().flatten()).chain(kept.of_newcomers()).collect()
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(self.ratings)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        if !self.fresh {
            self.refresh();
        }
        if !self.sweeps(round, go_on) {
            return Ok(None);
        }
        self.refresh();
        let before = self.kept_after(round);
        if self.kept_after(round + 1) > before {
            self.keep(before);
        }
        Ok(Some(self.squares() / self.ratings.len() as f64))
    }
}
