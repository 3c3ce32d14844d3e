//! From the numbers of features to those of users and items.

use rayon::prelude::*;

use crate::machines::features::Side;

/// What is learnt of one side.
#[derive(Debug, Clone)]
pub(super) struct Numbers {
    /// `[n_features]`
    pub(super) weights: Vec<f32>,
    /// `[k, n_features]`
    pub(super) vectors: Vec<f32>,
}

/// What the features of each entity come to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Expanded {
    /// `Σ x v`, `[k, entities]`.
    pub(super) sums: Vec<f32>,
    /// `Σ x w + Σ_{l<m} x_l x_m ⟨v_l, v_m⟩`, `[entities]`: what does not depend on the other side.
    pub(super) own: Vec<f32>,
}

/// The sum over all pairs of features of an entity costs as much as they have numbers:
/// `Σ_{l<m} x_l x_m ⟨v_l, v_m⟩ = ½ (‖Σ x v‖² − Σ x² ‖v‖²)`.
/// Source: Rendle, "Factorization Machines", doi:10.1109/ICDM.2010.127, lemma 3.1.
pub(super) fn expand(side: &Side, numbers: &Numbers) -> Expanded {
    let (n, n_features) = (side.len(), side.n_features());
    let k = numbers.vectors.len() / n_features.max(1);
    let mut sums = vec![0.0; k * n];
    let squares: Vec<Vec<f64>> = sums
        .par_chunks_mut(n.max(1))
        .zip(numbers.vectors.par_chunks(n_features.max(1)))
        .map(|(sums, vectors)| {
            let squared = |(entity, sum): (usize, &mut f32)| {
                let mut squares = 0.0;
                for (feature, x) in side.features(entity) {
                    let part = x * vectors[feature];
                    *sum += part;
                    squares += f64::from(part) * f64::from(part);
                }
                squares
            };
            sums.iter_mut().enumerate().map(squared).collect()
        })
        .collect();
    let own = |entity: usize| {
        let weights: f64 = side.features(entity).map(|(l, x)| f64::from(x) * f64::from(numbers.weights[l])).sum();
        let pairs: f64 = (0..k).map(|f| f64::from(sums[f * n + entity]).powi(2) - squares[f][entity]).sum();
        (weights + 0.5 * pairs) as f32
    };
    let own = (0..n).into_par_iter().map(own).collect();
    Expanded { sums, own }
}

/// `[k, n]` as `[n, k]`, or the other way round.
pub(super) fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len().checked_div(rows).unwrap_or(0);
    let mut turned = vec![0.0; values.len()];
    turned.par_chunks_mut(rows.max(1)).enumerate().for_each(|(column, line)| {
        line.iter_mut().enumerate().for_each(|(row, value)| *value = values[row * columns + column]);
    });
    turned
}
