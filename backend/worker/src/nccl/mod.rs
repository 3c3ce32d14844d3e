//! Messages between GPUs by NCCL, in workers built with the feature `nccl`, for ranks that are threads and have a GPU each.
//!
//! **Between GPUs it has not been run yet**: it compiles without CUDA, whose libraries are loaded when they are used, and no machine with
//! two GPUs has been at hand. `two_gpus_carry_what_threads_do` (`threads/tests.rs`) is the test that runs it. What one GPU can show is in
//! `alone`.
//!
//! NCCL knows no tags: what one rank sends to another arrives in the order in which it was sent. So each message has a number on its
//! way, which the ranks' ordinary mail carries under the message's tag; whoever waits for one takes in those before it and keeps
//! them. Ranks that fail, and those that hang before they send, are the mail's business: a number is sent after its message was handed to
//! NCCL. What then does not cross in the time that a message may take is an error here. Opening the ways may take as long; whoever runs the
//! threads holds it to that.

mod alone;
mod lane;

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use cudarc::driver::CudaContext;
use cudarc::nccl::Id;
use recspeed_parallel::{AnyTransport, CommError, Message, Operation, Tag, Transport};

pub(crate) use alone::print;
use lane::{Lane, of_nccl};

/// Whether this build has it.
pub(crate) const BUILT: bool = true;

/// GPUs of this machine; 0 where there are none, or no driver.
pub(crate) fn gpus() -> usize {
    // Libraries that cannot be loaded are a panic of `cudarc`.
    let count = std::panic::catch_unwind(CudaContext::device_count);
    count.ok().and_then(Result::ok).map_or(0, |count| count.max(0) as usize)
}

/// The ways among so many ranks, one for each of two and each direction, by the names under which both ends find each other.
#[derive(Clone)]
pub(crate) struct Ways(Arc<[Id]>);

impl Ways {
    /// Names for the ways among at least two ranks.
    ///
    /// # Errors
    /// Why there are none: fewer GPUs than ranks, of which NCCL wants one for each; or NCCL's library is not there, or gives no names.
    pub(crate) fn among(ranks: usize) -> Result<Self, String> {
        let gpus = gpus();
        if gpus < ranks {
            return Err(format!("NCCL wants a GPU for each of {ranks} ranks, and this machine has {gpus} by CUDA"));
        }
        let name = |_| match std::panic::catch_unwind(Id::new) {
            Ok(named) => named.map_err(of_nccl),
            // Libraries that cannot be loaded are a panic of `cudarc`.
            Err(_) => {
                Err("NCCL's library cannot be loaded; it is looked for as libnccl.so in LD_LIBRARY_PATH".to_owned())
            }
        };
        let names = (0..ranks * (ranks - 1)).map(name).collect::<Result<Vec<Id>, String>>()?;
        Ok(Self(names.into()))
    }

    /// The name of the way from one rank to another.
    fn name(&self, ranks: usize, from: usize, to: usize) -> Id {
        self.0[place(ranks, from, to)]
    }
}

/// Where that name is: each rank has one to each other, and none to itself.
fn place(ranks: usize, from: usize, to: usize) -> usize {
    from * (ranks - 1) + to - usize::from(to > from)
}

/// These ranks' transport: by NCCL where there are ways, else the mail.
pub(crate) fn over(mail: impl Transport + 'static, ways: Option<&Ways>, timeout: Duration) -> AnyTransport {
    match ways {
        None => AnyTransport::new(mail),
        Some(ways) => AnyTransport::new(Nccl::join(mail, ways, timeout)),
    }
}

/// A rank whose messages travel by NCCL.
struct Nccl<T> {
    mail: T,
    /// The ways to each other rank and from it; why there are none.
    lanes: Result<Vec<Option<[RefCell<Lane>; 2]>>, String>,
}

const TO: usize = 0;
const FROM: usize = 1;

