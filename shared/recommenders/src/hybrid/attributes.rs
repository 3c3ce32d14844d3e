//! Attributes of the items with one more, made by a hybrid.

use recspeed_data::{AttributeColumn, AttributeValues, Attributes, DictionaryBuilder};

use crate::TrainSet;

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
    joined.columns.retain(|column| column.name != made.name);
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
