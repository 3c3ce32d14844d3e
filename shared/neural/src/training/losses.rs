//! What a training minimises: the value of each loss and its slope by every score.
//!
//! The slopes are written out, not taped: they are short, and a loss then needs nothing of the network but its scores.
//! Tests hold each of them against finite differences of its value.

use std::borrow::Cow;
use std::ops::Range;

use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use recspeed_parallel::training::Judged;
use recspeed_types::spec::Loss;

/// What the scores of a batch should have been.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "there is one for each batch")]
pub(crate) enum Targets {
    /// Numbers that the scores should equal, `[rows, 1]`. Losses: `mse`, `mae`.
    Numbers(Tensor<2>),
    /// 1 where it is so and 0 where it is not, `[rows, 1]`; a score is the logarithm of the odds. Losses: `bce`; `mse` and
    /// `mae` of the probability.
    Odds(Tensor<2>),
    /// The first score of each row shall be above the others, `[rows, 2 or more]`. Losses: `bce`, `bpr`, `sampled-softmax`.
    First,
    /// What each row has of all items. Losses: `cross-entropy`, `bce`, `mse`, each summed over the items of a row and averaged
    /// over rows.
    Sets {
        /// 1 for each item that the row has, else 0: `[rows, items]`.
        sets: Tensor<2>,
        /// 1 for each item that counts, `[1, items]`; of an item with 0 no row has any, and its score is no part of the loss.
        /// `None` where all count.
        counted: Option<Tensor<2>>,
    },
    /// Which score of each row shall be above the others, `[rows]`. Loss: `cross-entropy`.
    Place(Vec<u32>),
}

impl Targets {
    /// Those of some rows; themselves, where these are all.
    pub(crate) fn of_rows(&self, rows: Range<usize>) -> Cow<'_, Self> {
        let all = match self {
            Self::Numbers(of) | Self::Odds(of) | Self::Sets { sets: of, .. } => of.dims()[0],
            Self::Place(places) => places.len(),
            Self::First => return Cow::Borrowed(self),
        };
        if rows == (0..all) {
            return Cow::Borrowed(self);
        }
        let part = |of: &Tensor<2>| of.clone().slice([rows.clone(), 0..of.dims()[1]]);
        Cow::Owned(match self {
            Self::Numbers(numbers) => Self::Numbers(part(numbers)),
            Self::Odds(truth) => Self::Odds(part(truth)),
            Self::First => Self::First,
            Self::Sets { sets, counted } => Self::Sets { sets: part(sets), counted: counted.clone() },
            Self::Place(places) => Self::Place(places[rows].to_vec()),
        })
    }
}

