//! The run that a first visit shows is what this program gives, and worth showing: it has a curve, beats the baseline beside it, and its
//! model recommends something for a reason.

mod desk;

use std::path::Path;

use recspeed_types::recommend::{RecommendReply, Recommendations};
use recspeed_types::{EventKind, ExperimentSpec};
use serde_json::{Value, json};

fn recorded() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../backend/server/showcase/01-implicit-als.json");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("a recorded run")
}

/// Items of two lists at each place, the same but where two scores lie within rounding of each other.
fn is_same_list(left: &Recommendations, right: &Recommendations) -> bool {
    let same = |(left, right): (&recspeed_types::recommend::Recommended, &recspeed_types::recommend::Recommended)| {
        (left.item == right.item || (left.score - right.score).abs() < 1e-4) && (left.score - right.score).abs() < 1e-3
    };
    left.items.len() == right.items.len() && left.items.iter().zip(&right.items).all(same) && left.has == right.has
}

#[test]
fn what_a_first_visit_shows_is_what_this_program_gives_and_beats_the_baseline_beside_it() {
    let recorded = recorded();
    let summary = &recorded["record"]["summary"];
    let spec = ExperimentSpec::from_value(recorded["record"]["spec"].clone()).unwrap();
    let (outcome, events) = desk::whole(None, &spec.to_toml(), None);
    let outcome = outcome.unwrap_or_else(|failure| panic!("{failure}"));
    let losses =
        events.iter().filter(|event| matches!(event, EventKind::Metric { name, .. } if name == "loss")).count();
    assert!(losses > 10, "a curve of {losses} points");
    let near = |left: f64, right: &Value| (left - right.as_f64().unwrap()).abs() < 1e-3;
    for (name, value) in &outcome.summary.metrics {
        assert!(near(*value, &summary["metrics"][name]), "{name} is {value}; recorded: {}", summary["metrics"][name]);
    }
    let popularity = &outcome.summary.evaluation.baselines["popularity"];
    for (name, value) in popularity {
        let told = &summary["evaluation"]["baselines"]["popularity"][name];
        assert!(told.is_f64() && near(*value, told), "{name}: record the example anew, see backend/server/showcase");
        assert!(outcome.summary.metrics[name] > *value, "{name}: popularity is as good");
    }
    assert_eq!(popularity.len(), 3, "{popularity:?}");

    let (_, answering) = outcome.into_answering(&spec.resolve().unwrap());
    let answering = answering.unwrap();
    let answers = recorded["asked"]["answers"].as_array().unwrap();
    assert!((3..=5).contains(&answers.len()), "{} users", answers.len());
    assert_eq!(json!(answering.info(5).users), recorded["asked"]["model"]["users"]);
    for one in answers {
        let shown: Recommendations = serde_json::from_value(one["answer"].clone()).unwrap();
        let question = json!({ "user": one["user"], "k": shown.items.len(), "explain": true });
        let RecommendReply::Answer(given) = answering.reply_to(question.to_string().as_bytes()) else {
            panic!("{question}");
        };
        assert!(is_same_list(&shown, &given), "record the example anew: {shown:?} {given:?}");
        assert!(given.items.len() == 5 && given.items.iter().all(|item| !item.reasons.is_empty()), "{given:?}");
        assert!(!given.has.is_empty(), "{given:?}");
    }
}
