//! The loop that trains a network: batches, steps, validation, early stopping, checkpoints.

mod batches;
mod curve;
mod state;
mod update;

use burn::tensor::{Device, Tensor, TensorData};
use recspeed_types::event::{MeasuredOn, MemoryBytes};
use recspeed_types::spec::{Loss, Training};
use recspeed_types::summary::TrainingInfo;
use recspeed_types::{EventKind, FitObserver};

use crate::network::{Mlp, Predictor};
use crate::scaling::{InputScaling, RatingScale};
use crate::{NeuralFitError, NeuralModel as _, Rows};
use batches::{Batch, Epoch};
use curve::{Curve, Mean};
use state::{Best, State};
use update::{Moments, Update};

/// A training: what is learnt, from what, and how. Nothing in it changes while it runs.
pub(crate) struct Lesson<'a> {
    pub(crate) network: Mlp,
    pub(crate) training: &'a Training,
    pub(crate) train: Rows<'a>,
    pub(crate) validation: Rows<'a>,
    pub(crate) scaling: InputScaling,
    pub(crate) scale: RatingScale,
    pub(crate) seed: u64,
    pub(crate) device: Device,
    /// Newest training timestamp.
    pub(crate) newest: i64,
}

/// Where a training stands between two batches.
struct Course {
    flat: Tensor<1>,
    update: Update,
    epoch: u32,
    batch: u64,
    step: u64,
    epoch_loss: Mean,
    finished_loss: f64,
    last_loss: Option<f64>,
    curve: Curve,
    best: Option<BestEpoch>,
}

struct BestEpoch {
    epoch: u32,
    loss: f64,
    flat: Option<Tensor<1>>,
}

impl Course {
    /// All that [`Lesson::resume`] needs.
    fn state(&self) -> State {
        let moments = self
            .update
            .moments()
            .map(|moments| (moments.time as u64, numbers(moments.moment_1.clone()), numbers(moments.moment_2.clone())));
        State {
            epoch: self.epoch,
            batch: self.batch,
            step: self.step,
            epoch_loss: self.epoch_loss,
            finished_loss: self.finished_loss,
            window: self.curve.window,
            weights: numbers(self.flat.clone()),
            moments,
            best: self.best.as_ref().map(|best| Best {
                epoch: best.epoch,
                loss: best.loss,
                weights: best.flat.clone().map(numbers),
            }),
        }
    }
}

