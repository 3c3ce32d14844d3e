//! Lists of methods that have nothing to say of most items.
//!
//! Item neighbours speak for a few hundred of a catalogue's quarter million items; all others score 0 and follow in the order of ties. A
//! list then costs what is said and not what there is: the items that are spoken for are ranked, and the first of the silent ones join
//! where their 0 reaches. The lists are those of [`super::by_scores`], to the last bit.

use pulp::Arch;
use rayon::prelude::*;
use recspeed_types::FitObserver;

use super::RankError;
use super::request::{RankRequest, Ranking, group_size};
use super::scores::{RankLine, by_scores};
use super::top::Best;

/// Parts of scores of one group, about: a small part of a second of work.
const GROUP_PARTS: f64 = 1e7;
/// Lists below which a line of scores is cheaper than the order of the silent items.
const FEW_LISTS: usize = 16;
/// A user for whom more than this share of the items' number of parts is added up gets a line of scores.
const DENSE: f64 = 0.25;

/// A method that adds up what a user's items say.
pub(crate) trait Speaks: Sync {
    /// Parts that [`Self::speak`] would add.
    fn parts(&self, user: u32) -> usize;

    /// Adds what is said for each item, in the order in which [`Self::score_line`] adds it up.
    fn speak(&self, user: u32, sums: &mut Sums);

    /// All scores, 0 where nothing is said.
    fn score_line(&self, user: u32, scores: &mut [f32]);
}

/// What was said for the items so far.
pub(crate) struct Sums {
    scores: Vec<f32>,
    state: Vec<State>,
    spoken_for: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Silent,
    SpokenFor,
    Excluded,
}

impl Sums {
    fn new(n_items: usize) -> Self {
        Self { scores: vec![0.0; n_items], state: vec![State::Silent; n_items], spoken_for: Vec::new() }
    }

    /// Adds to the score of an item.
    #[inline]
    pub(crate) fn add(&mut self, item: u32, part: f32) {
        match &mut self.state[item as usize] {
            State::SpokenFor => self.scores[item as usize] += part,
            State::Excluded => {}
            state @ State::Silent => {
                *state = State::SpokenFor;
                self.spoken_for.push(item);
                self.scores[item as usize] = 0.0 + part;
            }
        }
    }

    fn clear(&mut self, excluded: &[u32]) {
        for item in self.spoken_for.drain(..) {
            self.state[item as usize] = State::Silent;
        }
        for &item in excluded {
            self.state[item as usize] = State::Silent;
        }
    }
}

