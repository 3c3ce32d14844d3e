//! Latent factors.

mod als;

pub(crate) use als::ImplicitAls;
pub use als::{Als, AlsSettings, Confidence, Solver};
