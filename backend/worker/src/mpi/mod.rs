//! Ranks as processes that talk over MPI: `launcher = "mpi"`.
//!
//! The worker that got the spec starts `mpirun`, which starts the ranks; each is a worker too and runs the whole experiment
//! up to the training, where it takes its seat. The first one tells the run's events, the others are mute. A rank that fails
//! notes why and ends, whereupon `mpirun` ends the others; one that is killed is missed by `mpirun`; of one that hangs the first tells
//! whose time is over, which follows the waits that the ranks note (`waits`). Whoever started them then
//! says in one sentence which rank was first. The starter also sees which of them have not joined the others, or are stopped. Nobody
//! outlives the run: the starter kills what is left; where it is killed itself, a small process that it has started beside them does. The
//! ranks also go when `mpirun` goes, and the first one when its standard input closes, which the starter holds.

mod launch;
mod log;
mod mail;
mod note;
mod pending;
mod processes;
mod rank;
#[cfg(test)]
mod tests;
mod verdict;
mod waits;
mod watcher;
mod world;

pub(crate) use launch::launch;
pub(crate) use processes::end_ranks;
pub(crate) use rank::{Member, is_rank};
pub(crate) use watcher::end_orphans;

/// Whether this build has it.
pub(crate) const BUILT: bool = true;
