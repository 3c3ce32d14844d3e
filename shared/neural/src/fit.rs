//! From a spec to a network that has learnt.

use recspeed_data::parts::{Parts, PartsError};
use recspeed_types::FitObserver;
use recspeed_types::catalogue::Family;
use recspeed_types::event::MemoryBytes;
use recspeed_types::spec::{ResolvedRecommender, Training};

use crate::network::{Mlp, Predictor};
use crate::scaling::{InputScaling, RatingScale};
use crate::training::{Lesson, memory};
use crate::{Fitted, NeuralDevice, NeuralFitError, NeuralModel, Rows};

/// Kinds of the catalogue that [`fit`] trains.
const NETWORKS: &[&str] = &["mlp"];

/// Bytes that a training may ask for. A tab addresses 4 GiB and needs some of it for the page's data.
const ADDRESSABLE: u64 = if cfg!(target_arch = "wasm32") { 3 << 30 } else { isize::MAX as u64 };

/// Whether [`fit`] trains this kind.
pub fn is_network(kind: &str) -> bool {
    NETWORKS.contains(&kind)
}

/// Trains the network that `recommender` names on `train`.
///
/// The targets are ratings scaled to `[0, 1]` over the training ratings' range; the network answers in stars. Without
/// early stopping the weights after the last epoch are kept; with it, those of the best epoch on `validation`.
///
/// `observer` hears the loss (`loss`, train: means over windows of batches, about 200 a run; `epoch-loss`, train; with
/// validation rows also `loss` and `rmse`, validation, each epoch), progress in batches and the bytes held. It is asked
/// between batches whether to stop, and offered a checkpoint after each epoch and when it stops the training; resuming
/// from any of them ends in the same bits as never having stopped.
///
/// # Errors
/// [`NeuralFitError`]: not a network, no rows, a rating that is not finite, too large for this machine, diverged,
/// interrupted, or a checkpoint of something else.
pub fn fit(
    recommender: &ResolvedRecommender,
    training: &Training,
    train: Rows<'_>,
    validation: Rows<'_>,
    seed: u64,
    device: NeuralDevice,
    observer: &mut dyn FitObserver,
) -> Result<Fitted, NeuralFitError> {
    let network = network(recommender)?;
    train.check()?;
    validation.check()?;
    let scale = RatingScale::of(train)?;
    refuse_too_large(&memory(&network, training, train.len()))?;
    let newest = train.rows.iter().map(|&row| train.interactions.timestamp[row as usize]).max().unwrap_or(0);
    let lesson = Lesson {
        network,
        training,
        train,
        validation,
        scaling: InputScaling::of(train),
        scale,
        seed,
        device: device.plain(),
        newest,
    };
    let (model, info) = lesson.run(observer)?;
    Ok(Fitted { model: Box::new(model), info })
}

/// The network that these parts were taken from.
///
/// # Errors
/// [`PartsError`]: not a network, or parts of something else.
pub fn restore(
    recommender: &ResolvedRecommender,
    parts: Parts,
    device: NeuralDevice,
) -> Result<Box<dyn NeuralModel>, PartsError> {
    let network = network(recommender).map_err(|_| PartsError::Kind { kind: recommender.entry.kind })?;
    Ok(Box::new(Predictor::restore(&network, parts, device.plain())?))
}

/// What [`fit`] would hold at most over `rows` training rows, by purpose: for refusing a run before it starts.
///
/// # Errors
/// [`NeuralFitError::NotANetwork`].
pub fn planned_memory(
    recommender: &ResolvedRecommender,
    training: &Training,
    rows: usize,
) -> Result<MemoryBytes, NeuralFitError> {
    Ok(memory(&network(recommender)?, training, rows))
}

fn network(recommender: &ResolvedRecommender) -> Result<Mlp, NeuralFitError> {
    let entry = recommender.entry;
    if entry.family != Family::Neural || !is_network(entry.kind) {
        return Err(NeuralFitError::NotANetwork { kind: entry.kind.to_owned(), known: NETWORKS.join(", ") });
    }
    let hidden: Vec<usize> = recommender.integers("hidden").iter().map(|&width| width.max(1) as usize).collect();
    Ok(Mlp::new(&hidden))
}

fn refuse_too_large(bytes: &MemoryBytes) -> Result<(), NeuralFitError> {
    let needed = bytes.parameters + bytes.gradients + bytes.optimizer + bytes.activations + bytes.buffers;
    // The update works on temporaries as long as the parameters; three of them live at once.
    let needed = needed + 3 * bytes.parameters;
    if needed > ADDRESSABLE { Err(NeuralFitError::TooLarge { needed, allowed: ADDRESSABLE }) } else { Ok(()) }
}
