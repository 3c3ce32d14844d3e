//! A host without a disk keeps the model of its last run alone, which answers as the one that a worker saves and loads again.

mod desk;

use recspeed_experiment::{Answering, Asked, LastModel, Model, Outcome, liked_rating, rating_scale};
use recspeed_types::recommend::{RecommendReply, Recommendations};
use recspeed_types::{ExperimentSpec, RunId};

use recspeed_data::Csr;

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nmin_user = 2\n";

fn finished(kind: &str) -> (ExperimentSpec, Outcome) {
    let text =
        format!("{FRAME}[recommender]\nkind = \"{kind}\"\n[evaluation]\nmetrics = [\"ndcg@5\"]\nmax_users = 5\n");
    let outcome = desk::whole(None, &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
    (ExperimentSpec::from_toml(&text).unwrap(), outcome)
}

/// As a worker restores what another one has saved.
fn restored(spec: &ExperimentSpec, outcome: &Outcome) -> Answering {
    let resolved = spec.resolve().unwrap();
    let (data, rows) = (&outcome.interactions, &outcome.known_rows);
    let asked = Asked {
        users: data.users.clone(),
        items: data.items.clone(),
        titles: outcome.titles.clone(),
        known: Csr::by_user(data, rows),
        liked_rating: liked_rating(data, rows, spec.evaluation.threshold),
        rating_scale: rating_scale(data, rows),
    };
    let model = Model::restore(&resolved, outcome.model.as_recommender().parts()).unwrap();
    Answering::new(model, &resolved, asked).unwrap()
}

fn answer(reply: RecommendReply) -> Recommendations {
    match reply {
        RecommendReply::Answer(answer) => answer,
        other => panic!("{other:?}"),
    }
}

fn code(reply: RecommendReply) -> String {
    match reply {
        RecommendReply::Failure(failure) => failure.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_run_of_a_host_without_a_disk_answers_users_and_baskets_as_a_saved_model_does() {
    for kind in ["als-implicit", "item-knn", "mlp", "popularity"] {
        let (spec, outcome) = finished(kind);
        let saved = restored(&spec, &outcome);
        let mut last = LastModel::empty();
        let (_, answering) = outcome.into_answering(&spec.resolve().unwrap());
        last.keep(RunId::new("tab-1").unwrap(), answering);
        let info = last.info("tab-1").unwrap();
        assert!(info.users.len() > 100 && info.items.len() == 5 && info.bytes > 0, "{kind}: {info:?}");
        assert_eq!(info.users[..5], saved.info(5).users[..], "{kind}: the first are those of a saved model");
        let user = format!(r#"{{"user":"{}","k":7,"explain":true}}"#, info.users[0]);
        let given = answer(last.reply_to("tab-1", user.as_bytes()));
        assert_eq!(given, answer(saved.reply_to(user.as_bytes())), "{kind}");
        assert!(!given.has.is_empty() && given.has.len() <= 5, "{kind}: {given:?}");
        let plain = answer(last.reply_to("tab-1", user.replace(",\"explain\":true", "").as_bytes()));
        assert!(plain.has.is_empty(), "{kind}: nobody asked for it");
        let basket = format!(r#"{{"basket":["{}",{{"item":"{}","rating":5}}],"k":7}}"#, info.items[0], info.items[1]);
        let of_basket = last.reply_to("tab-1", basket.as_bytes());
        assert_eq!(of_basket, saved.reply_to(basket.as_bytes()), "{kind}");
        assert_eq!(matches!(of_basket, RecommendReply::Answer(_)), info.new_users, "{kind}");
        assert_eq!(info.no_new_users.is_some(), !info.new_users, "{kind}");
        assert_eq!(code(last.reply_to("tab-1", b"{\"user\": 7}")), "invalid-request", "{kind}");
    }
}

#[test]
fn no_model_but_that_of_the_last_run_is_kept_and_whoever_asks_another_is_told() {
    let mut last = LastModel::empty();
    assert_eq!(code(last.reply_to("tab-1", b"{}")), "no-model");
    for run in ["tab-1", "tab-2"] {
        let (spec, outcome) = finished("popularity");
        last.keep(RunId::new(run).unwrap(), outcome.into_answering(&spec.resolve().unwrap()).1);
        assert!(last.info(run).is_ok());
    }
    let earlier = last.info("tab-1").unwrap_err();
    assert!(earlier.message.contains("its last finished run alone") && earlier.remedy.is_some(), "{earlier:?}");
    last.keep(RunId::new("tab-3").unwrap(), Err("the ids are others".to_owned()));
    assert!(last.info("tab-3").unwrap_err().message.contains("the ids are others"));
    last.forget();
    assert_eq!(last.info("tab-2").unwrap_err().code, "no-model");
}
