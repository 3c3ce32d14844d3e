//! Lines of a worker's standard output, of bounded length, that survive being interrupted while they are read.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Lines that are given out together: what one transaction stores.
const BATCH_LINES: usize = 256;
/// Bytes that are given out together.
const BATCH_BYTES: usize = 256 * 1024;

/// A line that cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum LineError {
    /// It goes on and on.
    #[error("a line is longer than {allowed} bytes")]
    TooLong {
        /// The bound.
        allowed: usize,
    },
    /// The pipe failed.
    #[error("the output cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Splits a stream into lines. What was read stays here when a read is interrupted, so nothing is lost.
#[derive(Debug)]
pub(super) struct Lines<R> {
    source: R,
    partial: Vec<u8>,
    longest: usize,
}

impl<R: AsyncBufRead + Unpin> Lines<R> {
    /// Lines of up to `longest` bytes.
    pub(super) fn new(source: R, longest: usize) -> Self {
        Self { source, partial: Vec::new(), longest }
    }

    /// At least one line and whatever else has already come; empty at the end. A last line without its newline is
    /// given out as if it had one. May be dropped while it waits.
    pub(super) async fn next_batch(&mut self) -> Result<Vec<Vec<u8>>, LineError> {
        let mut batch = Vec::new();
        loop {
            let available = self.source.fill_buf().await?;
            if available.is_empty() {
                if !self.partial.is_empty() {
                    batch.push(std::mem::take(&mut self.partial));
                }
                return Ok(batch);
            }
            let read = available.len();
            let mut bytes = 0;
            let mut rest = available;
            while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                let (line, after) = rest.split_at(end);
                if self.partial.len() + line.len() > self.longest {
                    return Err(LineError::TooLong { allowed: self.longest });
                }
                self.partial.extend_from_slice(line);
                bytes += self.partial.len();
                batch.push(std::mem::take(&mut self.partial));
                rest = after.get(1..).unwrap_or_default();
                if batch.len() >= BATCH_LINES || bytes >= BATCH_BYTES {
                    let taken = read - rest.len();
                    self.source.consume(taken);
                    return Ok(batch);
                }
            }
            if self.partial.len() + rest.len() > self.longest {
                return Err(LineError::TooLong { allowed: self.longest });
            }
            self.partial.extend_from_slice(rest);
            self.source.consume(read);
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::BufReader;

    use super::*;

    async fn all(bytes: &[u8], buffer: usize, longest: usize) -> Result<Vec<Vec<u8>>, LineError> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, bytes), longest);
        let mut found = Vec::new();
        loop {
            let batch = lines.next_batch().await?;
            if batch.is_empty() {
                return Ok(found);
            }
            found.extend(batch);
        }
    }

    #[tokio::test]
    async fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let endless = vec![b'x'; 10_000];
        assert!(matches!(all(&endless, 64, 1_000).await, Err(LineError::TooLong { allowed: 1_000 })));
        assert_eq!(all(&endless, 64, 10_000).await.unwrap().concat(), endless);
    }

    proptest! {
        #[test]
        fn lines_are_the_same_whatever_the_buffer(
            lines in prop::collection::vec(prop::collection::vec(1..=9_u8, 1..40), 0..40),
            buffer in 1..64_usize,
        ) {
            let mut bytes = lines.join(&b'\n');
            bytes.push(b'\n');
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(all(&bytes, buffer, 100)).unwrap();
            let expected = if lines.is_empty() { vec![Vec::new()] } else { lines };
            prop_assert_eq!(found, expected);
        }
    }
}
