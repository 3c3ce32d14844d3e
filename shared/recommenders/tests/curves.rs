//! Whether a method has a curve is known before it runs: the page says it where the curve will be.

mod support;

use recspeed_recommenders::{TrainSet, fit, kinds};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::{ParamValue, RecommenderSpec};
use support::{known, resolved, varied};

/// Counts the losses that a fit tells.
struct Losses(usize);

impl FitObserver for Losses {
    fn event(&mut self, event: EventKind) {
        self.0 += usize::from(matches!(event, EventKind::Metric { .. }));
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Whether a curve is foretold, and whether two losses or more were told: one is no curve.
fn told(kind: &str, params: &[(&str, ParamValue)]) -> (bool, bool) {
    let (all, rows) = varied(40, 30, 400);
    let known = known(&all);
    let (rows, validation) = rows.split_at(rows.len() * 9 / 10);
    let data = TrainSet::new(&all, rows).with_attributes(Some(&known.0), Some(&known.1)).with_validation(validation);
    let setting = resolved(kind, params);
    let mut losses = Losses(0);
    fit(&setting, &data, 1, &mut losses).unwrap_or_else(|error| panic!("{kind}: {error}"));
    (setting.has_curve(), losses.0 > 1)
}

#[test]
fn a_method_that_is_said_to_have_a_curve_tells_losses_and_no_other_does() {
    for kind in kinds() {
        let (foretold, drawn) = told(kind, &[]);
        assert_eq!(foretold, drawn, "{kind}");
    }
}

#[test]
fn one_round_is_no_curve_and_a_hybrid_has_those_of_its_components() {
    assert_eq!(told("biased-mf", &[("iterations", ParamValue::Integer(1))]), (false, false));
    let parts = |kinds: [&str; 2]| ParamValue::Recommenders(kinds.map(RecommenderSpec::new).to_vec());
    assert_eq!(told("weighted", &[("components", parts(["item-knn", "popularity"]))]), (false, false));
    assert_eq!(told("weighted", &[("components", parts(["item-knn", "bpr"]))]), (true, true));
}
