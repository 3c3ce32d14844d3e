//! One step of the optimizer on a stretch of numbers. The rules treat each number alone, so that a shard needs no others.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::{
    Adam, AdamConfig, AdamState, AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _, Sgd, SgdConfig,
};
use burn::tensor::Tensor;
use recspeed_plan::sharding::OptimizerState;

/// ε of Adam and AdamW; Burn's own default is 1e-5.
pub const EPSILON: f32 = 1e-8;

/// What Adam and AdamW remember of some numbers.
pub type Moments = AdaptiveMomentumState<1>;

/// How parameters follow their gradient.
#[derive(Clone)]
pub enum Rule {
    /// Kingma and Ba, 2015; weight decay as part of the gradient.
    Adam(Adam),
    /// Loshchilov and Hutter, 2019.
    AdamW(AdamW),
    /// Plain gradient descent.
    Sgd(Sgd),
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Adam(_) => "Adam",
            Self::AdamW(_) => "AdamW",
            Self::Sgd(_) => "Sgd",
        })
    }
}

impl Rule {
    /// Adam with this weight decay.
    pub fn adam(decay: f32) -> Self {
        let penalty = (decay > 0.0).then(|| WeightDecayConfig::new(decay));
        Self::Adam(AdamConfig::new().with_epsilon(EPSILON).with_weight_decay(penalty).build())
    }

    /// AdamW with this weight decay.
    pub fn adamw(decay: f32) -> Self {
        Self::AdamW(AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(decay).build())
    }

    /// Gradient descent with this weight decay.
    pub fn sgd(decay: f32) -> Self {
        let penalty = (decay > 0.0).then(|| WeightDecayConfig::new(decay));
        Self::Sgd(SgdConfig::new().with_weight_decay(penalty).build())
    }

    /// What it keeps for each number.
    pub const fn state(&self) -> OptimizerState {
        match self {
            Self::Adam(_) | Self::AdamW(_) => OptimizerState::TwoMoments,
            Self::Sgd(_) => OptimizerState::None,
        }
    }

    /// One step.
    ///
    /// # Shapes
    /// - `numbers`, `gradient`, the moments: all alike
    pub fn step(
        &self,
        rate: f64,
        numbers: Tensor<1>,
        gradient: Tensor<1>,
        moments: Option<Moments>,
    ) -> (Tensor<1>, Option<Moments>) {
        match self {
            Self::Adam(adam) => {
                let (numbers, state) = adam.step(rate, numbers, gradient, moments.map(AdamState::new));
                (numbers, state.map(|state| state.momentum))
            }
            Self::AdamW(adamw) => {
                let (numbers, state) = adamw.step(rate, numbers, gradient, moments.map(AdamWState::new));
                (numbers, state.map(|state| state.momentum))
            }
            Self::Sgd(sgd) => (sgd.step(rate, numbers, gradient, None).0, None),
        }
    }
}
