//! Training that is divided among ranks.
//!
//! A rank talks to the others through a [`Communicator`], which counts what it sends and remembers what it did last; how
//! bytes travel is a [`Transport`]. Here is the one whose ranks are tasks on one thread, [`local::run`]: the same everywhere, in
//! tests and in the tab; threads and processes belong to the worker. Everything is async, so that a rank can be any of them.
//!
//! What the ranks do together is a [`training::Strategy`]: a pipeline of stages, copies of it that share the batch, and how much of
//! parameters, gradients and optimizer state the copies divide among them. [`training::Rank`] follows it, whatever
//! [`model::Model`] it trains. Only those two modules know tensors. Tables of embeddings are divided in ways of their own: [`tables`].

mod any;
mod chain;
mod collectives;
mod communicator;
mod crew;
mod element;
mod error;
pub mod local;
pub mod model;
mod record;
pub mod tables;
pub mod training;

pub use any::AnyTransport;
pub use chain::{Chain, ChainEnd, Seen, SeenWait, Why};
pub use communicator::{Communicator, LEISURE, Tag, Transport};
pub use crew::{Crew, FirstTask, LocalCrew, RankFailure, Task, at_once};
pub use element::{Element, Message};
pub use error::{CommError, Waiting};
pub use record::{Counters, LastOperations, Operation, OperationKind, Wait};
