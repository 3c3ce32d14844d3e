//! What does not fit in the memory that a run has left is refused before any work.

mod support;

use recspeed_recommenders::{FitError, TrainSet, fit, kinds};
use recspeed_types::FitObserver;
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use support::{interactions, known, resolved, varied};

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

#[test]
fn rows_that_will_be_read_after_the_fit_are_foreseen_and_rows_that_steer_alone_are_not() {
    // Everybody has an item of their own; a hundred people share one more in training, a hundred in the rows held out.
    let mut rows: Vec<(u32, u32, f32)> = (0..200).map(|user| (user, user, 5.0)).collect();
    rows.extend((0..200).rev().map(|user| (user, 200, 5.0)));
    let all = interactions(&rows);
    let (learnt, held): (Vec<u32>, Vec<u32>) = (0..400).partition(|row| *row < 300);
    let both: Vec<u32> = (0..400).collect();
    let recommender = resolved("user-knn", &[]);
    let fit_in = |bytes: u64, data: &TrainSet<'_>| {
        let mut left = Left { bytes, worked: false };
        (fit(&recommender, data, 1, &mut left), left.worked)
    };
    // Similarities of 8 bytes: of a hundred people to each other, 79,200; of the others to them, too, 159,200.
    let room = 100_000;
    // As a search has it: what is measured on is not read.
    let steered = TrainSet::new(&all, &learnt).with_validation(&held);
    let model = || fit_in(room, &steered).0.unwrap_or_else(|error| panic!("what is never read is counted: {error}"));
    model();
    let (refused, worked) = fit_in(room, &steered.clone().with_known(&both));
    let refused = refused.err().expect("they do not fit once all is read");
    assert!(matches!(refused, FitError::Unaffordable { bytes: 150_000..170_000, .. }), "{refused}");
    assert!(refused.to_string().contains("read of them"), "{refused}");
    assert!(!worked, "it is told before any work");
    assert!(fit_in(2 * room, &steered.clone().with_known(&both)).0.is_ok());
    // Where nobody foresaw it, the reading ends when its 80,000 bytes are not there; the model has its own already.
    let read = |bytes: u64| model().read(&all, &both, &mut Left { bytes, worked: false });
    assert!(matches!(read(70_000), Err(FitError::OutOfMemory { .. })));
    assert_eq!(read(90_000), Ok(()));
}
