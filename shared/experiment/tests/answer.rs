//! A model that is taken apart and put together again answers as the one that was trained, whatever its kind; and what it
//! is asked is answered, or refused in one clear sentence.

use std::collections::BTreeMap;

use recspeed_data::parts::Parts;
use recspeed_data::{Csr, Dictionary, ReadReport, generate};
use recspeed_experiment::{Answering, Asked, Host, LoadedData, Model, Outcome, ProcessMemory, RunFailure, run};
use recspeed_types::catalogue::{self, Family, Predicts};
use recspeed_types::recommend::{BasketEntry, RecommendRequest, Recommended, ScoreUnit};
use recspeed_types::spec::{Candidates, Dataset, ResolvedSpec, Source};
use recspeed_types::summary::EngineInfo;
use recspeed_types::{EventKind, ExperimentSpec, FailureCode, FitObserver, RunId};

/// A host that has the built-in data sets and tells nobody anything.
struct Desk;

impl FitObserver for Desk {
    fn event(&mut self, _: EventKind) {}
    fn stop_requested(&mut self) -> bool {
        false
    }
    fn checkpoint(&mut self, _: u64, _: &mut dyn FnMut() -> Vec<u8>) {}
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        None
    }
}

impl Host for Desk {
    fn load(&mut self, dataset: &Dataset, seed: u64) -> Result<LoadedData, RunFailure> {
        let Source::Builtin { entry } = &dataset.source else {
            return Err(RunFailure::new(FailureCode::Data, "this desk has no files"));
        };
        let made = generate(entry, seed);
        Ok(LoadedData {
            interactions: made.interactions,
            item_attributes: Some(made.item_attributes),
            user_attributes: None,
            report: ReadReport::default(),
            name: "desk".into(),
            sha256: String::new(),
            synthetic: true,
            warnings: Vec::new(),
        })
    }
    fn engine(&self, _: &ResolvedSpec) -> Result<EngineInfo, RunFailure> {
        let [kind, device, host] = ["burn", "flex", "desk"].map(str::to_owned);
        Ok(EngineInfo { kind, device, versions: BTreeMap::new(), host, threads: 1, precision: None })
    }
    fn now_us(&self) -> u64 {
        0
    }
    fn memory(&self) -> ProcessMemory {
        ProcessMemory::default()
    }
}

fn finished(kind: &str) -> (ResolvedSpec, Outcome) {
    finished_as(&format!("kind = \"{kind}\""))
}

/// `kind`: the kind and its parameters as a spec writes them.
fn finished_as(kind: &str) -> (ResolvedSpec, Outcome) {
    let spec = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\nmin_item = 3\n\
         [recommender]\n{kind}\n[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n"
    );
    finished_spec(&spec)
}

fn finished_spec(text: &str) -> (ResolvedSpec, Outcome) {
    let spec = ExperimentSpec::from_toml(text).expect("the test's spec parses");
    let outcome =
        run(&RunId::new("desk").unwrap(), &spec, &mut Desk).unwrap_or_else(|failure| panic!("{text}: {failure}"));
    (spec.resolve().unwrap(), outcome)
}

/// The model, made of its parts alone, with what it needs to answer.
fn answering(spec: &ResolvedSpec, outcome: &Outcome) -> Answering {
    answering_within(spec, outcome, None)
}

fn answering_within(spec: &ResolvedSpec, outcome: &Outcome, rating_scale: Option<[f32; 2]>) -> Answering {
    answering_of(spec, outcome, outcome.model.as_recommender().parts(), rating_scale)
}

fn answering_of(spec: &ResolvedSpec, outcome: &Outcome, parts: Parts, rating_scale: Option<[f32; 2]>) -> Answering {
    let restored = Model::restore(spec, parts).expect("its own parts");
    Answering::new(restored, spec, asked(outcome, rating_scale)).expect("what belongs together")
}

fn asked(outcome: &Outcome, rating_scale: Option<[f32; 2]>) -> Asked {
    let data = &outcome.interactions;
    Asked {
        users: data.users.clone(),
        items: data.items.clone(),
        titles: outcome.titles.clone(),
        known: Csr::by_user(data, &outcome.known_rows),
        liked_rating: 5.0,
        rating_scale,
    }
}

