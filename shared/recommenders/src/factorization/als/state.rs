//! Checkpoints: the vectors of both sides after an iteration.
//!
//! Layout, little-endian: `RSALS002`, iterations done (u64), users, items, factors (u64 each), the loss of each of
//! those iterations (f64), then the users' and the items' vectors (f32). Everything else follows from the spec and the
//! data, of which [`crate::checkpoint`] says behind it which they are.

use recspeed_data::checkpoint::CheckpointError;
use recspeed_types::fit::STATE_ROOM;

use crate::FitError;

const MAGIC: &[u8; 8] = b"RSALS002";
const HEADER: usize = 8 + 4 * 8;

/// Sizes that a checkpoint must share with the fit that continues it: users, items, factors.
pub(super) type Sizes = [u64; 3];

/// `losses`: one of each iteration done.
pub(super) fn write(losses: &[f64], sizes: Sizes, users: &[f32], items: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + size_of_val(losses) + 4 * (users.len() + items.len()) + STATE_ROOM);
    bytes.extend_from_slice(MAGIC);
    for number in [losses.len() as u64, sizes[0], sizes[1], sizes[2]] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    for loss in losses {
        bytes.extend_from_slice(&loss.to_le_bytes());
    }
    for value in users.iter().chain(items) {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    bytes
}

/// Fills the vectors from a checkpoint; the losses of the iterations that it has behind it.
pub(super) fn read(bytes: &[u8], sizes: Sizes, users: &mut [f32], items: &mut [f32]) -> Result<Vec<f64>, FitError> {
    let wrong = |reason: String| FitError::from(CheckpointError::other(reason));
    let Some(numbers) = bytes.strip_prefix(MAGIC).filter(|_| bytes.len() >= HEADER) else {
        return Err(wrong("it is not a checkpoint of als-implicit, or another version of the lab wrote it".to_owned()));
    };
    let mut header = [0u64; 4];
    for (value, number) in header.iter_mut().zip(numbers.as_chunks::<8>().0) {
        *value = u64::from_le_bytes(*number);
    }
    let [iteration, found @ ..] = header;
    if found != sizes {
        let told = |[users, items, factors]: Sizes| format!("{users} users, {items} items and {factors} factors");
        return Err(wrong(format!("it is of {}, this fit of {}", told(found), told(sizes))));
    }
    let cut_off = || wrong(format!("it is cut off after {} bytes", bytes.len()));
    let done = usize::try_from(iteration).ok();
    let (losses, values) =
        done.and_then(|done| bytes[HEADER..].split_at_checked(done.checked_mul(8)?)).ok_or_else(cut_off)?;
    let losses: Vec<f64> = losses.as_chunks::<8>().0.iter().map(|loss| f64::from_le_bytes(*loss)).collect();
    let (values, rest) = values.as_chunks::<4>();
    if values.len() != users.len() + items.len() || !rest.is_empty() {
        return Err(cut_off());
    }
    for (value, bytes) in users.iter_mut().chain(items).zip(values) {
        *value = f32::from_le_bytes(*bytes);
        if !value.is_finite() {
            return Err(wrong("it holds numbers that are not finite".to_owned()));
        }
    }
    Ok(losses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_comes_back_to_the_bit() {
        let (users, items) = ([1.5f32, -0.0], [f32::MIN_POSITIVE, 3.0]);
        let bytes = write(&[0.5, 0.25, -0.0], [1, 1, 2], &users, &items);
        let (mut u, mut i) = ([9.0; 2], [9.0; 2]);
        assert_eq!(read(&bytes, [1, 1, 2], &mut u, &mut i), Ok(vec![0.5, 0.25, -0.0]));
        assert_eq!(u.map(f32::to_bits), users.map(f32::to_bits));
        assert_eq!(i.map(f32::to_bits), items.map(f32::to_bits));
    }

    #[test]
    fn a_checkpoint_of_something_else_is_refused_with_its_reason() {
        let bytes = write(&[0.5], [1, 1, 2], &[0.0; 2], &[0.0; 2]);
        let refused = |bytes: &[u8], sizes| {
            let (mut u, mut i) = ([0.0; 2], [0.0; 2]);
            read(bytes, sizes, &mut u, &mut i).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&bytes, [2, 1, 2]),
            "the checkpoint does not continue this fit: it is of 1 users, 1 items and 2 factors, this fit of 2 users, 1 items and 2 factors; take another one, or start again without it"
        );
        assert!(refused(b"rubbish", [1, 1, 2]).contains("not a checkpoint of als-implicit"));
        assert!(refused(&bytes[..bytes.len() - 1], [1, 1, 2]).contains("cut off after 63 bytes"));
        assert!(refused(&bytes[..HEADER + 4], [1, 1, 2]).contains("cut off after 44 bytes"), "within the losses");
    }
}
