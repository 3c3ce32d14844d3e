//! What one device is foretold to hold of networks that are no row of layers.

use recspeed_plan::whole::{refusal, refusal_where};
use recspeed_plan::{DeviceMemory, Lessons, Library, ProcessNeeds, WORKSPACE, Whole, WholeOutlook, is_whole, learnt};
use recspeed_types::catalogue;
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::{ExperimentSpec, Extent};

fn spec(recommender: &str, training: &str, engine: &str) -> ResolvedSpec {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \
         \"random\"\nvalidation_ratio = 0.1\n[recommender]\n{recommender}\n[training]\n{training}\n[evaluation]\nmetrics = \
         [\"ndcg@10\"]\n[engine]\n{engine}\n"
    );
    ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap_or_else(|errors| panic!("{text}\n{errors}"))
}

fn beauty() -> Extent {
    Extent::of_ids(1_210_271, 249_274)
}

const LESSONS: Lessons = Lessons { rows: Some(1_800_000), lengths: None, about: None };

fn whole<'a>(spec: &'a ResolvedSpec, data: &'a Extent) -> Whole<'a> {
    Whole::of_spec(spec, data, LESSONS, ProcessNeeds::default()).expect("it is trained whole")
}

fn outlook(recommender: &str, training: &str, engine: &str) -> WholeOutlook {
    whole(&spec(recommender, training, engine), &beauty()).outlook()
}

fn kinds() -> impl Iterator<Item = &'static str> {
    catalogue::ENTRIES.iter().map(|entry| entry.kind).filter(|kind| is_whole(kind))
}

#[test]
fn a_training_is_refused_just_below_what_it_is_foretold_to_hold_and_not_at_it() {
    let data = beauty();
    assert_eq!(kinds().count(), 7);
    for kind in kinds() {
        let spec = spec(&format!("kind = \"{kind}\""), "", "");
        let whole = whole(&spec, &data);
        let total = whole.outlook().total();
        assert_eq!(refusal(&whole, total), None, "{kind}");
        let told = refusal(&whole, total - 1).unwrap_or_else(|| panic!("{kind}"));
        assert!(told.starts_with("This does not fit: one device would hold "), "{told}");
        assert!(told.contains("1 B too little") && told.contains(" Try training."), "{told}");
        assert!(told.contains("dataset.min_item") && told.contains("another method"), "{told}");
        assert!(told.contains("It would train for about ") && told.contains("`item-knn`"), "{told}");
        let unknown = Whole { lessons: Lessons::default(), ..whole };
        assert!(!refusal(&unknown, 0).expect("nothing fits").contains("train for"), "of unknown rows no time is told");
    }
}

#[test]
fn its_parts_add_up_and_are_those_of_the_formulas() {
    let data = beauty();
    for kind in kinds() {
        for (optimizer, moments) in [("adam", 2), ("sgd", 0)] {
            for (stopping, kept) in [("", 0), ("\nearly_stopping = 3", 1)] {
                let spec = spec(&format!("kind = \"{kind}\""), &format!("optimizer = \"{optimizer}\"{stopping}"), "");
                let told = whole(&spec, &data).outlook();
                let learnt = learnt(&spec.recommender, &data).unwrap();
                let bytes = 4 * learnt.parameters();
                assert_eq!((told.learnt, told.parameters), (learnt.parameters(), bytes), "{kind}");
                assert_eq!((told.optimizer, told.best), (moments * bytes, kept * bytes), "{kind}");
                assert!(told.gradients >= 4 * learnt.dense, "{kind}");
                assert_eq!(told.parts().iter().map(|part| part.1).sum::<u64>(), told.total(), "{kind}");
            }
        }
    }
}

