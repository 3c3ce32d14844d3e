//! Sampled ranking: each user's test items among a few drawn ones.
//!
//! Many papers measure so. It flatters, the more the fewer are drawn, and can turn the order of methods round (Krichene and Rendle, "On
//! Sampled Metrics for Item Recommendation", doi:10.1145/3394486.3403226); it is here for tables that were made that way, and every result
//! says so. What is drawn depends on the data seed and the user alone: every method of a comparison is asked the same.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use recspeed_data::Csr;
use recspeed_recommenders::{RankError, RankRequest, Ranking, Recommender};
use recspeed_types::event::EventKind;
use recspeed_types::{FitObserver, Unobserved};

use crate::audience::Audience;

/// The random stream of what is drawn, apart from those of data, split, users and training.
const SAMPLE_STREAM: u64 = 0x7361_6d70_6c65_0001;
/// Excluded items that are held at once.
const HELD: usize = recspeed_plan::blocks::EXCLUDED;

/// What each user of the audience may be recommended, ascending: the test items, and the drawn ones.
pub(crate) struct Sampled {
    allowed: Vec<Vec<u32>>,
    /// Users for whom there were no more to draw: their lists are ranked in full.
    in_full: u64,
}

impl Sampled {
    /// Draws `count` items for each user, uniformly among the candidates that are neither excluded nor relevant; all of them where there
    /// are no more. Excluded items are not allowed, relevant or not.
    pub(crate) fn draw(count: usize, audience: &Audience, exclude: Option<&Csr>, seed: u64) -> Self {
        let pool: Vec<u32> =
            (0..audience.candidates.len() as u32).filter(|&item| audience.candidates[item as usize] > 0).collect();
        let mut in_full = 0;
        let of_user = |&user: &u32| {
            let excluded = exclude.map_or(&[][..], |exclude| exclude.row(user as usize).0);
            // What the user had before is in the test again where a pair repeats: it is excluded there as everywhere.
            let relevant = audience.relevant.row(user as usize).0.iter().copied();
            let mut allowed: Vec<u32> = relevant.filter(|item| excluded.binary_search(item).is_err()).collect();
            let mut taken = [excluded, &allowed].concat();
            taken.sort_unstable();
            taken.dedup();
            taken.retain(|item| pool.binary_search(item).is_ok());
            if pool.len() - taken.len() <= count {
                in_full += 1;
                allowed.extend(pool.iter().filter(|item| taken.binary_search(item).is_err()));
            } else {
                let mut rng = ChaCha8Rng::seed_from_u64(seed ^ SAMPLE_STREAM);
                rng.set_stream(u64::from(user));
                let mut left = count;
                while left > 0 {
                    let item = pool[rng.random_range(0..pool.len() as u32) as usize];
                    if let Err(place) = taken.binary_search(&item) {
                        taken.insert(place, item);
                        allowed.push(item);
                        left -= 1;
                    }
                }
            }
            allowed.sort_unstable();
            allowed
        };
        let allowed = audience.users.iter().map(of_user).collect();
        Self { allowed, in_full }
    }

    /// Users whose lists are ranked among all candidates, because no more than those that were to be drawn are left.
    pub(crate) const fn in_full(&self) -> u64 {
        self.in_full
    }

    /// Ranks as `request` says, whose users are those of the audience, and lets each have only what is allowed.
    ///
    /// # Errors
    /// [`RankError`].
    pub(crate) fn rank(
        &self,
        recommender: &dyn Recommender,
        request: &RankRequest<'_>,
        observer: &mut dyn FitObserver,
    ) -> Result<Ranking, RankError> {
        let (n_users, n_items) = (recommender.n_users(), recommender.n_items());
        let (total, at_once) = (request.users.len(), (HELD / n_items.max(1)).max(1));
        let mut all = Ranking { k: request.k, items: Vec::new(), scores: Vec::new(), ties: Vec::new() };
        for (users, allowed) in request.users.chunks(at_once).zip(self.allowed.chunks(at_once)) {
            if observer.stop_requested() {
                return Err(RankError::Interrupted { done: all.ties.len() as u64, total: total as u64 });
            }
            let exclude = all_but(users, allowed, n_users, n_items);
            let some = RankRequest { users, exclude: Some(&exclude), ..*request };
            let Ranking { items, scores, ties, .. } = recommender.rank(&some, &mut Unobserved)?;
            all.items.extend(items);
            all.scores.extend(scores);
            all.ties.extend(ties);
            let done = all.ties.len() as u64;
            observer.event(EventKind::Progress { done, total: total as u64, unit: "users".to_owned() });
        }
        Ok(all)
    }
}

/// All items but the allowed ones of these users, who ascend; of others nothing.
fn all_but(users: &[u32], allowed: &[Vec<u32>], n_users: usize, n_items: usize) -> Csr {
    let mut indices = Vec::with_capacity(users.len() * n_items);
    let mut indptr = Vec::with_capacity(n_users + 1);
    for (&user, allowed) in users.iter().zip(allowed) {
        indptr.resize(user as usize + 1, indices.len());
        let mut left = allowed.iter().copied().peekable();
        indices.extend((0..n_items as u32).filter(|item| left.next_if_eq(item).is_none()));
    }
    indptr.resize(n_users + 1, indices.len());
    Csr { values: vec![1.0; indices.len()], indptr, indices }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_allowed_items_of_the_users_are_excluded_and_nothing_of_others() {
        let rows = all_but(&[1, 3], &[vec![0, 2], vec![]], 5, 4);
        let of = |user| rows.row(user).0;
        assert_eq!((of(0), of(1), of(2), of(3), of(4)), (&[][..], &[1, 3][..], &[][..], &[0, 1, 2, 3][..], &[][..]));
    }
}
