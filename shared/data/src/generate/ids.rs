//! Made-up ids that look like Amazon's: distinct by construction.

/// Letters of the ids: the digits and capitals without those that are easily confused.
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTVWXY";

/// `A` and 13 letters.
pub(super) fn user(number: u32, seed: u64) -> [u8; 14] {
    // The finaliser of SplitMix64 is a bijection of 64-bit numbers (Steele, Lea, Flood, doi:10.1145/2660193.2660195).
    let mut x = u64::from(number).wrapping_add(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    letters(*b"A0000000000000", x ^ x >> 31)
}

/// `B0` and 8 letters.
pub(super) fn item(number: u32, seed: u64) -> [u8; 10] {
    // A bijection of 40-bit numbers: additions, odd factors and shifts modulo 2^40.
    const MASK: u64 = (1 << 40) - 1;
    let mut x = u64::from(number).wrapping_add(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) & MASK;
    x = (x ^ x >> 17).wrapping_mul(0x1b_5ad4_ece9) & MASK;
    x = (x ^ x >> 23).wrapping_mul(0x24_acd1_47b7) & MASK;
    letters(*b"B000000000", x ^ x >> 19)
}

/// Writes a number from the end with 5 bits a letter, as many letters as it needs.
fn letters<const N: usize>(mut id: [u8; N], mut number: u64) -> [u8; N] {
    for letter in id.iter_mut().rev() {
        if number == 0 {
            break;
        }
        *letter = LETTERS[(number & 31) as usize];
        number >>= 5;
    }
    id
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_distinct_and_keep_their_first_letter() {
        let users: HashSet<_> = (0..50_000).map(|n| user(n, 7)).collect();
        let items: HashSet<_> = (0..50_000).map(|n| item(n, 7)).collect();
        assert_eq!((users.len(), items.len()), (50_000, 50_000));
        assert!(users.iter().all(|id| id[0] == b'A'));
        assert!(items.iter().all(|id| id.starts_with(b"B0")));
    }
}
