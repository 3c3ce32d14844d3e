//! Mixed: the lists of the components are presented as one.

use std::sync::Arc;

use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions};
use recspeed_types::FitObserver;

use super::components::{Components, Reader};
use super::composed::Composed;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::ranking::Scored;
use crate::{FitError, Parts, PartsError, Reason, Values};

pub(super) const METHOD: Method = Method {
    kind: "mixed",
    fit: |request, observer| Ok(Box::new(Mixed::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(Mixed::restore(request, parts)?)),
};

/// In turn each component gives its best item that is not in the list yet, over all items but the reader's own; the item at
/// place `p`, from 0, scores `1 / (1 + p)`, every other one 0. A component's equal scores go by the lab's tie rule.
struct Mixed {
    components: Components,
    by_user: Arc<Csr>,
    tie_ranks: Vec<u32>,
    depth: usize,
}

impl Mixed {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        Ok(Self {
            components: Components::fit(request, observer)?,
            by_user: Arc::clone(&request.data.by_user),
            tie_ranks: request.data.interactions.items.tie_ranks(),
            depth: request.recommender.integer("depth") as usize,
        })
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        let recommender = request.recommender;
        let tie_ranks = parts.take_indices("tie_ranks")?;
        let components = Components::take_from(request, &mut parts)?;
        let by_user = Arc::new(parts.take_csr("ratings", components.n_items())?);
        expect_len("tie_ranks", tie_ranks.len(), components.n_items())?;
        expect_len("ratings.indptr", by_user.n_rows(), components.n_users())?;
        Ok(Self { components, by_user, tie_ranks, depth: recommender.integer("depth") as usize })
    }

    /// The first items of a component's list; none where it says the same of all.
    fn list(&self, index: usize, reader: Reader<'_>, own: &[u32]) -> Vec<u32> {
        let mut line = vec![0.0; self.components.n_items()];
        self.components.score(index, reader, &mut line);
        let scored = |(item, &score): (usize, &f32)| Scored {
            score: score + 0.0,
            tie_rank: self.tie_ranks[item],
            item: item as u32,
        };
        let mut list: Vec<Scored> = line.iter().enumerate().map(scored).collect();
        list.retain(|scored| own.binary_search(&scored.item).is_err());
        if list.windows(2).all(|pair| pair[0].score == pair[1].score) {
            return Vec::new();
        }
        if list.len() > self.depth {
            list.select_nth_unstable(self.depth);
            list.truncate(self.depth);
        }
        list.sort_unstable();
        list.into_iter().map(|scored| scored.item).collect()
    }

    /// The list: items, each with the component that gave it.
    fn interleave(&self, reader: Reader<'_>) -> Vec<(u32, usize)> {
        let own = reader.own(&self.by_user);
        let mut lists: Vec<std::vec::IntoIter<u32>> =
            (0..self.components.len()).map(|index| self.list(index, reader, &own).into_iter()).collect();
        let mut given = vec![false; self.components.n_items()];
        let mut mixed = Vec::new();
        loop {
            let before = mixed.len();
            for (index, list) in lists.iter_mut().enumerate() {
                if let Some(item) = list.find(|&item| !given[item as usize]) {
                    given[item as usize] = true;
                    mixed.push((item, index));
                }
            }
            if mixed.len() == before {
                return mixed;
            }
        }
    }
}

/// The score of a place, from 0.
fn at_place(place: usize) -> f32 {
    1.0 / (1.0 + place as f32)
}

impl Composed for Mixed {
    fn components(&self) -> &Components {
        &self.components
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.components
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        scores.fill(0.0);
        for (place, (item, _)) in self.interleave(reader).into_iter().enumerate() {
            scores[item as usize] = at_place(place);
        }
    }

    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let mixed = self.interleave(reader);
        let found = mixed.iter().position(|&(other, _)| other == item);
        let reason = |place: usize| self.components.reason(mixed[place].1, reader, item, at_place(place));
        found.map(reason).into_iter().take(n).collect()
    }

    /// The score of the item's place, which needs no other scores.
    fn predict_one(&self, user: u32, item: u32, _: i64) -> f32 {
        let mixed = self.interleave(Reader::Known(user));
        mixed.iter().position(|&(other, _)| other == item).map_or(0.0, at_place)
    }

    /// What the reader has takes up no place either.
    fn keep(&mut self, interactions: &Interactions, known: &[u32]) {
        self.by_user = Arc::new(Csr::by_user(interactions, known));
    }

    fn own_bytes(&self) -> (usize, usize) {
        let own = size_of_val(&self.tie_ranks[..]) + size_of_val(&self.by_user.indptr[..]) + 8 * self.by_user.nnz();
        (0, own)
    }

    /// `tie_ranks` of the items; `ratings`: users × items.
    fn own_parts(&self) -> Parts {
        let ranks = Values::U32(self.tie_ranks.clone());
        Parts::default().with("tie_ranks", &[self.tie_ranks.len()], ranks).with_csr("ratings", &self.by_user)
    }
}
