//! Saved models on disk.
//!
//! A folder holds one model: `manifest.json`, and beside it a folder with the files that the manifest names. Saving writes
//! a new folder and then renames a new manifest over the old one, so a reader finds the old model or the new one and never
//! a half. Every file is held against its checksum before it is used.
//!
//! Architecture invariant: a model is named arrays ([`recspeed_data::parts::Parts`]), its spec, the ids of users and items,
//! and what each user knows; what the arrays mean is the business of `recspeed-recommenders` and `recspeed-neural`. What an
//! export says of them stands in `layouts`, which a test of the worker holds against those.

mod array_file;
mod error;
mod export;
mod folder;
mod layouts;
mod load;
mod manifest;
mod page;
mod save;
mod tensors;

pub use error::ModelError;
pub use export::{ExportFormat, Exported, check_export, export};
pub use load::{SavedModel, load, manifest};
pub use manifest::{Manifest, SavedFile};
pub use save::{ModelToSave, check_place, remove, save};
pub use tensors::{Later as LaterList, read as read_tensors, write_file as write_tensors_file};