fn of_user(user: &str) -> RecommendRequest {
    RecommendRequest {
        user: Some(user.to_owned()),
        basket: Vec::new(),
        k: 5,
        explain: true,
        include_seen: false,
        withhold_rows: false,
    }
}

fn of_basket(items: &[&str]) -> RecommendRequest {
    let basket = items.iter().map(|item| BasketEntry::parse(item)).collect();
    RecommendRequest { user: None, basket, ..of_user("") }
}

#[test]
fn an_answer_is_chosen_among_the_candidates_of_the_evaluation() {
    for candidates in Candidates::EVERY {
        let spec = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"cold-items\"\n\
             [recommender]\nkind = \"content-tfidf\"\n[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\ncandidates = \"{}\"\n",
            candidates.as_str()
        );
        let (spec, outcome) = finished_spec(&spec);
        let data = &outcome.interactions;
        let answering = answering(&spec, &outcome);
        let mut known = vec![false; data.n_items()];
        outcome.known_rows.iter().for_each(|&row| known[data.item[row as usize] as usize] = true);
        let user = data.users.get(data.user[outcome.known_rows[0] as usize]);
        let answer = answering.answer(&RecommendRequest { k: 1000, explain: false, ..of_user(user) }).unwrap();
        let is_known = |item: &Recommended| known[data.items.index_of(&item.item).unwrap() as usize];
        let (warm, cold): (Vec<_>, Vec<_>) = answer.items.iter().partition(|item| is_known(item));
        let expected = match candidates {
            Candidates::Unseen | Candidates::All => (true, false),
            Candidates::UnseenAndCold => (true, true),
            Candidates::Cold => (false, true),
        };
        assert_eq!((!warm.is_empty(), !cold.is_empty()), expected, "{}", candidates.as_str());
    }
}

#[test]
fn every_kind_answers_from_its_parts_as_it_did_when_it_was_trained() {
    for entry in catalogue::ENTRIES {
        let kind = entry.kind;
        let (spec, outcome) = finished(kind);
        let answering = answering(&spec, &outcome);
        let data = &outcome.interactions;
        let known = Csr::by_user(data, &outcome.known_rows);
        let mut scores = vec![0.0; data.n_items()];
        let mut explained = 0;
        for user in (0..data.n_users() as u32).step_by(data.n_users() / 20) {
            let id = data.users.get(user);
            let answer = answering.answer(&of_user(id)).unwrap_or_else(|f| panic!("{kind}: {f:?}"));
            assert_eq!(answer.items.len(), 5, "{kind}");
            assert_eq!(answer.left_out, known.row(user as usize).0.len() as u64, "{kind}");
            outcome.model.as_recommender().score_all(user, &mut scores);
            let mut before = f32::INFINITY;
            for item in &answer.items {
                let index = data.items.index_of(&item.item).expect("an item of the data set");
                // Lists of factor models multiply in tiles, which rounds differently.
                let expected = scores[index as usize];
                let near = (item.score - expected).abs() <= 1e-4 * expected.abs().max(1.0);
                assert!(near, "{kind}: {} instead of {expected}", item.score);
                assert!(known.row(user as usize).0.binary_search(&index).is_err(), "{kind} recommends what is known");
                assert!(item.score <= before, "{kind}: not in order");
                before = item.score;
                explained += item.reasons.len();
            }
            let seen = answering.answer(&RecommendRequest { include_seen: true, ..of_user(id) }).unwrap();
            assert_eq!(seen.left_out, 0);
        }
        // A hybrid explains where its components do.
        let may = entry.explains.is_some();
        assert!(if explained > 0 { may } else { !may || entry.family == Family::Hybrid }, "{kind}: {explained}");
        let folds_in = outcome.model.as_recommender().fold_in().is_some();
        let basket: Vec<&str> = data.items.iter().take(3).collect();
        match answering.answer(&of_basket(&basket)) {
            Ok(answer) => {
                assert!(folds_in, "{kind}");
                assert!(answer.items.iter().all(|item| !basket.contains(&item.item.as_str())), "{kind}");
                assert_eq!(answer.left_out, 3);
            }
            Err(failure) => {
                assert!(!folds_in, "{kind}: {failure:?}");
                assert_eq!(failure.code, "no-new-users");
                assert!(failure.remedy.unwrap().contains("item-knn"));
            }
        }
        let unit = answering.answer(&of_user(data.users.get(0))).unwrap().unit;
        assert_eq!(unit == ScoreUnit::Stars, spec.recommender.predicts() == Predicts::Ratings, "{kind}");
    }
}

