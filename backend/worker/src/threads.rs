//! Ranks as threads of this process.
//!
//! A rank that fails or panics tells the others at once: whoever waits, for whomever, ends too. A rank that hangs is found within the
//! time that the spec gives, or thirty times as long while it works alone: whoever has waited so long follows the waits of the others to
//! the rank that waits for nobody, and names that one. A thread cannot be ended from outside, so the process then ends. All this is by
//! the time that the process runs: where it was stopped as a whole nobody has hung.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use recspeed_parallel::{
    AnyTransport, Chain, CommError, Communicator, Crew, FirstTask, LEISURE, LastOperations, Message, Operation,
    RankFailure, Seen, SeenWait, Tag, Task, Transport, Waiting, at_once,
};

use crate::deadline::Deadline;
use crate::nccl::{self, Ways};
use crate::ran::{LOOK, Ran};

/// How long ranks may take to end once one has failed.
const GRACE: Duration = Duration::from_secs(5);

/// How long a rank with a core of its own looks out for its message before it sleeps. To be woken takes about as long, and what replicas
/// and stages say to each other layer by layer is mostly there sooner.
const LOOK_OUT: Duration = Duration::from_micros(50);

/// Threads that train together.
pub(crate) struct Threads {
    /// The longest that a rank waits for a message.
    pub(crate) timeout: Duration,
    /// Microseconds since the run started.
    pub(crate) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Whether each rank computes on a GPU.
    pub(crate) gpus: bool,
    /// Told what is not as a user may think that it is, though the ranks can train.
    pub(crate) warn: Box<dyn Fn(String) + Send + Sync>,
    /// Called when a rank does not end after another one has failed; ends the process.
    pub(crate) abandon: Box<dyn Fn(&RankFailure) + Send + Sync>,
}

#[derive(Debug, Default)]
struct Mail {
    boxes: HashMap<(usize, usize, Tag), VecDeque<Message>>,
    ended: Vec<bool>,
    /// What each rank waits for, and how long by now. It stays where a rank gives up: others still see by it for whom that one has waited.
    waits: Vec<Option<(Waiting, Ran)>>,
    /// The failure that was there first, of those that have a cause of their own.
    failed: Option<RankFailure>,
    /// Of the others.
    followed: Option<RankFailure>,
}

impl Mail {
    /// What a rank does, for those who wait for it.
    fn seen(&self, rank: usize) -> Seen {
        if self.ended[rank] {
            return Seen::Ended;
        }
        match self.waits[rank] {
            // Where its message is there it only has not woken yet.
            Some((waiting, ran)) if !self.boxes.contains_key(&(waiting.from, rank, waiting.tag)) => {
                Seen::Waits(SeenWait::new(waiting, ran.so_far().as_micros() as u64))
            }
            _ => Seen::Busy,
        }
    }

    /// The rank that keeps another one from its end: itself where it waits for nobody.
    fn holds_up(&self, rank: usize) -> usize {
        if let Seen::Waits(wait) = self.seen(rank) { Chain::follow(&wait, |rank| self.seen(rank)).rank() } else { rank }
    }
}

/// What the ranks share.
#[derive(Debug, Default)]
struct Hub {
    mail: Mutex<Mail>,
    /// Of each rank: something has come for it, or a rank has ended. Nobody else wakes for a message: ranks have a core each, and
    /// whoever wakes for nothing takes one of them.
    arrived: Vec<Condvar>,
    /// Of each rank: how many messages have come for it. It is read without the lock, which a sender needs.
    came: Vec<AtomicU32>,
    /// Whether each rank has a core of its own: one that looks out for its message would keep another one from sending it.
    cores: bool,
    /// What each rank did last: one that hangs cannot say it.
    did: Vec<Mutex<LastOperations>>,
    /// A rank has ended.
    ended: Condvar,
}

impl Hub {
    fn new(ranks: usize) -> Self {
        let mail = Mutex::new(Mail { ended: vec![false; ranks], waits: vec![None; ranks], ..Mail::default() });
        let arrived = (0..ranks).map(|_| Condvar::new()).collect();
        let did = (0..ranks).map(|_| Mutex::default()).collect();
        let came = (0..ranks).map(|_| AtomicU32::new(0)).collect();
        let cores = available_parallelism().is_ok_and(|cores| cores.get() >= ranks);
        Self { mail, arrived, came, cores, did, ended: Condvar::new() }
    }

