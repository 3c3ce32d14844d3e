//! The [`Recommender`] trait and its families.
//!
//! [`fit`] learns any non-neural kind of the [catalogue](recspeed_types::catalogue) from a [`TrainSet`]; the result
//! predicts, scores, ranks and explains. Families are folders, one file a method. Work is divided over rayon's threads in
//! pieces whose borders do not depend on the number of threads, so the same seed gives the same bits for any number.

#![allow(
    clippy::inline_always,
    reason = "a vector loop must be compiled inside the function that chose the instruction set"
)]

mod baselines;
mod checkpoint;
mod content;
mod course;
mod divergence;
mod error;
pub mod factorization;
mod fit;
mod hybrid;
mod item_to_item;
mod linear;
mod machines;
mod memory;
mod needs;
mod neighbourhood;
pub mod ranking;
mod recommender;
mod scratch;
mod train;
mod ways;

pub use content::check_words;
pub use divergence::Before;
pub use error::{FitError, remedy_for};
pub use factorization::races;
pub use fit::{
    FitElsewhere, FitRequest, Fitted, ForetellElsewhere, Foretold, RestoreElsewhere, RestoreRequest, Restored, fit,
    fit_request, foresee, kinds, restore, restore_request, unforeseen,
};
pub use memory::components::{Forecast, Sizes, check_components, foretell};
pub use needs::check_needs;
pub use ranking::{RankError, RankRequest, Ranking};
pub use recommender::{BasketItem, FoldIn, Profiles, Reason, Recommender};
pub use recspeed_data::parts::{Array, Parts, PartsError, Values};
pub use train::TrainSet;
pub use ways::{divided, listed, ways_to_change};
