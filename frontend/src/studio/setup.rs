//! What is set in the studio.

use recspeed_plan::dense::Speed;
use recspeed_plan::pace::GFLOPS;
use recspeed_plan::sharding::{OptimizerState, ShardLevel};
use recspeed_plan::simulate::Link;
use recspeed_plan::{
    Assumed, Balance, Change, EvaluationOutlook, Judging, Layer, Lessons, Outlook, PlanError, ProcessNeeds, Recompute,
    ScheduleKind, Strategy, of_spec, whole_layers,
};
use recspeed_types::spec::{BalanceBy, Optimizer, ResolvedSpec};
use recspeed_types::{ExperimentSpec, Extent, decode_permalink};

use super::model::layers;

/// A choice: its name in the address and in a spec, and its title.
pub(crate) type Named = (&'static str, &'static str);

/// The models.
pub(crate) const MODELS: &[Named] = &[
    ("densenet", "DenseNet: each layer sees all before it"),
    ("mlp", "MLP: layers of one width"),
    ("layers", "Layers by hand"),
];
/// The same, where the studio was opened from an experiment.
pub(crate) const MODELS_AND_OWN: &[Named] =
    &[MODELS[0], MODELS[1], MODELS[2], ("experiment", "The experiment’s own network")];
/// The schedules.
pub(crate) const SCHEDULES: &[Named] =
    &[("gpipe", "GPipe"), ("1f1b", "1F1B"), ("interleaved", "Interleaved"), ("zb-h1", "ZB-H1")];
/// The modes of recomputation.
pub(crate) const RECOMPUTES: &[Named] = &[("never", "Never"), ("except-last", "Except last"), ("always", "Always")];
/// The stages of ZeRO.
pub(crate) const ZEROS: &[Named] = &[("0", "Off"), ("1", "1"), ("2", "2"), ("3", "3")];
/// The optimizers.
pub(crate) const OPTIMIZERS: &[Named] = &[("adam", "Adam"), ("sgd", "SGD")];
/// Where the optimizer's state lies, and its work is done.
pub(crate) const OFFLOADS: &[Named] = &[("device", "Rank"), ("host", "Host")];
/// The links, with nominal bytes a microsecond and microseconds of latency.
pub(crate) const LINKS: &[Named] = &[
    ("none", "Instant (no cost)"),
    ("gigabit", "Ethernet, 1 Gbit/s, 50 µs"),
    ("10gigabit", "Ethernet, 10 Gbit/s, 20 µs"),
    ("infiniband", "InfiniBand, 200 Gbit/s, 2 µs"),
    ("memory", "Shared memory, 10 GB/s, 2 µs"),
    ("nvlink", "NVLink, 300 GB/s, 2 µs"),
];
/// Ranks, micro-batches, chunks and samples that are planned in one go: of ranks as many as a run can have.
pub(super) const MAX_RANKS: usize = recspeed_types::limits::MAX_RANKS as usize;
pub(super) const MAX_MICRO_BATCHES: usize = 256;
pub(super) const MAX_CHUNKS: usize = 8;
pub(super) const MAX_BATCH: usize = 65_536;
pub(super) const MAX_REPLICAS: usize = 512;
/// Passes of all ranks together that the page draws.
const MAX_PASSES: usize = 20_000;
/// Threads that evaluate where no experiment says how many: the page does not know on which machine it will be.
const THREADS: u64 = 1;

/// What the process of such a training needs, without data.
fn needs(evaluation: EvaluationOutlook) -> ProcessNeeds {
    let before = ProcessNeeds::of_rows(0);
    ProcessNeeds { before, checkpoints: true, evaluation: evaluation.total(), ..ProcessNeeds::default() }
}

/// Where the borders between stages lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The stages are equal in time.
    Time,
    /// In parameters.
    Parameters,
    /// In memory.
    Memory,
    /// Layers in each, as dragged.
    ByHand(Vec<usize>),
}

impl Cut {
    /// What a spec calls it; `None` of layers by hand.
    pub(super) const fn word(&self) -> Option<BalanceBy> {
        match self {
            Self::Time => Some(BalanceBy::Time),
            Self::Parameters => Some(BalanceBy::Parameters),
            Self::Memory => Some(BalanceBy::Memory),
            Self::ByHand(_) => None,
        }
    }
}

