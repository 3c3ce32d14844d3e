//! What an evaluation is foretold to hold.

use proptest::prelude::*;
use recspeed_plan::{
    Assumed, EvaluationOutlook, Judging, Lessons, Limit, Outlook, ProcessNeeds, Room, Strategy, bottleneck, layers_of,
    of_spec,
};
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, Extent};

const MIB: f64 = 1024.0 * 1024.0;

fn spec(recommender: &str, evaluation: &str) -> ResolvedSpec {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n[training]\nbatch_size = \
         64\n[evaluation]\n{evaluation}\n"
    );
    ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap()
}

/// `beauty-synthetic-10k` with so many attributes of words.
fn beauty(attributes: usize) -> Extent {
    Extent { users: 2400, items: 1500, words: vec![12; attributes], numbers: 0 }
}

/// By so many threads, of so many rows, of which nobody knows who has how many.
fn judging(threads: u64, rows: Option<u64>) -> Judging {
    Judging { threads, rows, lessons: Lessons::default() }
}

fn foretold(spec: &ResolvedSpec, data: Option<&Extent>, threads: u64) -> EvaluationOutlook {
    EvaluationOutlook::of_spec(spec, data, judging(threads, Some(10_000))).unwrap()
}

#[test]
fn histories_are_foretold_to_be_read_no_further_than_a_network_reads_however_many_rows_are_held_out() {
    for kind in ["sasrec", "bert4rec", "gru4rec", "caser"] {
        let spec = spec(&format!("kind = \"{kind}\""), "metrics = [\"ndcg@10\"]");
        // All of them fill what is read: two threads have 256 each.
        let learnt = (0..512_u32).flat_map(|user| std::iter::repeat_n(user, 60));
        let lessons = Lessons::of(&spec.recommender, 512, learnt);
        let data = Extent::of_ids(512, 1000);
        let of = |rows: u64| {
            let judging = Judging { threads: 2, rows: Some(rows), lessons };
            EvaluationOutlook::of_spec(&spec, Some(&data), judging).unwrap().blocks
        };
        assert_eq!(of(512 * 60), of(512 * 600), "{kind}");
    }
}

const SMALL: &str = "bottom = [1]\nhidden = [1]";
const LARGE: &str = "bottom = [512, 256]\nhidden = [1024, 512]";

