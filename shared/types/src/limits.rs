//! Every bound that the lab checks, in one place for page, server and terminal.

/// Characters in an experiment's name.
pub const MAX_NAME_CHARS: usize = 120;
/// Largest seed: the largest integer that JSON numbers carry exactly in every browser, 2^53 − 1.
pub const MAX_SEED: u64 = (1 << 53) - 1;
/// Bytes of a spec as text, TOML or JSON; a longer one is refused before it is parsed.
pub const MAX_SPEC_BYTES: usize = 64 * 1024;
/// Characters of a permalink's payload.
pub const MAX_PERMALINK_CHARS: usize = 8 * 1024;
/// Characters in a path or an id inside a spec.
pub const MAX_PATH_CHARS: usize = 1024;
/// How deep recommenders may hold recommenders: a hybrid of hybrids of hybrids.
pub const MAX_NESTING: usize = 3;
/// Recommenders that one hybrid may hold.
pub const MAX_COMPONENTS: usize = 8;
/// Recommenders of one spec in all, hybrids and their components.
pub const MAX_RECOMMENDERS: usize = 32;
/// Times that a feature may be dealt out anew for its permutation importance.
pub const MAX_REPEATS: u32 = 100;
/// Trials of each recommender of a search.
pub const MAX_TRIALS: u32 = 100_000;
/// Metrics in one evaluation.
pub const MAX_METRICS: usize = 64;
/// Largest `k` of a metric at k.
pub const MAX_K: u32 = 1000;
/// Epochs of one training.
pub const MAX_EPOCHS: u32 = 10_000;
/// Rows in one mini-batch.
pub const MAX_BATCH_SIZE: u32 = 1 << 20;
/// Smallest and largest step size.
pub const LEARNING_RATE: (f64, f64) = (1e-9, 1e3);
/// Smallest and largest pull of the weights towards zero.
pub const WEIGHT_DECAY: (f64, f64) = (0.0, 1e3);
/// Smallest and largest bound of a gradient's norm.
pub const GRADIENT_CLIP: (f64, f64) = (1e-9, 1e9);
/// Rows that a filter may ask of each user or item.
pub const MAX_FILTER_ROWS: u32 = 1_000_000;
/// Rows of a sample, and users that are ranked for.
pub const MAX_DRAWN: u32 = u32::MAX;
/// Smallest and largest rating that separates what is liked from what is not.
pub const LIKED_FROM: (f64, f64) = (-1e6, 1e6);
/// Folds of a cross-validation.
pub const MAX_FOLDS: u32 = 100;
/// First rows of each user that `per-user-first-n` takes.
pub const MAX_FIRST_N: u32 = 10_000;
/// Bytes of one user or item id; a longer one makes its line a bad line.
pub const MAX_ID_BYTES: usize = 1024;
/// Bytes of one line of a data file; a longer one is a bad line, and is never held in memory whole.
pub const MAX_LINE_BYTES: usize = 64 * 1024;
/// Bad lines that a report quotes one by one; the others are counted.
pub const MAX_BAD_LINES_SHOWN: usize = 20;
/// Threads that a run may ask for.
pub const MAX_THREADS: u32 = 1024;
/// Ranks that a training may be divided among.
pub const MAX_RANKS: u32 = 64;
/// Ranks that may be planned without a run: no process has to stand for them.
pub const MAX_PLANNED_RANKS: u32 = 4096;
/// Micro-batches of one replica's share of a batch.
pub const MAX_MICRO_BATCHES: u32 = 1024;
/// Stages that one rank may hold.
pub const MAX_CHUNKS: u32 = 16;
/// Seconds that a rank may be told to wait for another one.
pub const MAX_TIMEOUT: u32 = 86_400;
/// Bytes of an uploaded data file.
pub const MAX_UPLOAD_BYTES: u64 = 512 * 1024 * 1024;
/// Bytes of a data file that a browser tab reads by itself.
pub const MAX_TAB_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Items in the basket of somebody who asks a model.
pub const MAX_BASKET: usize = 1000;
/// Stored runs that one comparison may name.
pub const MAX_COMPARED_RUNS: usize = 24;
/// Bytes of one event line from a worker; a longer one ends the run as rubbish.
pub const MAX_EVENT_BYTES: usize = 1024 * 1024;
