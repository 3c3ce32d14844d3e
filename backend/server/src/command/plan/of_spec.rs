//! A plan of a spec: its model's layers, counted.

use recspeed_plan::pace::lessons_seconds;
use recspeed_plan::simulate::Link;
use recspeed_plan::timeline::{bars_of, chrome_trace, memory_of};
use recspeed_plan::words::{bytes, instead, share, time, verdict};
use recspeed_plan::{
    Assumed, Bottleneck, DeviceOutlook, EvaluationOutlook, Judging, Lessons, Limit, Outlook, ProcessNeeds, RankOutlook,
    Room, Strategy, bottleneck, is_whole, layers_of, of_spec, shortage,
};
use recspeed_types::Extent;
use recspeed_types::limits::{MAX_PLANNED_RANKS, MAX_RANKS};
use recspeed_types::spec::{Balance, Launcher, ResolvedSpec, Source};
use serde_json::json;

use super::measured::{Run, Timed};
use super::tables::Tables;
use super::{PlanArgs, picture, refuse_too_large, room, whole};
use crate::command::failure::CommandError;
use crate::command::output;
use crate::command::run::SpecFile;
use crate::whole_file;

/// A plan, and what it is about.
struct Planned {
    title: String,
    spec: ResolvedSpec,
    strategy: Strategy,
    outlook: Outlook,
    found: Bottleneck,
    tables: Tables,
    /// Bytes that all ranks may hold together, where that is known.
    room: Option<u64>,
    /// Rows of the data set, where that is known without reading it.
    rows: Option<u64>,
    /// The run whose passes those of the plan are as long as, where one was named.
    timed: Option<Timed>,
}

/// Bytes a microsecond of a GB/s.
const BYTES_PER_US: f64 = 1000.0;

/// Whether a run may have as many ranks.
const fn can_run(spec: &ResolvedSpec) -> bool {
    spec.strategy.ranks <= MAX_RANKS
}

/// Plans and prints.
pub(super) fn print(file: &str, args: &PlanArgs) -> Result<u8, CommandError> {
    let (SpecFile { title, dir, .. }, spec) = SpecFile::read_to_plan(file, &args.set, MAX_PLANNED_RANKS)?;
    if is_whole(spec.recommender.entry.kind) {
        return whole::print(&title, &spec, dir, args);
    }
    let tables = Tables::of(&spec, dir, args)?;
    let link = Link { latency_us: args.latency, bytes_per_us: args.bandwidth * BYTES_PER_US };
    let assumed = Assumed { link, ..Assumed::threads(args.gflops) };
    let batch: u64 = spec.training.as_ref().map_or(1, |training| training.batch_size.into());
    let lessons = tables.lessons();
    let assumed = assumed.on(tables.data().cloned()).learning(&spec.recommender, &lessons, batch);
    let Some(mut strategy) = of_spec(&spec, assumed.clone()) else {
        return Err(CommandError::NoLayers { kind: spec.recommender.entry.kind });
    };
    let run = args.lengths.as_deref().map(|named| Run::of(named, args, &spec, &assumed)).transpose()?;
    if let Some(run) = &run {
        strategy = run.applied(strategy)?;
    }
    let rows = tables.rows().or(match &spec.dataset.source {
        Source::Builtin { entry } => Some(u64::from(entry.rows)),
        _ => None,
    });
    if let Some(learnt) = lessons.rows {
        strategy.take_no_more_than(learnt);
    }
    let before = ProcessNeeds::of_rows(rows.unwrap_or(0));
    let evaluation = evaluation(&spec, tables.data(), (rows, lessons)).unwrap_or_default();
    // What another framework has trained answers in this lab's process.
    let scoring = if spec.engine.kind.is_reference() { 0 } else { evaluation.blocks };
    let (scorers, evaluation) = (evaluation.scorers, evaluation.total());
    strategy.needs = ProcessNeeds { before, checkpoints: true, evaluation, scoring, scorers, ..strategy.needs };
    refuse_too_large(strategy.ranks, strategy.micro_batches, strategy.chunks)?;
    strategy.memories = room::of_devices(&spec, args.gpu_memory.map(|mib| mib << 20));
    let outlook = Outlook::of(&strategy)?;
    let timed = run.map(|run| Timed::of(run, &strategy, &outlook)).transpose()?;
    // More ranks than a run can have are on machines that nobody has named.
    let here = || if can_run(&spec) { room::of_a_run() } else { None };
    let room = args.memory_limit.map(|mib| mib << 20).or_else(here);
    let found = bottleneck(&strategy, &outlook, room.map(Room::Together));
    let plan = Planned { title, spec, strategy, outlook, found, tables, room, rows, timed };
    if let Some(path) = &args.trace {
        let bars = bars_of(&plan.strategy, &plan.outlook);
        let text = chrome_trace(&memory_of(&plan.outlook), &bars, &[], None);
        whole_file::write(path, text.as_bytes())
            .map_err(|source| CommandError::WriteFile { path: path.clone(), source })?;
    }
    output::say(&if args.json { plan.as_json(args)? } else { plan.as_text(args) })?;
    Ok(0)
}

