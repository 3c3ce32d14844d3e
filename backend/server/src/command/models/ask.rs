//! One question to a worker.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use recspeed_types::recommend::{RecommendReply, RecommendRequest, Recommendations};

use super::ModelCommandError;
use crate::command::run::WorkerError;

/// Starts a worker on the model, asks, and gives its answer.
pub(super) fn ask(
    worker: &Path,
    model: &Path,
    request: &RecommendRequest,
) -> Result<Recommendations, ModelCommandError> {
    let start = |source| WorkerError::Start { path: worker.display().to_string(), source };
    let mut child = Command::new(worker)
        .arg("recommend")
        .arg("--model")
        .arg(model)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(start)?;
    if let Some(mut stdin) = child.stdin.take() {
        let mut line = serde_json::to_vec(request).unwrap_or_default();
        line.push(b'\n');
        // One line is less than a pipe holds. A worker that has gone says so by its answer, or by none.
        let _ = stdin.write_all(&line);
    }
    let output = child.wait_with_output().map_err(start)?;
    let mut said = "it printed nothing".to_owned();
    for line in output.stdout.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(RecommendReply::Ready) => {}
            Ok(RecommendReply::Answer(answer)) => return Ok(answer),
            Ok(RecommendReply::Failure(failure)) => return Err(ModelCommandError::Refused(Box::new(failure))),
            Err(error) => said = error.to_string(),
        }
    }
    Err(ModelCommandError::Silent(format!("{}, {said}", output.status)))
}
