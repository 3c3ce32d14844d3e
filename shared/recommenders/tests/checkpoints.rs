//! A fit goes on from a whole checkpoint of its own spec and rows, and from nothing else.

mod support;

use recspeed_data::Interactions;
use recspeed_recommenders::{FitError, TrainSet, fit, keeps_checkpoints, kinds};
use recspeed_types::catalogue;
use recspeed_types::spec::{ParamValue, ResolvedRecommender};
use recspeed_types::{EventKind, FitObserver};
use support::{attributes, resolved, varied};

/// Goes on from a checkpoint, and keeps the first one.
#[derive(Default)]
struct Keeper {
    resume: Option<Vec<u8>>,
    kept: Option<Vec<u8>>,
    events: usize,
}

impl FitObserver for Keeper {
    fn event(&mut self, _: EventKind) {
        self.events += 1;
    }
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.kept.get_or_insert_with(state);
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.resume.take()
    }
}

/// With three rounds, where it has rounds.
fn short(kind: &str) -> ResolvedRecommender {
    let has_rounds = catalogue::find(kind).is_some_and(|entry| entry.param("iterations").is_some());
    let rounds: Vec<_> = has_rounds.then_some(("iterations", ParamValue::Integer(3))).into_iter().collect();
    resolved(kind, &rounds)
}

/// The fit of some rows under a seed, from a checkpoint; what it kept, or why it went wrong.
fn taken(
    recommender: &ResolvedRecommender,
    (all, rows): (&Interactions, &[u32]),
    seed: u64,
    resume: Option<Vec<u8>>,
) -> (Result<(), FitError>, Keeper) {
    let (users, items) = (attributes(&all.users), attributes(&all.items));
    let data = TrainSet::new(all, rows).with_attributes(Some(&items), Some(&users));
    let mut keeper = Keeper { resume, ..Keeper::default() };
    let ended = fit(recommender, &data, seed, &mut keeper).map(|_| ());
    (ended, keeper)
}

/// Kinds that are no hybrids.
fn single() -> impl Iterator<Item = &'static str> {
    kinds().filter(|kind| resolved(kind, &[]).components().is_empty())
}

fn keepers() -> impl Iterator<Item = &'static str> {
    single().filter(|kind| keeps_checkpoints(&resolved(kind, &[])))
}

fn why(ended: &Result<(), FitError>) -> String {
    match ended {
        Err(error @ FitError::Checkpoint { .. }) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn exactly_the_kinds_that_say_so_keep_checkpoints_and_the_others_refuse_any() {
    let (all, rows) = varied(40, 30, 300);
    for kind in single() {
        let recommender = short(kind);
        let (ended, keeper) = taken(&recommender, (&all, &rows), 1, None);
        assert_eq!(ended, Ok(()), "{kind}");
        assert_eq!(keeper.kept.is_some(), keeps_checkpoints(&recommender), "{kind}");
        if keeper.kept.is_none() {
            let (ended, keeper) = taken(&recommender, (&all, &rows), 1, Some(b"whatever".to_vec()));
            assert!(why(&ended).contains(&format!("`{kind}` keeps no checkpoints")), "{ended:?}");
            assert_eq!(keeper.events, 0, "{kind} had begun");
        }
    }
}

#[test]
fn a_checkpoint_of_as_many_other_rows_is_refused_by_every_kind() {
    let (all, rows) = varied(40, 30, 300);
    let (last, learnt) = rows.split_last().expect("there are rows");
    // Of a fold: one row is held out in place of another.
    let mut fold = learnt.to_vec();
    fold[7] = *last;
    let mut turned = learnt.to_vec();
    turned.swap(0, 1);
    // Of another file: the same pairs with other ratings, or at other times.
    let (mut rated, mut later) = (all.clone(), all.clone());
    rated.rating[learnt[3] as usize] += 0.5;
    later.timestamp[learnt[3] as usize] += 1;
    for kind in keepers() {
        let recommender = short(kind);
        let kept = taken(&recommender, (&all, learnt), 1, None).1.kept;
        assert_eq!(taken(&recommender, (&all, learnt), 1, kept.clone()).0, Ok(()), "{kind}");
        let others = [
            ("a fold", &all, &fold[..]),
            ("an order", &all, &turned[..]),
            ("ratings", &rated, learnt),
            ("times", &later, learnt),
        ];
        for (what, interactions, rows) in others {
            let (ended, keeper) = taken(&recommender, (interactions, rows), 1, kept.clone());
            assert!(
                why(&ended).contains("it belongs to other data: as many training rows"),
                "{kind}, {what}: {ended:?}"
            );
            assert!(keeper.kept.is_none(), "{kind}, {what}: it had begun");
        }
    }
}

#[test]
fn a_checkpoint_of_another_spec_is_refused_in_the_words_of_the_spec() {
    let (all, rows) = varied(40, 30, 300);
    for kind in keepers() {
        let recommender = short(kind);
        let kept = taken(&recommender, (&all, &rows), 1, None).1.kept;
        let said = why(&taken(&recommender, (&all, &rows), 2, kept.clone()).0);
        assert!(said.contains("it belongs to another spec or other data: seed = 1, here 2;"), "{kind}: {said}");
        let wider = resolved(kind, &[("iterations", ParamValue::Integer(3)), ("factors", ParamValue::Integer(3))]);
        let said = why(&taken(&wider, (&all, &rows), 1, kept.clone()).0);
        let usual = recommender.integer("factors");
        assert!(said.contains(&format!("recommender.factors = {usual}, here 3;")), "{kind}: {said}");
        let said = why(&taken(&recommender, (&all, &rows[1..]), 1, kept.clone()).0);
        let n = rows.len();
        assert!(said.contains(&format!("training rows = {n}, here {};", n - 1)), "{kind}: {said}");
        let other = if kind == "bpr" { "warp" } else { "bpr" };
        let said = why(&taken(&short(other), (&all, &rows), 1, kept).0);
        assert!(said.contains(&format!("recommender.kind = \"{kind}\", here \"{other}\"")), "{kind}: {said}");
        assert!(!said.contains('{') && !said.contains("None"), "{said}");
    }
}

#[test]
fn a_checkpoint_with_a_damaged_byte_is_refused_with_what_to_do() {
    let (all, rows) = varied(40, 30, 300);
    for kind in keepers() {
        let recommender = short(kind);
        let kept = taken(&recommender, (&all, &rows), 1, None).1.kept.expect("it keeps some");
        // In the head, among the losses and the numbers, in the words, in the checksum.
        let end = kept.len() - 1;
        for at in [0, 9, 17, end / 3, end / 2, end - 100, end - 20, end - 9, end] {
            let mut damaged = kept.clone();
            damaged[at] ^= 1;
            let said = why(&taken(&recommender, (&all, &rows), 1, Some(damaged)).0);
            assert!(said.contains("damaged"), "{kind}, byte {at}: {said}");
            assert!(said.ends_with("; take another one, or start again without it"), "{kind}, byte {at}: {said}");
        }
        let cut = kept[..end / 2].to_vec();
        assert!(why(&taken(&recommender, (&all, &rows), 1, Some(cut)).0).contains("damaged"), "{kind}");
    }
}
