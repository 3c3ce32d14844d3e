//! A fingerprint of the columns.

use sha2::{Digest, Sha256};

use crate::dictionary::Dictionary;
use crate::interactions::Interactions;

/// SHA-256 of all columns and ids, 64 hexadecimal digits: equal exactly when the interactions are equal bit for bit.
/// Numbers count in little-endian order, so it is the same on every machine.
pub fn columns_sha256(interactions: &Interactions) -> String {
    let mut hash = Sha256::new();
    hash.update(b"recspeed interactions 1");
    hash.update([u8::from(interactions.has_ratings), u8::from(interactions.has_timestamps)]);
    hash.update((interactions.len() as u64).to_le_bytes());
    for ids in [&interactions.users, &interactions.items] {
        add_dictionary(&mut hash, ids);
    }
    add_column(&mut hash, &interactions.user, u32::to_le_bytes);
    add_column(&mut hash, &interactions.item, u32::to_le_bytes);
    add_column(&mut hash, &interactions.rating, |v| v.to_bits().to_le_bytes());
    add_column(&mut hash, &interactions.timestamp, i64::to_le_bytes);
    let digits = b"0123456789abcdef";
    hash.finalize()
        .iter()
        .flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]].map(char::from))
        .collect()
}

fn add_dictionary(hash: &mut Sha256, ids: &Dictionary) {
    hash.update((ids.len() as u64).to_le_bytes());
    add_column(hash, ids.ends(), u32::to_le_bytes);
    hash.update(ids.arena().as_bytes());
}

fn add_column<T: Copy, const N: usize>(hash: &mut Sha256, column: &[T], bytes: impl Fn(T) -> [u8; N]) {
    let mut buffer = Vec::with_capacity(N * 8192);
    for block in column.chunks(8192) {
        buffer.clear();
        for &value in block {
            buffer.extend_from_slice(&bytes(value));
        }
        hash.update(&buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interactions::InteractionsBuilder;

    #[test]
    fn any_change_of_a_row_or_an_id_changes_the_hash() {
        let of = |user: &str, item: &str, rating: f32, timestamp: i64| {
            let mut builder = InteractionsBuilder::default();
            builder.push(user, item, rating, timestamp);
            columns_sha256(&builder.finish())
        };
        let base = of("u", "i", 1.0, 7);
        assert_eq!(base, of("u", "i", 1.0, 7));
        assert_eq!(base.len(), 64);
        for other in [of("v", "i", 1.0, 7), of("u", "j", 1.0, 7), of("u", "i", 2.0, 7), of("u", "i", 1.0, 8)] {
            assert_ne!(base, other);
        }
    }
}
