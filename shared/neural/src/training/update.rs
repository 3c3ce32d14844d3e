//! One step of the optimizer: on all dense parameters at once, and on those rows of the tables that the batch looked up.

use std::sync::Arc;

use burn::tensor::Tensor;
pub(crate) use recspeed_parallel::training::Moments;
use recspeed_parallel::training::Rule;
use recspeed_types::spec::{Optimizer, Training};

use crate::training::rows::{RowGradient, RowUpdate};

/// The update rule with its state.
pub(crate) struct Update {
    rule: Rule,
    learning_rate: f64,
    clip: Option<f64>,
    moments: Option<Moments>,
    tables: RowUpdate,
}

/// The norm of the gradient was no finite number: there is no direction to step in.
pub(crate) struct BadGradient(pub(crate) f64);

impl Update {
    /// The rule that the spec asks for, going on from `moments` when a checkpoint had some.
    pub(crate) fn new(training: &Training, moments: Option<Moments>, tables: RowUpdate) -> Self {
        Self {
            rule: rule(training),
            learning_rate: training.learning_rate,
            clip: training.gradient_clip,
            moments,
            tables,
        }
    }

    /// One step, in place. Where the spec sets a bound, a gradient whose Euclidean norm over *all* parameters is longer is
    /// scaled down to it, as `torch.nn.utils.clip_grad_norm_` does.
    ///
    /// # Shapes
    /// - `flat`, `gradient`: `[flat_len]`
    /// - `tables`, `rows`: one for each table
    pub(crate) fn step(
        &mut self,
        (flat, tables): (&mut Tensor<1>, &mut [Arc<Vec<f32>>]),
        (gradient, rows): (Tensor<1>, &[RowGradient]),
        step: u64,
    ) -> Result<(), BadGradient> {
        let (gradient, factor) = match self.clip {
            None => (gradient, 1.0),
            Some(longest) => {
                let squares = f64::from(gradient.clone().square().sum().into_scalar::<f32>());
                let norm = (squares + rows.iter().map(RowGradient::squares).sum::<f64>()).sqrt();
                if !norm.is_finite() {
                    return Err(BadGradient(norm));
                }
                let factor = longest / (norm + 1e-6);
                if factor < 1.0 { (gradient.mul_scalar(factor as f32), factor as f32) } else { (gradient, 1.0) }
            }
        };
        if let Some(value) = rows.iter().find_map(RowGradient::not_finite) {
            return Err(BadGradient(f64::from(value)));
        }
        self.dense(flat, gradient);
        self.tables.step(tables, rows, factor, step);
        Ok(())
    }

    fn dense(&mut self, flat: &mut Tensor<1>, gradient: Tensor<1>) {
        let moments = self.moments.take();
        let rate = self.learning_rate;
        let before = flat.clone();
        (*flat, self.moments) = self.rule.step(rate, before, gradient, moments);
    }

    /// Moments of the tables.
    pub(crate) const fn tables(&self) -> &RowUpdate {
        &self.tables
    }

    /// The moments so far; none before the first step and for SGD.
    pub(crate) const fn moments(&self) -> Option<&Moments> {
        self.moments.as_ref()
    }
}

/// The rule that the spec asks for.
pub(crate) fn rule(training: &Training) -> Rule {
    let decay = training.weight_decay as f32;
    match training.optimizer {
        Optimizer::Adam => Rule::adam(decay),
        Optimizer::Adamw => Rule::adamw(decay),
        Optimizer::Sgd => Rule::sgd(decay),
    }
}

/// Numbers that the optimizer keeps for each parameter.
pub(crate) const fn moments_per_parameter(optimizer: Optimizer) -> u64 {
    match optimizer {
        Optimizer::Adam | Optimizer::Adamw => 2,
        Optimizer::Sgd => 0,
    }
}
