//! The vocabulary of the lab.
//!
//! [`ExperimentSpec`] says what to run; a run answers with a stream of [`RunEvent`]s that ends in a [`RunSummary`].
//! The page, the server, the worker and the terminal share these types, their [`limits`] and the [`catalogue`]; a
//! [`permalink`] carries a whole spec in a URL. This crate knows no file, socket, clock or tensor.

mod absence;
pub mod api;
pub mod beside;
pub mod build;
pub mod builtin;
pub mod catalogue;
pub mod comparison;
pub mod divergence;
pub mod event;
mod extent;
pub mod fit;
pub mod forecast;
pub mod importance;
pub mod limits;
pub mod memory;
pub mod metric;
mod mode;
pub mod permalink;
pub mod probe;
pub mod protocol;
pub mod recommend;
mod refusal;
pub mod search;
mod sentences;
pub mod spec;
pub mod study;
pub mod summary;
pub mod user_values;

pub use absence::{Absence, AbsentDevice, GpuPresence};
pub use event::{EventKind, FailureCode, RunEvent, RunId};
pub use extent::Extent;
pub use fit::{FitObserver, Unobserved};
pub use importance::{Importance, StoredImportance};
pub use metric::{MetricKind, MetricName};
pub use mode::Mode;
pub use permalink::{PermalinkError, decode_permalink, encode_permalink};
pub use refusal::{Instead, Refusal, Remedy};
pub use sentences::{capital, sentence, written};
pub use spec::{ExperimentSpec, ResolvedSpec, SpecError, SpecErrors};
pub use summary::RunSummary;
pub use user_values::UserValues;
