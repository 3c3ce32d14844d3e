//! `[strategy]`: how the work of a training is divided among ranks.

use serde::{Deserialize, Serialize};

use super::balance::Balance;
use super::divisible::{at_most, layers, narrowest_table, widest_share};
use super::engine::Device;
use super::recommender::ResolvedRecommender;
use super::{Problems, Training};
use crate::limits::{MAX_CHUNKS, MAX_MICRO_BATCHES, MAX_TIMEOUT};

/// `[strategy]` as written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StrategySpec {
    /// How the work is divided (`single` unless set).
    #[serde(default)]
    pub kind: StrategyKind,
    /// Ranks in all (2 for `data-parallel` and `zero`, as many as stages × tensor otherwise).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<u32>,
    /// Ranks of one pipeline (2 unless set); `pipeline` and `hybrid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<u32>,
    /// Ranks that share each layer, each with a part of its numbers (1 unless set); `hybrid`, of `mlp` and `densenet`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<u32>,
    /// Parts that each replica cuts its share of a batch into (4 for `pipeline` and `hybrid`, else 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub micro_batches: Option<u32>,
    /// Order of forward and backward passes (`1f1b` unless set); `pipeline` and `hybrid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<PipelineSchedule>,
    /// Stages a rank, for `schedule = "interleaved"` (2 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<u32>,
    /// Forward passes that are computed again in the backward pass instead of being kept (`never` unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recompute: Option<Recompute>,
    /// What the stages are made equal in, or the layers of each (`parameters` unless set); `pipeline` and `hybrid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balance: Option<Balance>,
    /// What replicas divide: 1 optimizer state, 2 gradients too, 3 parameters too; `zero` (1 unless set) and `hybrid` (0 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<u32>,
    /// Whether the optimizer's state lies, and the update is computed, in the machine's own memory instead of the device's (false unless
    /// set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offload: Option<bool>,
    /// Numbers of a tensor up to which every rank keeps it whole (DeepSpeed's own default unless set); `zero` 3 of `deepspeed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence_threshold: Option<u32>,
    /// How ranks divide tables of embeddings (`row-wise` unless set); all but `single`, of recommenders that have some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<TableSharding>,
    /// Seconds that a rank waits for another one before the run fails (120 unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// What ranks are (`threads` unless set).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub launcher: Option<Launcher>,
    /// Where each stage computes, first to last (`engine.device` for all unless set); `pipeline` and `hybrid`, of the engine `burn`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<Device>>,
}

/// What ranks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Launcher {
    /// Threads of the worker; in the tab they take turns.
    #[default]
    Threads,
    /// Processes that `mpirun` starts and that talk over MPI, where the worker was built with it.
    Mpi,
}

impl Launcher {
    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Mpi => "mpi",
        }
    }
}

/// How the work is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StrategyKind {
    /// One device does all of it.
    #[default]
    Single,
    /// Replicas share each batch.
    DataParallel,
    /// Layers are cut into stages.
    Pipeline,
    /// Replicas share each batch, and divide optimizer state, gradients and parameters.
    Zero,
    /// Stages, each with replicas.
    Hybrid,
}

/// Recommenders that are rows of layers, which ranks can divide among themselves.
const ROWS_OF_LAYERS: [&str; 4] = ["mlp", "densenet", "dlrm", "sasrec"];

impl StrategyKind {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Single, Self::DataParallel, Self::Pipeline, Self::Zero, Self::Hybrid];

    /// Whether the training of this kind of recommender can be divided so.
    pub fn suits(self, recommender: &str) -> bool {
        self == Self::Single || ROWS_OF_LAYERS.contains(&recommender)
    }

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::DataParallel => "data-parallel",
            Self::Pipeline => "pipeline",
            Self::Zero => "zero",
            Self::Hybrid => "hybrid",
        }
    }
}

/// Orders of forward and backward passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum PipelineSchedule {
    /// All forward passes, then all backward passes.
    #[serde(rename = "gpipe")]
    Gpipe,
    /// One forward, one backward.
    #[default]
    #[serde(rename = "1f1b")]
    OneForwardOneBackward,
    /// The same over several stages a rank.
    #[serde(rename = "interleaved")]
    Interleaved,
    /// The backward pass in two parts, the second of which fills the bubble.
    #[serde(rename = "zb-h1")]
    ZeroBubbleH1,
}

/// Forward passes that are computed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Recompute {
    /// None.
    #[default]
    Never,
    /// All but that of the last micro-batch.
    ExceptLast,
    /// All.
    Always,
}

