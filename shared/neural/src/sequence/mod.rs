//! Sequence models: an encoder reads what somebody did in the order of time, and the product of its vector with an item's
//! is the item's score.
//!
//! A model is an [`encoder::Encoder`] in a file of its own; what is around it is shared: histories, packing, drawn items,
//! scores and their way back, answers.

mod all_items;
mod attention;
mod bert4rec;
mod caser;
mod draws;
mod encoder;
mod gru4rec;
mod history;
mod lesson;
mod methods;
mod model;
mod negatives;
mod packing;
mod sasrec;
mod tied;
mod transformer;

pub(crate) use methods::{BERT4REC, CASER, GRU4REC, SASREC};
