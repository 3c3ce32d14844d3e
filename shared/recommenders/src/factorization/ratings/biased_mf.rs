//! Matrix factorization with biases, by stochastic gradient descent.

use std::borrow::Cow;

use pulp::{Arch, Simd, WithSimd};
use recspeed_data::Csr;
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::factorization::draws::{ITEMS_STREAM, USERS_STREAM, vectors};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::{Folding, Logistic, Ridge};
use crate::factorization::pairs::known_items;
use crate::factorization::strata::{Block, Entry, Strata};
use crate::fit::{FitRequest, Method};
use crate::{FitError, TrainSet};

pub(crate) const METHOD: Method = Method {
    kind: "biased-mf",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(FactorModel::restore(parts)?)),
};

/// `r̂_ui = μ + b_u + b_i + p_u · q_i`, each rating one step down the gradient of
/// `(r_ui − r̂_ui)² + λ (‖p_u‖² + ‖q_i‖² + β (b_u² + b_i²))`, in the order of [`Strata`], by which
/// threads never meet. With the sigmoid link the sum goes through the logistic function onto the scale of the ratings, `μ`
/// being the mean's place on it.
/// Source: Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems", doi:10.1109/MC.2009.263; the
/// identity link is Surprise's SVD, the sigmoid MyMediaLite's BiasedMatrixFactorization.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let mut learner = Sgd::new(recommender, data, request.seed)?;
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    // What only learning needs goes before the vectors grow.
    let Sgd { settings, rule: Rule { mean, .. }, users, items, user_biases, item_biases, strata, known, .. } = learner;
    drop((strata, known));
    let d = settings.factors;
    let Settings { regularization, bias_regularization, scale, .. } = settings;
    let folding = match scale {
        Some(scale) => Folding::Logistic(Logistic { regularization, bias_regularization, mean, scale }),
        None => Folding::Ridge(Ridge { regularization, mean, biased: true, implicit: Vec::new() }),
    };
    Ok(FactorModel {
        d: d + 2,
        users: FactorModel::augment(users, d, &user_biases, mean, true),
        items: FactorModel::augment(items, d, &item_biases, mean, false),
        scale,
        folding,
        own: None,
    })
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    factors: usize,
    learning_rate: f32,
    regularization: f32,
    /// The β of the objective.
    bias_regularization: f32,
    /// Lowest rating and width of the scale, with the sigmoid link.
    scale: Option<(f32, f32)>,
}

/// A rating, of a user and an item that are counted from the first of their block.
#[derive(Debug, Clone, Copy, Default)]
struct Rated {
    user: u32,
    item: u32,
    rating: f32,
}

impl Entry for Rated {
    fn new(user: u32, item: u32, rating: f32) -> Self {
        Self { user, item, rating }
    }
}

struct Sgd<'a> {
    data: &'a TrainSet<'a>,
    settings: Settings,
    seed: u64,
    rule: Rule,
    /// Items that somebody has rated.
    known: Vec<u32>,
    strata: Strata<'a, Rated, 2>,
    users: Vec<f32>,
    items: Vec<f32>,
    user_biases: Vec<f32>,
    item_biases: Vec<f32>,
}

impl<'a> Sgd<'a> {
    fn new(recommender: &ResolvedRecommender, data: &'a TrainSet<'a>, seed: u64) -> Result<Self, FitError> {
        let factors = recommender.integer("factors") as usize;
        let deviation = recommender.float("init_deviation") as f32;
        let first = |known, which| vectors(known, factors, deviation, (seed, which), Predicts::Ratings);
        let (users, items) = (first(&data.by_user, USERS_STREAM)?, first(&data.by_item, ITEMS_STREAM)?);
        let mean = data.global_mean().ok_or(FitError::NoRows)? as f32;
        let ratings = data.rows.iter().map(|&row| data.interactions.rating[row as usize]);
        let (low, high) = ratings.fold((f32::MAX, f32::MIN), |(low, high), rating| (low.min(rating), high.max(rating)));
        let scale = (recommender.text("link") == "sigmoid" && high > low).then_some((low, high - low));
        let mean = match scale {
            Some((low, width)) => {
                let place = ((mean - low) / width).clamp(1e-6, 1.0 - 1e-6);
                (place / (1.0 - place)).ln()
            }
            None => mean,
        };
        let settings = Settings {
            factors,
            learning_rate: recommender.float("learning_rate") as f32,
            regularization: recommender.float("regularization") as f32,
            bias_regularization: recommender.float("bias_regularization") as f32,
            scale,
        };
        let (user_biases, item_biases) = (vec![0.0; data.n_users()], vec![0.0; data.n_items()]);
        let rule = Rule::of(settings, mean);
        let (known, bytes) = (known_items(data), size_of_val(&users[..]) + size_of_val(&items[..]));
        let strata = Strata::new(all_ratings(data), &known, data.n_items(), bytes);
        Ok(Self { data, settings, seed, rule, known, strata, users, items, user_biases, item_biases })
    }
}

