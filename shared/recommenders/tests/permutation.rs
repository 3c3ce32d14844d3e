//! Models that have learnt, asked with attributes dealt out anew.

mod support;

use recspeed_data::{
    AttributeColumn, AttributeValues, Attributes, Dictionary, DictionaryBuilder, Interactions, Permutation,
};
use recspeed_recommenders::{FitError, FitRequest, Recommender, TrainSet, fit_request, restore, unforeseen};
use recspeed_types::Unobserved;
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use support::{interactions, resolved, text};

/// Ids that differ in one attribute alone, and have no training row: all that a model knows of them is what they are.
const PAIRS: [(&str, u32, u32); 3] = [("colour", 100, 101), ("words", 102, 103), ("size", 104, 105)];

/// A colour, words and a size of every id.
fn described(ids: &Dictionary) -> Attributes {
    let (mut known, mut colours, mut vocabulary) =
        (DictionaryBuilder::default(), DictionaryBuilder::default(), DictionaryBuilder::default());
    let (mut colour, mut indptr, mut words, mut size) = (Vec::new(), vec![0], Vec::new(), Vec::new());
    for id in ids.iter() {
        known.intern(id);
        let number: u32 = id.parse().expect("ids are numbers");
        colour.push(colours.intern(if number.is_multiple_of(2) && number < 100 || number == 100 {
            "black"
        } else {
            "white"
        }));
        let several = number.is_multiple_of(3) && number < 100 || number == 102;
        let own: &[&str] = if several { &["round", "red", "line"] } else { &["line"] };
        words.extend(own.iter().map(|word| vocabulary.intern(word)));
        indptr.push(words.len());
        size.push(if number == 104 { 7.0 } else { (number % 5) as f32 * f32::from(u8::from(number < 100)) });
    }
    let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
    Attributes {
        ids: known.finish(),
        columns: vec![
            column("colour", AttributeValues::Token { vocabulary: colours.finish(), word: colour }),
            column("words", AttributeValues::TokenSeq { vocabulary: vocabulary.finish(), indptr, words }),
            column("size", AttributeValues::Float(size)),
        ],
    }
}

/// Ratings that follow colours and sizes, then a row for each new id, which nothing learns from.
fn rated() -> (Interactions, Vec<u32>) {
    let mut rows = Vec::new();
    for user in 0..24u32 {
        for item in 0..24u32 {
            if (user * 7 + item * 5) % 3 != 0 {
                let stars = 1.0 + 2.0 * f32::from(u8::from((user + item) % 2 == 0)) + (item % 5) as f32 * 0.4;
                rows.push((user, item, stars));
            }
        }
    }
    let learnt = rows.len() as u32;
    rows.extend((100..106).map(|id| (id, id, 3.0)));
    (interactions(&rows), (0..learnt).collect())
}

fn learnt(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Box<dyn Recommender> {
    let elsewhere = |request: &FitRequest<'_>, _: &mut dyn recspeed_types::FitObserver| {
        Err(FitError::NotHere { kind: request.recommender.entry.kind })
    };
    let request = FitRequest {
        recommender,
        data,
        seed: 3,
        elsewhere: &elsewhere,
        foretell: &unforeseen,
        stops_early: false,
        permutes: true,
        trained: None,
    };
    fit_request(&request, &mut Unobserved).expect("the fit succeeds")
}

fn machines() -> Vec<ResolvedRecommender> {
    let few = ("iterations", ParamValue::Integer(12));
    let solver = |name| resolved("fm", &[("solver", text(name)), few.clone(), ("samples", ParamValue::Integer(5))]);
    let loss = |name| resolved("feature-embeddings", &[("loss", text(name)), few.clone()]);
    vec![
        solver("mcmc"),
        solver("als"),
        solver("sgd"),
        resolved("ffm", std::slice::from_ref(&few)),
        loss("warp"),
        loss("logistic"),
    ]
}

fn contents() -> Vec<ResolvedRecommender> {
    let any = [
        ("min_items", ParamValue::Integer(1)),
        ("weighting", text("rating")),
        ("regularization", ParamValue::Float(1.0)),
    ];
    vec![resolved("content-tfidf", &[]), resolved("content-linear", &any)]
}

/// What two change places in.
fn swapped(n: usize, a: u32, b: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.swap(a as usize, b as usize);
    order
}

fn near(a: f32, b: f32) -> bool {
    (a - b).abs() < 1e-4 * (1.0 + a.abs())
}

