//! Where the model of a run is, and how it is asked there.

use std::sync::Arc;

use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::RunId;
use recspeed_types::api::RunStatus;
use serde_json::Value;

use super::{Origin, RunState, api, tab};

/// Who answers for a run's model. Questions and answers are those of the server's interface, wherever the model is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answerer {
    /// The server, which keeps the model.
    Server(RunId),
    /// The runner in this tab, which keeps that of its last run.
    Tab(RunId),
    /// Nobody any more: what was answered when the run was recorded.
    Recorded(Arc<Value>),
}

/// Whether a run's model can be asked.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answers {
    /// There is nothing to ask: the run has not finished, or it is not known yet.
    NotYet,
    /// There is no model any more, and why.
    Nobody(&'static str),
    /// It can be asked.
    From(Answerer),
}

/// Said of a stored run without a model.
const NOT_KEPT: &str = "This run can no longer be asked: the lab keeps the models of its newest runs, as far as there is room, and none of \
                        an example that came with it. Run the experiment again, in a tab or on the server, and ask that one.";

/// Said where the tab's runner ended while it was asked, or was thrown away.
const GONE: &str = "The runner in this tab has gone, and its model with it. Run the experiment again.";

impl RunState {
    /// Whether its model can be asked, and where.
    pub(crate) fn answers(&self) -> Answers {
        if self.status() != RunStatus::Finished {
            return Answers::NotYet;
        }
        let kept = self.record.with(|record| record.model);
        match (self.origin, &self.recorded, kept) {
            (Origin::Tab, ..) => Answers::From(Answerer::Tab(self.id())),
            (_, Some(recorded), _) => Answers::From(Answerer::Recorded(Arc::clone(recorded))),
            (_, None, Some(true)) => Answers::From(Answerer::Server(self.id())),
            (Origin::Server, None, Some(false)) => Answers::Nobody(NOT_KEPT),
            (Origin::Server, None, None) | (Origin::Showcase, None, _) => Answers::NotYet,
        }
    }
}

impl Answerer {
    /// Hears a `ModelInfo`, or why there is none.
    pub(crate) fn info(&self, hear: impl FnOnce(Result<Value, String>) + 'static) {
        match self {
            Self::Server(id) => {
                let id = id.clone();
                spawn_local(async move { hear(api::model(&id).await.map_err(|error| error.to_string())) });
            }
            Self::Tab(id) => tab::ask(id, None, move |reply| hear(read(reply, "info"))),
            Self::Recorded(recorded) => hear(Ok(recorded["model"].clone())),
        }
    }

    /// Hears `Recommendations` to a `RecommendRequest`, or why there are none.
    pub(crate) fn recommend(&self, question: &Value, hear: impl FnOnce(Result<Value, String>) + 'static) {
        match self {
            Self::Server(id) => {
                let (id, question) = (id.clone(), question.clone());
                spawn_local(async move {
                    hear(api::recommend(&id, &question).await.map_err(|error| error.to_string()));
                });
            }
            Self::Tab(id) => tab::ask(id, Some(&question.to_string()), move |reply| hear(read(reply, "answer"))),
            Self::Recorded(recorded) => hear(answer_of(recorded, &question["user"])),
        }
    }
}

/// What was answered about a user when the run was recorded.
fn answer_of(recorded: &Value, user: &Value) -> Result<Value, String> {
    let found = recorded["answers"].as_array().into_iter().flatten().find(|one| one["user"] == *user);
    found.map(|one| one["answer"].clone()).ok_or_else(|| {
        "Nothing was recorded about this user. Run the experiment in this tab, and ask its model.".to_owned()
    })
}

/// What the runner replies: the wanted thing, or a failure in words.
fn read(reply: Option<String>, wanted: &str) -> Result<Value, String> {
    let mut reply: Value = reply.and_then(|text| serde_json::from_str(&text).ok()).ok_or_else(|| GONE.to_owned())?;
    // What is no object has neither.
    if let Some(found) = reply.get_mut(wanted).filter(|found| !found.is_null()) {
        return Ok(found.take());
    }
    let told = |name: &str| reply.get("failure")?.get(name)?.as_str();
    let words = ["message", "remedy"].into_iter().filter_map(told);
    let words = words.collect::<Vec<_>>().join(" ");
    Err(if words.is_empty() { GONE.to_owned() } else { words })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_of_the_runner_is_the_wanted_thing_or_a_failure_with_its_remedy() {
        let of = |text: &str| read(Some(text.to_owned()), "answer");
        assert_eq!(of(r#"{"answer":{"items":[]}}"#), Ok(json!({ "items": [] })));
        let failure = r#"{"failure":{"code":"no-model","message":"It is another one.","remedy":"Run it again."}}"#;
        assert_eq!(of(failure), Err("It is another one. Run it again.".to_owned()));
        for gone in [None, Some(String::new()), Some(r#""ready""#.to_owned()), Some(r#"{"info":{}}"#.to_owned())] {
            assert_eq!(read(gone.clone(), "answer"), Err(GONE.to_owned()), "{gone:?}");
        }
    }

    #[test]
    fn what_was_recorded_answers_for_its_users_alone() {
        let recorded = json!({ "answers": [{ "user": "u", "answer": { "items": [1] } }] });
        assert_eq!(answer_of(&recorded, &json!("u")), Ok(json!({ "items": [1] })));
        for other in [json!("v"), Value::Null] {
            assert!(answer_of(&recorded, &other).is_err_and(|why| why.contains("Run the experiment")), "{other}");
        }
    }
}
