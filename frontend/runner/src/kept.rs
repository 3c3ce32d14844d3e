//! The model of the last run in this tab, which can be asked until another run begins.

use std::cell::RefCell;

use recspeed_experiment::{Answering, LastModel};
use recspeed_types::RunId;
use serde_json::json;

thread_local! {
    static KEPT: RefCell<LastModel> = const { RefCell::new(LastModel::empty()) };
}

/// Lets the model go: the run that begins needs the memory.
pub(crate) fn forget() {
    KEPT.with_borrow_mut(LastModel::forget);
}

/// Keeps the model of a run that has finished.
pub(crate) fn keep(run: RunId, answering: Result<Answering, String>) {
    KEPT.with_borrow_mut(|kept| kept.keep(run, answering));
}

/// What somebody needs to know who asks, where there is no question: `{ "info": … }` or `{ "failure": … }`; otherwise the reply of a
/// server's worker.
pub(crate) fn reply(run: &str, question: Option<&str>) -> String {
    KEPT.with_borrow(|kept| match question {
        Some(question) => json!(kept.reply_to(run, question.as_bytes())),
        None => match kept.info(run) {
            Ok(info) => json!({ "info": info }),
            Err(failure) => json!({ "failure": failure }),
        },
    })
    .to_string()
}
