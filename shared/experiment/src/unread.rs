//! What `[features]` changes and the recommender does not read: its numbers are then those without the change, and the run says so.

use recspeed_data::AttributeValues;
use recspeed_types::catalogue::{Condition, Entry, Family, Whose, find, readers_of, readers_of_times};
use recspeed_types::spec::{Derived, FeatureName, ResolvedRecommender, ResolvedSpec};

/// A sentence for each of `features.derive`, `drop` and `shuffle` that names something that changes nothing.
///
/// What `permute` names and nobody reads, the importance itself says.
pub(crate) fn without_effect(spec: &ResolvedSpec) -> Vec<String> {
    let (asked, recommender) = (&spec.features, &spec.recommender);
    let derived: Vec<String> = asked.derive.iter().copied().map(Derived::feature_name).collect();
    let mut told = Vec::new();
    for (list, names) in [("derive", &derived), ("drop", &asked.drop), ("shuffle", &asked.shuffle)] {
        let is_unread = |name: FeatureName<'_>| match name {
            // Inputs are dealt out where rows are predicted, and nothing is learnt from that.
            FeatureName::Time if list == "shuffle" => !recommender.predicts_from(name),
            _ => !recommender.reads_feature(name),
        };
        let unread = names.iter().map(String::as_str);
        let unread: Vec<&str> = unread.filter(|name| FeatureName::parse(name).is_some_and(is_unread)).collect();
        if let Some(first) = unread.first() {
            let (kind, them) = (recommender.entry.kind, unread.join(", "));
            told.push(format!(
                "features.{list}: {kind} does not read {them}, so this changes nothing{}",
                who_reads(recommender, first)
            ));
        }
    }
    told
}

/// Who does read the feature, as the end of a sentence: the recommender itself, were it told to, or others.
pub(crate) fn who_reads(recommender: &ResolvedRecommender, name: &str) -> String {
    let whose = match FeatureName::parse(name) {
        Some(FeatureName::Items(_)) => Whose::Items,
        Some(FeatureName::Users(_)) => Whose::Users,
        Some(FeatureName::Time) => return format!("; what learns from times: {}", listed(readers_of_times())),
        Some(FeatureName::User | FeatureName::Item) | None => return String::new(),
    };
    let list_of = |each: &ResolvedRecommender| Some((each.entry.kind, each.entry.attribute_list(whose)?));
    match recommender.all().into_iter().find_map(list_of) {
        Some((kind, list)) if recommender.reads_attributes_of(whose) => {
            format!("; {kind}.{list} names the attributes that it reads")
        }
        Some((kind, list)) => {
            let where_read = Condition::of(kind, list).map(|condition| condition.words(kind));
            format!("; it reads attributes where {}", where_read.unwrap_or_default())
        }
        None => {
            let prefix = whose.prefix();
            format!("; what reads attributes of {prefix}: {}, and hybrids of them", listed(readers_of(whose)))
        }
    }
}

/// Why an attribute whose values are such is read by nobody, as the end of a sentence: the recommender, or its
/// components, that read attributes pass values of this type over. `None` where one of them reads them.
pub(crate) fn passed_over(recommender: &ResolvedRecommender, name: &str, values: &AttributeValues) -> Option<String> {
    let feature = FeatureName::parse(name)?;
    let whose = match feature {
        FeatureName::Items(_) => Whose::Items,
        FeatureName::Users(_) => Whose::Users,
        FeatureName::User | FeatureName::Item | FeatureName::Time => return None,
    };
    let all = recommender.all();
    let mut readers = all.iter().filter(|each| each.components().is_empty() && each.reads_feature(feature));
    if readers.any(|each| reads_values(each.entry, values)) {
        return None;
    }
    let what = if matches!(values, AttributeValues::FloatSeq { .. }) { "lists of numbers" } else { "numbers" };
    let others = readers_of(whose).filter(|kind| find(kind).is_some_and(|entry| reads_values(entry, values)));
    let others = listed(others);
    let who =
        if others.is_empty() { "nothing here reads such".to_owned() } else { format!("what reads them: {others}") };
    Some(format!("its values are {what}, which it passes over; {who}"))
}

/// Whether a kind that reads attributes reads values of this type.
fn reads_values(entry: &Entry, values: &AttributeValues) -> bool {
    match values {
        AttributeValues::Token { .. } | AttributeValues::TokenSeq { .. } => true,
        AttributeValues::Float(_) => entry.family != Family::Content,
        AttributeValues::FloatSeq { .. } => false,
    }
}

fn listed(kinds: impl Iterator<Item = &'static str>) -> String {
    kinds.collect::<Vec<_>>().join(", ")
}
