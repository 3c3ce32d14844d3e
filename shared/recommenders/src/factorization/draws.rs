//! What is random in a fit by gradient descent: the first numbers, and the order of the rows.

use rand::{Rng, SeedableRng, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;
use recspeed_data::Csr;
use recspeed_types::catalogue::Predicts;

use crate::FitError;
use crate::error::reserve;
use crate::memory;

/// ChaCha8 streams of the fits by gradient descent; each epoch's order has the stream `ORDER_STREAM + epoch`.
pub(crate) const USERS_STREAM: u64 = 65;
pub(crate) const ITEMS_STREAM: u64 = 66;
pub(crate) const ORDER_STREAM: u64 = 1 << 20;

/// Rows between two looks at the observer, some milliseconds.
pub(crate) const ROWS_AT_ONCE: usize = 16_384;

/// Rows that are read before the first of them is learnt from. Drawn rows lie anywhere in the data: so the processor waits
/// for many of them at once.
pub(crate) const READ_AT_ONCE: usize = 256;

pub(crate) fn stream(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Numbers from a normal distribution around 0: the sum of twelve uniform ones, which is as good here and the same on
/// every machine.
pub(crate) fn normal(rng: &mut ChaCha8Rng, deviation: f32) -> f32 {
    let uniform = |rng: &mut ChaCha8Rng| (rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32;
    deviation * ((0..12).map(|_| uniform(rng)).sum::<f32>() - 6.0)
}

/// First vectors of a side, `[n, d]`, drawn around 0. Who has no row in `known` has nothing to learn from: their numbers stay 0.
///
/// # Errors
/// [`FitError`]: too large to hold.
pub(crate) fn vectors(
    known: &Csr,
    d: usize,
    deviation: f32,
    (seed, which): (u64, u64),
    predicts: Predicts,
) -> Result<Vec<f32>, FitError> {
    let len = known.n_rows().checked_mul(d);
    let mut values: Vec<f32> = reserve(len, memory::vectors::WHAT, memory::vectors::remedy(predicts))?;
    let mut rng = stream(seed, which);
    for (row, vector) in values.chunks_exact_mut(d).enumerate() {
        if !known.row(row).0.is_empty() {
            for value in vector {
                *value = normal(&mut rng, deviation);
            }
        }
    }
    Ok(values)
}

/// `0..n` in the order of an epoch.
pub(crate) fn order(n: usize, seed: u64, epoch: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.shuffle(&mut stream(seed, ORDER_STREAM + epoch));
    order
}
