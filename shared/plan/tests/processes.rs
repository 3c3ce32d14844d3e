//! What a process is foretold to hold beside its ranks' ledgers.

use proptest::prelude::*;
use recspeed_plan::whole::refusal;
use recspeed_plan::words::bytes;
use recspeed_plan::{
    Assumed, DeviceMemory, EvaluationOutlook, Judging, Lessons, Library, Outlook, ProcessNeeds, ProcessOutlook, Room,
    Strategy, Whole, bottleneck, is_whole, of_spec,
};
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, Extent};

const MIB: f64 = 1024.0 * 1024.0;

fn plan(recommender: &str, strategy: &str) -> Strategy {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n[training]\nbatch_size = \
         64\n[evaluation]\nmetrics = [\"auc\"]\n[strategy]\n{strategy}\n"
    );
    of_spec(&ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap(), Assumed::threads(50.0)).unwrap()
}

fn process(plan: &Strategy, checkpoints: bool) -> ProcessOutlook {
    let needs = ProcessNeeds { before: ProcessNeeds::of_rows(400), checkpoints, ..plan.needs };
    let plan = Strategy { needs, ..plan.clone() };
    Outlook::of(&plan).unwrap().process(&plan)
}

const LARGE: &str = "kind = \"densenet\"\nlayers = 100\ngrowth = 64";
const MEDIUM: &str = "kind = \"densenet\"\nlayers = 50\ngrowth = 64";
const WIDE: &str = "kind = \"mlp\"\nhidden = [1024, 1024, 1024, 1024]";

/// Peaks of processes as the kernel told them, in MiB, with and without checkpoints: two cores (Intel Xeon), glibc, 26 November 2026.
const MEASURED: &[(&str, &str, f64, Option<f64>)] = &[
    (LARGE, "kind = \"single\"", 561.9, Some(715.2)),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 2", 958.7, Some(1089.5)),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 4", 2020.4, None),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 2\nstage = 1", 832.9, None),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 4\nstage = 1", 1360.7, None),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 2\nstage = 2", 737.3, None),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 4\nstage = 2", 1104.6, None),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 2\nstage = 3", 543.2, Some(905.4)),
    (LARGE, "kind = \"hybrid\"\nstages = 1\nranks = 4\nstage = 3", 684.3, Some(970.1)),
    (LARGE, "kind = \"pipeline\"\nstages = 2\nmicro_batches = 4", 546.9, Some(855.7)),
    (LARGE, "kind = \"pipeline\"\nstages = 4\nmicro_batches = 4", 667.1, None),
    (LARGE, "kind = \"hybrid\"\nranks = 2\nstages = 1\ntensor = 2", 549.8, Some(879.3)),
    (MEDIUM, "kind = \"hybrid\"\nstages = 1\nranks = 2", 280.9, Some(338.3)),
    (MEDIUM, "kind = \"hybrid\"\nstages = 1\nranks = 4", 519.3, None),
    (MEDIUM, "kind = \"hybrid\"\nstages = 1\nranks = 4\nstage = 1", 380.9, None),
    (MEDIUM, "kind = \"hybrid\"\nstages = 1\nranks = 4\nstage = 3", 218.4, Some(311.8)),
    (MEDIUM, "kind = \"pipeline\"\nstages = 2\nmicro_batches = 4", 177.8, None),
    (MEDIUM, "kind = \"pipeline\"\nstages = 4\nmicro_batches = 4", 187.5, Some(298.2)),
    (MEDIUM, "kind = \"hybrid\"\nranks = 2\nstages = 1\ntensor = 2", 194.4, None),
    (WIDE, "kind = \"single\"", 118.2, Some(145.2)),
    (WIDE, "kind = \"pipeline\"\nstages = 2\nmicro_batches = 4", 161.9, None),
    (WIDE, "kind = \"pipeline\"\nstages = 4\nmicro_batches = 4", 206.3, None),
];

#[test]
fn what_was_measured_is_foretold_within_a_third_and_never_less() {
    for &(recommender, strategy, without, with) in MEASURED {
        let plan = plan(recommender, strategy);
        for (measured, checkpoints) in [(Some(without), false), (with, true)] {
            let Some(measured) = measured else { continue };
            let foretold = process(&plan, checkpoints).total() as f64 / MIB;
            let times = foretold / measured;
            assert!((1.0..1.33).contains(&times), "{recommender} {strategy} {checkpoints}: {measured} {foretold}");
        }
    }
}

