//! Factorization machines.

mod coordinate;
mod expand;
mod kept;
mod rows;
mod sgd;
mod sweep;
#[cfg(test)]
mod tests;

use coordinate::{Choice, Coordinate};
use expand::Numbers;
use recspeed_types::FitObserver;
use recspeed_types::spec::ResolvedRecommender;
use rows::Rows;

use super::features::{Side, Sides};
use super::model::{Machine, check_needs};
use crate::FitError;
use crate::course;
use crate::error::reserve;
use crate::factorization::draws::{ITEMS_STREAM, USERS_STREAM, normal, stream};
use crate::fit::{FitRequest, Method};
use crate::memory;
use crate::memory::machines::{REMEDY, REMEDY_OF_SAMPLES};

pub(super) const METHOD: Method = Method {
    kind: "fm",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(Machine::restore(parts)?)),
};

/// `ŷ(x) = w_0 + Σ x_l w_l + Σ_{l<m} x_l x_m ⟨v_l, v_m⟩` over the features of a rating's user and item. SGD and ALS look for the
/// least `Σ_rows ((y − ŷ)² + λ Σ_l (w_l² + ‖v_l‖²))`, the inner sum over the features of the row; MCMC draws from the posterior
/// and averages the predictions. Source: Rendle, "Factorization Machines with libFM", doi:10.1145/2168752.2168771 (whose ALS
/// counts λ once for each number).
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Machine, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let sides = Sides::of(data, recommender)?;
    let settings = Settings::of(recommender);
    let rounds = settings.iterations as u64;
    let penalty = recommender.float("regularization") as f32;
    let is_drawn = recommender.text("solver") == "mcmc";
    let of_fit = memory::machines::Fm {
        factors: settings.factors as u64,
        iterations: rounds,
        kept: settings.kept(is_drawn) as u64,
        descends: recommender.text("solver") == "sgd",
    };
    let needs = memory::machines::fm(&sides.counts(data), of_fit, observer.keeps_checkpoints());
    check_needs(needs, observer, if is_drawn { REMEDY_OF_SAMPLES } else { REMEDY })?;
    let choice = match recommender.text("solver") {
        "sgd" => {
            let rate = recommender.float("learning_rate") as f32;
            let mut learner = sgd::Sgd::new(data, &sides, settings, (rate, penalty), request.seed)?;
            course::take(&mut learner, rounds, observer)?;
            let kept = learner.finish()?;
            return Ok(kept.finish(sides, settings.factors, true));
        }
        "als" => Choice::Best(penalty),
        _ => Choice::Drawn,
    };
    let rows = Rows::of(data);
    let mut learner = Coordinate::new(data, &sides, &rows, settings, choice, request.seed)?;
    course::take(&mut learner, rounds, observer)?;
    let kept = learner.finish();
    Ok(kept.finish(sides, settings.factors, choice != Choice::Drawn))
}

#[derive(Debug, Clone, Copy)]
struct Settings {
    factors: usize,
    iterations: usize,
    /// Draws that are kept, at most.
    samples: usize,
    init_deviation: f32,
    /// Whether all features share one mean and precision, instead of those of their field.
    one_group: bool,
}

impl Settings {
    fn of(recommender: &ResolvedRecommender) -> Self {
        Self {
            factors: recommender.integer("factors") as usize,
            iterations: recommender.integer("iterations") as usize,
            samples: recommender.integer("samples") as usize,
            init_deviation: recommender.float("init_deviation") as f32,
            one_group: recommender.text("groups") == "one",
        }
    }

    /// Samples that are kept: all draws after the first ones, or what is best.
    fn kept(self, is_drawn: bool) -> usize {
        if is_drawn { self.samples.min(self.iterations - self.burn_in()) } else { 1 }
    }

    /// Rounds before the first kept draw.
    fn burn_in(self) -> usize {
        self.iterations / 20
    }
}

/// The numbers that a fit starts with: weights of 0, vectors from a normal distribution. What no row has stays 0.
fn start(sides: &Sides, settings: Settings, seed: u64) -> Result<(Numbers, Numbers), FitError> {
    let numbers = |side: &Side, which: u64| -> Result<Numbers, FitError> {
        let n = side.n_features();
        let len = n.checked_mul(settings.factors);
        let mut vectors: Vec<f32> = reserve(len, "the vectors of the features", REMEDY)?;
        let mut rng = stream(seed, which);
        let rows = side.rows_of_features();
        for factor in vectors.chunks_exact_mut(n.max(1)) {
            for (value, _) in factor.iter_mut().zip(&rows).filter(|(_, rows)| **rows > 0) {
                *value = normal(&mut rng, settings.init_deviation);
            }
        }
        Ok(Numbers { weights: vec![0.0; n], vectors })
    };
    Ok((numbers(&sides.users, USERS_STREAM)?, numbers(&sides.items, ITEMS_STREAM)?))
}
