//! What is known of a run before it begins.

use recspeed_plan::words::verdict;
use recspeed_plan::{Assumed, Limit, Outlook, Room, bottleneck, of_spec};
use recspeed_types::FailureCode;
use recspeed_types::spec::{ResolvedSpec, Source};

use crate::fit::classical_failure;
use crate::{Host, RunFailure};

/// A speed for the plan; what it says of bytes does not depend on it.
const GFLOPS: f64 = 50.0;

/// Refuses a training on so many `rows`, or on more, whose ranks would together hold more than the run may use, by its
/// plan: that counts parameters, gradients, optimizer state and activations of a batch, and nothing of the data.
pub(crate) fn refuse_what_will_not_fit(spec: &ResolvedSpec, rows: usize, host: &dyn Host) -> Result<(), RunFailure> {
    let (Some(limit), Some(mut strategy)) = (host.memory_limit(), of_spec(spec, Assumed::threads(GFLOPS))) else {
        return Ok(());
    };
    // No batch has more rows than there are.
    strategy.batch = strategy.batch.min(rows.div_ceil(strategy.replicas.max(1))).max(1);
    strategy.micro_batches = strategy.micro_batches.min(strategy.batch);
    // A strategy that the plan does not draw is refused, or not, by the training itself.
    let Ok(outlook) = Outlook::of(&strategy) else { return Ok(()) };
    let found = bottleneck(&strategy, &outlook, Some(Room::Together(limit)));
    if !matches!(found.limit, Limit::Memory { .. }) {
        return Ok(());
    }
    let cause = verdict(&found, &strategy, &outlook);
    Err(RunFailure::new(FailureCode::OutOfMemory, cause))
}

/// Refuses what cannot be computed over so many items, where they are counted before anything is made or read: those of a built-in
/// data set, of which no filter takes any.
pub(crate) fn refuse_too_many_items(spec: &ResolvedSpec, host: &dyn Host) -> Result<(), RunFailure> {
    let Source::Builtin { entry } = &spec.dataset.source else { return Ok(()) };
    if !spec.dataset.filters.keeps_all() {
        return Ok(());
    }
    let left = host.memory_limit().map(|limit| limit.saturating_sub(host.memory().now));
    recspeed_recommenders::foresee(&spec.recommender, entry.items as usize, left).map_err(classical_failure)
}
