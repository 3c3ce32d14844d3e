//! Why a fit ends without a model.

use recspeed_data::checkpoint::CheckpointError;
use recspeed_dense::InverseError;
use recspeed_types::catalogue::{self, Need};
use recspeed_types::forecast::{duration, size, unaffordable};
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FailureCode, Instead, Remedy};

use crate::divergence::{Before, told};
use crate::memory::Needs;
use crate::memory::components::Forecast;
use crate::ways::what_to_change;

/// A fit that did not finish.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// The observer asked the fit to stop.
    #[error("the fit was stopped after {done} of {total} {unit}")]
    Interrupted {
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What a unit is.
        unit: &'static str,
    },
    /// Another crate fits this kind.
    #[error("recommender.kind `{kind}` is not fitted here; recommenders of the neural family need a tensor engine")]
    NotHere {
        /// The kind.
        kind: &'static str,
    },
    /// The data set lacks what the method learns from.
    #[error("`{kind}` needs {}, which this data set does not have; {}{}", need.as_str(), remedy, without(kind, *need))]
    Needs {
        /// The kind.
        kind: &'static str,
        /// What is missing.
        need: Need,
        /// Where it could come from.
        remedy: &'static str,
    },
    /// No attribute has this name.
    #[error("recommender.{param} names `{name}`, but the data set has no such {whose} attribute; it has {known}")]
    NoAttribute {
        /// The parameter that names it.
        param: &'static str,
        /// The name.
        name: String,
        /// `item` or `user`.
        whose: &'static str,
        /// The attributes that are there.
        known: String,
    },
    /// The attributes hold no word that the method could read.
    #[error("`{kind}` learns from the words of item attributes, and none is left to it: {why}; {remedy}")]
    NoWords {
        /// The kind.
        kind: &'static str,
        /// What the attributes hold instead, or which words are left out.
        why: String,
        /// What to change.
        remedy: String,
    },
    /// Ratings of which none gives an item any weight: nobody has a profile, and every score would be 0.
    #[error(
        "`{kind}` weighs what somebody has by how they rated it, and nobody is left with a profile: {why}; {remedy}"
    )]
    NoProfiles {
        /// The kind.
        kind: &'static str,
        /// What the ratings are like.
        why: &'static str,
        /// What to change.
        remedy: &'static str,
    },
    /// The data have an attribute of the items by the name of one that a hybrid makes.
    #[error(
        "the data set has an item attribute `{name}` of its own, and `{kind}` makes one of that name; give that column \
         of the data another name"
    )]
    NameTaken {
        /// The hybrid.
        kind: &'static str,
        /// The name.
        name: &'static str,
    },
    /// No rating is as high as a person must give to be an attribute of an item, and there are no other attributes.
    #[error(
        "recommender.liked is {liked}, above the highest rating that is learnt from, {highest}: nobody is in \
         `rated-by`, and there is no other attribute of the items to read; set it to {highest} or less"
    )]
    NobodyLikes {
        /// The rating that is asked for.
        liked: f64,
        /// The highest one.
        highest: f32,
    },
    /// There is nothing to learn from.
    #[error("the training set has no rows; loosen the filters or hold out fewer rows")]
    NoRows,
    /// The model takes more memory than it may, or than there is.
    #[error("{}", unaffordable(what, *bytes, (*seconds, *fits), remedy))]
    Unaffordable {
        /// What was to be computed.
        what: &'static str,
        /// Bytes that it needs.
        bytes: u64,
        /// Of these, what the model would keep; 0 where only the fit can tell.
        stays: u64,
        /// What the model keeps once it has read what is known at the test: no less than `stays`.
        at_test: u64,
        /// Seconds that it would take on this machine, where that can be told beforehand.
        seconds: Option<f64>,
        /// How many of what it is computed over would fit, where that follows from their number alone.
        fits: Option<u64>,
        /// The parameter or filter that makes it smaller, and what to take instead.
        remedy: &'static Remedy,
    },
    /// A component of a hybrid takes more memory than the others would leave.
    #[error("{}", too_much_together(place, kind, *kept, *left, forecast))]
    Together {
        /// The component, as `recommender.components[1]`.
        place: String,
        /// Its kind.
        kind: &'static str,
        /// Bytes that the models of the other components keep by then: of those before it, and at the test of all.
        kept: u64,
        /// Bytes that there are for all of them.
        left: u64,
        /// What its own fit takes.
        forecast: Forecast,
    },
    /// A rating cannot be used as a weight.
    #[error(
        "user `{user}` rated item `{item}` with {rating}, but weighting = \"rating\" needs ratings that are 0 or more; use weighting = \"binary\""
    )]
    NegativeWeight {
        /// Id of the user.
        user: String,
        /// Id of the item.
        item: String,
        /// The rating.
        rating: f32,
    },
    /// A rating is below 0, and the method has no such numbers.
    #[error(
        "user `{user}` rated item `{item}` with {rating}, but `{kind}` needs ratings that are 0 or more; shift the scale of the file"
    )]
    NegativeRating {
        /// The kind.
        kind: &'static str,
        /// Id of the user.
        user: String,
        /// Id of the item.
        item: String,
        /// The rating.
        rating: f32,
    },
    /// What is learnt stopped being finite numbers, or its loss grew beyond all use
    /// ([`recspeed_types::divergence`] says when).
    #[error("{}", told((*what, *value), (*iteration, *left_behind), *before, remedy))]
    Diverged {
        /// What was computed.
        what: &'static str,
        /// What it became, where that is a finite number.
        value: Option<f64>,
        /// The iteration, from 1, where there are iterations and one of them did it.
        iteration: Option<u64>,
        /// Whether it is the loss of what that iteration left behind; then those of iterations are of what they began
        /// with.
        left_behind: bool,
        /// What the losses before it were like.
        before: Before,
        /// What to change, of what the recommender has; filled in where its parameters are known.
        remedy: String,
    },
    /// A matrix that is positive definite on paper is not so any more as it was computed, and has no inverse.
    #[error(
        "the matrix of what its entries have in common has no inverse: its numbers are so large that the \
         regularization was lost in rounding beside them; {remedy}"
    )]
    NotPositiveDefinite {
        /// What to change, of what the recommender has; filled in where its parameters are known.
        remedy: String,
    },
    /// Weights are to be learnt, and nothing was held out to learn them by.
    #[error(
        "recommender.weights is \"learnt\", but no validation rows steer this fit; set split.validation_ratio and leave split.fit_on at \"train\""
    )]
    NoValidation,
    /// What another crate says of the kinds that it fits.
    #[error("{message}")]
    Elsewhere {
        /// The kind of failure.
        code: FailureCode,
        /// In words.
        message: String,
        /// Where it was refused before any step, what to take instead of what its words name: as of a recommender that
        /// is no component.
        refusal: Option<Vec<Instead>>,
    },
    /// A component of a hybrid cannot be fitted.
    #[error("{}", of_component(*.index, error))]
    Component {
        /// Its place among the components, from 0.
        index: usize,
        /// Why.
        error: Box<FitError>,
    },
    /// The state to resume from is damaged, or belongs to something else.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl FitError {
    /// With the time that was foreseen, where memory that the fit was granted could not be had.
    pub(crate) fn with_time(self, foreseen: Option<Needs>) -> Self {
        match (self, foreseen) {
            (
                Self::Unaffordable { what, bytes, seconds: None, fits, remedy, .. },
                Some(Needs { stays, seconds, .. }),
            ) => Self::Unaffordable { what, bytes, stays, at_test: stays, seconds: Some(seconds), fits, remedy },
            (other, _) => other,
        }
    }

    /// With what to change in `recommender`, where its numbers ran away or were lost on such ratings.
    pub(crate) fn of(mut self, recommender: &ResolvedRecommender, ratings: &[f32]) -> Self {
        if let Self::Diverged { remedy, .. } | Self::NotPositiveDefinite { remedy } = &mut self
            && remedy.is_empty()
        {
            *remedy = what_to_change(recommender, ratings);
        }
        self
    }

    /// The error of a hybrid whose component failed so. A stop is a stop, wherever it comes.
    #[must_use]
    pub fn of_component(self, index: usize) -> Self {
        match self {
            Self::Interrupted { .. } | Self::Checkpoint(_) => self,
            error => Self::Component { index, error: Box::new(error) },
        }
    }

    /// What to take instead, of what its words name: kinds of recommenders, each at its place in the spec.
    pub fn instead(&self) -> Vec<Instead> {
        self.instead_at("recommender")
    }

    /// The same of the recommender at a place.
    fn instead_at(&self, at: &str) -> Vec<Instead> {
        match self {
            Self::Unaffordable { remedy, .. } => Instead::kinds(at, remedy.instead),
            Self::Together { place, forecast, .. } => {
                // Its place is written as in words, and from the recommender that refuses.
                let place = place.replace('[', ".").replace(']', "").replacen("recommender", at, 1);
                Instead::kinds(&place, forecast.remedy.instead)
            }
            Self::Needs { kind, need, .. } if is_of_all(kind, *need) => Instead::kinds(at, need.without_it()),
            Self::Elsewhere { refusal: Some(alone), .. } => {
                let here = |one: &Instead| Instead { path: one.path.replacen("recommender", at, 1), ..one.clone() };
                alone.iter().map(here).collect()
            }
            Self::Component { index, error } => error.instead_at(&format!("{at}.components.{index}")),
            _ => Vec::new(),
        }
    }

    /// What failed at the bottom, through all hybrids.
    pub fn root(&self) -> &Self {
        match self {
            Self::Component { error, .. } => error.root(),
            own => own,
        }
    }
}

