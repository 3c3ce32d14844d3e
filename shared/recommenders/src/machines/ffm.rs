//! Field-aware factorization machines: a feature has another vector for each field that it meets.

use recspeed_types::FitObserver;

use super::features::{Side, Sides};
use super::model::{Described, Machine, Newcomer, Newcomers, check_needs};
use super::permuted::{OwnFields, Within};
use crate::course::{self, Learner};
use crate::divergence::OfNothing;
use crate::error::reserve;
use crate::factorization::adagrad::step;
use crate::factorization::draws::{ITEMS_STREAM, READ_AT_ONCE, ROWS_AT_ONCE, USERS_STREAM, normal, order, stream};
use crate::fit::{FitRequest, Method};
use crate::memory::machines::REMEDY;
use crate::{FitError, TrainSet, memory};

pub(super) const METHOD: Method = Method {
    kind: "ffm",
    fit: |request, observer| Ok(Box::new(fit(request, observer)?)),
    restore: |_, parts| Ok(Box::new(Machine::restore(parts)?)),
};

/// Standard deviation of the first numbers, times the root of the length of a vector.
const INITIAL: f32 = 0.1;

/// What the vectors of the fitted model are.
const PAIRS: &str = "the vectors of pairs of fields";

/// `ŷ(x) = w_0 + Σ x_l w_l + Σ_{l<m} x_l x_m ⟨v_{l, F_m}, v_{m, F_l}⟩`, with `w_0` the mean and `F_l` the field of feature `l`: the user's id, each of
/// their attributes, the item's id, each of its attributes. Each rating is one step by AdaGrad down the gradient of
/// `½ (y − ŷ)² + ½ λ Σ ‖numbers of the row‖²`, in an order drawn anew each epoch; the paper's logistic loss is for clicks.
/// Source: Juan, Zhuang, Chin, Lin, "Field-aware Factorization Machines for CTR Prediction", doi:10.1145/2959100.2959134.
fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Machine, FitError> {
    let (data, recommender) = (request.data, request.recommender);
    let sides = Sides::of(data, recommender)?;
    let k = recommender.integer("factors") as usize;
    let shape = Shape { k, users: sides.users.n_fields, items: sides.items.n_fields };
    let iterations = recommender.integer("iterations") as u64;
    let of_fit = memory::machines::Ffm { factors: k as u64, iterations, permutes: request.permutes };
    let needs = memory::machines::ffm(&sides.counts(data), of_fit, observer.keeps_checkpoints());
    check_needs(needs, observer, REMEDY)?;
    let mut learner = Ffm {
        data,
        shape,
        rate: recommender.float("learning_rate") as f32,
        penalty: recommender.float("regularization") as f32,
        seed: request.seed,
        intercept: data.global_mean().ok_or(FitError::NoRows)? as f32,
        users: Fielded::new(&sides.users, 0, shape, request.seed, USERS_STREAM)?,
        items: Fielded::new(&sides.items, shape.users, shape, request.seed, ITEMS_STREAM)?,
    };
    course::take(&mut learner, iterations, observer)?;
    let Ffm { intercept, penalty, mut users, mut items, .. } = learner;
    // What only learning needs goes before the model is made.
    for side in [&mut users, &mut items] {
        (side.weight_squares, side.vector_squares) = (Vec::new(), Vec::new());
    }
    let permutes = request.permutes;
    let (users, items) =
        (users.finish(shape, true, (intercept, permutes))?, items.finish(shape, false, (0.0, permutes))?);
    Ok(Machine { d: shape.d(), users, items, newcomer: newcomer(shape, intercept, penalty) })
}

/// Somebody of whom nothing is known but what they rated has an id's numbers alone: the first pieces, those of field 0
/// with each of the item's fields, and a weight. With the items as they are, the objective of the fit is ridge
/// regression of these on the ratings, every number penalised by `λ` in every rating, where steps penalise it once for
/// each feature that it meets. A fit takes steps towards that and ends nearby: a known user's own rows give nearly
/// their ratings.
fn newcomer(shape: Shape, intercept: f32, penalty: f32) -> Newcomers {
    let d = shape.d();
    let mut cold = vec![0.0; d];
    (cold[d - 2], cold[d - 1]) = (1.0, intercept);
    let penalties = vec![penalty; shape.k * shape.items + 1];
    Newcomers::Regressed(Newcomer { cold, block: d - 2, penalties, per_rating: true })
}

/// Length of a vector, and numbers of fields; those of the users come first.
#[derive(Debug, Clone, Copy)]
struct Shape {
    k: usize,
    users: usize,
    items: usize,
}

impl Shape {
    /// Numbers of a feature: a vector for each field.
    fn width(self) -> usize {
        self.k * (self.users + self.items)
    }

