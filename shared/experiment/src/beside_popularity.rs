//! Whether what was trained to make lists finds less than popularity does, and what is said where it does.

use recspeed_metrics::significance::Paired;
use recspeed_types::MetricName;
use recspeed_types::catalogue::Predicts;
use recspeed_types::spec::{Candidates, ResolvedSpec};

use crate::Host;
use crate::evaluate::UserTable;
use crate::run::Story;
use crate::runaway::what_else;

/// Of fewer users nobody can tell how far chance reaches: their spread is a guess itself.
const FEW: usize = 30;

/// So many standard errors are what chance may do to a mean difference: in one of forty cases it does more, each way.
const CHANCE: f64 = 2.0;

/// Lists that find less by a smaller part are as good as those of popularity: to say that a training came to nothing takes more.
const LITTLE: f64 = 0.05;

/// Parameters of what is fitted in steps or rounds and may be fitted wrongly.
const LEARNT: [&str; 2] = ["learning_rate", "factors"];

/// Warns of lists of a network or of factors that find less than those of popularity do for the same users, and not by chance. Not of
/// methods that learn ratings or likes, which are no guess at what somebody takes next, nor of those that only count, nor among cold items
/// alone. `metric`: one of which more is better; `own`, `popular`: what each user has of it, for the same users.
pub(crate) fn warn_of_fewer_hits(
    spec: &ResolvedSpec,
    metric: MetricName,
    (own, popular): (&UserTable, &UserTable),
    host: &mut dyn Host,
    story: &mut Story,
) {
    if !is_held_against(spec) {
        return;
    }
    let name = metric.to_string();
    let (Some(of_own), Some(of_popular)) = (own.columns.get(&name), popular.columns.get(&name)) else { return };
    if let Some(means) = fewer(of_own, of_popular) {
        story.warn(host, told(spec, &name, means));
    }
}

/// Whether lists of what was fitted are to find what popularity finds. Items that nobody had before are all as popular: there the rule for
/// ties makes its list, and whoever finds less than that may have learnt a lot.
fn is_held_against(spec: &ResolvedSpec) -> bool {
    let is_fitted = spec.training.is_some() || LEARNT.iter().any(|name| spec.recommender.params().contains_key(*name));
    let makes_lists = matches!(spec.recommender.predicts(), Predicts::Scores | Predicts::Both);
    is_fitted && makes_lists && spec.evaluation.candidates != Candidates::Cold
}

/// The means of both over the users who have both, where the first is less, and not by chance.
fn fewer(own: &[Option<f64>], popular: &[Option<f64>]) -> Option<[f64; 2]> {
    let both = own.iter().zip(popular).filter_map(|(own, popular)| own.zip(*popular));
    let (own, popular): (Vec<f64>, Vec<f64>) = both.unzip();
    let less = Paired::new(&popular, &own).ok().filter(|less| less.pairs() >= FEW)?;
    let users = less.pairs() as f64;
    let [own, popular] = [own, popular].map(|values| values.iter().sum::<f64>() / users);
    let by_chance = CHANCE * less.sd() / users.sqrt();
    (less.mean() > by_chance && less.mean() > LITTLE * popular).then_some([own, popular])
}

fn told(spec: &ResolvedSpec, metric: &str, means: [f64; 2]) -> String {
    let [own, popular] = means.map(|mean| format!("{mean:.4}"));
    format!(
        "the {metric} is {own}, and that of popularity, which only counts rows, is {popular} for the same users: as it was set, {} \
         finds less than counting does; {}",
        spec.recommender.entry.kind,
        what_else(spec)
    )
}

#[cfg(test)]
mod tests {
    use recspeed_types::ExperimentSpec;
    use recspeed_types::spec::RecommenderSpec;

    use super::*;

    /// Every second user finds `hit` by popularity, and each of them so much less by the method; others nothing by either.
    fn of_users(users: u32, less: impl Fn(u32) -> f64) -> Option<[f64; 2]> {
        let popular: Vec<Option<f64>> = (0..users).map(|user| Some(f64::from(user % 2))).collect();
        let own = |user: u32| Some(if user % 2 == 1 { 1.0 - less(user) } else { 0.0 });
        fewer(&(0..users).map(own).collect::<Vec<_>>(), &popular)
    }

    #[test]
    fn lists_that_find_clearly_less_are_told_and_those_that_chance_explains_are_not() {
        assert_eq!(of_users(40, |_| 0.5), Some([0.25, 0.5]));
        assert_eq!(of_users(40, |_| 1.0), Some([0.0, 0.5]));
        assert_eq!(of_users(40, |_| 0.0), None, "as much");
        assert_eq!(of_users(40, |_| -0.5), None, "more");
        assert_eq!(of_users(4000, |_| 0.04), None, "hardly less");
        // A twentieth of the users lose all: of so few nobody can tell.
        assert_eq!(of_users(40, |user| if user % 20 == 1 { 1.0 } else { 0.0 }), None);
        assert!(of_users(4000, |user| if user % 20 == 1 { 1.0 } else { 0.0 }).is_some());
    }

    #[test]
    fn what_is_fitted_for_lists_is_held_against_popularity_wherever_that_counts_rows_of_the_candidates() {
        let is_held = |kind: &str, candidates: Candidates| {
            let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            spec.evaluation.candidates = candidates;
            is_held_against(&spec.resolve().unwrap_or_else(|errors| panic!("{kind}: {errors}")))
        };
        for kind in ["bpr", "feature-embeddings", "neumf"] {
            for candidates in Candidates::EVERY {
                let due = candidates != Candidates::Cold;
                assert_eq!(is_held(kind, candidates), due, "{kind}, {}", candidates.as_str());
            }
        }
        for kind in ["item-knn", "biased-mf", "mlp", "random"] {
            assert!(!is_held(kind, Candidates::Unseen), "{kind}: it counts, or learns ratings");
        }
    }

    #[test]
    fn of_few_users_and_of_users_without_a_value_nothing_is_told() {
        assert_eq!(of_users(29, |_| 1.0), None);
        assert_eq!(fewer(&[None; 40], &[Some(1.0); 40]), None);
        assert_eq!(fewer(&[], &[]), None);
    }
}
