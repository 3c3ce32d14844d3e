//! What does not fit in the memory that a run has left is refused before any work.

mod support;

use recspeed_recommenders::{FitError, TrainSet, fit, kinds};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use support::{known, resolved, varied};

/// A run with so many bytes left; it wants to hear of no work that is done.
struct Left {
    bytes: u64,
    worked: bool,
}

impl FitObserver for Left {
    fn event(&mut self, event: EventKind) {
        self.worked |= matches!(event, EventKind::Progress { done: 1.., .. } | EventKind::Metric { .. });
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn memory_left(&self) -> Option<u64> {
        Some(self.bytes)
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn what_does_not_fit_is_refused_before_any_work_and_with_what_to_do() {
    let (all, rows) = varied(300, 200, 4000);
    let (items, users) = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    let all_neighbours: &[_] = &[("neighbours", ParamValue::Integer(0))];
    // Those whose numbers grow with all pairs of something, and those with vectors.
    let mut asked: Vec<(&str, &[_])> =
        vec![("user-knn", &[]), ("slope-one", &[]), ("ease", &[]), ("slim", all_neighbours), ("content-linear", &[])];
    let has_factors = |kind: &&str| resolved(kind, &[]).entry.params.iter().any(|param| param.name == "factors");
    asked.extend(kinds().filter(has_factors).map(|kind| (kind, &[][..])));
    assert!(asked.len() > 14, "{asked:?}");
    for (kind, params) in asked {
        let recommender = resolved(kind, params);
        let mut poor = Left { bytes: 1000, worked: false };
        let error =
            fit(&recommender, &data, 1, &mut poor).err().unwrap_or_else(|| panic!("{kind} took it all the same"));
        assert!(matches!(error, FitError::OutOfMemory { .. } | FitError::Unaffordable { .. }), "{kind}: {error}");
        assert!(error.to_string().contains("; lower "), "{kind}: {error}");
        assert!(!poor.worked, "{kind} worked before it refused");
        let mut rich = Left { bytes: 1 << 30, worked: false };
        assert!(fit(&recommender, &data, 1, &mut rich).is_ok(), "{kind} with a gibibyte");
    }
}