/// What the evaluation will hold with as many threads as a run has on this machine; ranks that are processes divide them. `rows`: those of
/// the data set, and what is known of those that are learnt from.
pub(super) fn evaluation(
    spec: &ResolvedSpec,
    data: Option<&Extent>,
    (rows, lessons): (Option<u64>, Lessons),
) -> Option<EvaluationOutlook> {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32);
    let threads = u64::from(spec.threads(cores));
    let ranks = if spec.strategy.launcher == Launcher::Threads { 1 } else { u64::from(spec.strategy.ranks.max(1)) };
    let data = data.cloned().or_else(|| Extent::foretold(&spec.dataset));
    EvaluationOutlook::of_spec(spec, data.as_ref(), Judging { threads: (threads / ranks).max(1), rows, lessons })
}

impl Planned {
    fn as_text(&self, args: &PlanArgs) -> String {
        let Self { strategy, outlook, .. } = self;
        let run = &outlook.simulation;
        let parts = [
            format!(
                "{}: {} of {}, {} parameters",
                self.title,
                self.spec.recommender.entry.kind,
                several(strategy.layers.len(), "layer"),
                self.parameters()
            ),
            asked(strategy),
            self.stages(),
            self.timed.as_ref().map(Timed::as_text).unwrap_or_default(),
            picture::draw_in_time(run),
            format!(
                "step         {}, {:.0} rows a second\nbubble       {} of the busiest rank's work; ranks idle {} of the time",
                time(run.total_us),
                (strategy.batch * strategy.replicas) as f64 / run.total_us * 1e6,
                share(run.bubble()),
                share(run.idle_share())
            ),
            format!(
                "{}\nAll ranks together hold {}. {}",
                self.memory(),
                bytes(self.together()),
                self.process_in_words()
            ),
            self.devices_in_words(),
            self.verdict(),
            self.tables.as_text(&self.spec),
            self.times(args),
            self.only_planned(),
        ];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
    }

    /// What times are made of.
    fn times(&self, args: &PlanArgs) -> String {
        let links = format!(
            "{} GB/s between ranks (--bandwidth) and {} µs for each message (--latency)",
            args.bandwidth, args.latency
        );
        match &self.timed {
            None => format!("Times are counted at {} GFLOP/s a rank (--gflops), {links}, not measured.", args.gflops),
            Some(timed) => format!(
                "Passes are as long as in {}; what ranks send and update is counted, at {} GFLOP/s a rank (--gflops), \
                 {links}.",
                timed.run.whose(),
                args.gflops
            ),
        }
    }

    /// What no run can have; empty where one can.
    fn only_planned(&self) -> String {
        if can_run(&self.spec) {
            return String::new();
        }
        format!(
            "A run may have {MAX_RANKS} ranks: more are only planned, and held against a memory where --memory-limit names one."
        )
    }

    /// What each GPU with memory of its own will hold: a sentence each.
    fn devices_in_words(&self) -> String {
        let devices = self.outlook.devices(&self.strategy);
        devices.iter().map(DeviceOutlook::in_words).collect::<Vec<_>>().join("\n")
    }

