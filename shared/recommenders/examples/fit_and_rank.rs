//! Times the fit of any kind, and its full ranking for everybody.
//!
//! `fit_and_rank FILE KIND [name=value …] [--rows N] [--repeats N]` prints a JSON line for the fit and one for the ranking.
//! A value is a number, true or false, or a choice; `--rows` takes the first rows of the file only. `--transposed 1` counts
//! the transposing of users × items as part of the fit: peers that get such a matrix transpose it in theirs.

mod support;

use std::time::Instant;

use recspeed_recommenders::{RankRequest, TrainSet, fit};
use recspeed_types::spec::{EvaluationSpec, ParamValue, RecommenderSpec};
use recspeed_types::{ExperimentSpec, MetricKind, MetricName, Unobserved};
use support::{Arguments, print_answer};

fn main() {
    let arguments = Arguments::read();
    let all = arguments.load();
    let rows: Vec<u32> = (0..all.len().min(arguments.number("--rows", usize::MAX)) as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let kind = arguments.positional(1).expect("the second argument is the kind");
    let mut recommender = RecommenderSpec::new(kind);
    for setting in (2..).map_while(|at| arguments.positional(at)) {
        let (name, value) = setting.split_once('=').expect("a parameter is name=value");
        recommender = recommender.with(name, parse(value));
    }
    let metrics = vec![MetricName::at(MetricKind::Ndcg, 10)];
    let evaluation = EvaluationSpec { metrics, ..EvaluationSpec::default() };
    let spec = ExperimentSpec { recommender, evaluation, ..ExperimentSpec::default() };
    let recommender = spec.resolve().expect("a valid spec").recommender;
    let everybody: Vec<u32> =
        (0..data.n_users() as u32).filter(|&user| !data.by_user.row(user as usize).0.is_empty()).collect();
    let tie_ranks = all.items.tie_ranks();
    let request =
        RankRequest { users: &everybody, k: 10, exclude: Some(&data.by_user), candidates: None, tie_ranks: &tie_ranks };
    let (mut fits, mut rankings) = (Vec::new(), Vec::new());
    let ranked = arguments.number("--ranked", 1) > 0;
    let transposed = arguments.number("--transposed", 0) > 0;
    for repeat in 0..=arguments.number("--repeats", 5) {
        let begun = Instant::now();
        if transposed {
            std::hint::black_box(data.by_user.transpose(all.n_items()));
        }
        let model = fit(&recommender, &data, 42, &mut Unobserved).expect("a fit");
        let fitted = begun.elapsed().as_secs_f64();
        if ranked {
            model.rank(&request, &mut Unobserved).expect("a ranking");
        }
        let whole = begun.elapsed().as_secs_f64();
        // The first is not counted.
        if repeat > 0 {
            fits.push(fitted);
            rankings.push(whole - fitted);
        }
    }
    let mode = if recommender.is_fast() { ", fast mode" } else { "" };
    print_answer(&format!("Recspeed, {kind} fit{mode}"), &fits, &data, "");
    if ranked {
        print_answer(&format!("Recspeed, {kind} ranking{mode}"), &rankings, &data, "");
    }
}

fn parse(value: &str) -> ParamValue {
    value
        .parse()
        .map(ParamValue::Integer)
        .or_else(|_| value.parse().map(ParamValue::Float))
        .or_else(|_| value.parse().map(ParamValue::Boolean))
        .unwrap_or_else(|_| ParamValue::Text(value.to_owned()))
}
