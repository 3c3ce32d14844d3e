//! One pass over the numbers of one side, for the weights or for one factor.
//!
//! A number θ changes the prediction of a row by `h θ`; for a weight `h = x`, and for a factor `h = x (P − x v + Q)` with `P`
//! the sum of the row's own side and `Q` that of the other. Least squares with a normal prior gives θ the precision
//! `α Σ h² + λ` and the mean `(α Σ h (e + h θ) + λ μ) / precision`; ALS takes the mean, the Gibbs sampler draws. All rows of an
//! entity share `x` and `P`, so that their sums `Σ 1, Σ Q, Σ Q², Σ e, Σ e Q` are enough: they are gathered once and kept up to
//! date while the numbers change, and the rows hear of it once, at the end. So a pass costs as much as there are rows and
//! entries in the block, however many attributes an entity has.
//! Sources: Rendle, "Factorization Machines with libFM", doi:10.1145/2168752.2168771; Rendle, "Scaling Factorization Machines
//! to Relational Data", doi:10.14778/2535573.2535581.

use std::ops::Range;

use rayon::prelude::*;
use recspeed_data::Csr;

use super::rows::Order;
use crate::machines::features::Side;

/// Rows of a piece of work, some tens of microseconds.
const ROWS_OF_A_PIECE: usize = 16_384;

/// One side, with what a pass over it needs.
pub(super) struct Block<'a> {
    pub(super) side: &'a Side,
    pub(super) order: &'a Order,
    /// Attributes × entities.
    by_attribute: Csr,
    /// Training rows of each feature.
    pub(super) rows: Vec<u64>,
    pieces: Vec<usize>,
}

/// What the numbers are drawn towards.
pub(super) struct Prior<'a> {
    /// Precision of a rating, α.
    pub(super) alpha: f64,
    /// λ and μ of each field.
    pub(super) fields: &'a [(f64, f64)],
    /// Whether λ counts once for each row that has the feature.
    pub(super) per_row: bool,
    /// A standard normal number for each feature, or none: then the mean is taken.
    pub(super) noise: &'a [f64],
}

/// Sums over the rows of an entity, and what its numbers have changed so far.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    q: f64,
    qq: f64,
    e: f64,
    eq: f64,
    /// The rows' errors are to fall by `constant + slope · Q`.
    constant: f64,
    slope: f64,
}

impl Sums {
    /// `Σ h²` and `Σ h e` of a feature with value `x`, where the rest of the row's own side is `a`.
    fn moments(&self, x: f64, a: f64) -> (f64, f64) {
        (x * x * (self.count * a * a + 2.0 * a * self.q + self.qq), x * (a * self.e + self.eq))
    }

    /// The number of that feature grows by `change`.
    fn apply(&mut self, x: f64, a: f64, change: f64) {
        let change = x * change;
        self.e -= change * (a * self.count + self.q);
        self.eq -= change * (a * self.q + self.qq);
        self.constant += change * a;
        self.slope += change;
    }
}

impl Prior<'_> {
    /// The new value of a number.
    fn choose(&self, feature: usize, field: usize, rows: u64, theta: f32, (hh, he): (f64, f64)) -> f32 {
        let (lambda, mean) = self.fields[field];
        if rows == 0 {
            // Nothing is known of it but its field; a draw would only add noise.
            return mean as f32;
        }
        let theta = f64::from(theta);
        let lambda = if self.per_row { lambda * rows as f64 } else { lambda };
        let precision = self.alpha * hh + lambda;
        if precision < 1e-12 {
            return theta as f32;
        }
        let centre = (self.alpha * (he + hh * theta) + lambda * mean) / precision;
        (centre + self.noise.get(feature).map_or(0.0, |noise| noise / precision.sqrt())) as f32
    }
}

/// The numbers of a pass. `LINEAR`: they are weights, `sums` and `partner` are not looked at.
pub(super) struct Pass<'a> {
    /// `[n_features]`
    pub(super) theta: &'a mut [f32],
    /// `Σ x θ` of each entity of the side.
    pub(super) sums: &'a mut [f32],
    /// `Σ x θ` of each entity of the other side.
    pub(super) partner: &'a [f32],
    /// Errors of the rows in the order of the side.
    pub(super) errors: &'a mut [f32],
    /// Errors in the order of the other side, where they are newer.
    pub(super) newer: Option<&'a [f32]>,
}

impl<'a> Block<'a> {
    pub(super) fn new(side: &'a Side, order: &'a Order) -> Self {
        Self {
            side,
            order,
            by_attribute: side.attributes.transpose(side.field.len()),
            rows: side.rows_of_features(),
            pieces: order.pieces(ROWS_OF_A_PIECE),
        }
    }

    /// Calls `work(entity, its rows, their errors)` for each entity, in pieces side by side.
    pub(super) fn each_entity(&self, errors: &mut [f32], work: impl Fn(usize, Range<usize>, &mut [f32]) + Sync) {
        let starts = &self.order.starts;
        self.pieces_of(&mut [], &mut [], errors, &mut []).into_par_iter().for_each(|piece| {
            let Piece { first, end, mut errors, .. } = piece;
            for entity in first..end {
                let rows = starts[entity]..starts[entity + 1];
                let own = take(&mut errors, rows.len());
                work(entity, rows, own);
            }
        });
    }

