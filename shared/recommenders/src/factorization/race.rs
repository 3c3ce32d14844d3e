//! Gradient descent by several threads at once on the same numbers, without waiting for each other.
//!
//! A step reads vectors, computes, and writes them back; what another thread wrote in between is lost. With sparse data
//! that is rare and does little harm, but no two runs are alike. `warp` alone takes it, in its fast mode, and there only
//! where it [`may_pay`]: elsewhere one thread goes through the steps with plain numbers.
//!
//! What a step of `warp` cannot do without, of `d` factors and `N` items drawn: `4 d (2 + N)` bytes of vectors to score and
//! `12 d` of squares are read, `24 d` are written; `2 d (1 + N)` operations to score and about `30 d` to move, of which
//! `3 d` roots and `3 d` quotients are the longest. With 64 factors and three draws that are 2 KB read, 1.5 KB written,
//! 2,400 operations and 48 vectors of 8 roots or quotients: some 400 cycles where every line is in the core's own cache.
//! A race adds that numbers go in and out two at a time, and that the lines of the two items, `16 d` bytes with their
//! squares, were written last by another of `T` threads in `T − 1` of `T` cases: with 64 factors half of 16 lines come out
//! of the other one of two cores, at some hundred cycles each. Rows of users are met by one thread at a time
//! ([`gather`]), and of many items a row has left every core before it is met again: it comes from farther away for one
//! thread, too.
//! Source: Niu, Recht, Ré, Wright, "Hogwild!", arXiv:1106.5730.

use std::mem::replace;
use std::sync::atomic::{AtomicU64, Ordering};

use pulp::Simd;
use rayon::prelude::*;

use super::ahead::of_each_line;
use super::draws::ROWS_AT_ONCE;

/// Steps that a thread takes one after another.
const PIECE: usize = 1024;

/// Bytes that one core keeps near to itself, about: the second cache of a server's core of these years has a quarter of
/// that to all of it.
const OWN_CACHE: u64 = 2 << 20;

/// Threads from which a race may pay for the few items of such a cache, too. On two, a step took 1.9 to 2.4 times as long in a
/// race there as alone (AMD EPYC, MovieLens-100K, 64 factors: fits of 374 ms beside 399 ms, and of 1.42 s beside 1.19 s).
/// If pairs cost a third of a step alone, and all else comes out of other cores, that grows by `2 − 2 / T`: on four threads
/// a step takes 2.6 times as long, and four are taken at once. Reckoned, and not measured: there were two cores.
const MANY_THREADS: u64 = 4;

/// Pairs that are read one after another, to be numbers of whole vectors of the processor, the longest too.
const BLOCK: usize = 8;
const BLOCK_NUMBERS: usize = 2 * BLOCK;

/// Vectors that every thread may read and write, each with its bias behind it where it has one: a bias alone is a line
/// more to wait for, and one that threads write for many others. Two neighbouring numbers are one atomic, so that a read is
/// half as dear: a pair is always whole, a vector need not be.
pub(super) struct SharedRows {
    pairs: Vec<AtomicU64>,
    /// Numbers of a vector, and of a row, which may have a bias.
    d: usize,
    width: usize,
}

impl SharedRows {
    /// `values`: `[n, d]`; `biases`: `[n]`, or none. They go, so that a fit does not hold all of its numbers twice.
    pub(super) fn new(values: Vec<f32>, biases: Vec<f32>, d: usize) -> Self {
        let width = d + usize::from(!biases.is_empty());
        let mut biases = biases.into_iter();
        let mut pairs = Vec::with_capacity(values.len() / d * width.div_ceil(2));
        for vector in values.chunks_exact(d) {
            let (whole, last) = vector.as_chunks::<2>();
            pairs.extend(whole.iter().map(|&pair| AtomicU64::new(bits(pair))));
            let mut rest = last.iter().copied().chain(biases.next());
            if let Some(low) = rest.next() {
                pairs.push(AtomicU64::new(bits([low, rest.next().unwrap_or(0.0)])));
            }
        }
        Self { pairs, d, width }
    }

