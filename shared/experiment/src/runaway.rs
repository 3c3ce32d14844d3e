//! What is said where a model's numbers have grown without bound: of whom, and what to change of what its recommender has.

use recspeed_data::Interactions;
use recspeed_recommenders::{RankError, divided, listed, ways_to_change};
use recspeed_types::FailureCode;
use recspeed_types::catalogue::Way;
use recspeed_types::limits::LEARNING_RATE;
use recspeed_types::spec::{ResolvedSpec, Training, tighter_clip};

use crate::RunFailure;

/// Parameters that decide how much is learnt, or of how many neighbours, wherever a recommender has them.
const OWN: &[&str] = &[
    "learning_rate",
    "regularization",
    "bias_regularization",
    "regularization_user",
    "regularization_item",
    "alpha",
    "l1",
    "l2",
    "init_deviation",
    "iterations",
    "similarity",
    "neighbours",
    "min_support",
    "shrinkage",
];

/// Those that decide how long is learnt: more than usual may be too much or too little.
const ROUNDS: &[&str] = &["iterations"];

/// Those that are named only where they were moved: at their default they are not what is wrong.
const MOVED: &[&str] = &["factors"];

/// What tells where a hybrid went wrong.
const ALONE: &str = "run its components alone to see which of them is to blame";

/// A `score` or `prediction` of an item for a user, by their indices, that is no finite number.
pub(crate) fn not_finite(spec: &ResolvedSpec, data: &Interactions, what: &str, (user, item): (u32, u32)) -> RunFailure {
    let remedy = remedy(spec, &data.rating);
    let (user, item) = (data.users.get(user), data.items.get(item));
    let cause = format!("The {what} of item `{item}` for user `{user}` is not a finite number; {remedy}.");
    RunFailure::new(FailureCode::Diverged, cause)
}

/// A metric that is no finite number.
pub(crate) fn metric(spec: &ResolvedSpec, data: &Interactions, name: &str, value: f64) -> RunFailure {
    let remedy = remedy(spec, &data.rating);
    let cause = format!("{name} is {value}, not a number: the predictions grew without bound; {remedy}.");
    RunFailure::new(FailureCode::Diverged, cause)
}

/// Why there are no lists.
pub(crate) fn not_ranked(spec: &ResolvedSpec, data: &Interactions, error: RankError) -> RunFailure {
    let code = match error {
        RankError::Interrupted { .. } => return RunFailure::cancelled(),
        RankError::NotFinite { user, item } => return not_finite(spec, data, "score", (user, item)),
        RankError::OutOfMemory { .. } => FailureCode::OutOfMemory,
        RankError::Shape { .. } | RankError::UnknownUser { .. } => FailureCode::Internal,
    };
    RunFailure::new(code, format!("The items could not be ranked: {error}."))
}

/// What to try where a model knows less than somebody who knows nothing. What was moved away from its default is moved
/// back; of all else nobody can tell whether it learnt too little or too wildly.
pub(crate) fn what_else(spec: &ResolvedSpec) -> String {
    listed(&else_ways(spec, false))
}

/// The same, way by way. `are_large`: whether the ratings are too large for the defaults. A learning rate below its
/// default may then be one that was fitted to them: longer steps would run away, and it is more of them that it lacks.
fn else_ways(spec: &ResolvedSpec, are_large: bool) -> Vec<String> {
    let recommender = &spec.recommender;
    let loss = spec.training.as_ref().map(|training| training.loss);
    let mut all: Vec<(Option<Way>, String)> = spec.training.iter().flat_map(|training| moved(spec, training)).collect();
    let mut is_slow = false;
    for name in OWN.iter().chain(MOVED).copied().filter(|name| recommender.reads(name, loss)) {
        let (Some(now), Some(param)) = (recommender.params().get(name), recommender.entry.param(name)) else {
            continue;
        };
        let mut way = param.way_back(now).filter(|way| *way == Way::Raise || !ROUNDS.contains(&name));
        if are_large && name == "learning_rate" && way == Some(Way::Raise) {
            is_slow = true;
            continue;
        }
        if is_slow && ROUNDS.contains(&name) && param.can_go(Way::Raise, now) {
            way = Some(Way::Raise);
        }
        if way.is_some() || !MOVED.contains(&name) {
            all.push((way, format!("recommender.{name} (now {now})")));
        }
    }
    let back = all.iter().filter_map(|(way, what)| Some(format!("{} {what}", (*way)?.as_str())));
    let mut ways: Vec<String> = back.collect();
    let others: Vec<&str> = all.iter().filter(|(way, _)| way.is_none()).map(|(_, what)| what.as_str()).collect();
    ways.extend(match others.split_last() {
        None => None,
        Some((last, [])) => Some(format!("try another {last}")),
        Some((last, others)) => Some(format!("try another {} or {last}", others.join(", "))),
    });
    if !recommender.components().is_empty() {
        ways.push(ALONE.to_owned());
    }
    ways
}

