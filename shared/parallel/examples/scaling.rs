//! Simulated scaling: layer costs measured on this machine, links as stated, 1 to 512 ranks.
//!
//! `RAYON_NUM_THREADS=1 cargo run --release -p recspeed-parallel --example scaling > docs/scaling.md` measures for some seconds and
//! writes the page. Nothing but the layers is measured: steps of more than one rank are planned.

use std::fmt::Write as _;
use std::time::Instant;

use burn::tensor::{Device, Tensor};
use recspeed_parallel::model::{Dense, Layer as Computes, Noise};
use recspeed_plan::dense::{Speed, dense, shared};
use recspeed_plan::sharding::{OptimizerState, ShardLevel};
use recspeed_plan::simulate::Link;
use recspeed_plan::words::{bytes, share, time};
use recspeed_plan::{Balance, Duration, Layer, Outlook, ProcessNeeds, Recompute, ScheduleKind, Strategy};

/// Hidden layers, and numbers of each.
const DEPTH: usize = 64;
const WIDTH: usize = 1024;
/// Inputs of the network, and rows of a batch for each rank.
const INPUTS: usize = 64;
const ROWS: usize = 128;
/// Rows at which a layer is measured: the line through both is its cost.
const MEASURED: [usize; 2] = [8, 64];
const REPEATS: usize = 101;

const LINKS: [(&str, Link); 3] = [
    ("Ethernet, 10 Gbit/s, 20 µs", Link { latency_us: 20.0, bytes_per_us: 1_250.0 }),
    ("InfiniBand, 200 Gbit/s, 2 µs", Link { latency_us: 2.0, bytes_per_us: 25_000.0 }),
    ("NVLink, 300 GB/s, 2 µs", Link { latency_us: 2.0, bytes_per_us: 300_000.0 }),
];

/// How so many ranks are used: stages, ranks that share each layer, what replicas divide.
const STRATEGIES: [(&str, usize, usize, ShardLevel); 6] = [
    ("data parallel", 1, 1, ShardLevel::DataParallel),
    ("ZeRO 1", 1, 1, ShardLevel::Optimizer),
    ("ZeRO 3", 1, 1, ShardLevel::Parameters),
    ("8 stages, ZeRO 1", 8, 1, ShardLevel::Optimizer),
    ("8 shared layers, ZeRO 1", 1, 8, ShardLevel::Optimizer),
    ("4 stages, 2 shared, ZeRO 1", 4, 2, ShardLevel::Optimizer),
];
const MICRO_BATCHES: usize = 32;

