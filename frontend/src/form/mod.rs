//! What can be set, and how a set value gets into the spec and back: plain data, derived from the catalogue and the limits.
//!
//! Nothing here draws. A new recommender, parameter or data set appears in the page's forms by its entry alone.

mod computing;
mod draft;
mod edit;
mod field;
mod fitting;
mod guess;
mod offer;
mod recommenders;
mod sections;
mod stops;
mod toml_lines;

pub(crate) use draft::SpecDraft;
pub(crate) use edit::with_kind;
pub(crate) use field::{Choice, Field, FieldKind, number};
pub(crate) use fitting::decides;
pub(crate) use guess::guess_format;
pub(crate) use offer::Offer;
pub(crate) use recommenders::{ListChange, Place, places};
pub(crate) use sections::{Section, advanced, knobs};
pub(crate) use stops::Stops;
pub(crate) use toml_lines::{TokenKind, line_of_path, line_of_syntax_error, syntax_words, tokens};
