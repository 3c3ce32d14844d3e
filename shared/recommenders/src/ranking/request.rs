//! What is asked, and the answer.

use rayon::prelude::*;
use recspeed_data::Csr;
use recspeed_metrics::NO_ITEM;
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;

use super::RankError;
use super::top::Best;

/// Which lists are wanted.
///
/// # Shapes
/// - `users`: any users, in the order of the answer
/// - `exclude`: `[n_users, n_items]`; the items in a user's row never appear in that user's list
/// - `candidates`: `[n_items]`; only these items appear in any list
/// - `tie_ranks`: `[n_items]`, a permutation: of equal scores the lower rank comes first
#[derive(Debug, Clone, Copy)]
pub struct RankRequest<'a> {
    /// Whose lists.
    pub users: &'a [u32],
    /// Places of each list.
    pub k: usize,
    /// What each user must not get; `None` excludes nothing.
    pub exclude: Option<&'a Csr>,
    /// What anybody may get; `None` allows every item.
    pub candidates: Option<&'a [bool]>,
    /// Decides between equal scores.
    pub tie_ranks: &'a [u32],
}

/// The lists, one after another in the order of the request's users.
///
/// # Shapes
/// - `items`, `scores`: `[users, k]`; a list with fewer candidates ends in [`NO_ITEM`] with score 0
/// - `ties`: `[users]`
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    /// Places of each list.
    pub k: usize,
    /// Items, best first.
    pub items: Vec<u32>,
    /// Their scores.
    pub scores: Vec<f32>,
    /// Whether an item that is not in the list has the same score as the last one in it: the tie rule chose.
    pub ties: Vec<bool>,
}

impl Ranking {
    /// The items of list `index`, without the padding.
    ///
    /// # Panics
    /// When `index` is not below the number of lists.
    pub fn list(&self, index: usize) -> &[u32] {
        let list = &self.items[index * self.k..][..self.k];
        &list[..list.iter().position(|&item| item == NO_ITEM).unwrap_or(self.k)]
    }

    /// The same lists in other places: `places` says for each new list which one it is.
    pub(super) fn dealt_out(&self, places: &[u32]) -> Result<Self, RankError> {
        let k = self.k;
        let mut dealt = Self::reserve(places.len(), k)?;
        for (to, from) in places.iter().map(|&place| place as usize).enumerate() {
            dealt.items[to * k..][..k].copy_from_slice(&self.items[from * k..][..k]);
            dealt.scores[to * k..][..k].copy_from_slice(&self.scores[from * k..][..k]);
            dealt.ties[to] = self.ties[from];
        }
        Ok(dealt)
    }

    pub(super) fn reserve(users: usize, k: usize) -> Result<Self, RankError> {
        let out_of_memory = RankError::OutOfMemory { users, k };
        let places = users.checked_mul(k).ok_or(out_of_memory.clone())?;
        let (mut items, mut scores) = (Vec::new(), Vec::new());
        if items.try_reserve_exact(places).is_err() || scores.try_reserve_exact(places).is_err() {
            return Err(out_of_memory);
        }
        items.resize(places, NO_ITEM);
        scores.resize(places, 0.0);
        Ok(Self { k, items, scores, ties: vec![false; users] })
    }
}

/// The places of some users that follow each other in the answer.
pub(super) struct Places<'a> {
    k: usize,
    items: &'a mut [u32],
    scores: &'a mut [f32],
    ties: &'a mut [bool],
}

/// The places of one user.
pub(super) struct List<'a> {
    pub(super) items: &'a mut [u32],
    pub(super) scores: &'a mut [f32],
    pub(super) tie: &'a mut bool,
}

