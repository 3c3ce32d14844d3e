//! Tree-structured Parzen estimators, one parameter at a time: a density of the values of the better trials and one of the others;
//! of some values drawn from the first, the one that the first favours most over the second is tried next.
//! Source: Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011, section 4.
//!
//! The crate `tpe` (0.2.0) does the same with whatever generator it is lent. It is not taken because that must be one of rand 0.8,
//! where the workspace has 0.10, and because it takes rand 0.8 with its defaults: getrandom 0.2, which for a browser's wasm
//! refuses to compile until somebody above it says where random numbers come from there.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use statrs::distribution::{Continuous as _, ContinuousCDF as _, Normal};

/// Share of the trials that count as the better ones: a tenth, where the paper takes 15 %.
const BETTER: f64 = 0.1;
/// Values that are drawn to choose among.
const CANDIDATES: usize = 24;
/// Draws outside of the range before the middle is taken.
const PATIENCE: usize = 100;

/// A value that was tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tried {
    /// Where it lies.
    pub(crate) coordinate: f64,
    /// What came of it, smaller being better.
    pub(crate) loss: f64,
}

/// The better trials and the others; the earlier of equals is the better.
fn divided(tried: &[Tried]) -> (Vec<f64>, Vec<f64>) {
    let mut order: Vec<&Tried> = tried.iter().collect();
    order.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    let better = (order.len() as f64 * BETTER).ceil() as usize;
    let of = |part: &[&Tried]| part.iter().map(|tried| tried.coordinate).collect();
    (of(&order[..better]), of(&order[better..]))
}

/// The next number between `low` and `high`.
pub(crate) fn number(low: f64, high: f64, tried: &[Tried], rng: &mut ChaCha8Rng) -> f64 {
    let (better, others) = divided(tried);
    let (better, others) = (Mixture::new(low, high, better), Mixture::new(low, high, others));
    let favour = |at: f64| better.log_density(at) - others.log_density(at);
    let drawn: Vec<f64> = (0..CANDIDATES).map(|_| better.draw(rng)).collect();
    drawn.into_iter().max_by(|a, b| favour(*a).total_cmp(&favour(*b))).unwrap_or(f64::midpoint(low, high))
}

/// The next of `n` categories.
pub(crate) fn category(n: usize, tried: &[Tried], rng: &mut ChaCha8Rng) -> usize {
    // Each category counts once before anything is known.
    let counts = |coordinates: Vec<f64>| {
        let mut counts = vec![1.0; n];
        for coordinate in coordinates {
            counts[(coordinate as usize).min(n - 1)] += 1.0;
        }
        let total: f64 = counts.iter().sum();
        counts.into_iter().map(|count| count / total).collect::<Vec<f64>>()
    };
    let (better, others) = divided(tried);
    let (better, others) = (counts(better), counts(others));
    let drawn: Vec<usize> = (0..CANDIDATES).map(|_| draw(&better, rng)).collect();
    let favour = |category: usize| better[category] / others[category];
    drawn.into_iter().max_by(|a, b| favour(*a).total_cmp(&favour(*b))).unwrap_or(0)
}

fn draw(shares: &[f64], rng: &mut ChaCha8Rng) -> usize {
    let mut rest = unit(rng);
    for (category, share) in shares.iter().enumerate() {
        rest -= share;
        if rest < 0.0 {
            return category;
        }
    }
    shares.len() - 1
}

fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// What a density stands for.
#[derive(Clone, Copy)]
enum Whose {
    /// A trial.
    Trial,
    /// What is thought before any.
    Prior,
}

/// A normal density.
struct Part {
    centre: f64,
    sd: f64,
    normal: Normal,
}

/// Normal densities around the values that were tried, and one around the middle that is as wide as the range, the prior: it keeps
/// every value likely enough to be drawn. Cut off at the ends of the range, all as likely.
struct Mixture {
    low: f64,
    high: f64,
    parts: Vec<Part>,
    /// Share of the parts that lies in the range.
    inside: f64,
}

