//! Messages between tasks of one thread.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::{CommError, Message, Operation, Tag, Transport, Waiting};

/// Messages that have been sent and not yet received, and who waits for which.
#[derive(Debug)]
pub(super) struct Mail {
    boxes: HashMap<(usize, usize, Tag), VecDeque<Message>>,
    waiting: Vec<Option<Waiting>>,
    moved: u64,
}

impl Mail {
    pub(super) fn new(ranks: usize) -> Self {
        Self { boxes: HashMap::new(), waiting: vec![None; ranks], moved: 0 }
    }

    /// Messages sent and received so far.
    pub(super) fn moved(&self) -> u64 {
        self.moved
    }

    /// Who waits for what.
    pub(super) fn waiting(&self) -> Vec<Waiting> {
        self.waiting.iter().flatten().copied().collect()
    }
}

/// Microseconds since some fixed moment.
pub type Clock = fn() -> u64;

/// A rank that is a task.
#[derive(Debug)]
pub struct Local {
    rank: usize,
    ranks: usize,
    mail: Rc<RefCell<Mail>>,
    clock: Option<Clock>,
}

impl Local {
    pub(super) fn new(rank: usize, ranks: usize, mail: Rc<RefCell<Mail>>, clock: Option<Clock>) -> Self {
        Self { rank, ranks, mail, clock }
    }
}

impl Transport for Local {
    fn rank(&self) -> usize {
        self.rank
    }

    fn ranks(&self) -> usize {
        self.ranks
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        let mut mail = self.mail.borrow_mut();
        mail.boxes.entry((self.rank, to, tag)).or_default().push_back(message);
        mail.moved += 1;
        Ok(())
    }

    async fn recv(&self, from: usize, tag: Tag, _last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        let key = (from, self.rank, tag);
        poll_fn(|_| {
            let mut mail = self.mail.borrow_mut();
            let Some(message) = mail.boxes.get_mut(&key).and_then(VecDeque::pop_front) else {
                mail.waiting[self.rank] = Some(Waiting { rank: self.rank, from, tag });
                return Poll::Pending;
            };
            if mail.boxes.get(&key).is_some_and(VecDeque::is_empty) {
                mail.boxes.remove(&key);
            }
            mail.waiting[self.rank] = None;
            mail.moved += 1;
            Poll::Ready(Ok(message))
        })
        .await
    }

    fn now_us(&self) -> u64 {
        self.clock.map_or(0, |clock| clock())
    }

    /// Tasks have no time-out.
    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.recv(from, tag, last).await
    }
}
