//! Gradient descent by several threads that never meet.
//!
//! Users and items are divided into equally many parts. A block is a part of the users with a part of the items; as many
//! blocks as there are parts, of which no two share a part, are a stratum, and all strata together hold each entry once. The
//! blocks of a stratum move different rows: threads that take one each need not wait for each other, and what they leave
//! does not depend on how many of them there are. The rows of a block are few, so that they stay near.
//! Source: Gemulla, Nijkamp, Haas, Sismanis, "Large-Scale Matrix Factorization with Distributed Stochastic Gradient
//! Descent", KDD 2011, doi:10.1145/2020408.2020426.
//!
//! Here the items are dealt to their parts anew in each round, which is all that differs from round to round: within a block
//! users follow one another, so that the rows of one are moved while they are near.

use std::borrow::Cow;

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use recspeed_data::Csr;

use crate::factorization::draws::{ORDER_STREAM, stream};

/// Bytes of the rows of a block, about: a cache has room for them.
const BLOCK_BYTES: usize = 1 << 20;

/// At least so many items are in a part, and so many entries in a block on average: among fewer the rounds are hardly
/// different, and a block is over before it has paid for its beginning.
const MIN_ITEMS: usize = 64;
const MIN_ENTRIES: usize = 128;

/// At least so many parts, where the data have enough: one for each of so many threads. Fewer are nearer to an order drawn at
/// random (biased-mf, MovieLens-100K, 40 rounds of twice the usual steps: RMSE .9259 so, .9267 with 8 parts, .9271 with 16; bpr
/// shows no difference over 20 seeds). And at most so many.
const MIN_PARTS: usize = 8;
const MAX_PARTS: usize = 64;

/// Rows that a thread moves at once, at least.
const MOVED_AT_ONCE: usize = 256;

/// How many parts there are; `bytes` are those of all rows. It decides about the order of the steps: only the data may decide
/// about it, not the machine.
pub(crate) fn n_parts(bytes: usize, n_items: usize, n_entries: usize) -> usize {
    let wanted = bytes.div_ceil(BLOCK_BYTES).clamp(MIN_PARTS, MAX_PARTS);
    wanted.min(n_items / MIN_ITEMS).min((n_entries / MIN_ENTRIES).isqrt()).max(1)
}

/// What a step learns from: a user and an item, each counted from the first of its block.
pub(super) trait Entry: Copy + Default + Send + Sync {
    fn new(user: u32, item: u32, value: f32) -> Self;
}

/// A user and an item that they have.
pub(super) type Pair = [u32; 2];

impl Entry for Pair {
    fn new(user: u32, item: u32, _: f32) -> Self {
        [user, item]
    }
}

/// The numbers of one side that learn, `N` arrays of rows of so many numbers each.
pub(super) type Rows<'a, const N: usize> = [(&'a mut Vec<f32>, usize); N];

/// Who learns from what in a round, and the `N` arrays of the items as they are dealt in it.
pub(super) struct Strata<'a, E, const N: usize> {
    /// Users × items.
    entries: Cow<'a, Csr>,
    /// First user of each part, and first entry of each; behind the last one their number.
    users: Vec<usize>,
    firsts: Vec<usize>,
    /// First place of each part among `dealt`; behind the last one their number.
    items: Vec<usize>,
    /// Items that somebody has, part by part.
    dealt: Vec<u32>,
    /// Part of each item, and place in it; of what nobody has no part.
    places: Vec<[u32; 2]>,
    /// Entries of each part of the users, by part of the items, and where each of these begins.
    sorted: Vec<E>,
    begins: Vec<u32>,
    moved: [Vec<f32>; N],
}

/// What one thread learns from, and all that it moves: `U` arrays of users and `I` of items.
pub(super) struct Block<'a, E, const U: usize, const I: usize> {
    /// Among all blocks of a round.
    pub(super) number: u64,
    pub(super) entries: &'a mut [E],
    pub(super) users: [&'a mut [f32]; U],
    pub(super) items: [&'a mut [f32]; I],
    pub(super) ids: Ids<'a>,
}

/// Which users and items a block has.
#[derive(Clone, Copy)]
pub(super) struct Ids<'a> {
    entries: &'a Csr,
    first_user: usize,
    items: &'a [u32],
}