proptest! {
    #[test]
    fn the_parts_are_the_whole_and_checkpoints_and_what_is_kept_take_more(
        stages in 1_usize..=4, replicas in 1_usize..=4, zero in 0_usize..=3, layers in 4_usize..=60, best in any::<bool>(),
    ) {
        let ranks = stages * replicas;
        let strategy = format!("kind = \"hybrid\"\nranks = {ranks}\nstages = {stages}\nstage = {zero}\nmicro_batches = 2\nschedule = \"gpipe\"");
        let plan = plan(&format!("kind = \"densenet\"\nlayers = {layers}\ngrowth = 32"), &strategy);
        let (without, with) = (process(&plan, false), process(&plan, true));
        prop_assert!(with.total() >= without.total());
        prop_assert_eq!(without.ledgers, Outlook::of(&plan).unwrap().together(replicas));
        let sum = with.before + with.ledgers + with.computing + with.collecting + with.allocator + with.evaluation;
        prop_assert_eq!(sum, with.total());
        let mut kept = plan.clone();
        kept.needs.keeps_best = best;
        prop_assert!(process(&kept, true).total() >= with.total());
        let mut resumed = plan.clone();
        resumed.needs.resumes = true;
        prop_assert!(process(&resumed, false).total() >= without.total());
    }
}

proptest! {
    #[test]
    fn there_is_room_for_what_ranks_begin_with_and_for_its_copies_on_the_way_to_a_device(
        (stages, replicas, tensor) in (1_usize..=2, 1_usize..=16, 1_usize..=2),
        zero in 0_u32..=3,
        card in any::<bool>(),
    ) {
        let ranks = stages * replicas * tensor;
        let strategy =
            format!("kind = \"hybrid\"\nranks = {ranks}\nstages = {stages}\ntensor = {tensor}\nstage = {zero}\n");
        let strategy = format!("{strategy}micro_batches = 1");
        let mut plan = plan("kind = \"densenet\"\nlayers = 20\ngrowth = 64", &strategy);
        if card {
            plan.memories = vec![DeviceMemory::Own { name: "a card".to_owned(), bytes: None, library: Library::Libtorch }];
        }
        let (outlook, process) = (Outlook::of(&plan).unwrap(), process(&plan, false));
        let held: u64 = outlook.ranks.iter().map(|of| of.shares.parameters).sum::<u64>() * plan.copies() as u64;
        let room = process.total() - process.before - process.evaluation;
        prop_assert!(room >= 2 * held, "{} bytes for two times {}", room, held);
        // Divided parameters are held once, by however many ranks.
        let whole: u64 = plan.layers.iter().map(|layer| 4 * layer.parameters).sum::<u64>() * tensor as u64;
        if zero == 3 {
            prop_assert!(held < whole + 8 * ranks as u64, "{} bytes of {}", held, whole);
        }
    }
}

#[test]
fn what_the_process_needs_counts_where_ranks_share_a_room() {
    let plan = plan(LARGE, "kind = \"data-parallel\"\nranks = 2");
    let outlook = Outlook::of(&plan).unwrap();
    let room = u64::midpoint(outlook.together(2), outlook.process(&plan).total());
    let found = bottleneck(&plan, &outlook, Some(Room::Together(room)));
    let words = recspeed_plan::words::verdict(&found, &plan, &outlook);
    assert!(words.contains("with what their process needs beside that about "), "{words}");
    let alone = self::plan(LARGE, "kind = \"single\"");
    let outlook = Outlook::of(&alone).unwrap();
    let room = outlook.process(&alone).total() - 1;
    let found = bottleneck(&alone, &outlook, Some(Room::Together(room)));
    let words = recspeed_plan::words::verdict(&found, &alone, &outlook);
    assert!(words.starts_with("This does not fit: this training would hold "), "{words}");
    assert!(words.contains("with what its process needs") && words.contains(" Try batches of "), "{words}");
}

#[test]
fn ranks_with_machines_of_their_own_do_not_share_a_room() {
    let plan = plan(LARGE, "kind = \"data-parallel\"\nranks = 2");
    let outlook = Outlook::of(&plan).unwrap();
    let room = u64::midpoint(outlook.together(2), outlook.process(&plan).total());
    assert!(
        !recspeed_plan::words::verdict(&bottleneck(&plan, &outlook, Some(Room::Each(room))), &plan, &outlook)
            .contains("does not fit")
    );
}

