//! Attributes of the items with one more, made by a hybrid.

use recspeed_data::{AttributeColumn, AttributeValues, Attributes, DictionaryBuilder};
use recspeed_types::spec::ResolvedRecommender;

use crate::{FitError, TrainSet};

/// An attribute that a hybrid makes.
pub(super) struct Made {
    /// Its name.
    pub(super) name: &'static str,
    /// Of each item some indices, its words in decimal digits: digits have no stem and are never left out.
    pub(super) words: Vec<Vec<u32>>,
}

/// Every attribute of the items, and the made one; a row for each item of the interactions, in their order. That a component which names
/// the attributes that it reads names this one too is a matter of the spec.
pub(super) fn with(made: &Made, data: &TrainSet<'_>) -> Attributes {
    let ids = &data.interactions.items;
    let mut joined = match data.item_attributes {
        Some(known) => known.joined_to(ids),
        None => Attributes { ids: ids.clone(), columns: Vec::new() },
    };
    let mut vocabulary = DictionaryBuilder::default();
    let (mut indptr, mut words) = (vec![0], Vec::new());
    for of_item in &made.words {
        words.extend(of_item.iter().map(|index| vocabulary.intern(&index.to_string())));
        indptr.push(words.len());
    }
    let values = AttributeValues::TokenSeq { vocabulary: vocabulary.finish(), indptr, words };
    joined.columns.push(AttributeColumn { name: made.name.to_owned(), values });
    joined
}

/// Refuses data whose items have an attribute of the name of one that the hybrid, or one inside it, makes: the one would
/// be read as the other.
///
/// # Errors
/// [`FitError::NameTaken`], with the place of the hybrid.
pub(crate) fn refuse_taken(recommender: &ResolvedRecommender, known: &Attributes) -> Result<(), FitError> {
    let place = recommender.entry.param("components").map(|param| &param.kind);
    for (index, component) in recommender.components().iter().enumerate() {
        let made = place.and_then(|place| place.slot(index)).and_then(|slot| slot.adds);
        if let Some(made) = made.filter(|made| known.has(made.name)) {
            return Err(FitError::NameTaken { kind: recommender.entry.kind, name: made.name });
        }
        refuse_taken(component, known).map_err(|error| error.of_component(index))?;
    }
    Ok(())
}