impl Mixture {
    fn new(low: f64, high: f64, tried: Vec<f64>) -> Self {
        let mut centres: Vec<(f64, Whose)> = tried.into_iter().map(|centre| (centre, Whose::Trial)).collect();
        centres.push((f64::midpoint(low, high), Whose::Prior));
        centres.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (width, n) = (high - low, centres.len());
        let part = |(place, &(centre, whose)): (usize, &(f64, Whose))| {
            // As wide as the farther neighbour is far, within a hundredth of the range and all of it.
            let before = place.checked_sub(1).map_or(low, |place| centres[place].0);
            let after = centres.get(place + 1).map_or(high, |next| next.0);
            let least = width / (1.0 + n as f64).min(100.0);
            let sd = match whose {
                Whose::Prior => width,
                Whose::Trial => (centre - before).max(after - centre).clamp(least, width),
            };
            Some(Part { centre, sd, normal: Normal::new(centre, sd).ok()? })
        };
        let parts: Vec<Part> = centres.iter().enumerate().filter_map(part).collect();
        let inside = parts.iter().map(|part| part.normal.cdf(high) - part.normal.cdf(low)).sum::<f64>()
            / parts.len().max(1) as f64;
        Self { low, high, parts, inside }
    }

    fn log_density(&self, at: f64) -> f64 {
        let sum: f64 = self.parts.iter().map(|part| part.normal.pdf(at)).sum();
        (sum / (self.parts.len() as f64 * self.inside)).max(f64::MIN_POSITIVE).ln()
    }

    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        for _ in 0..PATIENCE {
            let part = &self.parts[((unit(rng) * self.parts.len() as f64) as usize).min(self.parts.len() - 1)];
            let standard: f64 = StandardNormal.sample(rng);
            let at = part.centre + part.sd * standard;
            if at >= self.low && at < self.high {
                return at;
            }
        }
        f64::midpoint(self.low, self.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::rand_core::SeedableRng as _;

    fn tried(list: &[(f64, f64)]) -> Vec<Tried> {
        list.iter().map(|&(coordinate, loss)| Tried { coordinate, loss }).collect()
    }

    #[test]
    fn the_better_tenth_is_rounded_up_and_failures_are_never_in_it() {
        let list: Vec<(f64, f64)> = (0..11).map(|i| (f64::from(i), if i == 3 { 0.0 } else { f64::INFINITY })).collect();
        let (better, others) = divided(&tried(&list));
        assert_eq!((better.len(), better[0], others.len()), (2, 3.0, 9));
    }

    #[test]
    fn the_prior_stays_as_wide_as_the_range_however_near_the_trials_are() {
        let mixture = Mixture::new(0.0, 4.0, vec![1.9, 2.1, 2.2]);
        let widths: Vec<(f64, f64)> = mixture.parts.iter().map(|part| (part.centre, part.sd)).collect();
        assert_eq!(widths[1], (2.0, 4.0));
        // The neighbours of the first are the end of the range and the prior.
        assert_eq!(widths[0], (1.9, 1.9));
        // Far from every trial something is left: a quarter of the prior's density at least.
        let prior = Normal::new(2.0, 4.0).unwrap().pdf(0.01) / 4.0;
        assert!(mixture.log_density(0.01).exp() >= prior);
    }

    #[test]
    fn a_density_over_its_range_sums_to_one() {
        let mixture = Mixture::new(-1.0, 3.0, vec![0.0, 0.1, 2.9]);
        let steps = 100_000;
        let sum: f64 =
            (0..steps).map(|i| mixture.log_density(-1.0 + 4.0 * (f64::from(i) + 0.5) / f64::from(steps)).exp()).sum();
        assert!((sum * 4.0 / f64::from(steps) - 1.0).abs() < 1e-6, "{sum}");
    }

    #[test]
    fn numbers_and_categories_that_did_well_are_proposed_more_often() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let list: Vec<(f64, f64)> = (0..40).map(|i| (f64::from(i) / 40.0, (f64::from(i) / 40.0 - 0.7).abs())).collect();
        let near = (0..200).filter(|_| (number(0.0, 1.0, &tried(&list), &mut rng) - 0.7).abs() < 0.15).count();
        assert!(near > 140, "{near} of 200");
        let list: Vec<(f64, f64)> = (0..40).map(|i| (f64::from(i % 4), f64::from(i % 4 != 2))).collect();
        let right = (0..200).filter(|_| category(4, &tried(&list), &mut rng) == 2).count();
        assert!(right > 140, "{right} of 200");
    }

    #[test]
    fn what_is_proposed_lies_in_the_range() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let list = tried(&[(0.0, 0.0), (0.0, 1.0), (0.999, 2.0)]);
        assert!((0..500).all(|_| (0.0..1.0).contains(&number(0.0, 1.0, &list, &mut rng))));
        assert!((0..100).all(|_| category(1, &list, &mut rng) == 0));
    }
}
