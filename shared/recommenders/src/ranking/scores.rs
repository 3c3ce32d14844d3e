//! Lists of any method: all scores of one user at a time.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{RankRequest, Ranking, group_size};
use super::scan::scan;
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
    let arch = Arch::new();
    request.in_groups(group_size(1, n_items as f64, GROUP_SCORES), observer, |users, places| {
        places.lists(users).try_for_each_init(
            || (vec![0.0f32; n_items], Best::new(request.k)),
            |(line, best), (user, list)| {
                score_all(user, line);
                arch.dispatch(RankLine { request, user, line, best })?;
                list.write(best);
                Ok(())
            },
        )
    })
}

/// Finds the best of one user's scores.
pub(super) struct RankLine<'a> {
    pub(super) request: &'a RankRequest<'a>,
    pub(super) user: u32,
    pub(super) line: &'a mut [f32],
    pub(super) best: &'a mut Best,
}

impl WithSimd for RankLine<'_> {
    type Output = Result<(), RankError>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Self::Output {
        let Self { request, user, line, best } = self;
        for &item in request.excluded(user) {
            // Below every threshold.
            line[item as usize] = f32::NEG_INFINITY;
        }
        scan(best, line, |best, item, score| {
            let item = item as u32;
            if !request.is_candidate(item) || best.offer(score, request.tie_ranks[item as usize], item) {
                Ok(())
            } else {
                Err(RankError::NotFinite { user, item })
            }
        })
    }
}