    /// Every number of the pass anew.
    pub(super) fn sweep<const LINEAR: bool>(&self, pass: Pass<'_>, prior: &Prior<'_>) {
        let n = self.side.len();
        let Pass { theta, sums, partner, errors, newer } = pass;
        let (own, of_attributes) = theta.split_at_mut(n);
        let has_attributes = !of_attributes.is_empty();
        let mut kept = vec![Sums::default(); if has_attributes { n } else { 0 }];
        let work = self.pieces_of(own, sums, errors, &mut kept);
        work.into_par_iter().for_each(|piece| self.own_numbers::<LINEAR>(piece, partner, newer, prior));
        if !has_attributes {
            return;
        }
        for (attribute, theta) in of_attributes.iter_mut().enumerate() {
            let (entities, values) = self.by_attribute.row(attribute);
            let having = || entities.iter().map(|&entity| entity as usize).zip(values.iter().map(|&x| f64::from(x)));
            let rest = |entity: usize, x: f64, theta: f32, sums: &[f32]| {
                if LINEAR { 1.0 } else { f64::from(sums[entity]) - x * f64::from(theta) }
            };
            let moments = having().fold((0.0, 0.0), |(hh, he), (entity, x)| {
                let more = kept[entity].moments(x, rest(entity, x, *theta, sums));
                (hh + more.0, he + more.1)
            });
            let (feature, field) = (n + attribute, self.side.field[attribute] as usize);
            let before = *theta;
            *theta = prior.choose(feature, field, self.rows[feature], before, moments);
            let change = f64::from(*theta) - f64::from(before);
            for (entity, x) in having() {
                kept[entity].apply(x, rest(entity, x, before, sums), change);
                sums[entity] = (f64::from(sums[entity]) + x * change) as f32;
            }
        }
        let work = self.pieces_of(own, sums, errors, &mut kept);
        work.into_par_iter().for_each(|piece| {
            let Piece { first, errors, kept, .. } = piece;
            let start = self.order.starts[first];
            for (entity, change) in kept.iter().enumerate() {
                let rows = self.order.starts[first + entity]..self.order.starts[first + entity + 1];
                let of_entity = &mut errors[rows.start - start..rows.end - start];
                tell::<LINEAR>(of_entity, &self.order.partner[rows], partner, change);
            }
        });
    }

    /// The numbers of a piece's own entities, which no other entity has.
    fn own_numbers<const LINEAR: bool>(
        &self,
        piece: Piece<'_>,
        partner: &[f32],
        newer: Option<&[f32]>,
        prior: &Prior<'_>,
    ) {
        let Piece { first, theta, sums, errors, kept, .. } = piece;
        let start = self.order.starts[first];
        for (at, (theta, sum)) in theta.iter_mut().zip(sums).enumerate() {
            let entity = first + at;
            let rows = self.order.starts[entity]..self.order.starts[entity + 1];
            let partners = &self.order.partner[rows.clone()];
            let errors = &mut errors[rows.start - start..rows.end - start];
            if let Some(newer) = newer {
                errors.iter_mut().zip(&self.order.from[rows]).for_each(|(e, &at)| *e = newer[at as usize]);
            }
            let mut own = gather::<LINEAR>(errors, partners, partner);
            let a = if LINEAR { 1.0 } else { f64::from(*sum) - f64::from(*theta) };
            let before = *theta;
            *theta = prior.choose(entity, 0, errors.len() as u64, before, own.moments(1.0, a));
            let change = f64::from(*theta) - f64::from(before);
            own.apply(1.0, a, change);
            *sum = (f64::from(*sum) + change) as f32;
            match kept.get_mut(at) {
                Some(kept) => *kept = own,
                None => tell::<LINEAR>(errors, partners, partner, &own),
            }
        }
    }

    /// Slices of the entities of each piece.
    fn pieces_of<'b>(
        &self,
        mut theta: &'b mut [f32],
        mut sums: &'b mut [f32],
        mut errors: &'b mut [f32],
        mut kept: &'b mut [Sums],
    ) -> Vec<Piece<'b>> {
        let mut first = 0;
        let mut pieces = Vec::with_capacity(self.pieces.len());
        for &end in &self.pieces {
            let entities = end - first;
            let rows = self.order.starts[end] - self.order.starts[first];
            pieces.push(Piece {
                first,
                end,
                theta: take(&mut theta, entities),
                sums: take(&mut sums, entities),
                errors: take(&mut errors, rows),
                kept: take(&mut kept, entities),
            });
            first = end;
        }
        pieces
    }
}

/// Some entities and their rows.
struct Piece<'a> {
    first: usize,
    end: usize,
    theta: &'a mut [f32],
    sums: &'a mut [f32],
    errors: &'a mut [f32],
    /// Of each entity, or empty where nobody will ask.
    kept: &'a mut [Sums],
}

/// The first `n` of a slice, or fewer where there are not so many.
#[expect(clippy::mut_mut, reason = "the rest of the slice stays with the caller")]
fn take<'a, T>(slice: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    slice.split_off_mut(..n.min(slice.len())).unwrap_or_default()
}

fn gather<const LINEAR: bool>(errors: &[f32], partners: &[u32], partner: &[f32]) -> Sums {
    let mut sums = Sums { count: errors.len() as f64, ..Sums::default() };
    for (&e, &other) in errors.iter().zip(partners) {
        let e = f64::from(e);
        sums.e += e;
        if !LINEAR {
            let q = f64::from(partner[other as usize]);
            sums.q += q;
            sums.qq += q * q;
            sums.eq += e * q;
        }
    }
    sums
}

/// The rows of an entity hear what its numbers changed.
fn tell<const LINEAR: bool>(errors: &mut [f32], partners: &[u32], partner: &[f32], change: &Sums) {
    let (constant, slope) = (change.constant as f32, change.slope as f32);
    for (e, &other) in errors.iter_mut().zip(partners) {
        *e -= if LINEAR { constant } else { constant + slope * partner[other as usize] };
    }
}
