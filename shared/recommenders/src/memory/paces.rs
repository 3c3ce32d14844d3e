//! How fast classical fits compute, for what is foretold of their time: every rate, with where it was measured.
//!
//! Those of networks stand in `plan/src/pace.rs`. Neither crate may import the other, and what both import, the
//! vocabulary of specs and events, knows of no machine but for one rate: that of inverses, in its `forecast.rs`, since
//! how many items a built-in data set has is known before it is read, and the page says before a run what EASE takes.

use recspeed_types::forecast::{self, Processor};

/// Normal numbers that one thread draws in a second, about (docs/benchmarks.md: one round of biased-mf on two million
/// rows, which is little more than its 146 million first numbers, took 10.6 s).
pub(crate) const DRAWN_PER_S: f64 = 1.4e7;

/// Numbers of a vector that one thread moves in a second, about (AMD EPYC, one thread: bpr on Beauty 5-core, 198,502
/// entries, 20 epochs of 64 factors in 0.44 s; svd++ is as fast, biased-mf faster).
pub(crate) const MOVED_PER_S: f64 = 6e8;
/// Numbers that one thread multiplies into nmf's sums in a second (docs/benchmarks.md: 50 rounds over MovieLens-100K, 15
/// factors, on two threads in 0.09 s).
pub(crate) const SUMMED_PER_S: f64 = 4e8;
/// Operations of als-explicit's and als-implicit's systems on one thread in a second (docs/benchmarks.md: one round
/// over two million rows on two threads, 1.5 and 1.9 s).
pub(crate) const EXPLICIT_PER_S: f64 = 2.6e9;
pub(crate) const IMPLICIT_PER_S: f64 = 1.4e10;

/// Numbers that one thread of fm's sweeps moves for each row and feature in a second, about (docs/benchmarks.md: Gibbs
/// sampling, rank 10: 200 rounds over MovieLens-100K in 1.1 s on two threads, 5 over two million rows of 1.5 million
/// users and items in 5.0 s).
pub(crate) const SWEPT_PER_S: f64 = 4e7;
/// Numbers that one step after the other moves in a second, each with its squared slopes (docs/benchmarks.md: ffm, 20
/// rounds over MovieLens-100K, 8 numbers a row, in 0.25 s).
pub(crate) const STEPPED_PER_S: f64 = 6e7;

/// Entries that one thread visits in a second and adds to what two rows have in common, about (Intel Xeon; user-knn on
/// MovieLens-100K); slim, where it keeps no products, adds them up in the same way.
pub(crate) const VISITED_PER_S: f64 = 1e8;
/// The same in item-knn, about: what it adds up between two looks at the observer takes a tenth of a second.
pub(crate) const ADDED_PER_S: f64 = 3e8;
/// Products among neighbours that one thread looks up and descends on in a second, about (docs/benchmarks.md: slim,
/// 1,682 candidates of MovieLens-100K with 100 neighbours each in 93 ms on two threads).
pub(crate) const SOLVED_PER_S: f64 = 9e7;

/// Seconds that an inverse of `n` by `n` numbers takes on this machine, or in this tab, about.
pub(crate) fn seconds_of_inverse(n: usize) -> f64 {
    let threads = Processor::Threads(rayon::current_num_threads() as u32);
    let processor = if cfg!(target_arch = "wasm32") { Processor::Tab } else { threads };
    forecast::seconds_of_inverse(n as u64, processor)
}
