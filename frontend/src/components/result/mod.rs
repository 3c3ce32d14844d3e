//! What a run has to show: progress, curves, metrics, and everything that must be known to trust them.

mod curves;
mod facts;
mod groups;
mod importance;
mod metrics;
mod panel;
mod progress;
mod ranks;
mod silence;

pub(crate) use panel::{ResultDetails, ResultPanel};
