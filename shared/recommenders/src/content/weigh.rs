//! What a term of an item weighs.

use recspeed_data::Csr;

/// Counts to `tf · idf` vectors of length 1.
pub(super) fn weigh(counts: &Csr, n_terms: usize, sublinear: bool) -> Csr {
    let mut documents = vec![0u32; n_terms];
    for &term in &counts.indices {
        documents[term as usize] += 1;
    }
    let n = counts.n_rows() as f64;
    let idf: Vec<f64> = documents.iter().map(|&df| ((1.0 + n) / (1.0 + f64::from(df))).ln() + 1.0).collect();
    let mut items = counts.clone();
    for row in 0..counts.n_rows() {
        let range = counts.indptr[row]..counts.indptr[row + 1];
        let weight = |(&term, &count): (&u32, &f32)| {
            let tf = if sublinear { 1.0 + f64::from(count).ln() } else { f64::from(count) };
            tf * idf[term as usize]
        };
        let weights: Vec<f64> =
            counts.indices[range.clone()].iter().zip(&counts.values[range.clone()]).map(weight).collect();
        let length = weights.iter().map(|weight| weight * weight).sum::<f64>().sqrt();
        for (value, weight) in items.values[range].iter_mut().zip(weights) {
            *value = (weight / length) as f32;
        }
    }
    items
}
