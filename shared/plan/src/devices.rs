//! What ranks, and trainings that are not divided, hold on devices that have memory of their own: each of these is held against its
//! own memory, and what stays with the machine against the machine's ([`Outlook::process`], [`Whole::beside_its_device`]).
//!
//! [`Whole::beside_its_device`]: crate::Whole::beside_its_device

use recspeed_types::probe::ProbedDevice;
use recspeed_types::spec::{Device, EngineKind, ResolvedSpec, StrategyKind};

use crate::sharding::ShardLevel;
use crate::words::bytes;
use crate::{Outlook, Recompute, ScheduleKind, Strategy};

/// Whose code computes on a device with memory of its own: how it takes that memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Library {
    /// Burn's own kernels, by CubeCL, on `cuda` and `vulkan`: it takes its memory in pools of large pages.
    Cubecl,
    /// LibTorch, on `libtorch-cuda`: each thread that multiplies has a workspace of [`WORKSPACE`] bytes.
    Libtorch,
    /// Another one, of which only the numbers are counted.
    #[default]
    Other,
}

/// Bytes of the workspace that LibTorch has cuBLAS keep on a GPU for each thread that multiplies: as measured on an H200 with
/// PyTorch 2.11, exactly so many a thread, of 1 to 16. cuBLAS' documentation asks for 32 MiB on Hopper, and for less on GPUs before it.
pub const WORKSPACE: u64 = 96 << 20;

impl Library {
    /// That of an engine's device.
    pub fn of(engine: EngineKind, device: Device) -> Self {
        match device {
            _ if engine.is_reference() => Self::Other,
            Device::LibtorchCuda => Self::Libtorch,
            Device::Cuda | Device::Vulkan => Self::Cubecl,
            Device::Flex | Device::Cpu | Device::Browser | Device::LibtorchCpu => Self::Other,
        }
    }

    /// Bytes that so many threads take to compute with, beside all numbers.
    pub(crate) const fn workspaces(self, threads: u64) -> u64 {
        match self {
            Self::Libtorch => WORKSPACE.saturating_mul(threads),
            Self::Cubecl | Self::Other => 0,
        }
    }
}

/// Where the numbers of a rank lie.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceMemory {
    /// In the machine's memory: those of a processor, of a GPU without memory of its own, and of one in software.
    #[default]
    Machine,
    /// In the memory of a device.
    Own {
        /// Its name; ranks on devices of the same name share it.
        name: String,
        /// Bytes that it has, where that is known.
        bytes: Option<u64>,
        /// What computes there.
        library: Library,
    },
}

impl DeviceMemory {
    /// Where an engine's device has its numbers, by what was probed. Of a GPU that nobody has probed, and of one whose worker does not say
    /// whose memory it tells, it is not known what memory it has.
    pub fn of(engine: EngineKind, device: Device, probed: &[ProbedDevice]) -> Self {
        if device.is_processor() {
            return Self::Machine;
        }
        let named = |one: &&ProbedDevice| one.engine == engine.as_str() && one.device == device.as_str();
        let found = probed.iter().find(named);
        let own_memory = found.and_then(|one| one.own_memory);
        if own_memory == Some(false) {
            return Self::Machine;
        }
        let name = found.and_then(|one| one.gpu.clone()).unwrap_or_else(|| format!("the GPU of `{}`", device.as_str()));
        let bytes = found.and_then(|one| one.memory).filter(|_| own_memory == Some(true));
        Self::Own { name, bytes, library: Library::of(engine, device) }
    }
}

/// What the ranks on one device will hold there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DeviceOutlook {
    /// The device.
    pub name: String,
    /// Bytes that it has, where that is known.
    pub memory: Option<u64>,
    /// The ranks that share it.
    pub ranks: Vec<usize>,
    /// Their parameters.
    pub parameters: u64,
    /// Their gradients.
    pub gradients: u64,
    /// The optimizer's moments, unless they are offloaded.
    pub optimizer: u64,
    /// Activations and messages of the pipeline, and what is gathered for a pass.
    pub activations: u64,
    /// What updates compute with.
    pub computing: u64,
    /// The whole model, on the first rank, which judges it, and the best one so far where early stopping keeps it.
    pub model: u64,
    /// What the first rank computes scores with when it judges: there are neither gradients nor activations then.
    pub scoring: u64,
    /// What the libraries compute with beside all of that: the workspaces of the ranks' threads, and of those that compute scores, which
    /// stay from the first product to the end.
    pub workspaces: u64,
    /// Whether its memory is taken in pools ([`Library::Cubecl`]).
    pub pooled: bool,
}

