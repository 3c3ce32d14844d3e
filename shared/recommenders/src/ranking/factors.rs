//! Lists of factor models: blocks of users times tiles of items, ranked as soon as they are multiplied.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use recspeed_dense::{Into, Matrix, dot_all, multiply};
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{RankRequest, Ranking, group_size};
use super::scan::scan;
use super::scores::by_scores;
use super::top::Best;

/// Users of a block and items of a tile: their scores (512 KiB) stay in the second-level cache.
const BLOCK_USERS: usize = 256;
const TILE_ITEMS: usize = 512;

/// Lists up to which one vector after another is multiplied, where the items lie: putting the candidates side by side reads and writes
/// every vector, which only many lists are worth.
const FEW_LISTS: usize = 8;

/// Floating-point operations of one group, about a tenth of a second on two cores.
const GROUP_FLOP: f64 = 8e9;

/// Ranks by `score = user vector · item vector`, without a matrix of all scores: a block of users is multiplied with a
/// tile of items, excluded places are overwritten, and what reaches the block's thresholds enters the heaps. Few users get a line of
/// scores each; their last bits may differ from those in a block.
///
/// # Shapes
/// - `users`: `[n_users, d]`; `items`: `[n_items, d]`, rows one after another, every number finite
///
/// # Errors
/// [`RankError`].
///
/// # Panics
/// When `d` is 0 or the slices are no whole numbers of rows.
pub fn by_factors(
    users: &[f32],
    items: &[f32],
    d: usize,
    request: &RankRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Ranking, RankError> {
    assert!(
        d > 0 && users.len().is_multiple_of(d) && items.len().is_multiple_of(d),
        "factors are whole rows of {d} numbers"
    );
    let (n_users, n_items) = (users.len() / d, items.len() / d);
    request.check(n_users, n_items)?;
    let Some(Alike { users: once, places }) = Alike::of(users, d, request) else {
        return of_each(users, items, d, request, observer);
    };
    let ranking = of_each(users, items, d, &RankRequest { users: &once, ..*request }, observer)?;
    ranking.dealt_out(&places)
}

/// Different vectors that are looked for among users of whom nothing is excluded.
const SORTS: usize = 4;

/// Users who get one list: those of whom nothing is excluded and who have the same vector, as people without a row all have.
struct Alike {
    /// The first of each sort, and everybody who is like none of them.
    users: Vec<u32>,
    /// Whose list each of the request's users gets, as a place in `users`.
    places: Vec<u32>,
}

impl Alike {
    /// `None` where everybody is different.
    fn of(vectors: &[f32], d: usize, request: &RankRequest<'_>) -> Option<Self> {
        let (mut users, mut places) = (Vec::new(), Vec::with_capacity(request.users.len()));
        // The vectors of those who are like others, and their places: few, or everybody is different.
        let mut known: Vec<(&[f32], u32)> = Vec::new();
        for &user in request.users {
            let next = users.len() as u32;
            let mut place = next;
            if request.excluded(user).is_empty() {
                let vector = &vectors[user as usize * d..][..d];
                let same = |other: &&(&[f32], u32)| other.0.iter().zip(vector).all(|(a, b)| a.to_bits() == b.to_bits());
                match known.iter().find(same) {
                    Some(&(_, first)) => place = first,
                    None if known.len() < SORTS => known.push((vector, next)),
                    None => {}
                }
            }
            if place == next {
                users.push(user);
            }
            places.push(place);
        }
        (users.len() < places.len()).then_some(Self { users, places })
    }
}

fn of_each(
    users: &[f32],
    items: &[f32],
    d: usize,
    request: &RankRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Ranking, RankError> {
    if request.users.len() <= FEW_LISTS {
        let score_all = |user: u32, scores: &mut [f32]| dot_all(&users[user as usize * d..][..d], items, scores);
        return by_scores(users.len() / d, items.len() / d, &score_all, request, observer);
    }
    let pool = Pool::new(items, d, request);
    let k = request.k;
    let flop_of_a_user = 2.0 * d as f64 * pool.items.len() as f64;
    let arch = Arch::new();
    request.in_groups(group_size(BLOCK_USERS, flop_of_a_user, GROUP_FLOP), observer, |group, places| {
        places.blocks(group, BLOCK_USERS).try_for_each_init(
            || Scratch::new(d, k),
            |scratch, (block, mut places)| {
                scratch.vectors.clear();
                for &user in block {
                    scratch.vectors.extend_from_slice(&users[user as usize * d..][..d]);
                }
                arch.dispatch(RankBlock { pool: &pool, request, block, scratch })?;
                for (index, best) in scratch.best[..block.len()].iter_mut().enumerate() {
                    places.write(index, best);
                }
                Ok(())
            },
        )
    })
}

/// The candidates, one after another.
struct Pool<'a> {
    vectors: std::borrow::Cow<'a, [f32]>,
    d: usize,
    /// Item at each place.
    items: Vec<u32>,
    /// Place of the first candidate that is not below the item; `[n_items + 1]`. A candidate's own place.
    place: Vec<u32>,
}

impl<'a> Pool<'a> {
    fn new(vectors: &'a [f32], d: usize, request: &RankRequest<'_>) -> Self {
        let n_items = (vectors.len() / d) as u32;
        let items: Vec<u32> = (0..n_items).filter(|&item| request.is_candidate(item)).collect();
        let mut place = Vec::with_capacity(n_items as usize + 1);
        let mut next = 0;
        for item in 0..n_items {
            place.push(next);
            next += u32::from(items.get(next as usize) == Some(&item));
        }
        place.push(next);
        let vectors = if items.len() == n_items as usize {
            vectors.into()
        } else {
            items.iter().flat_map(|&item| &vectors[item as usize * d..][..d]).copied().collect()
        };
        Self { vectors, d, items, place }
    }

    /// The place of an item, when it is a candidate.
    fn place_of(&self, item: u32) -> Option<usize> {
        let item = item as usize;
        (self.place[item] < self.place[item + 1]).then_some(self.place[item] as usize)
    }
}

struct Scratch {
    vectors: Vec<f32>,
    tile: Vec<f32>,
    best: Vec<Best>,
    /// How many of each user's excluded items lie before the tile.
    passed: Vec<usize>,
}

impl Scratch {
    fn new(d: usize, k: usize) -> Self {
        Self {
            vectors: Vec::with_capacity(BLOCK_USERS * d),
            tile: vec![0.0; BLOCK_USERS * TILE_ITEMS],
            best: (0..BLOCK_USERS).map(|_| Best::new(k)).collect(),
            passed: vec![0; BLOCK_USERS],
        }
    }
}

struct RankBlock<'a> {
    pool: &'a Pool<'a>,
    request: &'a RankRequest<'a>,
    block: &'a [u32],
    scratch: &'a mut Scratch,
}

