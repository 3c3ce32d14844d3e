//! Whether the data have what a recommender cannot do without.

use recspeed_types::catalogue::Need;
use recspeed_types::spec::{ParamValue, ResolvedRecommender};

use crate::FitError;

/// Refuses a recommender that needs, itself or in a component, what the data do not have and no hybrid around it makes. A method that can
/// do without attributes needs them where it is told their names. `has`: whether the data have it; `remedy`: where it could come from.
///
/// # Errors
/// [`FitError::Needs`], with the place of the component.
pub fn check_needs(
    recommender: &ResolvedRecommender,
    has: &dyn Fn(Need) -> bool,
    remedy: &dyn Fn(Need) -> &'static str,
) -> Result<(), FitError> {
    check_given(recommender, (has, remedy), &[])
}

/// `given`: what the hybrid around it makes.
fn check_given(
    recommender: &ResolvedRecommender,
    (has, remedy): (&dyn Fn(Need) -> bool, &dyn Fn(Need) -> &'static str),
    given: &[Need],
) -> Result<(), FitError> {
    let entry = recommender.entry;
    let mut needs = entry.needs.iter().copied().chain(named(recommender));
    if let Some(need) = needs.find(|need| !given.contains(need) && !has(*need)) {
        return Err(FitError::Needs { kind: entry.kind, need, remedy: remedy(need) });
    }
    let place = entry.param("components").map(|param| &param.kind);
    let mut components = recommender.components().iter().enumerate();
    components.try_for_each(|(index, each)| {
        let given = place.and_then(|place| place.slot(index)).map_or(&[][..], |slot| slot.gives);
        check_given(each, (has, remedy), given).map_err(|error| error.of_component(index))
    })
}

/// Attributes that it is told the names of, by a list for one side alone, unless it is told to read none.
fn named(recommender: &ResolvedRecommender) -> impl Iterator<Item = Need> + '_ {
    let params = recommender.params();
    let reads_none = matches!(params.get("side"), Some(ParamValue::Boolean(false)));
    let lists = [("user_attributes", Need::UserAttributes), ("item_attributes", Need::ItemAttributes)];
    let is_named = move |list: &str| matches!(params.get(list), Some(ParamValue::Names(names)) if !names.is_empty());
    lists.into_iter().filter(move |(list, _)| !reads_none && is_named(list)).map(|(_, need)| need)
}
