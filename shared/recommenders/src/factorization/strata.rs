//! Gradient descent by several threads that never meet.
//!
//! Users and items are divided into equally many parts. A block is a part of the users with a part of the items; as many
//! blocks as there are parts, of which no two share a part, are a stratum, and all strata together hold each entry once. The
//! blocks of a stratum move different rows: threads that take one each need not wait for each other, and what they leave
//! does not depend on how many of them there are. The rows of a block are few, so that they stay near.
//! Source: Gemulla, Nijkamp, Haas, Sismanis, "Large-Scale Matrix Factorization with Distributed Stochastic Gradient
//! Descent", KDD 2011, doi:10.1145/2020408.2020426.
//!
//! Here the items are dealt to their parts anew in each round. Users keep their parts and their order, so that the rows of one
//! are moved while they are near; where all items are in one part, the entries of each part of the users are shuffled instead.

use std::borrow::Cow;

use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use recspeed_data::Csr;

use crate::factorization::draws::{ORDER_STREAM, ROWS_AT_ONCE, stream};

/// Bytes of the rows of a block, about: a cache has room for them.
const BLOCK_BYTES: usize = 1 << 20;

/// At least so many items are in a part, and so many entries in a block on average: with fewer, one round would hardly differ
/// from the next, and a block would be over before it has paid for its beginning.
const MIN_ITEMS: usize = 64;
const MIN_ENTRIES: usize = 128;

/// So many parts at least, where the data have enough, so that so many threads have a block each; and at most so many, as the
/// rows of more would not be nearer.
const MIN_PARTS: usize = 8;
const MAX_PARTS: usize = 64;

/// Rows that a thread moves at once, at least.
const MOVED_AT_ONCE: usize = 256;

/// How many parts the items have, and how many times as many the users, so that a block has about as many entries as
/// [`ROWS_AT_ONCE`] at most. `bytes` are those of all rows. It fixes the order of the steps, so only the data may decide it, not
/// the machine.
pub(crate) fn divisions(bytes: usize, n_items: usize, n_entries: usize) -> (usize, usize) {
    let wanted = bytes.div_ceil(BLOCK_BYTES).clamp(MIN_PARTS, MAX_PARTS);
    let n = wanted.min(n_items / MIN_ITEMS).min((n_entries / MIN_ENTRIES).isqrt()).max(1);
    (n, n_entries.div_ceil(n * n * ROWS_AT_ONCE).max(1))
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
pub(super) type Rows<'a, const N: usize> = [(&'a mut [f32], usize); N];

/// Who learns from what in a round, and the `N` arrays of the items as they are dealt in it.
pub(super) struct Strata<'a, E, const N: usize> {
    /// Users × items.
    entries: Cow<'a, Csr>,
    /// First user of each part, and first entry of each; behind the last one their number.
    users: Vec<usize>,
    first_entries: Vec<usize>,
    /// First place of each part among `dealt`; behind the last one their number.
    items: Vec<usize>,
    /// Items that somebody has, part by part.
    dealt: Vec<u32>,
    /// Part of each item, and place in it; of what nobody has no part.
    dealt_to: Vec<[u32; 2]>,
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

    /// Whether a user has an item, both of this block; only where the rows of the entries ascend.
    #[inline(always)]
    pub(super) fn has(self, [user, item]: Pair) -> bool {
        let own = self.entries.row(self.first_user + user as usize).0;
        own.binary_search(&self.items[item as usize]).is_ok()
    }
}

