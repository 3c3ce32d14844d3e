//! What to change of a recommender that has run away, or errs beyond all measure: only what can still be changed that
//! way.

use recspeed_data::{FAR_RATING, usual_rating};
use recspeed_types::catalogue::{Family, Param, ParamKind, Predicts, Way};
use recspeed_types::spec::{ParamValue, ResolvedRecommender};

/// What helps every method that reads what was rated, where some of it is far from the rest.
const MEND: &str = "mend ratings far outside the scale";

/// What is left where nothing of its own can be moved any further.
const ANOTHER: &str = "take another recommender";

/// Kinds that add ratings up and divide them by their number, which gives the same in any unit.
const IN_ANY_UNIT: &str = "take bias, user-knn or slope-one, which are the same for ratings of any size";

/// Defaults are chosen on a few stars; where the usual rating is larger than that, they are far off.
const LARGE: f32 = 20.0;

/// The usual rating of a scale of a few stars.
const STARS: f64 = 3.0;

/// Squares of larger ratings, many of them added up, come near the end of what single precision holds.
const OVERFLOWING: f32 = 1e15;

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

/// Kinds whose steps are as long as the error and the learning rate say: AdaGrad, of the others that have one, makes up
/// for large errors itself.
const BY_ERROR: &[&str] = &["biased-mf", "svd++", "fm"];

/// How large ratings are.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Sizes {
    usual: f32,
    lowest: f32,
    highest: f32,
}

impl Sizes {
    /// `None` without ratings.
    fn of(ratings: &[f32]) -> Option<Self> {
        let usual = usual_rating(ratings)?;
        let wider = |(low, high): (f32, f32), rating: f32| (low.min(rating), high.max(rating));
        let (lowest, highest) = ratings.iter().copied().fold((f32::MAX, f32::MIN), wider);
        Some(Self { usual, lowest, highest })
    }

    /// How many times as large as a few stars.
    fn in_stars(self) -> f64 {
        f64::from(self.usual) / STARS
    }

    /// Whether all of them are too large for this recommender, or for a component of it, whatever the scale is.
    fn are_large_for(self, recommender: &ResolvedRecommender) -> bool {
        let limit = |each: &ResolvedRecommender| match each.entry.family {
            // Networks bring ratings onto a scale of their own; hybrids are what their components are.
            Family::Neural | Family::Hybrid => f32::INFINITY,
            Family::Baseline | Family::Neighbourhood => OVERFLOWING,
            Family::Factorization | Family::Linear | Family::Content | Family::FactorizationMachine => LARGE,
        };
        recommender.all().into_iter().any(|each| self.usual > limit(each))
    }

    /// Whether some of them are far from the usual one.
    fn have_far(self) -> bool {
        let usual = if self.usual > 0.0 { self.usual } else { 1.0 };
        f64::from(self.highest.max(-self.lowest)) > f64::from(FAR_RATING) * f64::from(usual)
    }

    /// How to bring all of them to a few stars.
    fn divided(self) -> String {
        let [low, high, usual] = [self.lowest, self.highest, self.usual].map(short);
        let by = short(one_digit(self.in_stars()) as f32);
        format!(
            "divide the ratings in the file by {by} (they go from {low} to {high}, the usual size is {usual}, and \
             defaults are made for a few stars)"
        )
    }
}

/// What to change where it has run away on such ratings, in words.
pub(crate) fn what_to_change(recommender: &ResolvedRecommender, ratings: &[f32]) -> String {
    listed(&ways_to_change(recommender, ratings))
}

/// What to change, of what this recommender's catalogue entry has, where it has run away or errs beyond all measure on
/// such ratings; nothing where all that helps stands at its bound, and the ratings are as they are usually, or not
/// read. No ratings: it is not known what they are.
///
/// # Shapes
/// - `ratings`: `[rows]`, all finite
pub fn ways_to_change(recommender: &ResolvedRecommender, ratings: &[f32]) -> Vec<String> {
    let (sizes, reads) = (Sizes::of(ratings), reads_ratings(recommender));
    let large = sizes.filter(|sizes| reads && sizes.are_large_for(recommender));
    let have_far = sizes.is_some_and(Sizes::have_far);
    let mut ways: Vec<String> = large.map(Sizes::divided).into_iter().collect();
    if large.is_none() {
        ways.extend(near_the_scale(recommender, sizes.map(|sizes| sizes.usual)));
        ways.extend(settled(recommender));
    }
    ways.extend(WAYS.iter().filter_map(|(way, name)| of_parameter(recommender, (*way, *name), large, have_far)));
    if large.is_some_and(|sizes| sizes.usual <= OVERFLOWING) && learns_ratings(recommender) {
        ways.push(IN_ANY_UNIT.to_owned());
    }
    if reads && (have_far || sizes.is_none()) {
        ways.push(MEND.to_owned());
    }
    ways
}

