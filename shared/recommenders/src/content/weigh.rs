//! What a term of an item weighs.

use recspeed_data::Csr;

/// Counts to `tf · idf` vectors of length 1, and the length that each had.
pub(super) fn weigh(counts: &Csr, n_terms: usize, sublinear: bool) -> (Csr, Vec<f64>) {
    let mut documents = vec![0u32; n_terms];
    for &term in &counts.indices {
        documents[term as usize] += 1;
    }
    let n = counts.n_rows() as f64;
    let idf: Vec<f64> = documents.iter().map(|&df| ((1.0 + n) / (1.0 + f64::from(df))).ln() + 1.0).collect();
    let mut items = counts.clone();
    let mut lengths = Vec::with_capacity(counts.n_rows());
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
        lengths.push(length);
    }
    (items, lengths)
}

/// The same vectors with some terms in other places, of length 1 again. `deal` gives each row its terms.
pub(super) fn weigh_again(items: &Csr, lengths: &[f64], deal: impl Fn(&Csr) -> Csr) -> Csr {
    let scaled = |csr: &Csr, scale: &dyn Fn(usize, &[f32]) -> f64| {
        let mut scaled = csr.clone();
        for row in 0..csr.n_rows() {
            let range = csr.indptr[row]..csr.indptr[row + 1];
            let scale = scale(row, &csr.values[range.clone()]);
            scaled.values[range].iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
        }
        scaled
    };
    let dealt = deal(&scaled(items, &|row, _| lengths[row]));
    scaled(&dealt, &|_, values| 1.0 / values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt())
}
