//! Ids, each stored once.

use std::cmp::Ordering;
use std::fmt;
use std::sync::OnceLock;

use hashbrown::HashTable;
use rayon::prelude::*;

/// Largest arena: Arrow's string columns count their bytes in an `i32`.
pub(crate) const MAX_ARENA_BYTES: usize = i32::MAX as usize;

/// Distinct ids in one byte arena. The index of an id is its order of first appearance.
#[derive(Clone, Default)]
pub struct Dictionary {
    text: String,
    /// Where each id ends in `text`; it begins where the one before ends.
    ends: Vec<u32>,
    /// Index by id, made when first asked for.
    index: OnceLock<HashTable<u32>>,
}

impl Dictionary {
    /// Puts a dictionary together from its arena and the end of each id in it. `None` where the ends do not cut the
    /// arena into valid text, in order and to its end. Whether the ids are distinct is not checked.
    pub fn from_arena(bytes: Vec<u8>, ends: Vec<u32>) -> Option<Self> {
        let text = String::from_utf8(bytes).ok()?;
        let mut start = 0;
        for &end in &ends {
            text.get(start..end as usize)?;
            start = end as usize;
        }
        (start == text.len()).then_some(Self { text, ends, index: OnceLock::new() })
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The id at an index.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub fn get(&self, index: u32) -> &str {
        let index = index as usize;
        let start = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        &self.text[start..self.ends[index] as usize]
    }

    /// The index of an id. The first call builds a hash table (about 7 bytes an id); later ones take constant time.
    pub fn index_of(&self, id: &str) -> Option<u32> {
        let table = self.index.get_or_init(|| {
            let mut table = HashTable::with_capacity(self.len());
            for index in 0..self.len() as u32 {
                table.insert_unique(hash(self.get(index).as_bytes()), index, |&i| hash(self.get(i).as_bytes()));
            }
            table
        });
        table.find(hash(id.as_bytes()), |&index| self.get(index) == id).copied()
    }

    /// Every id, by index.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len() as u32).map(|index| self.get(index))
    }

    /// Place of each index in the order of the ids, the lab's tie rule: numeric where every id is an integer (equal
    /// numbers as `7` and `07` by their bytes), bytewise otherwise.
    ///
    /// # Shapes
    /// - returns: `[len]`, a permutation of `0..len`
    pub fn tie_ranks(&self) -> Vec<u32> {
        let integers = self.iter().all(|id| integer(id).is_some());
        let order = if integers { self.sorted(integer_key, compare_integers) } else { self.sorted(text_key, str::cmp) };
        let mut ranks = vec![0; order.len()];
        for (rank, (_, index)) in (0..).zip(order) {
            ranks[index as usize] = rank;
        }
        ranks
    }

    /// Indices in the order of `compare`, with keys that are in it as far as they go: most ids differ in theirs, which lie together; the
    /// ids themselves are all over the arena.
    fn sorted(&self, key: fn(&str) -> u128, compare: fn(&str, &str) -> Ordering) -> Vec<(u128, u32)> {
        let mut order: Vec<(u128, u32)> = self.iter().map(key).zip(0..).collect();
        order.par_sort_unstable_by(|(a, i), (b, j)| a.cmp(b).then_with(|| compare(self.get(*i), self.get(*j))));
        order
    }

    /// Bytes that the ids and their ends take.
    pub fn bytes(&self) -> usize {
        self.text.len() + self.ends.len() * size_of::<u32>()
    }

    /// All ids one after another.
    pub fn arena(&self) -> &str {
        &self.text
    }

    /// Where each id ends in [`Self::arena`].
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }
}

impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.ends == other.ends
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().take(8)).finish()?;
        write!(f, " of {}", self.len())
    }
}

impl<S: AsRef<str>> FromIterator<S> for Dictionary {
    /// The distinct ids in their order of first appearance.
    fn from_iter<I: IntoIterator<Item = S>>(ids: I) -> Self {
        let mut builder = DictionaryBuilder::default();
        for id in ids {
            builder.intern(id.as_ref());
        }
        builder.finish()
    }
}

/// Collects ids one by one.
#[derive(Debug, Default)]
pub struct DictionaryBuilder {
    text: String,
    ends: Vec<u32>,
    table: HashTable<u32>,
}

impl DictionaryBuilder {
    /// The index of `id`, which is added when it is new.
    ///
    /// # Panics
    /// When the ids together exceed 2 GiB.
    pub fn intern(&mut self, id: &str) -> u32 {
        let Self { text, ends, table } = self;
        let get = |ends: &[u32], index: u32| {
            let start = if index == 0 { 0 } else { ends[index as usize - 1] as usize };
            start..ends[index as usize] as usize
        };
        let hashed = hash(id.as_bytes());
        if let Some(&index) = table.find(hashed, |&index| &text[get(ends, index)] == id) {
            return index;
        }
        assert!(text.len() + id.len() <= MAX_ARENA_BYTES, "the ids of one dictionary exceed 2 GiB");
        let index = ends.len() as u32;
        text.push_str(id);
        ends.push(text.len() as u32);
        table.insert_unique(hashed, index, |&index| hash(&text.as_bytes()[get(ends, index)]));
        index
    }

    /// Number of ids so far.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none so far.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of the ids so far.
    #[cfg(feature = "arrow")]
    pub(crate) fn arena_bytes(&self) -> usize {
        self.text.len()
    }

    /// The dictionary; the hash table moves into it.
    pub fn finish(self) -> Dictionary {
        Dictionary { text: self.text, ends: self.ends, index: OnceLock::from(self.table) }
    }
}

