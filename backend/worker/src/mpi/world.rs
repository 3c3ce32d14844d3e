//! The ranks that one `mpirun` has started, seen from one of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpi::environment::Universe;
use mpi::point_to_point::Source as _;
use mpi::topology::{Communicator as _, SimpleCommunicator};
use recspeed_parallel::{CommError, LEISURE, Message, Operation, Tag, Transport, Waiting};

use super::mail::{Arrived, labelled, pieces};
use super::note::Notes;
use super::pending::{Receiving, Sending};
use super::waits::OwnWait;

/// Bytes of a piece: what MPI can count, with room.
const PIECE: usize = 1 << 30;

/// For so long whoever waits keeps its core, which it then lends for a little at a time. It never yields it: on a busy machine that
/// gives others milliseconds.
const EAGER: Duration = Duration::from_micros(30);
const NAP: Duration = Duration::from_micros(50);

/// A long message comes a stretch at each look of both ends: for so long after the last piece whoever waits for one that is coming
/// keeps its core too.
const CROSSING: Duration = Duration::from_millis(10);

/// Whoever has not looked for longer than this was stopped itself, and says nothing against others for that.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

struct Traffic {
    arrived: Arrived,
    sending: VecDeque<Sending>,
    /// In the order in which they were announced, which for each sender is that in which they were sent.
    receiving: VecDeque<Receiving>,
}

impl Traffic {
    /// Whether MPI works on nothing.
    fn is_done(&self) -> bool {
        self.sending.is_empty() && self.receiving.is_empty()
    }
}

/// One rank's membership. MPI ends with the last of it.
pub(crate) struct World {
    universe: RefCell<Option<Universe>>,
    traffic: RefCell<Traffic>,
    piece: usize,
    rank: usize,
    ranks: usize,
}

impl World {
    /// Joins; `None` where this process has joined before.
    pub(crate) fn join() -> Option<Rc<Self>> {
        Self::join_with(PIECE)
    }

