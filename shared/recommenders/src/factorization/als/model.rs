//! The fit, iteration by iteration, and the fitted model.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_data::Csr;
use recspeed_data::checkpoint::CheckpointError;
use recspeed_data::parts::expect_len;
use recspeed_dense::{self as dense, gramian};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;
use recspeed_types::event::{EventKind, MeasuredOn, MemoryBytes};
use recspeed_types::spec::ResolvedRecommender;

use super::solve::Systems;
use super::{AlsSettings, Confidence, Solver, loss, state};
use crate::divergence::{Gauge, OfNothing};
use crate::error::reserve;
use crate::fit::Method;
use crate::memory::vectors;
use crate::ranking::{self, RankError, RankRequest, Ranking};
use crate::recommender::{model_bytes, weightiest};
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Profiles, Reason, Recommender, TrainSet};

pub(crate) const METHOD: Method = Method {
    kind: "als-implicit",
    fit: |request, observer| Ok(Box::new(ImplicitAls::fit(request.recommender, request.data, request.seed, observer)?)),
    restore: |request, parts| Ok(Box::new(ImplicitAls::restore(request.recommender, parts)?)),
};

/// How often an iteration that was asked to stop may be asked again before it gives up its work: about two seconds, so
/// that it usually ends between two iterations, where it can go on later, and always leaves in time.
const PATIENCE: u32 = 20;

/// The ChaCha8 stream of the initial vectors.
const INITIAL_STREAM: u64 = 64;

/// A fit in progress, one iteration at a time.
#[derive(Debug)]
pub struct Als {
    settings: AlsSettings,
    by_user: Arc<Csr>,
    by_item: Arc<Csr>,
    users: Vec<f32>,
    items: Vec<f32>,
    /// `YᵀY` of the current items.
    item_gram: Vec<f64>,
    iteration: u64,
    /// Of each iteration so far, for checkpoints: a fit that goes on is held against them, too.
    losses: Vec<f64>,
    gauge: Gauge,
}

impl Als {
    /// Users at 0, items drawn uniformly from ±0.01 under the seed. Users are solved first, so only the items matter.
    ///
    /// # Errors
    /// [`FitError::Unaffordable`].
    pub fn new(data: &TrainSet<'_>, settings: AlsSettings, seed: u64) -> Result<Self, FitError> {
        let d = settings.factors;
        let (what, remedy) = (vectors::WHAT, vectors::remedy(Predicts::Scores));
        let users = reserve(data.n_users().checked_mul(d), what, remedy)?;
        let mut items: Vec<f32> = reserve(data.n_items().checked_mul(d), what, remedy)?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(INITIAL_STREAM);
        for (item, vector) in items.chunks_exact_mut(d).enumerate() {
            // An item without rows keeps the zeros that solving would give it.
            let cold = data.by_item.row(item).0.is_empty();
            for value in vector {
                let uniform = (rng.next_u32() >> 8) as f32 / (1u32 << 23) as f32 - 1.0;
                *value = if cold { 0.0 } else { 0.01 * uniform };
            }
        }
        let item_gram = gramian(&items, d);
        let (by_user, by_item) = (Arc::clone(&data.by_user), Arc::clone(&data.by_item));
        // Of answering 0 to everything; a unit of confidence costs 1 at most.
        let gauge = Gauge::new(OfNothing::zeros(1.0));
        let losses = Vec::new();
        Ok(Self { settings, by_user, by_item, users, items, item_gram, iteration: 0, losses, gauge })
    }

    /// Solves all users, then all items; the objective per unit of confidence afterwards (see the
    /// [module](crate::factorization)). `Ok(None)` when `go_on`, asked about ten times a second, said no: the vectors are
    /// then between two iterations.
    ///
    /// # Errors
    /// [`FitError::Diverged`].
    pub fn iterate(&mut self, mut go_on: impl FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let d = self.settings.factors;
        let gram = self.with_regularization(&self.item_gram);
        let users = Systems { entries: &self.by_user, other: &self.items, gram: &gram, settings: self.settings };
        if !users.solve(&mut self.users, &mut go_on) {
            return Ok(None);
        }
        let user_gram = gramian(&self.users, d);
        let gram = self.with_regularization(&user_gram);
        let items = Systems { entries: &self.by_item, other: &self.users, gram: &gram, settings: self.settings };
        if !items.solve(&mut self.items, &mut go_on) {
            return Ok(None);
        }
        self.item_gram = gramian(&self.items, d);
        self.iteration += 1;
        let users = Systems { entries: &self.by_user, other: &self.items, gram: &[], settings: self.settings };
        let loss = loss::objective(users, &self.users, &user_gram, &self.item_gram);
        // Every number of both sides enters the traces, so a finite loss means finite vectors.
        self.gauge.take(loss, self.iteration)?;
        self.losses.push(loss);
        Ok(Some(loss))
    }

    /// Iterations done.
    pub const fn iteration(&self) -> u64 {
        self.iteration
    }

