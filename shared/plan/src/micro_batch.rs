//! A batch, cut into micro-batches.

use crate::PlanError;

/// Sizes of `micro_batches` micro-batches of a batch, as equal as can be, the larger ones first.
///
/// # Errors
/// [`PlanError`]: a micro-batch would be empty.
pub fn micro_batch_sizes(batch: usize, micro_batches: usize) -> Result<Vec<usize>, PlanError> {
    if micro_batches == 0 {
        return Err(PlanError::Zero { what: "strategy.micro_batches" });
    }
    if batch < micro_batches {
        return Err(PlanError::BatchTooSmall { batch, micro_batches });
    }
    let (size, more) = (batch / micro_batches, batch % micro_batches);
    Ok((0..micro_batches).map(|index| size + usize::from(index < more)).collect())
}
