//! Ranks as tasks on one thread: the same order of steps every time, in tests and in the tab.

mod mail;

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use crate::{CommError, Communicator};

pub use mail::{Clock, Local};

/// Runs `ranks` ranks until all have ended, each what `task` makes of its communicator; results in the order of ranks.
/// They take turns in the order of ranks, each until it waits for a message. When all wait, that is a deadlock at
/// once, without a clock.
///
/// # Errors
/// The first error of a rank; the others are dropped where they are.
pub async fn run<R, E, F>(ranks: usize, task: impl Fn(Communicator<Local>) -> F) -> Result<Vec<R>, E>
where
    E: From<CommError>,
    F: Future<Output = Result<R, E>>,
{
    run_timed(ranks, None, task).await
}

/// [`run`], with the clock by which ranks tell when they did what; without one all of it happens at 0.
///
/// # Errors
/// As [`run`].
pub async fn run_timed<R, E, F>(
    ranks: usize,
    clock: Option<Clock>,
    task: impl Fn(Communicator<Local>) -> F,
) -> Result<Vec<R>, E>
where
    E: From<CommError>,
    F: Future<Output = Result<R, E>>,
{
    let mail = Rc::new(RefCell::new(mail::Mail::new(ranks)));
    let rank = |rank| Some(Box::pin(task(Communicator::new(Local::new(rank, ranks, mail.clone(), clock)))));
    let mut tasks: Vec<Option<Pin<Box<F>>>> = (0..ranks).map(rank).collect();
    let mut results: Vec<Option<R>> = (0..ranks).map(|_| None).collect();
    poll_fn(move |context| {
        loop {
            let before = mail.borrow().moved();
            let mut ended = false;
            for (rank, slot) in tasks.iter_mut().enumerate() {
                let Some(task) = slot else { continue };
                if let Poll::Ready(result) = task.as_mut().poll(context) {
                    *slot = None;
                    ended = true;
                    match result {
                        Ok(value) => results[rank] = Some(value),
                        Err(error) => return Poll::Ready(Err(error)),
                    }
                }
            }
            if tasks.iter().all(Option::is_none) {
                return Poll::Ready(Ok(results.iter_mut().filter_map(Option::take).collect()));
            }
            if ended || mail.borrow().moved() != before {
                continue;
            }
            let running = tasks.iter().filter(|task| task.is_some()).count();
            let waiting = mail.borrow().waiting();
            // Who does not wait for mail waits for something outside, which will wake this task.
            return if waiting.len() == running {
                Poll::Ready(Err(CommError::Deadlock(waiting).into()))
            } else {
                Poll::Pending
            };
        }
    })
    .await
}
