//! Content that has no word left to read, because `features.drop` took the attributes away to see what they are
//! worth. Where nobody took anything away, the fit is refused.

use recspeed_recommenders::{FitError, check_words};
use recspeed_types::catalogue::Family;
use recspeed_types::spec::{FeatureName, ResolvedSpec};

use crate::Host;
use crate::run::{Prepared, Story};

/// Whether `features.drop` takes an attribute of the items away.
pub(crate) fn takes_attributes(spec: &ResolvedSpec) -> bool {
    spec.features.drop.iter().any(|name| matches!(FeatureName::parse(name), Some(FeatureName::Items(_))))
}

/// Warns where that leaves a content-based recommender, or a component, no word.
pub(crate) fn warn(spec: &ResolvedSpec, data: &Prepared, host: &mut dyn Host, story: &mut Story) {
    if !takes_attributes(spec) {
        return;
    }
    let read = check_words(&spec.recommender, data.item_attributes.as_ref(), &data.interactions.items);
    if let Err(error) = read
        && matches!(error.root(), FitError::NoWords { .. })
    {
        let sentence = format!(
            "features.drop takes every word away, so that all scores are 0 and the rule for ties orders the items: \
             {error}"
        );
        story.warn(host, sentence);
    }
}

/// What to do where content scores all items alike after `features.drop`.
pub(crate) fn remedy(spec: &ResolvedSpec) -> Option<String> {
    let is_bare = takes_attributes(spec) && spec.recommender.entry.family == Family::Content;
    is_bare.then(|| "take away less by features.drop".to_owned())
}
