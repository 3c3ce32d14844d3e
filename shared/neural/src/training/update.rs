//! One step of the optimizer on the flat parameters.

use burn::optim::{
    Adam, AdamConfig, AdamState, AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _, Sgd, SgdConfig,
    decay::WeightDecayConfig,
};
use burn::tensor::Tensor;
use recspeed_types::spec::{Optimizer, Training};

/// ε of Adam and AdamW; Burn's own default is 1e-5.
const EPSILON: f32 = 1e-8;

/// Moments of Adam and AdamW over the flat parameters.
pub(crate) type Moments = AdaptiveMomentumState<1>;

/// The update rule with its state.
pub(crate) struct Update {
    rule: Rule,
    learning_rate: f64,
    clip: Option<f64>,
    moments: Option<Moments>,
}

enum Rule {
    Adam(Adam),
    AdamW(AdamW),
    Sgd(Sgd),
}

/// The norm of the gradient was no finite number: there is no direction to step in.
pub(crate) struct BadGradient(pub(crate) f64);

impl Update {
    /// The rule that the spec asks for, going on from `moments` when a checkpoint had some.
    pub(crate) fn new(training: &Training, moments: Option<Moments>) -> Self {
        let decay = training.weight_decay as f32;
        let penalty = (decay > 0.0).then(|| WeightDecayConfig::new(decay));
        let rule = match training.optimizer {
            Optimizer::Adam => Rule::Adam(AdamConfig::new().with_epsilon(EPSILON).with_weight_decay(penalty).build()),
            Optimizer::Adamw => Rule::AdamW(AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(decay).build()),
            Optimizer::Sgd => Rule::Sgd(SgdConfig::new().with_weight_decay(penalty).build()),
        };
        Self { rule, learning_rate: training.learning_rate, clip: training.gradient_clip, moments }
    }

    /// The parameters after one step. Where the spec sets a bound, a gradient whose Euclidean norm over *all* parameters
    /// is longer is scaled down to it, as `torch.nn.utils.clip_grad_norm_` does.
    ///
    /// # Shapes
    /// - `flat`, `gradient`, the result: `[parameters]`
    pub(crate) fn step(&mut self, flat: Tensor<1>, gradient: Tensor<1>) -> Result<Tensor<1>, BadGradient> {
        let gradient = match self.clip {
            None => gradient,
            Some(longest) => {
                let norm = f64::from(gradient.clone().square().sum().into_scalar::<f32>()).sqrt();
                if !norm.is_finite() {
                    return Err(BadGradient(norm));
                }
                let factor = longest / (norm + 1e-6);
                if factor < 1.0 { gradient.mul_scalar(factor as f32) } else { gradient }
            }
        };
        let moments = self.moments.take();
        let rate = self.learning_rate;
        Ok(match &self.rule {
            Rule::Adam(adam) => {
                let (flat, state) = adam.step(rate, flat, gradient, moments.map(AdamState::new));
                self.moments = state.map(|state| state.momentum);
                flat
            }
            Rule::AdamW(adamw) => {
                let (flat, state) = adamw.step(rate, flat, gradient, moments.map(AdamWState::new));
                self.moments = state.map(|state| state.momentum);
                flat
            }
            Rule::Sgd(sgd) => sgd.step(rate, flat, gradient, None).0,
        })
    }

    /// The moments so far; none before the first step and for SGD.
    pub(crate) const fn moments(&self) -> Option<&Moments> {
        self.moments.as_ref()
    }
}

/// Numbers that the optimizer keeps for each parameter.
pub(crate) const fn moments_per_parameter(optimizer: Optimizer) -> u64 {
    match optimizer {
        Optimizer::Adam | Optimizer::Adamw => 2,
        Optimizer::Sgd => 0,
    }
}
