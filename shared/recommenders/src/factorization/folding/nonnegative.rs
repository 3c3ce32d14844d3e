//! Multiplicative updates of a new user's factors alone.

use super::Items;
use crate::BasketItem;

/// Updates of a new user's factors. With the items as they are the objective has one minimum, which they come near.
const UPDATES: usize = 100;

/// The users' half of nmf's update, `p_f ← p_f · Σ_i q_if r_i / (Σ_i q_if r̂_i + λ n p_f)`, again and again with the
/// items as they are, from equal factors: how non-negative factorizations usually take in new rows, as scikit-learn's
/// `NMF.transform`. A fit updates both sides at once from drawn factors, so a known user's own rows give nearly their
/// scores.
///
/// Users and items end in numbers that give the mean to whoever is cold: `x = (p, μ·cold_u, μ·(1 − cold_u))`, `y = (q,
/// 1, cold_i)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::factorization) struct NonNegative {
    /// The λ of one rating.
    pub(in crate::factorization) regularization: f32,
    /// The mean of all ratings.
    pub(in crate::factorization) mean: f32,
}

impl NonNegative {
    pub(super) fn fold(self, items: Items<'_>, basket: &[BasketItem]) -> Vec<f32> {
        let (d, free) = (items.d, items.free());
        // Of items that nobody rated there are no factors: they say nothing. A rating below 0 is one that no factors
        // give.
        let known = basket.iter().map(|own| (items.of(own.item), own.rating.max(0.0)));
        let known: Vec<(&[f32], f32)> = known.filter(|(item, _)| item[d - 1] == 0.0).collect();
        let mut vector = vec![0.0; d];
        let factors = self.factors(&known, free);
        if known.is_empty() || factors.iter().any(|value| !value.is_finite()) {
            vector[free] = self.mean;
        } else {
            vector[..free].copy_from_slice(&factors);
            vector[free + 1] = self.mean;
        }
        vector
    }

    fn factors(self, known: &[(&[f32], f32)], free: usize) -> Vec<f32> {
        let mut p = vec![1.0f32; free];
        let (mut up, mut down) = (vec![0.0f32; free], vec![0.0f32; free]);
        let penalty = self.regularization * known.len() as f32;
        for _ in 0..UPDATES {
            up.fill(0.0);
            down.fill(0.0);
            for &(item, rating) in known {
                let predicted: f32 = p.iter().zip(item).map(|(p, q)| p * q).sum();
                for ((up, down), q) in up.iter_mut().zip(&mut down).zip(item) {
                    *up += q * rating;
                    *down += q * predicted;
                }
            }
            for ((p, up), down) in p.iter_mut().zip(&up).zip(&down) {
                let below = down + penalty * *p;
                // A number that nothing depends on stays as it is, as in the fit.
                if below > 0.0 {
                    *p *= up / below;
                }
            }
        }
        p
    }
}
