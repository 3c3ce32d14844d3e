//! What to change of a recommender that has run away, or errs beyond all measure: only what can still be changed that
//! way.

use recspeed_types::catalogue::{Family, ParamKind, Predicts, Way};
use recspeed_types::spec::{ParamValue, ResolvedRecommender};

/// What helps every method that reads what was rated.
const MEND: &str = "mend ratings far outside the scale";

/// What is left where nothing of its own can be moved any further.
const ANOTHER: &str = "take another recommender";

/// What keeps learnt numbers small, and which way. Nothing of the neighbourhood methods, which learn none: what they
/// compute overflows by the ratings alone.
const WAYS: &[(Way, &str)] = &[
    (Way::Lower, "learning_rate"),
    (Way::Lower, "init_deviation"),
    (Way::Lower, "alpha"),
    (Way::Raise, "regularization"),
    (Way::Raise, "bias_regularization"),
    (Way::Raise, "regularization_user"),
    (Way::Raise, "regularization_item"),
    (Way::Raise, "l2"),
];

/// What to change where it has run away, in words; `usual`: how large a rating usually is, where that is known.
pub(crate) fn what_to_change(recommender: &ResolvedRecommender, usual: Option<f32>) -> String {
    listed(&ways_to_change(recommender, usual))
}

/// What to change, of what this recommender's catalogue entry has, where it has run away or errs beyond all measure;
/// nothing where all that helps stands at its bound, and no rating is read. `usual`: how large a rating usually is,
/// where that is known.
pub fn ways_to_change(recommender: &ResolvedRecommender, usual: Option<f32>) -> Vec<String> {
    let entry = recommender.entry;
    // As the Gibbs sampler finds its own regularization, and only gradient descent has steps.
    let own: Vec<_> = WAYS.iter().filter(|(_, name)| recommender.reads(name, None)).collect();
    let has_some = own.iter().any(|(_, name)| entry.param(name).is_some());
    let mut ways: Vec<String> = near_the_scale(recommender, usual).into_iter().collect();
    ways.extend(own.into_iter().filter_map(|(way, name)| {
        let now = recommender.params().get(*name)?;
        let can_go = entry.param(name)?.can_go(*way, now);
        can_go.then(|| format!("{} recommender.{name} (now {now})", way.as_str()))
    }));
    // Whoever counts each rating as 1 knows none that could be too large.
    let weighs = |weighting: &ParamValue| matches!(weighting, ParamValue::Text(by) if by == "rating");
    // Similarities, too, are made of the ratings' products; networks that only rank know who has what.
    let by_ratings = entry.predicts != Predicts::Scores
        || recommender.params().get("weighting").is_some_and(weighs)
        || (!has_some && entry.family != Family::Neural);
    if by_ratings {
        ways.push(MEND.to_owned());
    }
    ways
}

/// The numbers of `nmf` start between 0 and 1, so that each product of two is a quarter on average: far from the scale
/// of the ratings, above or below it, every iteration makes up for twice what the one before has left. `None` where
/// they start near it, or cannot.
fn near_the_scale(recommender: &ResolvedRecommender, usual: Option<f32>) -> Option<String> {
    let now = recommender.params().get("factors").filter(|_| recommender.entry.kind == "nmf")?;
    let Some(usual) = usual.map(f64::from) else {
        return Some(format!("take recommender.factors near four times the usual rating (now {now})"));
    };
    let (ParamKind::Integer { min, max, .. }, ParamValue::Integer(factors)) =
        (&recommender.entry.param("factors")?.kind, now)
    else {
        return None;
    };
    let wanted = (4.0 * usual).round() as i64;
    let nearest = wanted.clamp(*min, *max);
    // From half to twice as large as it is to be no iteration is far off.
    let is_near = |factors: i64| (0.5..=2.0).contains(&(factors as f64 / (4.0 * usual)));
    let why = if nearest == wanted { ", four times the usual rating" } else { "" };
    let helps = !is_near(*factors) && is_near(nearest);
    helps.then(|| format!("take recommender.factors near {nearest}{why} (now {factors})"))
}

