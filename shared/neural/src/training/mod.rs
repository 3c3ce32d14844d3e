//! The loop that trains a network: batches, steps, judgement, early stopping, checkpoints.
//!
//! It knows nothing of what is learnt: a [`Network`] says which parameters there are and computes scores of a batch, a
//! [`Lesson`] brings the batches and what their scores should have been, a [`Judge`] says after each epoch how good the
//! network is by then.

pub(crate) mod begun;
mod curve;
mod divergence;
pub(crate) mod judge;
pub(crate) mod layered;
pub(crate) mod layout;
pub(crate) mod lent;
pub(crate) mod losses;
mod needs;
pub(crate) mod network;
mod ranked;
pub(crate) mod rows;
pub(crate) mod saved;
mod spans;
pub(crate) mod staged;
mod state;
mod steps;
mod update;

use burn::tensor::{Device, Tensor};
use recspeed_data::checkpoint::{Identity, open, seal};
use recspeed_parallel::at_once;
use recspeed_types::divergence::Gauge;
use recspeed_types::event::MeasuredOn;
use recspeed_types::spec::{ResolvedRecommender, Training};
use recspeed_types::summary::TrainingInfo;
use recspeed_types::{EventKind, FitObserver};

use crate::device::in_this_memory;
use crate::elsewhere::Trainer;
use crate::{Fitted, NeuralFitError, NeuralModel, Seat};
use begun::Beginning;
use curve::{Curve, Mean};
use judge::Judge;
use layout::Layout;
use lent::Tellable;
use losses::Targets;
use network::{Differentiable, Network};
use rows::LookUp;
use saved::Parameters;
use staged::Staged;
use state::{Best, State};
use steps::{Alone, Steps, Stumble};

/// What a network is taught.
///
/// Everything in it comes from the data, the seed, the epoch and the batch, and from nothing that happened before: a resumed
/// training finds the same batches again.
pub(crate) trait Lesson<N: Network> {
    /// What is drawn once for each epoch, as the order of the rows.
    type Epoch;

    /// Whether other frameworks can take it: then what a training begins with is told, to be held against theirs.
    const TELLS: bool = false;

    /// Batches of an epoch; at least one.
    fn batches(&self) -> u64;

    /// Epoch number `epoch`, from 0.
    fn epoch(&self, epoch: u32) -> Self::Epoch;

    /// What the order of this epoch adds to the digest of all; 0 where nothing is told.
    fn order_of(&self, _: &Self::Epoch) -> u64 {
        0
    }

    /// Batch number `index` of an epoch, from 0.
    fn batch(&self, network: &N, epoch: &Self::Epoch, index: u64) -> Batch<N::Input>;

    /// Rows of a batch that are computed, at most: by these it is told how long a training takes.
    fn batch_rows(&self) -> u64;

    /// Bytes that an epoch holds.
    fn epoch_bytes(&self) -> u64;

    /// What a row costs on average where everything is scored alike: the measure of all losses ([`Gauge`]).
    fn of_nothing(&self) -> f64;

    /// Names everything that the lesson depends on besides the seed, for checkpoints.
    fn name(&self) -> String;
}

/// Some rows to learn from in one step.
pub(crate) struct Batch<I> {
    /// What the network computes with, besides looked-up rows.
    pub(crate) input: I,
    /// What is looked up in each table, in the order in which the network sees it.
    pub(crate) look_ups: Vec<LookUp>,
    /// What the scores should have been.
    pub(crate) targets: Targets,
    /// What the loss is a mean over: the weight of this batch in the loss of an epoch.
    pub(crate) rows: u64,
}

/// A training: what is learnt, from what, and how. Nothing in it changes while it runs.
pub(crate) struct Course<'a, N, L> {
    pub(crate) network: N,
    pub(crate) lesson: L,
    /// `None` without validation rows.
    pub(crate) judge: Option<&'a dyn Judge>,
    pub(crate) training: &'a Training,
    /// What is trained.
    pub(crate) recommender: &'a ResolvedRecommender,
    pub(crate) seed: u64,
    /// What the training depends on, for checkpoints: not every parameter shows in the network's layout.
    pub(crate) identity: Identity,
    pub(crate) device: Device,
    /// A model that answers with these numbers.
    pub(crate) model: &'a dyn Fn(Parameters) -> Box<dyn NeuralModel>,
}