/// A component speaks of its own table: the place of that table takes the place of `recommender`.
fn of_component(index: usize, error: &FitError) -> String {
    let (said, place) = (error.to_string(), format!("recommender.components[{index}]"));
    if said.contains("recommender.") {
        said.replace("recommender.", &format!("{place}."))
    } else {
        format!("in {place}: {said}")
    }
}

/// Whether the kind never does without it, and not only where it is told the names of attributes: then another kind would do.
fn is_of_all(kind: &str, need: Need) -> bool {
    catalogue::find(kind).is_some_and(|entry| entry.needs.contains(&need))
}

/// Who does without the attributes, behind what else can be done: other kinds where the kind cannot, and the kind itself where it needs
/// them only because it is told their names. Of an order the remedy itself says that.
fn without(kind: &str, need: Need) -> &'static str {
    let is_told = |list: &str| catalogue::find(kind).is_some_and(|entry| entry.param(list).is_some());
    match need {
        Need::ItemAttributes if is_of_all(kind, need) => {
            ", or a recommender that needs none, as item-knn, als-implicit or ease"
        }
        Need::ItemAttributes if is_told("item_attributes") => {
            ", or leave recommender.item_attributes out: it learns without them, too"
        }
        Need::UserAttributes if !is_of_all(kind, need) && is_told("user_attributes") => {
            ", or leave recommender.user_attributes out: it learns without them, too"
        }
        _ => "",
    }
}

