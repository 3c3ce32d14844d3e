//! Attributes of the items with one more, made by a hybrid.

use recspeed_data::{AttributeColumn, AttributeValues, Attributes, Dictionary, DictionaryBuilder};

use crate::{FitError, TrainSet};
use recspeed_types::spec::ResolvedRecommender;

/// An attribute that a hybrid makes.
pub(super) struct Made {
    /// Its name.
    pub(super) name: &'static str,
    /// What it holds, for a reader who left it out.
    pub(super) what: &'static str,
    /// Of each item some indices, its words in decimal digits: digits have no stem and are never left out.
    pub(super) words: Vec<Vec<u32>>,
}

/// Every attribute of the items, and the made one; a row for each item of the interactions, in their order.
///
/// # Errors
/// [`FitError::NotNamed`] when the component names the attributes that it reads, and not this one.
pub(super) fn with(made: &Made, data: &TrainSet<'_>, component: &ResolvedRecommender) -> Result<Attributes, FitError> {
    if component.entry.param("attributes").is_some() {
        let named = component.names("attributes");
        if !named.is_empty() && named.iter().all(|name| name != made.name) {
            return Err(FitError::NotNamed { name: made.name, what: made.what });
        }
    }
    let ids = data.interactions.items.clone();
    let mut columns = Vec::new();
    if let Some(known) = data.item_attributes {
        let rows = known.rows_for(&ids);
        columns.extend(
            known
                .columns
                .iter()
                .filter(|column| column.name != made.name)
                .map(|column| AttributeColumn { name: column.name.clone(), values: of_rows(&column.values, &rows) }),
        );
    }
    let mut vocabulary = DictionaryBuilder::default();
    let (mut indptr, mut words) = (vec![0], Vec::new());
    for of_item in &made.words {
        words.extend(of_item.iter().map(|index| vocabulary.intern(&index.to_string())));
        indptr.push(words.len());
    }
    let values = AttributeValues::TokenSeq { vocabulary: vocabulary.finish(), indptr, words };
    columns.push(AttributeColumn { name: made.name.to_owned(), values });
    Ok(Attributes { ids, columns })
}

/// The values of these rows; nothing for items without a row.
fn of_rows(values: &AttributeValues, rows: &[Option<u32>]) -> AttributeValues {
    match values {
        AttributeValues::Token { vocabulary, word } => {
            // The empty text, a word of its own, may be new to the vocabulary.
            let mut words = builder_of(vocabulary);
            let empty = words.intern("");
            let word = rows.iter().map(|row| row.map_or(empty, |row| word[row as usize])).collect();
            AttributeValues::Token { vocabulary: words.finish(), word }
        }
        AttributeValues::TokenSeq { vocabulary, indptr, words } => {
            let (indptr, words) = sequences(indptr, words, rows);
            AttributeValues::TokenSeq { vocabulary: vocabulary.clone(), indptr, words }
        }
        AttributeValues::Float(numbers) => {
            AttributeValues::Float(rows.iter().map(|row| row.map_or(f32::NAN, |row| numbers[row as usize])).collect())
        }
        AttributeValues::FloatSeq { indptr, values } => {
            let (indptr, values) = sequences(indptr, values, rows);
            AttributeValues::FloatSeq { indptr, values }
        }
    }
}

fn builder_of(dictionary: &Dictionary) -> DictionaryBuilder {
    let mut builder = DictionaryBuilder::default();
    dictionary.iter().for_each(|word| {
        builder.intern(word);
    });
    builder
}

fn sequences<T: Copy>(indptr: &[usize], values: &[T], rows: &[Option<u32>]) -> (Vec<usize>, Vec<T>) {
    let (mut starts, mut all) = (vec![0], Vec::new());
    for row in rows {
        if let Some(row) = row.map(|row| row as usize) {
            all.extend_from_slice(&values[indptr[row]..indptr[row + 1]]);
        }
        starts.push(all.len());
    }
    (starts, all)
}