    /// Length of a vector of the [`Machine`]: one piece for each pair of a user's and an item's field.
    fn d(self) -> usize {
        self.k * self.users * self.items + 2
    }
}

/// The numbers of one side.
struct Fielded<'a> {
    side: &'a Side,
    /// Number of its first field.
    first: usize,
    weights: Vec<f32>,
    /// `[n_features, fields, k]`
    vectors: Vec<f32>,
    /// Sums of the squared slopes of both, from 1.
    weight_squares: Vec<f32>,
    vector_squares: Vec<f32>,
}

struct Ffm<'a> {
    data: &'a TrainSet<'a>,
    shape: Shape,
    rate: f32,
    penalty: f32,
    seed: u64,
    /// `w_0`, the mean of all ratings.
    intercept: f32,
    users: Fielded<'a>,
    items: Fielded<'a>,
}

/// A feature of a row.
#[derive(Debug, Clone, Copy)]
struct Present {
    is_user: bool,
    feature: usize,
    field: usize,
    x: f32,
}

impl<'a> Fielded<'a> {
    fn new(side: &'a Side, first: usize, shape: Shape, seed: u64, which: u64) -> Result<Self, FitError> {
        let n = side.n_features();
        let numbers = |what| reserve::<f32>(n.checked_mul(shape.width()), what, REMEDY);
        let (mut vectors, mut vector_squares) =
            (numbers("the vectors of the features")?, numbers("the squared slopes of the features")?);
        vector_squares.fill(1.0);
        let mut rng = stream(seed, which);
        let deviation = INITIAL / (shape.k as f32).sqrt();
        let lines = vectors.chunks_exact_mut(shape.width()).zip(side.rows_of_features());
        for (line, _) in lines.filter(|(_, rows)| *rows > 0) {
            // What no row has learns nothing: its numbers stay 0.
            for value in line {
                *value = normal(&mut rng, deviation);
            }
        }
        Ok(Self { side, first, weights: vec![0.0; n], vectors, weight_squares: vec![1.0; n], vector_squares })
    }

    fn present(&self, entity: usize, is_user: bool) -> impl Iterator<Item = Present> + '_ {
        self.side.features(entity).map(move |(feature, x)| {
            let own = feature.checked_sub(self.side.len()).map_or(0, |attribute| self.side.field[attribute] as usize);
            Present { is_user, feature, field: self.first + own, x }
        })
    }

    /// The vectors of a [`Machine`]: piece `(a, b)` of a user is `Σ x v_{l, b}` over the features of field `a`, and that of an
    /// item is `Σ x v_{m, a}` over the features of field `b`; pairs within a side are a number of its own, and `permutes` says
    /// whether what they are made of is kept.
    fn finish(self, shape: Shape, is_user: bool, (intercept, permutes): (f32, bool)) -> Result<Described, FitError> {
        let Shape { k, .. } = shape;
        let d = shape.d();
        let n = self.side.len();
        let whole = |rows: usize| reserve::<f32>(rows.checked_mul(d), PAIRS, REMEDY);
        let mut vectors = whole(n)?;
        let mut parts = whole(self.side.field.len())?;
        let (one, bias) = if is_user { (d - 2, d - 1) } else { (d - 1, d - 2) };
        let add = |line: &mut [f32], at: Present| {
            let own = at.field - self.first;
            for other in 0..if is_user { shape.items } else { shape.users } {
                let (pair, field) = if is_user {
                    (own * shape.items + other, shape.users + other)
                } else {
                    (other * shape.items + own, other)
                };
                let vector = &self.vectors[at.feature * shape.width() + field * k..][..k];
                line[pair * k..][..k].iter_mut().zip(vector).for_each(|(sum, value)| *sum += at.x * value);
            }
            line[bias] += at.x * self.weights[at.feature];
        };
        for (entity, line) in vectors.chunks_exact_mut(d).enumerate() {
            let present: Vec<Present> = self.present(entity, is_user).collect();
            line[one] = 1.0;
            line[bias] = intercept;
            for (at, &l) in present.iter().enumerate() {
                add(line, l);
                for &m in &present[..at] {
                    let v = &self.vectors[l.feature * shape.width() + m.field * k..][..k];
                    let w = &self.vectors[m.feature * shape.width() + l.field * k..][..k];
                    line[bias] += l.x * m.x * v.iter().zip(w).map(|(v, w)| v * w).sum::<f32>();
                }
            }
        }
        for (attribute, line) in parts.chunks_exact_mut(d).enumerate() {
            let field = self.first + self.side.field[attribute] as usize;
            add(line, Present { is_user, feature: n + attribute, field, x: 1.0 });
        }
        let within = if permutes { Within::FieldPairs(self.own_fields(shape)?) } else { Within::Unknown };
        Ok(Described::new(self.side.clone(), vectors, parts, within))
    }
}