/// How ranks divide tables of embeddings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum TableSharding {
    /// The features of each field are on one rank, as equally as can be.
    TableWise,
    /// Each rank has some of the rows.
    #[default]
    RowWise,
    /// Each rank has some of the columns.
    ColumnWise,
}

/// Recommenders with tables of embeddings, among those that ranks can divide.
const WITH_TABLES: [&str; 2] = ["dlrm", "sasrec"];

impl TableSharding {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::RowWise, Self::TableWise, Self::ColumnWise];

    /// Whether this kind of recommender has tables that ranks can divide.
    pub fn suits(recommender: &str) -> bool {
        WITH_TABLES.contains(&recommender)
    }

    /// The name as written in a spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TableWise => "table-wise",
            Self::RowWise => "row-wise",
            Self::ColumnWise => "column-wise",
        }
    }
}

/// `[strategy]` with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Strategy {
    /// How the work is divided.
    pub kind: StrategyKind,
    /// Ranks in all: stages × replicas × tensor.
    pub ranks: u32,
    /// Ranks of one pipeline.
    pub stages: u32,
    /// Ranks that share each layer.
    pub tensor: u32,
    /// Parts of each replica's share of a batch.
    pub micro_batches: u32,
    /// Order of forward and backward passes.
    pub schedule: PipelineSchedule,
    /// Stages a rank.
    pub chunks: u32,
    /// Forward passes that are computed again.
    pub recompute: Recompute,
    /// Where the borders between stages lie.
    pub balance: Balance,
    /// What replicas divide: 0 nothing, 1 optimizer state, 2 gradients too, 3 parameters too.
    pub zero: u32,
    /// Whether the optimizer's state lies in the machine's own memory.
    pub offload: bool,
    /// Numbers of a tensor up to which every rank keeps it whole, where DeepSpeed is told.
    pub persistence_threshold: Option<u32>,
    /// How ranks divide tables of embeddings, where there are some.
    pub tables: TableSharding,
    /// Seconds that a rank waits for another one.
    pub timeout: u32,
    /// What ranks are.
    pub launcher: Launcher,
    /// Where each stage computes, where the stages differ.
    pub devices: Option<Vec<Device>>,
}

impl Strategy {
    /// Where a rank computes, where that is not `engine.device`. Ranks of one stage are neighbours, as in `recspeed_plan::Layout`.
    pub fn device_of(&self, rank: usize) -> Option<Device> {
        let of_stage = (self.ranks / self.stages.max(1)).max(1) as usize;
        self.devices.as_ref()?.get(rank / of_stage).copied()
    }

    /// Copies of the model that share each batch.
    pub fn replicas(&self) -> u32 {
        (self.ranks / (self.stages * self.tensor).max(1)).max(1)
    }

    /// Refuses chunks that a schedule has not, and ranks that its stages and the ranks that share layers do not make up.
    fn check_layout(&self, most_ranks: u32, problems: &mut Problems) {
        let Self { kind, ranks, stages, tensor, chunks, .. } = *self;
        let group = stages.saturating_mul(tensor);
        if chunks > 1 && self.schedule != PipelineSchedule::Interleaved {
            problems.add(
                "strategy.chunks",
                format!("is {chunks}; only schedule = \"interleaved\" has several stages a rank"),
            );
        }
        if group > most_ranks {
            let (most, all) = (at_most(most_ranks / stages), format!("{group} ranks with {stages} stages"));
            let message = format!("makes {all}; allowed: up to {most_ranks}; set it to {most}");
            problems.add("strategy.tensor", message);
        } else if kind == StrategyKind::Pipeline && ranks != stages {
            problems.add(
                "strategy.ranks",
                format!(
                    "is {ranks} with {stages} stages; set it to {stages}, as it is where it is left out; several replicas of a pipeline \
                     are kind = \"hybrid\""
                ),
            );
        } else if !ranks.is_multiple_of(group) {
            let (below, above) = (ranks / group * group, ranks.div_ceil(group) * group);
            let nearest = [below, above].into_iter().filter(|&near| (1..=most_ranks).contains(&near));
            let nearest = nearest.map(|near| near.to_string()).collect::<Vec<_>>().join(" or ");
            let what = if tensor > 1 {
                format!("{stages} × {tensor} stages and tensor ranks")
            } else {
                format!("{stages} stages")
            };
            problems.add("strategy.ranks", format!("is {ranks}, which {what} do not divide; set it to {nearest}"));
        }
    }

