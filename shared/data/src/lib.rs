//! Interactions in columns: readers, ids, splits, synthetic data, reports.
//!
//! [`read_ratings`] turns the bytes of a file into [`Interactions`]; [`generate`] makes them from a seed. [`apply_filters`]
//! keeps some of the rows, [`split`] divides them, [`Csr`] shows them by user or by item, [`describe`] reports on them.
//! Nothing here opens a file: bytes come in and columns go out, on a server and in a browser tab alike.

#[cfg(feature = "arrow")]
pub mod arrow_ipc;
mod attributes;
mod calendar;
pub mod checkpoint;
mod coverage;
mod csr;
mod describe;
mod dictionary;
mod enrich;
mod extent;
mod filters;
mod generate;
mod hash;
mod interactions;
mod long_tail;
mod moment;
pub mod parts;
mod permutation;
mod random;
mod read;
pub mod retrieval;
mod split;
#[cfg(feature = "arrow")]
pub mod table;
mod titles;
mod usual;

pub use attributes::{AttributeColumn, AttributeValues, Attributes};
pub use coverage::Coverage;
pub use csr::Csr;
pub use describe::{Arrivals, CountQuantiles, DatasetReport, describe, leak_count};
pub use dictionary::{Dictionary, DictionaryBuilder};
pub use enrich::{derive, shuffled};
pub use extent::extent;
pub use filters::apply_filters;
pub use generate::{Generated, generate};
pub use hash::{attributes_hash, columns_sha256, fnv1a, rows_hash};
pub use interactions::{Interactions, InteractionsBuilder};
pub use long_tail::{CountBin, TailPoint};
pub use moment::EpochUnit;
pub use permutation::Permutation;
pub use read::{
    AttributeOutcome, AttributeReport, BadLine, PACKED_START, ReadError, ReadLimits, ReadOutcome, ReadReport,
    RepeatedId, read_attributes, read_ratings, unpack, unpack_start,
};
pub use split::{SplitError, SplitReport, SplitRows, split, split_reports};
pub use titles::Titles;
pub use usual::{FAR_RATING, usual_rating};
