//! What parallel training will do, before anything runs: pure data, without tensors, devices or clocks.
//!
//! - [`Layer`]: what one layer costs; [`Partition`]: layers cut into contiguous stages.
//! - [`schedule`]: for every rank of a pipeline the list of its [`Instruction`]s. The page draws the list, the
//!   function [`simulate`](fn@simulate) foretells its time and memory, the executor follows it: all three read the same one.
//! - [`sharding`]: who holds which part of the parameters, gradients and optimizer state, how many bytes, how much traffic.
//! - [`Outlook`]: a whole [`Strategy`] planned in one go; [`bottleneck`](fn@bottleneck) says what limits it and what to try.
//! - [`dense`], [`attention`], [`Products`]: what layers cost, counted instead of measured.
//! - [`of_spec`]: the strategy of a spec, its model counted; [`TablesOutlook`]: its tables of embeddings;
//!   [`EvaluationOutlook`]: what is held once it is evaluated; [`DeviceOutlook`]: what lies in a GPU's own memory. [`words`]:
//!   all of that in sentences.
//! - [`pace`]: about how long a network trains; [`blocks`]: how its work is cut, which decides what it holds.
//! - [`learnt`](fn@learnt): how many numbers each network of the catalogue learns; [`whole`]: what one device holds of those that
//!   are no row of layers.
//! - [`Measured`]: the same layers as long as a run's passes took; [`EvenCut`]: where they are best cut then.
//! - [`Layout`]: how many ranks each of them takes, and which layouts are possible.
//!
//! Times are microseconds as `f64`, sizes are bytes as `u64`. Schedules and sharding do not know each other.

pub mod attention;
pub mod blocks;
mod bottleneck;
mod collectives;
pub mod dense;
mod devices;
mod embeddings;
mod error;
mod evaluation;
mod layer;
mod layout;
mod learnt;
mod measured;
mod micro_batch;
mod networks;
mod outlook;
pub mod pace;
mod partition;
mod process;
mod products;
pub mod schedule;
mod scoring;
pub mod sharding;
pub mod simulate;
mod spec;
mod stage_memory;
pub mod timeline;
pub mod whole;
pub mod words;

pub use bottleneck::{Bottleneck, Change, Idle, Limit, Remedy, Room, bottleneck};
pub use devices::{DeviceMemory, DeviceOutlook, Library, WORKSPACE, shortage};
pub use embeddings::{RankTables, TablesOutlook, tables_of};
pub use error::PlanError;
pub use evaluation::{EvaluationOutlook, Judging};
pub use layer::{Duration, Exchanged, Layer, Tape};
pub use layout::{Layout, Place};
pub use learnt::{Learnt, is_whole, learnt};
pub use measured::{EvenCut, Measured, MeasuredError, MeasuredStage};
pub use micro_batch::micro_batch_sizes;
pub use outlook::{Outlook, RankOutlook, Strategy};
pub use partition::{Balance, Partition};
pub use process::{ProcessNeeds, ProcessOutlook};
pub use products::Products;
pub use recspeed_types::event::Collective;
pub use schedule::{Cell, Instruction, Schedule, ScheduleKind};
pub use scoring::{Buffers, StepNeeds};
pub use simulate::{Recompute, Simulation, simulate};
pub use spec::{Assumed, balance_of, layers_of, of_spec, whole_layers};
pub use stage_memory::StageMemory;
pub use whole::{Lengths, Lessons, Whole, WholeOutlook};