/// Where a training happens.
pub(crate) enum Place<'a> {
    /// On this device alone.
    Here,
    /// On this rank, among others.
    Rank(Seat<'a>),
    /// In another framework.
    Elsewhere(&'a mut dyn Trainer),
}

/// Where a training stands between two batches.
struct Progress<S> {
    steps: S,
    epoch: u32,
    batch: u64,
    step: u64,
    epoch_loss: Mean,
    /// Of the last steps of an epoch, by which its end is judged: kept until those of the next one come.
    end_loss: Mean,
    finished_loss: f64,
    gauge: Gauge,
    curve: Curve,
    best: Option<BestEpoch>,
    /// What it began with, where that is told.
    begun: Option<Beginning>,
}

struct BestEpoch {
    epoch: u32,
    regret: f64,
    /// Whether the judge has said anything else so far. While it has not, it chooses nothing: the newest network counts as the
    /// best, and nothing is stopped.
    told_apart: bool,
    parameters: Option<Parameters>,
}

impl<N: Differentiable, L: Lesson<N>> Course<'_, N, L> {
    /// Trains to the end, to early stopping, or until the observer says stop.
    pub(crate) fn run(self, observer: &mut dyn FitObserver) -> Result<Fitted, NeuralFitError> {
        let left = if in_this_memory(&self.device) { observer.memory_left() } else { None };
        self.refuse_too_large(left)?;
        let state = observer.take_resume_state().map(|bytes| self.state(&bytes)).transpose()?;
        let steps = state.as_ref().map_or_else(|| Alone::start(&self), |state| Alone::resume(&self, state));
        let progress = self.progress(steps, state);
        at_once(self.learn(progress, observer))
    }
}

