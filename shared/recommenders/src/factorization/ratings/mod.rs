//! Factorization of explicit ratings by stochastic gradient descent.

pub(super) mod biased_mf;
pub(super) mod nmf;
pub(super) mod svdpp;
