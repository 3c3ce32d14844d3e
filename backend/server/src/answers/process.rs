//! One worker that holds one model.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use recspeed_types::limits::MAX_EVENT_BYTES;
use recspeed_types::recommend::{RecommendReply, Recommendations};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::AskError;

/// A worker that waits for questions. Dropping it ends it.
pub(super) struct Process {
    _child: Child,
    questions: ChildStdin,
    replies: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a worker and waits until it has the model in memory.
    pub(super) async fn start(worker: &Path, model: &Path, patience: Duration) -> Result<Self, AskError> {
        let failed =
            |cause: std::io::Error| AskError::Worker(format!("{} cannot be started ({cause})", worker.display()));
        let mut child = Command::new(worker)
            .arg("recommend")
            .arg("--model")
            .arg(model)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let (Some(questions), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(AskError::Worker("it has no pipes".to_owned()));
        };
        let mut process = Self { _child: child, questions, replies: BufReader::new(replies) };
        match process.reply(patience).await? {
            RecommendReply::Ready => Ok(process),
            RecommendReply::Failure(failure) => Err(AskError::Refused(failure)),
            RecommendReply::Answer(_) => Err(AskError::Worker("it answered before it was asked".to_owned())),
        }
    }

    /// Puts a question, which is one line, and waits for its answer.
    pub(super) async fn ask(&mut self, question: &str, patience: Duration) -> Result<Recommendations, AskError> {
        let line = format!("{question}\n");
        let put = self.questions.write_all(line.as_bytes());
        tokio::time::timeout(patience, put)
            .await
            .map_err(|_| timed_out(patience))?
            .map_err(|cause| AskError::Worker(format!("it takes no question ({cause})")))?;
        match self.reply(patience).await? {
            RecommendReply::Answer(answer) => Ok(answer),
            RecommendReply::Failure(failure) => Err(AskError::Refused(failure)),
            RecommendReply::Ready => Err(AskError::Worker("it did not answer".to_owned())),
        }
    }

    async fn reply(&mut self, patience: Duration) -> Result<RecommendReply, AskError> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.replies).take(MAX_EVENT_BYTES as u64 + 1);
        let read = tokio::time::timeout(patience, bounded.read_until(b'\n', &mut line)).await;
        match read.map_err(|_| timed_out(patience))? {
            Ok(0) => Err(AskError::Worker("it ended without a word".to_owned())),
            Ok(_) if line.last() != Some(&b'\n') => {
                Err(AskError::Worker("its answer is cut off or too long".to_owned()))
            }
            Ok(_) => serde_json::from_slice(&line)
                .map_err(|error| AskError::Worker(format!("it said something else ({error})"))),
            Err(cause) => Err(AskError::Worker(format!("its answer cannot be read ({cause})"))),
        }
    }
}

fn timed_out(patience: Duration) -> AskError {
    AskError::TimedOut { seconds: patience.as_secs() }
}
