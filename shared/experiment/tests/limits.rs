//! What the data or the machine do not allow is refused, before any work that can be spared, with a remedy.

mod desk;

use recspeed_data::Csr;
use recspeed_experiment::Library;
use recspeed_plan::{EvaluationOutlook, Judging, Lessons};
use recspeed_types::event::Phase;
use recspeed_types::{EventKind, ExperimentSpec, Extent, FailureCode, Instead, Refusal};

use desk::{attempt, attempt_on, attempt_on_a_gpu, attempt_within, whole};

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

#[test]
fn filters_that_leave_nothing_are_a_failure_with_a_remedy() {
    let spec = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 1000000\n[recommender]\nkind = \"global-mean\"\n";
    let failure = attempt(None, spec, None).0.unwrap_err();
    assert_eq!(failure.code, FailureCode::Data);
    assert!(failure.cause.contains("min_user"), "{failure}");
    assert_eq!(failure.refusal, Some(Refusal::default()), "nothing was learnt, and no setting would do by itself");
}

#[test]
fn a_split_that_leaves_no_test_rows_is_a_failure_with_a_remedy() {
    let spec = format!("{FRAME}[split]\nkind = \"leave-last-out\"\n[recommender]\nkind = \"global-mean\"\n");
    let failure = attempt(Some("a,x,5,1\nb,y,3,2\n"), &spec, None).0.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidSpec);
    assert!(failure.cause.contains("split"), "{failure}");
}

#[test]
fn ease_on_more_items_than_it_can_invert_is_refused_before_any_data_are_made() {
    let large = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic\"\n";
    let within = "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"ease\" }]";
    for (recommender, place) in [("kind = \"ease\"", "recommender"), (within, "recommender.components.1")] {
        let text = format!("{large}[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"ndcg@10\"]\n");
        let (result, events) = attempt(None, &text, None);
        let failure = result.unwrap_err();
        assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
        assert!(failure.cause.contains("dense inverse over all items"), "{failure}");
        assert!(failure.cause.contains("(up to about 32,700 of them would fit)"), "{failure}");
        let refusal = Refusal { instead: Instead::kinds(place, &["slim", "item-knn"]) };
        assert_eq!(failure.refusal, Some(refusal), "what its words name can be chosen");
        assert!(
            !events.iter().any(|event| matches!(event, EventKind::Phase { .. })),
            "{recommender}: it began to load"
        );
    }
}

#[test]
fn ease_on_a_file_of_too_many_items_is_refused_once_they_are_counted_and_before_the_split() {
    let line = |row: usize| format!("u{},i{row},5,{row}\n", row % 200);
    let rows = (0..33_000).map(line).collect::<Vec<_>>().concat();
    let text = format!("{FRAME}[recommender]\nkind = \"ease\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\n");
    let (result, events) = attempt(Some(&rows), &text, None);
    let failure = result.unwrap_err();
    assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
    assert!(failure.cause.contains("16.2 GiB") && failure.cause.contains("dataset.min_item"), "{failure}");
    let begun = |event: &EventKind| matches!(event, EventKind::Data { .. } | EventKind::Phase { phase: Phase::Fit });
    assert!(!events.iter().any(begun), "it was split");
    let filtered = text.replace("[recommender]", "min_item = 2\n[recommender]");
    let (result, _) = attempt(Some(&rows), &filtered, None);
    assert_eq!(result.unwrap_err().code, FailureCode::Data, "items that the filters take do not count");
}

