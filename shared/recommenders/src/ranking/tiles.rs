//! Lists of a method that scores some users together faster than one after another.

use pulp::Arch;
use rayon::prelude::*;
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{RankRequest, Ranking, group_size};
use super::scores::RankLine;
use super::top::Best;

/// Scores of one group, about: a small part of a second of work for a small network.
const GROUP_SCORES: f64 = 3e6;
/// Scores of one tile at most: a bound on memory, of which every thread has one.
pub const TILE_SCORES: usize = 4 << 20;

/// Ranks with one tile of scores for each thread: `score(users, [users, n_items])` fills it. A tile has up to `tile` users;
/// tiles lie where they lie whatever the number of threads.
///
/// # Errors
/// [`RankError`]: the request does not fit, a score is not finite, or the observer stopped it.
pub fn by_tiles(
    (n_users, n_items): (usize, usize),
    tile: usize,
    score: &(dyn Fn(&[u32], &mut [f32]) + Sync),
    request: &RankRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Ranking, RankError> {
    request.check(n_users, n_items)?;
    let tile = tile.clamp(1, (TILE_SCORES / n_items.max(1)).max(1));
    let arch = Arch::new();
    request.in_groups(group_size(tile, n_items as f64, GROUP_SCORES), observer, |users, places| {
        places.blocks(users, tile).try_for_each_init(
            || (Vec::new(), Best::new(request.k)),
            |(lines, best), (users, mut places)| {
                lines.resize(users.len() * n_items, 0.0f32);
                score(users, lines);
                for (index, (&user, line)) in users.iter().zip(lines.chunks_exact_mut(n_items.max(1))).enumerate() {
                    arch.dispatch(RankLine { request, user, line, best })?;
                    places.write(index, best);
                }
                Ok(())
            },
        )
    })
}
