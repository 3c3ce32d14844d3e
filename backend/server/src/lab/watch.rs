//! What the lab cannot do without. Where a part of it stops before the lab is asked to end, the lab ends by itself and
//! says so: one that looks alive and does nothing would keep its runs waiting for ever.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// A part of the lab stopped, and the lab with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{part} stopped by a mistake of the lab ({cause}), so the lab ended; start it again: what is stored is kept, and \
     runs go on. Please report this with the log"
)]
pub struct Stopped {
    /// Which one.
    pub part: &'static str,
    /// The words of its end.
    pub cause: String,
}

/// Knows the first part that stopped; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Watch {
    first: Arc<OnceLock<Stopped>>,
    /// Ends the lab.
    ends: CancellationToken,
}

impl Watch {
    /// Nothing has stopped.
    pub(super) fn new(ends: CancellationToken) -> Self {
        Self { first: Arc::default(), ends }
    }

    /// The first part that stopped, if one did.
    pub(super) fn stopped(&self) -> Option<&Stopped> {
        self.first.get()
    }

    /// Does the work of a part; where it panics or fails, the lab ends.
    pub(super) async fn over(
        self,
        part: &'static str,
        work: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let cause = match tokio::spawn(work).await {
            Ok(Ok(())) => return,
            Ok(Err(cause)) => cause,
            // The process itself is ending.
            Err(error) if error.is_cancelled() => return,
            Err(error) => error.to_string(),
        };
        let stopped = Stopped { part, cause };
        tracing::error!(%stopped, "the lab cannot go on");
        // What stops after the first one may only follow from it.
        let _ = self.first.set(stopped);
        self.ends.cancel();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_part_that_panics_or_fails_ends_the_lab_with_its_name_and_one_that_is_done_does_not() {
        let ends = CancellationToken::new();
        let watch = Watch::new(ends.clone());
        watch.clone().over("the one that is done", std::future::ready(Ok(()))).await;
        assert!(!ends.is_cancelled() && watch.stopped().is_none());
        let panics = poll_fn(|_| -> Poll<Result<(), String>> { panic!("index out of bounds") });
        watch.clone().over("the dispatcher", panics).await;
        assert!(ends.is_cancelled());
        watch.clone().over("another", std::future::ready(Err("it follows".to_owned()))).await;
        let told = watch.stopped().unwrap().to_string();
        assert!(told.starts_with("the dispatcher stopped") && told.contains("index out of bounds"), "{told}");
        let (ends, failed) = (CancellationToken::new(), Err("the socket closed".to_owned()));
        let watch = Watch::new(ends.clone());
        watch.clone().over("the answers", std::future::ready(failed)).await;
        assert!(ends.is_cancelled() && watch.stopped().unwrap().cause == "the socket closed");
    }
}
