//! The objective, without visiting the pairs that never met.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use recspeed_dense::dot;

use super::solve::{BLOCK_ROWS, Systems};

/// The objective divided by the sum of all confidences `Σ_{u,i} c_ui`, so that data sets compare.
///
/// `Σ_{u,i} (x_u·y_i)² = ⟨XᵀX, YᵀY⟩` takes d² products; an interaction adds `c (1 − s)² − s²` with `s = x_u·y_i`:
///
/// `[⟨XᵀX, YᵀY⟩ + Σ_{(u,i)} (c_ui (1 − s_ui)² − s_ui²) + λ (tr XᵀX + tr YᵀY)] / [|U|·|I| + Σ_{(u,i)} (c_ui − 1)]`
///
/// # Shapes
/// - `systems`: of the users; `users`: `[n_users, d]`
/// - `user_gram`, `item_gram`: `XᵀX` and `YᵀY`, `[d, d]`, without λ
pub(super) fn objective(systems: Systems<'_>, users: &[f32], user_gram: &[f64], item_gram: &[f64]) -> f64 {
    let d = systems.settings.factors;
    let everywhere: f64 = user_gram.iter().zip(item_gram).map(|(x, y)| x * y).sum();
    let lengths: f64 = (0..d).map(|i| user_gram[i * d + i] + item_gram[i * d + i]).sum();
    // Blocks are added in their order, whatever thread computed them.
    let blocks: Vec<[f64; 2]> = users
        .par_chunks(BLOCK_ROWS * d)
        .enumerate()
        .map(|(block, users)| Arch::new().dispatch(BlockTerms { systems, first: block * BLOCK_ROWS, users }))
        .collect();
    let [interactions, extra] = blocks.iter().fold([0.0; 2], |sum, block| [sum[0] + block[0], sum[1] + block[1]]);
    let pairs = systems.entries.n_rows() as f64 * (systems.other.len() / d) as f64;
    (everywhere + interactions + f64::from(systems.settings.regularization) * lengths) / (pairs + extra)
}

/// `Σ (c (1 − s)² − s²)` and `Σ (c − 1)` over a block's interactions.
struct BlockTerms<'a> {
    systems: Systems<'a>,
    first: usize,
    users: &'a [f32],
}

impl WithSimd for BlockTerms<'_> {
    type Output = [f64; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; 2] {
        let (mut terms, mut confidence) = (0.0, 0.0);
        for (index, user) in self.users.chunks_exact(self.systems.settings.factors).enumerate() {
            for (extra, item) in self.systems.entries_of(self.first + index) {
                let (extra, score) = (f64::from(extra), f64::from(dot(simd, user, item)));
                terms += (1.0 + extra) * (1.0 - score) * (1.0 - score) - score * score;
                confidence += extra;
            }
        }
        [terms, confidence]
    }
}
