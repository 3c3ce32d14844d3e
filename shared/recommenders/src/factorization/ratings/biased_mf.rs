//! Matrix factorization with biases, by stochastic gradient descent.

use pulp::{Arch, Simd, WithSimd};
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;

use crate::course::{self, Learner};
use crate::dense;
use crate::error::reserve;
use crate::factorization::draws::{ITEMS_STREAM, ROWS_AT_ONCE, USERS_STREAM, normal, order, stream};
use crate::factorization::factor_model::{FactorModel, Folding};
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
    let folding = match settings.scale {
        Some(_) => Folding::None,
        None => Folding::Ridge { regularization: settings.regularization, mean, biased: true, implicit: Vec::new() },
    };
    Ok(FactorModel {
        d: d + 2,
        users: FactorModel::augment(&users, d, &user_biases, mean, true),
        items: FactorModel::augment(&items, d, &item_biases, mean, false),
        scale: settings.scale,
        folding,
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
        let vectors = |known: &recspeed_data::Csr, which: u64| -> Result<Vec<f32>, FitError> {
            let len = known.n_rows().checked_mul(factors);
            let mut values: Vec<f32> = reserve(len, "the vectors of users and items", "recommender.factors")?;
            let mut rng = stream(seed, which);
            for (row, vector) in values.chunks_exact_mut(factors).enumerate() {
                // Who has no rating has nothing to learn from: their numbers stay 0.
                if !known.row(row).0.is_empty() {
                    for value in vector {
                        *value = normal(&mut rng, deviation);
                    }
                }
            }
            Ok(values)
        };
        let (users, items) = (vectors(&data.by_user, USERS_STREAM)?, vectors(&data.by_item, ITEMS_STREAM)?);
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

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.data.rows.len(), self.seed, round);
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

/// Some steps; the sum of the squared errors before each.
struct Steps<'a, 'b> {
    sgd: &'a mut Sgd<'b>,
    places: &'a [u32],
}

impl WithSimd for Steps<'_, '_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let Sgd { data, settings, mean, users, items, user_biases, item_biases, .. } = self.sgd;
        let Settings { factors: d, learning_rate, regularization, bias_regularization, scale } = *settings;
        let columns = data.interactions;
        let keep = 1.0 - learning_rate * regularization;
        let keep_bias = 1.0 - learning_rate * regularization * bias_regularization;
        let mut squares = 0.0;
        for &place in self.places {
            let row = data.rows[place as usize] as usize;
            let (user, item) = (columns.user[row] as usize, columns.item[row] as usize);
            let (p, q) = (&mut users[user * d..][..d], &mut items[item * d..][..d]);
            let sum = *mean + user_biases[user] + item_biases[item] + dense::dot(simd, p, q);
            let (error, slope) = match scale {
                None => {
                    let error = columns.rating[row] - sum;
                    (error, error)
                }
                Some((low, width)) => {
                    let place = 1.0 / (1.0 + (-sum).exp());
                    let error = columns.rating[row] - (low + width * place);
                    (error, error * width * place * (1.0 - place))
                }
            };
            squares += f64::from(error) * f64::from(error);
            let step = learning_rate * slope;
            user_biases[user] = keep_bias * user_biases[user] + step;
            item_biases[item] = keep_bias * item_biases[item] + step;
            for (p, q) in p.iter_mut().zip(q) {
                let before = *p;
                *p = keep * before + step * *q;
                *q = keep * *q + step * before;
            }
        }
        squares
    }
}
