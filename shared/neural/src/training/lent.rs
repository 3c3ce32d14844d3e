//! A training that another framework does: the same rows, orders and first numbers are handed out, the trained numbers come
//! back, and everything after that is as if they had been trained here.

use recspeed_data::parts::{Parts, Values};
use recspeed_types::FitObserver;
use recspeed_types::summary::TrainingInfo;

use super::network::Network;
use super::saved::Parameters;
use super::{Course, Lesson};
use crate::elsewhere::{Failure, Job, Trainer};
use crate::{Fitted, NeuralFitError};

/// A lesson whose rows can be told as plain numbers.
pub(crate) trait Tellable {
    /// Numbers that describe each row, row by row; how many a row has; and what its score should be.
    fn numbers(&self) -> (Vec<f32>, usize, Vec<f32>);

    /// The row that is visited at each place of an epoch.
    fn order(&self, epoch: u32) -> Vec<u32>;
}

impl<N: Network, L: Lesson<N> + Tellable> Course<'_, N, L> {
    /// Has `trainer` train; the judge, if there is one, judges nothing: no epoch is chosen.
    pub(crate) fn run_elsewhere(
        self,
        trainer: &mut dyn Trainer,
        observer: &mut dyn FitObserver,
    ) -> Result<Fitted, NeuralFitError> {
        self.refuse_too_large(None)?;
        let lesson = &self.lesson;
        let order = |epoch| lesson.order(epoch);
        let job = self.job(&order);
        let trained = trainer.train(&job, observer)?;
        if self.gauge().is_lost(trained.final_loss) {
            let learning_rate = self.training.learning_rate;
            return Err(NeuralFitError::Diverged {
                what: "mean loss of the last epoch",
                value: trained.final_loss,
                step: job.steps,
                epoch: self.training.epochs,
                last_good: None,
                learning_rate,
                remedy: self.recommender.entry.training_defaults().calmer_than(learning_rate),
                optimizer: self.training.optimizer,
                gradient_clip: self.training.gradient_clip,
            });
        }
        let mut parts = trained.parts;
        let unusable = |error: recspeed_data::parts::PartsError| Failure {
            detail: error.to_string(),
            ..Failure::new(
                recspeed_types::FailureCode::Worker,
                "The engine handed back other weights than it was given, or some that are no finite numbers; report it \
                 with the detail below.",
            )
        };
        let parameters = Parameters::take_from(self.network.layout(), &mut parts, &self.device).map_err(unusable)?;
        let info = TrainingInfo {
            epochs: self.training.epochs,
            steps: job.steps,
            final_loss: trained.final_loss,
            best_epoch: None,
            stopped_early: false,
            parameters: self.network.layout().len() as u64,
            begun: None,
        };
        Ok(Fitted { model: (self.model)(parameters), info, begun: trained.begun, elsewhere: Some(trained.by) })
    }

    fn job<'a>(&self, order: &'a dyn Fn(u32) -> Vec<u32>) -> Job<'a> {
        let (inputs, width, targets) = self.lesson.numbers();
        let mut parts = Parts::default().with_matrix("inputs", width, &inputs).with_list("targets", &targets);
        let layout = self.network.layout();
        let flat = layout.initial_flat(self.seed);
        for parameter in layout.parameters() {
            let numbers = flat[parameter.range.clone()].to_vec();
            parts = parts.with(&format!("initial/{}", parameter.name), &parameter.shape, Values::F32(numbers));
        }
        let epochs = self.training.epochs;
        Job { parts, rows: targets.len(), epochs, order, steps: self.lesson.batches() * u64::from(epochs) }
    }
}