/// Everything that the reader can set. Names are those of the constants above.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Setup {
    /// The model.
    pub model: &'static str,
    /// Layers of a dense block, hidden layers of an MLP.
    pub depth: usize,
    /// Numbers that each of them makes.
    pub width: usize,
    /// Widths of layers by hand.
    pub widths: String,
    /// Samples of a batch.
    pub batch: usize,
    /// Ranks of the pipeline.
    pub ranks: usize,
    /// Micro-batches.
    pub micro_batches: usize,
    /// The schedule.
    pub schedule: &'static str,
    /// Stages a rank.
    pub chunks: usize,
    /// What is computed again.
    pub recompute: &'static str,
    /// Pipelines that share the data.
    pub replicas: usize,
    /// What they divide.
    pub zero: &'static str,
    /// The optimizer.
    pub optimizer: &'static str,
    /// Where its state lies.
    pub offload: &'static str,
    /// What connects the ranks.
    pub link: &'static str,
    /// Thousands of millions of operations a second, of each rank.
    pub gflops: usize,
    /// MiB of each rank; 0 where that is not known.
    pub room: usize,
    /// Where the borders lie.
    pub cut: Cut,
    /// The experiment that the studio was opened from, packed as in a permalink, where its network is none of the studio's own.
    pub of: Option<String>,
    /// A stored run whose measured timeline is laid under the plan.
    pub run: Option<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            model: "densenet",
            depth: 150,
            width: 32,
            widths: "4, 512*8, 64, 1".to_owned(),
            batch: 256,
            ranks: 4,
            micro_batches: 8,
            schedule: "gpipe",
            chunks: 1,
            recompute: "never",
            replicas: 1,
            zero: "0",
            optimizer: "adam",
            offload: "device",
            link: "memory",
            gflops: GFLOPS as usize,
            room: 0,
            cut: Cut::Time,
            of: None,
            run: None,
        }
    }
}

/// Said where the network of an experiment is asked for and none was given.
const NO_EXPERIMENT: &str = "There is no experiment here whose network could be planned: open the studio from a run, or from the lab’s “Strategy”.";

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Refusal {
    /// The plan says so.
    Plan(PlanError),
    /// The list of widths cannot be read.
    Widths(String),
    /// More than a page draws.
    TooLarge {
        /// Forward and backward passes of all ranks.
        passes: usize,
    },
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Plan(error) => {
                let text = error.to_string();
                write!(f, "{}.", crate::charts::capital(&text))
            }
            Self::Widths(text) => f.write_str(text),
            Self::TooLarge { passes } => write!(
                f,
                "These are {passes} passes, and the page draws at most {MAX_PASSES}: take fewer micro-batches or ranks."
            ),
        }
    }
}

impl Setup {
    /// The kind of its schedule.
    pub(crate) fn kind(&self) -> ScheduleKind {
        ScheduleKind::ALL.into_iter().find(|kind| kind.as_str() == self.schedule).unwrap_or(ScheduleKind::Gpipe)
    }

    /// Its recompute mode.
    pub(crate) fn mode(&self) -> Recompute {
        let all = [Recompute::Never, Recompute::ExceptLast, Recompute::Always];
        all.into_iter().find(|mode| mode.as_str() == self.recompute).unwrap_or_default()
    }

    /// What the replicas divide.
    pub(crate) fn level(&self) -> ShardLevel {
        let named = |level: &ShardLevel| level.zero_stage().to_string() == self.zero;
        ShardLevel::ALL.into_iter().find(named).unwrap_or(ShardLevel::DataParallel)
    }

    /// Bytes of a rank's memory, where they are set.
    pub(crate) fn room(&self) -> Option<u64> {
        (self.room > 0).then_some((self.room as u64) << 20)
    }

    /// How fast each rank is taken to be.
    pub(super) fn speed(&self) -> Speed {
        Speed::of_gflops(self.gflops.max(1) as f64)
    }

    /// What connects the ranks.
    pub(super) fn link(&self) -> Link {
        let (bytes_per_us, latency_us) = match self.link {
            "gigabit" => (125.0, 50.0),
            "10gigabit" => (1250.0, 20.0),
            "infiniband" => (25_000.0, 2.0),
            "memory" => return Link::MEMORY,
            "nvlink" => (300_000.0, 2.0),
            _ => return Link::INSTANT,
        };
        Link { latency_us, bytes_per_us }
    }

    /// The experiment whose network is planned, where it is none of the studio's own.
    pub(crate) fn experiment(&self) -> Option<ExperimentSpec> {
        let packed = self.of.as_ref().filter(|_| self.model == "experiment")?;
        decode_permalink(packed).ok()
    }

