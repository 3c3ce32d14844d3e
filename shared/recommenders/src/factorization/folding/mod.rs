//! How the vector of somebody who came after the training is found, with the items as they are.

mod logistic;
mod nonnegative;
pub(crate) mod pairwise;
mod ridge;

use recspeed_data::parts::expect_len;

pub(super) use logistic::Logistic;
pub(super) use nonnegative::NonNegative;
pub(super) use ridge::Ridge;

use crate::{BasketItem, Parts, PartsError};
use pairwise::Pairwise;

/// The vectors of all items, `[n, d]`, each `(q, b, 1)`; those of users are `(p, 1, a)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Items<'a> {
    pub(crate) vectors: &'a [f32],
    /// Length of a vector.
    pub(crate) d: usize,
}

impl<'a> Items<'a> {
    pub(crate) fn of(self, item: u32) -> &'a [f32] {
        &self.vectors[item as usize * self.d..][..self.d]
    }

    /// Length of the `q`.
    pub(crate) const fn free(self) -> usize {
        self.d - 2
    }
}

/// How a new user's vector is found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Folding {
    /// Not at all: models of an earlier version of the lab, which had none for these.
    None,
    Ridge(Ridge),
    Logistic(Logistic),
    NonNegative(NonNegative),
    Pairwise(Pairwise),
}

impl Folding {
    pub(super) fn fold(&self, items: Items<'_>, basket: &[BasketItem]) -> Vec<f32> {
        match self {
            Self::None => {
                let mut nobody = vec![0.0; items.d];
                nobody[items.free()] = 1.0;
                nobody
            }
            Self::Ridge(ridge) => ridge.fold(items, basket),
            Self::Logistic(logistic) => logistic.fold(items, basket),
            Self::NonNegative(factors) => factors.fold(items, basket),
            Self::Pairwise(pairs) => pairs.fold(items, basket),
        }
    }

    /// Numbers that were learnt.
    pub(super) const fn learnt_bytes(&self) -> usize {
        if let Self::Ridge(ridge) = self { size_of::<f32>() * ridge.implicit.len() } else { 0 }
    }

    /// Data that answers need.
    pub(super) const fn known_bytes(&self) -> usize {
        if let Self::Pairwise(pairs) = self { pairs.bytes() } else { 0 }
    }

    /// `d`: length of an item's vector.
    pub(super) fn add_to(&self, parts: Parts, d: usize) -> Parts {
        match self {
            Self::None => parts.with_list("folding.none", &[]),
            Self::Ridge(ridge) => parts
                .with_list("folding.ridge", &[ridge.regularization, ridge.mean, f32::from(ridge.biased)])
                .with_matrix("folding.implicit", d - 2, &ridge.implicit),
            Self::Logistic(Logistic { regularization, bias_regularization, mean, scale: (low, width) }) => {
                parts.with_list("folding.logistic", &[*regularization, *bias_regularization, *mean, *low, *width])
            }
            Self::NonNegative(NonNegative { regularization, mean }) => {
                parts.with_list("folding.nonnegative", &[*regularization, *mean])
            }
            Self::Pairwise(pairs) => parts.with_model("folding", pairs.to_parts()),
        }
    }

    /// The inverse of [`Self::add_to`]; `pairwise` makes those of the methods that learn from pairs, whose settings the
    /// spec has.
    pub(super) fn take_from(
        parts: &mut Parts,
        (n_items, d): (usize, usize),
        pairwise: impl FnOnce(Parts, usize) -> Result<Pairwise, PartsError>,
    ) -> Result<Self, PartsError> {
        if parts.take("folding.none").is_ok() {
            return Ok(Self::None);
        }
        if parts.has("folding.logistic") {
            let numbers = parts.take_list("folding.logistic")?;
            expect_len("folding.logistic", numbers.len(), 5)?;
            let scale = (numbers[3], numbers[4]);
            let [regularization, bias_regularization, mean] = [numbers[0], numbers[1], numbers[2]];
            return Ok(Self::Logistic(Logistic { regularization, bias_regularization, mean, scale }));
        }
        if parts.has("folding.nonnegative") {
            let numbers = parts.take_list("folding.nonnegative")?;
            expect_len("folding.nonnegative", numbers.len(), 2)?;
            return Ok(Self::NonNegative(NonNegative { regularization: numbers[0], mean: numbers[1] }));
        }
        if parts.has("folding.known") {
            return pairwise(parts.take_model("folding"), n_items).map(Self::Pairwise);
        }
        let numbers = parts.take_list("folding.ridge")?;
        expect_len("folding.ridge", numbers.len(), 3)?;
        let (rows, columns, implicit) = parts.take_matrix("folding.implicit")?;
        expect_len("folding.implicit", columns + 2, d)?;
        if rows > 0 {
            expect_len("folding.implicit", rows, n_items)?;
        }
        Ok(Self::Ridge(Ridge { regularization: numbers[0], mean: numbers[1], biased: numbers[2] != 0.0, implicit }))
    }
}