impl<'a, E: Entry, const N: usize> Strata<'a, E, N> {
    /// `known`: the items that somebody has. `bytes`: those of all rows that learn.
    pub(super) fn new(entries: Cow<'a, Csr>, known: &[u32], n_items: usize, bytes: usize) -> Self {
        let (n, more) = divisions(bytes, known.len(), entries.nnz());
        // Wide enough for the products in a browser's tab, too.
        let share = |part: usize, parts: usize, of: usize| (part as u64 * of as u64 / parts as u64) as usize;
        // As many entries in each part, as far as whole users allow.
        let first = |part: usize| {
            let wanted = share(part, n * more, entries.nnz());
            entries.indptr.partition_point(|&first| first < wanted)
        };
        let users: Vec<usize> = (0..n * more).map(first).chain([entries.n_rows()]).collect();
        Self {
            first_entries: users.iter().map(|&user| entries.indptr[user]).collect(),
            items: (0..=n).map(|part| share(part, n, known.len())).collect(),
            dealt: vec![0; known.len()],
            dealt_to: vec![[u32::MAX; 2]; n_items],
            sorted: vec![E::default(); entries.nnz()],
            begins: vec![0; (users.len() - 1) * (n + 1)],
            moved: [const { Vec::new() }; N],
            users,
            entries,
        }
    }

    /// Parts of the users and of the items.
    #[cfg(test)]
    pub(super) fn n_parts(&self) -> (usize, usize) {
        (self.users.len() - 1, self.items.len() - 1)
    }

