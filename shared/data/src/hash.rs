//! Fingerprints: of all columns, of the rows that are learnt from, of attributes, and of bytes.

use sha2::{Digest, Sha256};

use crate::attributes::{AttributeValues, Attributes};
use crate::dictionary::{self, Dictionary, fold};
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
    // Data of whole seconds hash as they did before there were others.
    if !interactions.fraction.is_empty() {
        add_column(&mut hash, &interactions.fraction, u32::to_le_bytes);
    }
    let digits = b"0123456789abcdef";
    hash.finalize()
        .iter()
        .flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]].map(char::from))
        .collect()
}

/// A hash of the rows that are learnt from, in their order: of each the indices of user and item, the rating's bits and
/// the time, with its part of a second where it has one. Three multiplications a row of a whole second, the same on
/// every machine; it finds accidents, not attacks.
///
/// # Panics
/// When a row number is not below the number of interactions.
pub fn rows_hash(interactions: &Interactions, rows: &[u32]) -> u64 {
    const ODD: u64 = 0xd6e8_feb8_6659_fd93;
    let mut hash = fold(0x9e37_79b9_7f4a_7c15 ^ rows.len() as u64, ODD);
    for row in rows.iter().map(|&row| row as usize) {
        let pair = (u64::from(interactions.user[row]) << 32) | u64::from(interactions.item[row]);
        let rating = u64::from(interactions.rating[row].to_bits());
        // Each word with an odd number of its own, so that none stands for another.
        hash = fold(hash ^ pair, ODD);
        hash = fold(hash ^ rating, 0xa076_1d64_78bd_642f);
        hash = fold(hash ^ interactions.timestamp[row].cast_unsigned(), 0xe703_7ed1_a0b4_28db);
        // A row of a whole second hashes as it did before there were others, whatever stands beside it.
        if let Some(&fraction) = interactions.fraction.get(row)
            && fraction > 0
        {
            hash = fold(hash ^ u64::from(fraction), 0x8ebc_6af0_9c88_c6e3);
        }
    }
    hash
}

/// A hash of the columns of these names and of the ids that they belong to: every name and value bit for bit and in the
/// table's order, by which words are numbered. The same on every machine; it finds accidents, not attacks.
pub fn attributes_hash(table: &Attributes, reads: &dyn Fn(&str) -> bool) -> u64 {
    let mut hash = Folded(0x9e37_79b9_7f4a_7c15);
    hash.dictionary(&table.ids);
    for column in table.columns.iter().filter(|column| reads(&column.name)) {
        hash.word(dictionary::hash(column.name.as_bytes()));
        match &column.values {
            AttributeValues::Token { vocabulary, word } => {
                hash.word(1);
                hash.dictionary(vocabulary);
                hash.column(word, |word| u64::from(*word));
            }
            AttributeValues::TokenSeq { vocabulary, indptr, words } => {
                hash.word(2);
                hash.dictionary(vocabulary);
                hash.column(indptr, |at| *at as u64);
                hash.column(words, |word| u64::from(*word));
            }
            AttributeValues::Float(values) => {
                hash.word(3);
                hash.column(values, |value| u64::from(value.to_bits()));
            }
            AttributeValues::FloatSeq { indptr, values } => {
                hash.word(4);
                hash.column(indptr, |at| *at as u64);
                hash.column(values, |value| u64::from(value.to_bits()));
            }
        }
    }
    hash.0
}

/// A hash of words in their order.
struct Folded(u64);

impl Folded {
    fn word(&mut self, word: u64) {
        self.0 = fold(self.0 ^ word, 0xd6e8_feb8_6659_fd93);
    }

    fn column<T>(&mut self, column: &[T], word: impl Fn(&T) -> u64) {
        self.word(column.len() as u64);
        for value in column {
            self.word(word(value));
        }
    }

    fn dictionary(&mut self, ids: &Dictionary) {
        self.column(ids.ends(), |end| u64::from(*end));
        self.word(dictionary::hash(ids.arena().as_bytes()));
    }
}