impl<T: Transport> Nccl<T> {
    /// Opens this rank's ways, which waits for the other ends; all ranks do so in one order.
    fn join(mail: T, ways: &Ways, timeout: Duration) -> Self {
        let (rank, ranks) = (mail.rank(), mail.ranks());
        let open = || {
            let context = CudaContext::new(rank).map_err(|error| format!("{error:?}"))?;
            let mut ends: Vec<[Option<Lane>; 2]> = (0..ranks).map(|_| [None, None]).collect();
            for (from, to) in (0..ranks).flat_map(|from| (0..ranks).map(move |to| (from, to))) {
                if from == to || (rank != from && rank != to) {
                    continue;
                }
                let (peer, direction) = if rank == from { (to, TO) } else { (from, FROM) };
                let way = ways.name(ranks, from, to);
                ends[peer][direction] = Some(Lane::open(&context, rank == from, way, timeout)?);
            }
            let both = |[to, from]: [Option<Lane>; 2]| Some([RefCell::new(to?), RefCell::new(from?)]);
            Ok(ends.into_iter().map(both).collect())
        };
        let lanes = open();
        Self { mail, lanes }
    }

    fn lane<R>(
        &self,
        peer: usize,
        direction: usize,
        work: impl FnOnce(&mut Lane) -> Result<R, String>,
    ) -> Result<R, CommError> {
        let rank = self.mail.rank();
        let broken = |cause: String| CommError::Broken { rank, peer, cause };
        let lanes = self.lanes.as_ref().map_err(|cause| broken(cause.clone()))?;
        let both = lanes.get(peer).and_then(Option::as_ref).ok_or_else(|| broken("there is no way".to_owned()))?;
        work(&mut both[direction].borrow_mut()).map_err(broken)
    }
}

impl<T: Transport> Transport for Nccl<T> {
    fn rank(&self) -> usize {
        self.mail.rank()
    }

    fn ranks(&self) -> usize {
        self.mail.ranks()
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        let number = self.lane(to, TO, |lane| lane.send(&message))?;
        self.mail.send(to, tag, Message::from_elems(vec![number])).await
    }

    async fn recv(&self, from: usize, tag: Tag, last: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        self.fetch(from, tag, self.mail.recv(from, tag, last).await?)
    }

    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.fetch(from, tag, self.mail.recv_at_leisure(from, tag, last).await?)
    }

    fn progress(&self) {
        self.mail.progress();
    }

    fn did(&self, operation: &Operation) {
        self.mail.did(operation);
    }

    fn now_us(&self) -> u64 {
        self.mail.now_us()
    }

    fn process_bytes(&self) -> Option<[u64; 2]> {
        self.mail.process_bytes()
    }
}

impl<T: Transport> Nccl<T> {
    /// The message whose number has come.
    fn fetch(&self, from: usize, tag: Tag, number: Message) -> Result<Message, CommError> {
        let (rank, got) = (self.mail.rank(), number.len());
        let number = number[..].try_into().map_err(|_| CommError::Length { rank, from, tag, got, expected: 8 })?;
        let message = self.lane(from, FROM, |lane| lane.receive(u64::from_ne_bytes(number)))?;
        Ok(Message::from_bytes_vec(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rank_has_one_way_to_each_other_and_none_to_itself() {
        for ranks in 2..7 {
            let pairs = (0..ranks).flat_map(|from| (0..ranks).map(move |to| (from, to)));
            let places: Vec<usize> =
                pairs.filter(|(from, to)| from != to).map(|(from, to)| place(ranks, from, to)).collect();
            assert_eq!(places, (0..ranks * (ranks - 1)).collect::<Vec<_>>(), "of {ranks} ranks, no name is left over");
        }
    }

    #[test]
    fn too_few_gpus_are_a_reason_that_is_told() {
        let ranks = gpus() + 2;
        let Err(why) = Ways::among(ranks) else { panic!("{ranks} ranks have a GPU each") };
        let told = format!("NCCL wants a GPU for each of {ranks} ranks, and this machine has {} by CUDA", ranks - 2);
        assert_eq!(why, told);
    }
}
