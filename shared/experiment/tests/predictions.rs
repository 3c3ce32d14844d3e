//! What a stored model predicts for the rows of its own split.

mod desk;

use desk::{predictions_of, whole};
use recspeed_experiment::{Model, SplitPart, Stored, StoredPredictions};
use recspeed_metrics::rating;
use recspeed_types::ExperimentSpec;

fn frame(features: &str, recommender: &str, more: &str) -> String {
    format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"random\"\n\
         validation_ratio = 0.1\n[features]\n{features}\n[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"rmse\"]\n{more}"
    )
}

/// The value that a run gave, and what its model says afterwards of a part of its split.
fn asked(text: &str, part: SplitPart) -> (f64, StoredPredictions) {
    let outcome = whole(None, text, None).0.unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    let resolved = ExperimentSpec::from_toml(text).unwrap().resolve().unwrap();
    let model = Model::restore(&resolved, outcome.model.as_recommender().parts()).expect("its own parts");
    let (users, items) = (outcome.interactions.users, outcome.interactions.items);
    let stored = Stored { model, users, items, sha256: outcome.summary.data.sha256 };
    let told = predictions_of(text, &stored, part).unwrap_or_else(|failure| panic!("{failure}\n{text}"));
    (outcome.summary.metrics["rmse"], told)
}

fn rmse(told: &StoredPredictions) -> f64 {
    rating::rmse(&told.predictions, &told.rows.rating).unwrap()
}

#[test]
fn what_is_exported_is_what_was_measured_with_all_that_features_takes_away_and_deals_out() {
    let network = "kind = \"mlp\"\n[training]\nepochs = 1";
    let hybrid = "kind = \"weighted\"\ncomponents = [{ kind = \"bias\" }, { kind = \"fm\", iterations = 5 }]";
    for (features, recommender) in [
        ("", network),
        ("drop = [\"time\"]", network),
        ("drop = [\"time\"]\nshuffle = [\"item\"]", network),
        ("shuffle = [\"user\"]", "kind = \"bias\""),
        ("drop = [\"items.category\"]\nshuffle = [\"items.brand\"]\nderive = [\"item-count\"]", hybrid),
    ] {
        let text = frame(features, recommender, "");
        let (measured, told) = asked(&text, SplitPart::Test);
        assert!(told.of_ratings, "{text}");
        assert_eq!(rmse(&told), measured, "{text}");
        // The rows themselves keep what only the model was not told.
        assert!(told.rows.timestamp.iter().any(|time| *time != 0), "{text}");
        // Other rows are asked about in the same way.
        let (_, learnt) = asked(&text, SplitPart::Train);
        assert!(learnt.rows.len() > told.rows.len() && learnt.predictions.len() == learnt.rows.len(), "{text}");
    }
}

#[test]
fn the_rows_of_a_run_that_was_measured_on_its_validation_are_those() {
    let text = frame("shuffle = [\"item\"]", "kind = \"bias\"", "on = \"validation\"\n");
    let (measured, told) = asked(&text, SplitPart::Validation);
    assert_eq!(rmse(&told), measured);
}
