//! One way, from one GPU to another: a communicator of two, on a stream of its own, so that no way waits for another.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cudarc::driver::{CudaContext, CudaStream};
use cudarc::nccl::result::NcclError;
use cudarc::nccl::{Comm, Id};

/// The places of the two ends in their communicator.
const SENDER: i32 = 0;
const RECEIVER: i32 = 1;

/// Between two looks at whether a message is there: it has been handed over when somebody looks, and crosses in microseconds.
const LOOK: Duration = Duration::from_micros(20);

/// One end of a way.
pub(super) struct Lane {
    comm: Comm,
    stream: Arc<CudaStream>,
    /// How long a message may take to cross once it has been handed over.
    timeout: Duration,
    /// Messages that have been handed over, or taken in.
    count: u64,
    /// Messages that were taken in before somebody asked for them.
    kept: HashMap<u64, Vec<u8>>,
}

/// What the driver says.
pub(super) fn words(error: impl Debug) -> String {
    format!("CUDA says {error:?}")
}

/// What NCCL says; an error of `cudarc` does not name it by itself.
pub(super) fn of_nccl(error: NcclError) -> String {
    format!("NCCL says {:?}", error.0)
}

impl Lane {
    /// Waits for the other end, which NCCL does without a limit: both are threads of one process, and open at its beginning. Whoever runs
    /// the threads ends the process where that takes too long; NCCL's start without waiting, which could be given up, `cudarc` has only as
    /// raw calls, and its communicator cannot be made of one.
    pub(super) fn open(context: &Arc<CudaContext>, sends: bool, name: Id, timeout: Duration) -> Result<Self, String> {
        let stream = context.new_stream().map_err(words)?;
        let place = if sends { SENDER } else { RECEIVER };
        let comm = Comm::from_rank(stream.clone(), place as usize, 2, name).map_err(of_nccl)?;
        Ok(Self { comm, stream, timeout, count: 0, kept: HashMap::new() })
    }

    /// Hands a message over, its length first, and gives its number.
    pub(super) fn send(&mut self, message: &[u8]) -> Result<u64, String> {
        self.send_bytes(&(message.len() as u64).to_le_bytes())?;
        if !message.is_empty() {
            self.send_bytes(message)?;
        }
        self.count += 1;
        Ok(self.count - 1)
    }

    /// The message of this number, each of which is asked for once.
    pub(super) fn receive(&mut self, number: u64) -> Result<Vec<u8>, String> {
        while self.count <= number {
            let length = self.receive_bytes(size_of::<u64>())?;
            let length = u64::from_le_bytes(length.try_into().map_err(words)?);
            let message = if length == 0 { Vec::new() } else { self.receive_bytes(length as usize)? };
            self.kept.insert(self.count, message);
            self.count += 1;
        }
        self.kept.remove(&number).ok_or_else(|| format!("message {number} was asked for twice"))
    }

    fn send_bytes(&self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.stream.clone_htod(bytes).map_err(words)?;
        self.comm.send(&sent, RECEIVER).map_err(of_nccl)
    }

    fn receive_bytes(&self, count: usize) -> Result<Vec<u8>, String> {
        let mut received = self.stream.alloc_zeros::<u8>(count).map_err(words)?;
        self.comm.recv(&mut received, SENDER).map_err(of_nccl)?;
        self.arrived(count)?;
        let bytes = self.stream.clone_dtoh(&received).map_err(words)?;
        self.stream.synchronize().map_err(words)?;
        Ok(bytes)
    }

    /// Waits until what the stream was told to receive is there, for as long as a message may take.
    fn arrived(&self, count: usize) -> Result<(), String> {
        let event = self.stream.record_event(None).map_err(words)?;
        let begun = Instant::now();
        while !event.try_is_complete().map_err(words)? {
            if begun.elapsed() > self.timeout {
                let seconds = self.timeout.as_secs_f64();
                return Err(format!("a message of {count} bytes did not cross between the GPUs in {seconds} s"));
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}
