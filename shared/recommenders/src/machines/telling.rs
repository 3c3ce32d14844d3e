//! Which attributes an explanation tells of: those that say what somebody or something is like, and not who or which it is.

use std::collections::BTreeMap;

use recspeed_data::Csr;
use recspeed_types::catalogue::{GOES_WITH, RATED_BY};

use crate::content::Terms;

/// Users or items that must have an attribute before it is told to identify them: a few have different values by chance.
const FEW: usize = 20;

/// Of each attribute's value, `[terms]`, whether the attribute identifies: more than half of the entities that have one have a value of it
/// that nobody else has, as titles, names, addresses and zip codes. A value that they share with some others, as the first word of a title,
/// tells as little. `attributes`: entities × terms. What a hybrid makes of ids is told by whoever made it.
pub(super) fn identifying(attributes: &Csr, terms: &Terms) -> Vec<bool> {
    // Where nothing has a name, nothing is told.
    if terms.len() == 0 {
        return Vec::new();
    }
    let mut entities = vec![0u32; terms.len()];
    for &term in &attributes.indices {
        entities[term as usize] += 1;
    }
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let place = |term: u32| {
        let next = places.len();
        *places.entry(terms.named(term).0).or_insert(next)
    };
    let place_of: Vec<usize> = (0..terms.len() as u32).map(place).collect();
    // How many have the attribute, and how many of them a value of their own; the last entity that was counted for each.
    let (mut have, mut alone) = (vec![0usize; places.len()], vec![0usize; places.len()]);
    let (mut seen, mut seen_alone) = (vec![usize::MAX; places.len()], vec![usize::MAX; places.len()]);
    for entity in 0..attributes.n_rows() {
        for &term in attributes.row(entity).0 {
            let place = place_of[term as usize];
            if std::mem::replace(&mut seen[place], entity) != entity {
                have[place] += 1;
            }
            if entities[term as usize] == 1 && std::mem::replace(&mut seen_alone[place], entity) != entity {
                alone[place] += 1;
            }
        }
    }
    let made = [RATED_BY.name, GOES_WITH.name].map(|name| places.get(name).copied());
    let identifies =
        |place: usize| have[place] >= FEW && 2 * alone[place] > have[place] && !made.contains(&Some(place));
    place_of.into_iter().map(identifies).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::content::{term, word};

    #[test]
    fn titles_and_zip_codes_identify_and_genres_and_numbers_describe_also_where_some_are_rare() {
        // Of 40 items: a title of an own word and one that all have, a code that most have alone, a brand that one in ten has alone,
        // a genre, a number, and who rated them, as a hybrid makes it.
        let texts = |item: usize| {
            vec![
                word("title", "The"),
                word("title", &format!("word{item}")),
                term("code", &(if item < 10 { 0 } else { item }).to_string()),
                term("brand", &(if item.is_multiple_of(10) { item } else { 1 }).to_string()),
                term("genre", if item.is_multiple_of(2) { "drama" } else { "comedy" }),
                term("year", "number"),
                word("rated-by", &item.to_string()),
            ]
        };
        let of = |items: usize| {
            let mut dictionary = recspeed_data::DictionaryBuilder::default();
            let mut attributes = Csr { indptr: vec![0], ..Csr::default() };
            for item in 0..items {
                let mut own: Vec<u32> = texts(item).iter().map(|text| dictionary.intern(text)).collect();
                own.sort_unstable();
                attributes.values.extend(own.iter().map(|_| 1.0));
                attributes.indices.extend(own);
                attributes.indptr.push(attributes.indices.len());
            }
            let terms = Terms::new(dictionary.finish());
            let told = identifying(&attributes, &terms);
            let named = (0..terms.len() as u32).zip(told).filter(|(_, identifies)| *identifies);
            named.map(|(term, _)| terms.named(term).0.to_owned()).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(of(40).into_iter().collect::<Vec<_>>(), ["code", "title"]);
        assert!(of(12).is_empty(), "of a few nothing is told");
    }
}
