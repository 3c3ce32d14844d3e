//! Item neighbours by a correlation that nothing weakens where few people tell it.

use recspeed_types::spec::ResolvedSpec;

/// Similarities over the users who rated both items: of two common users they are 1 or -1, whatever these say.
const OVER_COMMON: &[&str] = &["adjusted-cosine", "pearson"];

/// A sentence for each `item-knn` of the spec that has such a similarity and no shrinkage.
pub(crate) fn without_shrinkage(spec: &ResolvedSpec) -> Vec<String> {
    let mut told = Vec::new();
    spec.recommender.visit("recommender", &mut |at, each| {
        if each.entry.kind != "item-knn" || each.float("shrinkage") > 0.0 {
            return;
        }
        let similarity = each.text("similarity");
        if OVER_COMMON.contains(&similarity) {
            told.push(format!(
                "{at}.similarity is \"{similarity}\" and {at}.shrinkage is 0: items that a few people rated alike are then the most \
                 similar of all, and fill the lists by chance; raise {at}.shrinkage (as to 100), or take \"cosine\", which needs none"
            ));
        }
    });
    told
}