impl Lesson<'_> {
    /// Trains to the end, to early stopping, or until the observer says stop.
    pub(crate) fn run(self, observer: &mut dyn FitObserver) -> Result<(Predictor, TrainingInfo), NeuralFitError> {
        let mut course = match observer.take_resume_state() {
            Some(bytes) => self.resume(&bytes)?,
            None => self.start(),
        };
        observer.event(EventKind::Memory { rank: 0, bytes: self.memory() });
        while course.epoch < self.training.epochs && !self.gives_up(&course) {
            self.epoch(&mut course, observer)?;
            self.close_epoch(&mut course, observer)?;
            observer.checkpoint(course.step, &mut || course.state().encode(self.fingerprint()));
        }
        Ok(self.finish(course, observer))
    }

    fn batches(&self) -> u64 {
        (self.train.len() as u64).div_ceil(u64::from(self.training.batch_size))
    }

    fn start(&self) -> Course {
        let curve = Curve::new(self.training.epochs, self.batches(), Mean::default());
        Course {
            flat: self.tensor(self.network.initial(self.seed)),
            update: Update::new(self.training, None),
            epoch: 0,
            batch: 0,
            step: 0,
            epoch_loss: Mean::default(),
            finished_loss: 0.0,
            last_loss: None,
            curve,
            best: None,
        }
    }

    /// Takes the remaining batches of the current epoch.
    fn epoch(&self, course: &mut Course, observer: &mut dyn FitObserver) -> Result<(), NeuralFitError> {
        let rows = Epoch::new(self.train, &self.scaling, self.scale, (self.seed, course.epoch), &self.device);
        while course.batch < self.batches() {
            if observer.stop_requested() {
                let step = course.step;
                observer.checkpoint(step, &mut || course.state().encode(self.fingerprint()));
                return Err(NeuralFitError::Interrupted { step });
            }
            let batch = rows.batch(course.batch, self.training.batch_size as usize);
            self.step(course, batch, observer)?;
        }
        Ok(())
    }

    fn step(&self, course: &mut Course, batch: Batch, observer: &mut dyn FitObserver) -> Result<(), NeuralFitError> {
        let rows = batch.rows as u64;
        let views = self.network.attach(&course.flat);
        let trace = views.trace(batch.inputs);
        let error = trace.output - batch.targets; // [rows, 1]
        let (loss, slope) = match self.training.loss {
            Loss::Mse => (error.clone().square().mean(), error * (2.0 / rows as f32)),
            Loss::Mae => (error.clone().abs().mean(), error.sign() * (1.0 / rows as f32)),
        };
        let value = f64::from(loss.into_scalar::<f32>());
        if !value.is_finite() {
            return Err(self.diverged("loss", value, course));
        }
        let gradient = views.gradient(trace.inputs, slope);
        course.flat = course
            .update
            .step(course.flat.clone(), gradient)
            .map_err(|bad| self.diverged("gradient", bad.0, course))?;
        course.step += 1;
        course.batch += 1;
        course.last_loss = Some(value);
        course.epoch_loss.add(value, rows);
        course.curve.batch(course.step, value, rows, observer);
        Ok(())
    }

    fn close_epoch(&self, course: &mut Course, observer: &mut dyn FitObserver) -> Result<(), NeuralFitError> {
        let weights = numbers(course.flat.clone());
        if let Some(bad) = weights.iter().find(|weight| !weight.is_finite()) {
            course.step -= 1; // the step that did it is the last one taken, not the next
            return Err(self.diverged("weights", f64::from(*bad), course));
        }
        course.epoch += 1;
        course.batch = 0;
        course.finished_loss = std::mem::take(&mut course.epoch_loss).value();
        let mut told = vec![("epoch-loss", MeasuredOn::Train, course.finished_loss)];
        if !self.validation.is_empty() {
            let (loss, rmse) = self.validate(&course.flat);
            if !loss.is_finite() {
                course.step -= 1;
                return Err(self.diverged("validation loss", loss, course));
            }
            told.push(("loss", MeasuredOn::Validation, loss));
            told.push(("rmse", MeasuredOn::Validation, rmse));
            if course.best.as_ref().is_none_or(|best| loss < best.loss) {
                let flat = self.training.early_stopping.is_some().then(|| course.flat.clone());
                course.best = Some(BestEpoch { epoch: course.epoch, loss, flat });
            }
        }
        course.curve.epoch(course.epoch, course.step, &told, observer);
        Ok(())
    }

    /// Loss on the network's scale and root mean squared error in stars, over the validation rows.
    fn validate(&self, flat: &Tensor<1>) -> (f64, f64) {
        let data = self.validation.interactions;
        let predictor = self.predictor(flat);
        let (mut loss, mut squares) = (0.0, 0.0);
        for rows in self.validation.rows.chunks(1 << 16) {
            let column = |values: &[u32]| rows.iter().map(|&row| values[row as usize]).collect::<Vec<_>>();
            let times: Vec<i64> = rows.iter().map(|&row| data.timestamp[row as usize]).collect();
            let stars = predictor.predict_rows(&column(&data.user), &column(&data.item), &times);
            for (&row, star) in rows.iter().zip(stars) {
                let truth = data.rating[row as usize];
                let miss = f64::from(self.scale.target(star)) - f64::from(self.scale.target(truth));
                loss += match self.training.loss {
                    Loss::Mse => miss * miss,
                    Loss::Mae => miss.abs(),
                };
                squares += (f64::from(star) - f64::from(truth)).powi(2);
            }
        }
        let count = self.validation.len() as f64;
        (loss / count, (squares / count).sqrt())
    }

    /// Whether early stopping is due.
    fn gives_up(&self, course: &Course) -> bool {
        match (self.training.early_stopping, &course.best) {
            (Some(patience), Some(best)) => course.epoch - best.epoch >= patience,
            _ => false,
        }
    }

    /// With early stopping the network of the best epoch is kept, otherwise that of the last.
    fn finish(&self, course: Course, observer: &mut dyn FitObserver) -> (Predictor, TrainingInfo) {
        let stopped_early = course.epoch < self.training.epochs;
        let best_epoch = course.best.as_ref().map(|best| best.epoch);
        if let (true, Some(best)) = (stopped_early, best_epoch) {
            let message =
                format!("Stopped after epoch {}: the best validation loss was that of epoch {best}.", course.epoch);
            observer.event(EventKind::Log { message });
        }
        let flat = course.best.and_then(|best| best.flat).unwrap_or(course.flat);
        let info = TrainingInfo {
            epochs: course.epoch,
            steps: course.step,
            final_loss: course.finished_loss,
            best_epoch,
            stopped_early,
            parameters: self.network.parameters() as u64,
        };
        (self.predictor(&flat), info)
    }

    fn predictor(&self, flat: &Tensor<1>) -> Predictor {
        Predictor::new(&self.network, flat, (self.scaling, self.scale), self.newest, self.device.clone())
    }

    fn tensor(&self, values: Vec<f32>) -> Tensor<1> {
        let count = values.len();
        Tensor::from_data(TensorData::new(values, [count]), &self.device)
    }

    /// What this training holds at most.
    pub(crate) fn memory(&self) -> MemoryBytes {
        memory(&self.network, self.training, self.train.len())
    }

    fn diverged(&self, what: &'static str, value: f64, course: &Course) -> NeuralFitError {
        let learning_rate = self.training.learning_rate;
        NeuralFitError::Diverged {
            what,
            value,
            step: course.step + 1,
            epoch: (course.step / self.batches()) as u32 + 1,
            last_loss: course.last_loss,
            learning_rate,
            remedy: learning_rate / 10.0,
        }
    }

    fn resume(&self, bytes: &[u8]) -> Result<Course, NeuralFitError> {
        let state = State::decode(bytes, self.fingerprint(), self.network.parameters())?;
        let moments = state
            .moments
            .map(|(time, first, second)| Moments::new(time as usize, self.tensor(first), self.tensor(second)));
        Ok(Course {
            flat: self.tensor(state.weights),
            update: Update::new(self.training, moments),
            epoch: state.epoch,
            batch: state.batch,
            step: state.step,
            epoch_loss: state.epoch_loss,
            finished_loss: state.finished_loss,
            last_loss: None,
            curve: Curve::new(self.training.epochs, self.batches(), state.window),
            best: state.best.map(|best| BestEpoch {
                epoch: best.epoch,
                loss: best.loss,
                flat: best.weights.map(|weights| self.tensor(weights)),
            }),
        })
    }

    /// Names the training: shape, settings, seed, and the sizes and scales of its data.
    fn fingerprint(&self) -> u64 {
        let sizes = (self.train.len(), self.validation.len());
        let name = format!(
            "{:?} {:?} {} {sizes:?} {:?} {:?}",
            self.network, self.training, self.seed, self.scaling, self.scale
        );
        state::fnv1a(name.as_bytes())
    }
}

/// What a training of this shape over `rows` training rows holds at most, by purpose.
pub(crate) fn memory(network: &Mlp, training: &Training, rows: usize) -> MemoryBytes {
    let parameters = 4 * network.parameters() as u64;
    let batch = u64::from(training.batch_size).min(rows as u64);
    MemoryBytes {
        parameters,
        gradients: parameters,
        optimizer: parameters * update::moments_per_parameter(training.optimizer),
        activations: 4 * batch * network.activations_per_row() as u64,
        // The epoch's inputs and targets, and its order.
        buffers: 4 * rows as u64 * (crate::scaling::INPUTS as u64 + 2),
        ..MemoryBytes::default()
    }
}

fn numbers(flat: Tensor<1>) -> Vec<f32> {
    flat.into_data().as_slice::<f32>().expect("flex computes in f32 and holds its tensors in memory").to_vec()
}