impl Ids<'_> {
    pub(super) const fn n_items(self) -> usize {
        self.items.len()
    }

    /// Whether a user has an item, both of this block.
    #[inline(always)]
    pub(super) fn has(self, [user, item]: Pair) -> bool {
        let own = self.entries.row(self.first_user + user as usize).0;
        own.binary_search(&self.items[item as usize]).is_ok()
    }
}

impl<'a, E: Entry, const N: usize> Strata<'a, E, N> {
    /// `known`: the items that somebody has. `bytes`: those of all rows that learn.
    pub(super) fn new(entries: Cow<'a, Csr>, known: &[u32], n_items: usize, bytes: usize) -> Self {
        let n = n_parts(bytes, known.len(), entries.nnz());
        // As many entries in each part, as far as whole users allow.
        let first = |part: usize| entries.indptr.partition_point(|&first| first < part * entries.nnz() / n);
        let users: Vec<usize> = (0..n).map(first).chain([entries.n_rows()]).collect();
        Self {
            firsts: users.iter().map(|&user| entries.indptr[user]).collect(),
            users,
            items: (0..=n).map(|part| part * known.len() / n).collect(),
            dealt: vec![0; known.len()],
            places: vec![[u32::MAX; 2]; n_items],
            sorted: vec![E::default(); entries.nnz()],
            begins: vec![0; n * (n + 1)],
            moved: [const { Vec::new() }; N],
            entries,
        }
    }

    pub(super) fn n_parts(&self) -> usize {
        self.users.len() - 1
    }

    /// A round: deals the items, and works off all blocks, stratum by stratum; the sum of what `work` says of each. `None`
    /// when `go_on`, asked before each stratum, said no.
    pub(super) fn round<const U: usize>(
        &mut self,
        (known, seed, round): (&[u32], u64, u64),
        users: Rows<'_, U>,
        items: Rows<'_, N>,
        go_on: &mut dyn FnMut() -> bool,
        work: impl Fn(Block<'_, E, U, N>) -> f64 + Sync,
    ) -> Option<f64> {
        self.deal(known, &mut stream(seed, ORDER_STREAM + round));
        self.gather(&items);
        let total = self.learn(users, items.each_ref().map(|(_, width)| *width), go_on, work)?;
        self.scatter(items);
        Some(total)
    }

    /// Divides the items, and sorts the entries into their blocks.
    fn deal(&mut self, known: &[u32], rng: &mut ChaCha8Rng) {
        self.dealt.copy_from_slice(known);
        self.dealt.shuffle(rng);
        for (part, range) in self.items.windows(2).enumerate() {
            for (place, &item) in self.dealt[range[0]..range[1]].iter().enumerate() {
                self.places[item as usize] = [part as u32, place as u32];
            }
        }
        let (entries, users, places) = (&*self.entries, &self.users, &self.places);
        let parts = divided(&mut self.sorted, &self.firsts, 1).into_par_iter();
        let begins = self.begins.par_chunks_exact_mut(users.len());
        parts.zip(begins).enumerate().for_each(|(part, (sorted, begins))| {
            let users = users[part]..users[part + 1];
            begins.fill(0);
            for &item in users.clone().flat_map(|user| entries.row(user).0) {
                begins[places[item as usize][0] as usize + 1] += 1;
            }
            for at in 1..begins.len() {
                begins[at] += begins[at - 1];
            }
            let mut next = begins.to_vec();
            for (at, user) in users.enumerate() {
                let (items, values) = entries.row(user);
                for (&item, &value) in items.iter().zip(values) {
                    let [part, place] = places[item as usize];
                    let next = &mut next[part as usize];
                    sorted[*next as usize] = E::new(at as u32, place, value);
                    *next += 1;
                }
            }
        });
    }

    /// Takes the rows of the items to where they are dealt to.
    fn gather(&mut self, items: &Rows<'_, N>) {
        for (moved, (rows, width)) in self.moved.iter_mut().zip(items) {
            moved.resize(self.dealt.len() * width, 0.0);
            let rows_and_items = moved.par_chunks_exact_mut(*width).zip(&self.dealt);
            rows_and_items.with_min_len(MOVED_AT_ONCE).for_each(|(row, &item)| {
                row.copy_from_slice(&rows[item as usize * width..][..*width]);
            });
        }
    }

    /// Takes the rows of the items back.
    fn scatter(&self, items: Rows<'_, N>) {
        for (moved, (rows, width)) in self.moved.iter().zip(items) {
            let rows_and_places = rows.par_chunks_exact_mut(width).zip(&self.places);
            rows_and_places.with_min_len(MOVED_AT_ONCE).for_each(|(row, &[part, place])| {
                if let Some(first) = self.items.get(part as usize) {
                    row.copy_from_slice(&moved[(first + place as usize) * width..][..width]);
                }
            });
        }
    }

    fn learn<const U: usize>(
        &mut self,
        users: Rows<'_, U>,
        widths: [usize; N],
        go_on: &mut dyn FnMut() -> bool,
        work: impl Fn(Block<'_, E, U, N>) -> f64 + Sync,
    ) -> Option<f64> {
        let Self { users: first_users, firsts, items, dealt, sorted, begins, moved, .. } = self;
        let (n, entries) = (first_users.len() - 1, &*self.entries);
        let own = of_parts(users.map(|(rows, width)| divided(rows, first_users, width)));
        let mut own: Vec<_> = own.into_iter().zip(divided(sorted, firsts, 1)).collect();
        let mut widths = widths.into_iter();
        let moved = moved.each_mut().map(|rows| divided(rows, items, widths.next().unwrap_or_default()));
        let mut about: Vec<_> = of_parts(moved).into_iter().enumerate().collect();
        let (mut total, mut sums) = (0.0, Vec::with_capacity(n));
        for _ in 0..n {
            if !go_on() {
                return None;
            }
            let blocks = own.par_iter_mut().zip(&mut about).enumerate().with_max_len(1);
            let blocks = blocks.map(|(part, ((users, sorted), (of_items, rows)))| {
                let begins = &begins[part * (n + 1) + *of_items..];
                work(Block {
                    number: (part * n + *of_items) as u64,
                    entries: &mut sorted[begins[0] as usize..begins[1] as usize],
                    users: users.each_mut().map(|rows| &mut **rows),
                    items: rows.each_mut().map(|rows| &mut **rows),
                    ids: Ids {
                        entries,
                        first_user: first_users[part],
                        items: &dealt[items[*of_items]..items[*of_items + 1]],
                    },
                })
            });
            blocks.collect_into_vec(&mut sums);
            // One after another: a sum that threads make depends on who was first.
            total += sums.iter().sum::<f64>();
            about.rotate_left(1);
        }
        Some(total)
    }
}

/// Rows of `width` numbers, from each of `bounds` to the next.
fn divided<'a, T>(mut rows: &'a mut [T], bounds: &[usize], width: usize) -> Vec<&'a mut [T]> {
    let lengths = bounds.windows(2).map(|bounds| (bounds[1] - bounds[0]) * width);
    lengths.map(|length| rows.split_off_mut(..length).unwrap_or_default()).collect()
}