#[test]
fn an_item_is_answered_for_as_the_one_whose_attribute_it_was_given() {
    let (all, rows) = rated();
    let (items, users) = (described(&all.items), described(&all.users));
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    for recommender in machines().into_iter().chain(contents()) {
        let mut model = learnt(&recommender, &data);
        let kind = format!("{} {:?}", recommender.entry.kind, recommender.params());
        let before = model.parts();
        let mut saved = restore(&recommender, before.clone()).expect("its own parts");
        for (attribute, a, b) in PAIRS {
            let [a, b] = [a, b].map(|id| all.items.index_of(&id.to_string()).expect("an id of the data"));
            let asked = [(3, a), (3, b), (6, 5), (a, a)].map(|(user, item)| model.predict(user, item, 0));
            let order = swapped(all.n_items(), a, b);
            let read = model.permute(Some(&Permutation { of_items: true, attribute, order: &order }));
            assert_eq!(read, attribute != "size" || !kind.starts_with("content"), "{kind}: {attribute}");
            let again = saved.permute(Some(&Permutation { of_items: true, attribute, order: &order }));
            assert_eq!(again, read, "{kind}: {attribute} of the model that was saved");
            let bits = |model: &dyn Recommender| [a, b, 5].map(|item| model.predict(3, item, 0).to_bits());
            assert_eq!(bits(&*saved), bits(&*model), "{kind}: {attribute} of the model that was saved");
            if read {
                let answered = [(3, b), (3, a), (6, 5)].map(|(user, item)| model.predict(user, item, 0));
                assert!(!near(asked[0], asked[1]), "{kind}: {attribute} tells nothing: {asked:?}");
                assert!(near(answered[0], asked[0]) && near(answered[1], asked[1]), "{kind}: {asked:?} {answered:?}");
                assert_eq!(answered[2].to_bits(), asked[2].to_bits(), "{kind}: an item whose attributes stayed");
                let mut scores = vec![0.0; model.n_items()];
                model.score_all(3, &mut scores);
                let first = scores[a as usize] > scores[b as usize];
                assert_eq!(first, asked[1] > asked[0], "{kind}: {attribute}");
            }
            model.permute(None);
            assert_eq!(model.parts(), before, "{kind}: {attribute} taken back");
        }
        assert!(!model.permute(Some(&Permutation {
            of_items: true,
            attribute: "brand",
            order: &swapped(all.n_items(), 0, 1)
        })));
    }
}

#[test]
fn a_user_is_answered_as_the_one_whose_attribute_they_were_given() {
    let (all, rows) = rated();
    let (items, users) = (described(&all.items), described(&all.users));
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    for recommender in machines() {
        let mut model = learnt(&recommender, &data);
        let kind = format!("{} {:?}", recommender.entry.kind, recommender.params());
        for (attribute, a, b) in PAIRS {
            let [a, b] = [a, b].map(|id| all.users.index_of(&id.to_string()).expect("an id of the data"));
            let asked = [a, b].map(|user| model.predict(user, 4, 0));
            let order = swapped(all.n_users(), a, b);
            assert!(model.permute(Some(&Permutation { of_items: false, attribute, order: &order })), "{kind}");
            let answered = [b, a].map(|user| model.predict(user, 4, 0));
            assert!(near(answered[0], asked[0]) && near(answered[1], asked[1]), "{kind}: {asked:?} {answered:?}");
        }
    }
}

#[test]
fn a_hybrid_reads_what_its_components_read_and_one_that_learnt_from_attributes_reads_none() {
    let (all, rows) = rated();
    let items = described(&all.items);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), None);
    let of = |kinds: &[&str]| ParamValue::Recommenders(kinds.iter().map(|kind| RecommenderSpec::new(kind)).collect());
    let order = swapped(all.n_items(), 0, 1);
    let colours = Permutation { of_items: true, attribute: "colour", order: &order };
    for (kind, components, reads) in [
        ("weighted", &["popularity", "content-tfidf"][..], true),
        ("switching", &["popularity", "content-tfidf"], true),
        ("mixed", &["content-tfidf", "popularity"], true),
        ("cascade", &["popularity", "content-tfidf"], true),
        ("weighted", &["popularity", "item-knn"], false),
        ("feature-combination", &["content-tfidf"], true),
        ("feature-augmentation", &["item-knn", "content-tfidf"], true),
        ("meta-level", &["content-tfidf"], false),
    ] {
        let mut model = learnt(&resolved(kind, &[("components", of(components))]), &data);
        let before = model.parts();
        assert_eq!(model.permute(Some(&colours)), reads, "{kind} of {components:?}");
        model.permute(None);
        assert_eq!(model.parts(), before, "{kind}");
    }
}