#[test]
fn a_model_that_an_earlier_version_kept_says_what_it_cannot_do_and_to_train_it_again() {
    // The last of them as with the sigmoid link, which served nobody new.
    for kind in ["bpr", "warp", "nmf", "biased-mf"] {
        let (spec, outcome) = finished(kind);
        let mut parts = outcome.model.as_recommender().parts();
        drop(parts.take_model("folding"));
        let older = answering_of(&spec, &outcome, parts.with_list("folding.none", &[]), None);
        let (user, item) = (outcome.interactions.users.get(0), outcome.interactions.items.get(0));
        older.answer(&of_user(user)).unwrap_or_else(|failure| panic!("{kind}: {failure:?}"));
        let failure = older.answer(&of_basket(&[item])).unwrap_err();
        assert_eq!(failure.code, "no-new-users", "{kind}");
        assert!(failure.message.contains("was kept by an earlier version of the lab"), "{kind}: {failure:?}");
        let remedy = failure.remedy.unwrap_or_default();
        assert!(remedy.starts_with("Train it again") && !remedy.contains(kind), "{kind}: {remedy}");
    }
    for kind in ["als-explicit", "svd++"] {
        let (spec, outcome) = finished(kind);
        let parts = outcome.model.as_recommender().parts();
        let mut older = parts.clone();
        drop(older.take_model("ratings"));
        let (user, item) = (outcome.interactions.users.get(0), outcome.interactions.items.get(0));
        for (parts, is_older) in [(parts, false), (older, true)] {
            let answering = answering_of(&spec, &outcome, parts, None);
            for request in [of_user(user), of_basket(&[item])] {
                let answer = answering.answer(&request).unwrap_or_else(|failure| panic!("{kind}: {failure:?}"));
                let told =
                    answer.notes.iter().any(|note| note.contains("earlier version of the lab and cannot say why"));
                assert_eq!(told, is_older, "{kind}: {:?}", answer.notes);
                assert!(!is_older || answer.items.iter().all(|item| item.reasons.is_empty()), "{kind}");
            }
        }
    }
}

#[test]
fn biased_factors_serve_new_people_behind_the_sigmoid_link_too() {
    let (spec, outcome) = finished_as("kind = \"biased-mf\"\nlink = \"sigmoid\"");
    let answering = answering(&spec, &outcome);
    let item = outcome.interactions.items.get(0);
    let list = |basket: &str| answering.answer(&of_basket(&[basket])).expect("an answer").items;
    let (loved, hated) = (list(&format!("{item}:5")), list(&format!("{item}:1")));
    assert_ne!(loved, hated, "the basket is read");
    let scale = 1.0..=5.0;
    assert!(loved.iter().chain(&hated).all(|item| scale.contains(&item.score)), "{loved:?} {hated:?}");
}

#[test]
fn a_basket_is_refused_with_the_component_that_cannot_answer_it() {
    let (spec, outcome) = finished_as(
        "kind = \"weighted\"\ncomponents = [{ kind = \"ease\" }, { kind = \"neumf\" }]\n[training]\nepochs = 1",
    );
    let item = outcome.interactions.items.get(0);
    let failure = answering(&spec, &outcome).answer(&of_basket(&[item])).unwrap_err();
    assert_eq!(failure.code, "no-new-users");
    assert!(failure.message.contains("`neumf` at recommender.components[1] cannot: it learns"), "{failure:?}");
    assert!(failure.remedy.is_some_and(|remedy| !remedy.contains("weighted") && !remedy.contains("neumf")));
}

#[test]
fn a_hybrid_of_rating_predictors_answers_in_stars() {
    let of = |kinds: [&str; 2]| {
        let [first, second] = kinds;
        let (spec, outcome) = finished_as(&format!(
            "kind = \"weighted\"\ncomponents = [{{ kind = \"{first}\" }}, {{ kind = \"{second}\" }}]"
        ));
        let first = outcome.interactions.users.get(0).to_owned();
        answering(&spec, &outcome).answer(&of_user(&first)).unwrap().unit
    };
    assert_eq!(of(["biased-mf", "slope-one"]), ScoreUnit::Stars);
    assert_eq!(of(["biased-mf", "item-knn"]), ScoreUnit::Score);
}

