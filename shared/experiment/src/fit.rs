//! From a recommender's name to a recommender that has learnt.

use recspeed_neural::{Elsewhere, Failure, NeuralDevice, NeuralFitError, Seat, fit_ranked, how_trained};
use recspeed_parallel::{AnyTransport, CommError, Communicator, Crew, FirstTask, RankFailure, Task};
use recspeed_recommenders::{FitError, FitRequest, TrainSet, races};
use recspeed_types::event::{MeasuredOn, MemoryBytes};
use recspeed_types::spec::{ResolvedSpec, Strategy};
use recspeed_types::summary::TrainingInfo;
use recspeed_types::{EventKind, FailureCode, FitObserver, Unobserved, sentence};

use crate::components::{Here, foretell_component, refuse_on_its_device, training_of};
use crate::model::{Model, NeuralRecommender};
use crate::run::Prepared;
use crate::wordless::takes_attributes;
use crate::{Host, RunFailure};

/// A recommender that has learnt, and how that went.
pub(crate) struct Fitted {
    pub(crate) model: Model,
    pub(crate) training: Option<TrainingInfo>,
    /// Where another framework trained, how.
    pub(crate) elsewhere: Option<Elsewhere>,
    /// Whether threads raced for the same numbers: another fit differs a little.
    pub(crate) raced: bool,
    /// What the first rank of a network's training held, by its own account, each part at its most; `None` where nobody told.
    pub(crate) ledger: Option<MemoryBytes>,
}

impl Fitted {
    /// Steps and epochs taken, for the events of the evaluation.
    pub(crate) fn steps(&self) -> (u64, f64) {
        self.training.as_ref().map_or((0, 0.0), |t| (t.steps, f64::from(t.epochs)))
    }
}

/// Fits to the training rows; known users are then answered from all that is known before the rows that are measured.
pub(crate) fn fit(spec: &ResolvedSpec, data: &Prepared, host: &mut dyn Host) -> Result<Fitted, RunFailure> {
    let mut fitted = match &spec.training {
        Some(training) if spec.recommender.entry.is_trained() => fit_network(spec, training, data, host)?,
        _ => fit_classical(spec, data, host)?,
    };
    // Not before the end: whatever was learnt on the way was learnt from answers that had read the training rows alone.
    if data.known_rows != data.fit_rows {
        let mut watch = LossWatch { host, last: None, ledger: None, worked: false };
        let read = fitted.model.read(&data.interactions, &data.known_rows, &mut watch);
        read.map_err(|error| classical_failure(error).after_work())?;
    }
    Ok(fitted)
}

fn fit_network(
    spec: &ResolvedSpec,
    training: &recspeed_types::spec::Training,
    data: &Prepared,
    host: &mut dyn Host,
) -> Result<Fitted, RunFailure> {
    let reference = spec.engine.kind.is_reference();
    let crew = (!spec.strategy.is_single() && !reference).then(|| host.crew(&spec.strategy));
    let mut trainer = reference.then(|| host.trainer(spec)).transpose()?;
    let ranks = if reference { 1 } else { spec.strategy.ranks as usize };
    let devices = (0..ranks.max(1)).map(|rank| host.device(spec, rank)).collect::<Result<Vec<_>, _>>()?;
    let told = host.told_steps();
    let mut watch = LossWatch { host, last: None, ledger: None, worked: false };
    let rows = |rows| recspeed_neural::Rows { interactions: &data.interactions, rows };
    let request = recspeed_neural::FitRequest {
        recommender: &spec.recommender,
        training,
        train: rows(&data.fit_rows),
        validation: rows(&data.steer_rows),
        item_attributes: data.item_attributes.as_ref(),
        user_attributes: data.user_attributes.as_ref(),
        threshold: spec.evaluation.threshold,
        seed: spec.seed,
        device: devices[0].clone(),
    };
    let fitted = match crew {
        None if let Some(trainer) = &mut trainer => {
            recspeed_neural::fit_elsewhere(&request, trainer.as_mut(), &mut watch).map_err(neural_failure)?
        }
        None => recspeed_neural::fit(&request, &mut watch).map_err(neural_failure)?,
        Some(crew) => fit_divided((&request, &devices), (&spec.strategy, told), crew.as_ref(), &mut watch)?,
    };
    let network = NeuralRecommender {
        model: fitted.model,
        n_users: data.interactions.n_users(),
        n_items: data.interactions.n_items(),
    };
    let training = Some(TrainingInfo { begun: fitted.begun, ..fitted.info });
    let (model, ledger) = (Model::Network(network), watch.ledger);
    Ok(Fitted { model, training, elsewhere: fitted.elsewhere, raced: false, ledger })
}