/// Peaks of whole runs on `MovieLens` 100K as the kernel told them, in MiB: what is set, how many of its rows, threads, peak. The last row of
/// each user held out, the one before for validation; docs/parallel.md.
const OF_HISTORIES: &[(&str, &str, u64, u64, f64)] = &[
    ("kind = \"sasrec\"", "batch_size = 128", 100_000, 2, 249.0),
    ("kind = \"sasrec\"", "batch_size = 128", 100_000, 1, 222.0),
    ("kind = \"sasrec\"", "batch_size = 256", 100_000, 2, 326.0),
    ("kind = \"sasrec\"", "batch_size = 512", 100_000, 2, 588.0),
    ("kind = \"sasrec\"\nlength = 400", "batch_size = 128", 100_000, 2, 589.0),
    ("kind = \"sasrec\"\nlength = 4096", "batch_size = 128", 50_000, 2, 453.0),
    ("kind = \"sasrec\"\nlength = 4096", "batch_size = 512", 50_000, 2, 891.0),
    ("kind = \"sasrec\"\nlength = 4096", "batch_size = 1024", 50_000, 2, 1638.0),
    ("kind = \"bert4rec\"", "batch_size = 128", 100_000, 2, 195.0),
    ("kind = \"bert4rec\"", "batch_size = 128", 100_000, 1, 158.0),
    ("kind = \"bert4rec\"\nlength = 200", "batch_size = 128", 100_000, 2, 496.0),
    ("kind = \"bert4rec\"\nlength = 1024", "batch_size = 128", 100_000, 2, 713.0),
    ("kind = \"bert4rec\"\nlength = 1024", "batch_size = 128", 50_000, 2, 353.0),
    ("kind = \"bert4rec\"\nlength = 1024", "batch_size = 512", 100_000, 2, 1946.0),
    ("kind = \"gru4rec\"", "batch_size = 128", 100_000, 2, 278.0),
    ("kind = \"gru4rec\"\nlength = 200", "batch_size = 128", 100_000, 2, 434.0),
    ("kind = \"caser\"", "batch_size = 128", 100_000, 2, 1126.0),
    ("kind = \"caser\"\nwindow = 20", "batch_size = 128", 20_000, 2, 1377.0),
    ("kind = \"caser\"\nwindow = 20", "batch_size = 32", 10_000, 2, 313.0),
    ("kind = \"autoencoder\"", "", 100_000, 2, 44.7),
    ("kind = \"autoencoder\"", "batch_size = 943", 100_000, 2, 68.5),
    ("kind = \"neumf\"", "", 100_000, 2, 29.2),
    ("kind = \"neumf\"", "batch_size = 4096", 100_000, 2, 52.0),
    ("kind = \"neumf\"", "batch_size = 16384", 100_000, 2, 119.9),
    ("kind = \"deepfm\"", "", 100_000, 2, 29.3),
    ("kind = \"deepfm\"", "batch_size = 4096", 100_000, 2, 66.2),
    ("kind = \"wide-and-deep\"", "batch_size = 4096", 100_000, 2, 59.1),
];

/// Rows that users of `MovieLens` 100K learn from, at every 23rd of them from the one with most on.
const ROWS_OF_USERS: [u64; 42] = [
    735, 377, 309, 275, 243, 224, 205, 187, 173, 158, 147, 138, 129, 119, 108, 103, 96, 84, 76, 70, 64, 61, 56, 53, 49,
    46, 44, 41, 38, 35, 32, 30, 28, 26, 25, 24, 22, 21, 20, 19, 18, 18,
];
const USERS: u64 = 943;

/// About as many rows as such a user learns from, of a data set of which so many rows in 100,000 were drawn. Users come in no order of
/// these.
fn rows_of(user: u64, of: u64) -> u64 {
    let (knot, beyond) = ((user * 521) % USERS / 23, (user * 521) % USERS % 23);
    let at = |knot: u64| ROWS_OF_USERS[(knot as usize).min(ROWS_OF_USERS.len() - 1)];
    let whole = at(knot) - (at(knot) - at(knot + 1)) * beyond / 23;
    // Two more are held out.
    ((whole + 2) * of / 100_000).saturating_sub(2)
}