/// The parts of each array as the arrays of each part.
fn of_parts<const N: usize>(arrays: [Vec<&mut [f32]>; N]) -> Vec<[&mut [f32]; N]> {
    let n = arrays.first().map_or(0, Vec::len);
    let mut arrays = arrays.map(Vec::into_iter);
    (0..n).map(|_| arrays.each_mut().map(|parts| parts.next().unwrap_or_default())).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;

    /// An entry that is told from the others: the rows of users and items name themselves below.
    #[derive(Debug, Clone, Copy, Default)]
    struct Told {
        user: u32,
        item: u32,
        value: f32,
    }

    impl Entry for Told {
        fn new(user: u32, item: u32, value: f32) -> Self {
            Self { user, item, value }
        }
    }

    fn csr(n_users: usize, pairs: &HashSet<(u32, u32)>) -> Csr {
        let mut sorted: Vec<_> = pairs.iter().copied().collect();
        sorted.sort_unstable();
        Csr {
            indptr: (0..=n_users).map(|user| sorted.partition_point(|&(of, _)| (of as usize) < user)).collect(),
            indices: sorted.iter().map(|&(_, item)| item).collect(),
            values: (0..sorted.len()).map(|at| at as f32).collect(),
        }
    }

    proptest! {
        #[test]
        fn each_round_meets_each_entry_once_with_its_rows_and_leaves_all_others(
            n_users in 1usize..300,
            n_items in 1usize..400,
            pairs in prop::collection::hash_set((0u32..300, 0u32..400), 1..3000),
            round in 0u64..3,
            threads in 1usize..4,
        ) {
            let pairs: HashSet<_> = pairs.iter().map(|(user, item)| (user % n_users as u32, item % n_items as u32)).collect();
            let entries = csr(n_users, &pairs);
            let known: Vec<u32> = (0..n_items as u32).filter(|item| entries.indices.contains(item)).collect();
            let mut strata = Strata::<Told, 1>::new(Cow::Borrowed(&entries), &known, n_items, 4 * (n_users + n_items));
            let mut users: Vec<f32> = (0..n_users).map(|user| user as f32).collect();
            let mut items: Vec<f32> = (0..2 * n_items).map(|at| (at / 2) as f32).collect();
            let met = Mutex::new(Vec::new());
            let work = |block: Block<'_, Told, 1, 1>| {
                let ([users], [items]) = (block.users, block.items);
                let mut met = met.lock().unwrap();
                for &Told { user, item, value } in &*block.entries {
                    let (row, vector) = (users[user as usize], &items[2 * item as usize..][..2]);
                    assert_eq!(vector[0], vector[1], "half a row");
                    assert!(block.ids.has([user, item]));
                    met.push((row as u32, vector[0] as u32, value as usize));
                }
                // Every row of a block can be moved; those of other blocks come by later.
                1.0
            };
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (mut go_on, own) = (|| true, [(&mut users, 1)]);
            let blocks = pool.install(|| strata.round((&known, 3, round), own, [(&mut items, 2)], &mut go_on, work));
            prop_assert_eq!(blocks, Some((strata.n_parts() * strata.n_parts()) as f64));
            let mut met = met.into_inner().unwrap();
            met.sort_unstable();
            let wanted: Vec<_> = (0..n_users)
                .flat_map(|user| entries.row(user).0.iter().map(move |&item| (user as u32, item)))
                .enumerate()
                .map(|(at, (user, item))| (user, item, at))
                .collect();
            prop_assert_eq!(met, wanted);
            prop_assert!(users.iter().enumerate().all(|(user, &row)| row == user as f32));
            prop_assert!(items.iter().enumerate().all(|(at, &row)| row == (at / 2) as f32));
        }
    }

    #[test]
    fn rounds_deal_otherwise_and_what_blocks_leave_comes_back_to_its_rows() {
        let pairs: HashSet<_> =
            (0..200u32).flat_map(|user| (0..30).map(move |at| (user, (user * 7 + at * 13) % 300))).collect();
        let entries = csr(200, &pairs);
        let known: Vec<u32> = (0..300).collect();
        let mut strata = Strata::<Pair, 1>::new(Cow::Borrowed(&entries), &known, 300, 0);
        assert_eq!(strata.n_parts(), 4);
        let (mut users, mut items) = (vec![0.0; 200], vec![0.0; 300]);
        let mut dealt = HashSet::new();
        for round in 0..3 {
            let work = |block: Block<'_, Pair, 1, 1>| {
                let ([users], [items]) = (block.users, block.items);
                for &[user, item] in &*block.entries {
                    users[user as usize] += 1.0;
                    items[item as usize] += 1.0;
                }
                0.0
            };
            strata.round((&known, 3, round), [(&mut users, 1)], [(&mut items, 1)], &mut || true, work).unwrap();
            dealt.insert(strata.dealt.clone());
        }
        assert_eq!(dealt.len(), 3);
        let times =
            |of: u32, side: fn(&(u32, u32)) -> u32| 3.0 * pairs.iter().filter(|pair| side(pair) == of).count() as f32;
        assert!((0..200).all(|user| users[user as usize] == times(user, |pair| pair.0)));
        assert!((0..300).all(|item| items[item as usize] == times(item, |pair| pair.1)));
        let mut asked = 0;
        let mut once = || {
            asked += 1;
            asked < 2
        };
        let work = |_: Block<'_, Pair, 1, 1>| 0.0;
        assert_eq!(strata.round((&known, 3, 3), [(&mut users, 1)], [(&mut items, 1)], &mut once, work), None);
    }

    #[test]
    fn parts_are_as_many_as_the_data_can_fill() {
        assert_eq!(n_parts(0, 10, 10), 1);
        assert_eq!(n_parts(0, 1 << 20, 1 << 20), MIN_PARTS);
        assert_eq!(n_parts(20 << 20, 1 << 20, 1 << 20), 20);
        assert_eq!(n_parts(usize::MAX, 1 << 20, 1 << 20), MAX_PARTS);
        assert_eq!(n_parts(20 << 20, 5 * MIN_ITEMS, 1 << 20), 5);
        assert_eq!(n_parts(20 << 20, 1 << 20, 9 * MIN_ENTRIES), 3);
    }
}
