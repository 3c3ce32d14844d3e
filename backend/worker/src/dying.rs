//! A rank that dies in the middle of a fetch of table rows, for the tests of threads and of processes.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;

use recspeed_parallel::tables::{LookUp, RowRule, SavedTables, Tables, Wanted};
use recspeed_parallel::training::Ledger;
use recspeed_parallel::{AnyTransport, CommError, Communicator, Message, Operation, RankFailure, Tag, Transport};
use recspeed_plan::sharding::{TablePlacement, TableShape, TableSharding};

/// Ranks of the test.
pub(crate) const RANKS: usize = 3;
/// The one that dies.
pub(crate) const DIES: usize = 1;
/// Messages of a rank in one fetch: it sends rows to the two others, and waits for those of both.
const MESSAGES: usize = 4;
/// The messages, of those of the second fetch, before which it dies. There are fetches after that one: the others cannot
/// end without it.
pub(crate) const MOMENTS: Range<usize> = MESSAGES..2 * MESSAGES;
const FETCHES: usize = 3;

/// A way to the others that ends.
struct Mortal {
    way: Communicator<AnyTransport>,
    /// Messages until then.
    left: Cell<usize>,
    die: fn(),
}

impl Mortal {
    fn lives(&self) {
        match self.left.get().checked_sub(1) {
            None => (self.die)(),
            Some(left) => self.left.set(left),
        }
    }
}

impl Transport for Mortal {
    fn rank(&self) -> usize {
        self.way.rank()
    }

    fn ranks(&self) -> usize {
        self.way.ranks()
    }

    async fn send(&self, to: usize, tag: Tag, message: Message) -> Result<(), CommError> {
        self.lives();
        self.way.send_message(to, tag, message).await
    }

    async fn recv(&self, from: usize, tag: Tag, _: &dyn Fn() -> Vec<Operation>) -> Result<Message, CommError> {
        self.lives();
        self.way.recv_message(from, tag).await
    }

    /// A fetch waits for nothing so.
    async fn recv_at_leisure(
        &self,
        from: usize,
        tag: Tag,
        last: &dyn Fn() -> Vec<Operation>,
    ) -> Result<Message, CommError> {
        self.recv(from, tag, last).await
    }
}

/// Some fetches of rows of a table that three ranks divide, each of which wants rows of all; one of them dies before its message
/// number `moment`.
pub(crate) async fn fetch(way: Communicator<AnyTransport>, moment: usize, die: fn()) -> Result<(), RankFailure> {
    let left = if way.rank() == DIES { moment } else { usize::MAX };
    let all = Communicator::new(Mortal { way, left: Cell::new(left), die });
    let numbers = (0..36_u8).map(f32::from).collect();
    let saved = SavedTables { numbers: vec![Cow::Owned(numbers)], moments: None };
    let placement = TablePlacement::new(&[TableShape::whole(9, 4)], RANKS, TableSharding::RowWise).expect("any");
    let mut ledger = Ledger::default();
    let tables = Tables::new(placement, all.rank(), RowRule::Sgd { decay: 0.0 }, &saved, &mut ledger);
    let look_ups = [LookUp::from(vec![0, 4, 8])];
    let wanted: Vec<Wanted> = vec![vec![vec![0..3]]; RANKS];
    for _ in 0..FETCHES {
        tables.fetch(&look_ups, &wanted, &all, &mut ledger).await?;
    }
    Ok(())
}
