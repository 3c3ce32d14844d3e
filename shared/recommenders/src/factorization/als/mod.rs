//! Alternating least squares on implicit feedback.
//!
//! Minimises `Σ_{u,i} c_ui (p_ui − x_u·y_i)² + λ (Σ_u ‖x_u‖² + Σ_i ‖y_i‖²)` over **all** users `u` and items `i`, with
//! `p_ui = 1` and `c_ui = 1 + α·w_ui` where there was an interaction, `p_ui = 0` and `c_ui = 1` elsewhere.
//! Source: Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", doi:10.1109/ICDM.2008.22.

mod conjugate_gradient;
mod exact;
mod explicit;
mod loss;
mod model;
mod solve;
mod state;

pub(crate) use explicit::{CHUNK, METHOD as EXPLICIT};
pub use model::Als;
pub(crate) use model::METHOD as IMPLICIT;
pub(crate) use solve::BLOCK_ROWS;

/// What an interaction of weight `w` counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Confidence {
    /// The α of `1 + α·w`.
    pub alpha: f32,
    /// Whether `w` is the rating; 1 otherwise.
    pub by_rating: bool,
}

impl Confidence {
    /// `c − 1`: what an interaction counts more than none.
    #[inline(always)]
    pub(crate) fn extra(self, rating: f32) -> f32 {
        if self.by_rating { self.alpha * rating } else { self.alpha }
    }
}

/// How each vector is solved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Solver {
    /// Steps of conjugate gradient from the vector of the iteration before.
    /// Source: Takács, Pilászy, Tikk, doi:10.1145/2043932.2043987.
    ConjugateGradient {
        /// Steps for each vector in each iteration.
        steps: u32,
    },
    /// The exact solution by a Cholesky factorisation.
    Cholesky,
}

/// The parameters of a fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlsSettings {
    /// Length of each vector.
    pub factors: usize,
    /// The λ of the objective.
    pub regularization: f32,
    /// What an interaction counts.
    pub confidence: Confidence,
    /// How each vector is solved for.
    pub solver: Solver,
}
