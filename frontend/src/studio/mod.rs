//! The strategy studio without a page: what is set, what the plan makes of it, where each rectangle lies, and the words for it.
//! Plain data with tests; it knows `recspeed-plan`, the spec of a run
//! and numbers as text.

mod address;
mod by_run;
mod export;
mod frame;
mod memory;
mod model;
mod nearest;
mod of_run;
mod setup;
mod ticks;
mod to_run;
mod waits;
mod words;

pub(crate) use by_run::ByRun;
pub(crate) use export::command;
pub(crate) use frame::{Frame, Lane, Rect, step_to};
pub(crate) use memory::{Band, steps_of};
pub(crate) use nearest::nearest;
pub(crate) use of_run::strategy_in_words;
pub(crate) use setup::{
    Cut, LINKS, MODELS, MODELS_AND_OWN, OFFLOADS, OPTIMIZERS, RECOMPUTES, Refusal, SCHEDULES, Setup, ZEROS,
};
pub(crate) use ticks::{tick_labels, ticks};
pub(crate) use waits::{about_waits, strips};
pub(crate) use words::{Headline, about_bar, bubble, compared, dropped, headline, summary, time, verdict};
