//! How the C library hands out memory in a process that trains.

/// Larger buffers are the system's own, and go back to it when they are freed: columns, factors, whole models.
const LARGEST_KEPT: i32 = 32 << 20;

/// So much freed memory at the end of the heap stays this process's.
const KEPT: i32 = 256 << 20;

/// Keeps what a training step frees for the next one, which asks for buffers of the same sizes. By its defaults the C library gives them back to
/// the system, and each step pays for getting them page by page: a sixth to a quarter of an epoch of SASRec, an eighth of one of DenseNet-150
/// (docs/architecture.md). Where there is another C library nothing happens.
pub(crate) fn keep_freed_buffers() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    #[expect(
        unsafe_code,
        reason = "the C library has no other way to set this; called before any other thread is there"
    )]
    // SAFETY: `mallopt` takes two numbers and changes what later allocations do, whoever makes them.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGEST_KEPT);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

#[cfg(all(test, target_os = "linux", target_env = "gnu"))]
mod tests {
    use super::*;

    fn page_faults() -> i64 {
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_THREAD)
            .expect("Linux tells")
            .minor_page_faults()
    }

    #[test]
    fn what_a_step_frees_is_not_fetched_page_by_page_by_the_next() {
        keep_freed_buffers();
        let step = |value: u8| {
            let buffers: Vec<Vec<u8>> = (0..8).map(|_| std::hint::black_box(vec![value; 4 << 20])).collect();
            buffers.len()
        };
        step(1);
        let before = page_faults();
        assert_eq!((2..12).map(step).sum::<usize>(), 80);
        let faults = page_faults() - before;
        assert!(faults < 8 * 1024, "{faults} page faults in ten steps; the buffers of one have 8 Ki pages");
    }
}
