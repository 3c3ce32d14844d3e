//! Reading compares as few people as it must, and ends where a comparison of everybody would.

use std::sync::Arc;

use proptest::prelude::*;
use recspeed_data::{Csr, Interactions, InteractionsBuilder};
use recspeed_types::event::EventKind;
use recspeed_types::{FitObserver, Unobserved};

use super::super::GROUP_ROWS;
use super::alike::Comparing;
use super::similarities::{Row, Similarities};
use super::{Centring, Person, Settings, Similarity, UserKnn};
use crate::scratch::Pool;
use crate::{BasketItem, FitError, Recommender, TrainSet};

const SETTINGS: Settings =
    Settings { neighbours: 3, similarity: Similarity::Msd, centring: Centring::None, min_support: 1, shrinkage: 0.0 };

/// Hears of how many people the rows are made anew, and stops at a look.
struct Heard {
    looks_left: u32,
    people: u64,
}

impl FitObserver for Heard {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Progress { total, .. } = event {
            self.people = total;
        }
    }
    fn stop_requested(&mut self) -> bool {
        self.looks_left -= 1;
        self.looks_left == 0
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

fn interactions(rows: impl Iterator<Item = (u32, u32, f32)>) -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for (user, item, rating) in rows {
        builder.push(&user.to_string(), &item.to_string(), rating, 0);
    }
    builder.finish()
}

/// A user's similarities.
fn row(model: &UserKnn, reader: usize) -> Row {
    let (users, similarities) = model.similarities.row(reader);
    users.iter().copied().zip(similarities.iter().copied()).collect()
}

/// The similarities of everybody by these rows of theirs, without a look at what the model has.
fn from_nothing(model: &UserKnn, known: &Csr) -> Csr {
    let everybody: Vec<usize> = (0..known.n_rows()).collect();
    let mut similarities = Similarities::none(known.n_rows(), known.n_rows());
    let lines = Pool::new();
    let comparing = Comparing { readers: known, by_item: &model.by_item, settings: &model.settings, lines: &lines };
    comparing.renew(&mut similarities, &everybody, u64::MAX, &mut Unobserved).expect("nothing stops it");
    similarities.joined()
}

fn bits(person: Person) -> (u32, u32) {
    (person.level.to_bits(), person.scale.to_bits())
}

/// Who gave what how many stars, some of it several times, and which reading has it: 0 and 1 are learnt, 2 is read the
/// first time, 3 the second. More people than two groups have.
fn given() -> impl Strategy<Value = Vec<(u32, u32, f32, u8)>> {
    let row = (0u32..150, 0u32..12, 1u8..=5, 0u8..4);
    let row = row.prop_map(|(user, item, stars, reading)| (user, item, f32::from(stars), reading));
    prop::collection::vec(row, 150..450)
}

fn every_setting(min_support: u32) -> impl Iterator<Item = Settings> {
    let centrings = [Centring::None, Centring::Mean, Centring::ZScore, Centring::Baseline];
    let similarities = [Similarity::Msd, Similarity::Cosine, Similarity::Pearson];
    let with = move |centring| {
        similarities.map(|similarity| Settings { similarity, centring, min_support, shrinkage: 2.0, ..SETTINGS })
    };
    centrings.into_iter().flat_map(with)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn reading_ends_in_the_bits_of_a_comparison_of_everybody_and_leaves_whoever_has_nothing_new_as_they_were(
        mut rows in given(),
        min_support in 1u32..3,
    ) {
        rows[0].3 = 0;
        let all = interactions(rows.iter().map(|&(user, item, stars, _)| (user, item, stars)));
        let of = |also: u8| -> Vec<u32> {
            (0u32..).zip(&rows).filter(|(_, row)| row.3 < 2 || row.3 == also).map(|(at, _)| at).collect()
        };
        let (learnt, first, second) = (of(0), of(2), of(3));
        for settings in every_setting(min_support) {
            let fitted = UserKnn::fit(settings, &TrainSet::new(&all, &learnt), &mut Unobserved);
            let mut model = fitted.expect("the fit succeeds");
            let (trained, by_user) = (model.parts(), Arc::clone(&model.by_user));
            let mut last = Csr::clone(&by_user);
            for rows in [&first, &second, &learnt] {
                let known = Csr::by_user(&all, rows);
                let before: Vec<Row> = (0..all.n_users()).map(|reader| row(&model, reader)).collect();
                let mut heard = Heard { looks_left: u32::MAX, people: 0 };
                model.read(&all, rows, &mut heard).expect("nothing stops it");
                prop_assert_eq!(model.similarities.joined(), from_nothing(&model, &known), "{:?}", settings);
                let (mut people, as_learnt) = (0, known == *by_user);
                for (reader, before) in before.iter().enumerate() {
                    let own = known.row(reader);
                    if own == last.row(reader) {
                        prop_assert!(row(&model, reader) == *before, "{:?}: {}", settings, reader);
                    }
                    people += u64::from(own != by_user.row(reader) || last.row(reader) != by_user.row(reader));
                    // The level of a basket of theirs: a mean of the same rows stays, a learnt baseline does not.
                    let found = bits(model.person(reader as u32));
                    let level_learnt = bits(model.levels.person(reader as u32));
                    if as_learnt {
                        prop_assert_eq!(found, level_learnt, "{:?}: {}", settings, reader);
                        continue;
                    }
                    let basket: Vec<BasketItem> =
                        own.0.iter().zip(own.1).map(|(&item, &rating)| BasketItem { item, rating }).collect();
                    prop_assert_eq!(found, bits(model.newcomer(&basket)), "{:?}: {}", settings, reader);
                    if settings.centring != Centring::Baseline && own == by_user.row(reader) {
                        prop_assert_eq!(found, level_learnt, "{:?}: {}", settings, reader);
                    }
                }
                prop_assert_eq!(heard.people, people, "{:?}: others were compared", settings);
                last = known;
            }
            prop_assert!(model.parts() == trained, "{:?}: something was learnt", settings);
        }
    }
}

#[test]
fn a_reading_stops_when_asked_and_the_next_one_makes_good_what_it_left() {
    // Two items of each of 200 people are learnt; of 150 a third one is read, which others learnt.
    let learnt_rows = (0..200u32).flat_map(|user| [(user, user % 7, (user % 5 + 1) as f32), (user, 7 + user % 5, 4.0)]);
    let read_rows = (0..150u32).map(|user| (user, (user + 1) % 7, 5.0));
    let all = interactions(learnt_rows.chain(read_rows));
    let (learnt, both): (Vec<u32>, Vec<u32>) = ((0..400).collect(), (0..550).collect());
    for next in [&both, &learnt] {
        let fitted = UserKnn::fit(SETTINGS, &TrainSet::new(&all, &learnt), &mut Unobserved);
        let mut model = fitted.expect("the fit succeeds");
        let trained = model.parts();
        let stopped = model.read(&all, &both, &mut Heard { looks_left: 2, people: 0 });
        assert_eq!(stopped, Err(FitError::Interrupted { done: GROUP_ROWS as u64, total: 150, unit: "users" }));
        model.read(&all, next, &mut Unobserved).expect("nothing stops it");
        assert_eq!(model.similarities.joined(), from_nothing(&model, &Csr::by_user(&all, next)));
        assert_eq!(model.parts() == trained, *next == learnt);
    }
}