#[test]
fn who_reads_sequences_is_told_the_order_of_a_basket() {
    let (spec, outcome) =
        finished_as("kind = \"sasrec\"\nfactors = 16\nblocks = 1\nheads = 1\nlength = 10\n[training]\nepochs = 1");
    let answering = answering(&spec, &outcome);
    let items: Vec<&str> = outcome.interactions.items.iter().take(4).collect();
    let reversed: Vec<&str> = items.iter().rev().copied().collect();
    let of = |items: &[&str]| answering.answer(&of_basket(items)).unwrap().items;
    assert_ne!(of(&items), of(&reversed), "the last one is the newest");
    assert_eq!(of(&items), of(&items));
}

/// Bits of the scores of some users, the last one of them without training rows or not.
fn bits(model: &Model, outcome: &Outcome) -> Vec<u32> {
    let (users, items) = (outcome.interactions.n_users() as u32, outcome.interactions.n_items());
    let mut scores = vec![f32::NAN; items];
    let of_user = |user| {
        model.as_recommender().score_all(user, &mut scores);
        scores.iter().map(|score| score.to_bits()).collect::<Vec<u32>>()
    };
    [0, 1, users / 2, users - 1].into_iter().flat_map(of_user).collect()
}

#[test]
fn a_hybrid_with_a_network_in_it_is_made_of_its_parts_to_the_same_bits() {
    let vote =
        |kind: &str| format!("kind = \"weighted\"\ncomponents = [{{ kind = \"item-knn\" }}, {{ kind = \"{kind}\" }}]");
    let networks = catalogue::ENTRIES.iter().filter(|entry| entry.is_trained()).map(|entry| vote(entry.kind));
    let deep = "kind = \"switching\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"weighted\", components = [\
                { kind = \"item-knn\" }, { kind = \"neumf\" }] }]";
    let first =
        "kind = \"feature-augmentation\"\ncomponents = [{ kind = \"autoencoder\" }, { kind = \"content-tfidf\" }]";
    for kind in networks.chain([deep.to_owned(), first.to_owned()]) {
        let (spec, outcome) = finished_as(&format!("{kind}\n[training]\nepochs = 1"));
        let parts = outcome.model.as_recommender().parts();
        let again = Model::restore(&spec, parts.clone()).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(bits(&again, &outcome), bits(&outcome.model, &outcome), "{kind}");
        assert_eq!(again.as_recommender().parts(), parts, "{kind}");
        answering(&spec, &outcome).answer(&of_user(outcome.interactions.users.get(0))).expect("an answer");
    }
}

#[test]
fn a_basket_of_a_users_own_items_is_explained_by_them() {
    let (spec, outcome) = finished("item-knn");
    let answering = answering(&spec, &outcome);
    let data = &outcome.interactions;
    let known = Csr::by_user(data, &outcome.known_rows);
    let user = (0..known.n_rows()).max_by_key(|&user| known.row(user).0.len()).unwrap();
    let items: Vec<String> = known.row(user).0.iter().map(|&item| format!("{}:5", data.items.get(item))).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let answer = answering.answer(&of_basket(&items)).unwrap();
    assert!(answer.items[0].reasons[0].starts_with("the basket has "), "{:?}", answer.items[0]);
    let twice: Vec<&str> = items.iter().chain(&items).copied().collect();
    let again = answering.answer(&of_basket(&twice)).unwrap();
    assert_eq!(
        (&again.items, again.left_out),
        (&answer.items, answer.left_out),
        "an item that is named twice counts once"
    );
    let item = data.items.get(0);
    let rated: Vec<String> = [3, 4, 5].map(|rating| format!("{item}:{rating}")).to_vec();
    let thrice = answering.answer(&of_basket(&[&rated[0], &rated[1], &rated[2]])).unwrap();
    let once = answering.answer(&of_basket(&[&rated[2]])).unwrap();
    assert_eq!(thrice.items, once.items);
    assert_eq!(thrice.notes, [format!("The basket has {item} 3 times; each item counts once, as it was given last.")]);
}

