//! Simulated scaling: layer costs measured on this machine, links as stated, 1 to 512 ranks.
//!
//! `MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456 RAYON_NUM_THREADS=1 cargo run --release -p recspeed-parallel
//! --example scaling > docs/scaling.md` measures for some seconds and writes the page; memory that is freed is kept, as the worker keeps
//! it. Nothing but the layers, in the shapes and with the rows that ranks have of them, and the optimizer's step is measured: steps of
//! more than one rank are planned.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_parallel::model::{Dense, Kept, Layer as Computes, Noise};
use recspeed_parallel::training::Rule;
use recspeed_plan::dense::{Speed, mlp, shared};
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
const REPEATS: usize = 31;
/// Numbers that the optimizer moves while its step is measured, as of sixteen layers: no cache holds them. And how often.
const MOVED: usize = 16 * WIDTH * (WIDTH + 1);
const UPDATES: usize = 9;

const ETHERNET: Link = Link { latency_us: 20.0, bytes_per_us: 1_250.0 };
const INFINIBAND: Link = Link { latency_us: 2.0, bytes_per_us: 25_000.0 };
const NVLINK: Link = Link { latency_us: 2.0, bytes_per_us: 300_000.0 };

/// Ranks of a machine.
const MACHINE: usize = 8;

/// What ranks are connected by.
#[derive(Debug, Clone, Copy)]
struct Links {
    /// Ranks of one machine: those that share layers, and all where there are no more than it has.
    inside: Link,
    /// Stages and replicas, where there are several machines.
    between: Link,
}

impl Links {
    const fn alike(link: Link) -> Self {
        Self { inside: link, between: link }
    }

    /// The same without latencies.
    const fn at_once(self) -> Self {
        let [inside, between] = [Link { latency_us: 0.0, ..self.inside }, Link { latency_us: 0.0, ..self.between }];
        Self { inside, between }
    }
}