/// Every rank runs the same training over the same batches and takes its part of each step; the first one is heard.
/// `told`: of how many steps they tell what they did.
fn fit_divided(
    (request, devices): (&recspeed_neural::FitRequest<'_>, &[NeuralDevice]),
    (strategy, told): (&Strategy, u32),
    crew: &dyn Crew,
    observer: &mut dyn FitObserver,
) -> Result<recspeed_neural::Fitted, RunFailure> {
    let mut ended = None;
    let heard = &mut ended;
    let first: FirstTask<'_> = Box::new(move |communicator| {
        Box::pin(async move {
            let result = fit_ranked(request, Seat { communicator, strategy, told }, observer).await;
            let failed = result.as_ref().map(|_| ()).map_err(|error| rank_failure(0, error));
            *heard = Some(result);
            failed
        })
    });
    let others = |communicator: Communicator<AnyTransport>| -> Task<'_> {
        let rank = communicator.rank();
        Box::pin(async move {
            let seat = Seat { communicator, strategy, told };
            let request = recspeed_neural::FitRequest { device: devices[rank].clone(), ..request.clone() };
            fit_ranked(&request, seat, &mut Unobserved).await.map(|_| ()).map_err(|error| rank_failure(rank, &error))
        })
    };
    let all = crew.run(strategy.ranks as usize, first, &others);
    let follows = |error: &NeuralFitError| matches!(error, NeuralFitError::Ranks(CommError::PeerEnded { .. }));
    match (ended, all) {
        (Some(Ok(fitted)), Ok(())) => Ok(fitted),
        // What the first rank says of itself is more exact than what can be told of it; where others have found it hanging, it says
        // nothing of itself.
        (Some(Err(error)), Err(failure)) if failure.follows || (failure.rank == 0 && !follows(&error)) => {
            Err(neural_failure(error))
        }
        (_, Err(failure)) => {
            let cause = sentence(&failure.to_string());
            Err(RunFailure::new(FailureCode::Worker, cause).with_detail(failure.detail))
        }
        (ended, Ok(())) => {
            let error = ended.and_then(Result::err).map_or_else(String::new, |error| error.to_string());
            Err(RunFailure::new(FailureCode::Internal, "The first rank ended without a model.").with_detail(error))
        }
    }
}

/// What a rank's error says of the ranks.
fn rank_failure(rank: usize, error: &NeuralFitError) -> RankFailure {
    match error {
        // It names the rank that has failed, which need not be the one that tells it: of one that hangs another one does. Who tells it
        // says that a rank has failed, and so does whoever needs that rank.
        NeuralFitError::Ranks(cause) => cause.clone().into(),
        // Numbers that are not finite, and a stop, come to all ranks at once: the first one tells.
        error => RankFailure { follows: rank > 0, ..RankFailure::new(rank, error.to_string()) },
    }
}

fn fit_classical(spec: &ResolvedSpec, data: &Prepared, host: &mut dyn Host) -> Result<Fitted, RunFailure> {
    let train = TrainSet::new(&data.interactions, &data.fit_rows)
        .with_attributes(data.item_attributes.as_ref(), data.user_attributes.as_ref())
        .with_attributes_taken(takes_attributes(spec))
        .with_validation(&data.steer_rows)
        .with_known(&data.known_rows);
    let device = host.device(spec, 0)?;
    let here = Here::of(spec, host);
    let mut watch = LossWatch { host, last: None, ledger: None, worked: false };
    let foretell = |request: &FitRequest<'_>| foretell_component(spec, request, &here);
    let networks = |request: &FitRequest<'_>, observer: &mut dyn FitObserver| {
        refuse_on_its_device(spec, request, &here)?;
        fit_component(spec, &device, request, observer)
    };
    let training = spec.training.as_ref();
    let trained = training.map(|training| how_trained(&spec.recommender, training, spec.evaluation.threshold));
    let request = FitRequest {
        recommender: &spec.recommender,
        data: &train,
        seed: spec.seed,
        elsewhere: &networks,
        foretell: &foretell,
        permutes: !spec.features.permute.is_empty(),
        stops_early: training.is_some_and(|training| training.early_stopping.is_some()),
        trained: trained.as_ref(),
    };
    let fitted = recspeed_recommenders::fit_request(&request, &mut watch).map_err(classical_failure);
    let recommender = fitted.map_err(|failure| if watch.worked { failure.after_work() } else { failure })?;
    let training = watch.last.map(|(step, epoch, loss)| TrainingInfo {
        epochs: epoch as u32,
        steps: step,
        final_loss: loss,
        best_epoch: None,
        stopped_early: false,
        parameters: recommender.parameters(),
        begun: None,
    });
    let raced = races(&spec.recommender, &train);
    Ok(Fitted { model: Model::Classical(recommender), training, elsewhere: None, raced, ledger: watch.ledger })
}

