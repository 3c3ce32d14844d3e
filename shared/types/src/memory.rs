//! What is known of a process that may have had too little memory, in the same words wherever it is told.

/// What is known of a process that signal 9 has ended and that nobody of the lab has sent it: the system does not tell who did.
pub const KILLED: &str = "was killed (signal 9); the kernel does so when memory runs out, or somebody ended it";

/// How programs say that they asked for memory and got none, in small letters: Python and NumPy, C++, PyTorch on a processor and on a
/// GPU, TensorFlow, the system, Rust.
const REFUSED: [&str; 9] = [
    "memoryerror",
    "unable to allocate",
    "bad_alloc",
    "out of memory",
    "can't allocate memory",
    "cannot allocate memory",
    "resourceexhausted",
    "oom when allocating",
    "memory allocation of",
];

/// Whether a program's last words say that it asked for memory and got none.
pub fn was_refused(words: &str) -> bool {
    let words = words.to_lowercase();
    REFUSED.iter().any(|refused| words.contains(refused))
}

/// Whether the memory that it did not get is a GPU's.
pub fn is_of_gpu(words: &str) -> bool {
    let words = words.to_lowercase();
    ["cuda out of memory", "hip out of memory"].iter().any(|refused| words.contains(refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_got_no_memory_is_told_by_its_own_words_and_nobody_else_is() {
        for words in [
            "MemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,) and data type float64",
            "terminate called after throwing an instance of 'std::bad_alloc'",
            "RuntimeError: DefaultCPUAllocator: can't allocate memory: you tried to allocate 4000000000000 bytes.",
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 GiB.",
            "ResourceExhaustedError: OOM when allocating tensor with shape[1000000,1000000]",
            "memory allocation of 4000000000000 bytes failed",
        ] {
            assert!(was_refused(words), "{words}");
            assert_eq!(is_of_gpu(words), words.contains("CUDA"), "{words}");
        }
        for words in ["Killed", "No module named torch", "the model keeps its rows in memory"] {
            assert!(!was_refused(words), "{words}");
        }
        assert!(!was_refused(KILLED), "of a process that was killed nobody knows that");
    }
}
