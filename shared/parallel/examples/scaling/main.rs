//! Simulated scaling: layer costs measured on this machine, links as stated, 1 to 512 ranks; and one and two ranks for real.
//!
//! `MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456 RAYON_NUM_THREADS=1 cargo run --release -p recspeed-parallel
//! --example scaling > docs/scaling.md` measures for some minutes, holds about 4 GiB, and writes the page; memory that is freed is kept, as
//! the worker keeps it. The layers, in the shapes and with the rows that ranks have of them, and the optimizer's step are measured; steps are
//! planned; those of one rank and of two, which are threads here, are run beside their plans.

mod costs;
mod network;
mod runs;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use recspeed_plan::sharding::{OptimizerState, ShardLevel};
use recspeed_plan::simulate::Link;
use recspeed_plan::words::{bytes, share, time};
use recspeed_plan::{Balance, Outlook, ProcessNeeds, Recompute, ScheduleKind, Strategy};

use costs::{Costs, MOVED, REPEATS, UPDATES};
use network::{DEPTH, INPUTS, MICRO_BATCHES, ROWS, WIDTH, micro_batches, rows};
use runs::STEPS;

type Failure = Box<dyn std::error::Error>;

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

/// How ranks are used: stages, ranks that share each layer, what replicas divide.
type Used = (usize, usize, ShardLevel);

const STRATEGIES: [(&str, Used); 6] = [
    ("data parallel", (1, 1, ShardLevel::DataParallel)),
    ("ZeRO 1", (1, 1, ShardLevel::Optimizer)),
    ("ZeRO 3", (1, 1, ShardLevel::Parameters)),
    ("8 stages, ZeRO 1", (8, 1, ShardLevel::Optimizer)),
    ("8 shared layers, ZeRO 1", (1, 8, ShardLevel::Optimizer)),
    ("4 stages, 2 shared, ZeRO 1", (4, 2, ShardLevel::Optimizer)),
];
const RANKS: [usize; 3] = [8, 64, 512];

/// What is run for real, on so many ranks.
const RUN: [(&str, usize, Used); 6] = [
    ("one device", 1, (1, 1, ShardLevel::DataParallel)),
    ("data parallel", 2, (1, 1, ShardLevel::DataParallel)),
    ("ZeRO 1", 2, (1, 1, ShardLevel::Optimizer)),
    ("ZeRO 3", 2, (1, 1, ShardLevel::Parameters)),
    ("2 stages", 2, (2, 1, ShardLevel::DataParallel)),
    ("2 shared layers", 2, (1, 2, ShardLevel::DataParallel)),
];