/// As the end of a sentence; to take another recommender where there is nothing else.
pub fn listed(ways: &[String]) -> String {
    match ways.split_last() {
        None => ANOTHER.to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{}, or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::ExperimentSpec;
    use recspeed_types::catalogue::{ENTRIES, Entry, Param};
    use recspeed_types::spec::{DatasetSpec, RecommenderSpec};

    use super::*;

    fn resolved(recommender: RecommenderSpec) -> ResolvedRecommender {
        let dataset = DatasetSpec::builtin("beauty-synthetic-10k");
        let mut spec = ExperimentSpec { dataset, recommender, ..ExperimentSpec::default() };
        spec.split.validation_ratio = Some(0.1);
        spec.evaluation.metrics = vec!["ndcg@10".parse().expect("a metric")];
        spec.resolve().unwrap_or_else(|errors| panic!("{errors}")).recommender
    }

    /// The kind by each of its solvers.
    fn by_each_solver(entry: &Entry) -> Vec<RecommenderSpec> {
        let plain = RecommenderSpec::new(entry.kind);
        let Some(ParamKind::Choice { options, .. }) = entry.param("solver").map(|param| &param.kind) else {
            return vec![plain];
        };
        options.iter().map(|solver| plain.clone().with("solver", ParamValue::Text((*solver).to_owned()))).collect()
    }

    /// The smallest and the largest value of a number.
    fn bounds(kind: &ParamKind) -> Option<[ParamValue; 2]> {
        match *kind {
            ParamKind::Integer { min, max, .. } => Some([min, max].map(ParamValue::Integer)),
            ParamKind::Float { min, max, .. } => Some([min, max].map(ParamValue::Float)),
            _ => None,
        }
    }

    /// With a parameter at the bound beyond which it cannot go this way.
    fn at_its_end(spec: RecommenderSpec, way: Way, param: &Param) -> RecommenderSpec {
        match (bounds(&param.kind), way) {
            (Some([min, _]), Way::Lower) => spec.with(param.name, min),
            (Some([_, max]), Way::Raise) => spec.with(param.name, max),
            (None, _) => panic!("{} is no number", param.name),
        }
    }

    /// Every kind, by each of its solvers, with each of its parameters that help.
    fn helping() -> impl Iterator<Item = (RecommenderSpec, Way, &'static Param)> {
        ENTRIES.iter().flat_map(|entry| {
            by_each_solver(entry).into_iter().flat_map(move |plain| {
                let here = WAYS.iter().filter_map(move |(way, name)| Some((*way, entry.param(name)?)));
                here.map(move |(way, param)| (plain.clone(), way, param))
            })
        })
    }

    #[test]
    fn a_remedy_names_nothing_that_stands_at_its_bound_already_and_always_something() {
        let mut named = 0;
        for (plain, way, param) in helping() {
            let back = if way == Way::Lower { Way::Raise } else { Way::Lower };
            let at = |way| resolved(at_its_end(plain.clone(), way, param));
            let place = format!("{}.{}", plain.kind, param.name);
            let it = format!("{} recommender.{} (now ", way.as_str(), param.name);
            let said = what_to_change(&at(way), None);
            assert!(!said.is_empty() && !said.contains(&it), "{place}: {said}");
            // At the other bound it is what helps, where it is read at all.
            let other = at(back);
            let said = what_to_change(&other, None);
            assert_eq!(said.contains(&it), other.reads(param.name, None), "{place}: {said}");
            named += usize::from(said.contains(&it));
        }
        assert!(named > 15, "{named} parameters");
    }

    #[test]
    fn whoever_has_moved_everything_as_far_as_it_goes_is_still_told_something() {
        let all_moved = |plain: RecommenderSpec, entry: &Entry| {
            let here = WAYS.iter().filter_map(|(way, name)| Some((*way, entry.param(name)?)));
            resolved(here.fold(plain, |spec, (way, param)| at_its_end(spec, way, param)))
        };
        for entry in ENTRIES {
            for plain in by_each_solver(entry) {
                let said = what_to_change(&all_moved(plain, entry), None);
                assert!(WAYS.iter().all(|(_, name)| !said.contains(&format!("recommender.{name} "))), "{said}");
                assert!([MEND, ANOTHER].iter().any(|part| said.ends_with(part)), "{}: {said}", entry.kind);
            }
        }
        // Who has what cannot be mended.
        let bpr = ENTRIES.iter().find(|entry| entry.kind == "bpr").expect("a kind of the catalogue");
        assert_eq!(what_to_change(&all_moved(RecommenderSpec::new("bpr"), bpr), None), ANOTHER);
    }

    #[test]
    fn nmf_is_told_where_its_factors_start_unless_they_do_or_cannot() {
        let said = |factors: i64, usual: Option<f32>| {
            let spec = RecommenderSpec::new("nmf").with("factors", ParamValue::Integer(factors));
            what_to_change(&resolved(spec), usual)
        };
        let unknown = said(100, None);
        assert!(
            unknown.starts_with("take recommender.factors near four times the usual rating (now 100), raise"),
            "{unknown}"
        );
        let far = said(100, Some(3.0));
        assert!(
            far.starts_with("take recommender.factors near 12, four times the usual rating (now 100), raise"),
            "{far}"
        );
        // Their range ends before that, but where they are near enough.
        let at_most = said(15, Some(400.0));
        assert!(at_most.starts_with("take recommender.factors near 1024 (now 15), raise"), "{at_most}");
        for (factors, usual) in [(15, 3.0), (24, 3.0), (1024, 400.0), (1024, 500.0), (15, 1e6), (15, 0.0), (1, 0.3)] {
            let said = said(factors, Some(usual));
            assert!(said.starts_with("raise recommender.regularization (now 0.06)"), "{factors}, {usual}: {said}");
        }
    }

    #[test]
    fn whoever_counts_each_rating_as_1_is_told_of_no_ratings() {
        for kind in ["als-implicit", "ease", "slim", "content-linear"] {
            let said = |weighting: &str| {
                let weighting = ParamValue::Text(weighting.to_owned());
                what_to_change(&resolved(RecommenderSpec::new(kind).with("weighting", weighting)), None)
            };
            assert!(said("rating").ends_with(MEND), "{kind}: {}", said("rating"));
            let binary = said("binary");
            assert!(binary.starts_with("lower ") || binary.starts_with("raise "), "{kind}: {binary}");
            assert!(!binary.contains(MEND), "{kind}: {binary}");
        }
    }
}