    /// A round: deals the items, and works off all blocks, stratum by stratum; the sum of what `work` says of each. `None`
    /// when `go_on`, asked before each stratum, said no: then the users have moved, and the items have not.
    pub(super) fn round<const U: usize>(
        &mut self,
        (known, seed, round): (&[u32], u64, u64),
        users: Rows<'_, U>,
        items: Rows<'_, N>,
        go_on: &mut dyn FnMut() -> bool,
        work: impl Fn(Block<'_, E, U, N>) -> f64 + Sync,
    ) -> Option<f64> {
        let mut rng = stream(seed, ORDER_STREAM + round);
        self.deal(known, &mut rng);
        if self.items.len() == 2 {
            for entries in divided(&mut self.sorted, &self.first_entries, 1) {
                entries.shuffle(&mut rng);
            }
        }
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
                self.dealt_to[item as usize] = [part as u32, place as u32];
            }
        }
        let (entries, users, dealt_to) = (&*self.entries, &self.users, &self.dealt_to);
        let parts = divided(&mut self.sorted, &self.first_entries, 1).into_par_iter();
        let begins = self.begins.par_chunks_exact_mut(self.items.len());
        parts.zip(begins).enumerate().for_each(|(part, (sorted, begins))| {
            let users = users[part]..users[part + 1];
            begins.fill(0);
            for &item in users.clone().flat_map(|user| entries.row(user).0) {
                begins[dealt_to[item as usize][0] as usize + 1] += 1;
            }
            for at in 1..begins.len() {
                begins[at] += begins[at - 1];
            }
            let mut next = begins.to_vec();
            for (at, user) in users.enumerate() {
                let (items, values) = entries.row(user);
                for (&item, &value) in items.iter().zip(values) {
                    let [part, place] = dealt_to[item as usize];
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
            let rows_and_places = rows.par_chunks_exact_mut(width).zip(&self.dealt_to);
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
        let Self { entries, users: first_users, first_entries, items, dealt, sorted, begins, moved, .. } = self;
        let (n, entries) = (items.len() - 1, &**entries);
        let rows = of_parts(users.map(|(rows, width)| divided(rows, first_users, width)));
        let own = rows.into_iter().zip(divided(sorted, first_entries, 1)).zip(begins.chunks_exact(n + 1));
        let mut user_parts: Vec<_> = own.enumerate().collect();
        let mut widths = widths.into_iter();
        let moved = moved.each_mut().map(|rows| divided(rows, items, widths.next().unwrap_or_default()));
        let mut item_parts: Vec<_> = of_parts(moved).into_iter().enumerate().collect();
        let (mut total, mut sums) = (0.0, Vec::with_capacity(n));
        for _ in 0..n {
            for user_parts in user_parts.chunks_mut(n) {
                if !go_on() {
                    return None;
                }
                let blocks = user_parts.par_iter_mut().zip(&mut item_parts).with_max_len(1);
                let blocks = blocks.map(|((user_part, ((users, sorted), begins)), (item_part, rows))| {
                    work(Block {
                        number: (*user_part * n + *item_part) as u64,
                        entries: &mut sorted[begins[*item_part] as usize..begins[*item_part + 1] as usize],
                        users: users.each_mut().map(|rows| &mut **rows),
                        items: rows.each_mut().map(|rows| &mut **rows),
                        ids: Ids {
                            entries,
                            first_user: first_users[*user_part],
                            items: &dealt[items[*item_part]..items[*item_part + 1]],
                        },
                    })
                });
                blocks.collect_into_vec(&mut sums);
                // One after another: a sum that threads make depends on who was first.
                total += sums.iter().sum::<f64>();
            }
            item_parts.rotate_left(1);
        }
        Some(total)
    }
}

/// Rows of `width` numbers, from each of `bounds` to the next.
fn divided<'a, T>(mut rows: &'a mut [T], bounds: &[usize], width: usize) -> Vec<&'a mut [T]> {
    let part = |bounds: &[usize]| {
        let (part, rest) = std::mem::take(&mut rows).split_at_mut((bounds[1] - bounds[0]) * width);
        rows = rest;
        part
    };
    bounds.windows(2).map(part).collect()
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

    /// An entry that is told from the others.
    #[derive(Debug, Clone, Copy, Default)]
    struct Marked {
        user: u32,
        item: u32,
        value: f32,
    }

    impl Entry for Marked {
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

    fn known(entries: &Csr, n_items: usize) -> Vec<u32> {
        let known: HashSet<u32> = entries.indices.iter().copied().collect();
        (0..n_items as u32).filter(|item| known.contains(item)).collect()
    }

    /// A round in which every block adds 1 to each of its rows: who has met how often what, and what the rows became.
    fn rows_of_a_round(n_users: usize, n_items: usize, pairs: &HashSet<(u32, u32)>, (round, threads): (u64, usize)) {
        let entries = csr(n_users, pairs);
        let known = known(&entries, n_items);
        let mut strata = Strata::<Marked, 1>::new(Cow::Borrowed(&entries), &known, n_items, 4 * (n_users + n_items));
        let (user_parts, item_parts) = strata.n_parts();
        // Each row names itself by what is before the point.
        let mut users: Vec<f32> = (0..n_users).map(|user| 1000.0 * user as f32).collect();
        let mut items: Vec<f32> = (0..2 * n_items).map(|at| 1000.0 * (at / 2) as f32).collect();
        let (met, numbers) = (Mutex::new(Vec::new()), Mutex::new(HashSet::new()));
        let named = |row: f32| (row / 1000.0).floor() as u32;
        let work = |block: Block<'_, Marked, 1, 1>| {
            let ([users], [items]) = (block.users, block.items);
            assert!(numbers.lock().unwrap().insert(block.number), "a block twice");
            for &Marked { user, item, value } in &*block.entries {
                let (row, vector) = (users[user as usize], &items[2 * item as usize..][..2]);
                assert_eq!(vector[0], vector[1], "half a row");
                assert!(block.ids.has([user, item]));
                met.lock().unwrap().push((named(row), named(vector[0]), value as usize));
            }
            users.iter_mut().chain(items).for_each(|number| *number += 1.0);
            0.5
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let (own, about) = ([(&mut users[..], 1)], [(&mut items[..], 2)]);
        let total = pool.install(|| strata.round((&known, 3, round), own, about, &mut || true, work));
        assert_eq!(total, Some(0.5 * (user_parts * item_parts) as f64));
        let mut met = met.into_inner().unwrap();
        met.sort_unstable();
        let pairs = (0..n_users).flat_map(|user| entries.row(user).0.iter().map(move |&item| (user as u32, item)));
        assert_eq!(met, pairs.enumerate().map(|(at, (user, item))| (user, item, at)).collect::<Vec<_>>());
        let moved = |user: usize| 1000.0 * user as f32 + item_parts as f32;
        assert!(users.iter().enumerate().all(|(user, &row)| row == moved(user)), "{users:?}");
        for (at, &row) in items.iter().enumerate() {
            let learns = known.binary_search(&(at as u32 / 2)).is_ok();
            let passes = if learns { user_parts as f32 } else { 0.0 };
            assert_eq!(row, 1000.0 * (at / 2) as f32 + passes, "item {}", at / 2);
        }
    }

    proptest! {
        #[test]
        fn a_round_meets_each_entry_once_with_its_rows_and_each_part_meets_each_of_the_other_side(
            n_users in 1usize..300,
            n_items in 1usize..400,
            pairs in prop::collection::hash_set((0u32..300, 0u32..400), 1..3000),
            round in 0u64..3,
            threads in 1usize..4,
        ) {
            let within = |(user, item): &(u32, u32)| (user % n_users as u32, item % n_items as u32);
            rows_of_a_round(n_users, n_items, &pairs.iter().map(within).collect(), (round, threads));
        }
    }

    #[test]
    fn more_parts_than_users_and_blocks_too_long_for_one_look() {
        let two: HashSet<_> = (0..2).flat_map(|user| (user..2048).step_by(2).map(move |item| (user, item))).collect();
        rows_of_a_round(2, 2048, &two, (0, 2));
        let many: HashSet<_> = (0..900).flat_map(|user| (0..60).map(move |item| (user, item))).collect();
        assert_eq!(divisions(0, 60, many.len()), (1, 4));
        rows_of_a_round(900, 60, &many, (1, 3));
    }

    #[test]
    fn rounds_deal_otherwise_and_a_round_ends_when_it_is_told_to() {
        let pairs: HashSet<_> =
            (0..200u32).flat_map(|user| (0..30).map(move |at| (user, (user * 7 + at * 13) % 300))).collect();
        let entries = csr(200, &pairs);
        let known = known(&entries, 300);
        let mut strata = Strata::<Pair, 1>::new(Cow::Borrowed(&entries), &known, 300, 0);
        assert_eq!(strata.n_parts(), (4, 4));
        let (mut users, mut items) = (vec![0.0; 200], vec![0.0; 300]);
        let mut round = |round: u64, go_on: &mut dyn FnMut() -> bool| {
            let (own, about) = ([(&mut users[..], 1)], [(&mut items[..], 1)]);
            let total = strata.round((&known, 3, round), own, about, go_on, |_| 0.0);
            (total, strata.dealt.clone())
        };
        let dealt: HashSet<Vec<u32>> = (0..3).map(|at| round(at, &mut || true).1).collect();
        assert_eq!(dealt.len(), 3);
        assert_eq!(round(0, &mut || true), round(0, &mut || true));
        let mut asked = 0;
        let mut once = || {
            asked += 1;
            asked < 2
        };
        assert_eq!(round(3, &mut once).0, None);
    }

    #[test]
    fn parts_are_as_many_as_the_data_can_fill_and_blocks_short() {
        assert_eq!(divisions(0, 10, 10), (1, 1));
        assert_eq!(divisions(0, 1 << 20, 1 << 20), (MIN_PARTS, 1));
        assert_eq!(divisions(20 << 20, 1 << 20, 1 << 20), (20, 1));
        assert_eq!(divisions(usize::MAX, 1 << 20, 1 << 20), (MAX_PARTS, 1));
        assert_eq!(divisions(20 << 20, 5 * MIN_ITEMS, 1 << 20), (5, 3));
        assert_eq!(divisions(20 << 20, 1 << 20, 9 * MIN_ENTRIES), (3, 1));
        assert_eq!(divisions(0, 0, 0), (1, 1));
        let (n, more) = divisions(30 << 20, 1000, 32_000_000);
        assert!(32_000_000 / (n * n * more) <= ROWS_AT_ONCE, "{n} {more}");
    }
}
