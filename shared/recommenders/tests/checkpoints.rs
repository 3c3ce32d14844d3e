//! A fit goes on from a whole checkpoint of its own spec, rows and attributes, and from nothing else.

mod support;

use recspeed_data::{AttributeValues, Attributes, Interactions};
use recspeed_recommenders::{FitError, TrainSet, fit, kinds};
use recspeed_types::catalogue::{self, Whose};
use recspeed_types::spec::{ParamValue, RecommenderSpec, ResolvedRecommender};
use recspeed_types::{EventKind, FitObserver};
use support::{attributes, resolved, varied};

/// Goes on from a checkpoint, and keeps the first one and the last one.
#[derive(Default)]
struct Keeper {
    resume: Option<Vec<u8>>,
    kept: Option<Vec<u8>>,
    last: Option<Vec<u8>>,
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
        let state = state();
        self.last = Some(state.clone());
        self.kept.get_or_insert(state);
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
    let known = [attributes(&all.items), attributes(&all.users)];
    taken_of(recommender, (all, rows), &known, seed, resume)
}

/// The same of items and users of whom this is known.
fn taken_of(
    recommender: &ResolvedRecommender,
    (all, rows): (&Interactions, &[u32]),
    [items, users]: &[Attributes; 2],
    seed: u64,
    resume: Option<Vec<u8>>,
) -> (Result<(), FitError>, Keeper) {
    let data = TrainSet::new(all, rows).with_attributes(Some(items), Some(users));
    let mut keeper = Keeper { resume, ..Keeper::default() };
    let ended = fit(recommender, &data, seed, &mut keeper).map(|_| ());
    (ended, keeper)
}

/// Kinds that are no hybrids.
fn single() -> impl Iterator<Item = &'static str> {
    kinds().filter(|kind| resolved(kind, &[]).components().is_empty())
}

fn keepers() -> impl Iterator<Item = &'static str> {
    single().filter(|kind| resolved(kind, &[]).keeps_checkpoints())
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
        assert_eq!(keeper.kept.is_some(), recommender.keeps_checkpoints(), "{kind}");
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

#[test]
fn what_is_no_checkpoint_is_told_in_one_sentence_of_what_was_found_by_every_kind_and_hybrid() {
    let (all, rows) = varied(40, 30, 300);
    let hybrid = hybrid(vec![RecommenderSpec::new("item-mean"), RecommenderSpec::new("bpr")]);
    for recommender in keepers().map(short).chain([hybrid]) {
        let kind = recommender.entry.kind;
        for (given, said) in [
            (
                &b"user_id:token\titem_id:token\n1\t2\n"[..],
                "the file to go on from is not a checkpoint of this lab (it is text that begins with \
                 `user_id:token\titem_id:token`); take another one, or start again without it",
            ),
            (
                b"",
                "the file to go on from is not a checkpoint of this lab (it is empty); take another one, or start again \
                 without it",
            ),
            (
                b"numbers, RSOWNER1",
                "the file to go on from is a checkpoint of an earlier version of the lab, which this version does not \
                 read; take another one, or start again without it",
            ),
        ] {
            assert_eq!(why(&taken(&recommender, (&all, &rows), 1, Some(given.to_vec())).0), said, "{kind}");
        }
    }
}

/// Of the items, and of the users where `of_users` says so: one value is another.
fn other(known: &[Attributes; 2], of_users: bool) -> [Attributes; 2] {
    let mut other = known.clone();
    let AttributeValues::Token { word, .. } = &mut other[usize::from(of_users)].columns[0].values else {
        panic!("the colour is a word");
    };
    word.swap(0, 1);
    other
}

