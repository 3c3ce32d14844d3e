//! `recspeed-worker recommend`: answers from a saved model, one question a line, until nobody asks any more.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use recspeed_experiment::{Answering, Asked, Model};
use recspeed_models::{ModelError, SavedModel};
use recspeed_types::api::ApiFailure;
use recspeed_types::limits::MAX_EVENT_BYTES;
use recspeed_types::recommend::{RecommendReply, failure};
use recspeed_types::{FailureCode, sentence};

use crate::output::complain;

/// Reads the model, says that it is ready, answers each line of standard input by one of standard output.
pub(crate) fn serve(dir: &Path) -> ExitCode {
    let answering = match open(dir) {
        Ok(answering) => answering,
        Err(failure) => {
            complain(format_args!("recspeed-worker: {}", failure.message));
            say(&RecommendReply::Failure(failure));
            return ExitCode::from(FailureCode::Data.exit_status());
        }
    };
    if !say(&RecommendReply::Ready) {
        return ExitCode::SUCCESS;
    }
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        match input.by_ref().take(MAX_EVENT_BYTES as u64 + 1).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return ExitCode::SUCCESS,
            Ok(_) if line.len() > MAX_EVENT_BYTES => {
                let message = format!("The question is longer than {MAX_EVENT_BYTES} bytes.");
                say(&RecommendReply::Failure(failure("invalid-request", message, None)));
                return ExitCode::from(FailureCode::InvalidSpec.exit_status());
            }
            Ok(_) => {}
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        if !say(&answering.reply_to(&line)) {
            return ExitCode::SUCCESS;
        }
    }
}

/// Whether somebody still listens.
fn say(reply: &RecommendReply) -> bool {
    let line = serde_json::to_string(reply).unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).is_ok()
}

fn open(dir: &Path) -> Result<Answering, ApiFailure> {
    let in_words = |error: &ModelError| {
        let words = error.to_string();
        // A path is written as it is.
        if words.starts_with(&*dir.to_string_lossy()) { format!("{words}.") } else { sentence(&words) }
    };
    let SavedModel { manifest, users, items, titles, known, parts } = recspeed_models::load(dir).map_err(|error| {
        let code = if matches!(error, ModelError::NotThere { .. }) { "no-model" } else { "damaged-model" };
        failure(code, in_words(&error), None)
    })?;
    let unusable = |reason: String| {
        let message = format!("The model in {} cannot be used: {reason}.", dir.display());
        failure("damaged-model", message, Some("Run its experiment again.".to_owned()))
    };
    let spec = manifest.spec.resolve().map_err(|errors| {
        let first = errors.0.first().map(ToString::to_string).unwrap_or_default();
        unusable(format!("this version of the lab reads its spec differently ({first})"))
    })?;
    let model = Model::restore(&spec, parts).map_err(|error| unusable(error.to_string()))?;
    let (liked_rating, rating_scale) = (manifest.liked_rating, manifest.rating_scale);
    let asked = Asked { users, items, titles, known, liked_rating, rating_scale };
    Answering::new(model, &spec, asked).map_err(unusable)
}