    /// The mail stays whole where a rank panics: nothing that can panic runs under the lock.
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn did(&self, rank: usize) -> MutexGuard<'_, LastOperations> {
        self.did[rank].lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, rank: usize, result: Result<(), RankFailure>) {
        let mut mail = self.mail();
        mail.ended[rank] = true;
        if let Err(failure) = result {
            // What follows from another rank's end says nothing new, and what comes to all ranks they find themselves.
            let place = if failure.follows { &mut mail.followed } else { &mut mail.failed };
            place.get_or_insert(failure);
        }
        self.ended.notify_all();
        self.arrived.iter().for_each(Condvar::notify_all);
    }

    /// Puts a message into a rank's box.
    fn post(&self, from: usize, to: usize, tag: Tag, message: Message) {
        self.mail().boxes.entry((from, to, tag)).or_default().push_back(message);
        self.came[to].fetch_add(1, Ordering::Release);
        self.arrived[to].notify_one();
    }

    /// Looks out for a message to a rank until `until`; more than `came` are there, or the time is over.
    fn look_out(&self, rank: usize, came: u32, until: Instant) {
        while self.came[rank].load(Ordering::Acquire) == came && Instant::now() < until {
            // Others who have no core of their own just now, as another run, go first.
            std::thread::yield_now();
        }
    }

    /// A rank has failed that cannot end.
    fn fail(&self, failure: RankFailure) {
        self.mail().failed.get_or_insert(failure);
        self.ended.notify_all();
        self.arrived.iter().for_each(Condvar::notify_all);
    }

    /// Waits until all ranks have ended or `until` holds; whether it did within the limit.
    fn wait(&self, limit: Option<Duration>, until: impl Fn(&Mail) -> bool) -> bool {
        let mut ran = Ran::begin();
        let mut mail = self.mail();
        loop {
            if until(&mail) || mail.ended.iter().all(|&ended| ended) {
                return true;
            }
            mail = match limit.map(|limit| limit.saturating_sub(ran.look())) {
                None => self.ended.wait(mail).unwrap_or_else(PoisonError::into_inner),
                Some(left) if left.is_zero() => return false,
                Some(left) => self.ended.wait_timeout(mail, left.min(LOOK)).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

/// A rank opens its ways to the other GPUs, which NCCL waits for without limit. Where they are not open after this time the rank has failed,
/// and since nobody can end its call, [`Threads::watch`] ends the process.
fn opens_within(limit: Duration, hub: &Arc<Hub>, rank: usize) -> io::Result<Deadline> {
    let hub = hub.clone();
    Deadline::after(limit, move || {
        let cause = format!(
            "its ways to the other GPUs by NCCL did not open within {} s: a GPU or its driver hangs; set strategy.timeout higher, or use a \
             worker without the feature nccl",
            limit.as_secs_f64()
        );
        hub.fail(RankFailure::new(rank, cause));
    })
}

/// What a rank's work comes to; a panic is its failure.
pub(crate) fn caught(rank: usize, work: impl FnOnce() -> Result<(), RankFailure>) -> Result<(), RankFailure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(RankFailure::new(rank, format!("it panicked: {words}")))
    })
}

/// A rank that cannot begin.
fn no_thread(rank: usize, what: &str, error: &io::Error) -> RankFailure {
    let cause = format!(
        "no thread could be had {what} ({error}); set strategy.ranks or engine.threads lower, or let your user have more threads (ulimit -u)"
    );
    RankFailure::new(rank, cause)
}

impl Threads {
    /// The ways between the ranks' GPUs; `None` where the ranks' messages travel as those of any threads, which is said where NCCL was
    /// to carry them.
    fn ways(&self, ranks: usize) -> Option<Ways> {
        let wanted = self.gpus && nccl::BUILT && ranks > 1;
        let ways = wanted.then(|| Ways::among(ranks))?;
        let warn = |why: &String| {
            (self.warn)(format!("the ranks' messages travel through the host's memory, not by NCCL: {why}"));
        };
        ways.inspect_err(warn).ok()
    }

    /// Ends the process where a rank does not end though another one has failed, or though the first has finished.
    fn watch(&self, hub: &Hub) {
        hub.wait(None, |mail| mail.failed.is_some() || mail.ended[0]);
        let failed = hub.mail().failed.is_some();
        let grace = if failed { GRACE } else { self.timeout };
        if hub.wait(Some(grace), |_| false) {
            return;
        }
        let mail = hub.mail();
        let rank = mail.holds_up(mail.ended.iter().position(|ended| !ended).unwrap_or_default());
        let hangs = || RankFailure::new(rank, format!("did not end within {} s", grace.as_secs()));
        let failure = mail.failed.clone().unwrap_or_else(hangs);
        drop(mail);
        (self.abandon)(&failure);
    }
}

struct Thread {
    rank: usize,
    ranks: usize,
    hub: Arc<Hub>,
    timeout: Duration,
    clock: Arc<dyn Fn() -> u64 + Send + Sync>,
}