/// How to bring all ratings to the size that this recommender's defaults are made for; `None` where they are of that
/// size, and where their size does not matter to it.
///
/// # Shapes
/// - `ratings`: `[rows]`, all finite
pub fn divided(recommender: &ResolvedRecommender, ratings: &[f32]) -> Option<String> {
    let sizes = Sizes::of(ratings).filter(|sizes| sizes.are_large_for(recommender))?;
    reads_ratings(recommender).then(|| sizes.divided())
}

/// Whether what it learns depends on how large ratings are.
fn reads_ratings(recommender: &ResolvedRecommender) -> bool {
    let entry = recommender.entry;
    let has_some = WAYS.iter().any(|(_, name)| recommender.reads(name, None) && entry.param(name).is_some());
    // Whoever counts each rating as 1 knows none that could be too large.
    let weighs = |weighting: &ParamValue| matches!(weighting, ParamValue::Text(by) if by == "rating");
    // Similarities, too, are made of the ratings' products; networks that only rank know who has what.
    entry.predicts != Predicts::Scores
        || recommender.params().get("weighting").is_some_and(weighs)
        || (!has_some && entry.family != Family::Neural)
}

/// Whether it learns vectors whose products are ratings.
fn learns_ratings(recommender: &ResolvedRecommender) -> bool {
    let entry = recommender.entry;
    matches!(entry.family, Family::Factorization | Family::FactorizationMachine) && entry.predicts != Predicts::Scores
}

/// How to change one of its parameters this way; `None` where it has no such one, or cannot go any further, or where
/// that helps nothing: where all ratings are large, or some of them are beyond every scale, no default holds what is
/// learnt of them, and only what was moved away from it made things worse.
fn of_parameter(
    recommender: &ResolvedRecommender,
    (way, name): (Way, &str),
    large: Option<Sizes>,
    have_far: bool,
) -> Option<String> {
    // As the Gibbs sampler finds its own regularization, and only gradient descent has steps.
    let now = recommender.params().get(name).filter(|_| recommender.reads(name, None))?;
    let param = recommender.entry.param(name)?;
    if let Some(sizes) = large.filter(|_| name == "learning_rate" && BY_ERROR.contains(&recommender.entry.kind)) {
        return fitting_rate(recommender, (param, now), sizes);
    }
    let is_strange = large.is_some() || (have_far && name != "learning_rate");
    let must_be_moved = is_strange && learns_ratings(recommender);
    let helps = param.can_go(way, now) && (!must_be_moved || param.way_back(now) == Some(way));
    helps.then(|| format!("{} recommender.{name} (now {now})", way.as_str()))
}

/// The default is made for a few stars. The products of two vectors are as large as the ratings, and so are the squares
/// of each: a step stays as long beside them where it is shortened by as much as the ratings are larger. Through a link
/// that spreads over the whole scale the slope is as large once more. `None` where that is less than may be set.
fn fitting_rate(
    recommender: &ResolvedRecommender,
    (param, now): (&Param, &ParamValue),
    sizes: Sizes,
) -> Option<String> {
    let (ParamKind::Float { min, default, .. }, ParamValue::Float(rate)) = (&param.kind, now) else { return None };
    let spreads = matches!(recommender.params().get("link"), Some(ParamValue::Text(link)) if link == "sigmoid");
    let times = sizes.in_stars().powi(if spreads { 2 } else { 1 });
    let fitting = one_digit(default / times);
    if fitting < *min {
        return None;
    }
    if *rate > fitting {
        return Some(format!(
            "take recommender.learning_rate near {} (now {now}) and many more iterations",
            short(fitting as f32)
        ));
    }
    (rate > min).then(|| format!("lower recommender.learning_rate (now {now})"))
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
    // From half to twice as large as it is to be no iteration is far off.
    let is_near = |factors: i64| (0.5..=2.0).contains(&(factors as f64 / (4.0 * usual)));
    let helps = (*min..=*max).contains(&wanted) && !is_near(*factors) && is_near(wanted);
    helps.then(|| format!("take recommender.factors near {wanted}, four times the usual rating (now {factors})"))
}

