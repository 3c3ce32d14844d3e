//! From a spec to a network that has learnt.

use recspeed_data::parts::{Parts, PartsError};
use recspeed_types::spec::ResolvedRecommender;
use recspeed_types::{FailureCode, FitObserver};

use crate::elsewhere::{Failure, Trainer};
use crate::method::{METHODS, method};
use crate::{FitRequest, Fitted, NeuralDevice, NeuralFitError, NeuralModel, Seat};

/// The kinds of the catalogue that [`fit`] trains.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|method| method.kind)
}

/// Whether [`fit`] trains this kind.
pub fn is_network(kind: &str) -> bool {
    method(kind).is_some()
}

/// Trains the network that the request names.
///
/// Without early stopping the weights after the last epoch are kept; with it, those of the best epoch on the validation
/// rows: by loss for networks that predict ratings or liking, by NDCG@10 for those that rank.
///
/// `observer` hears the loss (`loss`, train: means over windows of batches, about 200 a run; `epoch-loss`, train; with
/// validation rows also what the network is judged by, validation, each epoch), progress in batches and the bytes held. It
/// is asked between batches whether to stop, and offered a checkpoint after each epoch and when it stops the training;
/// resuming from any of them ends in the same bits as never having stopped.
///
/// # Errors
/// [`NeuralFitError`]: not a network, no rows, a rating that is not finite, data that lack what it needs, too large for this
/// machine, diverged, interrupted, or a checkpoint of something else.
pub fn fit(request: &FitRequest<'_>, observer: &mut dyn FitObserver) -> Result<Fitted, NeuralFitError> {
    let kind = request.recommender.entry.kind;
    let Some(method) = method(kind) else {
        let known = kinds().collect::<Vec<_>>().join(", ");
        return Err(NeuralFitError::NotANetwork { kind: kind.to_owned(), known });
    };
    request.check()?;
    (method.fit)(request, observer)
}

/// [`fit`] on one of several ranks, each of which calls it with the same request and its own seat. The first
/// one ends with the whole model, the others with one that answers nothing; only the observer of the first one hears, checkpoints and stops.
///
/// # Errors
/// As [`fit`]; also where the network is no row of layers, the strategy does not fit it, or another rank has failed.
pub async fn fit_ranked(
    request: &FitRequest<'_>,
    seat: Seat<'_>,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let kind = request.recommender.entry.kind;
    let Some(fit) = method(kind).and_then(|method| method.fit_ranked) else {
        let able = METHODS.iter().filter(|method| method.fit_ranked.is_some()).map(|method| method.kind);
        let able = able.collect::<Vec<_>>().join(", ");
        return Err(NeuralFitError::Strategy(format!("`{kind}` is no row of layers; those that are: {able}")));
    };
    request.check()?;
    fit(request, seat, observer).await
}

/// [`fit`] by another framework, which is handed the very numbers that [`fit`] would learn from: rows, their order in each
/// epoch, first weights. Only `mlp` and `densenet` are lent so; nothing is stopped early and nothing resumed.
///
/// # Errors
/// As [`fit`]; also what the framework could not do.
pub fn fit_elsewhere(
    request: &FitRequest<'_>,
    trainer: &mut dyn Trainer,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let kind = request.recommender.entry.kind;
    let Some(fit) = method(kind).and_then(|method| method.fit_elsewhere) else {
        let able = METHODS.iter().filter(|method| method.fit_elsewhere.is_some()).map(|method| method.kind);
        let able = able.collect::<Vec<_>>().join(", ");
        let cause = format!("No other framework trains `{kind}`; those that one does: {able}.");
        return Err(Failure::new(FailureCode::InvalidSpec, cause).into());
    };
    request.check()?;
    fit(request, trainer, observer)
}

/// The network that these parts were taken from.
///
/// # Errors
/// [`PartsError`]: not a network, or parts of something else.
pub fn restore(
    recommender: &ResolvedRecommender,
    parts: Parts,
    device: &NeuralDevice,
) -> Result<Box<dyn NeuralModel>, PartsError> {
    let kind = recommender.entry.kind;
    let method = method(kind).ok_or(PartsError::Kind { kind })?;
    (method.restore)(recommender, parts, device.plain())
}