impl DeviceOutlook {
    /// The most bytes at once.
    pub fn total(&self) -> u64 {
        let stays =
            [self.parameters, self.optimizer, self.model, self.workspaces].into_iter().fold(0, u64::saturating_add);
        let of_a_step = [self.gradients, self.activations, self.computing].into_iter().fold(0, u64::saturating_add);
        stays.saturating_add(of_a_step.max(self.scoring))
    }

    /// What a run may use of the device's memory: nine tenths, as of the machine's. The rest is the driver's, and what the backend
    /// keeps for later. Pools keep more: on an H200 they held up to 1.47 times what was foretold, so two thirds are what numbers may take.
    pub fn room(&self) -> Option<u64> {
        self.memory.map(|memory| if self.pooled { memory / 3 * 2 } else { memory / 10 * 9 })
    }

    /// Bytes that are missing.
    pub fn missing(&self) -> u64 {
        self.room().map_or(0, |room| self.total().saturating_sub(room))
    }

    /// The same as a share of what a run may use of it.
    pub fn missing_share(&self) -> f64 {
        self.room().map_or(0.0, |room| self.missing() as f64 / room.max(1) as f64)
    }

    /// Whether it fits, where that is known.
    pub fn fits(&self) -> Option<bool> {
        self.room().map(|room| self.total() <= room)
    }

    fn who(&self) -> String {
        match &self.ranks[..] {
            [one] => format!("rank {one}"),
            [all @ .., last] => {
                let all = all.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
                format!("ranks {all} and {last}")
            }
            [] => "no rank".to_owned(),
        }
    }

    fn parts(&self) -> String {
        let parts = [
            ("parameters", self.parameters),
            ("gradients", self.gradients),
            ("optimizer", self.optimizer),
            ("activations", self.activations),
            ("what updates compute with", self.computing),
            ("the model as it is judged, and the best one so far", self.model),
            ("what the libraries compute with", self.workspaces),
            ("in place of gradients and activations, what scores are computed with", self.scoring),
        ];
        let parts = parts.into_iter().filter(|(_, held)| *held > 0);
        parts.map(|(name, held)| format!("{name} {}", bytes(held))).collect::<Vec<_>>().join(", ")
    }

    /// What is foretold of the device: one sentence.
    pub fn in_words(&self) -> String {
        let allowed = match self.room() {
            Some(room) => format!("of the {} of its memory that a run may use", bytes(room)),
            None => "how much memory it has is not known here".to_owned(),
        };
        let hold = if self.ranks.len() == 1 { "holds" } else { "hold" };
        let (who, held, parts) = (self.who(), bytes(self.total()), self.parts());
        format!("On {}, {who} {hold} about {held}, {allowed}: {parts}.", self.name)
    }

    /// Why it will not fit; `None` where it fits, and where nobody knows.
    pub(crate) fn refusal(&self) -> Option<String> {
        let (held, room) = (self.total(), self.room()?);
        (held > room).then(|| {
            format!(
                "This does not fit on {}: {} would hold about {} there ({}) and may have {} of its memory, {} too little.",
                self.name,
                self.who(),
                bytes(held),
                self.parts(),
                bytes(room),
                bytes(held - room)
            ) + &self.fewer_threads()
        })
    }

    /// What takes less where much of it is for threads, and there are some beside one for each rank and one that computes scores.
    fn fewer_threads(&self) -> String {
        let least = Library::Libtorch.workspaces(self.ranks.len() as u64 + 1);
        if self.workspaces <= least || self.workspaces < self.total() / 4 {
            return String::new();
        }
        format!(
            " {} of that are workspaces of threads: fewer of them (engine.threads) take less, down to {}.",
            bytes(self.workspaces),
            bytes(least)
        )
    }
}

impl Strategy {
    /// Where the numbers of a rank lie; ranks beyond those that are known are like the last one.
    pub(crate) fn memory_of(&self, rank: usize) -> &DeviceMemory {
        self.memories.get(rank).or(self.memories.last()).unwrap_or(&DeviceMemory::Machine)
    }
}

