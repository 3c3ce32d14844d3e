//! Where ranks live: as tasks here, as threads or processes in the worker.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use crate::{AnyTransport, CommError, Communicator, local};

/// What a rank does until it ends.
pub type Task<'a> = Pin<Box<dyn Future<Output = Result<(), RankFailure>> + 'a>>;

/// What becomes a rank once it can talk to the others.
pub type FirstTask<'a> = Box<dyn FnOnce(Communicator<AnyTransport>) -> Task<'a> + 'a>;

/// Why a rank ended, or holds up the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rank {rank}: {cause}")]
pub struct RankFailure {
    /// The rank that failed. Of one that hangs another one tells, whose time is over.
    pub rank: usize,
    /// The cause, for people, with the remedy.
    pub cause: String,
    /// What is known beside it, for engineers, in lines; may be empty.
    pub detail: String,
    /// Whether it only ended because another rank had.
    pub follows: bool,
}

impl From<CommError> for RankFailure {
    fn from(error: CommError) -> Self {
        let rank = match &error {
            CommError::Deadlock(waiting) => waiting.first().map_or(0, |waiting| waiting.rank),
            CommError::Timeout { chain, .. } => chain.rank(),
            CommError::PeerEnded { rank, .. }
            | CommError::Length { rank, .. }
            | CommError::Broken { rank, .. }
            | CommError::NoSuchRank { rank, .. }
            | CommError::Repeated { rank, .. }
            | CommError::NoMember { rank, .. } => *rank,
        };
        let follows = matches!(error, CommError::PeerEnded { .. });
        Self { rank, cause: error.to_string(), detail: error.detail(), follows }
    }
}

impl RankFailure {
    /// A failure of its own, without further detail.
    pub fn new(rank: usize, cause: impl Into<String>) -> Self {
        Self { rank, cause: cause.into(), detail: String::new(), follows: false }
    }
}

/// Runs the ranks of one training.
pub trait Crew {
    /// Runs `ranks` ranks to their ends. The first stays on this thread, because it has the observer's ear.
    ///
    /// # Errors
    /// The failure that was there first, whichever rank's it is; the others have ended too.
    fn run<'a>(
        &self,
        ranks: usize,
        first: FirstTask<'a>,
        others: &'a (dyn Fn(Communicator<AnyTransport>) -> Task<'a> + Sync + 'a),
    ) -> Result<(), RankFailure>;
}

/// Ranks that take turns on this thread: in the tab, and in tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalCrew {
    /// By what they tell when they did what; without one all of it happens at 0.
    pub clock: Option<local::Clock>,
}

impl Crew for LocalCrew {
    fn run<'a>(
        &self,
        ranks: usize,
        first: FirstTask<'a>,
        others: &'a (dyn Fn(Communicator<AnyTransport>) -> Task<'a> + Sync + 'a),
    ) -> Result<(), RankFailure> {
        let first = RefCell::new(Some(first));
        // A rank that ends as all will, or because of another one, leaves the word to the one that has a cause of its own.
        let followed = RefCell::new(None);
        let all = local::run_timed(ranks, self.clock, |communicator| {
            let communicator = communicator.any();
            let task = match first.borrow_mut().take() {
                Some(first) => first(communicator),
                None => others(communicator),
            };
            let followed = &followed;
            async move {
                match task.await {
                    Err(failure) if failure.follows => {
                        followed.borrow_mut().get_or_insert(failure);
                        Ok(())
                    }
                    ended => ended,
                }
            }
        });
        at_once(all)?;
        followed.take().map_or(Ok(()), Err)
    }
}

/// The result of something that waits for nothing outside this thread, or that blocks it while it waits.
///
/// # Panics
/// When it does wait for something else.
pub fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("nothing outside this thread wakes it"),
    }
}
