//! Alternating least squares on ratings.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_dense::{Cholesky, Into, Matrix, add_scaled, dot, multiply};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;

use super::solve::{BLOCK_ROWS, group_rows};
use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::error::reserve;
use crate::factorization::draws::{ITEMS_STREAM, normal, stream};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::{Folding, Ridge};
use crate::fit::{FitRequest, Method};
use crate::memory::vectors;
use crate::{FitError, TrainSet};

pub(crate) const METHOD: Method = Method {
    kind: "als-explicit",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(FactorModel::restore(parts)?)),
};

/// Standard deviation of the items' first numbers; Zhou et al. take small ones.
const INITIAL: f32 = 0.1;
/// Entries whose vectors are multiplied at once.
pub(crate) const CHUNK: usize = 512;
/// Times that λ is raised tenfold for a system that is singular within f32.
const RAISES: i32 = 12;

/// Minimises `Σ (r_ui − μ − b_u − b_i − p_u·q_i)² + λ (Σ_u n_u (‖p_u‖² + b_u²) + Σ_i n_i (‖q_i‖² + b_i²))` over the ratings,
/// `n` being how many each has; without biases the `b` are 0. Users and items are solved in turn, each exactly.
/// Source: Zhou, Wilkinson, Schreiber, Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
/// doi:10.1007/978-3-540-68880-8_32, where `μ` and the biases are left out.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let mut learner = Explicit::new(request)?;
    course::take(&mut learner, request.recommender.integer("iterations") as u64, observer)?;
    let Explicit { data, factors, biased, regularization, mean, users, items, .. } = learner;
    let width = factors + usize::from(biased);
    // The bias stands behind its vector already, where there are biases.
    let bias = |row: &[f32]| if biased { row[factors] } else { 0.0 };
    let augment = |rows: Vec<f32>, is_user: bool| {
        FactorModel::lengthen(rows, width, factors + 2, |_, row| {
            let bias = bias(row);
            row[factors..].copy_from_slice(&if is_user { [1.0, mean + bias] } else { [bias, 1.0] });
        })
    };
    Ok(FactorModel {
        d: factors + 2,
        users: augment(users, true),
        items: augment(items, false),
        scale: None,
        folding: Folding::Ridge(Ridge { regularization, mean, biased, implicit: Vec::new() }),
        own: Some(Arc::clone(&data.by_user)),
    })
}

struct Explicit<'a> {
    data: &'a TrainSet<'a>,
    factors: usize,
    biased: bool,
    regularization: f32,
    mean: f32,
    /// `[n_users, factors]`, with the bias behind each vector where there are biases.
    users: Vec<f32>,
    /// As the users'.
    items: Vec<f32>,
}

impl<'a> Explicit<'a> {
    fn new(request: &FitRequest<'a>) -> Result<Self, FitError> {
        let (data, recommender) = (request.data, request.recommender);
        let factors = recommender.integer("factors") as usize;
        let biased = recommender.boolean("biases");
        let width = factors + usize::from(biased);
        let (what, remedy) = (vectors::WHAT, vectors::remedy(Predicts::Ratings));
        let users = reserve(data.n_users().checked_mul(width), what, remedy)?;
        let mut items: Vec<f32> = reserve(data.n_items().checked_mul(width), what, remedy)?;
        let mut rng = stream(request.seed, ITEMS_STREAM);
        for (item, vector) in items.chunks_exact_mut(width).enumerate() {
            // An item without rows keeps the zeros that solving would give it.
            if !data.by_item.row(item).0.is_empty() {
                vector[..factors].iter_mut().for_each(|value| *value = normal(&mut rng, INITIAL));
            }
        }
        Ok(Self {
            data,
            factors,
            biased,
            regularization: recommender.float("regularization") as f32,
            mean: data.global_mean().ok_or(FitError::NoRows)? as f32,
            users,
            items,
        })
    }

    fn side<'b>(&'b self, entries: &'b Csr, other: &'b [f32]) -> Side<'b> {
        let Self { factors, biased, regularization, mean, .. } = *self;
        Side { entries, other, factors, width: factors + usize::from(biased), lambda: regularization, mean }
    }
}