impl Outlook {
    /// What each device with memory of its own will hold, in the order of the first rank on each.
    pub fn devices(&self, strategy: &Strategy) -> Vec<DeviceOutlook> {
        let (needs, copies) = (strategy.needs, strategy.copies().max(1));
        let ranks = self.schedule.ranks();
        let whole = strategy.tensor.max(1) as u64 * (0..ranks).map(|rank| self.stage_bytes(rank)).sum::<u64>();
        let kept = u64::from(!needs.alone) + u64::from(needs.keeps_best);
        let mut devices: Vec<DeviceOutlook> = Vec::new();
        for rank in 0..ranks * copies {
            let DeviceMemory::Own { name, bytes, library } = strategy.memory_of(rank) else { continue };
            let at = devices.iter().position(|device| device.name == *name).unwrap_or_else(|| {
                devices.push(DeviceOutlook { name: name.clone(), ..DeviceOutlook::default() });
                devices.len() - 1
            });
            let (device, stage) = (&mut devices[at], rank / copies);
            let of = &self.ranks[stage];
            device.memory = device.memory.or(*bytes);
            device.pooled |= *library == Library::Cubecl;
            device.ranks.push(rank);
            device.workspaces += library.workspaces(1);
            device.parameters += of.shares.parameters;
            device.gradients += of.shares.gradients;
            device.optimizer += of.shares.optimizer;
            device.activations += of.activations + of.shares.transient;
            device.computing += self.update(strategy, stage).on_its_device(strategy.offload);
            if rank == 0 {
                device.model = kept * whole;
                device.scoring = needs.scoring;
                device.workspaces += library.workspaces(needs.scorers);
            }
        }
        devices
    }

    /// Bytes that are missing on the device that lacks most; 0 where all fits, or nobody knows.
    pub(crate) fn missing(&self, strategy: &Strategy) -> u64 {
        self.devices(strategy).iter().map(DeviceOutlook::missing).max().unwrap_or(0)
    }
}

/// Why a strategy will not fit on its devices, with what helps of what was planned and its spec can set; `None` where it fits, and where
/// nobody knows how much memory they have.
pub fn shortage(spec: &ResolvedSpec, strategy: &Strategy, outlook: &Outlook) -> Option<String> {
    let devices = outlook.devices(strategy);
    let fullest = devices.iter().max_by_key(|device| device.missing())?;
    let refusal = fullest.refusal()?;
    let planned = |setting: Setting| {
        let new = &setting.strategy;
        let outlook = Outlook::of(new).ok()?;
        let step_us = outlook.simulation.total_us * strategy.batch as f64 / new.batch as f64;
        let devices = outlook.devices(new).into_iter();
        let device = devices.max_by_key(|device| (device.missing(), device.name == fullest.name))?;
        let less = (device.missing(), device.total()) < (fullest.missing(), fullest.total());
        less.then(|| (device, step_us, setting.in_words()))
    };
    // Of the changes that make it fit the fastest; where none does, the one that leaves the least missing.
    let tried = settings(spec, strategy).into_iter().filter_map(planned);
    let best = tried.min_by(|(a, a_us, _), (b, b_us, _)| a.missing().cmp(&b.missing()).then(a_us.total_cmp(b_us)));
    Some(match best {
        Some((device, _, words)) => {
            let enough = if device.missing() > 0 { ", still too much" } else { "" };
            format!("{refusal} Try {words}: {} on {}{enough}.", bytes(device.total()), device.name)
        }
        None => format!("{refusal} Use a smaller model, or {}.", on_the_processor(spec, &fullest.ranks)),
    })
}

/// What may make a strategy smaller on its devices without moving any rank.
struct Setting {
    /// The strategy with it.
    strategy: Strategy,
    /// What it is.
    title: String,
    /// The fields of the spec that say so, as `--set` takes them.
    set: Vec<String>,
}

impl Setting {
    fn in_words(&self) -> String {
        format!("{} ({})", self.title, self.set.join(", "))
    }
}

/// What this spec can set of that.
fn settings(spec: &ResolvedSpec, strategy: &Strategy) -> Vec<Setting> {
    let with = |title: &str, set: Vec<String>, change: &dyn Fn(&mut Strategy)| {
        let mut new = strategy.clone();
        change(&mut new);
        Setting { strategy: new, title: title.to_owned(), set }
    };
    let one = |assignment: &str| vec![assignment.to_owned()];
    let mut settings = Vec::new();
    let half = strategy.batch / 2;
    if half >= strategy.micro_batches.max(1) {
        let set = vec![format!("training.batch_size = {}", half * strategy.replicas.max(1))];
        settings.push(with("batches half as large", set, &|new: &mut Strategy| new.batch = half));
    }
    // A single device has nothing to set in [strategy].
    if spec.strategy.is_single() {
        return settings;
    }
    if strategy.recompute != Recompute::Always {
        let set = one("strategy.recompute = \"always\"");
        settings.push(with("computing the forward passes again", set, &|new: &mut Strategy| {
            new.recompute = Recompute::Always;
        }));
    }
    if strategy.schedule == ScheduleKind::Gpipe && strategy.ranks > 1 {
        let set = one("strategy.schedule = \"1f1b\"");
        settings.push(with("1F1B", set, &|new: &mut Strategy| new.schedule = ScheduleKind::OneForwardOneBackward));
    }
    if !strategy.offload {
        let set = one("strategy.offload = true");
        settings
            .push(with("the optimizer's state in the machine's memory", set, &|new: &mut Strategy| new.offload = true));
    }
    if strategy.replicas > 1 {
        for level in ShardLevel::ALL.into_iter().filter(|&level| level > strategy.level) {
            let mut set = one(&format!("strategy.stage = {}", level.zero_stage()));
            // Whoever divides nothing has no stage to set.
            if spec.strategy.kind == StrategyKind::DataParallel {
                set.insert(0, "strategy.kind = \"zero\"".to_owned());
            }
            settings.push(with(&format!("ZeRO {}", level.zero_stage()), set, &|new: &mut Strategy| new.level = level));
        }
    }
    settings
}

