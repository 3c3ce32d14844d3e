//! How a row follows its gradient.
//!
//! Adam is the lazy one, as `torch.optim.SparseAdam` and TensorFlow's `LazyAdam`: a row's moments and numbers change in the
//! steps that look it up and rest in the others, while the correction of their bias goes by all steps. Weight decay pulls a
//! row in those steps too. Stochastic gradient descent without decay is the same either way.

use recspeed_plan::sharding::OptimizerState;

use crate::training::EPSILON;

/// β of Adam.
const BETA: (f32, f32) = (0.9, 0.999);

/// How the rows of tables follow their gradient; each number goes by itself, so that parts of rows need no others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowRule {
    /// Kingma and Ba, 2015; weight decay as part of the gradient.
    Adam {
        /// Weight decay.
        decay: f32,
    },
    /// Loshchilov and Hutter, 2019.
    AdamW {
        /// Weight decay.
        decay: f32,
    },
    /// Plain gradient descent.
    Sgd {
        /// Weight decay.
        decay: f32,
    },
}

/// One step of a [`RowRule`].
#[derive(Debug, Clone, Copy)]
pub struct RowStep {
    rate: f32,
    factor: f32,
    correction: f32,
    epsilon: f32,
    /// Decay as part of the gradient.
    inside: f32,
    /// What decay leaves of the numbers themselves.
    outside: f32,
}

impl RowRule {
    /// What it keeps for each number.
    pub const fn state(self) -> OptimizerState {
        match self {
            Self::Adam { .. } | Self::AdamW { .. } => OptimizerState::TwoMoments,
            Self::Sgd { .. } => OptimizerState::None,
        }
    }

    /// The step after `step` others. Gradients are scaled by `factor`.
    pub fn step(self, rate: f32, factor: f32, step: u64) -> RowStep {
        let time = i32::try_from(step + 1).unwrap_or(i32::MAX);
        let second_bias = (1.0 - BETA.1.powi(time)).sqrt();
        let (correction, epsilon) = (second_bias / (1.0 - BETA.0.powi(time)), EPSILON * second_bias);
        // Adam's decay is part of the gradient; the others pull the numbers themselves.
        let (inside, outside) = match self {
            Self::Adam { decay } | Self::Sgd { decay } => (decay, 1.0),
            Self::AdamW { decay } => (0.0, 1.0 - rate * decay),
        };
        RowStep { rate, factor, correction, epsilon, inside, outside }
    }
}

impl RowStep {
    /// Moves some numbers of a row. `moments`: the first and the second of each; `None` for gradient descent.
    ///
    /// # Shapes
    /// - `numbers`, `gradient`, both moments: all alike
    pub fn apply(&self, numbers: &mut [f32], gradient: &[f32], moments: Option<(&mut [f32], &mut [f32])>) {
        let Self { rate, factor, correction, epsilon, inside, outside } = *self;
        match moments {
            None => {
                for (number, value) in numbers.iter_mut().zip(gradient) {
                    *number -= rate * (value * factor + inside * *number);
                }
            }
            Some((first, second)) => {
                for (((number, value), m), v) in numbers.iter_mut().zip(gradient).zip(first).zip(second) {
                    let slope = value * factor + inside * *number;
                    *m = BETA.0 * *m + (1.0 - BETA.0) * slope;
                    *v = BETA.1 * *v + (1.0 - BETA.1) * slope * slope;
                    *number = *number * outside - rate * correction * *m / (v.sqrt() + epsilon);
                }
            }
        }
    }
}
