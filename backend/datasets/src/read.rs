//! A file of any format into interactions.

use bytes::Bytes;
use recspeed_data::{ReadError, ReadLimits, ReadOutcome, read_ratings, table};
use recspeed_types::spec::{ColumnNames, DataFormat};
use sha2::{Digest as _, Sha256};

use crate::parquet_file::read_parquet;

/// The bytes of a table, out of gzip or zstd where they are packed so.
///
/// # Errors
/// As [`recspeed_data::unpack`].
pub(crate) fn unpacked(bytes: &Bytes, limits: ReadLimits) -> Result<Bytes, ReadError> {
    Ok(recspeed_data::unpack(bytes, limits)?.map_or_else(|| bytes.clone(), Bytes::from))
}

/// How a file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading<'a> {
    /// How it is written.
    pub format: DataFormat,
    /// The columns of a table, where they have other names than the usual ones.
    pub columns: &'a ColumnNames,
}

impl Reading<'_> {
    /// Reads the rows.
    pub(crate) fn read(self, bytes: &Bytes, limits: ReadLimits) -> Result<ReadOutcome, ReadError> {
        match self.format {
            DataFormat::Parquet => read_parquet(&unpacked(bytes, limits)?, self.columns, limits),
            DataFormat::Arrow => table::read_arrow(&unpacked(bytes, limits)?, self.columns, limits),
            format => read_ratings(format, bytes, limits),
        }
    }

    /// What tells the parsed forms of one file apart, as part of a file name.
    pub(crate) fn tag(self) -> String {
        let format = self.format.as_str();
        let named: Vec<String> =
            self.columns.named().into_iter().filter_map(|(what, name)| Some(format!("{what}={}\n", name?))).collect();
        if named.is_empty() || !self.format.is_table() {
            return format.to_owned();
        }
        let hash = Sha256::digest(named.concat().as_bytes());
        hash.iter().take(6).fold(format!("{format}-"), |tag, byte| format!("{tag}{byte:02x}"))
    }
}
