//! The fast mode, in which threads race for the same numbers: not the same bits, but the same learning.

mod support;

use std::num::NonZeroUsize;

use recspeed_data::{Csr, ReadLimits, read_ratings, split};
use recspeed_metrics::ranking;
use recspeed_recommenders::{RankRequest, TrainSet, fit, kinds, races};
use recspeed_types::event::EventKind;
use recspeed_types::spec::{DataFormat, FitOn, ParamValue, RecommenderSpec, ResolvedRecommender, Split, SplitPlan};
use recspeed_types::{FitObserver, MetricKind, Unobserved, catalogue};
use support::{fitted, real_file, resolved, text, varied, with_threads};

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
    assert_eq!(with_mode.collect::<Vec<_>>(), ["warp"]);
    let losses = |mode: &str, threads: usize| {
        let setting = resolved("warp", &[("mode", text(mode)), ("iterations", ParamValue::Integer(15))]);
        let mut losses = Losses::default();
        with_threads(threads, || fit(&setting, &data, 7, &mut losses).map(drop)).unwrap();
        losses.0
    };
    // Four, on which a race pays for few items, too.
    let (exact, fast) = (losses("exact", 1), losses("fast", 4));
    assert_eq!(fast.len(), 15);
    let (first, last) = (exact[0], exact[14]);
    assert!(last < first, "{exact:?}");
    // Nearly all of what one thread gains; 200 items are few, so that threads meet far more often than in real data.
    assert!((fast[14] - last).abs() < 0.2 * (first - last), "{last} exact, {} fast", fast[14]);
}

#[test]
fn where_a_race_takes_longer_than_one_thread_the_fast_mode_is_the_exact_one_to_the_bit() {
    // Numbers of 200 items with their squares, 104 KB, are near to each core; and one thread has nobody to race with.
    let (all, rows) = varied(300, 200, 6000);
    let data = TrainSet::new(&all, &rows);
    let parts = |mode: &str, threads: usize| {
        let params = [("mode", text(mode)), ("iterations", ParamValue::Integer(3))];
        with_threads(threads, || fitted("warp", &params, &data, 7)).parts()
    };
    let exact = parts("exact", 2);
    assert!(parts("fast", 1) == exact, "on one thread");
    assert!(parts("fast", 2) == exact, "on two threads");
}

#[test]
fn one_thread_alone_has_nobody_to_race_with_however_many_items_there_are() {
    // 6,000 items of 64 factors: 3 MB, for which two threads would race.
    let (all, rows) = varied(2000, 6000, 20_000);
    let data = TrainSet::new(&all, &rows);
    let parts = |mode: &str| {
        let params = [("mode", text(mode)), ("iterations", ParamValue::Integer(1))];
        with_threads(1, || fitted("warp", &params, &data, 7)).parts()
    };
    assert!(parts("fast") == parts("exact"));
}

#[test]
fn only_a_fast_mode_on_several_threads_that_gain_by_it_is_called_a_race() {
    let warp = |mode: &str| RecommenderSpec::new("warp").with("mode", text(mode));
    let alone = |mode: &str| resolved("warp", &[("mode", text(mode))]);
    let within = |mode: &str| {
        let components = vec![RecommenderSpec::new("popularity"), warp(mode)];
        resolved("mixed", &[("components", ParamValue::Recommenders(components))])
    };
    // As in the tests above: 200 items of 64 factors are near to each core, 6,000 are not.
    let ((few, few_rows), (many, many_rows)) = (varied(300, 200, 6000), varied(2000, 6000, 20_000));
    let (few, many) = (TrainSet::new(&few, &few_rows), TrainSet::new(&many, &many_rows));
    // No piece of steps for a second thread.
    let short = TrainSet::new(many.interactions, &many_rows[..1000]);
    let is_race = |threads: usize, recommender: &ResolvedRecommender, data: &TrainSet<'_>| {
        with_threads(threads, || races(recommender, data))
    };
    for (threads, data, expected) in
        [(1, &many, false), (2, &many, true), (2, &few, false), (4, &few, true), (4, &short, false)]
    {
        for (fast, exact) in [(alone("fast"), alone("exact")), (within("fast"), within("exact"))] {
            let told = format!("{} on {threads} threads, {} rows", fast.entry.kind, data.rows.len());
            assert_eq!(is_race(threads, &fast, data), expected, "{told}");
            assert!(!is_race(threads, &exact, data), "{told}");
        }
    }
}

/// MovieLens-100K: three exact fits of three seeds, and three fast ones of one seed. Pairs are learnt in another order there, and
/// with items drawn from other streams.
#[test]
fn the_race_moves_lists_no_more_than_another_seed_does() {
    let Some(bytes) = real_file("ml-100k/ml-100k.inter") else { return };
    let all = read_ratings(DataFormat::Recbole, &bytes, ReadLimits::default()).unwrap().interactions;
    let plan = SplitPlan { split: Split::PerUserFirstN { n: 10 }, fit_on: FitOn::Train };
    let parts = split(&all, &plan, 0).unwrap();
    let data = TrainSet::new(&all, &parts.train);
    let (relevant, ranks) = (Csr::by_user(&all, &parts.test), all.items.tie_ranks());
    let users: Vec<u32> = (0..all.n_users() as u32).collect();
    let k = NonZeroUsize::new(10).unwrap();
    let ndcg = |mode: &str, seed: u64| {
        let model = fitted("warp", &[("mode", text(mode)), ("iterations", ParamValue::Integer(5))], &data, seed);
        let request = RankRequest {
            users: &users,
            k: 10,
            exclude: Some(&data.by_user),
            candidates: Some(&data.candidates()),
            tie_ranks: &ranks,
        };
        let lists = model.rank(&request, &mut Unobserved).unwrap();
        let of = |user: usize| ranking::of_user(MetricKind::Ndcg, lists.list(user), relevant.row(user).0, k).unwrap();
        (0..users.len()).filter_map(of).sum::<f64>() / users.len() as f64
    };
    let exact: Vec<f64> = (1..4).map(|seed| ndcg("exact", seed)).collect();
    // On two threads its 1,682 items are no race.
    let fast: Vec<f64> = with_threads(4, || (0..3).map(|_| ndcg("fast", 1)).collect());
    println!("warp, 5 epochs, ndcg@10: exact, three seeds {exact:.4?}; fast, one seed three times {fast:.4?}");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!((mean(&exact) - mean(&fast)).abs() < 0.01, "{exact:?} {fast:?}");
}