/// A network of `MovieLens` 100K.
fn of_histories(recommender: &str, training: &str) -> ResolvedSpec {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"leave-last-out\"\nvalidation = \
         true\n[recommender]\n{recommender}\n[training]\n{training}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
    );
    ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

/// What is known of so many of its rows.
fn lessons(spec: &ResolvedSpec, rows: u64) -> Lessons {
    let learnt = (0..USERS).flat_map(|user| (0..rows_of(user, rows)).map(move |_| user as u32));
    Lessons::of(&spec.recommender, USERS as usize, learnt)
}

/// What the process of such a training is foretold to hold.
fn told_of_histories(spec: &ResolvedSpec, rows: u64, threads: u64) -> u64 {
    let data = Extent::of_ids(USERS, 1682);
    let lessons = lessons(spec, rows);
    let judging = Judging { threads, rows: Some(rows), lessons };
    let evaluation = EvaluationOutlook::of_spec(spec, Some(&data), judging).expect("a network");
    let of = |needs: ProcessNeeds| ProcessNeeds {
        before: ProcessNeeds::of_rows(rows),
        evaluation: evaluation.total(),
        scoring: evaluation.blocks,
        scorers: evaluation.scorers,
        ..needs
    };
    if is_whole(spec.recommender.entry.kind) {
        return Whole::of_spec(spec, &data, lessons, of(ProcessNeeds::default())).expect("whole").outlook().total();
    }
    let batch = u64::from(spec.training.as_ref().expect("a network is trained").batch_size);
    let assumed = Assumed::threads(50.0).on(Some(data)).learning(&spec.recommender, &lessons, batch);
    let plan = of_spec(spec, assumed).expect("layers");
    let mut plan = Strategy { needs: of(plan.needs), ..plan };
    plan.take_no_more_than(lessons.rows.expect("they are read"));
    Outlook::of(&plan).unwrap().process(&plan).total()
}

#[test]
fn whole_runs_are_foretold_no_less_than_was_measured_and_no_more_than_twice_that() {
    let rows: u64 = (0..USERS).map(|user| rows_of(user, 100_000) + 2).sum();
    assert!((95_000..105_000).contains(&rows), "{rows}");
    for &(recommender, training, rows, threads, held) in OF_HISTORIES {
        let foretold = told_of_histories(&of_histories(recommender, training), rows, threads);
        let times = foretold as f64 / MIB / held;
        assert!((1.0..2.0).contains(&times), "{recommender} {training} {rows} {threads}: {held} {times}");
    }
}

#[test]
fn a_length_that_no_history_reaches_takes_no_more_than_the_longest_history() {
    for kind in ["sasrec", "bert4rec", "gru4rec"] {
        let of = |length: u64| {
            told_of_histories(&of_histories(&format!("kind = \"{kind}\"\nlength = {length}"), ""), 50_000, 2)
        };
        let (longest, most) = (of(370), of(4096));
        // Positions are learnt for all of them.
        let positions = (4096 - 370) * 64 * 4 * 16;
        assert!(most <= longest + positions, "{kind}: {longest} and {most}");
        assert!(of(50) < longest, "{kind}");
    }
}

#[test]
fn a_batch_that_is_named_as_a_remedy_takes_what_its_own_plan_says() {
    let data = Extent::of_ids(USERS, 1682);
    let whole = |spec: &ResolvedSpec, room: Option<u64>| {
        let needs = ProcessNeeds { before: 1 << 20, ..ProcessNeeds::default() };
        let whole = Whole::of_spec(spec, &data, lessons(spec, 100_000), needs).expect("whole");
        (whole.outlook().total(), room.and_then(|room| refusal(&whole, room)))
    };
    for kind in ["bert4rec", "gru4rec", "caser"] {
        let of = |batch: u32| of_histories(&format!("kind = \"{kind}\""), &format!("batch_size = {batch}"));
        let (small, _) = whole(&of(128), None);
        let (large, refused) = whole(&of(512), Some(small));
        let told = refused.unwrap_or_else(|| panic!("{kind}: {large} bytes do not fit into {small}"));
        let expected = format!(" Try training.batch_size = 128: {} ", bytes(small));
        assert!(told.contains(&expected), "{kind}: {expected:?} in {told}");
    }
}