    /// Whether everything fits where it lies; `None` where that is not known of a memory and no other is too small.
    fn fits(&self) -> Option<bool> {
        let machine = self.room.map(|room| self.outlook.process(&self.strategy).total() <= room);
        let devices = self.outlook.devices(&self.strategy);
        let all: Vec<Option<bool>> = devices.iter().map(DeviceOutlook::fits).chain([machine]).collect();
        if all.contains(&Some(false)) { Some(false) } else { all.iter().all(Option::is_some).then_some(true) }
    }

    /// What does not fit on a GPU; what limits it, and where that is memory, how much of that tables take. Of what does not fit on a GPU it
    /// is no use to know what would make it faster.
    fn verdict(&self) -> String {
        let of_devices = shortage(&self.spec, &self.strategy, &self.outlook);
        let of_the_machine = matches!(self.found.limit, Limit::Memory { .. });
        let found =
            (of_devices.is_none() || of_the_machine).then(|| verdict(&self.found, &self.strategy, &self.outlook));
        let of_tables = self.tables.planned().filter(|_| of_the_machine);
        let of_tables = of_tables.map(|tables| tables.in_words(&self.spec.recommender));
        let instead = (self.fits() == Some(false)).then(|| self.instead());
        of_devices.into_iter().chain(found).chain(of_tables).chain(instead).collect::<Vec<_>>().join(" ")
    }

    /// What takes less than all of that.
    fn instead(&self) -> String {
        let data = self.tables.data().cloned().unwrap_or_default();
        let recommender = &self.spec.recommender;
        let lessons = self.tables.lessons();
        let lessons = Lessons { rows: lessons.rows.or(self.rows), ..lessons };
        let training = self.spec.training.as_ref();
        let seconds = training.and_then(|training| lessons_seconds(recommender, training, &data, &lessons));
        instead(recommender, seconds, self.strategy.ranks * self.strategy.copies() == 1)
    }

    /// What limits it, and how much: of memory the share that is missing where most is.
    fn limit(&self) -> (&'static str, f64) {
        let found = self.found.share;
        let devices = self.outlook.devices(&self.strategy);
        let missing = devices.iter().map(DeviceOutlook::missing_share).fold(0.0, f64::max);
        match self.found.limit {
            Limit::Memory { .. } => ("memory", found.max(missing)),
            _ if missing > 0.0 => ("memory", missing),
            Limit::Bubble => ("bubble", found),
            Limit::Imbalance { .. } => ("imbalance", found),
            Limit::Messages => ("messages", found),
            Limit::Sharing => ("sharing", found),
            Limit::Reduction => ("reduction", found),
            Limit::Tables => ("tables", found),
            Limit::Update => ("update", found),
            Limit::Computation => ("computation", found),
        }
    }

    /// Of the whole model, whoever shares its layers.
    fn parameters(&self) -> u64 {
        let assumed = Assumed::threads(1.0).on(self.tables.data().cloned());
        let layers = layers_of(&self.spec.recommender, &assumed).unwrap_or_default();
        layers.iter().map(|layer| layer.parameters).sum()
    }

    fn together(&self) -> u64 {
        self.outlook.together(self.strategy.copies())
    }

    /// What the process of the ranks will hold, and of what.
    fn process_in_words(&self) -> String {
        let process = self.outlook.process(&self.strategy);
        let without =
            Strategy { needs: ProcessNeeds { checkpoints: false, ..self.strategy.needs }, ..self.strategy.clone() };
        let without = self.outlook.process(&without).total();
        let data = if self.rows.is_some() { "program and data" } else { "the program (the data are not counted)" };
        format!(
            "{} about {}{} at the worst moment{}, an upper estimate, made to lie above what a run holds and below twice \
             that: {data} {}, what steps and updates compute with {}, \
             what the first rank brings together for a checkpoint {}, what the allocator keeps {}, and what the evaluation takes on top {}. \
             Without checkpoints about {}.",
            if self.strategy.needs.apart { "Their processes hold" } else { "Their process holds" },
            bytes(process.total()),
            if self.outlook.devices(&self.strategy).is_empty() { "" } else { " of the machine's memory" },
            self.room.map_or(String::new(), |room| format!(" of the {} that a run may use", bytes(room))),
            bytes(process.before),
            bytes(process.computing),
            bytes(process.collecting),
            bytes(process.allocator),
            bytes(process.evaluation),
            bytes(without)
        )
    }

