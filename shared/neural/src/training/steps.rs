//! Who takes the steps of a training: one device alone, or a rank among others.

use std::borrow::Cow;

use burn::tensor::Tensor;
use recspeed_types::FitObserver;

use super::begun::weights_of;
use super::layout::Layout;
use super::network::{Differentiable, Learnt, Network, Noise};
use super::rows::{LookUp, RowGradient, RowUpdate};
use super::saved::{Parameters, numbers, tensor};
use super::state::State;
use super::update::{Moments, Update};
use super::{Batch, Course, Lesson};
use crate::NeuralFitError;

/// Steps taken by the moments, and both moments of all parameters.
pub(crate) type AllMoments<'a> = (u64, Cow<'a, [f32]>, Cow<'a, [f32]>);

/// Why a step was not taken.
pub(crate) enum Stumble {
    /// The loss, or the length of the gradient, is no finite number.
    NotFinite(&'static str, f64),
    /// Anything else.
    Failed(NeuralFitError),
}

/// Takes the steps of a training, and holds what is learnt.
pub(crate) trait Steps<N: Network> {
    /// Whether nobody else takes part.
    const ALONE: bool;

    /// One step; the loss before it.
    async fn step<L: Lesson<N>>(
        &mut self,
        course: &Course<'_, N, L>,
        batch: Batch<N::Input>,
        step: u64,
    ) -> Result<f64, Stumble>;

    /// Whether this is the one that judges, and that is heard.
    fn leads(&self) -> bool;

    /// The leader's number, for everybody: all have come as far, and wait for it as for any other message.
    async fn agree(&mut self, number: f64) -> Result<f64, NeuralFitError>;

    /// The leader's number, for everybody, who leave the leader the time to work on it alone.
    async fn agree_at_leisure(&mut self, number: f64) -> Result<f64, NeuralFitError>;

    /// Brings the parameters together at the leader, where they are divided; after that, until [`Self::release`] or the next step, they
    /// can be had there.
    async fn gather(&mut self) -> Result<(), NeuralFitError>;

    /// The same of the moments, which only a checkpoint needs.
    async fn gather_moments(&mut self) -> Result<(), NeuralFitError>;

    /// Lets go of what was brought together.
    fn release(&mut self);

    /// All parameters.
    fn parameters(&self) -> &Parameters;

    /// The digest of the dense parameters before the first step, for a lesson that tells it; `None` of one that went on from a checkpoint,
    /// and of ranks that are not the leader.
    fn first_weights(&self, layout: &Layout) -> Option<u64>;

    /// All moments; `None` where there are none.
    fn moments(&self) -> Option<AllMoments<'_>>;

    /// Tells what the ranks have held and done since the last time; the leader is heard.
    async fn report(&mut self, observer: &mut dyn FitObserver) -> Result<(), NeuralFitError>;
}

/// One device that does everything.
pub(crate) struct Alone {
    parameters: Parameters,
    update: Update,
}

impl Alone {
    /// From the beginning.
    pub(crate) fn start<N: Network, L: Lesson<N>>(course: &Course<'_, N, L>) -> Self {
        let layout = course.network.layout();
        Self {
            parameters: Parameters::initial(layout, course.seed, &course.device),
            update: Update::new(course.training, None, RowUpdate::new(course.training, layout.tables())),
        }
    }

    /// Where a checkpoint stands.
    pub(crate) fn resume<N: Network, L: Lesson<N>>(course: &Course<'_, N, L>, state: &State<'_>) -> Self {
        let layout = course.network.layout();
        let mut tables = RowUpdate::new(course.training, layout.tables());
        let moments = state.moments.as_ref().map(|(time, first, second)| {
            let (first, of_tables_1) = first.split_at(layout.flat_len());
            let (second, of_tables_2) = second.split_at(layout.flat_len());
            tables.set_moments(of_tables_1, of_tables_2);
            let on_device = |values: &[f32]| tensor(values.to_vec(), &course.device);
            Moments::new(*time as usize, on_device(first), on_device(second))
        });
        Self {
            parameters: Parameters::from_numbers(layout, &state.weights, &course.device),
            update: Update::new(course.training, moments, tables),
        }
    }
}

impl<N: Differentiable> Steps<N> for Alone {
    const ALONE: bool = true;

    async fn step<L: Lesson<N>>(
        &mut self,
        course: &Course<'_, N, L>,
        batch: Batch<N::Input>,
        step: u64,
    ) -> Result<f64, Stumble> {
        let Batch { input, look_ups, targets, .. } = batch;
        let weights = self.parameters.weights(course.network.layout(), &look_ups, &course.device);
        let mut noise = Noise::new(course.seed, step, &course.device);
        let lesson = (course.training.loss, &targets);
        let Learnt { value, gradient } = course.network.learn(weights, input, &mut noise, lesson);
        if !value.is_finite() {
            return Err(Stumble::NotFinite("loss", value));
        }
        let of_rows = |(look_up, gradient): (&LookUp, Tensor<2>)| {
            let (width, data) = (gradient.dims()[1], gradient.into_data());
            let values = data.as_slice::<f32>().expect("networks compute in f32 on every device");
            RowGradient::new(look_up, values, width)
        };
        let of_rows: Vec<RowGradient> = look_ups.iter().zip(gradient.rows).map(of_rows).collect();
        let Self { parameters, update } = self;
        update
            .step((&mut parameters.flat, &mut parameters.tables), (gradient.flat, &of_rows), step)
            .map_err(|bad| Stumble::NotFinite("gradient", bad.0))?;
        Ok(value)
    }

    fn leads(&self) -> bool {
        true
    }

    async fn agree(&mut self, number: f64) -> Result<f64, NeuralFitError> {
        Ok(number)
    }

    async fn agree_at_leisure(&mut self, number: f64) -> Result<f64, NeuralFitError> {
        Ok(number)
    }

    async fn gather(&mut self) -> Result<(), NeuralFitError> {
        Ok(())
    }

    async fn gather_moments(&mut self) -> Result<(), NeuralFitError> {
        Ok(())
    }

    fn release(&mut self) {}

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Of what lies on the device.
    fn first_weights(&self, layout: &Layout) -> Option<u64> {
        Some(weights_of(layout, &numbers(&self.parameters.flat)))
    }

    fn moments(&self) -> Option<AllMoments<'_>> {
        let tables = self.update.tables();
        self.update.moments().map(|moments| {
            let (first, second) = tables.moments();
            let all = |dense, tables| Cow::Owned([numbers(dense), tables].concat());
            (moments.time as u64, all(&moments.moment_1, first), all(&moments.moment_2, second))
        })
    }

    async fn report(&mut self, _: &mut dyn FitObserver) -> Result<(), NeuralFitError> {
        Ok(())
    }
}
