//! Times the fit of a factorization machine: the Gibbs sampler, 10 factors, 200 iterations, all of them kept but the burn-in.
//!
//! `fm_fit FILE [--factors N] [--iterations N] [--samples N] [--repeats N]` prints one JSON line. With `FILE.item` and
//! `FILE.user` beside a `FILE.inter`, `--side 1` takes the attributes of both as features.

mod support;

use std::time::Instant;

use recspeed_data::read_attributes;
use recspeed_recommenders::{TrainSet, fit};
use recspeed_types::spec::{EvaluationSpec, ParamValue, RecommenderSpec};
use recspeed_types::{ExperimentSpec, MetricKind, MetricName, Unobserved};
use support::{Arguments, print_answer};

fn main() {
    let arguments = Arguments::read();
    let all = arguments.load();
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let number = |name: &str, otherwise: usize| ParamValue::Integer(arguments.number(name, otherwise) as i64);
    let side = arguments.number("--side", 0) == 1;
    let beside = |extension: &str| {
        let path = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_default()).with_extension(extension);
        read_attributes(&std::fs::read(path).expect("a file of attributes")).expect("readable attributes").attributes
    };
    let known = side.then(|| (beside("item"), beside("user")));
    let data = TrainSet::new(&all, &rows).with_attributes(known.as_ref().map(|k| &k.0), known.as_ref().map(|k| &k.1));
    let names = |names: &[&str]| ParamValue::Names(names.iter().map(|&name| name.to_owned()).collect());
    let mut recommender = RecommenderSpec::new("fm")
        .with("factors", number("--factors", 10))
        .with("iterations", number("--iterations", 200))
        .with("samples", number("--samples", 200))
        .with("side", ParamValue::Boolean(side));
    if side {
        // As the documentation of myFM has them: no titles.
        recommender = recommender.with("item_attributes", names(&["release_year", "class"]));
    }
    let metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
    let evaluation = EvaluationSpec { metrics, ..EvaluationSpec::default() };
    let resolved = |recommender: RecommenderSpec| {
        let spec = ExperimentSpec { recommender, evaluation: evaluation.clone(), ..ExperimentSpec::default() };
        spec.resolve().expect("a valid spec").recommender
    };
    // A short one first that is not counted.
    let short = resolved(recommender.clone().with("iterations", ParamValue::Integer(2)));
    fit(&short, &data, 42, &mut Unobserved).expect("a fit");
    let recommender = resolved(recommender);
    let seconds: Vec<f64> = (0..arguments.number("--repeats", 3))
        .map(|_| {
            let begun = Instant::now();
            fit(&recommender, &data, 42, &mut Unobserved).expect("a fit");
            begun.elapsed().as_secs_f64()
        })
        .collect();
    print_answer("ours, fm by Gibbs sampling", &seconds, &data, "");
}
