//! A build without MPI: see `mpi`, which it stands in for.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use recspeed_experiment::RunFailure;
use recspeed_parallel::Crew;

use crate::arguments::Arguments;
use crate::emitter::Emitter;

/// Whether this build has it.
pub(crate) const BUILT: bool = false;

/// There are none.
pub(crate) const fn end_ranks() {}

/// No process of such a build is one.
pub(crate) const fn is_rank(_: &Arguments) -> bool {
    false
}

/// There are none.
pub(crate) enum Member {}

impl Member {
    pub(crate) fn of(_: &Arguments, _: &Emitter) -> Option<Rc<Self>> {
        None
    }

    pub(crate) fn ranks(&self) -> usize {
        match *self {}
    }

    pub(crate) fn listen(&self, _: &Emitter, _: &Arc<std::sync::atomic::AtomicBool>) {
        match *self {}
    }

    pub(crate) fn crew(self: &Rc<Self>, _: Duration, _: Arc<dyn Fn() -> u64 + Send + Sync>) -> Box<dyn Crew> {
        match **self {}
    }

    pub(crate) fn part(&self, _: Option<&RunFailure>) {
        match *self {}
    }
}
