//! In builds without the feature `nccl`: threads carry everything.

use std::time::Duration;

use recspeed_parallel::{AnyTransport, Transport};

/// No ways.
#[derive(Clone)]
pub(crate) enum Ways {}

impl Ways {
    pub(crate) const fn among(_: usize) -> Option<Self> {
        None
    }
}

pub(crate) fn over(mail: impl Transport + 'static, _: Option<&Ways>, _: Duration) -> AnyTransport {
    AnyTransport::new(mail)
}
