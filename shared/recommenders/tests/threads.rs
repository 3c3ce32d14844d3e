//! The same bits on any number of threads.

mod support;

use recspeed_recommenders::{FitError, TrainSet, fit, kinds};
use recspeed_types::catalogue::{self, Family, ParamKind};
use recspeed_types::event::EventKind;
use recspeed_types::spec::ParamValue;
use recspeed_types::{FitObserver, Unobserved};
use support::{fitted, known, rank, resolved, text, varied, with_threads};

#[test]
fn the_same_seed_gives_the_same_bits_for_any_number_of_threads() {
    let (all, rows) = varied(300, 200, 6000);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    for kind in kinds() {
        let bits = |threads: usize, seed: u64| {
            with_threads(threads, || {
                let model = fitted(kind, &[], &data, seed);
                let mut scores = vec![0.0; data.n_items()];
                model.score_all(7, &mut scores);
                let ranking = rank(&*model, &data, 10);
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                (bits(&scores), bits(&ranking.scores), ranking.items, ranking.ties)
            })
        };
        let one = bits(1, 5);
        assert_eq!(one, bits(2, 5), "{kind} on two threads");
        assert_eq!(one, bits(3, 5), "{kind} on three threads");
        let random = resolved(kind, &[]).random();
        assert_eq!(one.0 != bits(2, 6).0, random, "{kind} under another seed");
    }
}

#[test]
fn rows_that_are_cut_into_pieces_give_the_same_bits_for_any_number_of_threads() {
    // Of each user's rows with one item the last counts: some 38,000 are left, more than two pieces of 16,384.
    let (all, rows) = varied(400, 300, 60_000);
    let known = known(&all);
    let data = TrainSet::new(&all, &rows).with_attributes(Some(&known.0), Some(&known.1));
    assert!(data.by_user.nnz() > 2 * 16_384, "{}", data.by_user.nnz());
    let few = [("iterations", 3), ("samples", 2), ("factors", 4)];
    for entry in catalogue::ENTRIES.iter().filter(|entry| entry.family != Family::Neural) {
        if entry.param("iterations").is_none() {
            continue;
        }
        let has = |(name, value): &(&'static str, i64)| {
            entry.param(name).is_some().then_some((*name, ParamValue::Integer(*value)))
        };
        let params: Vec<_> = few.iter().filter_map(has).collect();
        let solvers = match entry.param("solver").map(|param| &param.kind) {
            Some(ParamKind::Choice { options, .. }) => {
                options.iter().map(|solver| Some(("solver", text(solver)))).collect()
            }
            _ => vec![None],
        };
        for solver in solvers {
            let params: Vec<_> = params.iter().cloned().chain(solver).collect();
            let parts = |threads| with_threads(threads, || fitted(entry.kind, &params, &data, 5).parts());
            let one = parts(1);
            assert!(one == parts(2) && one == parts(3), "{} {params:?}", entry.kind);
        }
    }
}

/// Is told to stop once a round is over, and keeps what to go on from.
#[derive(Default)]
struct Stopped {
    kept: Option<Vec<u8>>,
}

impl FitObserver for Stopped {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        self.kept.is_some()
    }
    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.kept.get_or_insert_with(state);
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

/// Goes on from there.
struct GoesOn(Option<Vec<u8>>);

impl FitObserver for GoesOn {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.0.take()
    }
}

#[test]
fn a_fit_that_goes_on_with_other_threads_gives_the_same_bits() {
    let (all, rows) = varied(300, 200, 6000);
    let data = TrainSet::new(&all, &rows);
    for kind in ["als-explicit", "als-implicit", "bpr", "warp", "biased-mf", "svd++", "nmf"] {
        let setting = resolved(kind, &[("iterations", ParamValue::Integer(4)), ("factors", ParamValue::Integer(6))]);
        let whole = with_threads(1, || fit(&setting, &data, 5, &mut Unobserved)).unwrap().parts();
        let mut first = Stopped::default();
        let stopped = with_threads(3, || fit(&setting, &data, 5, &mut first).err());
        assert!(matches!(stopped, Some(FitError::Interrupted { done: 1, .. })), "{kind}: {stopped:?}");
        let mut second = GoesOn(first.kept);
        let resumed = with_threads(2, || fit(&setting, &data, 5, &mut second)).unwrap().parts();
        assert!(resumed == whole, "{kind}");
    }
}