/// What else runs on the machine makes a call longer, never shorter.
fn fastest(values: Vec<f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

/// Microseconds of forward, gradient of the input, and gradients of the parameters, for so many rows.
fn measured(layer: &Dense, rows: usize, device: &Device) -> [f64; 3] {
    let random = |shape: [usize; 2]| {
        let values =
            (0..shape[0] * shape[1]).map(|at| ((at * 7919) % 1000) as f32 / 1000.0 - 0.5).collect::<Vec<f32>>();
        Tensor::<2>::from_data(burn::tensor::TensorData::new(values, shape), device)
    };
    let (inputs, outputs) = (Computes::inputs(layer), Computes::outputs(layer));
    let weights = random([1, Computes::parameters(layer)]).reshape([Computes::parameters(layer)]);
    let (input, slope) = (random([rows, inputs]), random([rows, outputs]));
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for repeat in 0..=REPEATS {
        let mut lap = Instant::now();
        let mut took = || {
            let now = Instant::now();
            now.duration_since(std::mem::replace(&mut lap, now))
        };
        let (output, mut kept) = layer.forward(weights.clone().into(), input.clone(), &Noise::silent());
        let forward = took();
        let back = layer.backward_input(weights.clone().into(), &mut kept, slope.clone(), true);
        let backward_input = took();
        let gradient = layer.backward_weight(kept);
        let backward_weight = took();
        std::hint::black_box((output, back, gradient));
        if repeat > 0 {
            for (times, took) in times.iter_mut().zip([forward, backward_input, backward_weight]) {
                times.push(took.as_secs_f64() * 1e6);
            }
        }
    }
    times.map(fastest)
}

/// A layer with what it costs here.
fn cost(layer: &Dense, device: &Device) -> Layer {
    let [few, many] = MEASURED.map(|rows| measured(layer, rows, device));
    let line = |part: usize| {
        let per_sample_us = ((many[part] - few[part]) / (MEASURED[1] - MEASURED[0]) as f64).max(0.0);
        Duration { fixed_us: (few[part] - per_sample_us * MEASURED[0] as f64).max(0.0), per_sample_us }
    };
    let (inputs, outputs) = (Computes::inputs(layer) as u64, Computes::outputs(layer) as u64);
    let counted = dense(inputs, outputs, Speed::of_gflops(1.0));
    Layer {
        forward: line(0),
        backward_input: line(1),
        backward_weight: line(2),
        kept_bytes: 4 * Computes::kept(layer) as u64,
        ..counted
    }
}

fn strategy(
    layers: &[Layer],
    ranks: usize,
    (stages, tensor, level): (usize, usize, ShardLevel),
    link: Link,
) -> Strategy {
    let replicas = ranks / (stages * tensor);
    // As many rows for each rank, however they are used.
    let batch = ROWS * stages * tensor;
    let micro_batches = if stages > 1 { MICRO_BATCHES } else { 1 };
    let flops: f64 = layers.iter().map(|layer| 2.0 * layer.parameters as f64).sum();
    let forward: f64 = layers.iter().map(|layer| layer.forward.of(ROWS) / ROWS as f64).sum();
    Strategy {
        layers: shared(layers, tensor, link),
        balance: Balance::Time { samples: batch / micro_batches },
        schedule: ScheduleKind::OneForwardOneBackward,
        ranks: stages,
        chunks: 1,
        batch,
        micro_batches,
        recompute: Recompute::Never,
        replicas,
        tensor,
        level,
        optimizer: OptimizerState::TwoMoments,
        offload: false,
        link,
        update_us: Speed { flops_per_us: flops / forward, call_us: 0.0 }.update_us(),
        beside: 0,
        tables_us: 0.0,
        needs: ProcessNeeds::default(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let hidden = cost(&Dense::hidden(WIDTH, WIDTH, 0.0, 0), &device);
    let first = cost(&Dense::hidden(INPUTS, WIDTH, 0.0, 0), &device);
    let last = cost(&Dense::linear(WIDTH, 1), &device);
    let mut layers = vec![hidden; DEPTH + 1];
    (layers[0], layers[DEPTH]) = (first, last);
    let parameters: u64 = layers.iter().map(|layer| layer.parameters).sum();
    let samples = |strategy: &Strategy, outlook: &Outlook| {
        (strategy.batch * strategy.replicas) as f64 / outlook.simulation.total_us * 1e6
    };
    let alone = strategy(&layers, 1, (1, 1, ShardLevel::DataParallel), Link::INSTANT);
    let alone_at = samples(&alone, &Outlook::of(&alone)?);

    let mut page = format!(
        "# Scaling, on paper\n\nWritten by `RAYON_NUM_THREADS=1 cargo run --release -p recspeed-parallel --example scaling > docs/scaling.md`; do not \
         edit. What a layer costs was measured on one core ({}; the fastest of {REPEATS} calls); links are nominal; steps of more than one rank are \
         planned, as `recspeed plan` does, and no run of so many ranks has been made.\n\nThe network: {INPUTS} inputs, {DEPTH} hidden \
         layers of {WIDTH}, one output, {parameters} parameters, Adam, 32 bits; {ROWS} rows of a batch for each rank, 1F1B with \
         {MICRO_BATCHES} micro-batches where there are stages. All that replicas exchange is put after the last backward pass; none of it \
         hides behind computation. One rank alone learns from {alone_at:.0} rows a second; efficiency is what is left of that times the \
         ranks.\n\n| a layer of {WIDTH} x {WIDTH} | a call | a row more |\n|---|---|---|\n",
        processor()
    );
    for (name, duration) in [
        ("forward", hidden.forward),
        ("gradient of the input", hidden.backward_input),
        ("gradients of the parameters", hidden.backward_weight),
    ] {
        writeln!(page, "| {name} | {} | {} |", time(duration.fixed_us), time(duration.per_sample_us))?;
    }
    for (name, link) in LINKS {
        write!(
            page,
            "\n## {name}\n\n| ranks | strategy | rows a second | efficiency | bubble | exchange | a rank holds | a rank sends a step |\n\
             |---|---|---|---|---|---|---|---|\n"
        )?;
        for ranks in [8, 64, 512] {
            for (what, stages, tensor, level) in STRATEGIES {
                let strategy = strategy(&layers, ranks, (stages, tensor, level), link);
                let outlook = Outlook::of(&strategy)?;
                let run = &outlook.simulation;
                let at = samples(&strategy, &outlook);
                let exchange = (run.total_us - run.computed_us) / run.total_us;
                let sent = outlook.ranks.iter().map(recspeed_plan::RankOutlook::sent).max().unwrap_or(0);
                writeln!(
                    page,
                    "| {ranks} | {what} | {at:.0} | {} | {} | {} | {} | {} |",
                    share(at / (alone_at * ranks as f64)),
                    share(run.bubble()),
                    share(exchange),
                    bytes(outlook.fullest().1),
                    bytes(sent)
                )?;
            }
        }
    }
    page.push_str(
        "\nExchange: the share of a step after the last backward pass, the update included. Sums of shared layers are counted in their \
         passes, and in what a rank sends.\n",
    );
    print!("{page}");
    Ok(())
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}