fn strategy_of(costs: &mut Costs, ranks: usize, (stages, tensor, level): Used, links: Links) -> Strategy {
    let rows = rows(stages, tensor);
    Strategy {
        layers: costs.layers((stages, tensor), links.inside),
        balance: Balance::Time { samples: rows },
        schedule: ScheduleKind::OneForwardOneBackward,
        ranks: stages,
        chunks: 1,
        // As many rows for each rank, however they are used.
        batch: ROWS * stages * tensor,
        micro_batches: micro_batches(stages),
        recompute: Recompute::Never,
        replicas: ranks / (stages * tensor),
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

/// Rows that all replicas learn from in a second.
fn rows_a_second(strategy: &Strategy, outlook: &Outlook) -> f64 {
    (strategy.batch * strategy.replicas) as f64 / outlook.simulation.total_us * 1e6
}

/// One rank that does everything.
struct Alone {
    parameters: u64,
    rows_a_second: f64,
    /// The share of its step in which it moves the numbers.
    update: f64,
}

impl Alone {
    fn of(costs: &mut Costs) -> Result<Self, Failure> {
        let strategy = strategy_of(costs, 1, (1, 1, ShardLevel::DataParallel), Links::alike(Link::INSTANT));
        let outlook = Outlook::of(&strategy)?;
        let parameters: u64 = strategy.layers.iter().map(|layer| layer.parameters).sum();
        let update = parameters as f64 * strategy.update_us / outlook.simulation.total_us;
        Ok(Self { parameters, rows_a_second: rows_a_second(&strategy, &outlook), update })
    }
}

fn main() -> Result<(), Failure> {
    let mut costs = Costs::new();
    let alone = Alone::of(&mut costs)?;
    let runs = run(&mut costs)?;
    let passes = passes(&mut costs)?;
    let mut best: f64 = 0.0;
    let mut tables = String::new();
    for (name, links) in LINKS {
        tables.push_str(&table((name, links), &mut costs, &alone, &mut best)?);
    }
    let update_ns = costs.update_us * 1e3;
    let moved = OptimizerState::TwoMoments.moved_bytes();
    print!(
        "# Scaling, on paper\n\nWritten by `MALLOC_MMAP_THRESHOLD_=33554432 MALLOC_TRIM_THRESHOLD_=268435456 RAYON_NUM_THREADS=1 \
         cargo run --release -p recspeed-parallel --example scaling > docs/scaling.md`; do not \
         edit. What a layer costs was measured on one core ({}, {}, commit {}; medians of {REPEATS} times there and back), in the shapes and \
         with the rows that ranks have of it. As many layers as a rank has took turns, each with weights of its own, so that none was in a cache \
         that a training would not find it in. So was the optimizer's step; links are nominal. Steps are planned, as `recspeed plan` does; \
         those of one rank and of two were run, too, [below](#held-against-runs). No run of more ranks has been made.\n\n\
         The network: {INPUTS} inputs, {DEPTH} hidden layers of {WIDTH}, one output, {} parameters, Adam, 32 bits; {ROWS} rows of a batch for \
         each rank, 1F1B with {MICRO_BATCHES} micro-batches where there are stages. All that replicas exchange is put after the last \
         backward pass; none of it hides behind computation.\n\n{}\n\n\
         Adam moves a number in {update_ns:.1} ns (the median of {UPDATES} steps over {MOVED} numbers): {:.1} GB/s of the {moved} bytes that \
         it reads and writes for each.\n\n{passes}\n{runs}{tables}{}",
        processor(),
        told_by("date", &["-u", "+%F"]),
        told_by("git", &["rev-parse", "--short", "HEAD"]),
        alone.parameters,
        efficiency(&alone, best),
        moved as f64 / update_ns,
        notes(),
    );
    Ok(())
}

/// What both efficiencies are, and why one of them can be more than all there is.
fn efficiency(alone: &Alone, best: f64) -> String {
    let own = format!(
        "One rank alone learns from {:.0} rows a second, and moves numbers for {} of its step. \"Of one rank\" is what is left of its rows a \
         second times the ranks; \"of 8 ranks\" the same against 8 ranks on these links that are used in the same way, which is what more of \
         them bring.",
        alone.rows_a_second,
        share(alone.update),
    );
    if best <= 1.0 {
        return own;
    }
    let without_update = 1.0 / (1.0 - alone.update);
    let beyond = if best > without_update {
        "; what goes beyond comes of passes, which cost less for a row where weights are read for more rows at once"
    } else {
        ""
    };
    format!(
        "{own} Against one rank it goes up to {}: replicas that divide the optimizer's state, stages and shared layers leave each rank a part \
         of the numbers to move, which one rank moves all alone. Were nothing left of that it would be {}{beyond}.",
        share(best),
        share(without_update),
    )
}

/// What a pass of hidden layers costs, for every way in which ranks have them.
fn passes(costs: &mut Costs) -> Result<String, Failure> {
    let mut table = "| a pass of hidden layers | layers of a rank | rows | forward | gradient of the input | gradients of the parameters |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    let used = STRATEGIES.iter().map(|(_, used)| used).chain(RUN.iter().map(|(_, _, used)| used));
    for (stages, tensor) in used.map(|&(stages, tensor, _)| (stages, tensor)).collect::<BTreeSet<_>>() {
        let shapes = [(WIDTH, WIDTH / tensor), (WIDTH / tensor, WIDTH)];
        for (inputs, outputs) in shapes.into_iter().take(tensor.min(2)) {
            let [forward, input, weight] = costs.of((stages, tensor), (inputs, outputs, true)).map(time);
            let (layers, rows) = (DEPTH / stages, rows(stages, tensor));
            writeln!(table, "| {inputs} x {outputs} | {layers} | {rows} | {forward} | {input} | {weight} |")?;
        }
    }
    Ok(table)
}

/// One and two ranks for real, beside what is planned of them.
fn run(costs: &mut Costs) -> Result<String, Failure> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut text = format!(
        "## Held against runs\n\nThe same network, batches and strategies on ranks that are threads of one process, on this machine of \
         {cores} cores: the median of {STEPS} steps, of the slowest rank. Planned with links between threads as `recspeed plan` takes them \
         (10 GB/s, 2 µs) and each core as fast as one that has the machine to itself: what two ranks lose by sharing its memory is in the \
         run alone.\n\n| ranks | strategy | a step, run | a step, planned | planned / run |\n|---|---|---|---|---|\n"
    );
    for (what, ranks, used) in RUN {
        let strategy = strategy_of(costs, ranks, used, Links::alike(Link::MEMORY));
        let outlook = Outlook::of(&strategy)?;
        let (run, planned) = (runs::step_us(ranks, used, &outlook.partition)?, outlook.simulation.total_us);
        writeln!(text, "| {ranks} | {what} | {} | {} | {:.2} |", time(run), time(planned), planned / run)?;
    }
    Ok(text)
}

/// What is planned on these links. `best`: the largest efficiency against one rank so far.
fn table((name, links): (&str, Links), costs: &mut Costs, alone: &Alone, best: &mut f64) -> Result<String, Failure> {
    let mut table = format!(
        "\n## {name}\n\n| ranks | strategy | rows a second | of one rank | of {first} ranks | bubble | exchange | latency | a rank holds | a \
         rank sends a step |\n|---|---|---|---|---|---|---|---|---|---|\n",
        first = RANKS[0],
    );
    let mut firsts = [0.0; STRATEGIES.len()];
    for ranks in RANKS {
        for ((what, used), first) in STRATEGIES.into_iter().zip(&mut firsts) {
            let strategy = strategy_of(costs, ranks, used, links);
            let outlook = Outlook::of(&strategy)?;
            let at_once = Outlook::of(&strategy_of(costs, ranks, used, links.at_once()))?;
            let run = &outlook.simulation;
            let at = rows_a_second(&strategy, &outlook);
            let of_each = at / ranks as f64;
            if ranks == RANKS[0] {
                *first = of_each;
            }
            *best = best.max(of_each / alone.rows_a_second);
            let exchange = (run.total_us - run.computed_us) / run.total_us;
            let latency = (run.total_us - at_once.simulation.total_us).max(0.0) / run.total_us;
            let sent = outlook.ranks.iter().map(recspeed_plan::RankOutlook::sent).max().unwrap_or(0);
            writeln!(
                table,
                "| {ranks} | {what} | {at:.0} | {} | {} | {} | {} | {} | {} | {} |",
                share(of_each / alone.rows_a_second),
                share(of_each / *first),
                share(run.bubble()),
                share(exchange),
                share(latency),
                bytes(outlook.fullest().1),
                bytes(sent)
            )?;
        }
    }
    Ok(table)
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
