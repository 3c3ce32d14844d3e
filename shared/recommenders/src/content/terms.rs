//! Attributes as terms: a category is one, a title is one for each of its words.

use std::collections::{BTreeMap, HashSet};

use recspeed_data::{AttributeValues, Attributes, Csr, Dictionary, DictionaryBuilder};
use rust_stemmers::{Algorithm, Stemmer};

use crate::{Array, FitError, Parts, PartsError, Reason, Values};

/// Between the name of an attribute and its value in a term, and once more before a word of a text, which is shown without
/// what stands around it; no attribute's name holds it.
const SEPARATOR: char = '\u{1f}';

/// Every term that some item has: the name of an attribute and a value of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Terms(Dictionary);

impl Terms {
    /// Of texts that [`term`] and [`word`] made.
    pub(crate) fn new(texts: Dictionary) -> Self {
        Self(texts)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.0.bytes()
    }

    /// Name of an attribute, and its value as it is shown.
    pub(crate) fn named(&self, term: u32) -> (&str, &str) {
        let (name, value) = self.0.get(term).split_once(SEPARATOR).unwrap_or_default();
        (name, value.strip_prefix(SEPARATOR).map_or(value, shown))
    }

    /// That the item has this term.
    pub(crate) fn reason(&self, term: u32, part: f32) -> Reason {
        let (name, value) = self.named(term);
        Reason::Attribute { name: name.to_owned(), value: value.to_owned(), part }
    }

    /// That the user has this term.
    pub(crate) fn reason_of_user(&self, term: u32, part: f32) -> Reason {
        let (name, value) = self.named(term);
        Reason::UserAttribute { name: name.to_owned(), value: value.to_owned(), part }
    }

    /// Which terms are of this attribute; `None` where none is.
    pub(crate) fn of_attribute(&self, name: &str) -> Option<Vec<bool>> {
        let is_of = |text: &str| text.split_once(SEPARATOR).is_some_and(|(of, _)| of == name);
        let are: Vec<bool> = self.0.iter().map(is_of).collect();
        are.contains(&true).then_some(are)
    }

    /// How many items have each, by `counts` of `[items, terms]`: `[terms]`.
    pub(super) fn items_with(&self, counts: &Csr) -> Vec<u32> {
        let mut items = vec![0u32; self.len()];
        for &term in &counts.indices {
            items[term as usize] += 1;
        }
        items
    }

    /// The terms that at least `min_items` items have, and what is left of `counts`.
    pub(super) fn keep(self, counts: Csr, min_items: u32) -> (Self, Csr) {
        let items = self.items_with(&counts);
        let mut kept = DictionaryBuilder::default();
        let number: Vec<Option<u32>> = items
            .iter()
            .zip(self.0.iter())
            .map(|(&items, term)| (items >= min_items).then(|| kept.intern(term)))
            .collect();
        let mut left = Csr { indptr: vec![0], ..Csr::default() };
        for row in 0..counts.n_rows() {
            let (terms, values) = counts.row(row);
            let own = terms.iter().zip(values).filter_map(|(&term, &value)| Some((number[term as usize]?, value)));
            for (term, value) in own {
                left.indices.push(term);
                left.values.push(value);
            }
            left.indptr.push(left.indices.len());
        }
        (Self(kept.finish()), left)
    }

    /// As the parts `terms` (their text, one after another) and `terms.ends`.
    pub(crate) fn add_to(&self, parts: Parts) -> Parts {
        let (text, ends) = (self.0.arena().as_bytes().to_vec(), self.0.ends().to_vec());
        parts.with("terms", &[text.len()], Values::U8(text)).with("terms.ends", &[ends.len()], Values::U32(ends))
    }

    /// The inverse of [`Self::add_to`].
    pub(crate) fn take_from(parts: &mut Parts) -> Result<Self, PartsError> {
        let text = match parts.take("terms")? {
            Array { values: Values::U8(text), .. } => text,
            other => return Err(other.unexpected("terms", "text")),
        };
        let ends = parts.take_indices("terms.ends")?;
        let broken = || PartsError::Content { name: "terms".to_owned(), what: "is no list of texts".to_owned() };
        Dictionary::from_arena(text, ends).map(Self).ok_or_else(broken)
    }
}

/// The text of a term.
pub(crate) fn term(name: &str, value: &str) -> String {
    format!("{name}{SEPARATOR}{value}")
}

/// The text of a term that is a word of a text, as it is written there.
pub(crate) fn word(name: &str, word: &str) -> String {
    format!("{name}{SEPARATOR}{SEPARATOR}{word}")
}