/// What the spec says where these ranks compute on the processor.
fn on_the_processor(spec: &ResolvedSpec, ranks: &[usize]) -> String {
    if spec.engine.kind.is_reference() {
        return "engine.device = \"cpu\"".to_owned();
    }
    // Where each stage has a device of its own, that of the engine is nobody's.
    let Some(devices) = &spec.strategy.devices else { return "engine.device = \"flex\"".to_owned() };
    let of_stage = (spec.strategy.ranks / spec.strategy.stages.max(1)).max(1) as usize;
    let devices = devices.iter().enumerate().map(|(stage, &device)| {
        let moved = ranks.iter().any(|rank| rank / of_stage == stage);
        format!("\"{}\"", (if moved { Device::Flex } else { device }).as_str())
    });
    format!("strategy.devices = [{}]", devices.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use recspeed_types::ExperimentSpec;

    use super::*;
    use crate::{Assumed, of_spec};

    fn text(engine: &str, strategy: &str) -> String {
        format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"densenet\"\n\
             layers = 12\n[training]\nbatch_size = 64\n[evaluation]\nmetrics = [\"rmse\"]\n[engine]\n{engine}\n[strategy]\n{strategy}\n"
        )
    }

    fn with(text: &str, set: &[String]) -> ResolvedSpec {
        let spec = ExperimentSpec::from_toml_with(text, set).unwrap_or_else(|error| panic!("{set:?}: {error}"));
        spec.resolve().unwrap_or_else(|problems| panic!("{set:?}: {problems:?}"))
    }

    fn plan(spec: &ResolvedSpec) -> Strategy {
        of_spec(spec, Assumed::threads(crate::pace::GFLOPS)).expect("a row of layers")
    }

    const ON_GPUS: [(&str, &str); 7] = [
        ("device = \"cuda\"", "kind = \"single\""),
        ("kind = \"pytorch\"\ndevice = \"cuda\"", "kind = \"single\""),
        ("device = \"cuda\"", "kind = \"data-parallel\"\nranks = 4"),
        ("device = \"libtorch-cuda\"", "kind = \"zero\"\nranks = 4\nstage = 1"),
        ("device = \"cuda\"", "kind = \"pipeline\"\nstages = 2\nschedule = \"gpipe\""),
        ("device = \"cuda\"", "kind = \"hybrid\"\nstages = 1\nranks = 2"),
        ("", "kind = \"hybrid\"\nstages = 2\nranks = 4\ndevices = [\"cuda\", \"libtorch-cuda\"]"),
    ];

    #[test]
    fn every_setting_that_is_proposed_can_be_set_and_is_what_was_planned() {
        for (engine, strategy) in ON_GPUS {
            let text = text(engine, strategy);
            let spec = with(&text, &[]);
            let settings = settings(&spec, &plan(&spec));
            assert_eq!(settings.len() > 1, !spec.strategy.is_single(), "{strategy}");
            for Setting { strategy, set, .. } in settings {
                assert_eq!(plan(&with(&text, &set)), strategy, "{set:?}");
            }
        }
    }

    #[test]
    fn what_is_left_moves_the_ranks_of_the_full_device_and_no_others() {
        for (engine, strategy) in ON_GPUS {
            let text = text(engine, strategy);
            let spec = with(&text, &[]);
            let ranks = spec.strategy.ranks as usize;
            // Of stages with devices of their own, the last one's.
            let full: Vec<usize> = if spec.strategy.devices.is_some() { vec![ranks - 1] } else { (0..ranks).collect() };
            let moved = with(&text, &[on_the_processor(&spec, &full)]);
            let device = |spec: &ResolvedSpec, rank| spec.strategy.device_of(rank).unwrap_or(spec.engine.device);
            for rank in full {
                assert!(device(&moved, rank).is_processor(), "{strategy}");
            }
            if spec.strategy.devices.is_some() {
                assert_eq!(device(&moved, 0), device(&spec, 0), "{strategy}");
            }
        }
    }
}
