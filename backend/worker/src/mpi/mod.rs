//! Ranks as processes that talk over MPI: `launcher = "mpi"`.
//!
//! The worker that got the spec starts `mpirun`, which starts the ranks; each is a worker too and runs the whole experiment
//! up to the training, where it takes its seat. The first one tells the run's events, the others are mute. A rank that fails
//! notes why and ends, whereupon `mpirun` ends the others; one that is killed is missed by `mpirun`. Whoever started them then
//! says in one sentence which rank was first. Nobody outlives the run: the ranks go when `mpirun` goes, and the first one also
//! when its standard input closes, which the starter holds.

mod launch;
mod mail;
mod note;
mod rank;
#[cfg(test)]
mod tests;
mod verdict;
mod world;

pub(crate) use launch::launch;
pub(crate) use rank::Member;

/// Whether this build has it.
pub(crate) const BUILT: bool = true;
