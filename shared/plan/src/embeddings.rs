//! The tables of embeddings of a spec's network, once it is known how large its data are: what each rank will hold of them, and send
//! for them.

use recspeed_types::Extent;
use recspeed_types::spec::{Loss, ResolvedRecommender, ResolvedSpec, Training};

use crate::sharding::{Forecast, TablePlacement, TableShape, TableTraffic};
use crate::simulate::Link;
use crate::spec::{blocks_of, optimizer_of, products_of};
use crate::words::bytes;
use crate::{Layout, PlanError, micro_batch_sizes};

/// Bytes of a number.
const NUMBER: u64 = 4;

/// What one rank has to do with the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankTables {
    /// Its part of the numbers and of their moments.
    pub shares: Forecast,
    /// Vectors that it looks up for a step and has until its end, at most: sequences may be shorter than they can be.
    pub looked_up: u64,
    /// Bytes that it sends in a step, at most.
    pub traffic: TableTraffic,
}

/// Tables, divided among all ranks of a strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TablesOutlook {
    /// Who has what.
    pub placement: TablePlacement,
    /// Each rank.
    pub ranks: Vec<RankTables>,
}

/// The tables of a recommender; none where it has none that ranks can divide.
pub fn tables_of(recommender: &ResolvedRecommender, data: &Extent) -> Vec<TableShape> {
    match recommender.entry.kind {
        "dlrm" => {
            let fields = [data.users, data.items].into_iter().chain(data.words.iter().copied());
            let fields: Vec<usize> = fields.map(|rows| rows as usize).collect();
            let width = products_of(recommender, Some(data)).width as usize;
            vec![TableShape { rows: fields.iter().sum(), width, fields }]
        }
        "sasrec" => vec![TableShape::whole(data.items as usize, blocks_of(recommender).d as usize)],
        _ => Vec::new(),
    }
}

/// The parameter that says how wide the rows of a recommender's tables are.
fn width_of(recommender: &ResolvedRecommender) -> &'static str {
    if recommender.entry.kind == "sasrec" { "recommender.factors" } else { "recommender.embedding" }
}

/// Places of the table that some rows of a batch look up: for what enters the first layer, and to say what the loss is.
fn places(recommender: &ResolvedRecommender, training: &Training, data: &Extent, [rows, batch]: [u64; 2]) -> [u64; 2] {
    if recommender.entry.kind == "dlrm" {
        let products = products_of(recommender, Some(data));
        return [rows * products.pairs * products.fields, 0];
    }
    let blocks = blocks_of(recommender);
    let questions = rows * blocks.length;
    let scored = if training.loss == Loss::CrossEntropy {
        data.items
    } else {
        let drawn = recommender.integer("negatives").max(1) as u64;
        let group = match recommender.integer("shared_by").max(0) as u64 {
            0 => batch * blocks.length,
            size => size,
        };
        questions + questions.div_ceil(group.max(1)) * drawn
    };
    [rows * blocks.rows().width, scored]
}

impl TablesOutlook {
    /// The tables of a spec on data of this size; `None` where its recommender has none.
    ///
    /// # Errors
    /// [`PlanError`]: the ranks cannot divide them so.
    pub fn of_spec(spec: &ResolvedSpec, data: &Extent) -> Result<Option<Self>, PlanError> {
        let shapes = tables_of(&spec.recommender, data);
        let Some(training) = spec.training.as_ref().filter(|_| !shapes.is_empty()) else { return Ok(None) };
        let strategy = &spec.strategy;
        let layout = Layout::new(strategy.ranks as usize, strategy.stages as usize, strategy.tensor as usize)?;
        let placement = TablePlacement::new(&shapes, layout.ranks(), strategy.tables.into())?;
        let micro_batches = strategy.micro_batches as usize;
        let batch = (training.batch_size as usize).max(layout.replicas() * micro_batches);
        let sizes = micro_batch_sizes(batch, layout.replicas() * micro_batches)?;
        let wanted = (0..layout.ranks()).map(|rank| {
            let place = layout.place(rank);
            let own = &sizes[place.replica * micro_batches..][..micro_batches];
            // The first stage is on the first rank of a pipeline, and the last one on its last.
            let (reads, judges) = (place.stage == 0, place.stage + 1 == layout.stages());
            let of = |&rows: &usize| {
                let [read, scored] = places(&spec.recommender, training, data, [rows, batch].map(|rows| rows as u64));
                u64::from(reads) * read + u64::from(judges) * scored
            };
            vec![own.iter().map(of).sum()]
        });
        let wanted: Vec<Vec<u64>> = wanted.collect();
        let rank = |rank: usize| RankTables {
            shares: placement.forecast(rank, optimizer_of(training)),
            looked_up: NUMBER * shapes[0].width as u64 * wanted[rank][0],
            traffic: placement.traffic(rank, &wanted, &[1.0]),
        };
        let ranks = (0..layout.ranks()).map(rank).collect();
        Ok(Some(Self { placement, ranks }))
    }

    /// Microseconds of a step in which the rank that sends most sends: once there with the rows of all micro-batches, once back with the
    /// gradients by them, each time a message to each other rank. Nothing is computed meanwhile.
    pub fn step_us(&self, link: Link) -> f64 {
        let most = self.ranks.iter().map(|rank| rank.traffic.total()).max().unwrap_or(0);
        let others = (self.ranks.len() as u64).saturating_sub(1);
        if most == 0 { 0.0 } else { link.takes(2 * others, most as f64) }
    }

    /// Rows of all tables.
    pub fn rows(&self) -> usize {
        self.placement.tables().iter().map(|table| table.rows).sum()
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.placement.tables().iter().map(|table| table.width).max().unwrap_or(0)
    }

    /// Bytes that all ranks hold of them between two steps.
    pub fn resident(&self) -> u64 {
        self.ranks.iter().map(|rank| rank.shares.resident()).sum()
    }

    /// What they take of the memory, and what to do about that: one sentence.
    pub fn in_words(&self, recommender: &ResolvedRecommender) -> String {
        let most = self.ranks.iter().map(|rank| rank.shares.resident()).max().unwrap_or(0);
        let ranks = match self.ranks.len() {
            1 => String::new(),
            ranks => {
                format!(", {} on {ranks} ranks, at most {} on one", self.placement.sharding().as_str(), bytes(most))
            }
        };
        format!(
            "Tables of embeddings are {} of that, {} rows of {} numbers with what the optimizer keeps of them{ranks}: fewer users and \
             items (dataset.min_user, dataset.min_item, dataset.sample), a smaller {} or training.optimizer = \"sgd\" take less.",
            bytes(self.resident()),
            self.rows(),
            self.width(),
            width_of(recommender)
        )
    }
}
