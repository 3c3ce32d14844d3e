//! Weighted: the scores of the components are added.

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_data::parts::expect_len;
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;

use super::components::{Components, Reader, weightiest};
use super::composed::Composed;
use super::nonnegative::least_squares;
use super::scale::Scale;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::{FitError, Parts, PartsError, Reason, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "weighted",
    fit: |request, observer| Ok(Box::new(Weighted::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(Weighted::restore(request, parts)?)),
};

/// Users whose scores are added up together.
const BLOCK: usize = 64;

/// `s_ui = Σ_c w_c · n_u(s_ui^c)`, with `n_u` the common scale over all items of user `u`. Where every component gives
/// ratings, `r̂_ui = Σ_c w_c · r̂_ui^c` in stars.
struct Weighted {
    components: Components,
    /// Of each component; those that were given add up to 1.
    weights: Vec<f32>,
    scale: Scale,
    stars: bool,
}

impl Weighted {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let recommender = request.recommender;
        let learnt = recommender.text("weights") == "learnt";
        if learnt && request.data.validation.is_empty() {
            return Err(FitError::NoValidation);
        }
        let divided = if learnt { divide_validation(request, observer)? } else { None };
        let of = |rows| TrainSet { validation: rows, ..request.data.clone() };
        let stopping = divided.as_ref().map(|rows| of(&rows.stopping));
        let teaching = divided.as_ref().map(|rows| of(&rows.teaching));
        let data = stopping.as_ref().unwrap_or(request.data);
        let components = Components::fit(&FitRequest { data, ..*request }, observer)?;
        let given: Vec<f64> = recommender.components().iter().map(|each| each.float("weight")).collect();
        let (scale, stars) = (Scale::of(recommender), recommender.predicts() == Predicts::Ratings);
        let mut model = Self { components, weights: shares(&given), scale, stars };
        if learnt {
            model.learn(teaching.as_ref().unwrap_or(request.data), observer)?;
        }
        Ok(model)
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        let recommender = request.recommender;
        let weights = parts.take_list("weights")?;
        let components = Components::take_from(request, &mut parts)?;
        expect_len("weights", weights.len(), components.len())?;
        let stars = recommender.predicts() == Predicts::Ratings;
        Ok(Self { components, weights, scale: Scale::of(recommender), stars })
    }

    /// Takes the weights that explain the validation rows best.
    ///
    /// Ratings: least squares of the ratings on the components' predictions. Scores: least squares, for each user apart
    /// from a constant of their own, of 1 for the user's validation items and 0 for all others that the user did not train on
    /// and somebody has in a training or validation row. Of the items of the test alone nothing is known yet.
    fn learn(&mut self, data: &TrainSet<'_>, observer: &mut dyn FitObserver) -> Result<(), FitError> {
        let n = self.components.len();
        let (gram, target) = if self.stars { self.rating_moments(data) } else { self.score_moments(data, observer)? };
        let weights = least_squares(&gram, &target);
        if weights.iter().all(|&weight| weight == 0.0) {
            let message = "no component speaks for the validation rows; the given weights are kept".to_owned();
            observer.event(EventKind::Warning { message });
            return Ok(());
        }
        // The order of scores does not change with their unit; ratings have one.
        self.weights = if self.stars { weights.iter().map(|&w| w as f32).collect() } else { shares(&weights) };
        let named: Vec<String> =
            (0..n).map(|index| format!("{} {:.4}", self.components.kind(index), self.weights[index])).collect();
        observer.event(EventKind::Log { message: format!("learnt weights: {}", named.join(", ")), seconds: None });
        Ok(())
    }

    fn rating_moments(&self, data: &TrainSet<'_>) -> (Vec<f64>, Vec<f64>) {
        let all = data.interactions;
        let of_block = |rows: &[u32]| {
            let mut sums = Moments::new(self.components.len());
            for &row in rows {
                let row = row as usize;
                let predict = |index| self.components.predict(index, all.user[row], all.item[row], all.timestamp[row]);
                let values: Vec<f64> = (0..self.components.len()).map(|index| f64::from(predict(index))).collect();
                sums.add(&values, f64::from(all.rating[row]));
            }
            sums
        };
        let blocks: Vec<Moments> = data.validation.par_chunks(BLOCK * BLOCK).map(of_block).collect();
        let mut sums = Moments::new(self.components.len());
        for block in &blocks {
            sums.join(block);
        }
        (sums.products, sums.targets)
    }

    fn score_moments(
        &self,
        data: &TrainSet<'_>,
        observer: &mut dyn FitObserver,
    ) -> Result<(Vec<f64>, Vec<f64>), FitError> {
        let (n, n_items) = (self.components.len(), self.components.n_items());
        let wanted = Csr::by_user(data.interactions, data.validation);
        let users: Vec<u32> = (0..wanted.n_rows() as u32).filter(|&u| !wanted.row(u as usize).0.is_empty()).collect();
        let total = users.len() as u64;
        let mut judged = data.candidates();
        data.validation.iter().for_each(|&row| judged[data.interactions.item[row as usize] as usize] = true);
        let (mut gram, mut target) = (vec![0.0; n * n], vec![0.0; n]);
        for (index, group) in users.chunks(BLOCK * rayon::current_num_threads()).enumerate() {
            let done = (index * BLOCK * rayon::current_num_threads()) as u64;
            if observer.stop_requested() {
                return Err(FitError::Interrupted { done, total, unit: "users" });
            }
            let of_user = |&user: &u32| {
                let lines = self.scaled(Reader::Known(user), n_items);
                let (own, relevant) = (data.by_user.row(user as usize).0, wanted.row(user as usize).0);
                let mut sums = Moments::new(n);
                let mut values = vec![0.0; n];
                for item in (0..n_items).filter(|&i| judged[i] && own.binary_search(&(i as u32)).is_err()) {
                    values.iter_mut().zip(&lines).for_each(|(value, line)| *value = f64::from(line[item]));
                    sums.add(&values, f64::from(u8::from(relevant.binary_search(&(item as u32)).is_ok())));
                }
                sums.centred()
            };
            let sums: Vec<(Vec<f64>, Vec<f64>)> = group.par_iter().map(of_user).collect();
            for (products, targets) in sums {
                gram.iter_mut().zip(products).for_each(|(sum, value)| *sum += value);
                target.iter_mut().zip(targets).for_each(|(sum, value)| *sum += value);
            }
            let done = (done + group.len() as u64).min(total);
            observer.event(EventKind::Progress { done, total, unit: "users".to_owned() });
        }
        Ok((gram, target))
    }

    /// Each component's scores on the common scale, `[components][n_items]`.
    fn scaled(&self, reader: Reader<'_>, n_items: usize) -> Vec<Vec<f32>> {
        let line = |index| {
            let mut line = vec![0.0; n_items];
            self.components.score(index, reader, &mut line);
            self.scale.apply(&mut line);
            line
        };
        (0..self.components.len()).map(line).collect()
    }
}