/// A 64-bit hash of bytes: folded 128-bit multiplications over 8-byte words, as in wyhash. The same on every machine
/// and in every run; indices never depend on it.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state = 0x9e37_79b9_7f4a_7c15 ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = fold(state ^ u64::from_le_bytes(*word), 0xd6e8_feb8_6659_fd93);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    fold(state ^ u64::from_le_bytes(last), 0xa076_1d64_78bd_642f)
}

/// Both halves of a 128-bit product, mixed.
#[inline]
pub(crate) const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128).wrapping_mul(b as u128);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Sign and digits without leading zeros of a decimal integer of any length.
fn integer(id: &str) -> Option<(bool, &str)> {
    let digits = id.strip_prefix('-').unwrap_or(id);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let stripped = digits.trim_start_matches('0');
    Some((digits.len() < id.len() && !stripped.is_empty(), stripped))
}

/// The numeric order of two integers; equal numbers by their bytes. Text that is no integer counts as zero.
fn compare_integers(a: &str, b: &str) -> Ordering {
    let ((a_negative, a_digits), (b_negative, b_digits)) =
        (integer(a).unwrap_or_default(), integer(b).unwrap_or_default());
    let magnitudes = a_digits.len().cmp(&b_digits.len()).then_with(|| a_digits.cmp(b_digits));
    let numeric = match (a_negative, b_negative) {
        (false, false) => magnitudes,
        (true, true) => magnitudes.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    };
    numeric.then_with(|| a.cmp(b))
}

const MIDDLE: u128 = 1 << 127;

/// In the order of the integers as far as it goes: of those with more than 38 digits it says nothing.
fn integer_key(id: &str) -> u128 {
    let (negative, digits) = integer(id).unwrap_or_default();
    let magnitude = digits.bytes().try_fold(0_u128, |value, digit| {
        value.checked_mul(10)?.checked_add(u128::from(digit - b'0')).filter(|&value| value < MIDDLE)
    });
    let magnitude = magnitude.unwrap_or(MIDDLE - 1);
    if negative { MIDDLE - magnitude } else { MIDDLE + magnitude }
}

/// The first bytes, in their order as far as it goes.
fn text_key(id: &str) -> u128 {
    let mut first = [0; size_of::<u128>()];
    let length = id.len().min(first.len());
    first[..length].copy_from_slice(&id.as_bytes()[..length]);
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_are_numbered_by_first_appearance() {
        let ids: Dictionary = ["b", "a", "b", "", "a"].into_iter().collect();
        assert_eq!(ids.iter().collect::<Vec<_>>(), ["b", "a", ""]);
        assert_eq!(ids.index_of("a"), Some(1));
        assert_eq!(ids.index_of("c"), None);
    }

    #[test]
    fn integers_rank_by_value_and_equal_ones_by_bytes() {
        let ids: Dictionary =
            ["10", "9", "-3", "007", "7", "-20", "123456789012345678901234567890"].into_iter().collect();
        assert_eq!(ids.tie_ranks(), [5, 4, 1, 2, 3, 0, 6]);
    }

    #[test]
    fn one_id_that_is_no_integer_makes_the_order_bytewise() {
        let ids: Dictionary = ["10", "9", "B0"].into_iter().collect();
        assert_eq!(ids.tie_ranks(), [0, 1, 2]);
    }

    #[test]
    fn an_arena_that_does_not_fit_its_ends_is_refused() {
        assert!(Dictionary::from_arena(b"abc".to_vec(), vec![1, 3]).is_some());
        assert!(Dictionary::from_arena(b"abc".to_vec(), vec![1, 2]).is_none(), "text left over");
        assert!(Dictionary::from_arena(b"abc".to_vec(), vec![2, 1, 3]).is_none(), "backwards");
        assert!(Dictionary::from_arena("é".into(), vec![1, 2]).is_none(), "inside a character");
        assert!(Dictionary::from_arena(vec![0xff], vec![1]).is_none(), "not UTF-8");
    }

    fn ranks_by(ids: &Dictionary, compare: impl Fn(&str, &str) -> Ordering) -> Vec<u32> {
        let mut order: Vec<u32> = (0..ids.len() as u32).collect();
        order.sort_by(|&a, &b| compare(ids.get(a), ids.get(b)));
        let mut ranks = vec![0; order.len()];
        (0..).zip(order).for_each(|(rank, index)| ranks[index as usize] = rank);
        ranks
    }

    proptest! {
        #[test]
        fn text_ranks_by_its_bytes(ids in proptest::collection::hash_set("[a\\x00é]{0,20}", 1..40)) {
            let ids: Dictionary = ids.iter().chain([&"text".to_owned()]).collect();
            prop_assert_eq!(ids.tie_ranks(), ranks_by(&ids, |a, b| a.as_bytes().cmp(b.as_bytes())));
        }

        #[test]
        fn integers_of_any_length_rank_by_value(ids in proptest::collection::hash_set("-?[0-2]{1,3}|-?0?[19]{37,40}", 1..40)) {
            let ids: Dictionary = ids.iter().collect();
            prop_assert_eq!(ids.tie_ranks(), ranks_by(&ids, compare_integers));
        }

        #[test]
        fn every_id_is_found_at_its_own_index(ids in proptest::collection::vec("[a-c]{0,12}", 0..60)) {
            let dictionary: Dictionary = ids.iter().collect();
            for id in &ids {
                let index = dictionary.index_of(id).expect("it was added");
                prop_assert_eq!(dictionary.get(index), id);
            }
            let mut ranks = dictionary.tie_ranks();
            ranks.sort_unstable();
            prop_assert!(ranks.into_iter().eq(0..dictionary.len() as u32));
        }
    }
}