/// A network as a component of a hybrid.
fn fit_component(
    spec: &ResolvedSpec,
    device: &NeuralDevice,
    request: &FitRequest<'_>,
    observer: &mut dyn FitObserver,
) -> recspeed_recommenders::Fitted {
    let entry = request.recommender.entry;
    let Some(training) = training_of(spec, request.recommender) else {
        return Err(FitError::NotHere { kind: entry.kind });
    };
    let rows = |rows| recspeed_neural::Rows { interactions: request.data.interactions, rows };
    let network = recspeed_neural::FitRequest {
        recommender: request.recommender,
        training: &training,
        train: rows(request.data.rows),
        validation: rows(request.data.validation),
        item_attributes: request.data.item_attributes,
        user_attributes: request.data.user_attributes,
        threshold: spec.evaluation.threshold,
        seed: request.seed,
        device: device.clone(),
    };
    let fitted = recspeed_neural::fit(&network, observer).map_err(|error| match (error.code(), error) {
        (FailureCode::Cancelled, _) => FitError::Interrupted { done: 0, total: training.epochs.into(), unit: "epochs" },
        (_, NeuralFitError::Checkpoint(error)) => FitError::Checkpoint(error),
        (code, error) => FitError::Elsewhere { code, message: error.to_string(), refusal: error.refusal() },
    })?;
    let (n_users, n_items) = (request.data.n_users(), request.data.n_items());
    Ok(Box::new(NeuralRecommender { model: fitted.model, n_users, n_items }))
}

/// A fit knows its own tensors; the host adds what the operating system says of the first rank's process. Another rank has said
/// that of its own, where it has one.
fn with_allocator(event: EventKind, host: &dyn Host) -> EventKind {
    match event {
        EventKind::Memory { rank: 0, bytes } => {
            let process = host.memory();
            EventKind::Memory {
                rank: 0,
                bytes: MemoryBytes { allocator_total: process.now, peak: process.peak, ..bytes },
            }
        }
        other => other,
    }
}

/// Passes events on and remembers the last training loss, which the summary repeats.
struct LossWatch<'a> {
    host: &'a mut dyn Host,
    last: Option<(u64, f64, f64)>,
    /// What the first rank has told of its ledger, each part at its most.
    ledger: Option<MemoryBytes>,
    /// Whether anything was done yet: what is refused now was not refused before any work.
    worked: bool,
}

impl FitObserver for LossWatch<'_> {
    fn event(&mut self, event: EventKind) {
        self.worked |= matches!(event, EventKind::Progress { done: 1.., .. } | EventKind::Metric { .. });
        if let EventKind::Metric { name, split: MeasuredOn::Train, step, epoch, value } = &event
            && name == "loss"
        {
            self.last = Some((*step, *epoch, *value));
        }
        if let EventKind::Memory { rank: 0, bytes } = &event {
            let before = self.ledger.unwrap_or_default();
            self.ledger = Some(MemoryBytes {
                gradients: before.gradients.max(bytes.gradients),
                optimizer: before.optimizer.max(bytes.optimizer),
                host: before.host.max(bytes.host),
                activations: before.activations.max(bytes.activations),
                ..before
            });
        }
        self.host.event(with_allocator(event, self.host));
    }
    fn stop_requested(&mut self) -> bool {
        self.host.stop_requested()
    }
    fn memory_left(&self) -> Option<u64> {
        Some(self.host.memory_limit()?.saturating_sub(self.host.memory().now))
    }
    fn checkpoint(&mut self, step: u64, state: &mut dyn FnMut() -> Vec<u8>) {
        self.host.checkpoint(step, state);
    }
    fn keeps_checkpoints(&self) -> bool {
        self.host.checkpoints().writes
    }
    fn wants_checkpoint(&mut self) -> bool {
        self.host.wants_checkpoint()
    }
    fn take_resume_state(&mut self) -> Option<Vec<u8>> {
        self.host.take_resume_state()
    }
}

