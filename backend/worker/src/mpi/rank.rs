//! One of the processes that `mpirun` has started.

use std::io::BufRead as _;
use std::process::exit;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use recspeed_experiment::RunFailure;
use recspeed_parallel::{AnyTransport, Communicator, Crew, FirstTask, RankFailure, Task, at_once};

use super::note::Notes;
use super::world::World;
use crate::arguments::Arguments;
use crate::emitter::Emitter;
use crate::output::complain;
use crate::threads::caught;

/// How long the others may take to hear that all is over, and the first rank to say what came to all of them.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the starter writes into the first rank's standard input to have the run stopped.
pub(super) const STOP: &str = "stop";

/// Where Open MPI tells a process which rank it is going to be.
const OWN_RANK: &str = "OMPI_COMM_WORLD_RANK";

/// Whether this is one of the processes that `mpirun` has started.
pub(crate) const fn is_rank(arguments: &Arguments) -> bool {
    arguments.ranks_in.is_some()
}

/// This process among the ranks.
pub(crate) struct Member {
    world: Rc<World>,
    notes: Notes,
}

impl Member {
    /// Takes the place that the command line tells of. All but the first rank are mute from then on.
    pub(crate) fn of(arguments: &Arguments, emitter: &Emitter) -> Option<Rc<Self>> {
        let notes = Notes::new(arguments.ranks_in.as_deref()?);
        let sit_down = |rank: usize| {
            notes.sit_down(rank);
            if rank > 0 {
                emitter.mute();
            }
        };
        // Known to the starter before it joins the others, which lasts as long as one of them does not come.
        if let Some(rank) = std::env::var(OWN_RANK).ok().and_then(|rank| rank.parse().ok()) {
            sit_down(rank);
        }
        let world = World::join()?;
        sit_down(world.rank());
        if let Err(error) = notes.join(world.rank()) {
            complain(format_args!("recspeed-worker: rank {} cannot say that it has joined: {error}", world.rank()));
        }
        Some(Rc::new(Self { world, notes }))
    }

    pub(crate) fn ranks(&self) -> usize {
        self.world.ranks()
    }

    /// Does what the starter says, and leaves when it is gone.
    pub(crate) fn listen(&self, emitter: &Emitter, stop: &Arc<AtomicBool>) {
        if self.world.rank() > 0 {
            return;
        }
        let (emitter, stop) = (emitter.clone(), stop.clone());
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if line == STOP {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            emitter.abandon();
        });
    }

    /// The ranks that `mpirun` has started.
    pub(crate) fn crew(self: &Rc<Self>, timeout: Duration, clock: Arc<dyn Fn() -> u64 + Send + Sync>) -> Box<dyn Crew> {
        Box::new(Ranks { member: self.clone(), timeout, clock })
    }

    /// Ends this rank's part in the run. The first one returns, once the others have heard of it.
    pub(crate) fn part(&self, failed: Option<&RunFailure>) {
        let rank = self.world.rank();
        match failed {
            None => {
                self.notes.end(rank);
                self.world.part(PATIENCE);
            }
            // The others are ended with this one.
            Some(_) if rank == 0 => self.world.break_off(),
            // What is wrong with the spec, the data or the machine comes to all: the first one tells.
            Some(failure) => {
                let (cause, detail) = (failure.to_string(), failure.detail.clone());
                self.leave(RankFailure { rank, cause, detail, follows: true })
            }
        }
    }

    /// Notes why, and ends the process and with it the others.
    fn leave(&self, failure: RankFailure) -> ! {
        complain(format_args!("recspeed-worker: {failure}"));
        // Another one may have been first.
        let _ = self.notes.fail(&failure);
        if failure.follows {
            std::thread::sleep(PATIENCE);
        }
        exit(1)
    }
}

struct Ranks {
    member: Rc<Member>,
    timeout: Duration,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Crew for Ranks {
    /// The first rank comes back from it; the others have done their part then and end.
    fn run<'a>(
        &self,
        ranks: usize,
        first: FirstTask<'a>,
        others: &'a (dyn Fn(Communicator<AnyTransport>) -> Task<'a> + Sync + 'a),
    ) -> Result<(), RankFailure> {
        let Member { world, notes } = &*self.member;
        let rank = world.rank();
        if world.ranks() != ranks {
            let cause = format!("mpirun started {} ranks, and the spec has {ranks}", world.ranks());
            return Err(RankFailure::new(rank, cause));
        }
        let seat = world.seat(self.timeout, self.clock.clone(), notes.clone());
        let communicator = Communicator::new(AnyTransport::new(seat));
        if rank == 0 {
            return caught(rank, || at_once(first(communicator)));
        }
        if let Err(failure) = caught(rank, || at_once(others(communicator))) {
            self.member.leave(failure);
        }
        self.member.part(None);
        exit(0)
    }
}