impl WithSimd for RankBlock<'_> {
    type Output = Result<(), RankError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let Self { pool, request, block, scratch } = self;
        let d = pool.d;
        scratch.passed.fill(0);
        if request.k == 0 {
            return Ok(());
        }
        for (tile_index, vectors) in pool.vectors.chunks(TILE_ITEMS * d).enumerate() {
            let width = vectors.len() / d;
            let first = tile_index * TILE_ITEMS;
            let tile = &mut scratch.tile[..block.len() * width];
            multiply(
                tile,
                Into::Overwrite,
                Matrix::by_rows(&scratch.vectors, block.len(), d),
                Matrix::by_rows(vectors, width, d).transposed(),
            );
            for (index, line) in tile.chunks_exact_mut(width).enumerate() {
                let user = block[index];
                let excluded = &request.excluded(user)[scratch.passed[index]..];
                for &item in excluded {
                    if let Some(place) = pool.place_of(item) {
                        if place >= first + width {
                            break;
                        }
                        // Below every threshold.
                        line[place - first] = f32::NEG_INFINITY;
                    }
                    scratch.passed[index] += 1;
                }
                let best = &mut scratch.best[index];
                scan(best, line, |best, place, score| {
                    let item = pool.items[first + place];
                    if best.offer(score, request.tie_ranks[item as usize], item) {
                        Ok(())
                    } else {
                        Err(RankError::NotFinite { user, item })
                    }
                })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use recspeed_data::Csr;
    use recspeed_types::Unobserved;

    proptest! {
        #[test]
        fn a_list_asked_for_alone_is_the_one_among_many(
            vectors in prop::collection::vec(-4i8..5, 60 * 3), candidates in prop::collection::vec(any::<bool>(), 40),
            own in prop::collection::btree_set(0u32..40, 0..20), k in 1..45usize, turn in 0..40u32,
        ) {
            // Small whole numbers: every sum is exact, whatever its order.
            let vectors: Vec<f32> = vectors.into_iter().map(f32::from).collect();
            let (users, items) = vectors.split_at(20 * 3);
            let everybody: Vec<u32> = (0..20).collect();
            let exclude = Csr {
                indptr: (0..=20).map(|user| user * own.len()).collect(),
                indices: everybody.iter().flat_map(|_| own.iter().copied()).collect(),
                values: vec![1.0; 20 * own.len()],
            };
            let tie_ranks: Vec<u32> = (0..40).map(|item| (item + turn) % 40).collect();
            let request = RankRequest { users: &everybody, k, exclude: Some(&exclude), candidates: Some(&candidates), tie_ranks: &tie_ranks };
            let all = by_factors(users, items, 3, &request, &mut Unobserved).unwrap();
            for few in [1, FEW_LISTS] {
                for (at, some) in everybody.chunks(few).enumerate() {
                    let few_lists = by_factors(users, items, 3, &RankRequest { users: some, ..request }, &mut Unobserved).unwrap();
                    let (from, to) = (at * few, at * few + some.len());
                    prop_assert_eq!(few_lists.items, &all.items[from * k..to * k]);
                    prop_assert_eq!(few_lists.scores, &all.scores[from * k..to * k]);
                    prop_assert_eq!(few_lists.ties, &all.ties[from..to]);
                }
            }
        }
    }

    #[test]
    fn users_of_whom_nothing_is_known_get_one_list_and_everybody_their_own() {
        let vectors = [0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -0.0, 0.0];
        let items = [3.0, -1.0, 1.0, 2.0, 2.0, 2.5];
        // User 4 has the first item, the others have nothing.
        let exclude = Csr { indptr: vec![0, 0, 0, 0, 0, 1, 1], indices: vec![0], values: vec![1.0] };
        let tie_ranks = [2, 1, 0];
        let asked = [0, 1, 2, 3, 4, 5, 2];
        let request =
            RankRequest { users: &asked, k: 2, exclude: Some(&exclude), candidates: None, tie_ranks: &tie_ranks };
        let alike = Alike::of(&vectors, 2, &request).unwrap();
        assert_eq!((alike.users, alike.places), (vec![0, 1, 3, 4, 5], vec![0, 1, 0, 2, 3, 4, 0]));
        let ranking = by_factors(&vectors, &items, 2, &request, &mut Unobserved).unwrap();
        let alone = |user: u32| {
            let one = RankRequest { users: &[user], ..request };
            by_factors(&vectors, &items, 2, &one, &mut Unobserved).unwrap()
        };
        for (place, &user) in asked.iter().enumerate() {
            let own = alone(user);
            assert_eq!((ranking.list(place), ranking.ties[place]), (own.list(0), own.ties[0]), "user {user}");
        }
        assert_eq!(ranking.list(2), [2, 1]);
    }
}
