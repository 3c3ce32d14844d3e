//! Ranks as threads of this process.
//!
//! A rank that fails or panics tells the others at once: whoever waits, for whomever, ends too. A rank that hangs is found by those
//! who wait for it, within the time that the spec gives, or thirty times as long while it works alone; a thread cannot be ended from
//! outside, so the process then ends.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use recspeed_parallel::{
    AnyTransport, CommError, Communicator, Crew, FirstTask, LEISURE, Message, Operation, RankFailure, Tag, Task,
    Transport, Waiting, at_once,
};

use crate::nccl::{self, Ways};

/// How long ranks may take to end once one has failed.
const GRACE: Duration = Duration::from_secs(5);

/// Threads that train together.
pub(crate) struct Threads {
    /// The longest that a rank waits for a message.
    pub(crate) timeout: Duration,
    /// Microseconds since the run started.
    pub(crate) clock: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Whether each rank computes on a GPU.
    pub(crate) gpus: bool,
    /// Called when a rank does not end after another one has failed; ends the process.
    pub(crate) abandon: Box<dyn Fn(&RankFailure) + Send + Sync>,
}

#[derive(Debug, Default)]
struct Mail {
    boxes: HashMap<(usize, usize, Tag), VecDeque<Message>>,
    ended: Vec<bool>,
    /// The failure that was there first, of those that have a cause of their own.
    failed: Option<RankFailure>,
    /// Of the others.
    followed: Option<RankFailure>,
}

/// What the ranks share.
#[derive(Debug, Default)]
struct Hub {
    mail: Mutex<Mail>,
    /// Of each rank: something has come for it, or a rank has ended. Nobody else wakes for a message: ranks have a core each, and
    /// whoever wakes for nothing takes one of them.
    arrived: Vec<Condvar>,
    /// A rank has ended.
    ended: Condvar,
}

impl Hub {
    fn new(ranks: usize) -> Self {
        let mail = Mutex::new(Mail { ended: vec![false; ranks], ..Mail::default() });
        Self { mail, arrived: (0..ranks).map(|_| Condvar::new()).collect(), ended: Condvar::new() }
    }