/// DLRM's width, attributes of words, its towers, threads, and the MiB on one device and of two replicas.
type Measured = (u32, usize, &'static str, u64, f64, Option<f64>);

/// By how many MiB the peak of a process grew while it evaluated, after one epoch in batches of 64: DLRM's width, attributes of
/// words, its towers, threads, trained on one device and by two replicas. Full rankings of 128 users: two cores (AMD EPYC),
/// glibc, 27 November 2026.
const MEASURED: &[Measured] = &[
    (128, 1, SMALL, 1, 8.1, None),
    (128, 1, SMALL, 2, 14.1, None),
    (128, 4, SMALL, 1, 17.2, None),
    (128, 4, SMALL, 2, 27.5, None),
    (512, 1, SMALL, 1, 27.3, Some(31.3)),
    (512, 1, SMALL, 2, 49.7, Some(53.5)),
    (512, 1, SMALL, 4, 93.9, Some(98.2)),
    (512, 1, LARGE, 1, 28.7, Some(28.9)),
    (512, 1, LARGE, 2, 56.5, Some(56.6)),
    (512, 1, LARGE, 4, 112.2, Some(112.2)),
    (512, 4, SMALL, 1, 60.5, Some(67.6)),
    (512, 4, SMALL, 2, 100.9, Some(108.1)),
    (512, 4, SMALL, 4, 181.7, Some(188.6)),
    (512, 4, LARGE, 1, 70.2, Some(65.6)),
    (512, 4, LARGE, 2, 103.7, Some(106.4)),
    (512, 4, LARGE, 4, 182.7, Some(195.1)),
];

#[test]
fn what_dlrm_was_measured_to_take_is_foretold_within_twice_and_never_less() {
    for &(width, attributes, towers, threads, alone, divided) in MEASURED {
        let network = format!("kind = \"dlrm\"\nembedding = {width}\nnegatives = 1\n{towers}");
        let spec = spec(&network, "metrics = [\"ndcg@10\"]\nmax_users = 128");
        let told = foretold(&spec, Some(&beauty(attributes)), threads).total() as f64 / MIB;
        for measured in std::iter::once(alone).chain(divided) {
            let times = told / measured;
            assert!((1.0..2.0).contains(&times), "{width} {attributes} {towers:?} {threads}: {measured} {told}");
        }
    }
}

#[test]
fn what_networks_of_layers_were_measured_to_take_in_a_full_ranking_is_foretold_within_twice_and_never_less() {
    // As above, of 100 and of 40 users.
    let (mlp, block) = ("kind = \"mlp\"\nhidden = [1024, 1024]", "kind = \"densenet\"\nlayers = 50\ngrowth = 32");
    for (network, users, threads, measured) in
        [(mlp, 100, 1, 16.6), (mlp, 100, 2, 32.7), (block, 40, 1, 14.1), (block, 40, 2, 27.5)]
    {
        let spec = spec(network, &format!("metrics = [\"ndcg@10\"]\nmax_users = {users}"));
        let told = foretold(&spec, Some(&beauty(0)), threads).total() as f64 / MIB;
        assert!((1.0..2.0).contains(&(told / measured)), "{network} {threads}: {measured} {told}");
    }
}

#[test]
fn a_block_of_dlrm_counts_the_buffers_that_it_has_by_hand() {
    // A user and an item: vectors of 3 fields of 100 numbers, and that of the bottom tower.
    let spec = spec(
        "kind = \"dlrm\"\nembedding = 100\nattributes = [\"category\"]\nbottom = [7]\nhidden = [5]",
        "metrics = [\"ndcg@10\"]\nmax_users = 16",
    );
    let of = |data: &Extent| EvaluationOutlook::of_spec(&spec, Some(data), judging(8, None)).unwrap().blocks;
    // Of each item: sums of the bottom tower; 2 own vectors, 1 of the user, 3 side by side, 4 with the bottom tower's, and that
    // one; 16 products, and the 6 that differ, twice. Of the tile: 16 lists, and the block of them twice. One tile is one thread's.
    let of_an_item = 7 + (2 + 1 + 3 + 4 + 1) * 100 + 16 + 2 * 6;
    assert_eq!(of(&beauty(1)), 4 * (1024 * of_an_item + 16 * (1500 + 2 * 1024)));
    let few = Extent { items: 10, ..beauty(1) };
    assert_eq!(of(&few), 4 * (10 * of_an_item + 16 * (10 + 2 * 10)), "a block is no larger than all items");
}

#[test]
fn errors_of_ratings_take_blocks_of_rows_and_no_lists() {
    let spec = spec("kind = \"mlp\"\nhidden = [30, 20]", "metrics = [\"rmse\"]");
    let of = |rows| EvaluationOutlook::of_spec(&spec, None, judging(4, rows)).unwrap().blocks;
    // The first layer: 3 numbers go in and 30 come out, kept for the way back, before the ReLU and behind it.
    let of_a_row = 4 * (3 + 3 * 30);
    assert_eq!([of(Some(10)), of(Some(1500)), of(None)], [10, 2 * 1024, 4 * 1024].map(|rows| rows * of_a_row));
    let layers = layers_of(&spec.recommender, &Assumed::threads(1.0)).unwrap();
    let predicted = EvaluationOutlook::of_predictions(&layers, judging(4, Some(1500)));
    assert_eq!(predicted.blocks, 2 * 1024 * of_a_row, "the same without a spec");
}

#[test]
fn drawn_items_take_the_lists_of_all_others() {
    let network = "kind = \"dlrm\"\nembedding = 8";
    let [all, drawn] = ["", "\nsampled = 100"]
        .map(|sampled| foretold(&spec(network, &format!("metrics = [\"ndcg@10\"]{sampled}")), Some(&beauty(0)), 1));
    assert_eq!(drawn.lists - all.lists, 8 * 2400 * 1500);
    assert_eq!(drawn.blocks, all.blocks);
}

#[test]
fn a_metric_takes_a_column_of_all_who_can_be_in_the_test_however_few_are_ranked_for() {
    let lists = |metrics: &str, split: &str| {
        let evaluation = format!("metrics = [{metrics}]\nmax_users = 10\n[split]\n{split}");
        foretold(&spec("kind = \"mlp\"", &evaluation), Some(&beauty(0)), 1).lists
    };
    // 2,400 users with 10,000 rows.
    for (split, tested) in [
        ("kind = \"random\"\ntest_ratio = 0.1", 1000),
        ("kind = \"random\"\ntest_ratio = 0.1\nvalidation_ratio = 0.2", 2000),
        ("kind = \"k-fold\"\nfolds = 8\nfold = 1", 1250),
        ("kind = \"leave-last-out\"", 2400),
        ("kind = \"per-user-random\"\ntest_ratio = 0.1", 2400),
    ] {
        let of = |metrics: &str| lists(metrics, split);
        let (one, two) = (of("\"ndcg@10\""), of("\"ndcg@10\", \"recall@10\""));
        assert_eq!(two - one, 16 * tested, "{split}");
        // Two columns that stay, and more while they are made.
        assert_eq!(of("\"ndcg@10\", \"rmse\"") - one, 80 * tested, "{split}");
    }
    // Who has a row held out has another: of 2,400 with 3,000 rows no more than 600 can.
    let of = |metrics: &str| {
        let evaluation = format!("metrics = [{metrics}]\n[split]\nkind = \"leave-last-out\"");
        let judging = judging(1, Some(3000));
        EvaluationOutlook::of_spec(&spec("kind = \"mlp\"", &evaluation), Some(&beauty(0)), judging).unwrap().lists
    };
    assert_eq!(of("\"ndcg@10\", \"recall@10\"") - of("\"ndcg@10\""), 16 * 600);
}

#[test]
fn an_evaluation_that_will_not_fit_is_told_as_one() {
    let spec = spec("kind = \"dlrm\"\nembedding = 1024", "metrics = [\"ndcg@10\"]");
    let data = beauty(1);
    let plan = of_spec(&spec, Assumed::threads(1.0).on(Some(data.clone()))).unwrap();
    let evaluation = foretold(&spec, Some(&data), 2).total();
    let judged = Strategy { needs: ProcessNeeds { evaluation, ..plan.needs }, ..plan.clone() };
    let outlook = Outlook::of(&judged).unwrap();
    let (training, whole) = (outlook.process(&plan).total(), outlook.process(&judged).total());
    assert_eq!(whole, training + evaluation);
    let room = Some(Room::Together(u64::midpoint(training, whole)));
    let found = bottleneck(&judged, &outlook, room);
    assert!(matches!(found.limit, Limit::Memory { .. }), "{found:?}");
    let words = recspeed_plan::words::verdict(&found, &judged, &outlook);
    assert!(words.contains(" of that while it is evaluated"), "{words}");
    assert!(!matches!(bottleneck(&plan, &outlook, room).limit, Limit::Memory { .. }));
}

proptest! {
    #[test]
    fn the_parts_are_the_whole_and_more_threads_or_unknown_rows_take_no_less(
        kind in 0_usize..4, width in 8_u32..200, threads in 1_u64..64, users in 1_u64..5000, items in 1_u64..50_000,
        rows in 1_u64..100_000,
    ) {
        let network = [
            format!("kind = \"dlrm\"\nembedding = {width}"),
            format!("kind = \"sasrec\"\nfactors = {width}\nheads = 1"),
            format!("kind = \"mlp\"\nhidden = [{width}]"),
            format!("kind = \"densenet\"\nlayers = 5\ngrowth = {width}"),
        ][kind].clone();
        let spec = spec(&network, "metrics = [\"ndcg@10\"]");
        let of = |data: Extent, judging| EvaluationOutlook::of_spec(&spec, Some(&data), judging).unwrap();
        let judging = judging(threads, Some(rows));
        let told = of(Extent::of_ids(users, items), judging);
        prop_assert_eq!(told.total(), told.blocks + told.lists + told.allocator);
        let more = of(Extent::of_ids(users, items), Judging { threads: threads + 1, ..judging });
        prop_assert!(more.total() >= told.total());
        let unknown = of(Extent::of_ids(users, items), Judging { rows: None, ..judging });
        prop_assert!(unknown.blocks + unknown.allocator >= told.blocks + told.allocator);
        // All items' scores of a tile of users, one thread's at least.
        prop_assert!(told.blocks >= 4 * items);
    }
}

#[test]
fn all_threads_compute_scores_where_lists_are_ranked_and_those_with_a_pass_of_their_own_where_ratings_are_predicted() {
    let scorers = |evaluation: &str, rows: u64| {
        let spec = spec("kind = \"mlp\"", &format!("{evaluation}\n[split]\nkind = \"random\"\ntest_ratio = 0.1"));
        let judging = judging(16, Some(rows));
        EvaluationOutlook::of_spec(&spec, Some(&beauty(0)), judging).unwrap().scorers
    };
    assert_eq!(scorers("metrics = [\"rmse\", \"ndcg@10\"]\nmax_users = 10", 10_000), 16);
    // A tenth of the rows, in passes of 1,024.
    let of_ratings = [10_000, 40_000, 1_000_000].map(|rows| scorers("metrics = [\"rmse\"]", rows));
    assert_eq!(of_ratings, [0, 4, 16]);
}
