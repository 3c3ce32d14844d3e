//! The networks: one file each, and what several of them share.

pub(crate) mod autoencoder;
pub(crate) mod deepfm;
pub(crate) mod densenet;
mod described;
pub(crate) mod dlrm;
mod fielded;
#[cfg(test)]
mod gradients;
pub(crate) mod mlp;
pub(crate) mod neumf;
mod pairs;
mod tower;
pub(crate) mod wide_and_deep;

pub(crate) use described::Saved;