    /// The users' vectors, `[n_users, factors]`.
    pub fn users(&self) -> &[f32] {
        &self.users
    }

    /// The items' vectors, `[n_items, factors]`.
    pub fn items(&self) -> &[f32] {
        &self.items
    }

    fn with_regularization(&self, gram: &[f64]) -> Vec<f32> {
        let mut gram: Vec<f32> = gram.iter().map(|&value| value as f32).collect();
        for diagonal in gram.iter_mut().step_by(self.settings.factors + 1) {
            *diagonal += self.settings.regularization;
        }
        gram
    }

    fn sizes(&self) -> state::Sizes {
        [self.by_user.n_rows() as u64, self.by_item.n_rows() as u64, self.settings.factors as u64]
    }

    fn offer(&self, observer: &mut dyn FitObserver) {
        let (step, sizes) = (self.iteration, self.sizes());
        observer.checkpoint(step, &mut || state::write(&self.losses, sizes, &self.users, &self.items));
    }

    fn resume(&mut self, bytes: Vec<u8>) -> Result<(), FitError> {
        self.losses = state::read(&bytes, self.sizes(), &mut self.users, &mut self.items)?;
        self.iteration = self.losses.len() as u64;
        self.gauge = self.gauge.having_seen(&self.losses)?;
        // It goes before the Gramian is summed from pieces.
        drop(bytes);
        self.item_gram = gramian(&self.items, self.settings.factors);
        Ok(())
    }
}

/// The fitted model: a score is the product of two vectors.
#[derive(Debug)]
struct ImplicitAls {
    fitted: Als,
}

impl ImplicitAls {
    fn fit(
        recommender: &ResolvedRecommender,
        data: &TrainSet<'_>,
        seed: u64,
        observer: &mut dyn FitObserver,
    ) -> Result<Self, FitError> {
        let settings = settings(recommender);
        if settings.confidence.by_rating {
            data.refuse_negative_weights()?;
        }
        let total = recommender.integer("iterations") as u64;
        let mut als = Als::new(data, settings, seed)?;
        if let Some(bytes) = observer.take_resume_state() {
            als.resume(bytes)?;
            if als.iteration > total {
                let reason = format!("it has {} iterations behind it, this fit has {total}", als.iteration);
                return Err(CheckpointError::other(reason).into());
            }
        }
        let mut stopping = 0;
        while als.iteration < total {
            // The last state may have been declined as too young; before leaving it is worth keeping.
            if stopping > 0 || observer.stop_requested() {
                als.offer(observer);
                return Err(FitError::Interrupted { done: als.iteration, total, unit: "iterations" });
            }
            let go_on = || {
                stopping += u32::from(observer.stop_requested());
                stopping <= PATIENCE
            };
            let Some(loss) = als.iterate(go_on)? else {
                return Err(FitError::Interrupted { done: als.iteration, total, unit: "iterations" });
            };
            let step = als.iteration;
            observer.event(EventKind::Metric {
                name: "loss".to_owned(),
                split: MeasuredOn::Train,
                step,
                epoch: step as f64,
                value: loss,
            });
            observer.event(EventKind::Progress { done: step, total, unit: "iterations".to_owned() });
            if step == total {
                als.gauge.finish(total, None)?;
            }
            als.offer(observer);
        }
        Ok(Self { fitted: als })
    }
}

fn settings(recommender: &ResolvedRecommender) -> AlsSettings {
    AlsSettings {
        factors: recommender.integer("factors") as usize,
        regularization: recommender.float("regularization") as f32,
        confidence: Confidence {
            alpha: recommender.float("alpha") as f32,
            by_rating: recommender.text("weighting") == "rating",
        },
        solver: match recommender.text("solver") {
            "cholesky" => Solver::Cholesky,
            _ => Solver::ConjugateGradient { steps: recommender.integer("cg_steps") as u32 },
        },
    }
}

impl Recommender for ImplicitAls {
    fn n_users(&self) -> usize {
        self.fitted.by_user.n_rows()
    }

    fn n_items(&self) -> usize {
        self.fitted.by_item.n_rows()
    }

    fn predict(&self, user: u32, item: u32, _: i64) -> f32 {
        let mut score = [0.0];
        dense::dot_all(self.user(user), self.item(item), &mut score);
        score[0]
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        dense::dot_all(self.user(user), &self.fitted.items, scores);
    }

    fn rank(&self, request: &RankRequest<'_>, observer: &mut dyn FitObserver) -> Result<Ranking, RankError> {
        let als = &self.fitted;
        ranking::by_factors(&als.users, &als.items, als.settings.factors, request, observer)
    }

    fn memory(&self) -> MemoryBytes {
        let als = &self.fitted;
        let entries = |csr: &Csr| size_of_val(&csr.indptr[..]) + 8 * csr.nnz();
        let buffers = entries(&als.by_user) + entries(&als.by_item) + size_of_val(&als.item_gram[..]);
        model_bytes(size_of_val(&als.users[..]) + size_of_val(&als.items[..]), buffers)
    }