#[test]
fn what_an_evaluation_holds_by_user_and_item_is_foretold_within_twice_and_never_less() {
    let metrics = [3, 5, 10, 20].map(|k| format!("\"ndcg@{k}\", \"recall@{k}\"")).join(", ");
    let text = format!(
        "{FRAME}[split]\nkind = \"leave-last-out\"\n[recommender]\nkind = \"mlp\"\nhidden = [4]\n[training]\nepochs = \
         1\n[evaluation]\nmetrics = [\"rmse\", {metrics}]\nmax_users = 10\n"
    );
    let outcome = whole(None, &text, None).0.unwrap_or_else(|failure| panic!("{failure}"));
    let (data, known, table) = (&outcome.interactions, &outcome.known_rows, &outcome.users);
    assert_eq!(outcome.summary.evaluation.evaluated_users, 10);
    // Eight columns of lists and two of errors, of everybody in the test.
    assert_eq!(table.columns.len(), 10);
    let columns: usize = table.columns.values().map(|values| size_of_val(&values[..])).sum();
    // Nothing is held out for validation: what is known was learnt from, and the other rows are those of the test.
    let test: Vec<u32> = (0..data.len() as u32).filter(|row| known.binary_search(row).is_err()).collect();
    let of =
        |rows: &Csr| size_of_val(&rows.indptr[..]) + size_of_val(&rows.indices[..]) + size_of_val(&rows.values[..]);
    let known_by_user = of(&Csr::by_user(data, known));
    let matrices = 2 * known_by_user + of(&Csr::by_user(data, &test)) + of(&Csr::by_item(data, known));
    let held = (columns + size_of_val(&table.users[..]) + matrices) as u64;

    let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
    let extent = Extent::of_ids(data.n_users() as u64, data.n_items() as u64);
    let judging = Judging { threads: 1, rows: Some(data.len() as u64), lessons: Lessons::default() };
    let told = EvaluationOutlook::of_spec(&spec, Some(&extent), judging).unwrap().lists;
    assert!((held..=2 * held).contains(&told), "{held} bytes held, {told} foretold");
}

#[test]
fn a_network_that_one_device_trains_whole_is_refused_before_it_is_made_where_it_will_not_fit() {
    let text = |filters: &str, network: &str| {
        format!(
            "{FRAME}{filters}[recommender]\n{network}\n[training]\nepochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
        )
    };
    let autoencoder = "kind = \"autoencoder\"\nhidden = 200";
    // Both matrices with their moments alone are 7 MiB, and what the evaluation takes 3.
    for (filters, reads) in [("", false), ("min_user = 1\n", true)] {
        let (result, events) = attempt_within(8 << 20, &text(filters, autoencoder));
        let failure = result.expect_err("it does not fit");
        assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
        assert!(failure.cause.starts_with("This does not fit: one device would hold "), "{failure}");
        let begun =
            |wanted: Phase| events.iter().any(|event| matches!(event, EventKind::Phase { phase } if *phase == wanted));
        // How many items a data set has that the lab makes is known before it is made.
        assert_eq!((begun(Phase::Load), begun(Phase::Fit)), (reads, false), "{failure}");
    }
    let (result, _) = attempt_within(1 << 30, &text("", autoencoder));
    result.expect("with more memory it fits");
}

#[test]
fn a_network_that_a_gpu_trains_whole_is_held_against_the_gpu_and_what_stays_against_the_machine() {
    let text = format!(
        "{FRAME}sample = 2000\n[recommender]\nkind = \"autoencoder\"\nhidden = 200\n[training]\nepochs = 1\n[evaluation]\n\
         metrics = [\"ndcg@10\"]\nmax_users = 20\n"
    );
    let told = |gpu, limit| attempt_on_a_gpu(gpu, limit, &text).map_err(|failure| failure.to_string());
    let (small, large) = (Some(1 << 20), Some(8 << 30));
    let on_the_card = told(small, 8 << 30).expect_err("the matrix to the scores alone is as large");
    assert!(on_the_card.contains("This does not fit on an invented card: rank 0 would hold"), "{on_the_card}");
    assert!(!on_the_card.contains("its process would hold"), "the machine has room: {on_the_card}");
    let on_the_machine = told(large, 1 << 20).expect_err("the vectors of the items stay there, with their moments");
    assert!(on_the_machine.contains("beside what its device holds, its process would hold"), "{on_the_machine}");
    assert!(!on_the_machine.contains("an invented card"), "the card has room: {on_the_machine}");
    // Of a memory that nobody knows nothing is refused.
    told(None, 8 << 30).expect("it trains");
    told(large, 8 << 30).expect("it trains");
}

#[test]
fn workspaces_of_libtorchs_threads_are_held_against_the_gpu() {
    let hybrid = "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"autoencoder\", hidden = 8, latent = 4 }]";
    for network in ["kind = \"mlp\"\nhidden = [8]", "kind = \"autoencoder\"\nhidden = 8\nlatent = 4", hybrid] {
        let text = format!(
            "{FRAME}sample = 2000\n[recommender]\n{network}\n[training]\nepochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\n\
             max_users = 20\n"
        );
        let told =
            |library, bytes| attempt_on(library, Some(bytes), 8 << 30, &text).map_err(|failure| failure.to_string());
        let refused = told(Library::Libtorch, 200 << 20).expect_err("a rank's and a thread's take 192 of the 180 MiB");
        assert!(refused.contains("what the libraries compute with 192 MiB"), "{refused}");
        told(Library::Libtorch, 8 << 30).expect("it trains");
        told(Library::Other, 200 << 20).expect("it trains");
    }
}