#[test]
fn a_checkpoint_under_other_attributes_is_refused_by_exactly_the_kinds_that_read_them() {
    let (all, rows) = varied(40, 30, 300);
    let known = [attributes(&all.items), attributes(&all.users)];
    let content = hybrid(vec![RecommenderSpec::new("bpr"), RecommenderSpec::new("content-tfidf")]);
    let (mut refused, mut went_on) = (0, 0);
    for recommender in keepers().map(short).chain([content]) {
        let kind = recommender.entry.kind;
        let kept = taken_of(&recommender, (&all, &rows), &known, 1, None).1.kept;
        for (of_users, whose, what) in [(false, Whose::Items, "item"), (true, Whose::Users, "user")] {
            let other = other(&known, of_users);
            let ended = taken_of(&recommender, (&all, &rows), &other, 1, kept.clone()).0;
            if recommender.reads_attributes_of(whose) {
                let said = why(&ended);
                assert!(said.contains(&format!("it belongs to other data: other {what} attributes")), "{kind}: {said}");
                refused += 1;
            } else {
                assert_eq!(ended, Ok(()), "{kind} does not read what is known of each {what}");
                went_on += 1;
            }
        }
    }
    assert!(refused >= 7 && went_on >= 7, "{refused} and {went_on}");
}

#[test]
fn an_attribute_that_a_kind_is_not_told_to_read_is_no_part_of_its_checkpoint() {
    let (all, rows) = varied(40, 30, 300);
    let known = [attributes(&all.items), attributes(&all.users)];
    let names = |names: &[&str]| ParamValue::Names(names.iter().map(|name| (*name).to_owned()).collect());
    let rounds = ("iterations", ParamValue::Integer(3));
    for (read, goes_on) in [("title", true), ("colour", false)] {
        let recommender = resolved("feature-embeddings", &[rounds.clone(), ("item_attributes", names(&[read]))]);
        let kept = taken_of(&recommender, (&all, &rows), &known, 1, None).1.kept;
        let ended = taken_of(&recommender, (&all, &rows), &other(&known, false), 1, kept).0;
        assert_eq!(ended.is_ok(), goes_on, "{read}: {ended:?}");
    }
}

fn hybrid(components: Vec<RecommenderSpec>) -> ResolvedRecommender {
    resolved("weighted", &[("components", ParamValue::Recommenders(components))])
}

/// Components of a hybrid, of which the last one keeps the last checkpoints.
fn three(factors: i64, rounds: i64, neighbours: i64) -> Vec<RecommenderSpec> {
    let integer = ParamValue::Integer;
    vec![
        RecommenderSpec::new("bpr").with("factors", integer(factors)).with("iterations", integer(rounds)),
        RecommenderSpec::new("item-knn").with("neighbours", integer(neighbours)),
        RecommenderSpec::new("als-implicit").with("factors", integer(4)).with("iterations", integer(2)),
    ]
}

#[test]
fn a_checkpoint_of_a_hybrid_belongs_to_the_whole_of_its_spec_whichever_component_it_is_of() {
    let (all, rows) = varied(40, 30, 300);
    let own = hybrid(three(4, 3, 5));
    let keeper = taken(&own, (&all, &rows), 1, None).1;
    let mut heavier = three(4, 3, 5);
    heavier[0] = heavier[0].clone().with("weight", ParamValue::Float(0.25));
    let mut other_kind = three(4, 3, 5);
    other_kind[0] = RecommenderSpec::new("warp");
    // The first checkpoint is that of the first component, the last one that of the third.
    for kept in [keeper.kept, keeper.last] {
        assert_eq!(taken(&own, (&all, &rows), 1, kept.clone()).0, Ok(()));
        for (recommender, told) in [
            (hybrid(three(5, 3, 5)), "recommender.components[0].factors = 4, here 5;"),
            (hybrid(three(4, 4, 5)), "recommender.components[0].iterations = 3, here 4;"),
            (hybrid(three(4, 3, 6)), "recommender.components[1].neighbours = 5, here 6;"),
            (hybrid(heavier.clone()), "recommender.components[0].weight = 1, here 0.25;"),
            (hybrid(other_kind.clone()), "recommender.components[0].kind = \"bpr\", here \"warp\";"),
            (hybrid(three(4, 3, 5)[..2].to_vec()), "recommender.components[2].kind = \"als-implicit\", here nothing;"),
        ] {
            let said = why(&taken(&recommender, (&all, &rows), 1, kept.clone()).0);
            assert!(said.contains(&format!("it belongs to another spec or other data: {told}")), "{told} {said}");
        }
        let said = why(&taken(&own, (&all, &rows), 2, kept.clone()).0);
        assert!(said.contains("seed = 1, here 2;"), "{said}");
        let said = why(&taken(&own, (&all, &rows[1..]), 1, kept).0);
        assert!(said.contains("training rows = "), "{said}");
    }
}