/// Ranks by what is said.
pub(crate) fn by_touched(
    n_users: usize,
    n_items: usize,
    method: &dyn Speaks,
    request: &RankRequest<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Ranking, RankError> {
    if request.users.len() < FEW_LISTS {
        return by_scores(n_users, n_items, &|user, scores| method.score_line(user, scores), request, observer);
    }
    request.check(n_users, n_items)?;
    let silent = in_order_of_ties(request, n_items);
    let arch = Arch::new();
    let said: usize = request.users.iter().map(|&user| method.parts(user)).sum();
    let each = said as f64 / request.users.len() as f64 + 4.0 * request.k.max(1) as f64;
    request.in_groups(group_size(1, each, GROUP_PARTS), observer, |users, places| {
        places.lists(users).try_for_each_init(
            || (Sums::new(n_items), Best::new(request.k)),
            |(sums, best), (user, list)| {
                if method.parts(user) as f64 > DENSE * n_items as f64 {
                    let line = &mut sums.scores[..];
                    method.score_line(user, line);
                    arch.dispatch(RankLine { request, user, line, best })?;
                } else {
                    rank_said(method, request, user, &silent, (sums, best))?;
                }
                list.write(best);
                Ok(())
            },
        )
    })
}

/// The candidates by their tie ranks.
fn in_order_of_ties(request: &RankRequest<'_>, n_items: usize) -> Vec<u32> {
    let mut order = vec![0; n_items];
    for (item, &rank) in request.tie_ranks.iter().enumerate() {
        order[rank as usize] = item as u32;
    }
    order.retain(|&item| request.is_candidate(item));
    order
}

fn rank_said(
    method: &dyn Speaks,
    request: &RankRequest<'_>,
    user: u32,
    silent: &[u32],
    (sums, best): (&mut Sums, &mut Best),
) -> Result<(), RankError> {
    let excluded = request.excluded(user);
    for &item in excluded {
        sums.state[item as usize] = State::Excluded;
    }
    method.speak(user, sums);
    for &item in sums.spoken_for.iter().filter(|&&item| request.is_candidate(item)) {
        let score = sums.scores[item as usize];
        let reaches = score >= best.threshold() || score.is_nan();
        if reaches && !best.offer(score, request.tie_ranks[item as usize], item) {
            let wrong = RankError::NotFinite { user, item };
            sums.clear(excluded);
            return Err(wrong);
        }
    }
    // One more than can enter tells whether the tie rule cut the list.
    let others = silent.iter().filter(|&&item| sums.state[item as usize] == State::Silent).take(request.k + 1);
    for &item in others {
        if best.threshold() > 0.0 {
            break;
        }
        best.offer(0.0, request.tie_ranks[item as usize], item);
    }
    sums.clear(excluded);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use recspeed_data::Csr;
    use recspeed_types::Unobserved;

    /// What each user hears: item and part, some of them several times.
    struct Heard(Vec<Vec<(u32, f32)>>);

    impl Speaks for Heard {
        fn parts(&self, user: u32) -> usize {
            self.0[user as usize].len()
        }

        fn speak(&self, user: u32, sums: &mut Sums) {
            self.0[user as usize].iter().for_each(|&(item, part)| sums.add(item, part));
        }

        fn score_line(&self, user: u32, scores: &mut [f32]) {
            scores.fill(0.0);
            self.0[user as usize].iter().for_each(|&(item, part)| scores[item as usize] += part);
        }
    }

    const ITEMS: u32 = 40;

    proptest! {
        #[test]
        fn lists_are_those_of_all_scores_to_the_last_bit(
            heard in prop::collection::vec(prop::collection::vec((0..ITEMS, -3i8..4), 0..14), 16..30),
            excluded in prop::collection::vec(0..ITEMS, 0..12), banned in prop::collection::vec(any::<bool>(), ITEMS as usize),
            k in 1..45usize, turn in 1..ITEMS,
        ) {
            let heard = Heard(heard.into_iter().map(|of_user| of_user.into_iter().map(|(item, part)| (item, f32::from(part) / 3.0)).collect()).collect());
            let n_users = heard.0.len();
            let users: Vec<u32> = (0..n_users as u32).collect();
            let mut own: Vec<u32> = excluded;
            own.sort_unstable();
            own.dedup();
            let exclude = Csr {
                indptr: (0..=n_users).map(|user| user * own.len()).collect(),
                indices: users.iter().flat_map(|_| own.clone()).collect(),
                values: vec![1.0; n_users * own.len()],
            };
            // Tie ranks run against the items' numbers, from somewhere.
            let tie_ranks: Vec<u32> = (0..ITEMS).map(|item| (ITEMS - 1 - item + turn) % ITEMS).collect();
            let request = RankRequest { users: &users, k, exclude: Some(&exclude), candidates: Some(&banned), tie_ranks: &tie_ranks };
            let touched = by_touched(n_users, ITEMS as usize, &heard, &request, &mut Unobserved).unwrap();
            let line = by_scores(n_users, ITEMS as usize, &|user, scores| heard.score_line(user, scores), &request, &mut Unobserved).unwrap();
            prop_assert_eq!(touched, line);
        }
    }

    #[test]
    fn a_score_that_is_no_number_is_told_and_spoils_no_later_list() {
        let mut heard = Heard(vec![vec![(3, 1.0)]; 20]);
        heard.0[5] = vec![(2, f32::INFINITY), (2, f32::NEG_INFINITY)];
        let (users, tie_ranks): (Vec<u32>, Vec<u32>) = ((0..20).collect(), (0..ITEMS).collect());
        let request = RankRequest { users: &users, k: 2, exclude: None, candidates: None, tie_ranks: &tie_ranks };
        let found = by_touched(20, ITEMS as usize, &heard, &request, &mut Unobserved);
        assert_eq!(found, Err(RankError::NotFinite { user: 5, item: 2 }));
    }
}