    /// `[n, d]`, and `[n]` or none.
    pub(super) fn into_values(self) -> (Vec<f32>, Vec<f32>) {
        let Self { mut pairs, d, width } = self;
        let n = pairs.len() / width.div_ceil(2);
        let (mut values, mut biases) = (vec![0.0; n * d], vec![0.0; n * (width - d)]);
        let rows = pairs.chunks_exact_mut(width.div_ceil(2)).zip(values.chunks_exact_mut(d));
        for (at, (row, vector)) in rows.enumerate() {
            let (whole, last) = vector.as_chunks_mut::<2>();
            for (pair, shared) in whole.iter_mut().zip(row.iter_mut()) {
                *pair = numbers(*shared.get_mut());
            }
            // What lies in the last pair where that is no whole one of the vector.
            let rest = row.last_mut().map_or([0.0; 2], |shared| numbers(*shared.get_mut()));
            for (number, rest) in last.iter_mut().chain(biases.get_mut(at)).zip(rest) {
                *number = rest;
            }
        }
        (values, biases)
    }

    #[inline(always)]
    fn row(&self, row: usize) -> &[AtomicU64] {
        let width = self.width.div_ceil(2);
        &self.pairs[row * width..][..width]
    }

    /// Looks a row up that is needed some steps later.
    #[inline(always)]
    pub(super) fn look_up(&self, row: usize) {
        for pair in of_each_line(self.row(row)) {
            std::hint::black_box(pair.load(Ordering::Relaxed));
        }
    }

    /// `vector`: all numbers of a row. Written as it is read next, by whole vectors of the processor: what has just been
    /// written pair by pair cannot be read as a whole before every pair has reached the cache.
    #[inline(always)]
    pub(super) fn load<S: Simd>(&self, simd: S, row: usize, vector: &mut [f32]) {
        let (whole, rest) = vector.as_chunks_mut::<BLOCK_NUMBERS>();
        let (blocks, rest_pairs) = self.row(row).split_at(whole.len() * BLOCK);
        let one = simd.splat_f32s(1.0);
        for (to, block) in whole.iter_mut().zip(blocks.as_chunks::<BLOCK>().0) {
            let from = read(block);
            let ((to, _), (from, _)) = (S::as_mut_simd_f32s(to), S::as_simd_f32s(&from));
            for (to, &from) in to.iter_mut().zip(from) {
                // A product, so that it is one vector and not its parts that is moved.
                *to = simd.mul_f32s(from, one);
            }
        }
        for (to, shared) in rest.chunks_mut(2).zip(rest_pairs) {
            to.copy_from_slice(&numbers(shared.load(Ordering::Relaxed))[..to.len()]);
        }
    }

    /// `vector · row`, without a copy of the row; `vector` is as long as the row.
    #[inline(always)]
    pub(super) fn dot<S: Simd>(&self, simd: S, row: usize, vector: &[f32]) -> f32 {
        let (whole, rest) = vector.as_chunks::<BLOCK_NUMBERS>();
        let (blocks, rest_pairs) = self.row(row).split_at(whole.len() * BLOCK);
        let mut sums = [simd.splat_f32s(0.0); 2];
        for (a, block) in whole.iter().zip(blocks.as_chunks::<BLOCK>().0) {
            let b = read(block);
            let ((a, _), (b, _)) = (S::as_simd_f32s(a), S::as_simd_f32s(&b));
            for (at, (&a, &b)) in a.iter().zip(b).enumerate() {
                sums[at % 2] = simd.mul_add_e_f32s(a, b, sums[at % 2]);
            }
        }
        let mut sum = simd.reduce_sum_f32s(simd.add_f32s(sums[0], sums[1]));
        for (a, shared) in rest.chunks(2).zip(rest_pairs) {
            for (&a, b) in a.iter().zip(numbers(shared.load(Ordering::Relaxed))) {
                sum += a * b;
            }
        }
        sum
    }

    /// `vector`: all numbers of a row.
    #[inline(always)]
    pub(super) fn store(&self, row: usize, vector: &[f32]) {
        let row = self.row(row);
        let (pairs, last) = vector.as_chunks::<2>();
        for (&pair, shared) in pairs.iter().zip(row) {
            shared.store(bits(pair), Ordering::Relaxed);
        }
        if let (Some(&last), Some(shared)) = (last.first(), row.last()) {
            shared.store(bits([last, 0.0]), Ordering::Relaxed);
        }
    }
}

