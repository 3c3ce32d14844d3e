//! Reference engines: other frameworks that train the same networks, each in a Python environment of its own.
//!
//! [`Engines`] knows which are there, installs them from pinned requirements, and says how one is started. What an engine
//! does once it runs stands in `recspeed_engines/`, a Python package that this crate carries inside and unpacks beside the
//! environments, so that it always fits the worker that starts it.
//!
//! Architecture invariant: nothing here runs on, or changes, the system's Python: it only makes virtual environments.

mod catalogue;
mod damage;
mod engines;
mod error;
mod gpu;
mod group;
mod install;
mod libtorch;
mod package;
mod process;
mod python;
mod record;
mod room;
#[cfg(test)]
mod stand_in;

pub use catalogue::{Pin, Reference, find};
pub use damage::Damage;
pub use engines::{Checked, Engines, Launch, State};
pub use error::EngineError;
pub use gpu::gpu;
pub use group::Group;
pub use install::{InstallOptions, Step};
pub use libtorch::{LIBTORCH, LIBTORCH_BYTES, Libtorch, LibtorchState};
pub use record::{Mending, Record, sha256_hex};
