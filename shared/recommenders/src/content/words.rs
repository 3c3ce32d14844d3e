//! The words that a content-based recommender reads, and a refusal where there are none.

use recspeed_data::{AttributeValues, Attributes, Csr, Dictionary, DictionaryBuilder};
use recspeed_types::catalogue::{Family, Need, RATED_BY};
use recspeed_types::spec::ResolvedRecommender;

use super::terms::{Terms, terms_of_items};
use crate::error::remedy_for;
use crate::ways::listed;
use crate::{FitError, TrainSet};

/// Terms that the recommender reads, and how often each item has each: `[items, terms]`. Some item has one, unless
/// attributes were [taken away](TrainSet::attributes_taken).
///
/// # Errors
/// Those of [`read`].
pub(super) fn terms_of(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Result<(Terms, Csr), FitError> {
    match read(recommender, data.item_attributes, &data.interactions.items) {
        Err(FitError::NoWords { .. }) if data.attributes_taken => {
            let counts = Csr { indptr: vec![0; data.n_items() + 1], ..Csr::default() };
            Ok((Terms::new(DictionaryBuilder::default().finish()), counts))
        }
        found => found,
    }
}

/// The terms, of which some item has one: without any, every score would be 0, and the rule for ties would make the
/// lists.
///
/// # Errors
/// [`FitError::Needs`] without attributes, [`FitError::NoAttribute`] for a name that no attribute of words has,
/// [`FitError::NoWords`] where no term is left.
fn read(
    recommender: &ResolvedRecommender,
    attributes: Option<&Attributes>,
    items: &Dictionary,
) -> Result<(Terms, Csr), FitError> {
    let (kind, need) = (recommender.entry.kind, Need::ItemAttributes);
    let attributes = attributes.ok_or(FitError::Needs { kind, need, remedy: remedy_for(need) })?;
    let stemmed = recommender.text("words") == "stemmed";
    let (terms, counts) = terms_of_items(attributes, items, recommender.names("attributes"), stemmed)?;
    if counts.nnz() == 0 {
        let (why, remedy) = without_words(recommender, attributes, items);
        return Err(FitError::NoWords { kind, why, remedy });
    }
    if recommender.entry.param("min_items").is_none() {
        return Ok((terms, counts));
    }
    let min_items = recommender.integer("min_items");
    let most = terms.items_with(&counts).into_iter().max().unwrap_or(0);
    if i64::from(most) < min_items {
        let why = format!("each is of fewer than {min_items} items, the most frequent one of {most}");
        let remedy = format!("lower recommender.min_items (now {min_items}) to {most}");
        return Err(FitError::NoWords { kind, why, remedy });
    }
    Ok(terms.keep(counts, min_items as u32))
}

/// Refuses a recommender that would find no word in these attributes of the items, itself or in a component. What a
/// hybrid makes for a component is there when that is fitted, and not before: such a component is not asked.
///
/// # Errors
/// [`FitError::Needs`], [`FitError::NoAttribute`], [`FitError::NoWords`], with the place of the component.
pub fn check_words(
    recommender: &ResolvedRecommender,
    attributes: Option<&Attributes>,
    items: &Dictionary,
) -> Result<(), FitError> {
    if recommender.entry.family == Family::Content {
        return read(recommender, attributes, items).map(|_| ());
    }
    let place = recommender.entry.param("components").map(|param| &param.kind);
    let mut components = recommender.components().iter().enumerate();
    components.try_for_each(|(index, each)| {
        if place.and_then(|place| place.slot(index)).is_some_and(|slot| slot.adds.is_some()) {
            return Ok(());
        }
        check_words(each, attributes, items).map_err(|error| error.of_component(index))
    })
}

/// [`check_words`] of these data; where attributes were [taken away](TrainSet::attributes_taken), what is left is read.
///
/// # Errors
/// Those of [`check_words`].
pub(super) fn check_components(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Result<(), FitError> {
    if data.attributes_taken {
        return Ok(());
    }
    check_words(recommender, data.item_attributes, &data.interactions.items)
}

/// What a column has for the items, none of which has a term of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Numbers,
    /// Words that are left out, as “the”, and signs.
    StopWords,
    Nothing,
}

/// Why none of the items has a term, and what to do.
fn without_words(recommender: &ResolvedRecommender, attributes: &Attributes, items: &Dictionary) -> (String, String) {
    let (rows, chosen) = (attributes.rows_for(items), recommender.names("attributes"));
    let read = attributes.columns.iter().filter(|column| chosen.is_empty() || chosen.contains(&column.name));
    let read: Vec<(&str, Holds)> = read.map(|column| (column.name.as_str(), holds(&column.values, &rows))).collect();
    let of = |wanted: Holds| -> Vec<&str> {
        read.iter().filter(|(_, held)| *held == wanted).map(|(name, _)| *name).collect()
    };
    let [numbers, stop_words, nothing] = [Holds::Numbers, Holds::StopWords, Holds::Nothing].map(of);
    let told = [
        (&numbers, "numbers, which it passes over, in "),
        (&stop_words, "nothing but stop words and signs in "),
        (&nothing, "no value of any item in "),
    ];
    let told: Vec<String> = told
        .into_iter()
        .filter(|(names, _)| !names.is_empty())
        .map(|(names, what)| format!("{what}{}", names.join(", ")))
        .collect();
    let why = if told.is_empty() { "there are no attributes".to_owned() } else { told.join("; ") };
    let mut ways = Vec::new();
    if !stop_words.is_empty() {
        ways.push("set recommender.words = \"as-written\"".to_owned());
    }
    if let Some(first) = numbers.first() {
        ways.push(format!("say in the file that numbers are names (`{first}:token` in place of `{first}:float`)"));
    }
    if nothing.contains(&RATED_BY.name) {
        ways.push("lower `liked` of the hybrid around it".to_owned());
    }
    if nothing.iter().any(|name| *name != RATED_BY.name) {
        ways.push("take away less by features.drop".to_owned());
    }
    if !chosen.is_empty() {
        ways.push("name others in recommender.attributes".to_owned());
    }
    ways.push("name a file with words as dataset.items".to_owned());
    (why, listed(&ways))
}

/// `rows`: those of the items in the table.
fn holds(values: &AttributeValues, rows: &[Option<u32>]) -> Holds {
    let mut rows = rows.iter().flatten().map(|&row| row as usize);
    let has_words = match values {
        AttributeValues::Float(_) | AttributeValues::FloatSeq { .. } => return Holds::Numbers,
        AttributeValues::Token { vocabulary, word } => rows.any(|row| !vocabulary.get(word[row]).is_empty()),
        AttributeValues::TokenSeq { vocabulary, indptr, words } => {
            rows.any(|row| words[indptr[row]..indptr[row + 1]].iter().any(|&word| !vocabulary.get(word).is_empty()))
        }
    };
    if has_words { Holds::StopWords } else { Holds::Nothing }
}
