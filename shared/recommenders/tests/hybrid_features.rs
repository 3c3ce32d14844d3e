//! Hybrids that make an attribute of the items, or compare people by what another method has learnt of them.

mod support;

use recspeed_data::Attributes;
use recspeed_recommenders::{Array, FitError, Reason, TrainSet, Values, fit, kinds};
use recspeed_types::catalogue::{Family, find};
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use recspeed_types::{EventKind, FitObserver};
use support::{attributes, fitted, known, resolved, text, varied};

/// Keeps the warnings.
#[derive(Default)]
struct Warnings(Vec<String>);

impl FitObserver for Warnings {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Warning { message } = event {
            self.0.push(message);
        }
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// What a fit warns of, or why there is none.
fn told(recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> Result<Vec<String>, FitError> {
    let mut warnings = Warnings::default();
    fit(recommender, data, 1, &mut warnings)?;
    Ok(warnings.0)
}

fn hybrid(kind: &str, components: Vec<RecommenderSpec>) -> RecommenderSpec {
    RecommenderSpec::new(kind).with("components", ParamValue::Recommenders(components))
}

fn whole(recommender: &RecommenderSpec) -> ResolvedRecommender {
    let params: Vec<(&str, ParamValue)> =
        recommender.params.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    resolved(&recommender.kind, &params)
}

fn named(names: &[&str]) -> ParamValue {
    ParamValue::Names(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn items_without_training_rows_go_with_nothing_however_high_the_first_component_scores_them() {
    let (all, rows) = varied(20, 15, 200);
    let data = TrainSet::new(&all, &rows);
    let cold = data.n_items() - 1;
    assert!(data.candidates().iter().enumerate().all(|(item, known)| *known == (item != cold)));
    // Chance scores the cold item as any other, and so does a network, by a vector that no row has moved.
    let components = vec![RecommenderSpec::new("random"), RecommenderSpec::new("content-tfidf")];
    let every = hybrid("feature-augmentation", components).with("related", ParamValue::Integer(1000));
    let model = fit(&whole(&every), &data, 1, &mut Warnings::default()).expect("the fit succeeds");
    let terms = model.parts().take("components.1.terms").expect("the words of the second component");
    let Array { values: Values::U8(terms), .. } = terms else { panic!("{terms:?}") };
    let terms = String::from_utf8(terms).expect("text");
    let goes_with = |item: usize| terms.contains(&format!("goes-with\u{1f}{item}"));
    assert!(goes_with(0) && goes_with(cold - 1), "{terms}");
    assert!(!goes_with(cold), "{terms}");
}

#[test]
fn who_must_like_more_than_anybody_does_is_told_and_refused_where_nothing_else_is_read() {
    let (all, rows) = varied(12, 10, 80);
    let known = attributes(&all.items);
    let data = TrainSet::new(&all, &rows);
    let described = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    let liked = |stars: f64, names: &[&str]| {
        let component = RecommenderSpec::new("content-tfidf").with("attributes", named(names));
        hybrid("feature-combination", vec![component]).with("liked", ParamValue::Float(stars))
    };
    assert_eq!(told(&whole(&liked(5.0, &[])), &described), Ok(Vec::new()));
    let warnings = told(&whole(&liked(5.5, &[])), &described).expect("colours and titles are read");
    let [warning] = &warnings[..] else { panic!("{warnings:?}") };
    assert!(
        warning.starts_with("recommender.liked is 5.5, above the highest rating that is learnt from, 5: "),
        "{warning}"
    );
    assert!(warning.contains("content-tfidf reads the other attributes alone; set it to 5 or less"), "{warning}");
    let refused = "recommender.liked is 5.5, above the highest rating that is learnt from, 5: nobody is in `rated-by`, \
                   and there is no other attribute of the items to read; set it to 5 or less";
    for (names, data) in [(&["rated-by"][..], &described), (&[][..], &data)] {
        assert_eq!(told(&whole(&liked(5.5, names)), data).unwrap_err().to_string(), refused);
    }
    let inside = hybrid("weighted", vec![RecommenderSpec::new("popularity"), liked(5.5, &[])]);
    let error = told(&whole(&inside), &data).unwrap_err().to_string();
    assert!(error.starts_with("recommender.components[1].liked is 5.5, above the highest rating"), "{error}");
}

/// The attributes with a column of another name.
fn renamed(mut known: Attributes, name: &str) -> Attributes {
    name.clone_into(&mut known.columns[0].name);
    known
}

#[test]
fn an_attribute_of_the_data_by_the_name_of_one_that_a_hybrid_makes_is_refused_and_not_replaced() {
    let (all, rows) = varied(12, 10, 80);
    let table = |name: &str| renamed(attributes(&all.items), name);
    let combination = || hybrid("feature-combination", vec![RecommenderSpec::new("content-tfidf")]);
    let augmentation = || {
        hybrid("feature-augmentation", vec![RecommenderSpec::new("item-knn"), RecommenderSpec::new("content-tfidf")])
    };
    for (own, other, name) in
        [(combination(), augmentation(), "rated-by"), (augmentation(), combination(), "goes-with")]
    {
        let known = table(name);
        let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
        let said = told(&whole(&own), &data).unwrap_err().to_string();
        assert_eq!(
            said,
            format!(
                "the data set has an item attribute `{name}` of its own, and `{}` makes one of that name; give that \
                 column of the data another name",
                own.kind
            )
        );
        let inside = hybrid("weighted", vec![RecommenderSpec::new("popularity"), own]);
        let nested = told(&whole(&inside), &data).unwrap_err().to_string();
        assert_eq!(nested, format!("in recommender.components[1]: {said}"));
        assert_eq!(told(&whole(&other), &data), Ok(Vec::new()), "{} makes no `{name}`", other.kind);
    }
}

#[test]
fn a_factorization_machine_reads_who_rated_an_item_and_names_them() {
    let (all, rows) = varied(30, 20, 300);
    let data = TrainSet::new(&all, &rows);
    for kind in ["fm", "ffm", "feature-embeddings"] {
        let component = RecommenderSpec::new(kind).with("iterations", ParamValue::Integer(5));
        let combined = whole(&hybrid("feature-combination", vec![component]));
        let model = fit(&combined, &data, 1, &mut Warnings::default()).expect("the fit succeeds");
        let (people, raters) = (model.explain(0, 0, 1000).expect("it explains"), data.by_item.row(0).0);
        assert!(!people.is_empty() && people.len() <= raters.len(), "{kind}: {people:?}");
        for reason in &people {
            assert!(matches!(reason, Reason::SimilarUser { user, .. } if raters.contains(user)), "{kind}: {reason:?}");
        }
        let related = vec![RecommenderSpec::new("item-knn"), RecommenderSpec::new(kind)];
        let augmented = whole(&hybrid("feature-augmentation", related));
        let model = fit(&augmented, &data, 1, &mut Warnings::default()).expect("the fit succeeds");
        let reasons = model.explain(0, 0, 1000).expect("it explains");
        assert!(
            matches!(&reasons[..], [Reason::Component { index: 0, component: "item-knn", .. }]),
            "{kind}: {reasons:?}"
        );
    }
}

#[test]
fn whoever_is_told_its_own_answer_by_the_people_who_rated_an_item_warns_of_it() {
    let (all, rows) = varied(20, 15, 200);
    let known = attributes(&all.items);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known), None);
    let warnings = |kind: &str, liked: f64| {
        let combined = hybrid("feature-combination", vec![RecommenderSpec::new(kind)]);
        told(&whole(&combined.with("liked", ParamValue::Float(liked))), &data).expect("the fit succeeds")
    };
    for kind in ["content-tfidf", "content-linear"] {
        assert!(warnings(kind, 0.0).is_empty() && warnings(kind, 4.0).is_empty(), "{kind}");
    }
    for kind in ["fm", "ffm"] {
        assert!(
            warnings(kind, 1.0).is_empty(),
            "{kind}: that they rated at all is true of every row that is learnt from"
        );
        let told = warnings(kind, 4.0);
        let [warning] = &told[..] else { panic!("{kind}: {told:?}") };
        assert!(
            warning.starts_with("recommender.liked is 4: ") && warning.contains("set it to 1 or less"),
            "{warning}"
        );
    }
    let told = warnings("feature-embeddings", 0.0);
    let [warning] = &told[..] else { panic!("{told:?}") };
    assert!(warning.starts_with("feature-embeddings learns who has what, and `rated-by` tells it that"), "{warning}");
}

#[test]
fn meta_level_neighbours_are_those_with_the_nearest_factors_of_whatever_method_keeps_some() {
    let (all, rows) = varied(30, 24, 250);
    let data = TrainSet::new(&all, &rows);
    for kind in ["als-explicit", "biased-mf", "nmf", "bpr", "warp"] {
        let params = [
            ("components", ParamValue::Recommenders(vec![RecommenderSpec::new(kind)])),
            ("neighbours", ParamValue::Integer(4)),
            ("weighting", text("binary")),
        ];
        let model = fitted("meta-level", &params, &data, 1);
        let (people, d, vectors) = model.parts().take_matrix("components.0.users").expect("the users' vectors");
        // The last two numbers are those of the biases.
        let factors = |user: usize| &vectors[user * d..][..d - 2];
        let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
        for user in [0, 3, 9] {
            let length = |user: usize| product(factors(user), factors(user)).sqrt();
            let cosine = |other: usize| product(factors(user), factors(other)) / (length(user) * length(other));
            let others = (0..people).filter(|other| *other != user).map(|other| (cosine(other), other));
            let mut nearest: Vec<(f32, usize)> = others.filter(|(cosine, _)| *cosine > 0.0).collect();
            nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
            nearest.truncate(4);
            assert!(!nearest.is_empty(), "{kind}: {user}");
            let mut scores = vec![f32::NAN; data.n_items()];
            model.score_all(user as u32, &mut scores);
            for (item, score) in scores.iter().enumerate() {
                let has = |(_, other): &&(f32, usize)| data.by_user.row(*other).0.contains(&(item as u32));
                let expected: f32 = nearest.iter().filter(has).map(|(cosine, _)| cosine).sum();
                assert!((score - expected).abs() < 1e-4, "{kind}: {user}, {item}: {score}, not {expected}");
            }
        }
    }
}

#[test]
fn what_adds_nothing_to_a_score_is_no_reason_for_it() {
    let (all, rows) = varied(40, 30, 300);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    let cold = data.n_items() as u32 - 1;
    // A component of a hybrid is named with what it says, were it 0.
    for kind in kinds().filter(|kind| find(kind).is_some_and(|entry| entry.family != Family::Hybrid)) {
        let model = fitted(kind, &[], &data, 2);
        for item in 0..data.n_items() as u32 {
            for reason in model.explain(3, item, 1000).into_iter().flatten() {
                let part = match &reason {
                    Reason::OwnItem { part, .. }
                    | Reason::Learnt { part }
                    | Reason::SimilarUser { part, .. }
                    | Reason::Attribute { part, .. }
                    | Reason::UserAttribute { part, .. }
                    | Reason::Component { part, .. } => *part,
                    Reason::Popularity { .. } => continue,
                };
                assert!(part != 0.0, "{kind}: {item}: {reason:?}");
            }
        }
        if ["als-implicit", "ease", "item-knn", "slim"].contains(&kind) {
            assert_eq!(model.explain(3, cold, 9), Some(Vec::new()), "{kind}: nobody has the item");
        }
    }
}
