//! What each interaction counts when items are compared.

use std::borrow::Cow;

use recspeed_data::Csr;

use crate::item_to_item::Weighting;
use crate::{FitError, TrainSet};

/// Users × items and items × users, with what is compared in place of the ratings.
pub(super) struct Weights<'a> {
    pub(super) by_user: Cells<'a>,
    pub(super) by_item: Cells<'a>,
}

/// A sparse matrix with other numbers in its cells.
pub(super) struct Cells<'a> {
    shape: &'a Csr,
    values: Cow<'a, [f32]>,
}

impl<'a> Cells<'a> {
    fn of(shape: &'a Csr, value: impl Fn(usize, usize, f32) -> f32) -> Self {
        let row = |row: usize| {
            let (columns, ratings) = shape.row(row);
            let value = &value;
            columns.iter().zip(ratings).map(move |(&column, &rating)| value(row, column as usize, rating))
        };
        // At once as long as they become: what grows on the way is twice as much for a while.
        let mut values = Vec::with_capacity(shape.nnz());
        values.extend((0..shape.n_rows()).flat_map(row));
        Self { shape, values: values.into() }
    }

    pub(super) const fn shape(&self) -> &'a Csr {
        self.shape
    }

    pub(super) fn n_rows(&self) -> usize {
        self.shape.n_rows()
    }

    #[inline]
    pub(super) fn row(&self, row: usize) -> (&[u32], &[f32]) {
        let range = self.shape.indptr[row]..self.shape.indptr[row + 1];
        (&self.shape.indices[range.clone()], &self.values[range])
    }

    /// Euclidean length of each row.
    pub(super) fn lengths(&self) -> Vec<f64> {
        let squares = |row: usize| self.row(row).1.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
        (0..self.n_rows()).map(|row| squares(row).sqrt()).collect()
    }
}

/// What each user has, laid out for reading it user by user in no order.
pub(super) struct Baskets {
    starts: Vec<usize>,
    /// Items with their weights.
    entries: Vec<(u32, f32)>,
    /// Whether a user has more than one item: what somebody has alone, it has in common with nothing.
    several: Vec<bool>,
}

impl Baskets {
    pub(super) fn new(by_user: &Cells<'_>) -> Self {
        let starts = by_user.shape.indptr.clone();
        Self {
            several: starts.windows(2).map(|ends| ends[1] - ends[0] > 1).collect(),
            entries: by_user.shape.indices.iter().copied().zip(by_user.values.iter().copied()).collect(),
            starts,
        }
    }

    #[inline(always)]
    pub(super) fn of(&self, user: u32) -> &[(u32, f32)] {
        &self.entries[self.starts[user as usize]..self.starts[user as usize + 1]]
    }

    #[inline(always)]
    pub(super) fn has_several(&self, user: u32) -> bool {
        self.several[user as usize]
    }
}

impl<'a> Weights<'a> {
    /// What `value` makes of user, item and rating.
    fn of(data: &'a TrainSet<'_>, value: impl Fn(usize, usize, f32) -> f32) -> Self {
        Self {
            by_user: Cells::of(&data.by_user, &value),
            by_item: Cells::of(&data.by_item, |item, user, rating| value(user, item, rating)),
        }
    }

    /// The ratings, or 1 for each.
    pub(super) fn plain(data: &'a TrainSet<'_>, weighting: Weighting) -> Self {
        if weighting == Weighting::Binary {
            return Self::of(data, |_, _, _| 1.0);
        }
        let cells = |shape: &'a Csr| Cells { shape, values: Cow::Borrowed(&shape.values) };
        Self { by_user: cells(&data.by_user), by_item: cells(&data.by_item) }
    }

    /// How far each rating lies above the mean of its user's.
    pub(super) fn centred_by_user(data: &'a TrainSet<'_>) -> Self {
        let means = row_means(&data.by_user);
        Self::of(data, |user, _, rating| deviation(rating, means[user]))
    }

    /// How far each rating lies above the mean of its item's: a correlation is the same, and its sums lose fewer digits.
    pub(super) fn centred_by_item(data: &'a TrainSet<'_>) -> Self {
        let means = row_means(&data.by_item);
        Self::of(data, |_, item, rating| deviation(rating, means[item]))
    }

    /// `√w · idf(u)`: what users with few items have counts more.
    pub(super) fn tf_idf(data: &'a TrainSet<'_>, weighting: Weighting) -> Result<Self, FitError> {
        refuse_negative(data, weighting)?;
        let idf = idf(data);
        Ok(Self::of(data, |user, _, rating| (f64::from(weighting.of(rating)).sqrt() * idf[user]) as f32))
    }

    /// `w (k₁ + 1) / (w + k₁ (1 − b + b · l_i / l̄)) · idf(u)` with `l_i` the sum of the item's weights and `l̄` its mean.
    pub(super) fn bm25(data: &'a TrainSet<'_>, weighting: Weighting, k1: f64, b: f64) -> Result<Self, FitError> {
        refuse_negative(data, weighting)?;
        let idf = idf(data);
        let sum = |item: usize| data.by_item.row(item).1.iter().map(|&r| f64::from(weighting.of(r))).sum::<f64>();
        let lengths: Vec<f64> = (0..data.n_items()).map(sum).collect();
        let known = lengths.iter().filter(|&&length| length > 0.0).count();
        let mean = lengths.iter().sum::<f64>() / known.max(1) as f64;
        Ok(Self::of(data, |user, item, rating| {
            let weight = f64::from(weighting.of(rating));
            let saturation = weight + k1 * (1.0 - b + b * lengths[item] / mean.max(f64::MIN_POSITIVE));
            // A weight of 0 with k₁ = 0 or in an item of length 0 says nothing.
            if saturation > 0.0 { (weight * (k1 + 1.0) / saturation * idf[user]) as f32 } else { 0.0 }
        }))
    }
}

fn refuse_negative(data: &TrainSet<'_>, weighting: Weighting) -> Result<(), FitError> {
    if weighting == Weighting::Rating { data.refuse_negative_weights() } else { Ok(()) }
}

/// `ln(n / (1 + n_u))` of each user, with `n` items that somebody has, and `n_u` of them the user's.
fn idf(data: &TrainSet<'_>) -> Vec<f64> {
    let known = (0..data.n_items()).filter(|&item| !data.by_item.row(item).0.is_empty()).count() as f64;
    (0..data.n_users()).map(|user| (known / (1.0 + data.by_user.row(user).0.len() as f64)).ln()).collect()
}

/// How far a rating lies above a mean; what rounding leaves of equal ratings is 0.
fn deviation(rating: f32, mean: f64) -> f32 {
    let deviation = f64::from(rating) - mean;
    if deviation.abs() > 1e-9 * mean.abs() { deviation as f32 } else { 0.0 }
}

/// Mean of each row's values; 0 for an empty one.
fn row_means(csr: &Csr) -> Vec<f64> {
    let mean = |row: usize| {
        let values = csr.row(row).1;
        values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len().max(1) as f64
    };
    (0..csr.n_rows()).map(mean).collect()
}