impl Fielded<'_> {
    /// The vectors by which the features meet those of their own side.
    fn own_fields(&self, shape: Shape) -> Result<OwnFields, FitError> {
        let (n_fields, k) = (self.side.n_fields, shape.k);
        let of_own = n_fields * k;
        let len = self.side.n_features().checked_mul(of_own);
        let mut vectors: Vec<f32> = reserve(len, "the vectors of pairs within a side", REMEDY)?;
        for (own, all) in vectors.chunks_exact_mut(of_own).zip(self.vectors.chunks_exact(shape.width())) {
            own.copy_from_slice(&all[self.first * k..][..of_own]);
        }
        Ok(OwnFields { k, n_fields, field: self.side.field.clone(), vectors })
    }
}

impl Ffm<'_> {
    fn side(&self, is_user: bool) -> &Fielded<'_> {
        if is_user { &self.users } else { &self.items }
    }

    fn vector(&self, of: Present, meets: Present) -> &[f32] {
        &self.side(of.is_user).vectors[of.feature * self.shape.width() + meets.field * self.shape.k..][..self.shape.k]
    }

    fn predict(&self, present: &[Present]) -> f32 {
        let mut sum = self.intercept;
        for (at, &l) in present.iter().enumerate() {
            sum += l.x * self.side(l.is_user).weights[l.feature];
            for &m in &present[..at] {
                let product: f32 = self.vector(l, m).iter().zip(self.vector(m, l)).map(|(v, w)| v * w).sum();
                sum += l.x * m.x * product;
            }
        }
        sum
    }

    /// One step for all numbers of a row; `by_prediction`: the derivative of the loss; `scratch`: two vectors.
    fn learn(&mut self, present: &[Present], by_prediction: f32, scratch: &mut [f32]) {
        let Shape { k, .. } = self.shape;
        let (rate, penalty) = (self.rate, self.penalty);
        for (at, &l) in present.iter().enumerate() {
            let side = if l.is_user { &mut self.users } else { &mut self.items };
            let weight = &mut side.weights[l.feature];
            let slope = by_prediction * l.x + penalty * *weight;
            step(weight, &mut side.weight_squares[l.feature], slope, rate);
            for &m in &present[..at] {
                // Both slopes are of the numbers before the step.
                let (v, w) = scratch.split_at_mut(k);
                v.copy_from_slice(self.vector(l, m));
                w.copy_from_slice(self.vector(m, l));
                let factor = by_prediction * l.x * m.x;
                self.descend(l, m, factor, (v, w));
                self.descend(m, l, factor, (w, v));
            }
        }
    }

    /// A step of the vector by which one feature meets another, from its own numbers and the other's before the step.
    fn descend(&mut self, of: Present, meets: Present, factor: f32, (own, other): (&[f32], &[f32])) {
        let Shape { k, .. } = self.shape;
        let (at, rate, penalty) = (of.feature * self.shape.width() + meets.field * k, self.rate, self.penalty);
        let side = if of.is_user { &mut self.users } else { &mut self.items };
        let values = side.vectors[at..][..k].iter_mut().zip(&mut side.vector_squares[at..][..k]);
        for ((value, squares), (own, other)) in values.zip(own.iter().zip(other)) {
            step(value, squares, factor * other + penalty * own, rate);
        }
    }
}

impl Learner for Ffm<'_> {
    fn numbers(&mut self) -> Vec<&mut Vec<f32>> {
        let mut all = Vec::new();
        for side in [&mut self.users, &mut self.items] {
            let Fielded { weights, vectors, weight_squares, vector_squares, .. } = side;
            all.extend([weights, vectors, weight_squares, vector_squares]);
        }
        all
    }

    fn of_nothing(&self) -> OfNothing {
        OfNothing::ratings(&self.data.by_user.values)
    }

    fn round(&mut self, round: u64, go_on: &mut dyn FnMut() -> bool) -> Result<Option<f64>, FitError> {
        let order = order(self.data.rows.len(), self.seed, round);
        let columns = self.data.interactions;
        let (mut present, mut scratch) = (Vec::new(), vec![0.0; 2 * self.shape.k]);
        let (mut rows, mut squares) = (Vec::with_capacity(READ_AT_ONCE), 0.0);
        for places in order.chunks(ROWS_AT_ONCE) {
            if !go_on() {
                return Ok(None);
            }
            for places in places.chunks(READ_AT_ONCE) {
                rows.clear();
                rows.extend(places.iter().map(|&place| {
                    let row = self.data.rows[place as usize] as usize;
                    (columns.user[row], columns.item[row], columns.rating[row])
                }));
                for &(user, item, rating) in &rows {
                    present.clear();
                    present.extend(self.users.present(user as usize, true));
                    present.extend(self.items.present(item as usize, false));
                    let error = rating - self.predict(&present);
                    squares += f64::from(error) * f64::from(error);
                    self.learn(&present, -error, &mut scratch);
                }
            }
        }
        Ok(Some(squares / order.len() as f64))
    }
}

