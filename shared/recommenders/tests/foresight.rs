//! What a fit is foretold to hold, against what the allocator counts. One test alone: another one's memory would be
//! counted, too.

mod support;

use std::cell::Cell;
use std::collections::HashSet;

use recspeed_recommenders::{FitError, TrainSet, fit};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use support::{known, resolved, text, varied, with_threads};

#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// What no forecast counts: messages, and what threads hand to each other. Less than a number for each user and item of
/// the many below, and than one for each row or entry.
const SMALL: u64 = 16 << 10;

/// More than any of these fits needs.
const ENOUGH: u64 = 1 << 28;

/// A run in so much memory; it takes every checkpoint, or none.
#[derive(Default)]
struct Run {
    /// Bytes that it may hold.
    limit: u64,
    /// Bytes that others held when it began.
    others: usize,
    checkpoints: bool,
    /// Whether it ends at its first checkpoint, and that checkpoint.
    stops: bool,
    saved: Option<Vec<u8>>,
    /// What it goes on from: a file, which takes memory once it is read.
    file: Option<Vec<u8>>,
    /// Bytes that it had made of the data when it asked what is left.
    made: Cell<u64>,
}

impl Run {
    fn within(limit: u64, checkpoints: bool) -> Self {
        Self { limit, checkpoints, ..Self::default() }
    }

    fn own(&self, all: usize) -> u64 {
        all.saturating_sub(self.others) as u64
    }

    /// How it ends, and the most that it has held since it asked what is left.
    fn go(&mut self, recommender: &ResolvedRecommender, data: &TrainSet<'_>) -> (Option<FitError>, u64) {
        self.others = ALLOCATED.current_usage();
        ALLOCATED.reset_peak_usage();
        let error = fit(recommender, data, 1, self).err();
        (error, self.own(ALLOCATED.peak_usage()))
    }
}

impl FitObserver for Run {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        self.stops && self.saved.is_some()
    }
    fn memory_left(&self) -> Option<u64> {
        // What was made of the data is no part of what is told: a run has less left by now. And what it took to make
        // that is over.
        self.made.set(self.own(ALLOCATED.current_usage()));
        ALLOCATED.reset_peak_usage();
        Some(self.limit.saturating_sub(self.made.get()))
    }
    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        if self.checkpoints {
            let state = state();
            self.saved = self.stops.then_some(state);
        }
    }
    fn keeps_checkpoints(&self) -> bool {
        self.checkpoints
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.file.clone()
    }
}

type Case = (&'static str, Vec<(&'static str, ParamValue)>);

fn number(name: &'static str, value: i64) -> (&'static str, ParamValue) {
    (name, ParamValue::Integer(value))
}

/// A kind with vectors so long, and little to do.
fn with(kind: &'static str, factors: i64, more: &[(&'static str, ParamValue)]) -> Case {
    let sizes = [number("factors", factors), number("iterations", 3)];
    (kind, [&sizes[..], more].concat())
}

