//! Feature combination: who rated an item is one of its attributes.

use recspeed_data::{AttributeValues, Attributes};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::{Family, Predicts, RATED_BY, Whose};
use recspeed_types::event::EventKind;
use recspeed_types::spec::ResolvedRecommender;

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

/// Says where `rated-by` tells the component nothing, or its own answer.
///
/// # Errors
/// [`FitError::NobodyLikes`]: it tells nothing, and neither does anything else.
fn check(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<(), FitError> {
    let (data, liked) = (request.data, request.recommender.float("liked"));
    let Some(component) = request.recommender.components().first() else { return Ok(()) };
    let widen = |(low, high): (f32, f32), rating: &f32| (low.min(*rating), high.max(*rating));
    let (lowest, highest) = data.by_item.values.iter().fold((f32::MAX, f32::MIN), widen);
    let message = if f64::from(highest) < liked {
        if !reads_others(component, data.item_attributes) {
            return Err(FitError::NobodyLikes { liked, highest });
        }
        let kind = component.entry.kind;
        Some(format!(
            "recommender.liked is {liked}, above the highest rating that is learnt from, {highest}: nobody is in \
             `rated-by`, and {kind} reads the other attributes alone; set it to {highest} or less"
        ))
    } else {
        told_its_answer(component, liked, lowest)
    };
    if let Some(message) = message {
        observer.event(EventKind::Warning { message });
    }
    Ok(())
}

/// Whether the component reads an attribute of the data beside the one that is made for it.
fn reads_others(component: &ResolvedRecommender, known: Option<&Attributes>) -> bool {
    let named = component.entry.attribute_list(Whose::Items).map_or(&[][..], |list| component.names(list));
    known.into_iter().flat_map(|known| &known.columns).any(|column| {
        let is_read = match column.values {
            AttributeValues::Token { .. } | AttributeValues::TokenSeq { .. } => true,
            AttributeValues::Float(_) => component.entry.family != Family::Content,
            AttributeValues::FloatSeq { .. } => false,
        };
        is_read && (named.is_empty() || named.contains(&column.name))
    })
}

/// What to say where the component learns from pairs of a person and an item, and whether the one is among the other's
/// `rated-by` is what it is to learn: true of rows that it learns from, and of none that it is asked about. A content method
/// learns of each person alone, and that they are in their own items speaks for no other item.
fn told_its_answer(component: &ResolvedRecommender, liked: f64, lowest: f32) -> Option<String> {
    let kind = component.entry.kind;
    if component.entry.family == Family::Content {
        None
    } else if component.predicts() != Predicts::Ratings {
        Some(format!(
            "{kind} learns who has what, and `rated-by` tells it that of every row that it learns from and of none that \
             it is asked about, so it may learn little else; content-tfidf, content-linear, fm and ffm are not told their \
             answer, and neither is {kind} in feature-augmentation"
        ))
    } else if f64::from(lowest) < liked {
        Some(format!(
            "recommender.liked is {liked}: `rated-by` tells {kind} of every row that it learns from whether the rating \
             reaches that, and of none that it is asked about, so it may learn little else; set it to {lowest} or less, \
             where it tells who rated and not how"
        ))
    } else {
        None
    }
}

impl FeatureCombination {
    fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Self, FitError> {
        check(request, observer)?;
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

    fn explains(&self) -> bool {
        self.component.explains(0)
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
