//! Runs side by side, whoever keeps them: which of them are one method with several seeds, whether their numbers were measured on
//! the same rows, what they gave, and which differ by more than chance. The terminal compares files, the page stored runs.

mod conditions;
mod curves;
mod describe;
mod grouping;
mod knowledge;
mod side_by_side;
mod significance;

use recspeed_types::{ExperimentSpec, RunSummary, UserValues};

pub(crate) use conditions::{Difference, data_seed, differences, nothing_shared, of_specs, same_scale, two_scales};
pub(crate) use curves::Collector;
pub(crate) use describe::{baselines, describe, not_to_the_bit, of_the_mean, told_apart};
pub(crate) use grouping::one_method;
pub(crate) use knowledge::{flattered, uneven_knowledge};
pub(crate) use side_by_side::{FinishedRun, Method, compare, methods};
pub(crate) use significance::{Pairs, Tested, against_first, paired_tests};

/// A finished run as it is compared, lent by whoever keeps it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run<'a> {
    /// What was asked.
    pub(crate) spec: &'a ExperimentSpec,
    /// The result.
    pub(crate) summary: &'a RunSummary,
    /// The value of each user; `None` where they are not at hand.
    pub(crate) users: Option<&'a UserValues>,
}
