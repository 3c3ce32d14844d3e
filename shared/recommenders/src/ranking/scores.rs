//! Lists of any method: all scores of one user at a time.

use rayon::prelude::*;
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{Places, RankRequest, Ranking, group_size};
use super::top::Best;

/// Scores of one group, about: a small part of a second of work.
const GROUP_SCORES: f64 = 3e7;

/// Ranks with one line of scores for each thread: `score_all(user, [n_items])` fills it.
pub(crate) fn by_scores(
    n_users: usize,
    n_items: usize,
    score_all: &(dyn Fn(u32, &mut [f32]) + Sync),
    request: &RankRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Ranking, RankError> {
    request.check(n_users, n_items)?;
    let k = request.k;
    request.in_groups(group_size(1, n_items as f64, GROUP_SCORES), observer, |users, places| {
        let Places { items, scores, ties } = places;
        users
            .par_iter()
            .zip(items.par_chunks_mut(k.max(1)))
            .zip(scores.par_chunks_mut(k.max(1)))
            .zip(ties.par_iter_mut())
            .try_for_each_init(
                || (vec![0.0f32; n_items], Best::new(k)),
                |(line, best), (((&user, items), scores), ties)| {
                    score_all(user, line);
                    rank_line(request, user, line, best)?;
                    *ties = best.write(items, scores);
                    Ok(())
                },
            )
    })
}

fn rank_line(request: &RankRequest<'_>, user: u32, line: &[f32], best: &mut Best) -> Result<(), RankError> {
    let mut excluded = request.excluded(user).iter().copied().peekable();
    for (item, &score) in (0u32..).zip(line) {
        // Also lets NaN through, which `offer` refuses.
        if score < best.threshold() {
            continue;
        }
        while excluded.next_if(|&other| other < item).is_some() {}
        if excluded.peek() == Some(&item) || !request.is_candidate(item) {
            continue;
        }
        if !best.offer(score, request.tie_ranks[item as usize], item) {
            return Err(RankError::NotFinite { user, item });
        }
    }
    Ok(())
}