impl Learner for Explicit<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(&self.data.by_user.values)
    }

    fn round(&mut self, _: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let mut users = std::mem::take(&mut self.users);
        let solved = self.side(&self.data.by_user, &self.items).solve(&mut users, go_on);
        self.users = users;
        if !solved {
            return Ok(None);
        }
        let mut items = std::mem::take(&mut self.items);
        let solved = self.side(&self.data.by_item, &self.users).solve(&mut items, go_on);
        self.items = items;
        if !solved {
            return Ok(None);
        }
        Ok(Some(self.side(&self.data.by_user, &self.items).mean_square(&self.users)))
    }
}

/// The systems of one side: `(Σ z zᵀ + λ n I) x = Σ (r − μ − b) z` over a row's `n` entries, with `z` the vector of the other
/// side's end and, where there are biases, 1 behind it, and `b` that end's bias.
#[derive(Clone, Copy)]
struct Side<'a> {
    entries: &'a Csr,
    /// `[n, width]`
    other: &'a [f32],
    factors: usize,
    /// `factors`, and one more with biases.
    width: usize,
    lambda: f32,
    mean: f32,
}

impl<'a> Side<'a> {
    /// Rating less what is known of it, and vector, of each entry of a row.
    #[inline(always)]
    fn entries_of(&self, row: usize) -> impl Iterator<Item = (f32, &'a [f32])> + use<'a> {
        let (columns, ratings) = self.entries.row(row);
        let Self { other, factors, width, mean, .. } = *self;
        columns.iter().zip(ratings).map(move |(&column, &rating)| {
            let vector = &other[column as usize * width..][..width];
            let bias = if width > factors { vector[factors] } else { 0.0 };
            (rating - mean - bias, &vector[..factors])
        })
    }

    /// Solves for all `vectors`, `[n_rows, width]`; whether `go_on` let it come to the end.
    fn solve(&self, vectors: &mut [f32], go_on: &mut dyn FnMut() -> bool) -> bool {
        let width = self.width as f64;
        let arch = Arch::new();
        let (mut first, mut rest) = (0, vectors);
        while !rest.is_empty() {
            if !go_on() {
                return false;
            }
            let rows = group_rows(self.entries, first, width.powi(3) / 3.0, 2.0 * width * width);
            let (group, after) = rest.split_at_mut(rows * self.width);
            group.par_chunks_mut(BLOCK_ROWS * self.width).enumerate().for_each_init(
                || Scratch::new(self.width),
                |scratch, (block, vectors)| {
                    arch.dispatch(SolveRows { side: *self, first: first + block * BLOCK_ROWS, vectors, scratch });
                },
            );
            first += rows;
            rest = after;
        }
        true
    }

    /// Mean squared error over the ratings of this side's `vectors`.
    fn mean_square(&self, vectors: &[f32]) -> f64 {
        // Blocks are added in their order, whatever thread computed them.
        let blocks: Vec<f64> = vectors
            .par_chunks(BLOCK_ROWS * self.width)
            .enumerate()
            .map(|(block, vectors)| Arch::new().dispatch(Squares { side: *self, first: block * BLOCK_ROWS, vectors }))
            .collect();
        blocks.iter().sum::<f64>() / self.entries.nnz() as f64
    }
}

struct Scratch {
    /// Vectors of the row's entries, up to `CHUNK` of them.
    z: Vec<f32>,
    /// The system's matrix, and a part of it.
    matrix: Vec<f32>,
    part: Vec<f32>,
    factor: Vec<f32>,
    target: Vec<f32>,
}

impl Scratch {
    fn new(width: usize) -> Self {
        let square = || vec![0.0; width * width];
        let z = Vec::with_capacity(width * width.max(CHUNK));
        Self { z, matrix: square(), part: square(), factor: square(), target: vec![0.0; width] }
    }
}

/// The exact solution of each row of a block.
struct SolveRows<'a> {
    side: Side<'a>,
    /// Number of the block's first row.
    first: usize,
    /// `[rows, width]`
    vectors: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl WithSimd for SolveRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { side, first, vectors, scratch } = self;
        for (index, vector) in vectors.chunks_exact_mut(side.width).enumerate() {
            let row = first + index;
            match side.entries.row(row).0.len() {
                0 => vector.fill(0.0),
                n if n < side.width => solve_by_entries(simd, side, row, vector, scratch),
                _ => solve_by_factors(simd, side, row, vector, scratch),
            }
        }
    }
}

