//! Pipelines, replicas and divided parameters, as one.
//!
//! [`Rank::step`] carries out the instruction list that [`recspeed_plan::Schedule`] gives its rank, whatever schedule that is; what
//! is divided among replicas is the business of a stage. So every strategy is a [`Strategy`], and they go together.
//!
//! **The law**: every strategy computes the update of one device. Gradients are added up in the order of micro-batches and sums over
//! replicas in the order of ranks, so that schedules agree to the last bit, and dropout is drawn for a row of the batch,
//! whoever computes it ([`crate::model::Noise`]). Of layers that add slopes up together, as those of the lab's dense block
//! do in groups, that holds for the same cut into stages: a border inside a group makes two sums of one, and the update
//! is then the same within rounding.

mod batch;
mod error;
mod ledger;
mod meter;
mod rank;
mod stage;
mod strategy;
mod update;

pub use batch::{Batch, Judge, Judged, Matrix, MicroBatch};
pub use error::TrainError;
pub use ledger::{Account, Ledger, Overdrawn};
pub use meter::{Again, Done, Exchange, Sent, Timeline};
pub use rank::{Draw, Learning, Rank, Saved};
pub use stage::Number;
pub use strategy::Strategy;
pub use update::{EPSILON, Moments, Rule};