#[test]
fn a_network_that_is_not_refused_before_it_is_made_is_not_refused_later() {
    for kind in ["neumf", "deepfm", "gru4rec"] {
        let text = format!(
            "{FRAME}sample = 500\n[recommender]\nkind = \"{kind}\"\n[training]\nepochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\n"
        );
        let fits = |limit: u64| {
            let (result, events) = attempt_within(limit, &text);
            let Err(failure) = result else { return true };
            assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
            assert!(failure.cause.starts_with("This does not fit: one device would hold "), "{failure}");
            assert!(!events.iter().any(|event| matches!(event, EventKind::Phase { phase: Phase::Fit })), "{failure}");
            false
        };
        let (mut refused, mut ran) = (0, 1 << 30);
        assert!(fits(ran), "{kind}");
        while ran - refused > 1 << 16 {
            let middle = u64::midpoint(refused, ran);
            if fits(middle) {
                ran = middle;
            } else {
                refused = middle;
            }
        }
        assert!(refused > 1 << 20, "{kind}: {refused}");
    }
}

#[test]
fn a_hybrid_with_a_network_that_will_not_fit_is_refused_with_nothing_read_and_no_component_fitted() {
    let text = |filters: &str, network: &str| {
        format!(
            "{FRAME}{filters}[recommender]\nkind = \"weighted\"\ncomponents = [{{ kind = \"popularity\" }}, {network}]\n\
             [training]\nepochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n"
        )
    };
    // Of 1,500 items each: 401 numbers with both moments, and 512.
    let networks = ["{ kind = \"autoencoder\", hidden = 200 }", "{ kind = \"sasrec\", factors = 512 }"];
    for (network, kind) in networks.into_iter().zip(["autoencoder", "sasrec"]) {
        // What the lab makes is not even made; how large other data are is known when they are read.
        for (filters, reads) in [("", false), ("min_user = 1\n", true)] {
            let (result, events) = attempt_within(6 << 20, &text(filters, network));
            let failure = result.err().unwrap_or_else(|| panic!("{kind} fits"));
            assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
            for words in [
                &format!("The component recommender.components[1] (`{kind}`) will not fit: the training needs ")[..],
                "of memory, and about ",
                "and may have 6.0 MiB; lower training.batch_size",
                "recommender.components[1].kind = \"item-knn\"",
            ] {
                assert!(failure.cause.contains(words), "{words}: {failure}");
            }
            let loads = events.iter().any(|event| matches!(event, EventKind::Phase { phase: Phase::Load }));
            assert_eq!(loads, reads, "{failure}");
            let worked = |event: &EventKind| matches!(event, EventKind::Progress { .. } | EventKind::Metric { .. });
            assert!(!events.iter().any(worked), "{kind}: a component was fitted");
        }
        let (result, _) = attempt_within(1 << 30, &text("sample = 500\n", network));
        result.unwrap_or_else(|failure| panic!("with more memory {kind} fits: {failure}"));
    }
}

#[test]
fn a_network_of_a_hybrid_is_held_against_the_gpu_that_trains_it() {
    let told = |gpu, filters: &str, network: &str| {
        let text = format!(
            "{FRAME}{filters}[recommender]\nkind = \"weighted\"\ncomponents = [{{ kind = \"popularity\" }}, {network}]\n\
             [training]\nepochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n"
        );
        attempt_on_a_gpu(gpu, 8 << 30, &text)
    };
    let autoencoder = "{ kind = \"autoencoder\", hidden = 200 }";
    let within = format!("{{ kind = \"weighted\", components = [{{ kind = \"popularity\" }}, {autoencoder}] }}");
    // One that a device trains whole, a row of layers, and one that is deeper inside.
    for (network, kind, place, smaller) in [
        (autoencoder, "autoencoder", "recommender.components.1", "recommender.components[1].hidden"),
        (
            "{ kind = \"sasrec\", factors = 512 }",
            "sasrec",
            "recommender.components.1",
            "recommender.components[1].kind = \"item-knn\" or \"popularity\"",
        ),
        (
            &within[..],
            "autoencoder",
            "recommender.components.1.components.1",
            "recommender.components[1].components[1].hidden",
        ),
    ] {
        // Before anything is made, and once it is known how large the data are: then, too, nothing is fitted before it.
        for filters in ["", "sample = 2000\n"] {
            let failure = told(Some(1 << 20), filters, network).expect_err("its parameters alone are as large");
            assert_eq!(failure.code, FailureCode::OutOfMemory, "{failure}");
            for words in [kind, "an invented card", smaller] {
                assert!(failure.cause.contains(words), "{words}: {failure}");
            }
            let Refusal { instead } = failure.refusal.clone().expect("nothing was fitted");
            assert!(!instead.is_empty(), "{failure}");
            for Instead { path, value } in instead {
                assert_eq!(path, format!("{place}.kind"), "{failure}");
                assert!(failure.cause.contains(&value), "its words do not name {value}: {failure}");
            }
        }
    }
    for gpu in [None, Some(8 << 30)] {
        told(gpu, "sample = 2000\n", autoencoder).expect("it trains");
    }
}

