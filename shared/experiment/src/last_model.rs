//! The model of the last run, kept in memory by a host that has no disk.

use recspeed_types::RunId;
use recspeed_types::api::ApiFailure;
use recspeed_types::recommend::{ModelInfo, RecommendReply, failure};

use crate::Answering;

/// Ids of users that it names, so that one of them can be drawn.
const NAMED: usize = 200;

/// The model of the last run, and no other: however many runs there are, the memory of one model is held.
#[derive(Default)]
pub struct LastModel(Option<(RunId, Result<Answering, String>)>);

impl LastModel {
    /// Nothing kept.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Lets the model go: the run that begins needs the memory.
    pub fn forget(&mut self) {
        self.0 = None;
    }

    /// Keeps the model of a run that has finished, in place of any other; or why there is none.
    pub fn keep(&mut self, run: RunId, answering: Result<Answering, String>) {
        self.0 = Some((run, answering));
    }

    /// What somebody needs to know who asks the model of this run.
    ///
    /// # Errors
    /// A failure: the run is not the last one, or left no model.
    pub fn info(&self, run: &str) -> Result<ModelInfo, ApiFailure> {
        self.of(run).map(|answering| answering.info(NAMED))
    }

    /// Answers a question as JSON about the model of this run, in the words of a server's worker.
    pub fn reply_to(&self, run: &str, question: &[u8]) -> RecommendReply {
        match self.of(run) {
            Ok(answering) => answering.reply_to(question),
            Err(failure) => RecommendReply::Failure(failure),
        }
    }

    fn of(&self, run: &str) -> Result<&Answering, ApiFailure> {
        let no_model = |message: String, remedy: &str| failure("no-model", message, Some(remedy.to_owned()));
        match &self.0 {
            Some((kept, Ok(answering))) if kept.as_str() == run => Ok(answering),
            Some((kept, Err(reason))) if kept.as_str() == run => {
                Err(no_model(format!("The model cannot be asked: {reason}."), "Run the experiment on the server."))
            }
            _ => Err(no_model(
                "A tab keeps the model of its last finished run alone, and this is another one.".to_owned(),
                "Run the experiment again.",
            )),
        }
    }
}