/// The swings of `nmf` die away where something holds its numbers back: a fit of fewer iterations than usual ends
/// before.
fn settled(recommender: &ResolvedRecommender) -> Option<String> {
    let param = recommender.entry.param("iterations").filter(|_| recommender.entry.kind == "nmf")?;
    let held = |penalty: &ParamValue| matches!(penalty, ParamValue::Float(penalty) if *penalty > 0.0);
    let is_held = recommender.params().get("regularization").is_some_and(held);
    let now = recommender.params().get("iterations").filter(|now| param.way_back(now) == Some(Way::Raise))?;
    is_held.then(|| format!("raise recommender.iterations (now {now})"))
}

/// Somebody types it.
fn one_digit(value: f64) -> f64 {
    format!("{value:.0e}").parse().unwrap_or(value)
}

/// Without a row of zeros for huge numbers and for tiny ones.
fn short(value: f32) -> String {
    if value == 0.0 || (1e-3..1e5).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
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
    use recspeed_types::catalogue::{ENTRIES, Entry};
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
            let said = what_to_change(&at(way), &[]);
            assert!(!said.is_empty() && !said.contains(&it), "{place}: {said}");
            // At the other bound it is what helps, where it is read at all.
            let other = at(back);
            let said = what_to_change(&other, &[]);
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
                let said = what_to_change(&all_moved(plain, entry), &[]);
                assert!(WAYS.iter().all(|(_, name)| !said.contains(&format!("recommender.{name} "))), "{said}");
                assert!([MEND, ANOTHER].iter().any(|part| said.ends_with(part)), "{}: {said}", entry.kind);
            }
        }
        // Who has what cannot be mended.
        let bpr = ENTRIES.iter().find(|entry| entry.kind == "bpr").expect("a kind of the catalogue");
        assert_eq!(what_to_change(&all_moved(RecommenderSpec::new("bpr"), bpr), &[]), ANOTHER);
    }

    /// What is said to a kind with these parameters, of such ratings.
    fn said(kind: &str, params: &[(&str, ParamValue)], ratings: &[f32]) -> String {
        let set = |spec: RecommenderSpec, (name, value): &(&str, ParamValue)| spec.with(name, value.clone());
        what_to_change(&resolved(params.iter().fold(RecommenderSpec::new(kind), set)), ratings)
    }

    #[test]
    fn nmf_is_told_where_its_factors_start_unless_they_do_or_cannot() {
        let said = |factors: i64, ratings: &[f32]| said("nmf", &[("factors", ParamValue::Integer(factors))], ratings);
        let unknown = said(100, &[]);
        assert!(
            unknown.starts_with("take recommender.factors near four times the usual rating (now 100), raise"),
            "{unknown}"
        );
        let far = said(100, &[3.0]);
        assert!(
            far.starts_with("take recommender.factors near 12, four times the usual rating (now 100), or raise"),
            "{far}"
        );
        for (factors, usual) in [(15, 3.0), (24, 3.0), (15, 0.0), (1, 0.3)] {
            let said = said(factors, &[usual]);
            assert_eq!(said, "raise recommender.regularization (now 0.06)", "{factors}, {usual}");
        }
    }

    #[test]
    fn nmf_that_ends_before_its_swings_settle_is_told_to_go_on_where_they_do() {
        let said = |iterations: i64, penalty: f64| {
            let [iterations, factors] = [iterations, 400].map(ParamValue::Integer);
            let penalty = ParamValue::Float(penalty);
            let params = [("factors", factors), ("iterations", iterations), ("regularization", penalty)];
            said("nmf", &params, &[3.0])
        };
        assert!(said(5, 0.06).contains(", raise recommender.iterations (now 5), or raise"), "{}", said(5, 0.06));
        for (iterations, penalty) in [(50, 0.06), (1000, 0.06), (5, 0.0)] {
            let said = said(iterations, penalty);
            assert!(!said.contains("recommender.iterations"), "{said}");
        }
    }

    #[test]
    fn ratings_that_are_all_large_are_to_be_divided_and_none_of_them_is_called_far_outside() {
        let thousands = [1000.0, 2000.0, 3000.0, 4000.0, 5000.0];
        assert_eq!(
            said("biased-mf", &[], &thousands),
            "divide the ratings in the file by 1000 (they go from 1000 to 5000, the usual size is 3000, and defaults \
             are made for a few stars), take recommender.learning_rate near 5e-6 (now 0.005) and many more \
             iterations, or take bias, user-knn \
             or slope-one, which are the same for ratings of any size"
        );
        let percent = [20.0, 40.0, 60.0, 80.0, 100.0];
        for kind in ["svd++", "nmf", "biased-mf", "ffm", "fm", "als-explicit"] {
            let said = said(kind, &[], &percent);
            let start = "divide the ratings in the file by 20 (they go from 20 to 100, the usual size is 60, and";
            assert!(said.starts_with(start) && said.ends_with("of any size") && !said.contains(MEND), "{kind}: {said}");
            assert!(!said.contains("factors") && !said.contains("regularization"), "{kind}: {said}");
            assert!(!said.contains("init_deviation"), "{kind}: {said}");
        }
        let huge = said("fm", &[], &[1e38, 3e38, 2e38]);
        assert!(huge.starts_with("divide the ratings in the file by 7e37 (they go from 1e38 to 3e38, "), "{huge}");
        assert!(huge.ends_with("a few stars)"), "nothing else copes with their squares: {huge}");
    }

    #[test]
    fn beside_large_ratings_only_what_was_moved_away_from_its_default_is_moved_back() {
        let percent = [20.0, 40.0, 60.0, 80.0, 100.0];
        let moved = [("init_deviation", 5.0), ("regularization", 0.0)];
        let moved = moved.map(|(name, value)| (name, ParamValue::Float(value)));
        let said = said("biased-mf", &moved, &percent);
        for part in ["lower recommender.init_deviation (now 5)", "raise recommender.regularization (now 0)"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("bias_regularization"), "{said}");
    }

    #[test]
    fn a_learning_rate_is_fitted_to_the_size_of_the_ratings_where_it_may_be_so_small_and_is_not_yet() {
        let said = |rate: f64, link: &str, usual: f32| {
            let params = [("learning_rate", ParamValue::Float(rate)), ("link", ParamValue::Text(link.to_owned()))];
            said("biased-mf", &params, &[usual])
        };
        let near = said(0.005, "identity", 300.0);
        assert!(near.contains("take recommender.learning_rate near 5e-5 (now 0.005)"), "{near}");
        let through = said(0.005, "sigmoid", 30.0);
        assert!(through.contains("take recommender.learning_rate near 5e-5 (now 0.005)"), "{through}");
        let lower = said(2e-5, "identity", 300.0);
        assert!(lower.contains("lower recommender.learning_rate (now 0.00002)"), "{lower}");
        let beyond = said(0.005, "identity", 3e6);
        assert!(!beyond.contains("learning_rate") && beyond.starts_with("divide"), "{beyond}");
    }

    #[test]
    fn whoever_computes_the_same_in_any_unit_is_told_of_large_ratings_only_where_they_overflow() {
        for kind in ["bias", "user-knn", "slope-one", "item-knn", "mlp"] {
            let (thousands, huge) = (said(kind, &[], &[1000.0, 5000.0]), said(kind, &[], &[1e38, 3e38]));
            assert!(!thousands.contains("divide"), "{kind}: {thousands}");
            assert_eq!(huge.contains("divide"), kind != "mlp", "{kind}: {huge}");
        }
        assert!(!said("bpr", &[], &[1e38, 3e38]).contains("divide"), "it knows who has what");
    }

    #[test]
    fn ratings_are_to_be_mended_where_one_is_far_from_the_rest_and_large_ones_too() {
        for kind in ["biased-mf", "svd++", "nmf", "fm", "ffm", "user-knn"] {
            let said = |ratings: &[f32]| said(kind, &[], ratings);
            let stars = said(&[1.0, 2.0, 3.0, 4.0, 5.0]);
            assert!(!stars.contains(MEND) && !stars.contains("divide"), "{kind}: {stars}");
            let one = said(&[1.0, 2.0, 3.0, 4.0, 1e30]);
            assert!(one.ends_with(MEND) && !one.contains("divide"), "{kind}: {one}");
            assert!(!one.contains("regularization") && !one.contains("init_deviation"), "{kind}: {one}");
            let below = said(&[1.0, 2.0, 3.0, 4.0, -1e30]);
            assert!(below.ends_with(MEND), "{kind}: {below}");
        }
        let both = said("svd++", &[], &[1000.0, 2000.0, 3000.0, 4000.0, 1e30]);
        assert!(both.starts_with("divide") && both.ends_with(MEND), "{both}");
    }

    #[test]
    fn whoever_counts_each_rating_as_1_is_told_of_no_ratings() {
        for kind in ["als-implicit", "ease", "slim", "content-linear"] {
            let said = |weighting: &str| {
                let weighting = ParamValue::Text(weighting.to_owned());
                what_to_change(&resolved(RecommenderSpec::new(kind).with("weighting", weighting)), &[])
            };
            assert!(said("rating").ends_with(MEND), "{kind}: {}", said("rating"));
            let binary = said("binary");
            assert!(binary.starts_with("lower ") || binary.starts_with("raise "), "{kind}: {binary}");
            assert!(!binary.contains(MEND), "{kind}: {binary}");
        }
    }
}
