//! Networks as shapes over one flat vector of parameters.
//!
//! All parameters of a network lie in one tensor `[parameters]`, and every layer looks at its slice of it without a
//! copy. An optimizer then updates one tensor instead of two a layer, the norm of the whole gradient is one reduction,
//! and a checkpoint is one block of numbers.

mod mlp;
mod predict;

pub(crate) use mlp::{Attached, Mlp};
pub(crate) use predict::Predictor;