/// What to do where the data lack it, whose rows come from a file on a disk.
pub fn remedy_for(need: Need) -> &'static str {
    match need {
        Need::ItemAttributes => "name a file of them as dataset.items, or take a data set that has them",
        Need::UserAttributes => "name a file of them as dataset.users, or take a data set that has them",
        Need::Timestamps => "take a data set whose rows say when they were given",
        Need::Order => {
            "take one with timestamps that differ, or of sequences (dataset.format = \"sequences\"), or a recommender \
             that needs no order, as item-knn, als-implicit or ease"
        }
    }
}

/// No inverse, with what to lessen where the memory cannot be had.
pub(crate) fn no_inverse(remedy: &'static Remedy) -> impl Fn(InverseError) -> FitError {
    move |error| match error {
        InverseError::NotPositiveDefinite => FitError::NotPositiveDefinite { remedy: String::new() },
        InverseError::OutOfMemory { bytes } => {
            let what = "the inverse of the factor";
            FitError::Unaffordable { what, bytes, stays: 0, at_test: 0, seconds: None, fits: None, remedy }
        }
    }
}

/// As [`unaffordable`], of a component that speaks of its own table.
fn too_much_together(place: &str, kind: &str, kept: u64, left: u64, forecast: &Forecast) -> String {
    let Forecast { what, bytes, seconds, remedy, .. } = *forecast;
    let together = match kept {
        0 => String::new(),
        kept => {
            let all = size(bytes.saturating_add(kept));
            format!(", {all} with the {} that the other components keep by then", size(kept))
        }
    };
    format!(
        "the component {place} (`{kind}`) will not fit: {what} needs {} of memory{together}, and about {}, and may have \
         {}; lower {}",
        size(bytes),
        duration(seconds),
        size(left),
        remedy.to_string().replace("recommender.", &format!("{place}."))
    )
}