pub(crate) fn classical_failure(error: FitError) -> RunFailure {
    // Memory that could not be had in the middle of a fit was not foreseen: it has no time.
    let is_refusal = matches!(
        error.root(),
        FitError::NoRows
            | FitError::NotHere { .. }
            | FitError::Needs { .. }
            | FitError::NoAttribute { .. }
            | FitError::NoWords { .. }
            | FitError::NoProfiles { .. }
            | FitError::NameTaken { .. }
            | FitError::NobodyLikes { .. }
            | FitError::NoValidation
            | FitError::Unaffordable { seconds: Some(_), .. }
            | FitError::Together { .. }
            | FitError::Elsewhere { refusal: Some(_), .. }
    );
    let code = match error.root() {
        FitError::Interrupted { .. } => return RunFailure::cancelled(),
        FitError::Elsewhere { code, .. } => *code,
        FitError::NoRows
        | FitError::NotHere { .. }
        | FitError::Needs { .. }
        | FitError::NoAttribute { .. }
        | FitError::NoWords { .. }
        | FitError::NoProfiles { .. }
        | FitError::NameTaken { .. }
        | FitError::NobodyLikes { .. }
        | FitError::NoValidation
        | FitError::Component { .. } => FailureCode::InvalidSpec,
        FitError::Unaffordable { .. } | FitError::Together { .. } => FailureCode::OutOfMemory,
        FitError::NegativeWeight { .. } | FitError::NegativeRating { .. } => FailureCode::Data,
        FitError::Diverged { .. } | FitError::NotPositiveDefinite { .. } => FailureCode::Diverged,
        FitError::Checkpoint { .. } => FailureCode::Checkpoint,
    };
    let failure = RunFailure::new(code, sentence(&error.to_string()));
    if is_refusal { failure.refused(error.instead()) } else { failure }
}

fn neural_failure(error: NeuralFitError) -> RunFailure {
    match error {
        _ if error.code() == FailureCode::Cancelled => RunFailure::cancelled(),
        NeuralFitError::Elsewhere(Failure { code, cause, detail }) => RunFailure::new(code, cause).with_detail(detail),
        error => {
            let detail = if let NeuralFitError::Ranks(cause) = &error { cause.detail() } else { String::new() };
            let failure = RunFailure::new(error.code(), sentence(&error.to_string())).with_detail(detail);
            match error.refusal() {
                Some(instead) => failure.refused(instead),
                None => failure,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_parallel::{Chain, ChainEnd, Operation, OperationKind, Tag, Waiting, Why};

    #[test]
    fn a_time_out_is_the_failure_of_the_rank_that_hangs_and_not_of_the_one_that_gives_up() {
        let tag = Tag::new("gradient", 3);
        let waiting = Waiting { rank: 0, from: 1, tag };
        let last = vec![Operation { kind: OperationKind::Send, peer: 1, tag, bytes: 8, members: None }];
        let end = ChainEnd::Rank { rank: 2, why: Why::Busy, last: None };
        let chain = Box::new(Chain { waits: Vec::new(), end });
        let error = NeuralFitError::Ranks(CommError::Timeout { waiting, seconds: 20, last, chain });
        let failure = rank_failure(0, &error);
        assert_eq!((failure.rank, failure.follows), (2, false));
        assert!(failure.cause.starts_with("rank 2 hangs"), "{failure}");
        let told = "Operations of rank 0, the newest last:\n  sent to rank 1 (gradient 3, 8 bytes)";
        assert_eq!((failure.detail.as_str(), neural_failure(error).detail.as_str()), (told, told));

        // Of what comes to all ranks the first one tells.
        let stopped = NeuralFitError::Interrupted { step: 3 };
        for (rank, follows) in [(0, false), (1, true)] {
            let failure = rank_failure(rank, &stopped);
            assert_eq!((failure.rank, failure.follows), (rank, follows));
        }
    }
}