impl Thread {
    /// Blocks the thread: it has nothing else to do. Where each rank has a core, it first looks out for a message that is about to come.
    fn wait(
        &self,
        from: usize,
        tag: Tag,
        limit: Duration,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        let (begun, waiting) = (Instant::now(), Waiting { rank: self.rank, from, tag });
        let mut ran = Ran::since(begun);
        let mut mail = self.hub.mail();
        loop {
            if let Some(messages) = mail.boxes.get_mut(&(from, self.rank, tag))
                && let Some(message) = messages.pop_front()
            {
                if messages.is_empty() {
                    mail.boxes.remove(&(from, self.rank, tag));
                }
                mail.waits[self.rank] = None;
                return Ok(message);
            }
            if let Some(failed) = &mail.failed {
                let cause = Some(failed.cause.clone());
                return Err(CommError::PeerEnded { rank: self.rank, peer: failed.rank, cause });
            }
            if mail.ended[from] {
                return Err(CommError::PeerEnded { rank: self.rank, peer: from, cause: None });
            }
            let waited = ran.look();
            let left = limit.saturating_sub(waited);
            if left.is_zero() {
                let own = SeenWait::new(waiting, waited.as_micros() as u64);
                let chain = Chain::follow(&own, |rank| mail.seen(rank));
                drop(mail);
                let chain = Box::new(chain.with_last(|rank| self.hub.did(rank).to_vec()));
                return Err(CommError::Timeout { waiting, seconds: limit.as_secs(), last: last(), chain });
            }
            mail.waits[self.rank] = Some((waiting, ran));
            // A message that was posted before the lock was taken may be counted only now: then it is looked for once more than needed.
            let came = self.hub.came[self.rank].load(Ordering::Acquire);
            if self.hub.cores && waited < LOOK_OUT {
                drop(mail);
                self.hub.look_out(self.rank, came, begun + LOOK_OUT);
                mail = self.hub.mail();
                continue;
            }
            let sleep = self.hub.arrived[self.rank].wait_timeout(mail, left.min(LOOK));
            mail = sleep.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Transport for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        self.hub.post(self.rank, to, tag, message);
        Ok(())
    }

    async fn recv(&self, from: usize, tag: Tag, last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        self.wait(from, tag, self.timeout, last)
    }

    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.wait(from, tag, self.timeout.saturating_mul(LEISURE), last)
    }

    fn did(&self, operation: &Operation) {
        self.hub.did(self.rank).note(operation.clone());
    }

    fn now_us(&self) -> u64 {
        (self.clock)()
    }
}

impl Crew for Threads {
    fn run<'a>(
        &self,
        ranks: usize,
        first: FirstTask<'a>,
        others: &'a (dyn Fn(Communicator<AnyTransport>) -> Task<'a> + Sync + 'a),
    ) -> Result<(), RankFailure> {
        let hub = Arc::new(Hub::new(ranks));
        let ways = self.ways(ranks);
        let seat = |rank: usize| {
            let (hub, clock, ways) = (hub.clone(), self.clock.clone(), ways.clone());
            let timeout = self.timeout;
            move || {
                // Without it nobody would end a rank whose ways never open.
                let opening = ways.as_ref().map(|_| opens_within(timeout, &hub, rank));
                let opening =
                    opening.transpose().map_err(|error| no_thread(rank, "for the deadline of its ways", &error))?;
                let transport = nccl::over(Thread { rank, ranks, hub, timeout, clock }, ways.as_ref(), timeout);
                drop(opening);
                Ok::<_, RankFailure>(Communicator::new(transport))
            }
        };
        let named = |name: String| std::thread::Builder::new().name(name);
        std::thread::scope(|scope| {
            // Without it nobody would end ranks that hang: none is begun.
            named("ranks' watch".to_owned())
                .spawn_scoped(scope, || self.watch(&hub))
                .map_err(|error| no_thread(0, "to watch over the ranks", &error))?;
            for rank in 1..ranks {
                let (seat, own) = (seat(rank), hub.clone());
                let work = move || own.end(rank, caught(rank, || at_once(others(seat()?))));
                if let Err(error) = named(format!("rank {rank}")).spawn_scoped(scope, work) {
                    hub.end(rank, Err(no_thread(rank, "for it", &error)));
                }
            }
            let seat = seat(0);
            hub.end(0, caught(0, || at_once(first(seat()?))));
            Ok::<(), RankFailure>(())
        })?;
        let mut mail = hub.mail();
        let failure = mail.failed.take().or_else(|| mail.followed.take());
        failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests;