impl<'a> Places<'a> {
    /// Blocks of `block` users with their places, for threads to share; none where lists have no places.
    pub(super) fn blocks(self, users: &[u32], block: usize) -> impl IndexedParallelIterator<Item = (&[u32], Self)> {
        let Self { k, items, scores, ties } = self;
        let places = block * k.max(1);
        users
            .par_chunks(block)
            .zip(items.par_chunks_mut(places))
            .zip(scores.par_chunks_mut(places))
            .zip(ties.par_chunks_mut(block))
            .map(move |(((users, items), scores), ties)| (users, Self { k, items, scores, ties }))
    }

    /// Every user with the places of its list, for threads to share; none where lists have no places.
    pub(super) fn lists(self, users: &[u32]) -> impl IndexedParallelIterator<Item = (u32, List<'a>)> {
        let width = self.k.max(1);
        users
            .par_iter()
            .zip(self.items.par_chunks_mut(width))
            .zip(self.scores.par_chunks_mut(width))
            .zip(self.ties.par_iter_mut())
            .map(|(((&user, items), scores), tie)| (user, List { items, scores, tie }))
    }

    /// Writes the list of the user at `index` among these.
    pub(super) fn write(&mut self, index: usize, best: &mut Best) {
        let range = index * self.k..(index + 1) * self.k;
        self.ties[index] = best.write(&mut self.items[range.clone()], &mut self.scores[range]);
    }
}

impl List<'_> {
    /// Writes it.
    pub(super) fn write(self, best: &mut Best) {
        *self.tie = best.write(self.items, self.scores);
    }
}

impl RankRequest<'_> {
    pub(super) fn check(&self, n_users: usize, n_items: usize) -> Result<(), RankError> {
        let shape = |what, given: usize, expected: usize| {
            if given == expected { Ok(()) } else { Err(RankError::Shape { what, given, expected }) }
        };
        shape("tie_ranks", self.tie_ranks.len(), n_items)?;
        shape("candidates", self.candidates.map_or(n_items, <[bool]>::len), n_items)?;
        shape("exclude", self.exclude.map_or(n_users, Csr::n_rows), n_users)?;
        match self.users.iter().find(|&&user| user as usize >= n_users) {
            Some(&user) => Err(RankError::UnknownUser { user, last: n_users.saturating_sub(1) }),
            None => Ok(()),
        }
    }

    /// The items that a user must not get, ascending.
    pub(super) fn excluded(&self, user: u32) -> &[u32] {
        self.exclude.map_or(&[], |exclude| exclude.row(user as usize).0)
    }

    pub(super) fn is_candidate(&self, item: u32) -> bool {
        self.candidates.is_none_or(|candidates| candidates[item as usize])
    }

    /// Cuts users and answer into groups of `group` users, lets `work` fill each, and reports progress in between.
    pub(super) fn in_groups(
        &self,
        group: usize,
        observer: &mut dyn FitObserver,
        mut work: impl FnMut(&[u32], Places<'_>) -> Result<(), RankError>,
    ) -> Result<Ranking, RankError> {
        let k = self.k;
        let mut ranking = Ranking::reserve(self.users.len(), k)?;
        let total = self.users.len() as u64;
        for start in (0..self.users.len()).step_by(group.max(1)) {
            if observer.stop_requested() {
                return Err(RankError::Interrupted { done: start as u64, total });
            }
            let end = (start + group.max(1)).min(self.users.len());
            let places = Places {
                k,
                items: &mut ranking.items[start * k..end * k],
                scores: &mut ranking.scores[start * k..end * k],
                ties: &mut ranking.ties[start..end],
            };
            work(&self.users[start..end], places)?;
            observer.event(EventKind::Progress { done: end as u64, total, unit: "users".to_owned() });
        }
        Ok(ranking)
    }
}

/// Users of a group so that it takes a small part of a second and still feeds every thread.
pub(super) fn group_size(block: usize, work_of_a_user: f64, work_of_a_group: f64) -> usize {
    let blocks = (work_of_a_group / (work_of_a_user.max(1.0) * block as f64)) as usize;
    blocks.max(4 * rayon::current_num_threads()) * block
}