/// In registers: a loop over the block would be one over memory.
#[inline(always)]
fn read(block: &[AtomicU64; BLOCK]) -> [f32; BLOCK_NUMBERS] {
    let [a, b, c, d, e, f, g, h] = block;
    let (a, b) = (a.load(Ordering::Relaxed), b.load(Ordering::Relaxed));
    let (c, d) = (c.load(Ordering::Relaxed), d.load(Ordering::Relaxed));
    let (e, f) = (e.load(Ordering::Relaxed), f.load(Ordering::Relaxed));
    let (g, h) = (g.load(Ordering::Relaxed), h.load(Ordering::Relaxed));
    pulp::cast([a, b, c, d, e, f, g, h])
}

#[inline(always)]
fn bits(pair: [f32; 2]) -> u64 {
    pulp::cast(pair)
}

#[inline(always)]
fn numbers(bits: u64) -> [f32; 2] {
    pulp::cast(bits)
}

/// Whether `threads` that race may be sooner done with so many steps than one that takes them all with plain numbers.
/// Where this says no, a race is not known to save time. Where it says yes, the machine decides: ten epochs over Beauty
/// 5-core, 64 factors, two threads, took a race 1.37 s beside 1.69 s on AMD EPYC, but 0.73 to 0.80 s beside 0.64 to 0.71 s
/// on Intel Xeon. A fit does not try both by the clock: then the same spec would race in one run and not in the next.
/// `shared`: bytes of the rows that every thread writes.
pub(super) const fn may_pay(threads: u64, steps: u64, shared: u64) -> bool {
    let shared_out = threads > 1 && steps > PIECE as u64;
    shared_out && (shared > OWN_CACHE || threads >= MANY_THREADS)
}

/// Lets all threads work off the steps, an order of `0..n`, each taking the next piece; the sum of what `work` says of each
/// piece and its number. Neighbours in `0..n` move the same rows, so a thread is given neighbours: a row that another one
/// wrote last is far.
/// `None` when `go_on`, asked about ten times a second, said no.
pub(super) fn race(
    steps: &[u32],
    go_on: &mut dyn FnMut() -> bool,
    work: impl Fn(u64, &[u32]) -> f64 + Sync,
) -> Option<f64> {
    let threads = rayon::current_num_threads();
    let group = ROWS_AT_ONCE * threads;
    let mut gathered = Vec::new();
    let mut total = 0.0;
    for (at, mut group_steps) in steps.chunks(group).enumerate() {
        if !go_on() {
            return None;
        }
        if threads > 1 {
            gather(group_steps, (steps.len(), threads), &mut gathered);
            group_steps = &gathered;
        }
        let first = (at * group / PIECE) as u64;
        let pieces = group_steps.par_chunks(PIECE).enumerate();
        total += pieces.map(|(piece, steps)| work(first + piece as u64, steps)).sum::<f64>();
    }
    Some(total)
}

/// Puts the steps of a group together by the parts of `0..n` that they are of, one for each thread; within a part in the
/// order that they had. All threads wait for it: so it counts and places them, and sorts nothing.
fn gather(group: &[u32], (n, threads): (usize, usize), gathered: &mut Vec<u32>) {
    // A product and a shift: a quotient for each step would be most of this. No step is beyond the last part.
    let parts_of_a_step = ((threads as u64) << 32) / n as u64;
    let part = |step: u32| ((u64::from(step) * parts_of_a_step) >> 32) as usize;
    let mut places = vec![0usize; threads];
    for &step in group {
        places[part(step)] += 1;
    }
    let mut before = 0;
    for place in &mut places {
        let own = replace(place, before);
        before += own;
    }
    gathered.clear();
    // At once as long as it becomes.
    gathered.reserve_exact(group.len());
    gathered.resize(group.len(), 0);
    for &step in group {
        let place = &mut places[part(step)];
        gathered[*place] = step;
        *place += 1;
    }
}

