//! What of NCCL can be run where there is one GPU: a communicator of one rank. NCCL wants a GPU for each of several.

use std::process::ExitCode;
use std::time::Instant;

use cudarc::driver::{CudaContext, CudaSlice};
use cudarc::nccl::{Comm, Id, ReduceOp, group_end, group_start, result};
use serde_json::{Value, json};

use super::lane::{of_nccl, words};
use crate::output;

/// Numbers that are sent: 4 MiB, more than NCCL sends at once.
const NUMBERS: usize = 1 << 20;

/// Prints as one line of JSON what a communicator of one rank does on the first GPU; status 0 where everything came back as it was.
pub(crate) fn print() -> ExitCode {
    let told = tried();
    let is_well = told.is_ok();
    let written = output::answer(told.unwrap_or_else(|failed| json!({ "failed": failed })));
    if is_well { written } else { ExitCode::FAILURE }
}

/// What was tried; why it failed.
fn tried() -> Result<Value, String> {
    // Libraries that cannot be loaded are a panic of `cudarc`.
    std::panic::catch_unwind(alone).unwrap_or_else(|_| {
        Err("a library of CUDA's driver or of NCCL cannot be loaded; it is looked for as libnccl.so in LD_LIBRARY_PATH, and PyTorch's \
             wheels have it as nvidia/nccl/lib/libnccl.so.2: a link by the other name makes it found"
            .to_owned())
    })
}

fn alone() -> Result<Value, String> {
    let version = version_in_words(result::get_nccl_version().map_err(of_nccl)?);
    let context = CudaContext::new(0).map_err(words)?;
    let stream = context.new_stream().map_err(words)?;
    let begun = Instant::now();
    let comm = Comm::from_rank(stream.clone(), 0, 1, Id::new().map_err(of_nccl)?).map_err(of_nccl)?;
    let opened_s = begun.elapsed().as_secs_f64();
    let numbers: Vec<f32> = (0..NUMBERS).map(|number| number as f32 * 0.37 - 1000.0).collect();
    let sent = stream.clone_htod(&numbers).map_err(words)?;
    let back = |received: &CudaSlice<f32>| {
        let numbers = stream.clone_dtoh(received).map_err(words)?;
        stream.synchronize().map_err(words)?;
        Ok::<Vec<f32>, String>(numbers)
    };
    let begun = Instant::now();

    let mut received = stream.alloc_zeros::<f32>(NUMBERS).map_err(words)?;
    comm.all_reduce(&sent, &mut received, &ReduceOp::Sum).map_err(of_nccl)?;
    same("all-reduce", &numbers, &back(&received)?)?;

    let mut received = stream.alloc_zeros::<f32>(NUMBERS).map_err(words)?;
    comm.broadcast(Some(&sent), &mut received, 0).map_err(of_nccl)?;
    same("broadcast", &numbers, &back(&received)?)?;

    // As ways send, but for the group: a rank that sends to itself must receive at the same time.
    let mut received = stream.alloc_zeros::<f32>(NUMBERS).map_err(words)?;
    group_start().map_err(of_nccl)?;
    comm.send(&sent, 0).map_err(of_nccl)?;
    comm.recv(&mut received, 0).map_err(of_nccl)?;
    group_end().map_err(of_nccl)?;
    same("message to itself", &numbers, &back(&received)?)?;

    Ok(json!({
        "nccl": version,
        "gpu": context.name().map_err(words)?,
        "ranks": comm.world_size(),
        "numbers": NUMBERS,
        "came_back": ["all-reduce", "broadcast", "message to itself"],
        "opened_s": opened_s,
        "carried_s": begun.elapsed().as_secs_f64(),
    }))
}

/// Of one rank a sum, and what is sent, are to the last bit what went in.
fn same(what: &str, sent: &[f32], received: &[f32]) -> Result<(), String> {
    match sent.iter().zip(received).position(|(sent, received)| sent.to_bits() != received.to_bits()) {
        Some(at) => Err(format!("{what}: number {at} went in as {} and came back as {}", sent[at], received[at])),
        None if sent.len() != received.len() => {
            Err(format!("{what}: {} numbers went in and {} came back", sent.len(), received.len()))
        }
        None => Ok(()),
    }
}

/// NCCL tells 22809 of 2.28.9.
fn version_in_words(version: i32) -> String {
    format!("{}.{}.{}", version / 10_000, version / 100 % 100, version % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_world_of_one_gives_back_what_went_in() {
        if super::super::gpus() == 0 {
            println!("skipped: this machine has no GPU of CUDA");
            return;
        }
        let told = tried().expect("it carries");
        assert_eq!(told["came_back"], json!(["all-reduce", "broadcast", "message to itself"]));
    }

    #[test]
    fn what_does_not_come_back_as_it_went_in_is_named() {
        assert_eq!(same("sum", &[1.0, -0.0], &[1.0, -0.0]), Ok(()));
        let other = same("sum", &[1.0, -0.0], &[1.0, 0.0]).expect_err("another sign");
        assert_eq!(other, "sum: number 1 went in as -0 and came back as 0");
        let fewer = same("sum", &[1.0, 2.0], &[1.0]).expect_err("one is missing");
        assert_eq!(fewer, "sum: 2 numbers went in and 1 came back");
    }

    #[test]
    fn versions_are_told_as_nccl_counts_them() {
        assert_eq!(version_in_words(22_809), "2.28.9");
        assert_eq!(version_in_words(21_405), "2.14.5");
    }
}
