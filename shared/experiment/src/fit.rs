//! From a recommender's name to a recommender that has learnt.

use recspeed_neural::NeuralFitError;
use recspeed_recommenders::{FitError, TrainSet};
use recspeed_types::event::{MeasuredOn, MemoryBytes};
use recspeed_types::spec::ResolvedSpec;
use recspeed_types::summary::TrainingInfo;
use recspeed_types::{EventKind, FailureCode, FitObserver};

use crate::model::{Model, NeuralRecommender};
use crate::run::Prepared;
use crate::{Host, RunFailure};

/// A recommender that has learnt, and how that went.
pub(crate) struct Fitted {
    pub(crate) model: Model,
    pub(crate) training: Option<TrainingInfo>,
}

impl Fitted {
    /// Steps and epochs taken, for the events of the evaluation.
    pub(crate) fn steps(&self) -> (u64, f64) {
        self.training.as_ref().map_or((0, 0.0), |t| (t.steps, f64::from(t.epochs)))
    }
}

pub(crate) fn fit(spec: &ResolvedSpec, data: &Prepared, host: &mut dyn Host) -> Result<Fitted, RunFailure> {
    match &spec.training {
        Some(training) => fit_network(spec, training, data, host),
        None => fit_classical(spec, data, host),
    }
}

fn fit_network(
    spec: &ResolvedSpec,
    training: &recspeed_types::spec::Training,
    data: &Prepared,
    host: &mut dyn Host,
) -> Result<Fitted, RunFailure> {
    let mut watch = LossWatch { host, last: None };
    let rows = |rows| recspeed_neural::Rows { interactions: &data.interactions, rows };
    let fitted = recspeed_neural::fit(
        &spec.recommender,
        training,
        rows(&data.fit_rows),
        rows(&data.steer_rows),
        spec.seed,
        recspeed_neural::NeuralDevice::default(),
        &mut watch,
    )
    .map_err(neural_failure)?;
    let network = NeuralRecommender {
        model: fitted.model,
        n_users: data.interactions.n_users(),
        n_items: data.interactions.n_items(),
    };
    Ok(Fitted { model: Model::Network(network), training: Some(fitted.info) })
}

fn fit_classical(spec: &ResolvedSpec, data: &Prepared, host: &mut dyn Host) -> Result<Fitted, RunFailure> {
    let train = TrainSet::new(&data.interactions, &data.fit_rows)
        .with_attributes(data.item_attributes.as_ref(), data.user_attributes.as_ref());
    let mut watch = LossWatch { host, last: None };
    let recommender =
        recspeed_recommenders::fit(&spec.recommender, &train, spec.seed, &mut watch).map_err(classical_failure)?;
    let training = watch.last.map(|(step, epoch, loss)| TrainingInfo {
        epochs: epoch as u32,
        steps: step,
        final_loss: loss,
        best_epoch: None,
        stopped_early: false,
        parameters: recommender.parameters(),
    });
    Ok(Fitted { model: Model::Classical(recommender), training })
}

/// A fit knows its own tensors; the host adds what the operating system says.
fn with_allocator(event: EventKind, host: &dyn Host) -> EventKind {
    match event {
        EventKind::Memory { rank, bytes } => {
            let process = host.memory();
            EventKind::Memory { rank, bytes: MemoryBytes { allocator_total: process.now, peak: process.peak, ..bytes } }
        }
        other => other,
    }
}

/// Passes events on and remembers the last training loss, which the summary repeats.
struct LossWatch<'a> {
    host: &'a mut dyn Host,
    last: Option<(u64, f64, f64)>,
}

impl FitObserver for LossWatch<'_> {
    fn event(&mut self, event: EventKind) {
        if let EventKind::Metric { name, split: MeasuredOn::Train, step, epoch, value } = &event
            && name == "loss"
        {
            self.last = Some((*step, *epoch, *value));
        }
        self.host.event(with_allocator(event, self.host));
    }
    fn stop_requested(&mut self) -> bool {
        self.host.stop_requested()
    }
    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.host.checkpoint(step, state);
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.host.take_resume_state()
    }
}

fn classical_failure(error: FitError) -> RunFailure {
    let code = match &error {
        FitError::Interrupted { .. } => return RunFailure::cancelled(),
        FitError::NoRows | FitError::NotHere { .. } | FitError::Needs { .. } | FitError::NoAttribute { .. } => {
            FailureCode::InvalidSpec
        }
        FitError::OutOfMemory { .. } => FailureCode::OutOfMemory,
        FitError::NegativeWeight { .. } | FitError::NegativeRating { .. } => FailureCode::Data,
        FitError::Diverged { .. } => FailureCode::Diverged,
        FitError::Checkpoint { .. } => FailureCode::Checkpoint,
    };
    RunFailure::new(code, sentence(&error.to_string()))
}

fn neural_failure(error: NeuralFitError) -> RunFailure {
    match error.code() {
        FailureCode::Cancelled => RunFailure::cancelled(),
        code => RunFailure::new(code, sentence(&error.to_string())),
    }
}

/// An error's words as a sentence of their own.
fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}
