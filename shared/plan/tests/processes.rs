//! What a process is foretold to hold beside its ranks' ledgers.

use proptest::prelude::*;
use recspeed_plan::{
    Assumed, DeviceMemory, EvaluationOutlook, Judging, Lessons, Library, Outlook, ProcessNeeds, ProcessOutlook, Room,
    Strategy, Whole, bottleneck, is_whole, of_spec,
};
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

/// Peaks of whole runs on `MovieLens` 100K as the kernel told them, in MiB: what is set, threads, peak. The last row of each user held
/// out, the one before for validation; docs/parallel.md.
const OF_SEQUENCES: &[(&str, &str, u64, f64)] = &[
    ("kind = \"sasrec\"", "batch_size = 128", 2, 249.0),
    ("kind = \"sasrec\"", "batch_size = 128", 1, 222.0),
    ("kind = \"sasrec\"", "batch_size = 256", 2, 326.0),
    ("kind = \"sasrec\"", "batch_size = 512", 2, 588.0),
    ("kind = \"sasrec\"\nlength = 400", "batch_size = 128", 2, 589.0),
    ("kind = \"caser\"", "batch_size = 128", 2, 1126.0),
];

#[test]
fn networks_of_sequences_are_foretold_no_less_than_was_measured_and_no_more_than_twice_that() {
    let data = Extent::of_ids(943, 1682);
    // About as uneven as those: 18 to 607 rows that a user learns from, 103 on average, 77 in the middle.
    let rows_of = |user: u32| (18.0 + 86.0 * (943.0 / f64::from(user + 1)).ln()) as u32;
    let rows: u64 = (0..943).map(|user| u64::from(rows_of(user) + 2)).sum();
    assert!((90_000..110_000).contains(&rows), "{rows}");
    for &(recommender, training, threads, held) in OF_SEQUENCES {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"leave-last-out\"\nvalidation = \
             true\n[recommender]\n{recommender}\n[training]\n{training}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
        let batch = u64::from(spec.training.as_ref().expect("a network is trained").batch_size);
        let learnt = (0..943).flat_map(|user| (0..rows_of(user)).map(move |_| user));
        let lessons = Lessons::of(&spec.recommender, batch, 943, learnt);
        let judging = Judging { threads, rows: Some(rows) };
        let evaluation = EvaluationOutlook::of_spec(&spec, Some(&data), judging).expect("a network");
        let of = |needs: ProcessNeeds| ProcessNeeds {
            before: ProcessNeeds::of_rows(rows),
            evaluation: evaluation.total(),
            scoring: evaluation.blocks,
            scorers: evaluation.scorers,
            ..needs
        };
        let foretold = if is_whole(spec.recommender.entry.kind) {
            Whole::of_spec(&spec, &data, lessons, of(ProcessNeeds::default())).expect("whole").outlook().total()
        } else {
            let filled = lessons.filled(&spec.recommender, batch);
            let plan = of_spec(&spec, Assumed::threads(50.0).on(Some(data.clone())).filling(filled)).expect("layers");
            let plan = Strategy { needs: of(plan.needs), ..plan };
            Outlook::of(&plan).unwrap().process(&plan).total()
        };
        let times = foretold as f64 / MIB / held;
        assert!((1.0..2.0).contains(&times), "{recommender} {training} {threads}: {held} {times}");
    }
}