#[test]
fn an_unknown_id_is_named_and_near_ones_are_offered() {
    let (spec, outcome) = finished("item-knn");
    let answering = answering(&spec, &outcome);
    let (user, item) = (outcome.interactions.users.get(0), outcome.interactions.items.get(0));
    let failure = answering.answer(&of_user(&user.to_lowercase())).unwrap_err();
    assert_eq!(failure.code, "unknown-user");
    assert_eq!(failure.message, format!("The model knows no user `{}`.", user.to_lowercase()));
    assert_eq!(failure.remedy, Some(format!("Did you mean {user}?")));
    let failure = answering.answer(&of_basket(&[item, "no such thing"])).unwrap_err();
    assert_eq!(failure.code, "unknown-item");
    let (message, remedy) = (failure.message, failure.remedy.unwrap());
    assert_eq!(message, "The model knows no item `no such thing`.");
    assert!(remedy.starts_with("Give one of the data set's ") && remedy.contains(item), "{remedy}");
    assert_eq!(answering.answer(&RecommendRequest { k: 0, ..of_user(user) }).unwrap_err().code, "invalid-request");
}

#[test]
fn what_stands_behind_the_colon_of_a_known_item_and_is_no_number_is_told_as_that() {
    let (spec, outcome) = finished("item-knn");
    let answering = answering(&spec, &outcome);
    let item = outcome.interactions.items.get(0);
    let failure = answering.answer(&of_basket(&[&format!("{item}:abc")])).unwrap_err();
    assert_eq!(failure.code, "invalid-request");
    assert_eq!(failure.message, format!("The rating of `{item}` is `abc`, which is no number."));
    let both = format!("as {item}:4, or in JSON as {{\"item\": \"{item}\", \"rating\": 4}}; ");
    assert!(failure.remedy.unwrap().contains(&both));
    // In JSON a text is an id, and a rating has a field.
    let basket = vec![BasketEntry { item: format!("{item}:4"), rating: None }];
    let failure = answering.answer(&RecommendRequest { basket, ..of_basket(&[]) }).unwrap_err();
    assert_eq!(failure.message, format!("`{item}:4` is no item: in JSON a rating has a field of its own."));
    assert_eq!(failure.remedy.unwrap(), format!("Write the rating as {{\"item\": \"{item}\", \"rating\": 4}}."));
    assert_eq!(answering.answer(&of_basket(&["nothing:abc"])).unwrap_err().code, "unknown-item");
}

#[test]
fn an_item_of_an_id_with_a_colon_is_that_item() {
    let (spec, outcome) = finished("popularity");
    let items = &outcome.interactions.items;
    let colon = format!("{}:abc", items.get(0));
    let named: Dictionary =
        items.iter().enumerate().map(|(at, id)| if at == 1 { colon.as_str() } else { id }).collect();
    let asked = Asked { items: named.clone(), ..asked(&outcome, None) };
    let answering = Answering::new(outcome.model, &spec, asked).unwrap();
    assert_eq!(answering.answer(&of_basket(&[named.get(1)])).unwrap().left_out, 1);
}

#[test]
fn a_model_and_ids_that_do_not_belong_together_are_refused() {
    let (spec, outcome) = finished("popularity");
    let data = &outcome.interactions;
    let asked = Asked {
        users: ["somebody"].into_iter().collect(),
        items: data.items.clone(),
        titles: None,
        known: Csr { indptr: vec![0, 0], ..Csr::default() },
        liked_rating: 1.0,
        rating_scale: None,
    };
    let error = Answering::new(outcome.model, &spec, asked).err().unwrap();
    assert!(error.starts_with("the model has ") && error.ends_with(" users and 1 ids of them"), "{error}");
    let error = Model::restore(&spec, Parts::default()).err().unwrap().to_string();
    assert!(error.contains("has no part"), "{error}");
}

