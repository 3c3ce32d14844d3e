//! What a spec says of dividing the work, for a network's layers.

use recspeed_parallel::Communicator;
use recspeed_parallel::model::{LayerSizes, Shares};
use recspeed_parallel::training::Strategy;
use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::{Balance, Layer, Layout, Partition, PlanError};
use recspeed_types::spec;

/// Steps that ranks tell of unless somebody asks for more: as many as a timeline shows, and few enough that a device
/// seldom waits for them.
pub const TOLD_STEPS: u32 = 4;

/// A rank's place in a training that is divided.
#[derive(Debug)]
pub struct Seat<'a> {
    /// Its way to the others.
    pub communicator: Communicator<recspeed_parallel::AnyTransport>,
    /// How the work is divided.
    pub strategy: &'a spec::Strategy,
    /// Of how many steps the ranks tell when they did what, from the second one on; the first one also warms up.
    pub told: u32,
}

/// Who stands where.
///
/// # Errors
/// [`PlanError`]: the ranks do not divide.
pub(crate) fn layout_of(strategy: &spec::Strategy) -> Result<Layout, PlanError> {
    Layout::new(strategy.ranks as usize, strategy.stages as usize, strategy.tensor as usize)
}

/// The strategy for these layers, cut by `balance`.
///
/// # Errors
/// [`PlanError`]: it is impossible for them; the text names the nearest that works.
pub(crate) fn of(strategy: &spec::Strategy, sizes: &dyn LayerSizes, balance: &Balance) -> Result<Strategy, PlanError> {
    let [stages, chunks] = [strategy.stages, strategy.chunks].map(|number| number as usize);
    let whole = sizes.shares().map_or(sizes.parameters(), Shares::whole);
    let layers: Vec<Layer> =
        whole.iter().map(|&count| Layer { parameters: count as u64, ..Layer::default() }).collect();
    Ok(Strategy {
        layout: layout_of(strategy)?,
        schedule: strategy.schedule.into(),
        micro_batches: strategy.micro_batches as usize,
        chunks,
        partition: Partition::new(&layers, stages * chunks, balance)?,
        recompute: strategy.recompute.into(),
        level: ShardLevel::of_zero(strategy.zero),
        offload: strategy.offload,
    })
}
