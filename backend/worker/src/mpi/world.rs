//! The ranks that one `mpirun` has started, seen from one of them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mpi::environment::Universe;
use mpi::point_to_point::{Destination as _, MatchedReceiveVec as _, Source as _};
use mpi::request::{Request, StaticScope};
use mpi::topology::{Communicator as _, SimpleCommunicator};
use recspeed_parallel::{CommError, LEISURE, Message, Operation, Tag, Transport, Waiting};

use super::mail::{Arrived, labelled, pieces};

/// MPI's own tag of a piece that others follow, and of the last one.
const MORE: i32 = 1;
const LAST: i32 = 0;

/// Bytes of a piece: what MPI can count, with room.
const PIECE: usize = 1 << 30;

/// For so long whoever waits keeps its core, which it then lends for a little at a time. It never yields it: on a busy machine that
/// gives others milliseconds.
const EAGER: Duration = Duration::from_micros(30);
const NAP: Duration = Duration::from_micros(50);

/// Whoever has not looked for longer than this was stopped itself, and says nothing against others for that.
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// A piece that MPI has been given, with the bytes that it may still read.
struct Sending {
    request: ManuallyDrop<Option<Request<'static, [u8], StaticScope>>>,
    /// The pieces of a message share its bytes.
    bytes: ManuallyDrop<Rc<Vec<u8>>>,
}

impl Sending {
    #[expect(
        unsafe_code,
        reason = "MPI reads the bytes after the call has returned; they stay until it says that it has"
    )]
    fn start(
        world: &impl mpi::topology::Communicator,
        to: usize,
        bytes: &Rc<Vec<u8>>,
        piece: &[u8],
        last: bool,
    ) -> Self {
        let start = piece.as_ptr() as usize - bytes.as_ptr() as usize;
        let bytes = bytes.clone();
        let piece: *const [u8] = &raw const bytes[start..start + piece.len()];
        // SAFETY: `bytes` is never changed, and is given back only by `Drop` once the request has ended; where that has
        // not happened, it is leaked.
        let piece: &'static [u8] = unsafe { &*piece };
        let request = world.process_at_rank(to as i32).immediate_send_with_tag(
            StaticScope,
            piece,
            if last { LAST } else { MORE },
        );
        Self { request: ManuallyDrop::new(Some(request)), bytes: ManuallyDrop::new(bytes) }
    }

    /// Whether MPI still needs the bytes.
    fn goes_on(&mut self) -> bool {
        match self.request.take().map(Request::test) {
            Some(Err(request)) => {
                *self.request = Some(request);
                true
            }
            Some(Ok(_)) | None => false,
        }
    }
}

impl Drop for Sending {
    #[expect(unsafe_code, reason = "bytes that MPI may still read are leaked, and its request with them")]
    fn drop(&mut self) {
        if self.request.is_none() {
            // SAFETY: this is the only place that drops it.
            unsafe { ManuallyDrop::drop(&mut self.bytes) }
        }
    }
}

struct Traffic {
    arrived: Arrived,
    sending: VecDeque<Sending>,
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
        let traffic = Traffic { arrived: Arrived::default(), sending: VecDeque::new() };
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

    /// A way to the others; whoever waits for a message gives up after the time.
    pub(crate) fn seat(self: &Rc<Self>, timeout: Duration, clock: Arc<dyn Fn() -> u64 + Send + Sync>) -> Seat {
        Seat { world: self.clone(), timeout, clock }
    }

    fn send(&self, to: usize, tag: Tag, message: &[u8]) {
        let world = SimpleCommunicator::world();
        let bytes = Rc::new(labelled(tag, message));
        let mut traffic = self.traffic.borrow_mut();
        for (piece, last) in pieces(&bytes, self.piece) {
            traffic.sending.push_back(Sending::start(&world, to, &bytes, piece, last));
        }
    }

    /// Lets MPI work, and takes in what has come; whether anything has.
    fn progress(&self) -> bool {
        let mut traffic = self.traffic.borrow_mut();
        let Traffic { arrived, sending } = &mut *traffic;
        sending.retain_mut(Sending::goes_on);
        let world = SimpleCommunicator::world();
        let mut moved = false;
        while let Some((message, status)) = world.any_process().immediate_matched_probe() {
            let (piece, status) = (message, status).matched_receive_vec::<u8>();
            arrived.piece(status.source_rank() as usize, piece, status.tag() == LAST);
            moved = true;
        }
        moved
    }

    /// Waits for a message; `None` when it has not come in time.
    fn receive(&self, from: usize, tag: Tag, timeout: Option<Duration>) -> Option<Message> {
        let (mut looked, mut waited) = (Instant::now(), Duration::ZERO);
        loop {
            let moved = self.progress();
            if let Some(message) = self.traffic.borrow_mut().arrived.take(from, tag) {
                return Some(message);
            }
            waited += looked.elapsed().min(LONGEST_LOOK);
            looked = Instant::now();
            if timeout.is_some_and(|timeout| waited > timeout) {
                return None;
            }
            if moved || waited < EAGER {
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
            self.receive(0, over, None);
        } else {
            (1..self.ranks()).for_each(|rank| self.send(rank, over, &[]));
        }
        let begun = Instant::now();
        while !self.traffic.borrow().sending.is_empty() && begun.elapsed() < patience {
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
        self.world.receive(from, tag, Some(limit)).ok_or_else(|| CommError::Timeout {
            waiting: Waiting { rank: self.world.rank(), from, tag },
            seconds: limit.as_secs(),
            last: last(),
        })
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

    fn now_us(&self) -> u64 {
        (self.clock)()
    }

    fn process_bytes(&self) -> Option<[u64; 2]> {
        let held = crate::machine::process_memory();
        Some([held.now, held.peak])
    }
}
