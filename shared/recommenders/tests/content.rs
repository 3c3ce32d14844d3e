//! Content by TF-IDF on hand-made shelves and on real attributes.

mod support;

use recspeed_data::{
    AttributeColumn, AttributeValues, Attributes, DictionaryBuilder, Interactions, InteractionsBuilder,
};
use recspeed_recommenders::{FitError, Reason, Recommender, TrainSet, fit};
use recspeed_types::Unobserved;
use recspeed_types::spec::ParamValue;
use support::{fitted, resolved, text};

/// Ids with a genre and the words of a title.
fn shelf(items: &[(&str, &str, &str)]) -> Attributes {
    let (mut ids, mut genres, mut words) =
        (DictionaryBuilder::default(), DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut genre, mut indptr, mut title) = (Vec::new(), vec![0], Vec::new());
    for (id, kind, name) in items {
        ids.intern(id);
        genre.push(genres.intern(kind));
        title.extend(name.split(' ').map(|word| words.intern(word)));
        indptr.push(title.len());
    }
    let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
    Attributes {
        ids: ids.finish(),
        columns: vec![
            column("genre", AttributeValues::Token { vocabulary: genres.finish(), word: genre }),
            column("title", AttributeValues::TokenSeq { vocabulary: words.finish(), indptr, words: title }),
        ],
    }
}

fn rows(rows: &[(&str, &str, f32)]) -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for (user, item, rating) in rows {
        builder.push(user, item, *rating, 0);
    }
    builder.finish()
}

const SHELF: [(&str, &str, &str); 5] = [
    ("dune", "novel", "The Sands of Dune"),
    ("mars", "novel", "Walking the Sand of Mars"),
    ("soup", "cooking", "Soups and Stews"),
    ("stew", "cooking", "One Stew a Day"),
    ("kit", "cooking", "Knives"),
];

/// Everything but the last row is learnt from: nobody is known to have `mars` or `stew`.
fn library() -> (Interactions, Vec<u32>) {
    let all = rows(&[
        ("ann", "dune", 5.0),
        ("bob", "soup", 4.0),
        ("bob", "kit", 5.0),
        ("eve", "mars", 5.0),
        ("eve", "stew", 5.0),
    ]);
    (all, vec![0, 1, 2])
}

fn model(all: &Interactions, learnt: &[u32], params: &[(&str, ParamValue)]) -> Box<dyn Recommender> {
    let shelf = shelf(&SHELF);
    let data = TrainSet::new(all, learnt).with_attributes(Some(&shelf), None);
    fitted("content-tfidf", params, &data, 0)
}

#[test]
fn items_that_nobody_rated_are_found_by_what_they_are() {
    let (all, learnt) = library();
    let model = model(&all, &learnt, &[]);
    let (user, item) = (|id: &str| all.users.index_of(id).unwrap(), |id: &str| all.items.index_of(id).unwrap());
    let score = |who: &str, what: &str| model.predict(user(who), item(what), 0);
    assert!(score("ann", "mars") > score("ann", "stew") && score("ann", "stew") == 0.0, "a reader of novels");
    assert!(score("bob", "stew") > score("bob", "mars"), "a cook");
    assert!((score("ann", "dune") - 1.0).abs() < 1e-6, "somebody's only item is exactly what they are like");
    assert_eq!(score("eve", "mars"), 0.0, "nothing is known of eve");
}

#[test]
fn reasons_name_the_shared_attributes_and_add_up_to_the_score() {
    let (all, learnt) = library();
    let model = model(&all, &learnt, &[]);
    let (ann, mars) = (all.users.index_of("ann").unwrap(), all.items.index_of("mars").unwrap());
    let reasons = model.explain(ann, mars, 10).unwrap();
    let named: Vec<(&str, &str)> = reasons
        .iter()
        .map(|reason| match reason {
            Reason::Attribute { name, value, .. } => (name.as_str(), value.as_str()),
            other => panic!("{other:?}"),
        })
        .collect();
    // “Sands” and “Sand” are one stem; “the” and “of” say nothing.
    assert_eq!(named, [("genre", "novel"), ("title", "sand")]);
    let sum: f32 =
        reasons.iter().map(|reason| if let Reason::Attribute { part, .. } = reason { *part } else { 0.0 }).sum();
    assert!((sum - model.predict(ann, mars, 0)).abs() < 1e-6);
    let plain = self::model(&all, &learnt, &[("words", text("as-written"))]);
    let first = plain.explain(ann, mars, 10).unwrap();
    assert!(first.iter().any(|reason| matches!(reason, Reason::Attribute { value, .. } if value == "of")), "{first:?}");
}

#[test]
fn the_cosine_is_that_of_the_definition() {
    let (all, learnt) = library();
    let genre = [("attributes", ParamValue::Names(vec!["genre".into()]))];
    let model = model(&all, &learnt, &genre);
    // One term each: the cosine of two items is 1 in the same genre and 0 otherwise.
    let (bob, stew) = (all.users.index_of("bob").unwrap(), all.items.index_of("stew").unwrap());
    assert!((model.predict(bob, stew, 0) - 1.0).abs() < 1e-6);
    assert_eq!(model.predict(bob, all.items.index_of("mars").unwrap(), 0), 0.0);
}

#[test]
fn what_the_data_set_lacks_is_named() {
    let (all, learnt) = library();
    let data = TrainSet::new(&all, &learnt);
    let error = fit(&resolved("content-tfidf", &[]), &data, 0, &mut Unobserved).err().unwrap();
    assert_eq!(
        error.to_string(),
        "`content-tfidf` needs item attributes, which this data set does not have; name a file of them as dataset.items, or take a data set that has them"
    );
    let shelf = shelf(&SHELF);
    let data = data.with_attributes(Some(&shelf), None);
    let unknown = resolved("content-tfidf", &[("attributes", ParamValue::Names(vec!["colour".into()]))]);
    let error = fit(&unknown, &data, 0, &mut Unobserved).err().unwrap();
    assert!(matches!(error, FitError::NoAttribute { .. }));
    assert_eq!(
        error.to_string(),
        "recommender.attributes names `colour`, but the data set has no such item attribute; it has genre, title"
    );
}