impl<N: Differentiable + Staged, L: Lesson<N>> Course<'_, N, L>
where
    N: Network<Input = Tensor<2>>,
{
    /// At the place that it is meant for.
    pub(crate) async fn run_at(self, place: Place<'_>, observer: &mut dyn FitObserver) -> Result<Fitted, NeuralFitError>
    where
        L: Tellable,
    {
        match place {
            Place::Here => self.run(observer),
            Place::Rank(seat) => self.run_ranked(seat, observer).await,
            Place::Elsewhere(trainer) => self.run_elsewhere(trainer, observer),
        }
    }
}

impl<N: Network, L: Lesson<N>> Course<'_, N, L> {
    async fn learn<S: Steps<N>>(
        &self,
        mut progress: Progress<S>,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError> {
        if S::ALONE {
            observer.event(EventKind::Memory { rank: 0, bytes: self.memory() });
        }
        if let Some(message) = self.judge.and_then(Judge::scope) {
            observer.event(EventKind::Log { message, seconds: None });
        }
        while progress.epoch < self.training.epochs && !self.gives_up(&progress) {
            self.epoch(&mut progress, observer).await?;
            self.close_epoch(&mut progress, observer).await?;
            self.offer(&mut progress, observer).await?;
        }
        progress.steps.gather().await?;
        let keeps_last =
            progress.best.as_ref().is_none_or(|best| best.parameters.is_none() || best.epoch == progress.epoch);
        if keeps_last && progress.gauge.is_lost(progress.end_loss.value()) {
            progress.step -= 1; // the last one taken, not the next
            return Err(self.diverged("mean loss of the last steps", progress.end_loss.value(), &progress));
        }
        Ok(self.finish(progress, observer))
    }

    /// Takes the remaining batches of the current epoch.
    async fn epoch<S: Steps<N>>(
        &self,
        progress: &mut Progress<S>,
        observer: &mut dyn FitObserver,
    ) -> Result<(), NeuralFitError> {
        progress.steps.release();
        let epoch = self.lesson.epoch(progress.epoch);
        if let Some(begun) = &mut progress.begun {
            begun.add_order(self.lesson.order_of(&epoch));
        }
        while progress.batch < self.lesson.batches() {
            let stop = f64::from(u8::from(observer.stop_requested()));
            if progress.steps.agree(stop).await? > 0.0 {
                let step = progress.step;
                progress.steps.gather().await?;
                self.offer(progress, observer).await?;
                return Err(NeuralFitError::Interrupted { step });
            }
            let batch = self.lesson.batch(&self.network, &epoch, progress.batch);
            self.step(progress, batch, observer).await?;
        }
        Ok(())
    }

    /// Offers a checkpoint; what only it needs is brought together where it will be taken.
    async fn offer<S: Steps<N>>(
        &self,
        progress: &mut Progress<S>,
        observer: &mut dyn FitObserver,
    ) -> Result<(), NeuralFitError> {
        let wanted = f64::from(u8::from(observer.wants_checkpoint()));
        if progress.steps.agree(wanted).await? > 0.0 {
            progress.steps.gather_moments().await?;
            observer.checkpoint(progress.step, &mut || self.encoded(progress));
            // The leader has written it alone, and may have taken longer for it than others wait for a message.
            progress.steps.agree_at_leisure(0.0).await?;
        }
        Ok(())
    }

    async fn step<S: Steps<N>>(
        &self,
        progress: &mut Progress<S>,
        batch: Batch<N::Input>,
        observer: &mut dyn FitObserver,
    ) -> Result<(), NeuralFitError> {
        let rows = batch.rows;
        let value = progress.steps.step(self, batch, progress.step).await.map_err(|stumble| match stumble {
            Stumble::NotFinite(what, value) => self.diverged(what, value, progress),
            Stumble::Failed(error) => error,
        })?;
        // All ranks hold the same loss. An epoch that is kept is a result: early stopping ends what comes after.
        let keeps = progress.best.as_ref().is_some_and(|best| best.parameters.is_some());
        if !progress.gauge.takes(progress.step + 1, value) || (progress.gauge.has_left() && !keeps) {
            return Err(self.diverged("loss", value, progress));
        }
        progress.end_loss.add_at_the_end((progress.batch, self.lesson.batches()), value, rows);
        progress.step += 1;
        progress.batch += 1;
        progress.epoch_loss.add(value, rows);
        progress.curve.batch(progress.step, value, rows, observer);
        Ok(())
    }

    async fn close_epoch<S: Steps<N>>(
        &self,
        progress: &mut Progress<S>,
        observer: &mut dyn FitObserver,
    ) -> Result<(), NeuralFitError> {
        progress.steps.gather().await?;
        progress.steps.report(observer).await?;
        let bad = if progress.steps.leads() { progress.steps.parameters().run_away() } else { None };
        let bad = progress.steps.agree(bad.map_or(0.0, f64::from)).await?;
        if bad != 0.0 {
            progress.step -= 1; // the step that did it is the last one taken, not the next
            return Err(self.diverged("weights", bad, progress));
        }
        progress.epoch += 1;
        progress.batch = 0;
        progress.finished_loss = std::mem::take(&mut progress.epoch_loss).value();
        let mut told = vec![("epoch-loss", MeasuredOn::Train, progress.finished_loss)];
        if let Some(judge) = self.judge {
            let verdict =
                progress.steps.leads().then(|| judge.judge((self.model)(progress.steps.parameters().clone()).as_ref()));
            let regret = verdict.as_ref().map_or(0.0, |verdict| verdict.regret);
            let regret = progress.steps.agree_at_leisure(regret).await?;
            if !regret.is_finite() {
                progress.step -= 1;
                return Err(self.diverged(judge.goes_by(), regret, progress));
            }
            let verdict = verdict.iter().flat_map(|verdict| &verdict.told);
            told.extend(verdict.map(|(name, value)| (*name, MeasuredOn::Validation, *value)));
            let told_apart = progress.best.as_ref().is_some_and(|best| best.told_apart || regret != best.regret);
            // A network that has run away is not kept, whatever its lists happen to be worth.
            let is_lost = progress.gauge.is_lost(progress.end_loss.value());
            match &mut progress.best {
                None if is_lost => {}
                Some(best) if is_lost || (told_apart && regret >= best.regret) => best.told_apart = told_apart,
                best => {
                    let stops = self.training.early_stopping.is_some();
                    let parameters = stops.then(|| progress.steps.parameters().clone());
                    *best = Some(BestEpoch { epoch: progress.epoch, regret, told_apart, parameters });
                }
            }
        }
        progress.curve.epoch(progress.epoch, progress.step, &told, observer);
        Ok(())
    }

    /// Whether early stopping is due.
    fn gives_up<S>(&self, progress: &Progress<S>) -> bool {
        match (self.training.early_stopping, &progress.best) {
            (Some(patience), Some(best)) => progress.epoch - best.epoch >= patience,
            _ => false,
        }
    }

    /// With early stopping the network of the best epoch is kept, otherwise that of the last.
    fn finish<S: Steps<N>>(&self, progress: Progress<S>, observer: &mut dyn FitObserver) -> Fitted {
        let stopped_early = progress.epoch < self.training.epochs;
        if let (Some(judge), Some(best)) = (self.judge, &progress.best)
            && !best.told_apart
            && progress.epoch > 1
        {
            let message = format!(
                "The {} was the same after each of {} epochs and chose none of them: the last one was kept. Take more \
                 validation rows, or more items that have training rows.",
                judge.goes_by(),
                progress.epoch
            );
            observer.event(EventKind::Log { message, seconds: None });
        }
        let best_epoch = progress.best.as_ref().map(|best| best.epoch);
        if let (true, Some(best), Some(judge)) = (stopped_early, best_epoch, self.judge) {
            let message = format!(
                "Stopped after epoch {}: the best {} was that of epoch {best}.",
                progress.epoch,
                judge.goes_by()
            );
            observer.event(EventKind::Log { message, seconds: None });
        }
        let info = TrainingInfo {
            epochs: progress.epoch,
            steps: progress.step,
            final_loss: progress.finished_loss,
            best_epoch,
            stopped_early,
            parameters: self.network.layout().len() as u64,
            begun: None,
        };
        let begun = progress.begun.map(Beginning::told);
        let best = progress.best.and_then(|best| best.parameters);
        let model = if progress.steps.leads() {
            (self.model)(best.unwrap_or_else(|| progress.steps.parameters().clone()))
        } else {
            Box::new(ranked::AtTheFirst)
        };
        Fitted { model, info, begun, elsewhere: None }
    }

    fn gauge(&self) -> Gauge {
        Gauge::of_steps(self.lesson.of_nothing(), self.lesson.batches())
    }

    /// Where the training stands, at its beginning or at a checkpoint.
    fn progress<S: Steps<N>>(&self, steps: S, state: Option<State<'_>>) -> Progress<S> {
        let window = state.as_ref().map_or_else(Mean::default, |state| state.window);
        let curve = Curve::new(self.training.epochs, self.lesson.batches(), window);
        let begins = L::TELLS && state.is_none();
        let weights = if begins { steps.first_weights(self.network.layout()) } else { None };
        let begun = weights.map(Beginning::of_weights);
        let Some(state) = state else {
            return Progress {
                steps,
                epoch: 0,
                batch: 0,
                step: 0,
                epoch_loss: Mean::default(),
                end_loss: Mean::default(),
                finished_loss: 0.0,
                gauge: self.gauge(),
                curve,
                best: None,
                begun,
            };
        };
        let (layout, leads) = (self.network.layout(), steps.leads());
        let parameters = |numbers: &[f32]| {
            let here = |numbers| Parameters::from_numbers(layout, numbers, &self.device);
            if leads { here(numbers) } else { Parameters::placeholder(layout, &self.device) }
        };
        Progress {
            steps,
            epoch: state.epoch,
            batch: state.batch,
            step: state.step,
            epoch_loss: state.epoch_loss,
            end_loss: state.end_loss,
            finished_loss: state.finished_loss,
            gauge: self.gauge(),
            curve,
            best: state.best.map(|best| BestEpoch {
                epoch: best.epoch,
                regret: best.regret,
                told_apart: best.told_apart,
                parameters: best.weights.as_deref().map(parameters),
            }),
            begun,
        }
    }

    /// A checkpoint, read.
    fn state(&self, bytes: &[u8]) -> Result<State<'static>, NeuralFitError> {
        State::decode(open(bytes, &self.whose())?, self.network.layout().len())
    }

    /// A checkpoint. It says nothing of strategies: another one may go on from it.
    fn encoded<S: Steps<N>>(&self, progress: &Progress<S>) -> Vec<u8> {
        let state = State {
            epoch: progress.epoch,
            batch: progress.batch,
            step: progress.step,
            epoch_loss: progress.epoch_loss,
            end_loss: progress.end_loss,
            finished_loss: progress.finished_loss,
            window: progress.curve.window,
            weights: progress.steps.parameters().numbers().into(),
            moments: progress.steps.moments(),
            best: progress.best.as_ref().map(|best| Best {
                epoch: best.epoch,
                regret: best.regret,
                told_apart: best.told_apart,
                weights: best.parameters.as_ref().map(Parameters::numbers),
            }),
        };
        seal(state.encode(), &self.whose())
    }
}

impl<N: Network, L: Lesson<N>> Course<'_, N, L> {
    fn diverged<S>(&self, what: &'static str, value: f64, progress: &Progress<S>) -> NeuralFitError {
        let learning_rate = self.training.learning_rate;
        NeuralFitError::Diverged {
            what,
            value,
            step: progress.step + 1,
            epoch: (progress.step / self.lesson.batches()) as u32 + 1,
            last_good: progress.gauge.last_good(),
            learning_rate,
            remedy: self.recommender.entry.training_defaults().calmer_than(learning_rate),
            optimizer: self.training.optimizer,
            gradient_clip: self.training.gradient_clip,
        }
    }

    /// Names the training: recommender, settings, seed, rows and attributes, and the network's shape, the judge and what the
    /// lesson depends on.
    fn whose(&self) -> Identity {
        let layout: &Layout = self.network.layout();
        let judge = self.judge.map(Judge::goes_by);
        self.identity.clone().with_network(&format!("{layout:?} {judge:?} {}", self.lesson.name()))
    }
}
