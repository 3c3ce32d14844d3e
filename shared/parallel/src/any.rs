//! A transport whose kind is chosen while the program runs.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::{CommError, Message, Operation, Tag, Transport};

type Answer<'a, R> = Pin<Box<dyn Future<Output = Result<R, CommError>> + 'a>>;

/// [`Transport`] behind a pointer.
trait Carrier {
    fn rank(&self) -> usize;
    fn ranks(&self) -> usize;
    fn send(&self, to: usize, tag: Tag, message: Message) -> Answer<'_, ()>;
    fn recv<'a>(&'a self, from: usize, tag: Tag, last: &'a dyn Fn() -> Vec<Operation>) -> Answer<'a, Message>;
    fn recv_at_leisure<'a>(
        &'a self,
        from: usize,
        tag: Tag,
        last: &'a dyn Fn() -> Vec<Operation>,
    ) -> Answer<'a, Message>;
    fn progress(&self);
    fn did(&self, operation: &Operation);
    fn now_us(&self) -> u64;
    fn process_bytes(&self) -> Option<[u64; 2]>;
}

impl<T: Transport> Carrier for T {
    fn rank(&self) -> usize {
        Transport::rank(self)
    }

    fn ranks(&self) -> usize {
        Transport::ranks(self)
    }

    fn send(&self, to: usize, tag: Tag, message: Message) -> Answer<'_, ()> {
        Box::pin(Transport::send(self, to, tag, message))
    }

    fn recv<'a>(&'a self, from: usize, tag: Tag, last: &'a dyn Fn() -> Vec<Operation>) -> Answer<'a, Message> {
        Box::pin(Transport::recv(self, from, tag, last))
    }

    fn recv_at_leisure<'a>(
        &'a self,
        from: usize,
        tag: Tag,
        last: &'a dyn Fn() -> Vec<Operation>,
    ) -> Answer<'a, Message> {
        Box::pin(Transport::recv_at_leisure(self, from, tag, last))
    }

    fn progress(&self) {
        Transport::progress(self);
    }

    fn did(&self, operation: &Operation) {
        Transport::did(self, operation);
    }

    fn now_us(&self) -> u64 {
        Transport::now_us(self)
    }

    fn process_bytes(&self) -> Option<[u64; 2]> {
        Transport::process_bytes(self)
    }
}

/// Any transport.
pub struct AnyTransport(Rc<dyn Carrier>);

impl AnyTransport {
    /// This one.
    pub fn new(transport: impl Transport + 'static) -> Self {
        Self(Rc::new(transport))
    }

    pub(crate) fn shared(transport: Rc<impl Transport + 'static>) -> Self {
        Self(transport)
    }
}

impl std::fmt::Debug for AnyTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rank {} of {}", self.0.rank(), self.0.ranks())
    }
}

impl Transport for AnyTransport {
    fn rank(&self) -> usize {
        self.0.rank()
    }

    fn ranks(&self) -> usize {
        self.0.ranks()
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        self.0.send(to, tag, message).await
    }

    async fn recv(&self, from: usize, tag: Tag, last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        self.0.recv(from, tag, last).await
    }

    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.0.recv_at_leisure(from, tag, last).await
    }

    fn progress(&self) {
        self.0.progress();
    }

    fn did(&self, operation: &Operation) {
        self.0.did(operation);
    }

    fn now_us(&self) -> u64 {
        self.0.now_us()
    }

    fn process_bytes(&self) -> Option<[u64; 2]> {
        self.0.process_bytes()
    }
}
