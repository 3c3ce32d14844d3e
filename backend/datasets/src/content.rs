//! Names of content.

use sha2::{Digest, Sha256};

/// Bytes hashed between two reports of progress.
const BLOCK: usize = 4 << 20;

/// SHA-256 of bytes as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hash_with_progress(bytes, &mut |_, _| {})
}

/// The same; tells `progress` how many of how many bytes are done.
pub(crate) fn hash_with_progress(bytes: &[u8], progress: &mut dyn FnMut(u64, u64)) -> String {
    let total = bytes.len() as u64;
    let mut hash = Sha256::new();
    let mut done = 0;
    for block in bytes.chunks(BLOCK) {
        hash.update(block);
        done += block.len() as u64;
        progress(done, total);
    }
    let digits = b"0123456789abcdef";
    hash.finalize()
        .iter()
        .flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]].map(char::from))
        .collect()
}

/// Whether this is a SHA-256 as [`sha256_hex`] writes it; anything else never becomes part of a path.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_fips_180_4() {
        assert_eq!(sha256_hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(is_sha256(&sha256_hex(b"")));
        assert!(!is_sha256("../../../../etc/passwd"));
    }
}
