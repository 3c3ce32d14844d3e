//! Matrix factorization with biases, by stochastic gradient descent.

use std::mem::take;

use pulp::{Arch, Simd, WithSimd};
use recspeed_dense as dense;
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::divergence::mean_square;
use crate::factorization::ahead::AHEAD;
use crate::factorization::draws::{ITEMS_STREAM, READ_AT_ONCE, ROWS_AT_ONCE, USERS_STREAM, order, vectors};
use crate::factorization::factor_model::FactorModel;
use crate::factorization::folding::{Folding, Logistic, Ridge};
use crate::factorization::race::{Neighbours, SharedRows, race};
use crate::fit::{FitRequest, Method};
use crate::{FitError, TrainSet};

pub(crate) const METHOD: Method = Method {
    kind: "biased-mf",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(FactorModel::restore(parts)?)),
};

/// `r̂_ui = μ + b_u + b_i + p_u · q_i`, each rating one step down the gradient of
/// `(r_ui − r̂_ui)² + λ (‖p_u‖² + ‖q_i‖² + β (b_u² + b_i²))`, in an order drawn anew each epoch. With the sigmoid link the
/// sum goes through the logistic function onto the scale of the ratings, `μ` being the mean's place on it.
/// Source: Koren, Bell, Volinsky, "Matrix Factorization Techniques for Recommender Systems", doi:10.1109/MC.2009.263; the
/// identity link is Surprise's SVD, the sigmoid MyMediaLite's BiasedMatrixFactorization.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<FactorModel, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let mut learner = Sgd::new(recommender, data, request.seed)?;
    course::take(&mut learner, recommender.integer("iterations") as u64, observer)?;
    let Sgd { settings, mean, users, items, user_biases, item_biases, .. } = learner;
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
    fast: bool,
}

struct Sgd<'a> {
    data: &'a TrainSet<'a>,
    settings: Settings,
    seed: u64,
    /// μ, behind the link.
    mean: f32,
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
            fast: recommender.is_fast(),
        };
        let (user_biases, item_biases) = (vec![0.0; data.n_users()], vec![0.0; data.n_items()]);
        Ok(Self { data, settings, seed, mean, users, items, user_biases, item_biases })
    }
}

impl Learner for Sgd<'_> {
    fn name(&self) -> String {
        let (users, items) = (self.user_biases.len(), self.item_biases.len());
        format!(
            "biased-mf {:?} of {users} users, {items} items, {} rows, seed {}",
            self.settings,
            self.data.rows.len(),
            self.seed
        )
    }

    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        vec![&mut self.users, &mut self.items, &mut self.user_biases, &mut self.item_biases]
    }

    fn of_zeros(&self) -> f64 {
        mean_square(&self.data.by_user.values)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.data.rows.len(), self.seed, round);
        if self.settings.fast {
            return Ok(self.race(&order, go_on).map(|squares| squares / order.len() as f64));
        }
        let mut squares = 0.0;
        for places in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            squares += Arch::new().dispatch(Steps { sgd: self, places });
        }
        Ok(Some(squares / order.len() as f64))
    }
}

impl Sgd<'_> {
    fn rule(&self) -> Rule {
        let Settings { learning_rate, regularization, bias_regularization, scale, .. } = self.settings;
        Rule {
            mean: self.mean,
            learning_rate,
            keep: 1.0 - learning_rate * regularization,
            keep_bias: 1.0 - learning_rate * regularization * bias_regularization,
            scale,
        }
    }

    /// User, item and rating of a training row.
    #[inline(always)]
    fn row(&self, place: u32) -> (u32, u32, f32) {
        let (columns, row) = (self.data.interactions, self.data.rows[place as usize] as usize);
        (columns.user[row], columns.item[row], columns.rating[row])
    }

    /// A round in the fast mode; the sum of the squared errors.
    fn race(&mut self, order: &[u32], go_on: &mut dyn FnMut() -> bool) -> Option<f64> {
        let d = self.settings.factors;
        let users = SharedRows::new(take(&mut self.users), take(&mut self.user_biases), d);
        let items = SharedRows::new(take(&mut self.items), take(&mut self.item_biases), d);
        let squares = race(order, Neighbours::Anywhere, go_on, |_, places| {
            Arch::new().dispatch(RacingSteps { sgd: self, users: &users, items: &items, places })
        });
        (self.users, self.user_biases) = users.into_values();
        (self.items, self.item_biases) = items.into_values();
        squares
    }
}

/// Some steps; the sum of the squared errors before each.
struct Steps<'a, 'b> {
    sgd: &'a mut Sgd<'b>,
    places: &'a [u32],
}

impl WithSimd for Steps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { sgd, places } = self;
        let (rule, d) = (sgd.rule(), sgd.settings.factors);
        let (mut rows, mut squares) = (Vec::with_capacity(READ_AT_ONCE), 0.0);
        for places in places.chunks(READ_AT_ONCE) {
            rows.clear();
            rows.extend(places.iter().map(|&place| sgd.row(place)));
            for &(user, item, rating) in &rows {
                let (user, item) = (user as usize, item as usize);
                let (p, q) = (&mut sgd.users[user * d..][..d], &mut sgd.items[item * d..][..d]);
                squares += rule.step(simd, rating, (p, &mut sgd.user_biases[user]), (q, &mut sgd.item_biases[item]));
            }
        }
        squares
    }
}

/// The same beside other threads.
struct RacingSteps<'a, 'b> {
    sgd: &'a Sgd<'b>,
    /// Each vector with its bias behind it.
    users: &'a SharedRows,
    items: &'a SharedRows,
    places: &'a [u32],
}

impl WithSimd for RacingSteps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Self { sgd, users, items, places } = self;
        let (rule, d) = (sgd.rule(), sgd.settings.factors);
        let (mut p, mut q) = (vec![0.0; d + 1], vec![0.0; d + 1]);
        let (mut rows, mut squares) = (Vec::with_capacity(READ_AT_ONCE), 0.0);
        for places in places.chunks(READ_AT_ONCE) {
            rows.clear();
            rows.extend(places.iter().map(|&place| sgd.row(place)));
            for (place, &(user, item, rating)) in rows.iter().enumerate() {
                if let Some(&(user, item, _)) = rows.get(place + AHEAD) {
                    users.look_up(user as usize);
                    items.look_up(item as usize);
                }
                let (user, item) = (user as usize, item as usize);
                users.load(simd, user, &mut p);
                items.load(simd, item, &mut q);
                let ((p_vector, p_bias), (q_vector, q_bias)) = (p.split_at_mut(d), q.split_at_mut(d));
                squares += rule.step(simd, rating, (p_vector, &mut p_bias[0]), (q_vector, &mut q_bias[0]));
                users.store(user, &p);
                items.store(item, &q);
            }
        }
        squares
    }
}

/// One step.
#[derive(Clone, Copy)]
struct Rule {
    mean: f32,
    learning_rate: f32,
    keep: f32,
    keep_bias: f32,
    scale: Option<(f32, f32)>,
}

impl Rule {
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