    /// Joins with pieces of another length: all ranks with the same.
    pub(crate) fn join_with(piece: usize) -> Option<Rc<Self>> {
        let (universe, _) = mpi::initialize_with_threading(mpi::Threading::Funneled)?;
        let traffic = Traffic { arrived: Arrived::default(), sending: VecDeque::new(), receiving: VecDeque::new() };
        let (rank, ranks) = (universe.world().rank() as usize, universe.world().size() as usize);
        let (universe, traffic) = (RefCell::new(Some(universe)), RefCell::new(traffic));
        Some(Rc::new(Self { universe, traffic, piece, rank, ranks }))
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn ranks(&self) -> usize {
        self.ranks
    }

    /// A way to the others; whoever waits for a message gives up after the time, and finds in the notes whom the others wait for.
    pub(super) fn seat(
        self: &Rc<Self>,
        timeout: Duration,
        clock: Arc<dyn Fn() -> u64 + Send + Sync>,
        notes: Notes,
    ) -> Seat {
        Seat { world: self.clone(), timeout, clock, notes }
    }

    fn send(&self, to: usize, tag: Tag, message: &[u8]) {
        let world = SimpleCommunicator::world();
        let bytes = Rc::new(labelled(tag, message));
        let mut traffic = self.traffic.borrow_mut();
        for (piece, last) in pieces(&bytes, self.piece) {
            traffic.sending.push_back(Sending::start(&world, to, &bytes, piece, last));
        }
    }

    /// Lets MPI work, and takes in what has come; whether anything has. Waits for nothing: what is coming may never come whole.
    fn progress(&self) -> bool {
        let mut traffic = self.traffic.borrow_mut();
        let Traffic { arrived, sending, receiving } = &mut *traffic;
        sending.retain_mut(Sending::goes_on);
        let world = SimpleCommunicator::world();
        while let Some((announced, status)) = world.any_process().immediate_matched_probe() {
            receiving.push_back(Receiving::start(announced, &status));
        }
        let mut moved = false;
        // Senders of whom an earlier piece is still coming: a later one, though it is there, waits for it.
        let mut behind = Vec::new();
        receiving.retain_mut(|piece| {
            let from = piece.sender();
            if !behind.contains(&from)
                && let Some(bytes) = piece.take()
            {
                arrived.piece(from, bytes, piece.is_last());
                moved = true;
                return false;
            }
            behind.push(from);
            true
        });
        moved
    }

    /// Waits for a message; `None` when it has not come in time. `lasts` is told at each look how long it has waited.
    fn receive(
        &self,
        from: usize,
        tag: Tag,
        timeout: Option<Duration>,
        mut lasts: impl FnMut(Duration),
    ) -> Option<Message> {
        let (mut looked, mut waited) = (Instant::now(), Duration::ZERO);
        // Since anything came.
        let mut still = Duration::ZERO;
        loop {
            let moved = self.progress();
            if let Some(message) = self.traffic.borrow_mut().arrived.take(from, tag) {
                return Some(message);
            }
            let since = looked.elapsed().min(LONGEST_LOOK);
            waited += since;
            still = if moved { Duration::ZERO } else { still + since };
            looked = Instant::now();
            lasts(waited);
            if timeout.is_some_and(|timeout| waited > timeout) {
                return None;
            }
            let is_crossing = !self.traffic.borrow().receiving.is_empty();
            let eager = if is_crossing { CROSSING } else { EAGER };
            if still < eager {
                std::hint::spin_loop();
            } else {
                std::thread::sleep(NAP);
            }
        }
    }

    /// Ends MPI on all ranks: the first one says when, the others wait for that, for as long as it takes. MPI itself would have
    /// them wait with a busy processor. Whoever started the ranks sees to it that the first one lives.
    pub(crate) fn part(&self, patience: Duration) {
        let over = Tag::new("over", 0);
        if self.rank() > 0 {
            self.receive(0, over, None, |_| ());
        } else {
            (1..self.ranks()).for_each(|rank| self.send(rank, over, &[]));
        }
        let begun = Instant::now();
        while !self.traffic.borrow().is_done() && begun.elapsed() < patience {
            self.progress();
            std::thread::sleep(NAP);
        }
        drop(self.universe.take());
    }

    /// Leaves MPI as it is: the end of this process ends the others.
    pub(crate) fn break_off(&self) {
        std::mem::forget(self.universe.take());
    }
}

/// A rank's transport.
pub(crate) struct Seat {
    world: Rc<World>,
    timeout: Duration,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    notes: Notes,
}

impl Seat {
    /// Blocks the process: it has nothing else to do.
    fn wait(
        &self,
        from: usize,
        tag: Tag,
        limit: Duration,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        let waiting = Waiting { rank: self.world.rank(), from, tag };
        let mut own = OwnWait::new(&self.notes, waiting, limit);
        let received = self.world.receive(from, tag, Some(limit), |waited| own.lasts(waited));
        if let Some(message) = received {
            own.is_over();
            return Ok(message);
        }
        let chain = Box::new(own.held_up(limit, self.world.ranks()));
        Err(CommError::Timeout { waiting, seconds: limit.as_secs(), last: last(), chain })
    }
}

impl Transport for Seat {
    fn rank(&self) -> usize {
        self.world.rank()
    }

    fn ranks(&self) -> usize {
        self.world.ranks()
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        self.world.send(to, tag, &message);
        // What has come meanwhile, and what the other side has fetched, makes room.
        self.world.progress();
        Ok(())
    }

    async fn recv(&self, from: usize, tag: Tag, last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        self.wait(from, tag, self.timeout, last)
    }

    /// A process that dies takes the others with it: `mpirun` sees to that; of one that is stopped the starter takes note.
    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.wait(from, tag, self.timeout.saturating_mul(LEISURE), last)
    }

    fn progress(&self) {
        self.world.progress();
    }

    fn now_us(&self) -> u64 {
        (self.clock)()
    }

    fn process_bytes(&self) -> Option<[u64; 2]> {
        let held = crate::machine::process_memory();
        Some([held.now, held.peak])
    }
}
