//! What a rank counts while it works.

use recspeed_plan::Instruction;
use recspeed_plan::sharding::Traffic;

use super::ledger::Ledger;

/// One instruction that has been carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// The instruction.
    pub instruction: Instruction,
    /// When it began, by the transport's clock, with nothing left to do on the device.
    pub start_us: u64,
    /// When it ended, with all that it gave to the device.
    pub end_us: u64,
    /// Microseconds of it, at its beginning, in which a forward pass was computed again.
    pub again_us: u64,
}

/// Ledger, traffic and timeline of a rank.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Meter {
    pub(super) ledger: Ledger,
    pub(super) traffic: Traffic,
    /// Microseconds of the current instruction in which a forward pass was computed again.
    pub(super) again_us: u64,
    /// `None` while nobody wants to know.
    pub(super) timeline: Option<Vec<Done>>,
}
