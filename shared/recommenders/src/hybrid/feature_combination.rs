//! Feature combination: who rated an item is one of its attributes.

use recspeed_data::{Interactions, Permutation};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::RATED_BY;
use recspeed_types::event::MemoryBytes;

use super::attributes::{self, Made};
use super::components::{Components, Reader};
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::{BasketItem, FitError, FoldIn, Parts, PartsError, Reason, Recommender, TrainSet};

pub(super) const METHOD: Method = Method {
    kind: "feature-combination",
    fit: |request, observer| Ok(Box::new(FeatureCombination::fit(request, observer)?)),
    restore: |request, parts| Ok(Box::new(FeatureCombination::restore(request, parts)?)),
};

/// The component, fitted to the items' attributes and `rated-by`: the users whose rating is at least `liked`.
/// Source: Basu, Hirsh, Cohen, "Recommendation as Classification: Using Social and Content-Based Information in
/// Recommendation", AAAI 1998, as Burke tells it.
struct FeatureCombination {
    component: Components,
}

impl FeatureCombination {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let (data, liked) = (request.data, request.recommender.float("liked"));
        let raters = |item: usize| {
            let (users, ratings) = data.by_item.row(item);
            let likes = users.iter().zip(ratings).filter(|(_, rating)| f64::from(**rating) >= liked);
            likes.map(|(&user, _)| user).collect()
        };
        let words = (0..data.n_items()).map(raters).collect();
        let known = attributes::with(&Made { name: RATED_BY.name, words }, data);
        let data = TrainSet { item_attributes: Some(&known), ..data.clone() };
        Ok(Self { component: Components::fit(&FitRequest { data: &data, ..*request }, observer)? })
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        Ok(Self { component: Components::take_from(request, &mut parts)? })
    }

    /// The component's own reasons, with people where it names their attribute.
    fn reasons(&self, reader: Reader<'_>, item: u32, n: usize) -> Vec<Reason> {
        let person = |reason: Reason| match reason {
            Reason::Attribute { name, value, part } if name == RATED_BY.name => match value.parse() {
                Ok(user) => Reason::SimilarUser { user, part },
                Err(_) => Reason::Attribute { name, value, part },
            },
            other => other,
        };
        self.component.own_reasons(0, reader, item, n).into_iter().map(person).collect()
    }
}

impl Recommender for FeatureCombination {
    fn n_users(&self) -> usize {
        self.component.n_users()
    }

    fn n_items(&self) -> usize {
        self.component.n_items()
    }

    fn predict(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.component.predict(0, user, item, timestamp)
    }

    fn score_all(&self, user: u32, scores: &mut [f32]) {
        self.component.score(0, Reader::Known(user), scores);
    }

    fn read(
        &mut self,
        interactions: &Interactions,
        known: &[u32],
        observer: &mut dyn FitObserver,
    ) -> Result<(), FitError> {
        self.component.read(interactions, known, observer)
    }

    fn permute(&mut self, permutation: Option<&Permutation<'_>>) -> bool {
        self.component.permute(permutation)
    }

    fn memory(&self) -> MemoryBytes {
        self.component.memory()
    }

    fn parameters(&self) -> u64 {
        self.component.parameters()
    }

    fn explain(&self, user: u32, item: u32, n: usize) -> Option<Vec<Reason>> {
        Some(self.reasons(Reader::Known(user), item, n))
    }

    fn fold_in(&self) -> Option<&dyn FoldIn> {
        if self.component.serve_new_users() { Some(self) } else { None }
    }

    /// The parts of the component under its place.
    fn parts(&self) -> Parts {
        self.component.add_to(Parts::default())
    }
}

impl FoldIn for FeatureCombination {
    fn score_basket(&self, basket: &[BasketItem], scores: &mut [f32]) {
        self.component.score(0, Reader::New(basket), scores);
    }

    fn explain_basket(&self, basket: &[BasketItem], item: u32, n: usize) -> Vec<Reason> {
        self.reasons(Reader::New(basket), item, n)
    }
}