    fn stages(&self) -> String {
        let mut table = table(["stage", "rank", "layers", "parameters", "forward", "backward", "sends"]);
        let Self { strategy, outlook, .. } = self;
        let samples = outlook.sizes.iter().copied().max().unwrap_or(0);
        for (at, stage) in outlook.stages.iter().enumerate() {
            let layers = outlook.partition.layers(at);
            let last = at + 1 == outlook.stages.len();
            table.add_row([
                at.to_string(),
                (at % strategy.ranks).to_string(),
                format!("{}–{}", layers.start, layers.end - 1),
                stage.parameters.to_string(),
                time(stage.forward.of(samples)),
                time(stage.backward_input.of(samples) + stage.backward_weight.of(samples)),
                if last { String::new() } else { bytes(stage.output_bytes * samples as u64) },
            ]);
        }
        let cut = match &self.spec.strategy.balance {
            _ if outlook.stages.len() == 1 => String::new(),
            Balance::By(by) => format!("; as equal in {} as can be (strategy.balance)", by.as_str()),
            Balance::ByHand(_) => "; cut by hand (strategy.balance)".to_owned(),
        };
        format!("Stages, with times and messages of a micro-batch of {}{cut}:\n{table}", several(samples, "row"))
    }

    fn memory(&self) -> String {
        let optimizer = if self.strategy.offload { "optimizer, host" } else { "optimizer" };
        let mut table = table([
            "rank",
            "parameters",
            "gradients",
            optimizer,
            "activations",
            "gathered",
            "update",
            "peak",
            "sent a step",
        ]);
        for (rank, of) in self.outlook.ranks.iter().enumerate() {
            let shares = of.shares;
            let stays = [shares.parameters, shares.gradients, shares.optimizer + shares.host];
            let goes = [of.activations, shares.transient, shares.update];
            let row = stays.into_iter().chain(goes).chain([of.peak(), of.sent()]).map(bytes);
            table.add_row(std::iter::once(rank.to_string()).chain(row));
        }
        let Strategy { replicas, tensor, .. } = self.strategy;
        let replicas = if replicas > 1 { format!(" of each of {replicas} replicas") } else { String::new() };
        let sharers = if tensor > 1 { format!(", of each of {tensor} that share its layers") } else { String::new() };
        let offload = if self.strategy.offload { "; what is offloaded to the host is not in the peak" } else { "" };
        let (there, back) = self.outlook.to_and_from_host();
        let host = if self.strategy.offload {
            format!(
                "\nTo the host a rank's device sends at most {} a step (gradients and the numbers that move), and gets {} back.",
                bytes(there),
                bytes(back)
            )
        } else {
            String::new()
        };
        let apart = if self.tables.planned().is_some() { "; tables of embeddings apart" } else { "" };
        format!("Memory of each rank{replicas}{sharers}, in 32 bits{offload}{apart}:\n{table}{host}")
    }

