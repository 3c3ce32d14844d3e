//! What attention costs by the length of its rows, in memory and in time.

use std::time::Instant;

use burn::tensor::{Device, Distribution, Tensor};

use super::{Kept, Pattern, Scope};
use crate::sequence::encoder::Drops;
use crate::sequence::packing::Lines;
use crate::{ALLOCATED, NeuralDevice};

/// Numbers of a vector, heads, and slots of a batch: as many for every length, so that all that is not attention is the same.
const D: usize = 64;
const HEADS: usize = 1;
const SLOTS: usize = 4096;

/// One pass there and back over rows that are filled by one sequence each.
struct Trial {
    scope: Scope,
    /// Queries, keys, values, and the slope of the loss by what comes out.
    numbers: [Tensor<2>; 4],
}

/// What a pass took.
struct Took {
    seconds: f64,
    /// Bytes between the way there and the way back.
    kept: usize,
    /// Bytes at the worst moment.
    peak: usize,
}

impl Trial {
    fn new(pattern: Pattern, width: usize, device: &Device) -> Self {
        let items: Vec<u32> = (0..width as u32).collect();
        let lines = vec![Lines { inputs: &items, targets: &[] }; SLOTS / width];
        let (grid, scoring) = pattern.pack(&lines, Kept { of_a_slot: 16 * D, of_a_score: 4 * HEADS });
        let scope = Scope::new(pattern, scoring, true, &grid, device);
        let numbers = [(); 4].map(|()| Tensor::random([SLOTS, D], Distribution::Default, device));
        Self { scope, numbers }
    }

    fn run(&self) -> Took {
        let [query, key, value, slope] = self.numbers.clone();
        let leaf = |x: Tensor<2>| x.autodiff().require_grad();
        let (query, key, value) = (leaf(query), leaf(key), leaf(value));
        ALLOCATED.reset_peak_usage();
        let (before, begun) = (ALLOCATED.current_usage(), Instant::now());
        let seen = self.scope.attend(query.clone(), key.clone(), value.clone(), HEADS, &mut Drops::none());
        let kept = ALLOCATED.current_usage() - before;
        let mut tape = (seen * slope.autodiff()).sum().backward();
        let gradients = [query, key, value].map(|x| x.grad_remove(&mut tape));
        let took = Took { seconds: begun.elapsed().as_secs_f64(), kept, peak: ALLOCATED.peak_usage() - before };
        assert!(gradients.iter().all(Option::is_some));
        took
    }
}

fn median(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[0], values[values.len() - 1])
}

/// Thousands of millions of operations a second that one product of square matrices reaches.
fn gflops(device: &Device) -> f64 {
    let side = 1024;
    let [a, b] = [(); 2].map(|()| Tensor::<2>::random([side, side], Distribution::Default, device));
    let (seconds, ..) = median((0..9).map(|_| {
        let begun = Instant::now();
        let _product = a.clone().matmul(b.clone());
        begun.elapsed().as_secs_f64()
    }));
    2.0 * (side as f64).powi(3) / seconds / 1e9
}

#[test]
#[ignore = "measures time and memory: run it alone, on a quiet machine"]
fn cost_by_length() {
    const ROUNDS: usize = 7;
    let device = NeuralDevice::flex().plain();
    let rate = gflops(&device);
    println!("a product of 1024 x 1024 matrices: {rate:.1} GFLOP/s\n");
    println!(
        "| length | attention | scores a slot | products at that rate, ms | ms | x full | kept, MiB | x full | peak, MiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for width in [64, 128, 256, 512, 1024, 2048, 4096] {
        let patterns = [
            ("full", Pattern::Full),
            ("window of 32", Pattern::LocalWindow { window: 32 }),
            ("blocks of 32", Pattern::BlockSparse { block: 32 }),
        ];
        let trials = patterns.map(|(_, pattern)| Trial::new(pattern, width, &device));
        let mut took: [Vec<Took>; 3] = Default::default();
        for round in 0..=ROUNDS {
            for (trial, took) in trials.iter().zip(&mut took) {
                let pass = trial.run();
                // The first one warms the caches.
                if round > 0 {
                    took.push(pass);
                }
            }
        }
        let mut full = (0.0, 0.0);
        for (((name, pattern), trial), took) in patterns.iter().zip(&trials).zip(&took) {
            let (ms, least, most) = median(took.iter().map(|pass| pass.seconds * 1e3));
            let mib = |of: fn(&Took) -> usize| median(took.iter().map(|pass| of(pass) as f64 / 1048576.0)).0;
            let (kept, peak) = (mib(|pass| pass.kept), mib(|pass| pass.peak));
            let scores = trial.scope.scores() / width;
            // Two products there and four back, each with two operations for a score and a number of a vector.
            let floor = (12 * D * scores * SLOTS) as f64 / rate / 1e6;
            if *pattern == Pattern::Full {
                full = (ms, kept);
            }
            let (times, size) = (ms / full.0, kept / full.1);
            println!(
                "| {width} | {name} | {scores} | {floor:.1} | {ms:.1} ({least:.1} to {most:.1}) | {times:.2} | {kept:.1} | {size:.2} | {peak:.1} |"
            );
        }
    }
}
