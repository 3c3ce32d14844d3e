//! Why a plan is impossible, and the nearest one that works.

use crate::schedule::Instruction;

/// An impossible plan: what was asked, why it cannot be, the nearest that works.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A number that must be at least one.
    #[error("{what} is 0: it must be at least 1")]
    Zero {
        /// Its name, as in the spec.
        what: &'static str,
    },
    /// A stage would have no layer.
    #[error("{stages} stages need at least {stages} layers, and the model has {layers}: {}", at_most(*layers, "stage", "stages"))]
    MoreStagesThanLayers {
        /// Stages asked for.
        stages: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// A balance by hand that is not about this model.
    #[error("the balance {given:?} does not place the model's {layers} layers: its numbers must add up to {layers}")]
    BalanceCount {
        /// Layers a stage, as given.
        given: Vec<usize>,
        /// Layers of the model.
        layers: usize,
    },
    /// A balance by hand for another number of stages.
    #[error("the balance {given:?} is for {} stages, and there are {stages}: give one number for each stage", given.len())]
    BalanceStages {
        /// Layers a stage, as given.
        given: Vec<usize>,
        /// Stages asked for.
        stages: usize,
    },
    /// A balance by hand with an empty stage.
    #[error("stage {stage} of the balance {given:?} has no layer: give each stage at least 1")]
    EmptyStage {
        /// The stage, from 0.
        stage: usize,
        /// Layers a stage, as given.
        given: Vec<usize>,
    },
    /// Costs of other layers.
    #[error("{given} costs for {layers} layers: give one for each layer")]
    Costs {
        /// How many there are.
        given: usize,
        /// Layers of the model.
        layers: usize,
    },
    /// A cost that is not a number, or negative.
    #[error("layer {layer} costs {value}: costs are finite and not negative")]
    Cost {
        /// The layer, from 0.
        layer: usize,
        /// Its cost.
        value: f64,
    },
    /// A micro-batch would have no sample.
    #[error(
        "a batch of {batch} cannot be cut into {micro_batches} micro-batches: {}",
        at_most(*batch, "micro-batch", "micro-batches")
    )]
    BatchTooSmall {
        /// Samples of the batch.
        batch: usize,
        /// Micro-batches asked for.
        micro_batches: usize,
    },
    /// Chunks on a schedule that has one a rank.
    #[error("schedule {kind} keeps one chunk a rank, not {chunks}: set chunks = 1, or use interleaved")]
    Chunks {
        /// Name of the schedule.
        kind: &'static str,
        /// Chunks asked for.
        chunks: usize,
    },
    /// The parts of the layout do not make up the ranks.
    #[error(
        "{} cannot be cut into groups of {group} ({} x {}): {}",
        counted(*ranks, "rank", "ranks"),
        counted(*stages, "stage", "stages"),
        counted(*tensor, "tensor rank", "tensor ranks"),
        nearest(*below, *above)
    )]
    RanksDoNotDivide {
        /// Ranks there are.
        ranks: usize,
        /// Ranks of one replica.
        group: usize,
        /// Pipeline stages.
        stages: usize,
        /// Ranks that share a layer.
        tensor: usize,
        /// The nearest smaller number of ranks that works; the same as `above` where there is none.
        below: usize,
        /// The nearest larger number of ranks that works.
        above: usize,
    },
    /// Fields that are not the rows of their table.
    #[error("the fields of table {table} have {placed} rows together, and the table has {rows}: they must add up")]
    Fields {
        /// The table, from 0.
        table: usize,
        /// Rows of its fields.
        placed: usize,
        /// Its own rows.
        rows: usize,
    },
    /// A table that cannot be divided by columns.
    #[error(
        "table {table} has {}, too few for {ranks} ranks that divide columns: {}, or strategy.tables = \"row-wise\"",
        counted(*columns, "column", "columns"),
        at_most(*columns, "rank", "ranks")
    )]
    TooFewColumns {
        /// The table, from 0.
        table: usize,
        /// Its columns.
        columns: usize,
        /// Ranks asked for.
        ranks: usize,
    },
    /// Costs for another number of stages than the schedule has.
    #[error("the schedule has {stages} stages and {costs} costs were given: give one for each stage")]
    StageCosts {
        /// Stages of the schedule.
        stages: usize,
        /// Costs given.
        costs: usize,
    },
    /// Sizes for another number of micro-batches than the schedule has.
    #[error("the schedule has {micro_batches} micro-batches and {sizes} sizes were given: give one for each")]
    MicroBatchSizes {
        /// Micro-batches of the schedule.
        micro_batches: usize,
        /// Sizes given.
        sizes: usize,
    },
    /// Instruction lists that wait for each other.
    #[error("rank {rank} waits for ever at instruction {at} ({instruction:?}): nothing sends what it needs before it")]
    Deadlock {
        /// The first rank that waits.
        rank: usize,
        /// Place of the instruction in its list, from 0.
        at: usize,
        /// The instruction.
        instruction: Instruction,
    },
}

/// So many of something.
fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// What to do where fewer than were asked for can be had.
fn at_most(most: usize, one: &str, many: &str) -> String {
    let or_fewer = if most == 1 { "" } else { " or fewer" };
    format!("use {}{or_fewer}", counted(most, one, many))
}

/// What to do where these two numbers of ranks can be had, which are the same where none below can.
fn nearest(below: usize, above: usize) -> String {
    if below == above {
        format!("use {}", counted(above, "rank", "ranks"))
    } else {
        format!("use {below} or {above} ranks")
    }
}
