//! Pieces of messages that MPI still works on, with the bytes that it reads or writes meanwhile.
//!
//! MPI goes on with a request after the call that made it has returned, and nothing takes one back for certain. So the bytes stay where
//! they are until MPI says that the request has ended. A rank that leaves before that, because it has waited too long, panicked or was told
//! to go, never frees them: they live as long as the process, and so may whatever MPI still does with them.

use std::mem::ManuallyDrop;
use std::rc::Rc;

use mpi::datatype::Equivalence as _;
use mpi::point_to_point::{Destination as _, Message as Announced, Status};
use mpi::request::{Request, StaticScope};
use mpi::topology::Communicator;

/// MPI's own tag of a piece that others follow, and of the last one.
const MORE: i32 = 1;
const LAST: i32 = 0;

/// A piece that MPI has been given, with the bytes that it may still read.
pub(super) struct Sending {
    request: ManuallyDrop<Option<Request<'static, [u8], StaticScope>>>,
    /// The pieces of a message share its bytes.
    bytes: ManuallyDrop<Rc<Vec<u8>>>,
}

impl Sending {
    #[expect(
        unsafe_code,
        reason = "MPI reads the bytes after the call has returned; they stay until it says that it has"
    )]
    pub(super) fn start(world: &impl Communicator, to: usize, bytes: &Rc<Vec<u8>>, piece: &[u8], last: bool) -> Self {
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
    pub(super) fn goes_on(&mut self) -> bool {
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

/// A piece that MPI has announced and is bringing, into bytes that are nobody's until it is there.
///
/// A long one comes only as long as its sender calls MPI too: whoever waited for it in a call would wait for ever for a sender that hangs.
pub(super) struct Receiving {
    /// Gone once it has ended. Never dropped before: that is a panic of its own.
    request: ManuallyDrop<Option<Request<'static, [u8], StaticScope>>>,
    /// A pointer, and no `Box`: while MPI writes there, nothing else may claim the bytes as its own. Not freed by dropping it.
    bytes: *mut [u8],
    from: usize,
    last: bool,
}

impl Receiving {
    /// Has MPI bring what it has announced.
    #[expect(
        unsafe_code,
        reason = "MPI writes the bytes after the call has returned; nobody looks at them until it says that it has"
    )]
    pub(super) fn start(announced: Announced, status: &Status) -> Self {
        let count = status.count(u8::equivalent_datatype()).max(0) as usize;
        let bytes = Box::into_raw(vec![0_u8; count].into_boxed_slice());
        // SAFETY: the box has just been given up for the pointer, so that this is the only reference to its bytes, and it is handed on at
        // once. They are freed by `take` alone, after the request that holds the reference has ended and is gone.
        let whole: &'static mut [u8] = unsafe { &mut *bytes };
        let request = announced.immediate_matched_receive_into(StaticScope, whole);
        let (from, last) = (status.source_rank() as usize, status.tag() == LAST);
        Self { request: ManuallyDrop::new(Some(request)), bytes, from, last }
    }

    /// The rank that has sent it.
    pub(super) const fn sender(&self) -> usize {
        self.from
    }

    /// Whether no other piece of its message follows.
    pub(super) const fn is_last(&self) -> bool {
        self.last
    }

    /// Its bytes, as soon as all of them are there; once.
    #[expect(unsafe_code, reason = "the bytes become somebody's again once MPI has written them")]
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        match self.request.take()?.test() {
            Err(request) => {
                *self.request = Some(request);
                None
            }
            // SAFETY: the pointer is that of a box, which `start` has given up. MPI has said that it has done with the bytes, and the
            // reference to them went with the request. That is gone from now on, so that nobody comes here twice.
            Ok(_) => Some(unsafe { Box::from_raw(self.bytes) }.into_vec()),
        }
    }
}