/// As written above: a system of `width` unknowns.
#[inline(always)]
fn solve_by_factors<S: Simd>(simd: S, side: Side<'_>, row: usize, vector: &mut [f32], scratch: &mut Scratch) {
    let Scratch { z, matrix, part, factor, target } = scratch;
    let (width, n) = (side.width, side.entries.row(row).0.len());
    matrix.fill(0.0);
    target.fill(0.0);
    let mut entries = side.entries_of(row);
    let mut left = n;
    while left > 0 {
        let rows = left.min(CHUNK);
        z.resize(rows * width, 0.0);
        for (z, (rest, other)) in z.chunks_exact_mut(width).zip(entries.by_ref().take(rows)) {
            lay(z, other);
            add_scaled(simd, rest, z, target);
        }
        let all = Matrix::by_rows(z, rows, width);
        multiply(part, Into::Overwrite, all.transposed(), all);
        matrix.iter_mut().zip(part.iter()).for_each(|(sum, part)| *sum += part);
        left -= rows;
    }
    if solve(simd, matrix, factor, width, side.lambda * n as f32, target) {
        vector.copy_from_slice(target);
    }
}

/// The same solution where a row has fewer entries than unknowns: `x = Zᵀ a` with `(Z Zᵀ + λ n I) a = r − μ − b`.
#[inline(always)]
fn solve_by_entries<S: Simd>(simd: S, side: Side<'_>, row: usize, vector: &mut [f32], scratch: &mut Scratch) {
    let Scratch { z, matrix, factor, target, .. } = scratch;
    let (width, n) = (side.width, side.entries.row(row).0.len());
    z.resize(n * width, 0.0);
    for ((z, rest), (wanted, other)) in z.chunks_exact_mut(width).zip(target.iter_mut()).zip(side.entries_of(row)) {
        lay(z, other);
        *rest = wanted;
    }
    let (matrix, factor, target) = (&mut matrix[..n * n], &mut factor[..n * n], &mut target[..n]);
    for (i, line) in matrix.chunks_exact_mut(n).enumerate() {
        for (j, value) in line[..=i].iter_mut().enumerate() {
            *value = dot(simd, &z[i * width..][..width], &z[j * width..][..width]);
        }
    }
    if solve(simd, matrix, factor, n, side.lambda * n as f32, target) {
        vector.fill(0.0);
        for (z, &a) in z.chunks_exact(width).zip(target.iter()) {
            add_scaled(simd, a, z, vector);
        }
    }
}

/// A vector of the other side, with 1 behind it where there are biases.
#[inline(always)]
fn lay(z: &mut [f32], other: &[f32]) {
    z[..other.len()].copy_from_slice(other);
    z[other.len()..].fill(1.0);
}

/// Solves `(matrix + ridge I) x = target` in place. A matrix that is singular within f32 gets a larger ridge; `false` when
/// none helps: numbers that are not finite, which the loss then shows.
#[inline(always)]
fn solve<S: Simd>(simd: S, matrix: &[f32], factor: &mut [f32], n: usize, ridge: f32, target: &mut [f32]) -> bool {
    (0..RAISES).any(|raise| {
        factor.copy_from_slice(matrix);
        for diagonal in factor.iter_mut().step_by(n + 1) {
            *diagonal += ridge * 10f32.powi(raise);
        }
        match Cholesky::factorise(simd, factor, n) {
            Ok(factor) => {
                factor.solve(simd, target);
                true
            }
            Err(_) => false,
        }
    })
}

/// The sum of squared errors of a block's rows.
struct Squares<'a> {
    side: Side<'a>,
    first: usize,
    vectors: &'a [f32],
}

impl WithSimd for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { side, first, vectors } = self;
        let mut squares = 0.0;
        for (index, vector) in vectors.chunks_exact(side.width).enumerate() {
            let (own, bias) = vector.split_at(side.factors);
            let bias = bias.first().copied().unwrap_or(0.0);
            for (wanted, other) in side.entries_of(first + index) {
                squares += f64::from(wanted - bias - dot(simd, own, other)).powi(2);
            }
        }
        squares
    }
}