/// The value of the loss, and its derivative by each score.
///
/// # Shapes
/// - `scores`: `[rows, scores of a row]`, at least one row
///
/// # Panics
/// When the loss does not go with the targets: the catalogue and the lesson disagree, which a test finds.
pub(crate) fn judge(loss: Loss, scores: Tensor<2>, targets: &Targets) -> Judged {
    let [rows, columns] = scores.dims();
    let per_row = 1.0 / rows as f32;
    match (targets, loss) {
        (Targets::Numbers(numbers), Loss::Mse) => {
            let error = scores - numbers.clone();
            judged(error.clone().square().mean(), error * (2.0 / rows as f32))
        }
        (Targets::Numbers(numbers), Loss::Mae) => {
            let error = scores - numbers.clone();
            judged(error.clone().abs().mean(), error.sign() * per_row)
        }
        (Targets::Odds(truth), Loss::Bce) => cross_entropy_of_odds(scores, truth.clone(), per_row),
        (Targets::Odds(truth), Loss::Mse | Loss::Mae) => {
            let probability = sigmoid(scores);
            let bend = probability.clone() * (probability.clone().neg() + 1.0);
            let of_probability = judge(loss, probability, &Targets::Numbers(truth.clone()));
            Judged { slope: of_probability.slope * bend, ..of_probability }
        }
        (Targets::First, Loss::Bce) => {
            let mut truth = vec![0.0; rows * columns];
            for first in truth.iter_mut().step_by(columns) {
                *first = 1.0;
            }
            let truth = Tensor::from_data(TensorData::new(truth, [rows, columns]), &scores.device());
            cross_entropy_of_odds(scores, truth, per_row / columns as f32)
        }
        (Targets::First, Loss::Bpr) => {
            let first = scores.clone().slice([0..rows, 0..1]);
            let lead = scores.slice([0..rows, 1..columns]) - first;
            let scale = per_row / (columns - 1) as f32;
            let others = sigmoid(lead.clone()) * scale;
            let first = others.clone().sum_dim(1).neg();
            judged(softplus(lead).sum() * scale, Tensor::cat(vec![first, others], 1))
        }
        (Targets::First, Loss::SampledSoftmax) => softmax_at(scores, &vec![0; rows]),
        (Targets::Place(places), Loss::CrossEntropy) => softmax_at(scores, places),
        (Targets::Sets { sets, counted }, Loss::CrossEntropy) => {
            let scores = uncounted(scores, counted.as_ref(), NOTHING);
            let (share, log_total) = softmax(scores.clone());
            let value = (sets.clone() * (log_total - scores)).sum() * per_row;
            let owned = sets.clone().sum_dim(1);
            judged(value, (share * owned - sets.clone()) * per_row)
        }
        (Targets::Sets { sets, counted }, Loss::Bce) => {
            cross_entropy_of_odds(uncounted(scores, counted.as_ref(), NOTHING), sets.clone(), per_row)
        }
        (Targets::Sets { sets, counted }, Loss::Mse) => {
            let error = uncounted(scores, counted.as_ref(), 0.0) - sets.clone();
            judged(error.clone().square().sum() * per_row, error * (2.0 * per_row))
        }
        (targets, loss) => panic!("{} says nothing of {targets:?}", loss.as_str()),
    }
}

/// The score of something that is not there: its power is 0.
const NOTHING: f32 = -1e9;

/// Scores with one number in place of all that do not count.
fn uncounted(scores: Tensor<2>, counted: Option<&Tensor<2>>, instead: f32) -> Tensor<2> {
    match counted {
        None => scores,
        Some(counted) => scores * counted.clone() + (counted.clone().neg() + 1.0) * instead,
    }
}

fn judged(value: Tensor<1>, slope: Tensor<2>) -> Judged {
    Judged { value: f64::from(value.into_scalar::<f32>()), slope, rows: Vec::new() }
}

/// `ln(1 + e^x)` without overflow.
fn softplus(x: Tensor<2>) -> Tensor<2> {
    x.clone().clamp_min(0.0) + x.abs().neg().exp().log1p()
}

/// `scale · Σ (ln(1 + e^s) − t·s)`: `−ln σ(s)` where `t` is 1, `−ln(1 − σ(s))` where it is 0.
fn cross_entropy_of_odds(scores: Tensor<2>, truth: Tensor<2>, scale: f32) -> Judged {
    let value = (softplus(scores.clone()) - truth.clone() * scores.clone()).sum() * scale;
    judged(value, (sigmoid(scores) - truth) * scale)
}

/// Softmax of each row, and the logarithm of its denominator, `[rows, 1]`.
fn softmax(scores: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let highest = scores.clone().max_dim(1);
    let powers = (scores - highest.clone()).exp();
    let total = powers.clone().sum_dim(1);
    (powers / total.clone(), total.log() + highest)
}

/// `−ln softmax(s)` at one place of each row, averaged over rows.
fn softmax_at(scores: Tensor<2>, places: &[u32]) -> Judged {
    let rows = places.len();
    let device = scores.device();
    let at = indices(places, &device);
    let wanted = scores.clone().gather(1, at.clone());
    let (share, log_total) = softmax(scores);
    let minus_one = Tensor::full([rows, 1], -1.0f32, &device);
    let slope = share.scatter(1, at, minus_one, IndexingUpdateOp::Add) * (1.0 / rows as f32);
    judged((log_total - wanted).mean(), slope)
}