/// Users × items, with every rating of those who have rated an item several times.
fn all_ratings<'a>(data: &'a TrainSet<'_>) -> Cow<'a, Csr> {
    if data.by_user.nnz() == data.rows.len() {
        return Cow::Borrowed(&data.by_user);
    }
    let columns = data.interactions;
    let mut indptr = vec![0; data.n_users() + 1];
    for &row in data.rows {
        indptr[columns.user[row as usize] as usize + 1] += 1;
    }
    for user in 1..indptr.len() {
        indptr[user] += indptr[user - 1];
    }
    let (mut indices, mut values) = (vec![0; data.rows.len()], vec![0.0; data.rows.len()]);
    let mut next = indptr.clone();
    for row in data.rows.iter().map(|&row| row as usize) {
        let at = &mut next[columns.user[row] as usize];
        (indices[*at], values[*at]) = (columns.item[row], columns.rating[row]);
        *at += 1;
    }
    Cow::Owned(Csr { indptr, indices, values })
}

impl Learner for Sgd<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items, &mut self.user_biases, &mut self.item_biases]
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(&self.data.by_user.values)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let Self { users, items, user_biases, item_biases, known, strata, .. } = self;
        let (d, rule, seed) = (self.settings.factors, self.rule, self.seed);
        let users = [(&mut users[..], d), (&mut user_biases[..], 1)];
        let items = [(&mut items[..], d), (&mut item_biases[..], 1)];
        let squares = strata
            .round((known, seed, round), users, items, go_on, |block| Arch::new().dispatch(Steps { rule, d, block }));
        Ok(squares.map(|squares| squares / self.data.rows.len() as f64))
    }
}

/// The steps of a block; the sum of the squared errors before each.
struct Steps<'a> {
    rule: Rule,
    d: usize,
    block: Block<'a, Rated, 2, 2>,
}

impl WithSimd for Steps<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { rule, d, block } = self;
        let ([users, user_biases], [items, item_biases]) = (block.users, block.items);
        let mut squares = 0.0;
        for &Rated { user, item, rating } in &*block.entries {
            let (user, item) = (user as usize, item as usize);
            let (p, q) = (&mut users[user * d..][..d], &mut items[item * d..][..d]);
            squares += rule.step(simd, rating, (p, &mut user_biases[user]), (q, &mut item_biases[item]));
        }
        squares
    }
}

/// One step.
#[derive(Debug, Clone, Copy)]
struct Rule {
    /// μ, behind the link.
    mean: f32,
    learning_rate: f32,
    keep: f32,
    keep_bias: f32,
    scale: Option<(f32, f32)>,
}

impl Rule {
    fn of(settings: Settings, mean: f32) -> Self {
        let Settings { learning_rate, regularization, bias_regularization, scale, .. } = settings;
        Self {
            mean,
            learning_rate,
            keep: 1.0 - learning_rate * regularization,
            keep_bias: 1.0 - learning_rate * regularization * bias_regularization,
            scale,
        }
    }

    /// Moves a user and an item, each with its bias; the squared error before.
    #[inline(always)]
    fn step<S: Simd>(self, simd: S, rating: f32, user: (&mut [f32], &mut f32), item: (&mut [f32], &mut f32)) -> f64 {
        let ((p, user_bias), (q, item_bias)) = (user, item);
        let sum = self.mean + *user_bias + *item_bias + dense::dot(simd, p, q);
        let (error, slope) = match self.scale {
            None => {
                let error = rating - sum;
                (error, error)
            }
            Some((low, width)) => {
                let place = 1.0 / (1.0 + (-sum).exp());
                let error = rating - (low + width * place);
                (error, error * width * place * (1.0 - place))
            }
        };
        let step = self.learning_rate * slope;
        *user_bias = self.keep_bias * *user_bias + step;
        *item_bias = self.keep_bias * *item_bias + step;
        for (p, q) in p.iter_mut().zip(q) {
            let before = *p;
            *p = self.keep * before + step * *q;
            *q = self.keep * *q + step * before;
        }
        f64::from(error) * f64::from(error)
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::InteractionsBuilder;

    use super::*;

    #[test]
    fn who_has_rated_an_item_several_times_is_learnt_from_each_time() {
        let mut builder = InteractionsBuilder::default();
        let rows = [("b", "x", 1.0), ("a", "y", 2.0), ("b", "x", 3.0), ("b", "y", 4.0), ("a", "y", 5.0)];
        for (user, item, rating) in rows {
            builder.push(user, item, rating, 0);
        }
        let all = builder.finish();
        let of = |rows: &[u32]| {
            let ratings = all_ratings(&TrainSet::new(&all, rows)).into_owned();
            (0..all.n_users()).map(|user| ratings.row(user).1.to_vec()).collect::<Vec<_>>()
        };
        assert_eq!(of(&[0, 1, 2, 3, 4]), [vec![1.0, 3.0, 4.0], vec![2.0, 5.0]]);
        assert_eq!(of(&[1, 2, 3]), [vec![3.0, 4.0], vec![2.0]]);
    }
}
