//! The strategy of a spec.

use recspeed_types::Extent;
use recspeed_types::spec::{self, Optimizer, ResolvedRecommender, ResolvedSpec, Training};

use crate::attention::{Blocks, Pattern};
use crate::dense::{self, Speed};
use crate::embeddings::{TablesOutlook, tables_of};
use crate::pace::GFLOPS;
use crate::sharding::{OptimizerState, ShardLevel, TableSharding};
use crate::simulate::Link;
use crate::{Balance, Layer, Lessons, ProcessNeeds, Products, Recompute, ScheduleKind, StepNeeds, Strategy};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// What a spec does not say: how fast its ranks are, and how large its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Assumed {
    /// Of each rank.
    pub speed: Speed,
    /// Between every two ranks.
    pub link: Link,
    /// Where that is known.
    pub data: Option<Extent>,
    /// Of the slots of a batch of sequences the share that is filled, at most, where each has a row as wide as the longest needs: 1 where
    /// nobody knows.
    pub filled: f64,
    /// Items of the longest history, as far as the network reads, where that is known.
    pub longest: Option<u64>,
}

impl Assumed {
    /// Ranks that are threads of one machine and reach so many thousands of millions of operations a second.
    pub fn threads(gflops: f64) -> Self {
        Self { speed: Speed::of_gflops(gflops), link: Link::MEMORY, data: None, filled: 1.0, longest: None }
    }

    /// The same, of data of this size.
    #[must_use]
    pub fn on(self, data: Option<Extent>) -> Self {
        Self { data, ..self }
    }

    /// The same, of batches of so many of these histories, of which each takes as many slots as it needs.
    #[must_use]
    pub fn learning(self, recommender: &ResolvedRecommender, lessons: &Lessons, batch: u64) -> Self {
        let longest = lessons.lengths.map(|lengths| lengths.longest());
        Self { filled: lessons.filled(recommender, batch), longest, ..self }
    }
}

/// The layers of a recommender, counted; `None` for those that are no row of layers.
pub fn layers_of(recommender: &ResolvedRecommender, assumed: &Assumed) -> Option<Vec<Layer>> {
    let speed = assumed.speed;
    let width = |number: i64| number.max(1) as u64;
    match recommender.entry.kind {
        "mlp" => {
            let hidden = recommender.integers("hidden").iter().map(|&number| width(number));
            let widths: Vec<u64> = std::iter::once(dense::MLP_INPUTS).chain(hidden).chain([1]).collect();
            Some(dense::mlp(&widths, speed))
        }
        "densenet" => {
            let (inputs, depth, growth, scores) = densenet_of(recommender);
            Some(dense::densenet(inputs, depth, growth, scores, speed))
        }
        "dlrm" => Some(products_of(recommender, assumed.data.as_ref()).layers(speed)),
        "sasrec" => {
            let network = blocks_of(recommender);
            let read = network.within(assumed.longest).layers(speed);
            let mut layers: Vec<Layer> = read.iter().map(|layer| layer.filled(assumed.filled)).collect();
            // Places that nobody's history reaches are learnt all the same.
            if let Some(positions) = layers.first_mut() {
                positions.parameters = network.length * network.d;
            }
            Some(layers)
        }
        _ => None,
    }
}

/// What one of so many ranks has of them, where they share each layer.
fn shared_layers(recommender: &ResolvedRecommender, whole: &[Layer], ranks: usize, assumed: &Assumed) -> Vec<Layer> {
    match recommender.entry.kind {
        "densenet" => dense::shared_densenet(densenet_of(recommender), assumed.speed, ranks, assumed.link),
        _ => dense::shared(whole, ranks, assumed.link),
    }
}

/// Inputs, layers, growth and scores of a row.
fn densenet_of(recommender: &ResolvedRecommender) -> (u64, u64, u64, u64) {
    let [depth, growth] = ["layers", "growth"].map(|name| recommender.integer(name).max(1) as u64);
    (dense::DENSENET_INPUTS, depth, growth, 1)
}

pub(crate) fn blocks_of(recommender: &ResolvedRecommender) -> Blocks {
    let [d, blocks, heads, length, size] =
        ["factors", "blocks", "heads", "length", "window"].map(|name| recommender.integer(name).max(1) as u64);
    let pattern = match recommender.text("attention") {
        "local-window" => Pattern::LocalWindow(size),
        "block-sparse" => Pattern::BlockSparse(size),
        _ => Pattern::Full,
    };
    Blocks { d, blocks, heads, length, pattern }
}

/// Fields of every data set: users and items.
const FIELDS: u64 = 2;
/// Numbers of every data set: how many ratings the user has, and the item.
const NUMBERS: u64 = 2;

/// Where nobody says what the attributes of the data are, those that the spec names count as words, a field each, and where it names
/// none there are none.
pub(crate) fn products_of(recommender: &ResolvedRecommender, data: Option<&Extent>) -> Products {
    let named = || (recommender.names("attributes").len() as u64, 0);
    let (words, numbers) = data.map_or_else(named, |data| (data.words.len() as u64, data.numbers));
    let widths = |name: &str| recommender.integers(name).iter().map(|&number| number.max(1) as u64).collect();
    Products {
        fields: FIELDS + words,
        width: recommender.integer("embedding").max(1) as u64,
        numbers: NUMBERS + numbers,
        bottom: widths("bottom"),
        top: widths("hidden"),
        pairs: 1 + recommender.integer("negatives").max(1) as u64,
    }
}

