//! One rank's way to the others.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::element::numbers_of;
use crate::record::Record;
use crate::{CommError, Counters, Element, Message, Operation, OperationKind, Wait};

/// What a message is about: sender and receiver name the same one. Messages between two ranks with equal tags arrive in the
/// order in which they were sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag {
    /// What it is about, as `activation`.
    pub about: &'static str,
    /// Which group of ranks it belongs to, so that groups do not read each other's messages; 0 is that of all.
    pub group: u32,
    /// Which one of many, as the stage and micro-batch, or the number of a collective operation.
    pub number: u64,
}

impl Tag {
    /// A tag outside any group.
    pub const fn new(about: &'static str, number: u64) -> Self {
        Self { about, group: 0, number }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.about, self.number)?;
        if self.group == 0 { Ok(()) } else { write!(f, " in group {}", self.group) }
    }
}

/// How many times as long as for any other message a rank waits for what another one works on alone: half an hour for each minute.
pub const LEISURE: u32 = 30;

/// How bytes travel between ranks. A rank never sends to itself through it.
#[expect(async_fn_in_trait, reason = "a rank's futures stay on the rank's own thread; they need not be Send")]
pub trait Transport {
    /// This rank, from 0.
    fn rank(&self) -> usize;

    /// Number of ranks.
    fn ranks(&self) -> usize;

    /// Sends, without waiting for the receiver. That this one has ended is no error here: whoever waits for something from it hears
    /// of it.
    ///
    /// # Errors
    /// [`CommError::Broken`]: there is no way to the other rank, as between GPUs; messages in memory and over MPI have none.
    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError>;

    /// Waits for a message. `last`: what the rank did before, for the error.
    ///
    /// # Errors
    /// [`CommError`]: it did not come in time, or cannot come any more.
    async fn recv(&self, from: usize, tag: Tag, last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError>;

    /// As [`Self::recv`], for what the sender works on alone: waits while the sender lives, at most [`LEISURE`] times as long.
    ///
    /// # Errors
    /// [`CommError`]: it did not come in time, or cannot come any more.
    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError>;

    /// Lets what has been sent and what is coming go on, without waiting for any of it. Called between one computation and the next,
    /// for transports whose messages move only while somebody is in a call, as MPI's do; does nothing otherwise.
    fn progress(&self) {}

    /// Told of each message that this rank has sent or received, for transports whose other ranks can see what it did last; does
    /// nothing otherwise.
    fn did(&self, _operation: &Operation) {}

    /// Microseconds since some fixed moment; 0 where nobody measures.
    fn now_us(&self) -> u64 {
        0
    }

    /// Bytes that this rank's process holds, now and at most so far; `None` where it is the first rank's process, or nobody knows.
    fn process_bytes(&self) -> Option<[u64; 2]> {
        None
    }
}

/// A rank among others, or among the members of a group: sends, receives, and does with all of them what all do
/// ([`Self::all_reduce`] and its like). Sums are formed in the order of ranks, so that every transport gives the same bits.
///
/// Members are addressed by their places in the group. Errors, and what is remembered for them, name ranks by their numbers in the
/// transport: a text that tells of several groups has one number for each rank.
#[derive(Debug)]
pub struct Communicator<T> {
    transport: Rc<T>,
    record: Rc<RefCell<Record>>,
    /// The members, in the order of their ranks within the group, by their ranks in the transport.
    members: Arc<[usize]>,
    /// This rank's place among them.
    place: usize,
    group: u32,
    /// Collective operations so far: all members count alike, so that the number tells them apart.
    pub(crate) collectives: RefCell<u64>,
}

impl<T: Transport> Communicator<T> {
    /// Among all ranks of a transport.
    pub fn new(transport: T) -> Self {
        let (place, members) = (transport.rank(), (0..transport.ranks()).collect());
        Self {
            transport: Rc::new(transport),
            record: Rc::default(),
            members,
            place,
            group: 0,
            collectives: RefCell::new(0),
        }
    }

    /// The same ranks, whatever carries the bytes; for a communicator that has not been used.
    pub fn any(self) -> Communicator<crate::AnyTransport>
    where
        T: 'static,
    {
        Communicator::new(crate::AnyTransport::shared(self.transport))
    }

    /// Among some of the ranks, this one included, in this order. Members give a group the same `number`, and other
    /// groups other ones; 0 is the group of all.
    ///
    /// # Errors
    /// [`CommError::NoSuchRank`]: a member does not exist; [`CommError::Repeated`]; [`CommError::NoMember`]: this rank is none.
    pub fn group(&self, members: &[usize], number: u32) -> Result<Self, CommError> {
        let ranks = self.ranks();
        let rank = self.members[self.place];
        if let Some(&place) = members.iter().find(|&&member| member >= ranks) {
            return Err(CommError::NoSuchRank { rank, place, ranks });
        }
        if let Some((_, &twice)) = members.iter().enumerate().find(|(at, member)| members[..*at].contains(member)) {
            return Err(CommError::Repeated { rank, peer: self.members[twice] });
        }
        let place = members.iter().position(|&member| member == self.place);
        let members: Arc<[usize]> = members.iter().map(|&member| self.members[member]).collect();
        let Some(place) = place else { return Err(CommError::NoMember { rank, members: members.to_vec() }) };
        Ok(Self {
            transport: self.transport.clone(),
            record: self.record.clone(),
            members,
            place,
            group: number,
            collectives: RefCell::new(0),
        })
    }

    /// This rank's place in the group, from 0; in the group of all that is its rank.
    pub fn rank(&self) -> usize {
        self.place
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.members.len()
    }