    /// What the plan is asked for.
    ///
    /// # Errors
    /// The model cannot be read.
    pub(crate) fn strategy(&self) -> Result<Strategy, Refusal> {
        if self.model == "experiment" {
            let own = self.own_spec().and_then(|spec| {
                let data = Extent::foretold(&spec.dataset);
                let threads = spec.engine.threads.map_or(THREADS, u64::from);
                // Nobody has read how long histories are.
                let judging = Judging { threads, rows: None, lessons: Lessons::default() };
                let evaluation = EvaluationOutlook::of_spec(&spec, data.as_ref(), judging);
                let whole = whole_layers(&spec.recommender, data.as_ref())?;
                let assumed = Assumed { speed: self.speed(), link: self.link(), data, filled: 1.0, longest: None };
                let own = of_spec(&spec, assumed)?;
                Some((own, whole, evaluation.unwrap_or_default()))
            });
            let (own, whole, evaluation) = own.ok_or_else(|| Refusal::Widths(NO_EXPERIMENT.to_owned()))?;
            let strategy = Strategy {
                layers: own.layers,
                tensor: own.tensor,
                beside: own.beside,
                tables_us: own.tables_us,
                needs: ProcessNeeds { step: own.needs.step, ..needs(evaluation) },
                ..self.around(Vec::new())
            };
            return Ok(self.cut_into(strategy, whole));
        }
        let layers = |speed| layers(self, speed).map_err(Refusal::Widths);
        Ok(self.cut_into(self.around(layers(self.speed())?), layers(Speed::of_gflops(GFLOPS))?))
    }

    /// Its experiment, trained as is set: what tables of embeddings hold and send depends on the ranks, the batch, its parts and the
    /// optimizer.
    fn own_spec(&self) -> Option<ResolvedSpec> {
        let mut spec = self.experiment()?.resolve().ok()?;
        let training = spec.training.as_mut()?;
        training.batch_size = (self.batch * self.replicas) as u32;
        training.optimizer = match (self.optimizer, training.optimizer) {
            ("sgd", _) => Optimizer::Sgd,
            (_, Optimizer::Sgd) => Optimizer::Adam,
            (_, other) => other,
        };
        let strategy = &mut spec.strategy;
        let shared = strategy.tensor.max(1);
        strategy.ranks = (self.ranks * self.replicas) as u32 * shared;
        strategy.stages = self.ranks as u32;
        strategy.micro_batches = self.micro_batches as u32;
        // Where everything is cut is the plan's to say.
        strategy.balance = recspeed_types::spec::Balance::default();
        Some(spec)
    }

    /// Cut as is set. `whole`: the layers as a run cuts them, which does not ask how fast its ranks are.
    fn cut_into(&self, strategy: Strategy, whole: Vec<Layer>) -> Strategy {
        let balance = match &self.cut {
            Cut::ByHand(counts) => Balance::ByHand(counts.clone()),
            cut => strategy.balanced(cut.word().unwrap_or_default(), whole),
        };
        Strategy { balance, ..strategy }
    }

    /// All that is set, around these layers.
    fn around(&self, layers: Vec<Layer>) -> Strategy {
        let judging = Judging { threads: THREADS, rows: None, lessons: Lessons::default() };
        let evaluation = EvaluationOutlook::of_predictions(&layers, judging);
        let optimizer = if self.optimizer == "sgd" { OptimizerState::None } else { OptimizerState::TwoMoments };
        Strategy {
            layers,
            balance: Balance::Parameters,
            schedule: self.kind(),
            ranks: self.ranks,
            chunks: self.chunks,
            batch: self.batch,
            micro_batches: self.micro_batches,
            recompute: self.mode(),
            replicas: self.replicas,
            tensor: 1,
            level: self.level(),
            optimizer,
            offload: self.offload == "host",
            link: self.link(),
            update_us: self.speed().update_us(optimizer),
            beside: 0,
            tables_us: 0.0,
            needs: needs(evaluation),
            memories: Vec::new(),
        }
    }

