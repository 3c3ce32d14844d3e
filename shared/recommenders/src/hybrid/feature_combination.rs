//! Feature combination: who rated an item is one of its attributes.

use recspeed_data::Attributes;
use recspeed_types::FitObserver;
use recspeed_types::catalogue::RATED_BY;

use super::attributes::{self, Made};
use super::components::{Components, Reader};
use super::composed::Composed;
use crate::fit::{FitRequest, Method, RestoreRequest};
use crate::{FitError, Parts, PartsError, Reason, TrainSet};

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

/// What the component is told of the items.
pub(super) fn combined(request: &FitRequest<'_>) -> Attributes {
    let (data, liked) = (request.data, request.recommender.float("liked"));
    let raters = |item: usize| {
        let (users, ratings) = data.by_item.row(item);
        let likes = users.iter().zip(ratings).filter(|(_, rating)| f64::from(**rating) >= liked);
        likes.map(|(&user, _)| user).collect()
    };
    let words = (0..data.n_items()).map(raters).collect();
    attributes::with(&Made { name: RATED_BY.name, words }, data)
}

impl FeatureCombination {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        let known = combined(request);
        let data = TrainSet { item_attributes: Some(&known), ..request.data.clone() };
        Ok(Self { component: Components::fit(&FitRequest { data: &data, ..*request }, observer)? })
    }

    fn restore(request: &RestoreRequest<'_>, mut parts: Parts) -> Result<Self, PartsError> {
        Ok(Self { component: Components::take_from(request, &mut parts)? })
    }
}

impl Composed for FeatureCombination {
    fn components(&self) -> &Components {
        &self.component
    }

    fn components_mut(&mut self) -> &mut Components {
        &mut self.component
    }

    fn score(&self, reader: Reader<'_>, scores: &mut [f32]) {
        self.component.score(0, reader, scores);
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

    fn predict_one(&self, user: u32, item: u32, timestamp: i64) -> f32 {
        self.component.predict(0, user, item, timestamp)
    }
}