/// A word without what stands around it: texts are split at their spaces, which leaves commas and brackets at words. One of
/// nothing else is shown as it is.
fn shown(word: &str) -> &str {
    let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
    if bare.is_empty() { word } else { bare }
}

/// The terms of the chosen attributes, all of words where none is chosen, and how often each item has each:
/// `[items, terms]`. Numbers are left out.
///
/// # Errors
/// [`FitError::NoAttribute`] for a name that no attribute of words has.
pub(super) fn terms_of_items(
    attributes: &Attributes,
    items: &Dictionary,
    chosen: &[String],
    stemmed: bool,
) -> Result<(Terms, Csr), FitError> {
    let has_words =
        |values: &AttributeValues| matches!(values, AttributeValues::Token { .. } | AttributeValues::TokenSeq { .. });
    let known: Vec<&str> = attributes
        .columns
        .iter()
        .filter(|column| has_words(&column.values))
        .map(|column| column.name.as_str())
        .collect();
    if let Some(name) = chosen.iter().find(|name| !known.contains(&name.as_str())) {
        let known = if known.is_empty() { "none of words".to_owned() } else { known.join(", ") };
        return Err(FitError::NoAttribute { param: "attributes", name: name.clone(), whose: "item", known });
    }
    let mut terms = DictionaryBuilder::default();
    // The term of each word of each column; `None` for words that say nothing.
    let mut columns: Vec<(&AttributeValues, Vec<Option<u32>>)> = Vec::new();
    let stemmer = Stemmer::create(Algorithm::English);
    // Of stemmed words, what is shown in their place.
    let mut written: BTreeMap<u32, (u32, &str)> = BTreeMap::new();
    let stop_words: HashSet<&str> = stop_words::get(stop_words::LANGUAGE::English).iter().copied().collect();
    for column in &attributes.columns {
        if !has_words(&column.values) || !(chosen.is_empty() || chosen.contains(&column.name)) {
            continue;
        }
        let mut intern = |text: fn(&str, &str) -> String, value: &str| {
            (!value.is_empty()).then(|| terms.intern(&text(&column.name, value)))
        };
        let of_words = match &column.values {
            AttributeValues::Token { vocabulary, .. } => vocabulary.iter().map(|value| intern(term, value)).collect(),
            AttributeValues::TokenSeq { vocabulary, words, .. } => vocabulary
                .iter()
                .zip(uses(words, vocabulary.len()))
                .map(|(used, uses)| {
                    let plain: String =
                        used.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
                    if !stemmed {
                        intern(word, used)
                    } else if stop_words.contains(plain.as_str()) {
                        None
                    } else {
                        let stem = intern(term, &stemmer.stem(&plain))?;
                        let best = written.entry(stem).or_insert((uses, used));
                        if uses > best.0 {
                            *best = (uses, used);
                        }
                        Some(stem)
                    }
                })
                .collect(),
            _ => continue,
        };
        columns.push((&column.values, of_words));
    }
    let mut counts = Csr { indptr: vec![0], ..Csr::default() };
    for row in attributes.rows_for(items) {
        let mut own: BTreeMap<u32, f32> = BTreeMap::new();
        for (values, of_words) in row.iter().flat_map(|_| &columns) {
            let row = row.unwrap_or_default() as usize;
            let words: &[u32] = match values {
                AttributeValues::Token { word, .. } => &word[row..=row],
                AttributeValues::TokenSeq { indptr, words, .. } => &words[indptr[row]..indptr[row + 1]],
                _ => &[],
            };
            for term in words.iter().filter_map(|&word| of_words[word as usize]) {
                *own.entry(term).or_default() += 1.0;
            }
        }
        counts.indices.extend(own.keys());
        counts.values.extend(own.values());
        counts.indptr.push(counts.indices.len());
    }
    Ok((Terms(as_written(&terms.finish(), &written)), counts))
}

/// How often each word of a vocabulary is used.
fn uses(words: &[u32], vocabulary: usize) -> Vec<u32> {
    let mut uses = vec![0; vocabulary];
    for &word in words {
        uses[word as usize] += 1;
    }
    uses
}

/// Terms with the word that is written most often in the place of each stem: it has that stem and no other, so they stay apart.
fn as_written(terms: &Dictionary, written: &BTreeMap<u32, (u32, &str)>) -> Dictionary {
    let texts = terms.iter().zip(0..).map(|(text, number)| match (written.get(&number), text.split_once(SEPARATOR)) {
        (Some((_, word)), Some((name, _))) => term(name, shown(word)),
        _ => text.to_owned(),
    });
    let mut dictionary = DictionaryBuilder::default();
    for text in texts {
        dictionary.intern(&text);
    }
    dictionary.finish()
}