#[cfg(test)]
mod tests {
    use recspeed_data::{Csr, InteractionsBuilder};

    use super::*;
    use crate::Recommender as _;

    /// Two people and two items, with attributes of two fields a side, two of them of one field.
    fn side(rows: Vec<u32>) -> Side {
        let mut side = Side::new(rows);
        side.attributes = Csr { indptr: vec![0, 3, 4], indices: vec![0, 1, 2, 1], values: vec![1.0, 0.5, -2.0, 1.0] };
        (side.field, side.n_fields) = (vec![1, 1, 2], 3);
        side
    }

    fn with_fit(work: impl FnOnce(Ffm<'_>)) {
        let mut builder = InteractionsBuilder::default();
        builder.push("a", "x", 4.0, 0);
        builder.push("b", "y", 2.0, 0);
        let all = builder.finish();
        let rows = [0];
        let data = TrainSet::new(&all, &rows);
        let (users, items) = (side(data.user_counts()), side(data.item_counts()));
        let shape = Shape { k: 2, users: 3, items: 3 };
        let fielded = |side, first, which| {
            let mut fielded = Fielded::new(side, first, shape, 7, which).unwrap();
            fielded.weights.iter_mut().zip(0..).for_each(|(weight, at)| *weight = (at as f32 + which as f32).sin());
            // Larger than a fit begins with, so that pairs matter.
            fielded.vectors.iter_mut().for_each(|value| *value *= 5.0);
            // Squares so large that AdaGrad's steps are all of the same length: rate / √1e8.
            fielded.weight_squares.fill(1e8);
            fielded.vector_squares.fill(1e8);
            fielded
        };
        let (users, items) = (fielded(&users, 0, USERS_STREAM), fielded(&items, 3, ITEMS_STREAM));
        work(Ffm { data: &data, shape, rate: 1.0, penalty: 0.0, seed: 1, intercept: 3.0, users, items });
    }

    fn row(fit: &Ffm<'_>, user: usize, item: usize) -> Vec<Present> {
        fit.users.present(user, true).chain(fit.items.present(item, false)).collect()
    }

    #[test]
    fn the_vectors_of_the_model_give_the_sum_over_all_pairs() {
        with_fit(|fit| {
            let expected: Vec<f32> =
                [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().map(|(u, i)| fit.predict(&row(&fit, u, i))).collect();
            let shape = fit.shape;
            let (users, items) = (
                fit.users.finish(shape, true, (3.0, false)).unwrap(),
                fit.items.finish(shape, false, (0.0, false)).unwrap(),
            );
            let newcomer = newcomer(shape, 0.0, 0.0);
            let machine = Machine { d: shape.d(), users, items, newcomer };
            let found = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(u, i)| machine.predict(u, i, 0));
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-4, "{found}, not {expected}");
            }
        });
    }

    #[test]
    fn adagrad_shortens_the_steps_of_what_it_has_seen() {
        let (mut value, mut square) = (0.0, 1.0);
        step(&mut value, &mut square, 2.0, 0.1);
        assert_eq!((value, square), (-0.2 / 5.0f32.sqrt(), 5.0));
    }

    #[test]
    fn a_step_goes_down_the_gradient() {
        with_fit(|mut fit| {
            let present = row(&fit, 0, 0);
            let error = 4.0 - fit.predict(&present);
            let before = (fit.users.vectors.clone(), fit.items.weights.clone());
            let loss = |fit: &Ffm<'_>| 0.5 * f64::from(4.0 - fit.predict(&present)).powi(2);
            let mut slopes = Vec::new();
            for place in 0..before.0.len() {
                let mut moved = |change: f32| {
                    fit.users.vectors[place] = before.0[place] + change;
                    loss(&fit)
                };
                let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
                moved(0.0);
                slopes.push(slope as f32);
            }
            fit.learn(&present, -error, &mut [0.0; 4]);
            for (place, slope) in slopes.into_iter().enumerate() {
                let step = (fit.users.vectors[place] - before.0[place]) / 1e-4;
                assert!((step + slope).abs() < 0.02, "vector number {place}: {step}, not {}", -slope);
            }
            let step = (fit.items.weights[0] - before.1[0]) / 1e-4;
            assert!((step - error).abs() < 0.02, "the item's weight: {step}, not {error}");
        });
    }
}
