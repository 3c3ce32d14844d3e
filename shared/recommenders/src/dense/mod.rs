//! Dense linear algebra in f32, chosen for the processor at run time.

mod cholesky;
mod gemm;
mod gramian;
mod kernels;

pub(crate) use cholesky::Cholesky;
pub(crate) use gemm::{Matrix, multiply};
pub(crate) use gramian::gramian;
pub(crate) use kernels::{add_scaled, dot, dot_all};
