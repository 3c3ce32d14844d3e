//! What does not fit in the memory that a run has left is refused before any work.

mod support;

use recspeed_recommenders::{FitError, TrainSet, fit, kinds};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::{self, Family};
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use support::{interactions, known, resolved, text, varied};

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

/// Fits that hold little more than a number for each user, item, rating or word.
const LITTLE: &[&str] = &["random", "global-mean", "user-mean", "item-mean", "bias", "popularity", "content-tfidf"];

#[test]
fn what_does_not_fit_is_refused_before_any_work_with_its_time_and_with_what_to_take_instead() {
    // Few enough that pairs are counted and not estimated: what is told is enough to the byte.
    let (all, rows) = varied(240, 200, 4000);
    let (items, users) = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&items), Some(&users));
    let small = |kind: &&str| {
        // The components of a hybrid foresee their own.
        LITTLE.contains(kind) || catalogue::find(kind).is_some_and(|entry| entry.family == Family::Hybrid)
    };
    let mut asked: Vec<(&str, Vec<(&str, ParamValue)>)> =
        kinds().filter(|kind| !small(kind)).map(|kind| (kind, vec![])).collect();
    assert!(asked.len() > 14, "{asked:?}");
    asked.push(("slim", vec![("neighbours", ParamValue::Integer(0))]));
    asked.extend(["als", "sgd"].map(|solver| ("fm", vec![("solver", text(solver))])));
    asked.extend(["bpr", "warp", "biased-mf"].map(|kind| (kind, vec![("mode", text("fast"))])));
    for (kind, params) in asked {
        let recommender = resolved(kind, &params);
        let fit_in = |bytes: u64| {
            let mut left = Left { bytes, worked: false };
            (fit(&recommender, &data, 1, &mut left).err(), left.worked)
        };
        let (error, worked) = fit_in(0);
        let error = error.unwrap_or_else(|| panic!("{kind} took it all the same"));
        let FitError::Unaffordable { bytes, seconds, .. } = error else { panic!("{kind}: {error}") };
        assert!(seconds.is_some_and(|seconds| seconds > 0.0 && seconds.is_finite()), "{kind}: {error}");
        let said = error.to_string();
        assert!(said.contains(" and about ") && said.contains("; lower "), "{said}");
        let (_, others) = said.split_once("recommender.kind = ").unwrap_or_else(|| panic!("{kind}: {said}"));
        for other in others.split('"').skip(1).step_by(2) {
            assert!(catalogue::find(other).is_some(), "{said}");
        }
        assert!(!worked, "{kind} worked before it refused");
        assert!(matches!(fit_in(bytes - 1), (Some(FitError::Unaffordable { .. }), false)), "{kind} in a byte less");
        let (error, _) = fit_in(bytes);
        assert!(error.is_none(), "{kind} in the {bytes} bytes that it asked for: {error:?}");
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
    let Err(FitError::Unaffordable { seconds: Some(_), .. }) = read(70_000) else { panic!("it is read, or not told") };
    assert_eq!(read(90_000), Ok(()));
}
