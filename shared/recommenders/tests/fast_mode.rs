//! The fast mode, in which threads race for the same numbers: not the same bits, but the same learning.

mod support;

use recspeed_recommenders::{TrainSet, fit, kinds};
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use recspeed_types::{FitObserver, catalogue};
use support::{resolved, text, varied, with_threads};

/// Keeps the losses.
#[derive(Default)]
struct Losses(Vec<f64>);

impl FitObserver for Losses {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Metric { value, .. } = event {
            self.0.push(value);
        }
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn racing_threads_learn_what_one_thread_learns() {
    let (all, rows) = varied(300, 200, 6000);
    let data = TrainSet::new(&all, &rows);
    let with_mode = kinds().filter(|kind| catalogue::find(kind).is_some_and(|entry| entry.param("mode").is_some()));
    let with_mode: Vec<_> = with_mode.collect();
    assert_eq!(with_mode, ["bpr", "warp", "biased-mf"]);
    for kind in with_mode {
        let losses = |mode: &str, threads: usize| {
            let setting = resolved(kind, &[("mode", text(mode)), ("iterations", ParamValue::Integer(15))]);
            let mut losses = Losses::default();
            with_threads(threads, || fit(&setting, &data, 7, &mut losses).map(drop)).unwrap();
            losses.0
        };
        let (exact, fast) = (losses("exact", 1), losses("fast", 3));
        assert_eq!(fast.len(), 15, "{kind}");
        let (first, last) = (exact[0], exact[14]);
        assert!(last < first, "{kind}: {exact:?}");
        // Nearly all of what one thread gains; 200 items are few, so that threads meet far more often than in real data.
        assert!((fast[14] - last).abs() < 0.2 * (first - last), "{kind}: {last} exact, {} fast", fast[14]);
    }
}
