//! Dense linear algebra over plain slices, chosen for the processor at run time: in f32, and inverses in f64. It knows nothing of
//! recommenders or networks.

#![allow(
    clippy::inline_always,
    reason = "a vector loop must be compiled inside the function that chose the instruction set"
)]

mod cholesky;
mod gemm;
mod gramian;
mod inverse;
mod kernels;

pub use cholesky::{Cholesky, NotPositiveDefinite};
pub use gemm::{Into, Matrix, multiply};
pub use gramian::{GRAM_PIECES, gramian};
pub use inverse::{InverseError, invert};
pub use kernels::{add_scaled, dot, dot_all};