#[cfg(test)]
mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;

    /// A vector of the first row, which is written backwards over the second, and the product of the two as they were.
    struct Moves<'a>(&'a SharedRows);

    impl WithSimd for Moves<'_> {
        type Output = (Vec<f32>, f32);

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> (Vec<f32>, f32) {
            let mut vector = vec![9.0; self.0.width];
            self.0.load(simd, 0, &mut vector);
            let (loaded, product) = (vector.clone(), self.0.dot(simd, 1, &vector));
            vector.reverse();
            self.0.store(1, &vector);
            (loaded, product)
        }
    }

    #[test]
    fn rows_of_any_length_come_back_to_the_bit_with_their_biases() {
        for (d, biased) in (1..70).flat_map(|d| [(d, false), (d, true)]) {
            let values: Vec<f32> = (0..3 * d).map(|i| i as f32 - 7.0).collect();
            let biases = if biased { vec![0.5, -2.0, 3.0] } else { Vec::new() };
            let row = |at: usize| [&values[at * d..][..d], biases.get(at..=at).unwrap_or_default()].concat();
            let shared = SharedRows::new(values.clone(), biases.clone(), d);
            let (loaded, product) = Arch::new().dispatch(Moves(&shared));
            assert_eq!(loaded, row(0), "d = {d}");
            assert_eq!(product, row(0).iter().zip(row(1)).map(|(a, b)| a * b).sum::<f32>(), "d = {d}");
            let (found, found_biases) = shared.into_values();
            let mut backwards = row(0);
            backwards.reverse();
            let bias = backwards.split_off(d);
            assert_eq!(found, [&values[..d], &backwards[..], &values[2 * d..]].concat(), "d = {d}");
            assert_eq!(found_biases, if biased { vec![0.5, bias[0], 3.0] } else { bias }, "d = {d}");
        }
    }

    #[test]
    fn a_race_may_pay_for_several_threads_with_enough_to_do_whose_rows_no_core_keeps_or_who_are_many() {
        let (few, many) = (OWN_CACHE, OWN_CACHE + 1);
        let steps = PIECE as u64 + 1;
        assert!(!may_pay(1, 1 << 30, 1 << 40), "one has nobody to race with");
        assert!(!may_pay(16, steps - 1, many), "one piece is one thread's");
        assert!(!may_pay(2, 1 << 30, few) && !may_pay(3, 1 << 30, few));
        assert!(may_pay(2, steps, many) && may_pay(4, steps, few));
        // 1,682 items of MovieLens-100K, and 12,101 of Beauty 5-core: 64 factors and a bias, and the squares of all.
        let bytes = |items: u64| items * 65 * 2 * 4;
        assert_eq!((bytes(1682), bytes(12_101)), (874_640, 6_292_520));
        assert!(!may_pay(2, 90_570, bytes(1682)) && may_pay(2, 198_502, bytes(12_101)));
    }

    #[test]
    fn steps_are_gathered_by_their_parts_in_the_order_that_they_had() {
        for (n, threads) in [(1, 2), (5, 2), (7, 3), (1000, 16), (100_003, 7), (3_000_000_000, 2)] {
            let group: Vec<u32> = (0..999u64).map(|at| (at * 2_654_435_761 % n as u64) as u32).collect();
            let mut found = vec![7; 3];
            gather(&group, (n, threads), &mut found);
            let part = |step: u32| (u64::from(step) * (((threads as u64) << 32) / n as u64)) >> 32;
            let mut expected = group;
            expected.sort_by_key(|&step| part(step));
            assert_eq!(found, expected, "{n} steps, {threads} threads");
            assert!(part(n as u32 - 1) < threads as u64, "{n} steps, {threads} threads");
        }
        let mut halves = Vec::new();
        gather(&[7, 0, 4, 3, 6, 1], (8, 2), &mut halves);
        assert_eq!(halves, [0, 3, 1, 7, 4, 6]);
    }

    #[test]
    fn every_step_is_taken_once_and_none_after_the_end() {
        let steps: Vec<u32> = (0..100_000).collect();
        let sum = |_: u64, steps: &[u32]| steps.iter().map(|&step| f64::from(step)).sum::<f64>();
        assert_eq!(race(&steps, &mut || true, sum), Some(99_999.0 * 50_000.0));
        assert_eq!(race(&steps, &mut || false, sum), None);
    }
}
