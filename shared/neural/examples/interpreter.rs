//! What the interpreter of strategies costs: the same training by one device as a whole, and by one rank with one stage and one
//! micro-batch, in turn.
//!
//! `cargo run --release -p recspeed-neural --example interpreter -- [PAIRS]` prints the median of both, in seconds that the process
//! computed, and of their quotient, over PAIRS (default 15) for each network. With `whole` or `rank` behind it that one alone trains the
//! first network, for a profiler to look at.

mod support;

use recspeed_data::{Interactions, generate};
use recspeed_neural::{FitRequest, NeuralDevice, Rows, Seat, TOLD_STEPS, fit, fit_ranked};
use recspeed_parallel::{AnyTransport, Communicator, Crew as _, FirstTask, LocalCrew, RankFailure, Task};
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, Unobserved, builtin};

type Failure = Box<dyn std::error::Error>;

/// (what, recommender, rows a batch, rows, epochs)
const NETWORKS: [(&str, &str, u32, usize, u32); 4] = [
    ("mlp 64-64-64, batch 64", "kind = \"mlp\"\nhidden = [64, 64, 64]", 64, 10_000, 9),
    ("mlp 512-512-512, batch 256", "kind = \"mlp\"\nhidden = [512, 512, 512]", 256, 5_000, 2),
    ("densenet 40 x 16, batch 64", "kind = \"densenet\"\nlayers = 40\ngrowth = 16", 64, 3_000, 1),
    ("densenet 150 x 8, batch 256", "kind = \"densenet\"\nlayers = 150\ngrowth = 8", 256, 3_000, 1),
];

fn spec(recommender: &str, batch: u32, epochs: u32) -> Result<ResolvedSpec, Failure> {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n[training]\nepochs = \
         {epochs}\nbatch_size = {batch}\n[strategy]\nkind = \"hybrid\"\nranks = 1\nstages = 1\nmicro_batches = 1\n[evaluation]\nmetrics = \
         [\"mae\"]\n"
    );
    Ok(ExperimentSpec::from_toml(&text)?.resolve()?)
}

fn by_one_rank(spec: &ResolvedSpec, request: &FitRequest<'_>) -> Result<f64, Failure> {
    let mut loss = None;
    let heard = &mut loss;
    let failed = |error: recspeed_neural::NeuralFitError| RankFailure::new(0, error.to_string());
    let first: FirstTask<'_> = Box::new(move |communicator| {
        Box::pin(async move {
            let seat = Seat { communicator, strategy: &spec.strategy, told: TOLD_STEPS };
            *heard = Some(fit_ranked(request, seat, &mut Unobserved).await.map_err(failed)?.info.final_loss);
            Ok(())
        })
    });
    let others = |_: Communicator<AnyTransport>| -> Task<'_> { Box::pin(async { Ok(()) }) };
    LocalCrew::default().run(1, first, &others).map_err(|failure| failure.to_string())?;
    Ok(loss.ok_or("the rank ended without a model")?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() -> Result<(), Failure> {
    let pairs: usize = std::env::args().nth(1).map_or(Ok(15), |text| text.parse())?;
    let alone = std::env::args().nth(2);
    let all: Interactions = generate(builtin::find("beauty-synthetic-10k").ok_or("no such data set")?, 42).interactions;
    println!("| network | whole, s | interpreter, s | interpreter / whole | losses |\n|---|---|---|---|---|");
    for (name, recommender, batch, count, epochs) in NETWORKS {
        let spec = spec(recommender, batch, epochs)?;
        let training = spec.training.as_ref().ok_or("the network is trained step by step")?;
        let rows: Vec<u32> = (0..count.min(all.len()) as u32).collect();
        let request = FitRequest {
            recommender: &spec.recommender,
            training,
            train: Rows { interactions: &all, rows: &rows },
            validation: Rows { interactions: &all, rows: &[] },
            item_attributes: None,
            user_attributes: None,
            threshold: spec.evaluation.threshold,
            seed: spec.seed,
            device: NeuralDevice::default(),
        };
        if let Some(alone) = &alone {
            for _ in 0..pairs {
                let loss = if alone == "whole" {
                    fit(&request, &mut Unobserved)?.info.final_loss
                } else {
                    by_one_rank(&spec, &request)?
                };
                println!("{alone}: {loss:.6}");
            }
            return Ok(());
        }
        let mut seconds = [Vec::new(), Vec::new()];
        let mut losses = [0.0; 2];
        for pair in 0..=pairs {
            // Who goes first changes, so that neither finds the caches warmer.
            for which in [pair % 2, 1 - pair % 2] {
                let begun = support::cpu_seconds();
                losses[which] = if which == 0 {
                    fit(&request, &mut Unobserved)?.info.final_loss
                } else {
                    by_one_rank(&spec, &request)?
                };
                if pair > 0 {
                    seconds[which].push(support::cpu_seconds() - begun);
                }
            }
        }
        let quotients = seconds[0].iter().zip(&seconds[1]).map(|(whole, ranked)| ranked / whole).collect();
        let [whole, ranked] = seconds.map(median);
        let [first, second] = losses;
        println!("| {name} | {whole:.4} | {ranked:.4} | {:.3} | {first:.6}, {second:.6} |", median(quotients));
    }
    Ok(())
}
