//! Feature augmentation: what the first component says of an item is an attribute for the second.

use rayon::prelude::*;
use recspeed_data::{Attributes, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::GOES_WITH;
use recspeed_types::event::EventKind;

use super::attributes::{self, Made};
use super::components::{Components, Reader};
use super::composed::Composed;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::ranking::{Best, Scored};
use crate::{BasketItem, FitError, Parts, PartsError, Reason, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "feature-augmentation",
    fit: |request, observer| Ok(Box::new(FeatureAugmentation::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(FeatureAugmentation::restore(request, parts)?)),
};

const FIRST: usize = 0;
pub(super) const SECOND: usize = 1;

/// Items asked about between two looks at the observer.
const GROUP: usize = 512;

/// Reasons asked of the second component, of which those that name the first one's attribute are added up.
const ALL_REASONS: usize = 1000;

/// The second component, fitted to the items' attributes and `goes-with`: the item itself, and the items that the first
/// component puts first for a person who has that item alone, with the best rating that anybody gave. Only items whose
/// score is above the lowest one count, and items without training rows are neither asked about nor named: a network scores
/// them by vectors that no row has moved.
/// Source: Mooney, Roy, "Content-Based Book Recommending Using Learning for Text Categorization" (LIBRA, which reads what
/// Amazon's own recommender calls related titles), doi:10.1145/336597.336662, as Burke tells it.
struct FeatureAugmentation {
    components: Components,
}

impl FeatureAugmentation {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let data = request.data;
        let components = Components::fit_with(request, observer, |place, before, observer| {
            if place == FIRST {
                return Ok(None);
            }
            let words = related(before, data, request.recommender.integer("related") as usize, observer)?;
            Ok(Some(attributes::with(&Made { name: GOES_WITH.name, words }, data)))
        })?;
        Ok(Self { components })
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        Ok(Self { components: Components::take_from(request, &mut parts)? })
    }
}

/// The least that the second component will be told of the items, whatever the first one says: that each goes with itself.
pub(super) fn at_least(data: &TrainSet<'_>) -> Attributes {
    let itself = |(item, known): (u32, bool)| if known { vec![item] } else { Vec::new() };
    let words = (0..).zip(data.candidates()).map(itself).collect();
    attributes::with(&Made { name: GOES_WITH.name, words }, data)
}

/// For each item itself and what goes with it.
fn related(
    first: &Components,
    data: &TrainSet<'_>,
    most: usize,
    observer: &mut dyn FitObserver,
) -> Result<Vec<Vec<u32>>, FitError> {
    let ratings = data.rows.iter().map(|&row| data.interactions.rating[row as usize]);
    let rating = ratings.fold(f32::MIN, f32::max);
    let (tie_ranks, known) = (data.interactions.items.tie_ranks(), data.candidates());
    let total = data.n_items() as u64;
    let mut words = Vec::with_capacity(data.n_items());
    let of_item = |&item: &u32| {
        if !known[item as usize] {
            return Vec::new();
        }
        let mut line = vec![0.0; data.n_items()];
        first.score(FIRST, Reader::New(&[BasketItem { item, rating }]), &mut line);
        let scored = || line.iter().copied().enumerate().filter(|(other, _)| known[*other]);
        let lowest = scored().map(|(_, score)| score).fold(f32::MAX, f32::min);
        let mut best = Best::new(most);
        for (other, score) in scored().filter(|(other, score)| *score > lowest && *other as u32 != item) {
            best.offer(score, tie_ranks[other], other as u32);
        }
        std::iter::once(item).chain(best.take().into_iter().map(|Scored { item, .. }| item)).collect()
    };
    let items: Vec<u32> = (0..data.n_items() as u32).collect();
    for group in items.chunks(GROUP) {
        if observer.stop_requested() {
            return Err(FitError::Interrupted { done: words.len() as u64, total, unit: "items" });
        }
        words.extend(group.par_iter().map(of_item).collect::<Vec<Vec<u32>>>());
        observer.event(EventKind::Progress { done: words.len() as u64, total, unit: "items".to_owned() });
    }
    Ok(words)
}

impl Composed for FeatureAugmentation {
    fn components(&self) -> &Components {
        &self.components
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.components
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        self.components.score(SECOND, reader, scores);
    }

    fn explains(&self) -> bool {
        self.components.explains(SECOND)
    }

    /// The second component's reasons; those that come from the first are one.
    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let is_made = |reason: &Reason| matches!(reason, Reason::Attribute { name, .. } if name == GOES_WITH.name);
        let all = self.components.own_reasons(SECOND, reader, item, ALL_REASONS);
        let (made, mut own): (Vec<Reason>, Vec<Reason>) = all.into_iter().partition(is_made);
        let part = |reason: &Reason| match reason {
            Reason::OwnItem { part, .. }
            | Reason::Learnt { part }
            | Reason::SimilarUser { part, .. }
            | Reason::Attribute { part, .. }
            | Reason::UserAttribute { part, .. }
            | Reason::Component { part, .. } => *part,
            Reason::Popularity { .. } => 0.0,
        };
        if !made.is_empty() {
            let sum: f32 = made.iter().map(part).sum();
            let place = own.iter().position(|reason| part(reason) < sum).unwrap_or(own.len());
            own.insert(place, self.components.reason(FIRST, reader, item, sum));
        }
        own.truncate(n);
        own
    }

    fn predict_one(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.components.predict(SECOND, user, item, timestamp)
    }

    /// Of the second component: what the first one makes of the attributes was read when the second one learnt.
    fn permute_components(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.components.permute_one(SECOND, permutation)
    }
}
