//! What a fit is foretold to hold, against what the allocator counts. One test alone: another one's memory would be
//! counted, too.

mod support;

use recspeed_recommenders::{FitError, TrainSet, fit};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use support::{known, resolved, text, varied, with_threads};

#[global_allocator]
static ALLOCATED: peak_alloc::PeakAlloc = peak_alloc::PeakAlloc;

/// A run that takes every checkpoint, or none, with so much memory left.
struct Run {
    left: Option<u64>,
    checkpoints: bool,
}

impl FitObserver for Run {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn memory_left(&self) -> Option<u64> {
        self.left
    }
    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        if self.checkpoints {
            drop(state());
        }
    }
    fn keeps_checkpoints(&self) -> bool {
        self.checkpoints
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Every kind with vectors, in each way that holds other things, and the neighbours of items.
fn cases() -> Vec<(&'static str, Vec<(&'static str, ParamValue)>)> {
    let with = |kind, more: &[(&'static str, ParamValue)]| {
        let sizes = [("factors", ParamValue::Integer(64)), ("iterations", ParamValue::Integer(3))];
        (kind, [&sizes[..], more].concat())
    };
    let fast = [("mode", text("fast"))];
    let solver = |name| [("solver", text(name))];
    vec![
        with("als-explicit", &[]),
        with("als-explicit", &[("biases", ParamValue::Boolean(false))]),
        with("als-implicit", &[]),
        with("als-implicit", &solver("cholesky")),
        with("bpr", &[]),
        with("bpr", &fast),
        with("warp", &[]),
        with("warp", &fast),
        with("biased-mf", &[]),
        with("biased-mf", &fast),
        with("svd++", &[]),
        with("nmf", &[]),
        with("fm", &solver("sgd")),
        with("fm", &solver("als")),
        with("fm", &[("solver", text("mcmc")), ("samples", ParamValue::Integer(3))]),
        // Sixteen pairs of fields, so vectors of 256 in the model.
        ("ffm", vec![("factors", ParamValue::Integer(16)), ("iterations", ParamValue::Integer(3))]),
        with("feature-embeddings", &[]),
        ("item-knn", vec![]),
        ("item-knn", vec![("similarity", text("pearson"))]),
    ]
}

#[test]
fn no_fit_holds_more_than_it_is_foretold_to_and_none_is_foretold_twice_what_it_holds() {
    let (all, rows) = varied(12_000, 6000, 40_000);
    let (items, users) = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    with_threads(2, || {
        for (kind, params) in cases() {
            let recommender = resolved(kind, &params);
            for checkpoints in [false, true] {
                let refused = fit(&recommender, &data, 1, &mut Run { left: Some(0), checkpoints }).err();
                let Some(FitError::Unaffordable { bytes: told, .. }) = refused else { panic!("{kind}: {refused:?}") };
                ALLOCATED.reset_peak_usage();
                let before = ALLOCATED.current_usage();
                let model = fit(&recommender, &data, 1, &mut Run { left: None, checkpoints });
                let held = (ALLOCATED.peak_usage() - before) as u64;
                assert!(model.is_ok(), "{kind} {params:?}: {:?}", model.err());
                // What is made of the data before anything is asked, as attributes by entity and weights by user, is no
                // part of what is told: a run has less left by then.
                let made = told / 8 + (1 << 20);
                let case = format!("{kind} {params:?}, checkpoints {checkpoints}: {held} held, {told} foretold");
                assert!(held <= told + made, "{case}");
                assert!(told <= 2 * held, "{case}");
            }
        }
    });
}