const LINKS: [(&str, Links); 4] = [
    ("Ethernet, 10 Gbit/s, 20 µs", Links::alike(ETHERNET)),
    ("InfiniBand, 200 Gbit/s, 2 µs", Links::alike(INFINIBAND)),
    ("NVLink, 300 GB/s, 2 µs", Links::alike(NVLINK)),
    (
        "Machines of 8: NVLink inside, 300 GB/s, 2 µs, InfiniBand between, 200 Gbit/s, 2 µs",
        Links { inside: NVLINK, between: INFINIBAND },
    ),
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
const RANKS: [usize; 3] = [8, 64, 512];

/// What else runs on the machine makes a call longer, never shorter.
fn fastest(values: Vec<f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

/// Some numbers in ±.5.
fn values(count: usize) -> Vec<f32> {
    (0..count).map(|at| ((at * 7919) % 1000) as f32 / 1000.0 - 0.5).collect()
}

/// Microseconds in which Adam moves a number.
fn measured_update(device: &Device) -> f64 {
    let row = || Tensor::<1>::from_data(TensorData::new(values(MOVED), [MOVED]), device);
    let (rule, mut numbers, mut moments) = (Rule::adam(0.0), row(), None);
    let mut times = Vec::new();
    for repeat in 0..=UPDATES {
        let gradient = row();
        let begun = Instant::now();
        (numbers, moments) = rule.step(1e-3, numbers, gradient, moments);
        // The first step makes the moments.
        if repeat > 0 {
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
    }
    std::hint::black_box((numbers, moments));
    fastest(times) / MOVED as f64
}

/// Microseconds of forward, gradient of the input, and gradients of the parameters, for so many rows.
fn measured(layer: &Dense, rows: usize, device: &Device) -> [f64; 3] {
    let random =
        |shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(values(shape[0] * shape[1]), shape), device);
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
        let mut kept = Kept::new();
        let output = layer.forward(weights.clone().into(), input.clone(), &Noise::silent(), &mut kept);
        let forward = took();
        let back = layer.backward_input(weights.clone().into(), &mut kept, slope.clone(), true);
        let backward_input = took();
        let gradient = layer.backward_weight(&mut kept);
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

/// What passes of layers cost here: microseconds forward, of the gradient of the input, and of the gradients of the parameters. A pass over
/// few rows is as long as reading and writing the weights takes: a part of a layer costs what it costs, not its share of the whole.
struct Costs {
    device: Device,
    /// By inputs, outputs, whether a ReLU follows, and rows.
    known: HashMap<(usize, usize, bool, usize), [f64; 3]>,
    /// Microseconds in which the optimizer moves a number.
    update_us: f64,
}

impl Costs {
    fn of(&mut self, (inputs, outputs, hidden): (usize, usize, bool), rows: usize) -> [f64; 3] {
        let layer = if hidden { Dense::hidden(inputs, outputs, 0.0, 0) } else { Dense::linear(inputs, outputs) };
        let key = (inputs, outputs, hidden, rows);
        *self.known.entry(key).or_insert_with(|| measured(&layer, rows, &self.device))
    }

    /// What one of `tensor` ranks has of the network, with so many rows in a micro-batch.
    fn layers(&mut self, tensor: usize, rows: usize, link: Link) -> Vec<Layer> {
        let widths: Vec<usize> =
            std::iter::once(INPUTS).chain(std::iter::repeat_n(WIDTH, DEPTH)).chain(std::iter::once(1)).collect();
        let counted: Vec<u64> = widths.iter().map(|&width| width as u64).collect();
        let mut layers = shared(&mlp(&counted, Speed::of_gflops(1.0)), tensor, link);
        let last = layers.len() - 1;
        for (at, layer) in layers.iter_mut().enumerate() {
            let (inputs, outputs) = (widths[at], widths[at + 1]);
            let by_columns = tensor > 1 && at % 2 == 0 && at < last;
            let own = if by_columns { (inputs, outputs / tensor) } else { (inputs / tensor, outputs) };
            let passes = self.of((own.0, own.1, at < last), rows);
            let [forward, input, weight] = passes.map(Duration::fixed);
            layer.forward = forward.plus(layer.exchanged.forward_time);
            layer.backward_input = input.plus(layer.exchanged.backward_time);
            layer.backward_weight = weight;
        }
        layers
    }
}

fn strategy_of(
    costs: &mut Costs,
    ranks: usize,
    (stages, tensor, level): (usize, usize, ShardLevel),
    links: Links,
) -> Strategy {
    let replicas = ranks / (stages * tensor);
    // As many rows for each rank, however they are used.
    let batch = ROWS * stages * tensor;
    let micro_batches = if stages > 1 { MICRO_BATCHES } else { 1 };
    let rows = batch / micro_batches;
    Strategy {
        layers: costs.layers(tensor, rows, links.inside),
        balance: Balance::Time { samples: rows },
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
        link: if ranks > MACHINE { links.between } else { links.inside },
        update_us: costs.update_us,
        beside: 0,
        tables_us: 0.0,
        memories: Vec::new(),
        needs: ProcessNeeds::default(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let device = Device::flex();
    let update_us = measured_update(&device);
    let mut costs = Costs { device, known: HashMap::new(), update_us };
    let layers = costs.layers(1, ROWS, Link::INSTANT);
    let parameters: u64 = layers.iter().map(|layer| layer.parameters).sum();
    let samples = |strategy: &Strategy, outlook: &Outlook| {
        (strategy.batch * strategy.replicas) as f64 / outlook.simulation.total_us * 1e6
    };
    let alone = strategy_of(&mut costs, 1, (1, 1, ShardLevel::DataParallel), Links::alike(Link::INSTANT));
    let alone_at = samples(&alone, &Outlook::of(&alone)?);

    let mut page = format!(
        "# Scaling, on paper\n\nWritten by `MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456 RAYON_NUM_THREADS=1 \
         cargo run --release -p recspeed-parallel --example scaling > docs/scaling.md`; do not \
         edit. What a layer costs was measured on one core ({}, {}, commit {}; the fastest of {REPEATS} calls), in the shapes and with the rows that ranks have of it, and so was the optimizer's step; links are nominal; steps of more than one rank are \
         planned, as `recspeed plan` does, and no run of so many ranks has been made.\n\nThe network: {INPUTS} inputs, {DEPTH} hidden \
         layers of {WIDTH}, one output, {parameters} parameters, Adam, 32 bits; {ROWS} rows of a batch for each rank, 1F1B with \
         {MICRO_BATCHES} micro-batches where there are stages. All that replicas exchange is put after the last backward pass; none of it \
         hides behind computation. One rank alone learns from {alone_at:.0} rows a second; efficiency is what is left of that times the \
         ranks. It can be more than 100 %: replicas that divide the optimizer's state make a part of each update, which one rank makes \
         whole.\n\nAdam moves a number in {:.1} ns (the fastest of {UPDATES} steps over {MOVED} numbers): {:.1} GB/s of the {} bytes that it \
         reads and writes for each.\n\n| a pass of hidden layers | rows | forward | gradient of the input | gradients of the parameters |\n|---|---|---|---|---|\n",
        processor(),
        told_by("date", &["-u", "+%F"]),
        told_by("git", &["rev-parse", "--short", "HEAD"]),
        update_us * 1e3,
        OptimizerState::TwoMoments.moved_bytes() as f64 / (update_us * 1e3),
        OptimizerState::TwoMoments.moved_bytes(),
    );
    let strategies = STRATEGIES.map(|(_, stages, tensor, _)| (stages, tensor));
    for (stages, tensor) in strategies.into_iter().collect::<BTreeSet<_>>() {
        let rows = ROWS * stages * tensor / if stages > 1 { MICRO_BATCHES } else { 1 };
        let shapes = [(WIDTH, WIDTH / tensor), (WIDTH / tensor, WIDTH)];
        for (inputs, outputs) in shapes.into_iter().take(tensor.min(2)) {
            let [forward, input, weight] = costs.of((inputs, outputs, true), rows).map(time);
            writeln!(page, "| {inputs} x {outputs} | {rows} | {forward} | {input} | {weight} |")?;
        }
    }
    for (name, links) in LINKS {
        write!(
            page,
            "\n## {name}\n\n| ranks | strategy | rows a second | efficiency | bubble | exchange | latency | a rank holds | a rank sends a step |\n\
             |---|---|---|---|---|---|---|---|---|\n"
        )?;
        for ranks in RANKS {
            for (what, stages, tensor, level) in STRATEGIES {
                let used = (stages, tensor, level);
                let strategy = strategy_of(&mut costs, ranks, used, links);
                let outlook = Outlook::of(&strategy)?;
                let at_once = Outlook::of(&strategy_of(&mut costs, ranks, used, links.at_once()))?;
                let run = &outlook.simulation;
                let at = samples(&strategy, &outlook);
                let exchange = (run.total_us - run.computed_us) / run.total_us;
                let latency = (run.total_us - at_once.simulation.total_us).max(0.0) / run.total_us;
                let sent = outlook.ranks.iter().map(recspeed_plan::RankOutlook::sent).max().unwrap_or(0);
                writeln!(
                    page,
                    "| {ranks} | {what} | {at:.0} | {} | {} | {} | {} | {} | {} |",
                    share(at / (alone_at * ranks as f64)),
                    share(run.bubble()),
                    share(exchange),
                    share(latency),
                    bytes(outlook.fullest().1),
                    bytes(sent)
                )?;
            }
        }
    }
    page.push_str(&notes());
    print!("{page}");
    Ok(())
}

/// What the columns are, and what other collectives would bring.
fn notes() -> String {
    let ranks = RANKS[RANKS.len() - 1];
    let (others, machines) = (ranks - 1, ranks / MACHINE);
    let steps = |ranks: usize| ranks.ilog2();
    // A hidden layer is gathered by all ranks.
    let layer = 4.0 * (WIDTH * (WIDTH + 1)) as f64;
    let all = ranks as f64;
    let gathered = |link: Link| {
        let each = |bytes: f64| (all - 1.0) * (link.latency_us + bytes / link.bytes_per_us);
        let tree = f64::from(steps(ranks)) * link.latency_us + layer * (all - 1.0) / all / link.bytes_per_us;
        [each(layer / all), tree].map(time)
    };
    let [cut, tree] = gathered(ETHERNET);
    let [cut_fast, tree_fast] = gathered(INFINIBAND);
    format!(
        "\nExchange: the share of a step after the last backward pass, the update included. Sums of shared layers are counted in their \
         passes, and in what a rank sends. Latency: what the step would be shorter by if messages had none, wherever they are counted.\n\n\
         In machines of {MACHINE} the ranks that share layers are neighbours in one of them. All that stages and replicas send is counted \
         between machines where there is more than one, also between two ranks of the same: less would go there than is counted.\n\n\
         Collectives are counted as the executors carry them out: in each phase a rank sends a part to each other one, so that {ranks} \
         ranks pay {others} latencies. A tree would pay {}; one inside machines of {MACHINE} and then one between {machines} of them \
         {} + {}, only the second on the slower link; the executors have neither. \"Latency\" is what they can save.\n\n\
         ZeRO 3 sends most: it cuts each layer among all ranks, gathers it for each pass, and adds its gradients up, each time with a \
         message to each other rank. A hidden layer is gathered by {ranks} ranks in {cut} by Ethernet and {cut_fast} by InfiniBand, most \
         of it latencies; with trees it would take {tree} and {tree_fast}.\n",
        steps(ranks),
        steps(MACHINE),
        steps(machines),
    )
}

fn processor() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or("unknown processor", |(_, name)| name.trim()).to_owned()
}

/// What a command of the system prints.
fn told_by(program: &str, arguments: &[&str]) -> String {
    let output = std::process::Command::new(program).args(arguments).output();
    let told = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if told.is_empty() { "unknown".to_owned() } else { told }
}
