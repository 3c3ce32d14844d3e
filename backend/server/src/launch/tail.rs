//! The last words on a worker's standard error.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Bytes that are kept.
const KEPT: usize = 8 * 1024;

/// The end of a stream that is read by a task of its own, so that a talkative worker never blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Tail {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Tail {
    /// Reads `source` to its end in the background.
    pub(super) fn follow(mut source: impl AsyncRead + Unpin + Send + 'static) -> Self {
        let tail = Self::default();
        let writer = tail.clone();
        tokio::spawn(async move {
            let mut chunk = vec![0; 4096];
            while let Ok(read @ 1..) = source.read(&mut chunk).await {
                writer.push(chunk.get(..read).unwrap_or_default());
            }
        });
        tail
    }

    fn push(&self, chunk: &[u8]) {
        let mut bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        bytes.extend_from_slice(chunk);
        if bytes.len() > 2 * KEPT {
            let cut = bytes.len() - KEPT;
            bytes.drain(..cut);
        }
    }

    /// What has come so far, at most the last 8 KiB.
    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let from = bytes.len().saturating_sub(KEPT);
        String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).trim().to_owned()
    }
}