fn indices(places: &[u32], device: &Device) -> Tensor<2, Int> {
    let places: Vec<i64> = places.iter().map(|&place| i64::from(place)).collect();
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count, 1]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NeuralDevice;
    use crate::random::WeightDraws;

    /// Value in f64 by the definition, to take differences of.
    fn by_definition(loss: Loss, scores: &[f64], columns: usize, targets: &Targets) -> f64 {
        let numbers = |tensor: &Tensor<2>| tensor.clone().into_data().as_slice::<f32>().unwrap().to_vec();
        let rows = scores.len() / columns;
        let bce = |s: f64, t: f64| -(t * (1.0 / (1.0 + (-s).exp())).ln() + (1.0 - t) * (1.0 / (1.0 + s.exp())).ln());
        let log_sum = |row: &[f64]| row.iter().map(|s| s.exp()).sum::<f64>().ln();
        let row = |index: usize| &scores[index * columns..][..columns];
        let sum: f64 = match (targets, loss) {
            (
                Targets::Numbers(truth) | Targets::Odds(truth) | Targets::Sets { sets: truth, .. },
                Loss::Mse | Loss::Mae | Loss::Bce,
            ) => {
                let odds = matches!(targets, Targets::Odds(_));
                let one = |(s, t): (&f64, f32)| {
                    let p = if odds { 1.0 / (1.0 + (-s).exp()) } else { *s };
                    match loss {
                        Loss::Mse => (p - f64::from(t)).powi(2),
                        Loss::Mae => (p - f64::from(t)).abs(),
                        _ => bce(*s, f64::from(t)),
                    }
                };
                scores.iter().zip(numbers(truth)).map(one).sum()
            }
            (Targets::Sets { sets, .. }, _) => {
                let sets = numbers(sets);
                (0..rows)
                    .map(|r| {
                        row(r)
                            .iter()
                            .zip(&sets[r * columns..])
                            .map(|(s, t)| f64::from(*t) * (log_sum(row(r)) - s))
                            .sum::<f64>()
                    })
                    .sum()
            }
            (Targets::First, Loss::Bce) => {
                let one = |(at, s): (usize, &f64)| bce(*s, f64::from(u8::from(at % columns == 0)));
                scores.iter().enumerate().map(one).sum::<f64>() / columns as f64
            }
            (Targets::First, Loss::Bpr) => {
                let lost = |r: usize| row(r)[1..].iter().map(|s| bce(row(r)[0] - s, 1.0)).sum::<f64>();
                (0..rows).map(lost).sum::<f64>() / (columns - 1) as f64
            }
            (Targets::First, _) => (0..rows).map(|r| log_sum(row(r)) - row(r)[0]).sum(),
            (Targets::Place(places), _) => (0..rows).map(|r| log_sum(row(r)) - row(r)[places[r] as usize]).sum(),
            (targets, loss) => panic!("{loss:?} {targets:?}"),
        };
        sum / rows as f64
    }

    #[test]
    fn every_slope_is_that_of_finite_differences() {
        let device = NeuralDevice::flex().plain();
        let mut draws = WeightDraws::new(5);
        let mut tensor = |rows: usize, columns: usize, of: &dyn Fn(f32) -> f32| {
            let values: Vec<f32> = (0..rows * columns).map(|_| of(draws.uniform(3.0))).collect();
            Tensor::<2>::from_data(TensorData::new(values, [rows, columns]), &device)
        };
        let binary = |x: f32| f32::from(u8::from(x > 0.0));
        let cases = [
            (Targets::Numbers(tensor(7, 1, &|x| x)), 1, vec![Loss::Mse, Loss::Mae]),
            (Targets::Odds(tensor(7, 1, &binary)), 1, vec![Loss::Bce, Loss::Mse, Loss::Mae]),
            (Targets::First, 5, vec![Loss::Bce, Loss::Bpr, Loss::SampledSoftmax]),
            (Targets::First, 2, vec![Loss::Bce, Loss::Bpr, Loss::SampledSoftmax]),
            (sets(tensor(7, 6, &binary), None), 6, vec![Loss::CrossEntropy, Loss::Bce, Loss::Mse]),
            (Targets::Place(vec![3, 0, 5, 1, 1, 2, 4]), 6, vec![Loss::CrossEntropy]),
        ];
        for (targets, columns, losses) in cases {
            for loss in losses {
                let scores = tensor(7, columns, &|x| x);
                let plain: Vec<f64> =
                    scores.clone().into_data().as_slice::<f32>().unwrap().iter().map(|s| f64::from(*s)).collect();
                let Judged { value, slope, .. } = judge(loss, scores, &targets);
                let expected = by_definition(loss, &plain, columns, &targets);
                assert!(
                    (value - expected).abs() < 1e-5 * expected.abs().max(1.0),
                    "{loss:?} {targets:?}: {value} {expected}"
                );
                for (at, slope) in slope.into_data().as_slice::<f32>().unwrap().iter().enumerate() {
                    let moved = |by: f64| {
                        let mut scores = plain.clone();
                        scores[at] += by;
                        by_definition(loss, &scores, columns, &targets)
                    };
                    let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    assert!(
                        (f64::from(*slope) - expected).abs() < 1e-5,
                        "{loss:?} {targets:?} at {at}: {slope} {expected}"
                    );
                }
            }
        }
    }

    const fn sets(sets: Tensor<2>, counted: Option<Tensor<2>>) -> Targets {
        Targets::Sets { sets, counted }
    }

    #[test]
    fn what_does_not_count_is_no_part_of_the_loss_and_has_no_slope() {
        let device = NeuralDevice::flex().plain();
        let numbers = |tensor: Tensor<2>| tensor.into_data().as_slice::<f32>().unwrap().to_vec();
        let scores = || Tensor::<2>::from_floats([[0.3, 9.0, -1.0, -7.0], [2.0, -5.0, 0.5, 4.0]], &device);
        let all = || Tensor::<2>::from_floats([[1.0, 0.0, 1.0, 0.0], [0.0, 0.0, 1.0, 0.0]], &device);
        let of_counted = |x: Tensor<2>| x.select(1, Tensor::<1, Int>::from_ints([0, 2], &device));
        let counted = Tensor::<2>::from_floats([[1.0, 0.0, 1.0, 0.0]], &device);
        for loss in [Loss::CrossEntropy, Loss::Bce, Loss::Mse] {
            let masked = judge(loss, scores(), &sets(all(), Some(counted.clone())));
            let without = judge(loss, of_counted(scores()), &sets(of_counted(all()), None));
            assert!((masked.value - without.value).abs() < 1e-6, "{loss:?}: {} {}", masked.value, without.value);
            let slope = numbers(masked.slope);
            assert_eq!([slope[1], slope[3], slope[5], slope[7]], [0.0; 4], "{loss:?}");
            let theirs = numbers(without.slope);
            for (ours, theirs) in [slope[0], slope[2], slope[4], slope[6]].iter().zip(theirs) {
                assert!((ours - theirs).abs() < 1e-6, "{loss:?}: {slope:?}");
            }
        }
    }

    #[test]
    fn targets_of_some_rows_are_those_and_of_all_rows_the_same_ones() {
        let device = NeuralDevice::flex().plain();
        let column = || Tensor::<2>::from_floats([[1.0], [2.0], [3.0]], &device);
        for targets in [Targets::Numbers(column()), Targets::Odds(column()), sets(column(), None)] {
            assert!(matches!(targets.of_rows(0..3), Cow::Borrowed(_)), "{targets:?}: nothing is copied");
            let part = targets.of_rows(1..3);
            let (Targets::Numbers(of) | Targets::Odds(of) | Targets::Sets { sets: of, .. }) = &*part else {
                panic!("{part:?} are no numbers")
            };
            assert_eq!(of.clone().into_data().as_slice::<f32>().unwrap(), [2.0, 3.0]);
        }
        let places = Targets::Place(vec![4, 5, 6]);
        assert!(matches!(places.of_rows(0..3), Cow::Borrowed(_)));
        assert!(matches!(&*places.of_rows(0..1), Targets::Place(of) if *of == [4]));
        assert!(matches!(Targets::First.of_rows(0..1), Cow::Borrowed(Targets::First)));
    }

    #[test]
    fn huge_scores_overflow_nothing() {
        let device = NeuralDevice::flex().plain();
        let scores = || Tensor::<2>::from_floats([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]], &device);
        for loss in [Loss::Bce, Loss::Bpr, Loss::SampledSoftmax] {
            let Judged { value, slope, .. } = judge(loss, scores(), &Targets::First);
            assert!(value.is_finite() && value > 1e3, "{loss:?}: {value}");
            assert!(slope.into_data().as_slice::<f32>().unwrap().iter().all(|slope| slope.is_finite()), "{loss:?}");
        }
    }
}