/// A vector of `len` default values, or an error where the memory cannot be had.
pub(crate) fn reserve<T: Clone + Default>(
    len: Option<usize>,
    what: &'static str,
    remedy: &'static Remedy,
) -> Result<Vec<T>, FitError> {
    let mut values = room(len, what, remedy)?;
    values.resize(len.unwrap_or(0), T::default());
    Ok(values)
}

/// An empty vector with room for `len` values, or an error where the memory cannot be had.
pub(crate) fn room<T>(len: Option<usize>, what: &'static str, remedy: &'static Remedy) -> Result<Vec<T>, FitError> {
    let mut values = Vec::new();
    match len {
        Some(len) if values.try_reserve_exact(len).is_ok() => Ok(values),
        _ => {
            let bytes = len.and_then(|len| len.checked_mul(size_of::<T>())).map_or(u64::MAX, |bytes| bytes as u64);
            Err(FitError::Unaffordable { what, bytes, stays: 0, at_test: 0, seconds: None, fits: None, remedy })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_every_kind_that_is_offered_in_place_of_what_needs_what_is_missing() {
        for need in [Need::ItemAttributes, Need::UserAttributes, Need::Timestamps, Need::Order] {
            for kind in ["sasrec", "content-tfidf", "fm"] {
                let error = FitError::Needs { kind, need, remedy: remedy_for(need) };
                let said = error.to_string();
                assert!(error.instead().iter().all(|other| said.contains(&other.value)), "{said}");
            }
        }
        let error = FitError::Needs { kind: "sasrec", need: Need::Order, remedy: remedy_for(Need::Order) };
        let kinds = ["item-knn", "als-implicit", "ease"];
        assert_eq!(error.clone().of_component(1).instead(), Instead::kinds("recommender.components.1", &kinds));
        assert_eq!(error.instead(), Instead::kinds("recommender", &kinds));
    }

    #[test]
    fn a_method_of_attributes_alone_is_refused_with_those_that_need_none_and_one_that_was_told_their_names_is_not() {
        let need = Need::ItemAttributes;
        let of = |kind| FitError::Needs { kind, need, remedy: remedy_for(need) };
        let content = of("content-linear");
        assert_eq!(content.instead(), Instead::kinds("recommender", &["item-knn", "als-implicit", "ease"]));
        let said = content.to_string();
        assert!(said.ends_with(", or a recommender that needs none, as item-knn, als-implicit or ease"), "{said}");
        // It predicts ratings, which these do not, and would do without the names.
        assert!(of("fm").instead().is_empty() && !of("fm").to_string().contains("item-knn"), "{}", of("fm"));
    }

    #[test]
    fn a_method_that_was_told_names_of_attributes_is_told_that_it_learns_without_them_at_the_place_of_its_own() {
        for (need, list) in [(Need::ItemAttributes, "item_attributes"), (Need::UserAttributes, "user_attributes")] {
            for kind in ["fm", "ffm", "feature-embeddings"] {
                let error = FitError::Needs { kind, need, remedy: remedy_for(need) };
                let due = format!(", or leave recommender.{list} out: it learns without them, too");
                assert!(error.to_string().ends_with(&due), "{error}");
                let within = error.of_component(1).to_string();
                assert!(within.contains(&format!(", or leave recommender.components[1].{list} out: ")), "{within}");
            }
        }
        // What has no such list cannot leave it out.
        let error = FitError::Needs { kind: "sasrec", need: Need::ItemAttributes, remedy: "" };
        assert!(!error.to_string().contains("leave recommender."), "{error}");
    }

    #[test]
    fn what_another_crate_offers_stands_at_the_place_of_the_component_that_it_refused() {
        let (code, message) = (FailureCode::OutOfMemory, "a smaller recommender.hidden, or `item-knn`".to_owned());
        let refusal = Some(Instead::kinds("recommender", &["item-knn"]));
        let deep = FitError::Elsewhere { code, message, refusal }.of_component(2).of_component(1);
        assert_eq!(deep.instead(), Instead::kinds("recommender.components.1.components.2", &["item-knn"]));
        assert_eq!(deep.to_string(), "a smaller recommender.components[1].components[2].hidden, or `item-knn`");
    }
}