    fn as_json(&self, args: &PlanArgs) -> Result<String, CommandError> {
        let Self { strategy, outlook, .. } = self;
        let run = &outlook.simulation;
        let stages: Vec<_> = (0..outlook.stages.len())
            .map(|at| {
                let (layers, stage) = (outlook.partition.layers(at), &outlook.stages[at]);
                json!({
                    "stage": at,
                    "rank": at % strategy.ranks,
                    "first_layer": layers.start,
                    "layers": layers.len(),
                    "parameters": stage.parameters,
                })
            })
            .collect();
        let ranks: Vec<_> = outlook.ranks.iter().enumerate().map(|(rank, of)| rank_json(rank, of)).collect();
        let spans: Vec<_> = run
            .spans
            .iter()
            .filter_map(|span| {
                let name = span.instruction.span_name()?;
                let chunk = span.instruction.cell().map(|cell| cell.chunk);
                let [start, end] = [span.start_us, span.end_us];
                Some(json!({"rank": span.rank, "name": name, "chunk": chunk, "start_us": start, "end_us": end}))
            })
            .collect();
        let (limit, limit_share) = self.limit();
        let process = self.outlook.process(strategy);
        let plan = json!({
            "recommender": self.spec.recommender.entry.kind,
            "layers": strategy.layers.len(),
            "parameters": self.parameters(),
            "schedule": strategy.schedule.as_str(),
            "ranks": strategy.ranks * strategy.copies(),
            "replicas": strategy.replicas,
            "tensor": strategy.tensor,
            "zero": strategy.level.zero_stage(),
            "offload": strategy.offload,
            "recompute": strategy.recompute.as_str(),
            "micro_batches": outlook.sizes,
            "balance": self.spec.strategy.balance,
            "gflops": args.gflops,
            "bandwidth_gb_per_s": args.bandwidth,
            "latency_us": args.latency,
            "step_us": run.total_us,
            "bubble": run.bubble(),
            "idle_share": run.idle_share(),
            "stages": stages,
            "memory": ranks,
            "together_bytes": self.together(),
            "allowed_bytes": self.room,
            "process": {
                "bytes": process.total(),
                "before_bytes": process.before,
                "computing_bytes": process.computing,
                "collecting_bytes": process.collecting,
                "allocator_bytes": process.allocator,
                "evaluation_bytes": process.evaluation,
            },
            "devices": self.outlook.devices(strategy).iter().map(device_json).collect::<Vec<_>>(),
            "fits": self.fits(),
            "limit": limit,
            "limit_share": limit_share,
            "tables": self.tables.as_json(),
            "measured": self.timed.as_ref().map(Timed::as_json),
            "verdict": self.verdict(),
            "spans": spans,
        });
        Ok(serde_json::to_string_pretty(&plan).map_err(std::io::Error::other)?)
    }
}

/// So many of something.
fn several(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// What a strategy was asked for: all its ranks, and what they are.
fn asked(strategy: &Strategy) -> String {
    let stages = several(strategy.ranks * strategy.chunks, "stage");
    let chunks = if strategy.chunks > 1 { format!(" ({} a rank)", strategy.chunks) } else { String::new() };
    let sharers =
        if strategy.tensor > 1 { format!("{} that share each layer, ", strategy.tensor) } else { String::new() };
    format!(
        "{}, {}: {stages}{chunks}, {}, {sharers}{}, ZeRO {}, recompute {}",
        strategy.schedule.title(),
        several(strategy.ranks * strategy.copies(), "rank"),
        several(strategy.replicas, "replica"),
        several(strategy.micro_batches, "micro-batch").replace("batchs", "batches"),
        strategy.level.zero_stage(),
        strategy.recompute.as_str()
    )
}

fn rank_json(rank: usize, of: &RankOutlook) -> serde_json::Value {
    json!({
        "rank": rank,
        "parameters_bytes": of.shares.parameters,
        "gradients_bytes": of.shares.gradients,
        "optimizer_bytes": of.shares.optimizer,
        "host_bytes": of.shares.host,
        "activations_bytes": of.activations,
        "gathered_bytes": of.shares.transient,
        "update_bytes": of.shares.update,
        "peak_bytes": of.peak(),
        "sent_bytes_per_step": of.sent(),
        "to_host_bytes_per_step": of.reduction.to_host,
        "from_host_bytes_per_step": of.reduction.from_host,
    })
}

pub(super) fn device_json(device: &DeviceOutlook) -> serde_json::Value {
    json!({
        "device": device.name,
        "ranks": device.ranks,
        "bytes": device.total(),
        "parameters_bytes": device.parameters,
        "gradients_bytes": device.gradients,
        "optimizer_bytes": device.optimizer,
        "activations_bytes": device.activations,
        "computing_bytes": device.computing,
        "model_bytes": device.model,
        "scoring_bytes": device.scoring,
        "workspaces_bytes": device.workspaces,
        "memory_bytes": device.memory,
        "allowed_bytes": device.room(),
        "fits": device.fits(),
    })
}

pub(super) fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED).set_header(header);
    table
}