/// FNV-1a, 64 bits, of bytes: the checksum of checkpoints. It finds accidents, not attacks.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
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
    use crate::attributes::AttributeColumn;
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

    #[test]
    fn parts_of_seconds_change_the_hashes_and_whole_seconds_hash_as_they_always_did() {
        let mut builder = InteractionsBuilder::default();
        (0..2).for_each(|_| builder.push("u", "i", 1.0, 7));
        let whole = builder.finish();
        let parts = |fraction: [u32; 2]| Interactions { fraction: fraction.to_vec(), ..whole.clone() };
        assert_ne!(columns_sha256(&parts([0, 1])), columns_sha256(&whole));
        assert_ne!(columns_sha256(&parts([0, 1])), columns_sha256(&parts([0, 2])));
        assert_ne!(rows_hash(&parts([0, 1]), &[0, 1]), rows_hash(&whole, &[0, 1]));
        assert_ne!(rows_hash(&parts([0, 1]), &[0, 1]), rows_hash(&parts([1, 0]), &[0, 1]));
        assert_eq!(rows_hash(&parts([0, 1]), &[0]), rows_hash(&whole, &[0]));
        // Stored hashes and links name data of whole seconds by these.
        assert_eq!(columns_sha256(&whole), "72817246878a853c592f593f35f52c9221574a6007fa5c8404f21f3afe3cd9ee");
        assert_eq!(rows_hash(&whole, &[0, 1]), 0x4922_96ac_87f0_0731);
    }

    #[test]
    fn any_change_of_what_is_learnt_from_and_of_its_order_changes_the_hash_of_rows() {
        let of = |rows: &[(&str, &str, f32, i64)], chosen: &[u32]| {
            let mut builder = InteractionsBuilder::default();
            // Users and items are numbered alike, whatever the rows are.
            for user in ["u", "v"] {
                builder.push(user, "i", 0.0, 0);
                builder.push(user, "j", 0.0, 0);
            }
            for &(user, item, rating, time) in rows {
                builder.push(user, item, rating, time);
            }
            rows_hash(&builder.finish(), chosen)
        };
        let rows = [("u", "i", 1.0, 7), ("v", "j", 2.0, 8)];
        let base = of(&rows, &[4, 5]);
        assert_eq!(base, of(&rows, &[4, 5]));
        for (place, other) in [
            ("user", ("v", "i", 1.0, 7)),
            ("item", ("u", "j", 1.0, 7)),
            ("rating", ("u", "i", 1.5, 7)),
            ("time", ("u", "i", 1.0, 9)),
        ] {
            assert_ne!(of(&[other, rows[1]], &[4, 5]), base, "{place}");
        }
        for chosen in [&[5, 4][..], &[4], &[4, 5, 5], &[0, 5], &[]] {
            assert_ne!(of(&rows, chosen), base, "{chosen:?}");
        }
    }

    /// The column that it changes, and how.
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Attributes));

    #[test]
    fn any_change_of_what_is_read_of_attributes_changes_their_hash_and_no_other_does() {
        let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
        let table = || Attributes {
            ids: ["i", "j"].into_iter().collect(),
            columns: vec![
                column(
                    "brand",
                    AttributeValues::Token { vocabulary: ["x", "y"].into_iter().collect(), word: vec![0, 1] },
                ),
                column(
                    "title",
                    AttributeValues::TokenSeq {
                        vocabulary: ["a", "b"].into_iter().collect(),
                        indptr: vec![0, 1, 2],
                        words: vec![0, 1],
                    },
                ),
                column("price", AttributeValues::Float(vec![1.0, f32::NAN])),
                column("place", AttributeValues::FloatSeq { indptr: vec![0, 1, 2], values: vec![0.0, 1.0] }),
            ],
        };
        let of = |change: &dyn Fn(&mut Attributes), unread: &str| {
            let mut changed = table();
            change(&mut changed);
            attributes_hash(&changed, &|name| name != unread)
        };
        let base = of(&|_| {}, "");
        assert_eq!(base, of(&|_| {}, ""));
        assert_ne!(base, of(&|_| {}, "price"));
        let changes: [Change<'_>; 7] = [
            ("brand", &|table| table.columns[0].name = "make".to_owned()),
            ("brand", &|table| {
                let vocabulary = ["x", "z"].into_iter().collect();
                table.columns[0].values = AttributeValues::Token { vocabulary, word: vec![0, 1] };
            }),
            ("brand", &|table| {
                let vocabulary = ["x", "y"].into_iter().collect();
                table.columns[0].values = AttributeValues::Token { vocabulary, word: vec![1, 0] };
            }),
            ("title", &|table| {
                let vocabulary = ["a", "b"].into_iter().collect();
                table.columns[1].values =
                    AttributeValues::TokenSeq { vocabulary, indptr: vec![0, 2, 2], words: vec![0, 1] };
            }),
            ("price", &|table| table.columns[2].values = AttributeValues::Float(vec![1.5, f32::NAN])),
            ("price", &|table| table.columns[2].values = AttributeValues::Float(vec![1.0, 0.0])),
            ("place", &|table| {
                table.columns[3].values = AttributeValues::FloatSeq { indptr: vec![0, 1, 2], values: vec![-0.0, 1.0] };
            }),
        ];
        for (nth, (name, change)) in changes.into_iter().enumerate() {
            assert_ne!(of(change, ""), base, "change {nth}, of {name}");
            // A column under another name is not the one that is left out.
            if nth > 0 {
                assert_eq!(of(change, name), of(&|_| {}, name), "change {nth}, of {name}, which is not read");
            }
        }
        assert_ne!(of(&|table| table.ids = ["i", "k"].into_iter().collect(), ""), base, "whose they are");
    }

    #[test]
    fn the_checksum_is_fnv_1a() {
        // Test vectors of the authors: http://www.isthe.com/chongo/tech/comp/fnv/.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
