//! Lists of methods that order items the same way for everybody.

use rayon::prelude::*;
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{RankRequest, Ranking, group_size};
use super::top::Scored;

/// Places of one group, about.
const GROUP_PLACES: f64 = 1e7;

/// Sorts the candidates once by `order` and then gives each user the first that are not excluded, with `score(user, item)`
/// beside them. `order` must order items as `score` does for every user.
pub(crate) fn by_shared_order(
    n_users: usize,
    n_items: usize,
    order: &dyn Fn(u32) -> f32,
    score: &(dyn Fn(u32, u32) -> f32 + Sync),
    request: &RankRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Ranking, RankError> {
    request.check(n_users, n_items)?;
    let mut sorted: Vec<Scored> = (0..n_items as u32)
        .filter(|&item| request.is_candidate(item))
        .map(|item| Scored { score: order(item) + 0.0, tie_rank: request.tie_ranks[item as usize], item })
        .collect();
    if let (Some(wrong), Some(&user)) = (sorted.iter().find(|s| !s.score.is_finite()), request.users.first()) {
        return Err(RankError::NotFinite { user, item: wrong.item });
    }
    sorted.sort_unstable();
    let k = request.k;
    request.in_groups(group_size(1, k.max(1) as f64, GROUP_PLACES), observer, |users, places| {
        places.lists(users).for_each(|(user, list)| {
            let excluded = request.excluded(user);
            let mut left = sorted.iter().filter(|s| excluded.binary_search(&s.item).is_err());
            let mut last = None;
            for (place, scored) in left.by_ref().take(k).enumerate() {
                list.items[place] = scored.item;
                list.scores[place] = score(user, scored.item) + 0.0;
                last = (place + 1 == k).then_some(scored.score);
            }
            *list.tie = last.is_some_and(|last| left.next().is_some_and(|next| next.score == last));
        });
        Ok(())
    })
}
