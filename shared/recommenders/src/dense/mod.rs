//! Dense linear algebra, chosen for the processor at run time: in f32, and inverses in f64.

mod cholesky;
mod gemm;
mod gramian;
mod inverse;
mod kernels;

pub(crate) use cholesky::Cholesky;
pub(crate) use gemm::{Matrix, multiply};
pub(crate) use gramian::gramian;
pub(crate) use inverse::invert;
pub(crate) use kernels::{add_scaled, dot, dot_all};