    /// The plan.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn plan(&self) -> Result<(Strategy, Outlook), Refusal> {
        let strategy = self.strategy()?;
        let passes = self.passes();
        if passes > MAX_PASSES {
            return Err(Refusal::TooLarge { passes });
        }
        let outlook = Outlook::of(&strategy).map_err(Refusal::Plan)?;
        Ok((strategy, outlook))
    }

    /// Passes of all ranks.
    fn passes(&self) -> usize {
        let a_cell = if self.kind() == ScheduleKind::ZeroBubbleH1 { 3 } else { 2 };
        a_cell * self.ranks * self.chunks * self.micro_batches
    }

    /// With a change that was proposed; `None` where the page could not show it.
    pub(crate) fn proposed(&self, change: &Change) -> Option<Self> {
        Some(self.with(change)).filter(|new| new.is_within_bounds() && new.passes() <= MAX_PASSES)
    }

    /// The border after stage `stage` moved to layer `to`, as far as no stage gets empty; the others stay.
    pub(crate) fn move_border(&mut self, counts: &[usize], stage: usize, to: usize) {
        if stage + 1 >= counts.len() {
            return;
        }
        let start: usize = counts[..stage].iter().sum();
        let end = start + counts[stage] + counts[stage + 1];
        let to = to.clamp(start + 1, end - 1);
        let mut counts = counts.to_vec();
        (counts[stage], counts[stage + 1]) = (to - start, end - to);
        self.cut = Cut::ByHand(counts);
    }

    /// Takes other numbers of ranks or chunks; borders that were dragged were for the old ones.
    pub(crate) fn reshape(&mut self, change: impl FnOnce(&mut Self)) {
        let stages = self.ranks * self.chunks;
        change(self);
        if self.ranks * self.chunks != stages && matches!(self.cut, Cut::ByHand(_)) {
            self.cut = Cut::Time;
        }
    }

    /// Takes another schedule, with chunks that it can have.
    pub(crate) fn choose_schedule(&mut self, name: &'static str) {
        self.reshape(|setup| {
            setup.schedule = name;
            setup.chunks = if name == "interleaved" { setup.chunks.max(2) } else { 1 };
        });
    }

    /// Takes another model; borders that were dragged were for the old one.
    pub(crate) fn choose_model(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        if matches!(self.cut, Cut::ByHand(_)) {
            self.cut = Cut::Time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_picture_is_planned() {
        let (strategy, outlook) = Setup::default().plan().expect("it is possible");
        assert_eq!((strategy.layers.len(), outlook.schedule.ranks()), (151, 4));
    }

    #[test]
    fn a_border_moves_as_far_as_no_stage_gets_empty() {
        let mut setup = Setup::default();
        setup.move_border(&[5, 5, 5], 0, 7);
        assert_eq!(setup.cut, Cut::ByHand(vec![7, 3, 5]));
        setup.move_border(&[5, 5, 5], 1, 99);
        assert_eq!(setup.cut, Cut::ByHand(vec![5, 9, 1]));
        setup.move_border(&[5, 5, 5], 1, 0);
        assert_eq!(setup.cut, Cut::ByHand(vec![5, 1, 9]));
    }

    #[test]
    fn dragged_borders_go_with_the_stages_they_were_for() {
        let mut setup = Setup { cut: Cut::ByHand(vec![100, 20, 20, 11]), ..Setup::default() };
        setup.choose_schedule("1f1b");
        assert!(matches!(setup.cut, Cut::ByHand(_)), "as many stages as before");
        setup.choose_schedule("interleaved");
        assert_eq!((setup.chunks, &setup.cut), (2, &Cut::Time));
        setup.choose_schedule("gpipe");
        assert_eq!(setup.chunks, 1);
    }

    #[test]
    fn more_than_a_page_draws_is_refused_before_it_is_computed() {
        let setup = Setup { ranks: 32, micro_batches: 256, chunks: 8, schedule: "interleaved", ..Setup::default() };
        assert!(matches!(setup.plan(), Err(Refusal::TooLarge { passes: 131_072 })));
    }

    #[test]
    fn every_choice_is_understood() {
        for (name, _) in SCHEDULES {
            assert_eq!(Setup { schedule: name, ..Setup::default() }.kind().as_str(), *name);
        }
        for (name, _) in RECOMPUTES {
            assert_eq!(Setup { recompute: name, ..Setup::default() }.mode().as_str(), *name);
        }
        for (name, _) in ZEROS {
            assert_eq!(Setup { zero: name, ..Setup::default() }.level().zero_stage().to_string(), *name);
        }
        let instant: Vec<_> = LINKS
            .iter()
            .filter(|(link, _)| Setup { link, ..Setup::default() }.link() == Link::INSTANT)
            .map(|(name, _)| *name)
            .collect();
        assert_eq!(instant, ["none"]);
    }
}
