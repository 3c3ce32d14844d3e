//! Lists of factor models: blocks of users times tiles of items, ranked as soon as they are multiplied.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use recspeed_dense::{Into, Matrix, multiply};
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{Places, RankRequest, Ranking, group_size};
use super::scan::scan;
use super::top::Best;

/// Users of a block and items of a tile: their scores (512 KiB) stay in the second-level cache.
const BLOCK_USERS: usize = 256;
const TILE_ITEMS: usize = 512;

/// Floating-point operations of one group, about a tenth of a second on two cores.
const GROUP_FLOP: f64 = 8e9;

/// Ranks by `score = user vector · item vector`, without a matrix of all scores: a block of users is multiplied with a
/// tile of items, excluded places are overwritten, and what reaches the block's thresholds enters the heaps.
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
    let pool = Pool::new(items, d, request);
    let k = request.k;
    let flop_of_a_user = 2.0 * d as f64 * pool.items.len() as f64;
    let arch = Arch::new();
    request.in_groups(group_size(BLOCK_USERS, flop_of_a_user, GROUP_FLOP), observer, |group, places| {
        let Places { items, scores, ties } = places;
        group
            .par_chunks(BLOCK_USERS)
            .zip(items.par_chunks_mut(BLOCK_USERS * k.max(1)))
            .zip(scores.par_chunks_mut(BLOCK_USERS * k.max(1)))
            .zip(ties.par_chunks_mut(BLOCK_USERS))
            .try_for_each_init(
                || Scratch::new(d, k),
                |scratch, (((block, items), scores), ties)| {
                    scratch.vectors.clear();
                    for &user in block {
                        scratch.vectors.extend_from_slice(&users[user as usize * d..][..d]);
                    }
                    arch.dispatch(RankBlock { pool: &pool, request, block, scratch })?;
                    let mut places = Places { items, scores, ties };
                    for (index, best) in scratch.best[..block.len()].iter_mut().enumerate() {
                        places.write(index, k, best);
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
