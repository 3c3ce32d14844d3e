//! The law: every strategy computes the update of one device.

mod begins;
mod bench;
mod exchanges;
mod faults;
mod lent;
mod looking;
mod pipelines;
mod replicas;
mod tables;
mod tensors;