    /// Lets what is on its way go on, without waiting for it ([`Transport::progress`]).
    pub fn progress(&self) {
        self.transport.progress();
    }

    /// Microseconds since some fixed moment; 0 where nobody measures.
    pub fn now_us(&self) -> u64 {
        self.transport.now_us()
    }

    /// Bytes that this rank's process holds, now and at most so far; `None` where it is the first rank's process, or nobody knows.
    pub fn process_bytes(&self) -> Option<[u64; 2]> {
        self.transport.process_bytes()
    }

    /// What this rank has sent and received so far, in all groups.
    pub fn counters(&self) -> Counters {
        self.record.borrow().counters
    }

    /// The longest that this rank has waited for a message since this was asked last, in whatever group.
    pub(crate) fn take_longest_wait(&self) -> Option<Wait> {
        self.record.borrow_mut().longest.take()
    }

    /// Sends numbers, without waiting for the receiver.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn send<E: Element>(&self, to: usize, tag: Tag, numbers: &[E]) -> Result<(), CommError> {
        self.send_message(to, tag, Message::from_elems(numbers.to_vec())).await
    }

    /// Waits for numbers.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn recv<E: Element>(&self, from: usize, tag: Tag) -> Result<Vec<E>, CommError> {
        self.numbers_of(from, tag, self.recv_message(from, tag).await?)
    }

    /// Waits for numbers that the sender works on alone, while it lives.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn recv_at_leisure<E: Element>(&self, from: usize, tag: Tag) -> Result<Vec<E>, CommError> {
        self.numbers_of(from, tag, self.take(from, tag, true).await?)
    }

    fn numbers_of<E: Element>(&self, from: usize, tag: Tag, message: Message) -> Result<Vec<E>, CommError> {
        let got = message.len();
        let expected = got.next_multiple_of(size_of::<E>());
        numbers_of(message).ok_or_else(|| self.wrong_length(from, tag, got, expected))
    }

    /// The error of a message that came from a member and has another length than belongs there, in bytes.
    pub(crate) fn wrong_length(&self, from: usize, tag: Tag, got: usize, expected: usize) -> CommError {
        let (rank, from) = (self.members[self.place], self.members[from]);
        CommError::Length { rank, from, tag: self.own(tag), got, expected }
    }

    /// The group's own.
    fn own(&self, tag: Tag) -> Tag {
        Tag { group: self.group, ..tag }
    }

    /// What is remembered of a message to or from a rank, by its number in the transport.
    fn operation(&self, kind: OperationKind, peer: usize, tag: Tag, bytes: u64) -> Operation {
        let members = (self.group != 0).then(|| self.members.clone());
        Operation { kind, peer, tag, bytes, members }
    }

    fn note(&self, operation: Operation) {
        self.transport.did(&operation);
        self.record.borrow_mut().note(operation);
    }

    /// Waits for `expected` numbers.
    ///
    /// # Errors
    /// [`CommError`], also where other than `expected` numbers come.
    pub async fn recv_exactly<E: Element>(&self, from: usize, tag: Tag, expected: usize) -> Result<Vec<E>, CommError> {
        let numbers = self.recv::<E>(from, tag).await?;
        if numbers.len() == expected {
            return Ok(numbers);
        }
        let bytes = |count| count * size_of::<E>();
        Err(self.wrong_length(from, tag, bytes(numbers.len()), bytes(expected)))
    }

    /// Sends bytes, which are the receiver's from then on, without waiting for it.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn send_message(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        let (peer, own) = (self.member(to)?, self.own(tag));
        let bytes = message.len() as u64;
        self.transport.send(peer, own, message).await?;
        self.note(self.operation(OperationKind::Send, peer, own, bytes));
        Ok(())
    }

    /// Waits for bytes.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn recv_message(&self, from: usize, tag: Tag) -> Result<Message, CommError> {
        self.take(from, tag, false).await
    }

    /// Waits for bytes that the sender works on alone, while it lives.
    ///
    /// # Errors
    /// [`CommError`].
    pub async fn recv_message_at_leisure(&self, from: usize, tag: Tag) -> Result<Message, CommError> {
        self.take(from, tag, true).await
    }

    async fn take(&self, from: usize, tag: Tag, at_leisure: bool) -> Result<Message, CommError> {
        let (peer, own) = (self.member(from)?, self.own(tag));
        let begun = self.transport.now_us();
        let last = || self.record.borrow().last();
        let message = if at_leisure {
            self.transport.recv_at_leisure(peer, own, &last).await?
        } else {
            self.transport.recv(peer, own, &last).await?
        };
        let us = self.transport.now_us().saturating_sub(begun);
        self.record.borrow_mut().waited(Wait { rank: peer, us });
        self.note(self.operation(OperationKind::Recv, peer, own, message.len() as u64));
        Ok(message)
    }

    /// Waits for `expected` bytes.
    ///
    /// # Errors
    /// [`CommError`], also where other than `expected` bytes come.
    pub async fn recv_message_exactly(&self, from: usize, tag: Tag, expected: usize) -> Result<Message, CommError> {
        let message = self.recv_message(from, tag).await?;
        if message.len() == expected {
            return Ok(message);
        }
        Err(self.wrong_length(from, tag, message.len(), expected))
    }

    /// Another member's rank in the transport.
    fn member(&self, place: usize) -> Result<usize, CommError> {
        match self.members.get(place) {
            Some(&peer) if place != self.place => Ok(peer),
            _ => Err(CommError::NoSuchRank { rank: self.members[self.place], place, ranks: self.ranks() }),
        }
    }
}
