//! Times a full ranking by products of vectors: every user, every item, the user's own items left out.
//!
//! `full_ranking FILE [--factors N] [--k N] [--repeats N]` prints one JSON line with the seconds of each repeat.

mod support;

use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_recommenders::ranking::by_factors;
use recspeed_recommenders::{RankRequest, TrainSet};
use recspeed_types::Unobserved;
use support::{Arguments, print_answer};

fn main() {
    let arguments = Arguments::read();
    let all = arguments.load();
    let rows: Vec<u32> = (0..all.len() as u32).collect();
    let data = TrainSet::new(&all, &rows);
    let d = arguments.number("--factors", 64);
    let mut rng = ChaCha8Rng::seed_from_u64(42);
    let users = normal(&mut rng, data.n_users() * d);
    let items = normal(&mut rng, data.n_items() * d);
    let everybody: Vec<u32> = (0..data.n_users() as u32).collect();
    let tie_ranks = all.items.tie_ranks();
    let request = RankRequest {
        users: &everybody,
        k: arguments.number("--k", 10),
        exclude: Some(&data.by_user),
        candidates: None,
        tie_ranks: &tie_ranks,
    };
    let rank = || by_factors(&users, &items, d, &request, &mut Unobserved).expect("a ranking");
    rank();
    let seconds: Vec<f64> = (0..arguments.number("--repeats", 5))
        .map(|_| {
            let begun = Instant::now();
            let ranking = rank();
            let seconds = begun.elapsed().as_secs_f64();
            assert_eq!(ranking.ties.len(), everybody.len());
            seconds
        })
        .collect();
    print_answer("ours, full ranking", &seconds, &data, "");
}

/// Independent standard normal numbers (Box, Muller).
fn normal(rng: &mut ChaCha8Rng, n: usize) -> Vec<f32> {
    let mut uniform = || (f64::from(rng.next_u32()) + 0.5) / 4_294_967_296.0;
    (0..n).map(|_| ((-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()) as f32).collect()
}
