//! Times the fit of item-knn, and its full ranking: 50 neighbours, ratings as weights.
//!
//! `item_knn_fit FILE [--neighbours N] [--repeats N]` prints a JSON line for the fit and one for the ranking.

mod support;

use std::time::Instant;

use recspeed_recommenders::{RankRequest, TrainSet, fit};
use recspeed_types::spec::{EvaluationSpec, ParamValue, RecommenderSpec};
use recspeed_types::{ExperimentSpec, MetricKind, MetricName, Unobserved};
use support::{Arguments, print_answer};

fn main() {
    let arguments = Arguments::read();
    let all = arguments.load();
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let neighbours = ParamValue::Integer(arguments.number("--neighbours", 50) as i64);
    let metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
    let spec = ExperimentSpec {
        recommender: RecommenderSpec::new("item-knn").with("neighbours", neighbours),
        evaluation: EvaluationSpec { metrics, ..EvaluationSpec::default() },
        ..ExperimentSpec::default()
    };
    let recommender = spec.resolve().expect("a valid spec").recommender;
    let everybody: Vec<u32> = (0..data.n_users() as u32).collect();
    let tie_ranks = all.items.tie_ranks();
    let request =
        RankRequest { users: &everybody, k: 10, exclude: Some(&data.by_user), candidates: None, tie_ranks: &tie_ranks };
    let (mut fits, mut rankings) = (Vec::new(), Vec::new());
    for repeat in 0..=arguments.number("--repeats", 5) {
        let begun = Instant::now();
        let model = fit(&recommender, &data, 42, &mut Unobserved).expect("a fit");
        let fitted = begun.elapsed().as_secs_f64();
        model.rank(&request, &mut Unobserved).expect("a ranking");
        let ranked = begun.elapsed().as_secs_f64() - fitted;
        // The first is not counted.
        if repeat > 0 {
            fits.push(fitted);
            rankings.push(ranked);
        }
    }
    print_answer("ours, item-knn fit", &fits, &data, "");
    print_answer("ours, item-knn ranking", &rankings, &data, "");
}