#[test]
fn what_a_network_of_a_hybrid_refuses_in_its_fit_offers_what_its_words_name_where_nothing_was_fitted_before_it() {
    // A row of each user is held out, which leaves one: nothing follows anything.
    let rows_of = |user: u32| format!("u{user},i{user},5,1\nu{user},i{},4,2\n", (user + 1) % 6);
    let rows = (0..6).map(rows_of).collect::<Vec<_>>().concat();
    let network = "{ kind = \"sasrec\", factors = 4 }";
    let popularity = "{ kind = \"popularity\" }";
    let offered = Some(Refusal { instead: Instead::kinds("recommender.components.0", &["item-knn"]) });
    for (components, expected) in [([network, popularity], offered), ([popularity, network], None)] {
        let text = format!(
            "{FRAME}[split]\nkind = \"leave-last-out\"\n[recommender]\nkind = \"weighted\"\ncomponents = [{}]\n[training]\n\
             epochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\n",
            components.join(", ")
        );
        let failure = attempt(Some(&rows), &text, None).0.expect_err("no user has two rows to learn from");
        assert_eq!(failure.code, FailureCode::InvalidSpec, "{failure}");
        assert!(failure.cause.contains("`sasrec` learns from what follows what"), "{failure}");
        assert!(failure.cause.contains("item-knn"), "{failure}");
        assert_eq!(failure.refusal, expected, "{failure}");
    }
}

#[test]
fn a_classical_component_without_room_is_told_before_anything_is_made() {
    let text = format!(
        "{FRAME}[recommender]\nkind = \"weighted\"\ncomponents = [{{ kind = \"popularity\" }}, {{ kind = \"bpr\", factors = 64 }}]\n\
         [evaluation]\nmetrics = [\"ndcg@10\"]\n"
    );
    let (result, events) = attempt_within(1 << 20, &text);
    let failure = result.expect_err("3,900 vectors of 64 numbers do not fit");
    assert!(failure.cause.contains("The component recommender.components[1] (`bpr`)"), "{failure}");
    assert!(failure.cause.contains(" about ") && failure.cause.contains("components[1].factors"), "{failure}");
    assert!(!events.iter().any(|event| matches!(event, EventKind::Phase { .. })), "it began to load");
}

#[test]
fn a_network_of_layers_that_will_not_fit_is_told_with_its_time_and_another_kind() {
    let text = format!("{FRAME}[recommender]\nkind = \"densenet\"\nlayers = 60\ngrowth = 64\n[training]\nepochs = 1\n");
    let (result, _) = attempt_within(32 << 20, &text);
    let cause = result.expect_err("7.5 million parameters with moments are 90 MiB").cause;
    assert!(cause.contains("It would train for about ") && cause.contains("recommender.kind = "), "{cause}");
    assert!(cause.starts_with("This does not fit: this training would hold "), "{cause}");
    assert!(!cause.contains("ranks"), "there is one: {cause}");
    assert!(
        cause.contains("lower recommender.layers (now 60), recommender.growth (now 64), training.batch_size"),
        "{cause}"
    );
}

#[test]
fn what_one_device_lacks_is_told_with_a_batch_that_takes_less() {
    let text = format!(
        "{FRAME}min_user = 1\n[recommender]\nkind = \"densenet\"\nlayers = 20\ngrowth = 64\n[training]\nepochs = 1\nbatch_size = 4096\n"
    );
    let (result, _) = attempt_within(40 << 20, &text);
    let cause = result.expect_err("as many activations as there are rows").cause;
    assert!(cause.contains("this training would hold ") && cause.contains(" Try batches of "), "{cause}");
}
