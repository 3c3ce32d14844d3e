//! The lab: API, store, queue, launchers, access, command line.
//!
//! A request passes [`access`] (who, from where), then [`api`] or [`page`]. The API speaks to the [`lab`], whose
//! dispatcher owns the [`queue`], starts workers through [`launch`], and keeps everything in the [`store`]; what the
//! store has committed goes out through [`stream`]. Nothing here links a tensor library: a worker may crash, leak or be
//! killed, and the lab stays up.

// `println!` and `eprintln!` panic where their reader has gone.
#![cfg_attr(not(test), warn(clippy::print_stderr, clippy::print_stdout))]

pub mod access;
mod alone;
pub mod answers;
pub mod api;
pub mod app;
pub mod build;
mod clock;
pub mod command;
mod comparison;
pub mod home;
pub mod lab;
pub mod launch;
mod log;
pub mod page;
pub mod queue;
pub mod serve;
pub mod store;
pub mod stream;
pub mod studies;
mod whole_file;