#[test]
fn stars_are_said_within_the_scale_in_the_order_of_what_was_predicted_whatever_the_kind() {
    let kinds = catalogue::ENTRIES.iter().filter(|entry| entry.predicts == Predicts::Ratings);
    let kinds = kinds.map(|entry| format!("kind = \"{}\"", entry.kind));
    let spread = "kind = \"user-knn\"\ncentring = \"z-score\"".to_owned();
    let mut beyond = 0;
    for kind in kinds.chain([spread]) {
        let (spec, outcome) = finished_as(&kind);
        let scale = [1.0, 5.0];
        let (plain, within) = (answering(&spec, &outcome), answering_within(&spec, &outcome, Some(scale)));
        for user in outcome.interactions.users.iter().step_by(outcome.interactions.n_users() / 20) {
            let asked = RecommendRequest { k: 100, ..of_user(user) };
            let (plain, within) = (plain.answer(&asked).unwrap(), within.answer(&asked).unwrap());
            assert_eq!(within.unit, ScoreUnit::Stars, "{kind}");
            for (raw, said) in plain.items.iter().zip(&within.items) {
                assert_eq!(raw.item, said.item, "{kind}: another order");
                assert_eq!(said.score, raw.score.clamp(scale[0], scale[1]), "{kind}");
                beyond += usize::from(raw.score != said.score);
            }
        }
    }
    assert!(beyond > 0, "no prediction lay beyond the scale: nothing was tested");
}

#[test]
fn an_answer_that_withholds_rows_has_the_same_list_and_names_neither_what_the_user_has_nor_another_user() {
    for kind in ["item-knn", "user-knn"] {
        let (spec, outcome) = finished(kind);
        let answering = answering(&spec, &outcome);
        let users = &outcome.interactions.users;
        let (mut own, mut reasons) = (0, 0);
        for user in users.iter().step_by(users.len() / 20) {
            let told = answering.answer(&of_user(user)).unwrap();
            let withheld = answering.answer(&RecommendRequest { withhold_rows: true, ..of_user(user) }).unwrap();
            assert!(withheld.has.is_empty() && withheld.withheld && !told.withheld, "{kind}: {withheld:?}");
            assert_eq!((told.left_out, &told.notes), (withheld.left_out, &withheld.notes), "{kind}");
            own += told.has.len();
            for (one, other) in told.items.iter().zip(&withheld.items) {
                assert_eq!((&one.item, one.score), (&other.item, other.score), "{kind}");
                assert_eq!(one.reasons.len(), other.reasons.len(), "{kind}");
                for (named, unnamed) in one.reasons.iter().zip(&other.reasons) {
                    assert!(unnamed.contains("(not shown to guests)"), "{kind}: {unnamed}");
                    let part = named.rfind(" (").map(|at| &named[at..]).unwrap();
                    assert!(unnamed.ends_with(part), "{kind}: {unnamed} has another part than {named}");
                    reasons += 1;
                }
            }
            // Reasons that nobody asked for are not withheld.
            let plain = answering.answer(&RecommendRequest { explain: false, withhold_rows: true, ..of_user(user) });
            assert!(!plain.unwrap().withheld, "{kind}");
        }
        assert!(own > 0 && reasons > 0, "{kind}: {own} own items and {reasons} reasons: nothing was tested");
    }
}

#[test]
fn a_rating_in_a_basket_that_nobody_could_give_is_told() {
    let (spec, outcome) = finished("item-knn");
    let answering = answering_within(&spec, &outcome, Some([1.0, 5.0]));
    let item = outcome.interactions.items.get(0);
    let rated = |rating: f32| {
        let basket = vec![BasketEntry { item: item.to_owned(), rating: Some(rating) }];
        answering.answer(&RecommendRequest { basket, ..of_basket(&[]) }).unwrap().notes
    };
    assert!(rated(5.0).is_empty());
    assert_eq!(
        rated(9.0),
        [format!("The rating of {item} is 9; those of the training run from 1 to 5. It counts as it is.")]
    );
}

#[test]
fn items_are_said_by_title_and_reasons_quote_it() {
    let (spec, outcome) = finished("item-knn");
    let titles = outcome.titles.as_ref().expect("the made-up data have titles");
    let answering = answering(&spec, &outcome);
    let data = &outcome.interactions;
    let user = (0..data.n_users() as u32).find(|&user| {
        let answer = answering.answer(&of_user(data.users.get(user))).unwrap();
        answer.items.iter().any(|item| !item.reasons.is_empty())
    });
    let answer = answering.answer(&of_user(data.users.get(user.expect("somebody has a reason")))).unwrap();
    for item in &answer.items {
        let index = data.items.index_of(&item.item).unwrap();
        assert_eq!(item.title.as_deref(), titles.get(index));
        assert!(item.reasons.iter().all(|reason| reason.contains(" “") && reason.contains('”')), "{:?}", item.reasons);
    }
}
