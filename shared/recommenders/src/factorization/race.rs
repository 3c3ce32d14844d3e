//! Gradient descent by several threads at once on the same numbers, without waiting for each other.
//!
//! A step reads vectors, computes, and writes them back; what another thread wrote in between is lost. With sparse data that
//! is rare and does little harm, but no two runs are alike.
//! Source: Niu, Recht, Ré, Wright, "Hogwild!", arXiv:1106.5730.

use std::sync::atomic::{AtomicU64, Ordering};

use rayon::prelude::*;

use super::draws::ROWS_AT_ONCE;

/// Steps that a thread takes one after another.
const PIECE: usize = 1024;

/// Vectors that every thread may read and write. Two neighbouring numbers are one atomic, so that a read is half as dear: a
/// pair is always whole, a vector need not be.
pub(super) struct SharedRows {
    pairs: Vec<AtomicU64>,
    d: usize,
}

impl SharedRows {
    /// `values`: `[n, d]`; they go, so that a fit does not hold all of its numbers twice.
    pub(super) fn new(values: Vec<f32>, d: usize) -> Self {
        let pairs = |row| {
            let (pairs, last) = <[f32]>::as_chunks::<2>(row);
            let last = last.first().map(|&last| [last, 0.0]);
            pairs.iter().copied().chain(last).map(|pair| AtomicU64::new(bits(pair)))
        };
        let mut all = Vec::with_capacity(values.len() / d * d.div_ceil(2));
        all.extend(values.chunks_exact(d).flat_map(pairs));
        Self { pairs: all, d }
    }

    /// `[n, d]`
    pub(super) fn into_values(self) -> Vec<f32> {
        let Self { pairs, d } = self;
        let rows = pairs.chunks_exact(d.div_ceil(2));
        let mut values = Vec::with_capacity(rows.len() * d);
        values.extend(rows.flat_map(|row| row.iter().flat_map(|pair| numbers(pair.load(Ordering::Relaxed))).take(d)));
        values
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &[AtomicU64] {
        let width = self.d.div_ceil(2);
        &self.pairs[row * width..][..width]
    }

    /// `vector`: `[d]`
    #[inline(always)]
    pub(super) fn load(&self, row: usize, vector: &mut [f32]) {
        let row = self.row(row);
        let (pairs, last) = vector.as_chunks_mut::<2>();
        for (pair, shared) in pairs.iter_mut().zip(row) {
            *pair = numbers(shared.load(Ordering::Relaxed));
        }
        if let (Some(last), Some(shared)) = (last.first_mut(), row.last()) {
            *last = numbers(shared.load(Ordering::Relaxed))[0];
        }
    }

    /// `vector`: `[d]`
    #[inline(always)]
    pub(super) fn store(&self, row: usize, vector: &[f32]) {
        let row = self.row(row);
        let (pairs, last) = vector.as_chunks::<2>();
        for (&pair, shared) in pairs.iter().zip(row) {
            shared.store(bits(pair), Ordering::Relaxed);
        }
        if let (Some(&last), Some(shared)) = (last.first(), row.last()) {
            shared.store(bits([last, 0.0]), Ordering::Relaxed);
        }
    }
}

#[inline(always)]
fn bits([low, high]: [f32; 2]) -> u64 {
    u64::from(low.to_bits()) | u64::from(high.to_bits()) << 32
}

#[inline(always)]
fn numbers(bits: u64) -> [f32; 2] {
    [f32::from_bits(bits as u32), f32::from_bits((bits >> 32) as u32)]
}

/// Lets all threads work off the steps, each taking the next piece; the sum of what `work` says of each piece and its number.
/// `None` when `go_on`, asked about ten times a second, said no.
pub(super) fn race(
    steps: &[u32],
    go_on: &mut dyn FnMut() -> bool,
    work: impl Fn(u64, &[u32]) -> f64 + Sync,
) -> Option<f64> {
    let group = ROWS_AT_ONCE * rayon::current_num_threads();
    let mut total = 0.0;
    for (at, group_steps) in steps.chunks(group).enumerate() {
        if !go_on() {
            return None;
        }
        let first = (at * group / PIECE) as u64;
        let pieces = group_steps.par_chunks(PIECE).enumerate();
        total += pieces.map(|(piece, steps)| work(first + piece as u64, steps)).sum::<f64>();
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_any_length_come_back_to_the_bit() {
        for d in 1..6 {
            let values: Vec<f32> = (0..3 * d).map(|i| -(i as f32) / 3.0).collect();
            let shared = SharedRows::new(values.clone(), d);
            let mut vector = vec![9.0; d];
            shared.load(1, &mut vector);
            assert_eq!(vector, values[d..2 * d]);
            vector.reverse();
            shared.store(2, &vector);
            let expected = [&values[..2 * d], &vector[..]].concat();
            let back: Vec<u32> = shared.into_values().into_iter().map(f32::to_bits).collect();
            assert_eq!(back, expected.into_iter().map(f32::to_bits).collect::<Vec<_>>(), "d = {d}");
        }
    }

    #[test]
    fn every_step_is_taken_once_and_none_after_the_end() {
        let steps: Vec<u32> = (0..100_000).collect();
        let sum = |_: u64, steps: &[u32]| steps.iter().map(|&step| f64::from(step)).sum::<f64>();
        assert_eq!(race(&steps, &mut || true, sum), Some(99_999.0 * 50_000.0));
        assert_eq!(race(&steps, &mut || false, sum), None);
    }
}
