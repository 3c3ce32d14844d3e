//! Where data sets lie on disk: look-up, content hash, Arrow cache, import.
//!
//! A [`DataHome`] is a folder with the imported files (`datasets/SHA-256/`) and a cache of parsed ones
//! (`cache/SHA-256-FORMAT.arrow`). [`DataHome::load`] brings what a spec's `[dataset]` names: a built-in set made from the
//! seed, a file found by its path, or an upload found by its hash. What is written out for others are new files ([`write_new`]);
//! what there is to be named by a spec, [`server_files`] lists.

mod cache;
mod content;
mod error;
mod files;
mod home;
mod judge;
mod known;
mod load;
mod lookup;
mod map;
mod new_file;
mod parquet_file;
mod read;

pub use content::sha256_hex;
pub use error::{HomeError, LoadError};
pub use files::{FILE_ID, LookBounds, server_files};
pub use home::DataHome;
pub use judge::Beginning;
pub use load::{LoadRequest, Loaded};
pub use lookup::LookUp;
pub use new_file::{file_beside, write_new};
pub use parquet_file::{write_attributes_parquet, write_parquet};
pub use read::Reading;