/// Validation rows, divided.
struct Divided {
    /// Those that the components have.
    stopping: Vec<u32>,
    /// Those that the weights are learnt from.
    teaching: Vec<u32>,
}

/// Who reads which validation rows, where a component chooses by them when to stop or learns weights by them itself: those of
/// every second user stop, those of the others teach. By the same rows such a component would look better than it is. `None`:
/// nothing does, and all rows are everybody's.
fn divide_validation(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Option<Divided>, FitError> {
    let reads = |each: &&ResolvedRecommender| {
        let learns = each.entry.kind == METHOD.kind && each.text("weights") == "learnt";
        learns || (each.entry.is_trained() && request.stops_early)
    };
    let within: Vec<&ResolvedRecommender> =
        request.recommender.components().iter().flat_map(ResolvedRecommender::all).collect();
    if !within.iter().any(reads) {
        return Ok(None);
    }
    let user = |row: &u32| request.data.interactions.user[*row as usize];
    let (stopping, teaching): (Vec<u32>, Vec<u32>) =
        request.data.validation.iter().copied().partition(|row| user(row).is_multiple_of(2));
    if stopping.is_empty() || teaching.is_empty() {
        return Err(FitError::NoValidation);
    }
    let (some, all) = (stopping.len(), request.data.validation.len());
    let message = format!("{some} of {all} validation rows, those of every second user, are the components' own");
    observer.event(EventKind::Log { message, seconds: None });
    Ok(Some(Divided { stopping, teaching }))
}

/// Weights as shares of their sum.
fn shares(weights: &[f64]) -> Vec<f32> {
    let sum: f64 = weights.iter().sum();
    let factor = if sum > 0.0 { 1.0 / sum } else { 0.0 };
    weights.iter().map(|weight| (weight * factor) as f32).collect()
}

/// Sums over rows of values and a target, as least squares needs them.
struct Moments {
    rows: f64,
    values: Vec<f64>,
    target: f64,
    /// Σ a·aᵀ
    products: Vec<f64>,
    /// Σ a·y
    targets: Vec<f64>,
}

impl Moments {
    fn new(n: usize) -> Self {
        Self { rows: 0.0, values: vec![0.0; n], target: 0.0, products: vec![0.0; n * n], targets: vec![0.0; n] }
    }

    fn add(&mut self, values: &[f64], target: f64) {
        self.rows += 1.0;
        self.target += target;
        for (i, a) in values.iter().enumerate() {
            self.values[i] += a;
            self.targets[i] += a * target;
            for (j, b) in values.iter().enumerate() {
                self.products[i * values.len() + j] += a * b;
            }
        }
    }

    fn join(&mut self, other: &Self) {
        self.rows += other.rows;
        self.target += other.target;
        let add = |sums: &mut [f64], others: &[f64]| sums.iter_mut().zip(others).for_each(|(sum, value)| *sum += value);
        add(&mut self.values, &other.values);
        add(&mut self.products, &other.products);
        add(&mut self.targets, &other.targets);
    }

    /// The same about the means of these rows: products and targets.
    fn centred(self) -> (Vec<f64>, Vec<f64>) {
        let (n, rows) = (self.values.len(), self.rows.max(1.0));
        let products = (0..n * n).map(|at| self.products[at] - self.values[at / n] * self.values[at % n] / rows);
        let targets = (0..n).map(|at| self.targets[at] - self.values[at] * self.target / rows);
        (products.collect(), targets.collect())
    }
}

impl Composed for Weighted {
    fn components(&self) -> &Components {
        &self.components
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.components
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        scores.fill(0.0);
        let mut line = vec![0.0; scores.len()];
        for (index, weight) in self.weights.iter().enumerate() {
            self.components.score(index, reader, &mut line);
            self.scale.apply(&mut line);
            scores.iter_mut().zip(&line).for_each(|(score, part)| *score += weight * part);
        }
    }

    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let lines = self.scaled(reader, self.components.n_items());
        let part = |(index, line): (usize, &Vec<f32>)| (index, self.weights[index] * line[item as usize]);
        let parts = weightiest(lines.iter().enumerate().map(part).collect(), n);
        parts.into_iter().map(|(index, part)| self.components.reason(index, reader, item, part)).collect()
    }

    fn predict_one(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        if self.stars {
            let part = |(index, weight): (usize, &f32)| weight * self.components.predict(index, user, item, timestamp);
            return self.weights.iter().enumerate().map(part).fold(0.0, |sum, part| sum + part);
        }
        // A place on the common scale needs the scores of all items.
        self.score_one(user, item)
    }

    fn own_bytes(&self) -> (usize, usize) {
        (size_of_val(&self.weights[..]), 0)
    }

    fn own_parameters(&self) -> usize {
        self.weights.len()
    }

    /// `weights`.
    fn own_parts(&self) -> Parts {
        Parts::default().with_list("weights", &self.weights)
    }
}
