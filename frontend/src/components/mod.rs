//! Parts that several screens use.

mod command;
mod component_list;
mod dialog;
mod field;
mod header;
mod hint;
mod icon;
mod knob;
mod own_file;
mod refused;
mod result;
mod select;
mod share;
mod shortcuts;
mod spec_editor;
mod status;
mod theme_colours;
mod toasts;

pub(crate) use command::{CopyCommand, with_code};
pub(crate) use dialog::Modal;
pub(crate) use field::{FieldError, FieldRow};
pub(crate) use header::Header;
pub(crate) use hint::Hint;
pub(crate) use icon::{Icon, Picture};
pub(crate) use knob::Knob;
pub(crate) use own_file::OwnFile;
pub(crate) use refused::Refused;
pub(crate) use result::{ResultDetails, ResultPanel};
pub(crate) use select::Select;
pub(crate) use share::{CopyField, ShareButton};
pub(crate) use shortcuts::Shortcuts;
pub(crate) use spec_editor::{SpecEditor, SpecView};
pub(crate) use status::StatusBadge;
pub(crate) use theme_colours::theme_colours;
pub(crate) use toasts::ToastList;