    /// The mail stays whole where a rank panics: nothing that can panic runs under the lock.
    fn mail(&self) -> MutexGuard<'_, Mail> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Waits until all ranks have ended or `until` holds; whether it did before the deadline.
    fn wait(&self, deadline: Option<Instant>, until: impl Fn(&Mail) -> bool) -> bool {
        let mut mail = self.mail();
        loop {
            if until(&mail) || mail.ended.iter().all(|&ended| ended) {
                return true;
            }
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return false;
            }
            mail = match deadline {
                None => self.ended.wait(mail).unwrap_or_else(PoisonError::into_inner),
                Some(_) => self.ended.wait_timeout(mail, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

/// What a rank's work comes to; a panic is its failure.
pub(crate) fn caught(rank: usize, work: impl FnOnce() -> Result<(), RankFailure>) -> Result<(), RankFailure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
        let words = words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(RankFailure { rank, cause: format!("it panicked: {words}"), follows: false })
    })
}

impl Threads {
    /// Ends the process where a rank does not end though another one has failed, or though the first has finished.
    fn watch(&self, hub: &Hub) {
        hub.wait(None, |mail| mail.failed.is_some() || mail.ended[0]);
        let failed = hub.mail().failed.is_some();
        let grace = if failed { GRACE } else { self.timeout };
        if hub.wait(Some(Instant::now() + grace), |_| false) {
            return;
        }
        let mail = hub.mail();
        let rank = mail.ended.iter().position(|ended| !ended).unwrap_or_default();
        let hangs = || RankFailure { rank, cause: format!("did not end within {} s", grace.as_secs()), follows: false };
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
    /// Blocks the thread: it has nothing else to do.
    fn wait(
        &self,
        from: usize,
        tag: Tag,
        limit: Duration,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        let deadline = Instant::now() + limit;
        let mut mail = self.hub.mail();
        loop {
            if let Some(messages) = mail.boxes.get_mut(&(from, self.rank, tag))
                && let Some(message) = messages.pop_front()
            {
                if messages.is_empty() {
                    mail.boxes.remove(&(from, self.rank, tag));
                }
                return Ok(message);
            }
            if let Some(failed) = &mail.failed {
                let cause = Some(failed.cause.clone());
                return Err(CommError::PeerEnded { rank: self.rank, peer: failed.rank, cause });
            }
            if mail.ended[from] {
                return Err(CommError::PeerEnded { rank: self.rank, peer: from, cause: None });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let waiting = Waiting { rank: self.rank, from, tag };
                return Err(CommError::Timeout { waiting, seconds: limit.as_secs(), last: last() });
            }
            mail = self.hub.arrived[self.rank].wait_timeout(mail, left).unwrap_or_else(PoisonError::into_inner).0;
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
        self.hub.mail().boxes.entry((self.rank, to, tag)).or_default().push_back(message);
        self.hub.arrived[to].notify_one();
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
        let ways = if self.gpus { Ways::among(ranks) } else { None };
        let seat = |rank: usize| {
            let (hub, clock, ways) = (hub.clone(), self.clock.clone(), ways.clone());
            let timeout = self.timeout;
            move || Communicator::new(nccl::over(Thread { rank, ranks, hub, timeout, clock }, ways.as_ref(), timeout))
        };
        std::thread::scope(|scope| {
            scope.spawn(|| self.watch(&hub));
            for rank in 1..ranks {
                let (seat, own) = (seat(rank), hub.clone());
                let work = move || own.end(rank, caught(rank, || at_once(others(seat()))));
                if let Err(error) = std::thread::Builder::new().name(format!("rank {rank}")).spawn_scoped(scope, work) {
                    hub.end(
                        rank,
                        Err(RankFailure { rank, cause: format!("no thread could be had: {error}"), follows: false }),
                    );
                }
            }
            let seat = seat(0);
            hub.end(0, caught(0, || at_once(first(seat()))));
        });
        let mut mail = hub.mail();
        let failure = mail.failed.take().or_else(|| mail.followed.take());
        failure.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dying;
    use crate::every_strategy::cases;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn threads(timeout: Duration) -> Threads {
        let start = Instant::now();
        Threads {
            timeout,
            clock: Arc::new(move || start.elapsed().as_micros() as u64),
            gpus: false,
            abandon: Box::new(|failure| panic!("abandoned: {failure}")),
        }
    }

    /// Runs the same task on every rank.
    fn run(
        threads: &Threads,
        ranks: usize,
        task: impl Fn(Communicator<AnyTransport>) -> Task<'static> + Sync,
    ) -> Result<(), RankFailure> {
        threads.run(ranks, Box::new(|communicator| task(communicator)), &|communicator| task(communicator))
    }

    #[test]
    fn threads_add_up_as_tasks_do() {
        let threads = threads(Duration::from_secs(20));
        run(&threads, 4, |communicator| {
            Box::pin(async move {
                for round in 0..50 {
                    let mut own = [0.1_f32 * communicator.rank() as f32, round as f32];
                    communicator.all_reduce(&mut own).await?;
                    assert_eq!(own[1], 4.0 * round as f32);
                    communicator.barrier().await?;
                }
                Ok(())
            })
        })
        .expect("all do the same");
    }

    #[test]
    fn threads_train_as_tasks_do_by_every_strategy() {
        let threads = Threads { clock: Arc::new(|| 0), ..threads(Duration::from_mins(1)) };
        for ranks in 1..=4 {
            for case in cases(ranks) {
                let tasks = case.tasks();
                let known = Arc::new((case, tasks));
                run(&threads, ranks, move |communicator| {
                    let known = known.clone();
                    Box::pin(async move { known.0.agrees(communicator, &known.1).await })
                })
                .expect("threads train");
            }
        }
    }

    /// What a machine with two GPUs, and a worker with the features `cuda` and `nccl`, must show.
    #[cfg(feature = "nccl")]
    #[test]
    fn two_gpus_carry_what_threads_do() {
        if nccl::gpus() < 2 {
            println!("skipped: this machine has {} GPUs, and NCCL wants one for each rank", nccl::gpus());
            return;
        }
        let threads = Threads { gpus: true, ..threads(Duration::from_secs(20)) };
        run(&threads, 2, |communicator| {
            Box::pin(async move {
                let other = 1 - communicator.rank();
                // The later one is asked for first.
                for number in [1, 2] {
                    communicator.send(other, Tag::new("activation", number), &[number as f32; 5]).await?;
                }
                for number in [2, 1] {
                    let found = communicator.recv::<f32>(other, Tag::new("activation", number)).await?;
                    assert_eq!(found, [number as f32; 5]);
                }
                let mut own = [0.1_f32 * communicator.rank() as f32, 1.0];
                communicator.all_reduce(&mut own).await?;
                assert_eq!(own, [0.1, 2.0]);
                Ok(())
            })
        })
        .expect("both do the same");
    }

    #[test]
    fn a_rank_that_panics_ends_all_with_its_own_words_first() {
        for panics in 0..3 {
            let start = Instant::now();
            let failure = run(&threads(Duration::from_secs(20)), 3, move |communicator| {
                Box::pin(async move {
                    assert!(communicator.rank() != panics, "out of luck");
                    communicator.barrier().await?;
                    Ok(())
                })
            })
            .expect_err("one panics");
            assert_eq!(failure.rank, panics);
            assert!(failure.cause.contains("out of luck") && !failure.follows, "{failure}");
            assert!(start.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn a_message_that_never_comes_is_a_time_out_that_says_what_was_done_before() {
        let failure = run(&threads(Duration::from_millis(200)), 2, |communicator| {
            Box::pin(async move {
                if communicator.rank() == 1 {
                    communicator.send(0, Tag::new("activation", 1), &[1.0_f32]).await?;
                    communicator.recv::<f32>(0, Tag::new("gradient", 1)).await?;
                } else {
                    communicator.recv::<f32>(1, Tag::new("activation", 1)).await?;
                    communicator.recv::<f32>(1, Tag::new("activation", 2)).await?;
                }
                Ok(())
            })
        })
        .expect_err("nobody sends");
        assert!(failure.cause.contains("rank") && failure.cause.contains("its last operations"), "{failure}");
    }

    #[test]
    fn what_one_rank_works_on_alone_is_waited_for_beyond_the_time_out_while_it_lives() {
        for dies in [false, true] {
            let start = Instant::now();
            let result = run(&threads(Duration::from_millis(100)), 2, move |communicator| {
                Box::pin(async move {
                    if communicator.rank() == 0 {
                        std::thread::sleep(Duration::from_millis(400));
                        assert!(!dies, "the judge is dead");
                    }
                    let number = if communicator.rank() == 0 { 0.5 } else { 0.0 };
                    assert_eq!(communicator.broadcast_at_leisure(0, number).await?, 0.5_f64);
                    Ok(())
                })
            });
            match result {
                Ok(()) => assert!(!dies),
                Err(failure) => assert!(dies && failure.rank == 0 && failure.cause.contains("dead"), "{failure}"),
            }
            assert!(start.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn a_first_rank_that_hangs_while_it_judges_alone_is_abandoned_too() {
        static HANGS: AtomicBool = AtomicBool::new(true);
        let start = Instant::now();
        let threads = Threads {
            abandon: Box::new(|failure| {
                assert!(failure.cause.contains("rank 1 waits for rank 0 (verdict"), "{failure}");
                // The process would end here.
                HANGS.store(false, Ordering::Relaxed);
            }),
            ..threads(Duration::from_millis(40))
        };
        let failure = run(&threads, 2, |communicator| {
            Box::pin(async move {
                while communicator.rank() == 0 && HANGS.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                communicator.broadcast_at_leisure(0, 0.5_f64).await?;
                Ok(())
            })
        })
        .expect_err("the judge hangs");
        assert_eq!(failure.rank, 1, "who waited says for whom: {failure}");
        assert!(!HANGS.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_rank_that_hangs_is_abandoned_within_the_deadline() {
        static HANGS: AtomicBool = AtomicBool::new(true);
        let start = Instant::now();
        let threads = Threads {
            abandon: Box::new(|failure| {
                assert!(failure.cause.contains("waits for rank 1"), "{failure}");
                // The process would end here.
                HANGS.store(false, Ordering::Relaxed);
            }),
            ..threads(Duration::from_millis(200))
        };
        let failure = run(&threads, 2, |communicator| {
            Box::pin(async move {
                while communicator.rank() == 1 && HANGS.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
                communicator.barrier().await?;
                Ok(())
            })
        })
        .expect_err("one hangs");
        assert_eq!(failure.rank, 0, "who waited says for whom: {failure}");
        assert!(!HANGS.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn a_rank_that_dies_in_the_middle_of_a_fetch_of_rows_ends_all_with_its_own_words_first() {
        for moment in dying::MOMENTS {
            let start = Instant::now();
            let failure = run(&threads(Duration::from_secs(20)), dying::RANKS, move |communicator| {
                Box::pin(dying::fetch(communicator, moment, || panic!("out of luck")))
            })
            .expect_err("one dies");
            assert_eq!(failure.rank, dying::DIES, "before message {moment}: {failure}");
            assert!(failure.cause.contains("out of luck") && !failure.follows, "before message {moment}: {failure}");
            // All threads have ended, too: `run` waits for them.
            assert!(start.elapsed() < Duration::from_secs(10));
        }
    }

    #[test]
    fn a_rank_that_hangs_in_the_middle_of_a_fetch_of_rows_is_named_by_who_waits_for_its_rows() {
        static HANGS: AtomicBool = AtomicBool::new(true);
        let start = Instant::now();
        let threads = Threads {
            abandon: Box::new(|failure| {
                assert!(failure.cause.contains("waits for rank 1 (rows"), "{failure}");
                // The process would end here.
                HANGS.store(false, Ordering::Relaxed);
            }),
            ..threads(Duration::from_millis(200))
        };
        let failure = run(&threads, dying::RANKS, |communicator| {
            let hang = || {
                while HANGS.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(5));
                }
            };
            // It has sent its rows to the first rank, and not to the last one.
            Box::pin(dying::fetch(communicator, dying::MOMENTS.start + 1, hang))
        })
        .expect_err("one hangs");
        assert!(failure.rank != dying::DIES && !failure.follows, "{failure}");
        assert!(!HANGS.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(10));
    }
}