#[test]
fn checkpoints_and_resumption_cost_memory_and_a_larger_batch_does_never_cost_less() {
    let data = beauty();
    for kind in kinds() {
        let of = |batch: u32, needs: ProcessNeeds| {
            let spec = spec(&format!("kind = \"{kind}\""), &format!("batch_size = {batch}"), "");
            Whole { needs, ..whole(&spec, &data) }.outlook().total()
        };
        let plain = ProcessNeeds::default();
        let written = ProcessNeeds { checkpoints: true, ..plain };
        assert!(of(64, written) >= of(64, plain), "{kind}");
        assert!(of(64, ProcessNeeds { resumes: true, ..written }) >= of(64, written), "{kind}");
        assert_eq!(of(64, ProcessNeeds { before: 1000, ..plain }), of(64, plain) + 1000, "{kind}");
        assert!((5..14).map(|power| of(1 << power, plain)).is_sorted(), "{kind}");
    }
}

#[test]
fn the_autoencoder_on_all_of_beauty_is_the_scores_of_its_batch_and_its_items() {
    let told = outlook("kind = \"autoencoder\"\nhidden = 200\nlatent = 64", "batch_size = 512", "");
    let items = beauty().items;
    assert_eq!(told.scores, 4 * 8 * 512 * items);
    // Two matrices of 200 numbers an item, and a bias.
    assert!((401 * items..402 * items).contains(&told.learnt), "{}", told.learnt);
    let least = told.parameters + told.optimizer + 4 * 200 * items + 4 * 5 * 512 * items;
    assert!((least..3 * least).contains(&told.total()), "{least} {told:?}");
    let spec = spec("kind = \"autoencoder\"\nhidden = 200\nlatent = 64", "batch_size = 512", "");
    let data = beauty();
    let refused = refusal(&whole(&spec, &data), 4 << 30).expect("4 GiB are too little");
    assert!(refused.contains("The largest part: scores of a batch"), "{refused}");
    assert!(refused.contains("score a few drawn items instead of all"), "{refused}");
}

#[test]
fn scores_of_all_items_are_held_where_they_do_not_stay_in_a_cache() {
    let model = "kind = \"bert4rec\"";
    let [flex, elsewhere] = ["flex", "libtorch-cpu"]
        .map(|device| outlook(model, "batch_size = 128\nloss = \"cross-entropy\"", &format!("device = \"{device}\"")));
    let drawn = outlook(model, "batch_size = 128\nloss = \"sampled-softmax\"", "device = \"flex\"");
    assert!(elsewhere.scores > 10 * flex.scores, "{} {}", elsewhere.scores, flex.scores);
    assert!(drawn.scores < elsewhere.scores, "{} {}", drawn.scores, elsewhere.scores);
}

fn card(bytes: Option<u64>) -> DeviceMemory {
    DeviceMemory::Own { name: "a card".to_owned(), bytes, library: Library::Other }
}

const ON_GPUS: [&str; 3] = ["libtorch-cuda", "cuda", "vulkan"];

#[test]
fn on_a_gpu_its_parts_lie_there_or_stay_with_the_machine() {
    let data = beauty();
    for kind in kinds() {
        for device in ON_GPUS {
            let spec = spec(&format!("kind = \"{kind}\""), "early_stopping = 3", &format!("device = \"{device}\""));
            let needs =
                ProcessNeeds { before: 1000, evaluation: 30 << 20, scoring: 20 << 20, ..ProcessNeeds::default() };
            let whole = Whole { needs, ..whole(&spec, &data) };
            assert_eq!(whole.on_its_device(&DeviceMemory::Machine), None, "{kind}");
            let (all, here) = (whole.outlook(), whole.beside_its_device());
            let there = whole.on_its_device(&card(None)).unwrap_or_else(|| panic!("{kind}"));
            let learnt = learnt(&spec.recommender, &data).unwrap();
            assert_eq!([there.parameters, here.parameters], [4 * learnt.dense, 4 * learnt.of_tables()], "{kind}");
            assert_eq!(there.optimizer + here.optimizer, all.optimizer, "{kind}");
            assert_eq!(there.model + here.best, all.best, "{kind}");
            assert_eq!((there.gradients, there.activations), (all.gradients, all.activations + all.scores), "{kind}");
            assert_eq!((here.activations, here.scores, here.updating), (0, 0, 0), "{kind}");
            assert_eq!((here.before, here.lists, here.evaluation), (1000, all.lists, 10 << 20), "{kind}");
            assert!(there.scoring >= needs.scoring && here.total() < all.total(), "{kind}");
            assert_eq!(here.parts().iter().map(|part| part.1).sum::<u64>(), here.total(), "{kind}");
        }
    }
}