/// What decides how much a training learns, each with the way back to what is usual for the kind.
fn moved(spec: &ResolvedSpec, training: &Training) -> [(Option<Way>, String); 2] {
    let usual = spec.recommender.entry.training_defaults();
    let (rate, epochs) = (training.learning_rate, training.epochs);
    let more = Way::back(epochs, usual.epochs).filter(|way| *way == Way::Raise);
    [
        (Way::back(rate, usual.learning_rate), format!("training.learning_rate (now {rate})")),
        (more, format!("training.epochs (now {epochs})")),
    ]
}

/// The same where it errs no less than the mean of such ratings: their size may be what its defaults are not made for.
pub(crate) fn what_else_of(spec: &ResolvedSpec, ratings: &[f32]) -> String {
    match divided(&spec.recommender, ratings) {
        Some(divided) => format!("{divided}; or {}", listed(&else_ways(spec, true))),
        None => what_else(spec),
    }
}

/// What to change where predictions of such ratings are beyond all measure: only what can still be changed that way.
pub(crate) fn remedy(spec: &ResolvedSpec, ratings: &[f32]) -> String {
    let mut ways: Vec<String> = spec.training.iter().flat_map(of_training).collect();
    ways.extend(ways_to_change(&spec.recommender, ratings));
    listed(&ways)
}

/// What makes the steps of a network shorter.
fn of_training(training: &Training) -> impl Iterator<Item = String> + use<> {
    let rate = training.learning_rate;
    let lower = Way::Lower.is_open(rate, LEARNING_RATE).then(|| format!("lower training.learning_rate (now {rate})"));
    lower.into_iter().chain(tighter_clip(training.optimizer, training.gradient_clip))
}

#[cfg(test)]
mod tests {
    use recspeed_types::ExperimentSpec;
    use recspeed_types::catalogue::{ENTRIES, Family, ParamKind};
    use recspeed_types::limits::GRADIENT_CLIP;
    use recspeed_types::spec::{DatasetSpec, Optimizer, ParamValue, RecommenderSpec};

    use super::*;

    const STARS: &[f32] = &[1.0, 2.0, 3.0, 4.0, 5.0];