/// What the optimizer of a training keeps.
pub(crate) const fn optimizer_of(training: &Training) -> OptimizerState {
    match training.optimizer {
        Optimizer::Adam | Optimizer::Adamw => OptimizerState::TwoMoments,
        Optimizer::Sgd => OptimizerState::None,
    }
}

/// The layers of a recommender as they are cut into stages: whole ones, whoever shares them, counted at the pace that plans assume, however
/// fast the ranks are taken to be. So a run, its plan and the studio cut alike. `None` for recommenders that are no row of layers.
pub fn whole_layers(recommender: &ResolvedRecommender, data: Option<&Extent>) -> Option<Vec<Layer>> {
    layers_of(recommender, &Assumed::threads(GFLOPS).on(data.cloned()))
}

/// Where the borders between the stages of a training lie. `whole`: its layers, by [`whole_layers`].
pub fn balance_of(asked: &spec::Strategy, training: &Training, whole: Vec<Layer>) -> Balance {
    match &asked.balance {
        spec::Balance::By(by) => around(asked, training).balanced(*by, whole),
        spec::Balance::ByHand(counts) => Balance::ByHand(counts.iter().map(|&count| count as usize).collect()),
    }
}

/// What a spec asks for; `None` where its recommender is no row of layers.
///
/// Replicas share a batch: the plan is that of the one that gets most of it. Tables of embeddings count where it is known how large the
/// data are; [`crate::TablesOutlook`] says which rank has what of them.
pub fn of_spec(spec: &ResolvedSpec, assumed: Assumed) -> Option<Strategy> {
    let (layers, training) = (layers_of(&spec.recommender, &assumed)?, spec.training.as_ref()?);
    let whole = whole_layers(&spec.recommender, assumed.data.as_ref())?;
    let optimizer = optimizer_of(training);
    let tables = assumed.data.as_ref().map_or_else(Vec::new, |data| tables_of(&spec.recommender, data));
    let planned = assumed.data.as_ref().and_then(|data| TablesOutlook::of_spec(spec, data).ok().flatten());
    let of_tables: usize = tables.iter().map(|table| table.rows * table.width).sum();
    let asked = &spec.strategy;
    let around = around(asked, training);
    let step = assumed.data.as_ref().map(|data| StepNeeds::of_spec(spec, data, (assumed.filled, assumed.longest)));
    let tensor = asked.tensor.max(1) as usize;
    Some(Strategy {
        layers: shared_layers(&spec.recommender, &layers, tensor, &assumed),
        // The stages are those of whole layers, whoever shares them, also where a remedy asks for more of them.
        balance: balance_of(asked, training, whole),
        link: assumed.link,
        update_us: assumed.speed.update_us(optimizer),
        beside: of_tables as u64 * (NUMBER + optimizer.bytes()),
        tables_us: planned.map_or(0.0, |tables| tables.step_us(assumed.link)),
        needs: ProcessNeeds { step: step.unwrap_or_default(), ..around.needs },
        ..around
    })
}

/// All of it but the layers, where they are cut, and what depends on how fast ranks and links are, or on the data.
fn around(asked: &spec::Strategy, training: &Training) -> Strategy {
    let (ranks, replicas) = (asked.stages.max(1) as usize, asked.replicas() as usize);
    Strategy {
        layers: Vec::new(),
        balance: Balance::Parameters,
        schedule: asked.schedule.into(),
        ranks,
        chunks: asked.chunks as usize,
        batch: (training.batch_size as usize).div_ceil(replicas),
        micro_batches: asked.micro_batches as usize,
        recompute: asked.recompute.into(),
        replicas,
        tensor: asked.tensor.max(1) as usize,
        level: ShardLevel::of_zero(asked.zero),
        optimizer: optimizer_of(training),
        offload: asked.offload,
        link: Link::INSTANT,
        update_us: 0.0,
        beside: 0,
        tables_us: 0.0,
        needs: ProcessNeeds {
            keeps_best: training.early_stopping.is_some(),
            alone: asked.is_single(),
            apart: asked.launcher != spec::Launcher::Threads,
            ..ProcessNeeds::default()
        },
        memories: Vec::new(),
    }
}

impl From<spec::PipelineSchedule> for ScheduleKind {
    fn from(schedule: spec::PipelineSchedule) -> Self {
        match schedule {
            spec::PipelineSchedule::Gpipe => Self::Gpipe,
            spec::PipelineSchedule::OneForwardOneBackward => Self::OneForwardOneBackward,
            spec::PipelineSchedule::Interleaved => Self::Interleaved,
            spec::PipelineSchedule::ZeroBubbleH1 => Self::ZeroBubbleH1,
        }
    }
}

impl From<spec::Recompute> for Recompute {
    fn from(recompute: spec::Recompute) -> Self {
        match recompute {
            spec::Recompute::Never => Self::Never,
            spec::Recompute::ExceptLast => Self::ExceptLast,
            spec::Recompute::Always => Self::Always,
        }
    }
}

impl From<spec::TableSharding> for TableSharding {
    fn from(sharding: spec::TableSharding) -> Self {
        match sharding {
            spec::TableSharding::TableWise => Self::TableWise,
            spec::TableSharding::RowWise => Self::RowWise,
            spec::TableSharding::ColumnWise => Self::ColumnWise,
        }
    }
}