#[test]
fn a_training_on_a_gpu_is_refused_just_below_what_it_is_foretold_to_hold_there_and_not_at_it() {
    let data = beauty();
    for kind in kinds() {
        for device in ON_GPUS {
            let spec = spec(&format!("kind = \"{kind}\""), "", &format!("device = \"{device}\""));
            let whole = whole(&spec, &data);
            let needed = whole.on_its_device(&card(None)).map_or(0, |device| device.total());
            // A run may use nine tenths of it.
            let (enough, short) = (card(Some(needed.div_ceil(9) * 10)), card(Some((needed - 1) / 9 * 10)));
            assert_eq!(refusal_where(&whole, &enough, None), None, "{kind}");
            assert_eq!(
                refusal_where(&whole, &card(None), Some(u64::MAX)),
                None,
                "of what nobody knows nothing is refused"
            );
            let told = refusal_where(&whole, &short, Some(u64::MAX)).unwrap_or_else(|| panic!("{kind}"));
            assert!(told.starts_with("This does not fit on a card: rank 0 would hold about "), "{told}");
            assert!(told.contains(" Try training.") && told.contains("engine.device = \"flex\""), "{told}");
            assert!(told.contains("It would train for about ") && told.contains("another method"), "{told}");
            assert!(!told.contains("machine's memory, and may have"), "the machine has room: {told}");
            // What stays with the machine is held against that.
            let here = whole.beside_its_device().total();
            assert_eq!(refusal_where(&whole, &enough, Some(here)), None, "{kind}");
            let told = refusal_where(&whole, &enough, Some(here - 1)).unwrap_or_else(|| panic!("{kind}"));
            assert!(told.starts_with("This does not fit: beside what its device holds, "), "{told}");
            assert!(told.contains("1 B too little") && !told.contains("a card"), "{told}");
            let both = refusal_where(&whole, &short, Some(here - 1)).unwrap_or_else(|| panic!("{kind}"));
            assert!(both.contains("fit on a card") && both.contains("beside what its device holds"), "{both}");
            assert_eq!(both.matches("It would train for about ").count(), 1, "{both}");
        }
    }
}

#[test]
fn where_all_of_it_lies_in_the_machines_memory_one_limit_counts() {
    let data = beauty();
    for kind in kinds() {
        let spec = spec(&format!("kind = \"{kind}\""), "", "");
        let whole = whole(&spec, &data);
        let short = whole.outlook().total() - 1;
        assert_eq!(refusal_where(&whole, &DeviceMemory::Machine, Some(short)), refusal(&whole, short), "{kind}");
        assert_eq!(refusal_where(&whole, &DeviceMemory::Machine, None), None, "{kind}");
    }
}

#[test]
fn on_libtorch_the_workspaces_of_its_threads_are_counted_and_on_burns_own_kernels_it_has_less_room() {
    let data = beauty();
    for kind in kinds() {
        let spec = spec(&format!("kind = \"{kind}\""), "", "device = \"libtorch-cuda\"");
        let whole = Whole { needs: ProcessNeeds { scorers: 16, ..ProcessNeeds::default() }, ..whole(&spec, &data) };
        let there = |library| {
            let memory = DeviceMemory::Own { name: "a card".to_owned(), bytes: Some(30 << 30), library };
            whole.on_its_device(&memory).unwrap_or_else(|| panic!("{kind}"))
        };
        let [libtorch, cubecl, other] = [Library::Libtorch, Library::Cubecl, Library::Other].map(there);
        assert_eq!([libtorch.workspaces, cubecl.workspaces, other.workspaces], [17 * WORKSPACE, 0, 0], "{kind}");
        assert_eq!([libtorch.total() - 17 * WORKSPACE, cubecl.total()], [other.total(); 2], "{kind}");
        let room = [27_u64, 20, 27].map(|gib| Some(gib << 30));
        assert_eq!([libtorch.room(), cubecl.room(), other.room()], room, "{kind}");
    }
}