    /// Whether one device does everything as a whole.
    pub fn is_single(&self) -> bool {
        self.kind == StrategyKind::Single
    }
}

impl StrategySpec {
    /// Whether nothing is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn resolve(
        &self,
        recommender: Option<&ResolvedRecommender>,
        training: Option<&Training>,
        most_ranks: u32,
        problems: &mut Problems,
    ) -> Strategy {
        use StrategyKind::{DataParallel, Hybrid, Pipeline, Single, Zero};
        let kind = self.kind;
        let because = format!("the strategy is `{}`", kind.as_str());
        let cut = matches!(kind, Pipeline | Hybrid);
        for (path, set, used) in [
            ("strategy.ranks", self.ranks.is_some(), kind != Single),
            ("strategy.stages", self.stages.is_some(), cut),
            ("strategy.tensor", self.tensor.is_some(), kind == Hybrid),
            ("strategy.micro_batches", self.micro_batches.is_some(), kind != Single),
            ("strategy.schedule", self.schedule.is_some(), cut),
            ("strategy.chunks", self.chunks.is_some(), cut),
            ("strategy.recompute", self.recompute.is_some(), kind != Single),
            ("strategy.balance", self.balance.is_some(), cut),
            ("strategy.stage", self.stage.is_some(), matches!(kind, Zero | Hybrid)),
            ("strategy.offload", self.offload.is_some(), kind != Single),
            ("strategy.persistence_threshold", self.persistence_threshold.is_some(), kind == Zero),
            ("strategy.tables", self.tables.is_some(), kind != Single),
            ("strategy.timeout", self.timeout.is_some(), kind != Single),
            ("strategy.launcher", self.launcher.is_some(), kind != Single),
            ("strategy.devices", self.devices.is_some(), cut),
        ] {
            problems.refuse(path, (set && !used).then_some(&()), &because);
        }
        let mut number = |path: &str, value: Option<u32>, otherwise: u32, most: u32| {
            value.map_or(otherwise, |value| problems.range(path, value, 1, most).clamp(1, most))
        };
        let stages = if cut { number("strategy.stages", self.stages, 2, most_ranks) } else { 1 };
        let tensor = number("strategy.tensor", self.tensor, 1, most_ranks);
        let group = stages.saturating_mul(tensor);
        let ranks = match kind {
            Single => 1,
            DataParallel | Zero => number("strategy.ranks", self.ranks, 2, most_ranks),
            Pipeline | Hybrid => number("strategy.ranks", self.ranks, group, most_ranks),
        };
        let micro_batches =
            number("strategy.micro_batches", self.micro_batches, if cut { 4 } else { 1 }, MAX_MICRO_BATCHES);
        let schedule = self.schedule.unwrap_or_default();
        let interleaved = schedule == PipelineSchedule::Interleaved;
        let chunks = number("strategy.chunks", self.chunks, if interleaved { 2 } else { 1 }, MAX_CHUNKS);
        let timeout = number("strategy.timeout", self.timeout, 120, MAX_TIMEOUT);
        let zero = match self.stage {
            Some(stage) => problems.range("strategy.stage", stage, u32::from(kind == Zero), 3),
            None => u32::from(kind == Zero),
        };
        let strategy = Strategy {
            kind,
            ranks,
            stages,
            tensor,
            micro_batches,
            schedule,
            chunks,
            recompute: self.recompute.unwrap_or_default(),
            balance: self.balance.clone().unwrap_or_default(),
            zero,
            offload: self.offload.unwrap_or_default(),
            persistence_threshold: self.persistence_threshold,
            tables: self.tables.unwrap_or_default(),
            timeout,
            launcher: self.launcher.unwrap_or_default(),
            devices: self.devices.clone(),
        };
        // A number that is refused is not reckoned with any further: what follows from 0 stages is nobody's mistake.
        let sound = !self.has_refused(most_ranks);
        if sound {
            strategy.check_layout(most_ranks, problems);
            self.check_devices(stages, problems);
        }
        if kind != Single {
            self.check_against(&strategy, recommender, training, sound, problems);
        }
        strategy
    }

    /// Whether one of the numbers that others follow from is beyond its range.
    fn has_refused(&self, most_ranks: u32) -> bool {
        let parts = [(self.micro_batches, MAX_MICRO_BATCHES), (self.chunks, MAX_CHUNKS)];
        let ranks = [self.ranks, self.stages, self.tensor].map(|number| (number, most_ranks));
        let mut all = ranks.into_iter().chain(parts);
        all.any(|(number, most)| number.is_some_and(|number| !(1..=most).contains(&number)))
    }

    fn check_tables(&self, strategy: &Strategy, recommender: &ResolvedRecommender, problems: &mut Problems) {
        let Some(sharding) = self.tables else { return };
        let Some(columns) = narrowest_table(recommender) else {
            let (sharding, kind) = (sharding.as_str(), recommender.entry.kind);
            problems.add("strategy.tables", format!("is `{sharding}`, and `{kind}` has no tables; remove it"));
            return;
        };
        if sharding == TableSharding::ColumnWise && strategy.ranks > columns {
            let message = format!(
                "is `column-wise`, and a table has {columns} columns for {} ranks; set strategy.ranks = {}, or \
                 strategy.tables = \"row-wise\"",
                strategy.ranks,
                at_most(columns)
            );
            problems.add("strategy.tables", message);
        }
    }

    fn check_devices(&self, stages: u32, problems: &mut Problems) {
        let Some(devices) = &self.devices else { return };
        if devices.len() != stages as usize {
            let message = format!("names {} devices; it takes one for each of the {stages} stages", devices.len());
            problems.add("strategy.devices", message);
        }
        if let Some(other) = devices.iter().find(|device| !Device::OF_BURN.contains(device)) {
            let able = Device::OF_BURN.map(Device::as_str).join(", ");
            problems.add("strategy.devices", format!("names `{}`; stages compute on {able}", other.as_str()));
        }
    }

    fn check_against(
        &self,
        strategy: &Strategy,
        recommender: Option<&ResolvedRecommender>,
        training: Option<&Training>,
        sound: bool,
        problems: &mut Problems,
    ) {
        let Some(recommender) = recommender else { return };
        let Some(layers) = layers(recommender) else {
            let message = format!(
                "is `{}`; of the recommenders, mlp, densenet, dlrm and sasrec can be divided, `{}` needs kind = \"single\"",
                strategy.kind.as_str(),
                recommender.entry.kind
            );
            problems.add("strategy.kind", message);
            return;
        };
        if !sound {
            return;
        }
        self.check_tables(strategy, recommender, problems);
        let (ranks, stages) = (strategy.ranks, strategy.stages.max(1));
        match widest_share(recommender) {
            Some(width) if strategy.tensor <= width => {}
            Some(width) => problems.add(
                "strategy.tensor",
                format!(
                    "is {}, and a layer has {width} {} to share; set it to {}",
                    strategy.tensor,
                    if width == 1 { "number" } else { "numbers" },
                    at_most(width)
                ),
            ),
            // In its place all ranks divide the tables, and replicas the layers.
            None if strategy.tensor > 1 => problems.add(
                "strategy.tensor",
                format!(
                    "is {}; of the recommenders, the layers of mlp and densenet can be shared, `{}` needs tensor = 1: with ranks = {ranks} \
                     that makes {} × {stages} replicas × stages; all ranks divide its tables, and with stage = 3 replicas divide its layers",
                    strategy.tensor, recommender.entry.kind, ranks / stages
                ),
            ),
            None => {}
        }
        let parts = strategy.stages.saturating_mul(strategy.chunks);
        if parts > layers {
            let ways = [("strategy.stages", layers / strategy.chunks), ("strategy.chunks", layers / strategy.stages)];
            let ways =
                ways.iter().filter(|(name, most)| *most > 0 && (*name == "strategy.stages" || strategy.chunks > 1));
            let ways: Vec<String> = ways.map(|(name, most)| format!("{name} = {}", at_most(*most))).collect();
            let remedy = if ways.is_empty() { "both lower".to_owned() } else { ways.join(", or ") };
            problems.add(
                "strategy.stages",
                format!("makes {parts} stages, and the model has {layers} layers; set {remedy}"),
            );
        } else if let Some(why) = strategy.balance.misfit(parts, layers) {
            problems.add("strategy.balance", why);
        }
        if let Some(training) = training {
            let (batch, replicas) = (training.batch_size, strategy.replicas());
            let most = batch / replicas;
            if strategy.micro_batches > most {
                problems.add(
                    "strategy.micro_batches",
                    if most == 0 {
                        format!("cannot be had: {replicas} replicas share a batch of {batch}; set training.batch_size = {replicas} or more, or fewer ranks")
                    } else {
                        format!(
                            "is {}, and each replica has {most} {} of a batch of {batch}; set it to {}",
                            strategy.micro_batches,
                            if most == 1 { "row" } else { "rows" },
                            at_most(most)
                        )
                    },
                );
            }
        }
    }
}
