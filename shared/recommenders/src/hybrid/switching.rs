//! Switching: one of two components answers, by how much is known.

use recspeed_data::parts::expect_len;
use recspeed_data::{Csr, Interactions};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::ResolvedRecommender;

use super::components::{Components, Reader};
use super::composed::Composed;
use super::scale::Scale;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::{Array, BasketItem, FitError, Parts, PartsError, Reason, Values};

pub(super) const METHOD: Method = Method {
    kind: "switching",
    fit: |request, observer| Ok(Box::new(Switching::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(Switching::restore(request, parts)?)),
};

/// Whose interactions decide: the user's, all that is read of them, or the item's in training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    User,
    Item,
}

/// The first component answers below the threshold, the second one from it on. By user a whole list comes from one of them,
/// with its own scores; by item each item's score comes from one of them, on the common scale over all items of the user.
struct Switching {
    components: Components,
    by: By,
    threshold: u32,
    /// Different items that each user has, or different users that each item was trained on.
    counts: Vec<u32>,
    scale: Scale,
    stars: bool,
}

impl Switching {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let by = by(request.recommender);
        let counted = if by == By::User { &request.data.by_user } else { &request.data.by_item };
        Ok(Self::of(request.recommender, Components::fit(request, observer)?, counts(counted)))
    }

    fn of(recommender: &ResolvedRecommender, components: Components, counts: Vec<u32>) -> Self {
        Self {
            components,
            by: by(recommender),
            threshold: recommender.integer("threshold") as u32,
            counts,
            scale: Scale::of(recommender),
            stars: recommender.predicts() == Predicts::Ratings,
        }
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        let recommender = request.recommender;
        let counts = match parts.take("counts")? {
            Array { values: Values::U32(counts), .. } => counts,
            other => return Err(other.unexpected("counts", "a list of u32")),
        };
        let components = Components::take_from(request, &mut parts)?;
        let due = if by(recommender) == By::User { components.n_users() } else { components.n_items() };
        expect_len("counts", counts.len(), due)?;
        Ok(Self::of(recommender, components, counts))
    }

    fn chosen(&self, count: u32) -> usize {
        usize::from(count >= self.threshold)
    }

    /// The component that answers for an item.
    fn answering(&self, reader: Reader<'_>, item: u32) -> usize {
        self.chosen(match (self.by, reader) {
            (By::User, Reader::Known(user)) => self.counts[user as usize],
            (By::User, Reader::New(basket)) => different(basket),
            (By::Item, _) => self.counts[item as usize],
        })
    }
}

/// Entries of each row.
fn counts(csr: &Csr) -> Vec<u32> {
    (0..csr.n_rows()).map(|row| csr.row(row).0.len() as u32).collect()
}

/// Different items of a basket: an item that is named twice counts once, as a user's two rows do.
fn different(basket: &[BasketItem]) -> u32 {
    let mut items: Vec<u32> = basket.iter().map(|own| own.item).collect();
    items.sort_unstable();
    items.dedup();
    items.len() as u32
}

fn by(recommender: &ResolvedRecommender) -> By {
    if recommender.text("by") == "item" { By::Item } else { By::User }
}

impl Composed for Switching {
    fn components(&self) -> &Components {
        &self.components
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.components
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        if self.by == By::User {
            self.components.score(self.answering(reader, 0), reader, scores);
            return;
        }
        let mut line = vec![0.0; scores.len()];
        for index in 0..self.components.len() {
            self.components.score(index, reader, &mut line);
            self.scale.apply(&mut line);
            for ((score, part), &count) in scores.iter_mut().zip(&line).zip(&self.counts) {
                if self.chosen(count) == index {
                    *score = *part;
                }
            }
        }
    }

    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let mut scores = vec![0.0; self.components.n_items()];
        self.score(reader, &mut scores);
        let answering = self.answering(reader, item);
        let reason = || self.components.reason(answering, reader, item, scores[item as usize]);
        std::iter::once_with(reason).take(n).collect()
    }

    fn predict_one(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        if self.stars || self.by == By::User {
            return self.components.predict(self.answering(Reader::Known(user), item), user, item, timestamp);
        }
        // A place on the common scale needs the scores of all items.
        self.score_one(user, item)
    }

    fn keep(&mut self, interactions: &Interactions, known: &[u32]) {
        if self.by == By::User {
            self.counts = counts(&Csr::by_user(interactions, known));
        }
    }

    fn own_bytes(&self) -> (usize, usize) {
        (0, size_of_val(&self.counts[..]))
    }

    /// `counts`: interactions of each user or item.
    fn own_parts(&self) -> Parts {
        Parts::default().with("counts", &[self.counts.len()], Values::U32(self.counts.clone()))
    }
}