fn fast() -> [(&'static str, ParamValue); 1] {
    [("mode", text("fast"))]
}

fn solver(name: &str) -> [(&'static str, ParamValue); 1] {
    [("solver", text(name))]
}

fn samples() -> [(&'static str, ParamValue); 2] {
    [("solver", text("mcmc")), number("samples", 3)]
}

/// Where vectors are most of it: every kind with vectors, in each way that holds other things, those of items and their
/// like, and one of several.
fn of_many_users() -> Vec<Case> {
    let factors = RecommenderSpec::new("biased-mf");
    let factors = factors.with("factors", ParamValue::Integer(64)).with("iterations", ParamValue::Integer(3));
    let components = ParamValue::Recommenders(vec![RecommenderSpec::new("popularity"), factors]);
    vec![
        with("als-explicit", 64, &[]),
        with("als-explicit", 64, &[("biases", ParamValue::Boolean(false))]),
        with("als-implicit", 64, &[]),
        with("als-implicit", 64, &solver("cholesky")),
        with("bpr", 64, &[]),
        with("warp", 64, &[]),
        with("warp", 64, &fast()),
        with("warp", 63, &fast()),
        with("biased-mf", 64, &[]),
        with("svd++", 64, &[]),
        // With many more factors than four times the usual rating it swings, and is refused.
        with("nmf", 16, &[]),
        with("fm", 64, &solver("sgd")),
        with("fm", 64, &solver("als")),
        with("fm", 64, &samples()),
        // Sixteen pairs of fields, so vectors of 256 in the model.
        with("ffm", 16, &[]),
        with("feature-embeddings", 64, &[]),
        ("item-knn", vec![]),
        ("item-knn", vec![("similarity", text("pearson"))]),
        ("slim", vec![]),
        ("switching", vec![("components", components)]),
    ]
}

/// Where rows and entries are most of it.
fn of_many_rows() -> Vec<Case> {
    vec![
        // Systems so large that what a thread solves them with is more than the vectors.
        with("als-explicit", 100, &[]),
        with("bpr", 7, &[]),
        with("warp", 7, &[]),
        with("warp", 7, &fast()),
        with("biased-mf", 7, &[]),
        with("svd++", 7, &[]),
        with("fm", 7, &solver("sgd")),
        with("fm", 7, &solver("als")),
        with("fm", 7, &samples()),
        with("ffm", 3, &[]),
        with("feature-embeddings", 7, &[]),
    ]
}

/// What is wrong with the forecast of a case: as a run from the beginning, and as one that goes on from a checkpoint in
/// the memory that it had before.
fn judge((kind, params): &Case, data: &TrainSet<'_>, wrong: &mut Vec<String>) {
    let recommender = resolved(kind, params);
    // What a thread makes once and keeps, as the panels of matrix products, is there afterwards.
    Run::within(ENOUGH, false).go(&recommender, data);
    for checkpoints in [false, true] {
        let mut asking = Run::within(0, checkpoints);
        let (refused, _) = asking.go(&recommender, data);
        let told = match refused.as_ref().map(FitError::root) {
            Some(FitError::Unaffordable { bytes, .. }) => *bytes,
            Some(FitError::Together { kept, forecast, .. }) => kept + forecast.bytes,
            _ => panic!("{kind}: {refused:?}"),
        };
        let made = asking.made.get();
        let slack = SMALL
            + match *kind {
                // Neighbours of items are counted of some and estimated of all.
                "item-knn" => told / 8,
                // What the popular items before it leave behind is counted as nothing: a number of each item, twice.
                "switching" => 8 * data.n_items() as u64,
                _ => 0,
            };
        let limit = made + told + slack;
        let mut stopped = Run { stops: true, ..Run::within(limit, checkpoints) };
        if checkpoints {
            stopped.go(&recommender, data);
        }
        let resumed = stopped.saved.map(|file| Run { file: Some(file), ..Run::within(limit, checkpoints) });
        for mut run in [Run::within(limit, checkpoints)].into_iter().chain(resumed) {
            let (error, held) = run.go(&recommender, data);
            let how = if run.file.is_some() { "resumed" } else { "from the beginning" };
            let case = format!("{kind} {params:?}, checkpoints {checkpoints}, {how}");
            let numbers = format!("{held} held, {made} of them made of the data, {told} foretold");
            match error {
                Some(error) => wrong.push(format!("{case}: {error}")),
                None if held > limit => wrong.push(format!("{case}: too little: {numbers}")),
                None if told > 2 * held => wrong.push(format!("{case}: too much: {numbers}")),
                None => {}
            }
        }
    }
}

#[test]
fn no_fit_holds_more_than_it_is_foretold_to_and_none_is_foretold_twice_what_it_holds() {
    let mut wrong = Vec::new();
    for ((users, items, rows), cases) in
        [((12_000, 6000, 40_000), of_many_users()), ((1000, 800, 120_000), of_many_rows())]
    {
        let (all, rows) = varied(users, items, rows);
        let (of_items, of_users) = known(&all);
        let data = TrainSet::new(&all, &rows).with_attributes(Some(&of_items), Some(&of_users));
        with_threads(2, || cases.iter().for_each(|case| judge(case, &data, &mut wrong)));
    }
    // Nobody has rated anything twice.
    let (all, rows) = varied(1000, 800, 120_000);
    let mut met = HashSet::new();
    let once: Vec<u32> =
        rows.into_iter().filter(|&row| met.insert((all.user[row as usize], all.item[row as usize]))).collect();
    let data = TrainSet::new(&all, &once);
    with_threads(2, || judge(&with("biased-mf", 7, &[]), &data, &mut wrong));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