    fn resolved(recommender: RecommenderSpec) -> ResolvedSpec {
        let dataset = DatasetSpec::builtin("beauty-synthetic-10k");
        let mut spec = ExperimentSpec { dataset, recommender, ..ExperimentSpec::default() };
        spec.split.validation_ratio = Some(0.1);
        spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        spec.resolve().unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Every kind of the catalogue, by each of its solvers.
    fn every_kind() -> Vec<ResolvedSpec> {
        let mut all = Vec::new();
        for entry in ENTRIES {
            let plain = RecommenderSpec::new(entry.kind);
            if let Some(ParamKind::Choice { options, .. }) = entry.param("solver").map(|param| &param.kind) {
                let by = |solver: &&str| plain.clone().with("solver", ParamValue::Text((*solver).to_owned()));
                all.extend(options.iter().map(by).map(resolved));
            } else {
                all.push(resolved(plain));
            }
        }
        all
    }

    /// Those of the recommender's own parameters that a sentence names.
    fn named(said: &str) -> Vec<&str> {
        said.split("recommender.").skip(1).filter_map(|rest| rest.split(' ').next()).collect()
    }

    #[test]
    fn only_what_a_kind_has_and_reads_is_named_to_be_changed() {
        for spec in every_kind() {
            let entry = spec.recommender.entry;
            let loss = spec.training.as_ref().map(|training| training.loss);
            for said in [remedy(&spec, STARS), what_else(&spec)] {
                for name in named(&said) {
                    assert!(entry.param(name).is_some(), "{} has no {name}: {said}", entry.kind);
                    assert!(spec.recommender.reads(name, loss), "{} does not read {name}: {said}", entry.kind);
                }
                assert_eq!(said.contains("training."), spec.training.is_some(), "{}: {said}", entry.kind);
            }
        }
    }

    #[test]
    fn a_training_whose_steps_cannot_be_any_shorter_is_told_something_else() {
        for entry in ENTRIES.iter().filter(|entry| entry.is_trained()) {
            let mut spec = resolved(RecommenderSpec::new(entry.kind));
            let mut told_of = |optimizer: Optimizer, rate: f64, clip: Option<f64>| {
                let training = spec.training.as_mut().expect("it is trained");
                (training.optimizer, training.learning_rate, training.gradient_clip) = (optimizer, rate, clip);
                remedy(&spec, STARS)
            };
            // Adam's steps are as long however long the gradient is.
            for clip in [None, Some(1.0), Some(GRADIENT_CLIP.0)] {
                let said = told_of(Optimizer::Adam, 10.0, clip);
                assert!(said.starts_with("lower training.learning_rate (now 10)") && !said.contains("clip"), "{said}");
            }
            let mut told = |rate: f64, clip: Option<f64>| told_of(Optimizer::Sgd, rate, clip);
            let usual = told(0.1, None);
            assert!(usual.starts_with("lower training.learning_rate (now 0.1), "), "{usual}");
            assert!(usual.contains("set training.gradient_clip = 1"), "{usual}");
            let clipped = told(0.1, Some(1.0));
            assert!(clipped.contains("lower training.gradient_clip (now 1)"), "{clipped}");
            let slowest = told(LEARNING_RATE.0, None);
            assert!(!slowest.contains("learning_rate") && slowest.contains("training.gradient_clip = 1"), "{slowest}");
            let neither = told(LEARNING_RATE.0, Some(GRADIENT_CLIP.0));
            assert!(!neither.contains("training.") && !neither.is_empty(), "{}: {neither}", entry.kind);
        }
    }

    #[test]
    fn factors_that_start_near_the_ratings_are_not_to_be_taken_near_them() {
        let said = |factors: i64| {
            let nmf = RecommenderSpec::new("nmf").with("factors", ParamValue::Integer(factors));
            remedy(&resolved(nmf), STARS)
        };
        let far = said(100);
        assert!(far.starts_with("take recommender.factors near 12, four times the usual rating (now 100), "), "{far}");
        let near = said(15);
        assert!(!near.contains("recommender.factors") && near.starts_with("raise recommender.reg"), "{near}");
    }

    #[test]
    fn what_was_moved_away_from_its_default_is_to_be_moved_back_and_all_else_to_be_tried() {
        let said = |kind: &str, name: &str, value: ParamValue| {
            what_else(&resolved(RecommenderSpec::new(kind).with(name, value)))
        };
        let many = said("nmf", "factors", ParamValue::Integer(400));
        assert_eq!(
            many,
            "lower recommender.factors (now 400), or try another recommender.regularization (now 0.06) or \
             recommender.iterations (now 50)"
        );
        let held = said("nmf", "regularization", ParamValue::Float(100.0));
        assert_eq!(held, "lower recommender.regularization (now 100), or try another recommender.iterations (now 50)");
        let loose = said("als-explicit", "regularization", ParamValue::Float(1e-6));
        assert!(loose.starts_with("raise recommender.regularization (now 0.000001), or try another "), "{loose}");
        let few = said("nmf", "iterations", ParamValue::Integer(5));
        assert!(few.starts_with("raise recommender.iterations (now 5), or try another "), "{few}");
        let long = said("nmf", "iterations", ParamValue::Integer(500));
        assert!(long.starts_with("try another ") && long.contains("recommender.iterations (now 500)"), "{long}");
        assert!(!long.contains("factors"), "{long}");
        let mut network = resolved(RecommenderSpec::new("mlp"));
        let training = network.training.as_mut().expect("it is trained");
        (training.learning_rate, training.epochs) = (10.0, 1);
        let told = what_else(&network);
        assert!(told.starts_with("lower training.learning_rate (now 10), "), "{told}");
        assert!(told.contains("raise training.epochs (now 1)"), "{told}");
    }

    #[test]
    fn ratings_that_a_kind_is_not_made_for_are_to_be_divided_before_anything_is_tried() {
        let said = |kind: &str, ratings: &[f32]| what_else_of(&resolved(RecommenderSpec::new(kind)), ratings);
        let percent = said("nmf", &[20.0, 40.0, 60.0, 80.0, 100.0]);
        assert!(percent.starts_with("divide the ratings in the file by 20 (they go from 20 to 100, "), "{percent}");
        assert!(percent.contains("; or try another recommender.regularization (now 0.06)"), "{percent}");
        assert!(!said("nmf", STARS).contains("divide"), "{}", said("nmf", STARS));
        assert!(!said("slope-one", &[1000.0, 5000.0]).contains("divide"), "it is the same in any unit");
    }

    #[test]
    fn a_learning_rate_that_was_fitted_to_large_ratings_is_not_raised_again_and_learns_longer() {
        let said = |ratings: &[f32]| {
            let slow = RecommenderSpec::new("biased-mf").with("learning_rate", ParamValue::Float(5e-6));
            what_else_of(&resolved(slow), ratings)
        };
        let thousands = said(&[1000.0, 2000.0, 3000.0, 4000.0, 5000.0]);
        assert!(thousands.starts_with("divide the ratings in the file by 1000 (they go from 1000 to 5000, "));
        assert!(thousands.contains("; or raise recommender.iterations (now 20), or try another "), "{thousands}");
        assert!(!thousands.contains("learning_rate"), "{thousands}");
        assert!(said(STARS).starts_with("raise recommender.learning_rate (now 0.000005), or try "), "{}", said(STARS));
    }

    #[test]
    fn what_to_try_otherwise_can_be_tried_at_every_bound() {
        for entry in ENTRIES {
            for name in OWN {
                let bounds = match entry.param(name).map(|param| &param.kind) {
                    Some(ParamKind::Integer { min, max, .. }) => [min, max].map(|bound| ParamValue::Integer(*bound)),
                    Some(ParamKind::Float { min, max, .. }) => [min, max].map(|bound| ParamValue::Float(*bound)),
                    _ => continue,
                };
                for bound in bounds {
                    let spec = resolved(RecommenderSpec::new(entry.kind).with(name, bound.clone()));
                    let param = entry.param(name).expect("it has bounds");
                    let ways = [Way::Lower, Way::Raise].into_iter().filter(|way| param.can_go(*way, &bound)).count();
                    let said = what_else(&spec);
                    let loss = spec.training.as_ref().map(|training| training.loss);
                    // Another value has no direction: at a bound it is what lies on the other side.
                    let is_named = said.contains(&format!("recommender.{name} (now {bound})"));
                    assert_eq!(is_named, ways == 1 && spec.recommender.reads(name, loss), "{}: {said}", entry.kind);
                }
            }
        }
    }

    #[test]
    fn whoever_learns_again_and_again_or_has_a_number_to_set_is_told_what_to_set() {
        let names_some = |said: &str| said.contains("training.") || !named(said).is_empty();
        for spec in every_kind() {
            let entry = spec.recommender.entry;
            if entry.is_trained() || entry.param("iterations").is_some() {
                let said = remedy(&spec, STARS);
                assert!(names_some(&said), "{}: {said}", entry.kind);
            }
            let is_number = |kind: &ParamKind| matches!(kind, ParamKind::Integer { .. } | ParamKind::Float { .. });
            let has_number = entry.params.iter().any(|param| is_number(&param.kind));
            let said = what_else(&spec);
            if entry.family == Family::Hybrid {
                assert!(said.ends_with(ALONE), "{}: {said}", entry.kind);
            } else if entry.is_trained() || has_number {
                assert!(names_some(&said), "{}: {said}", entry.kind);
            }
        }
    }
}
