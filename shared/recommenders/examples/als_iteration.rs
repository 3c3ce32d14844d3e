//! Times iterations of implicit ALS: 64 factors, three steps of conjugate gradient, the loss included.
//!
//! `als_iteration FILE [--factors N] [--iterations N]` prints one JSON line with the seconds of each iteration.

mod support;

use std::time::Instant;

use recspeed_recommenders::TrainSet;
use recspeed_recommenders::factorization::{Als, AlsSettings, Confidence, Solver};
use support::{Arguments, print_answer};

fn main() {
    let arguments = Arguments::read();
    let all = arguments.load();
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let settings = AlsSettings {
        factors: arguments.number("--factors", 64),
        regularization: 0.01,
        confidence: Confidence { alpha: 1.0, by_rating: false },
        solver: Solver::ConjugateGradient { steps: 3 },
    };
    let mut als = Als::new(&data, settings, 42).expect("memory for the vectors");
    let mut iterate = || als.iterate(|| true).expect("finite vectors").expect("nobody stops it");
    // One uncounted iteration, from vectors near 0.
    iterate();
    let seconds: Vec<f64> = (0..arguments.number("--iterations", 10))
        .map(|_| {
            let begun = Instant::now();
            iterate();
            begun.elapsed().as_secs_f64()
        })
        .collect();
    print_answer("ours, ALS-CG per iteration", &seconds, &data, "loss after each iteration included");
}