    fn parameters(&self) -> u64 {
        (self.fitted.users.len() + self.fitted.items.len()) as u64
    }

    /// `x_u = A_u⁻¹ Σ_j c_uj y_j`, so the score of an item `i` is a sum over the user's own items `j` of
    /// `c_uj · y_iᵀ A_u⁻¹ y_j`. Source: section 5 of the paper. After conjugate gradient the parts add up to the score
    /// of the exact solution.
    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(self.parts_of_score(&self.fitted.by_user, user as usize, item, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        Some(self)
    }

    fn profiles(&self) -> Option<&dyn Profiles> {
        Some(self)
    }

    /// `users`, `items`: the vectors, a row each; `ratings`: users × items.
    fn parts(&self) -> Parts {
        let (als, d) = (&self.fitted, self.fitted.settings.factors);
        let parts = Parts::default().with_matrix("users", d, &als.users).with_matrix("items", d, &als.items);
        parts.with_csr("ratings", &als.by_user)
    }
}

/// The vector of a new user is solved for exactly, with the items' vectors as they are.
impl FoldIn for ImplicitAls {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        dense::dot_all(&self.fold(basket), &self.fitted.items, scores);
        // A singular system has no solution: nothing is known of this person then.
        if scores.iter().any(|score| !score.is_finite()) {
            scores.fill(0.0);
        }
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.parts_of_score(&row_of(basket), 0, item, n)
    }
}

impl Profiles for ImplicitAls {
    fn n_features(&self) -> usize {
        self.fitted.settings.factors
    }

    fn of_user(&self, user: u32) -> Vec<(u32, f32)> {
        (0..).zip(self.user(user).iter().copied()).collect()
    }

    fn of_basket(&self, basket: &[BasketItem]) -> Vec<(u32, f32)> {
        (0..).zip(self.fold(basket)).filter(|(_, value)| value.is_finite()).collect()
    }
}

/// A basket as the only row of a matrix. Of several entries with one item the last counts.
fn row_of(basket: &[BasketItem]) -> Csr {
    let by_item: std::collections::BTreeMap<u32, f32> = basket.iter().map(|own| (own.item, own.rating)).collect();
    let (indices, values): (Vec<u32>, Vec<f32>) = by_item.into_iter().unzip();
    Csr { indptr: vec![0, indices.len()], indices, values }
}

impl ImplicitAls {
    /// The vector of a person with this basket.
    fn fold(&self, basket: &[BasketItem]) -> Vec<f32> {
        let als = &self.fitted;
        let exact = AlsSettings { solver: Solver::Cholesky, ..als.settings };
        let gram = als.with_regularization(&als.item_gram);
        let entries = row_of(basket);
        let mut vector = vec![0.0; als.settings.factors];
        Systems { entries: &entries, other: &als.items, gram: &gram, settings: exact }.solve(&mut vector, || true);
        vector
    }

    fn restore(recommender: &ResolvedRecommender, mut parts: Parts) -> Result<Self, PartsError> {
        let settings = settings(recommender);
        let (n_users, d, users) = parts.take_vectors("users")?;
        let (n_items, item_d, items) = parts.take_vectors("items")?;
        expect_len("users", d, settings.factors)?;
        expect_len("items", item_d, settings.factors)?;
        let by_user = parts.take_csr("ratings", n_items)?;
        expect_len("ratings.indptr", by_user.n_rows(), n_users)?;
        let by_item = Arc::new(by_user.transpose(n_items));
        let item_gram = gramian(&items, d);
        let by_user = Arc::new(by_user);
        let iteration = recommender.integer("iterations") as u64;
        let gauge = Gauge::new(OfNothing::zeros(1.0));
        let losses = Vec::new();
        Ok(Self { fitted: Als { settings, by_user, by_item, users, items, item_gram, iteration, losses, gauge } })
    }

    /// The parts of one row's score for an item, each from an item of the row.
    fn parts_of_score(&self, entries: &Csr, row: usize, item: u32, n: usize) -> Vec<Reason> {
        let als = &self.fitted;
        let gram = als.with_regularization(&als.item_gram);
        let systems = Systems { entries, other: &als.items, gram: &gram, settings: als.settings };
        // A singular system has no such parts.
        let solved = systems.solve_for(row, self.item(item)).unwrap_or_default();
        let mut part = [0.0];
        let own = entries.row(row).0;
        let parts = own.iter().zip(systems.entries_of(row)).filter(|_| !solved.is_empty());
        let parts = parts.map(|(&own, (extra, vector))| {
            dense::dot_all(&solved, vector, &mut part);
            (own, (1.0 + extra) * part[0])
        });
        weightiest(parts.collect(), n)
    }

    fn user(&self, user: u32) -> &[f32] {
        let d = self.fitted.settings.factors;
        &self.fitted.users[user as usize * d..][..d]
    }

    fn item(&self, item: u32) -> &[f32] {
        let d = self.fitted.settings.factors;
        &self.fitted.items[item as usize * d..][..d]
    }
}
