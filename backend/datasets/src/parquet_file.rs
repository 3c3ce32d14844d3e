//! Parquet files. Here and not in `shared/`, because what they are packed with is partly read by C code, which no browser
//! runs.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_schema::Schema;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::arrow::arrow_writer::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use recspeed_data::table::{AttributeTable, BatchSink, IdLayout, Table, TableOut, attributes_batch};
use recspeed_data::{AttributeOutcome, Attributes, Interactions, ReadError, ReadLimits, ReadOutcome};
use recspeed_types::spec::ColumnNames;

/// Rows read at a time.
const BATCH_ROWS: usize = 1 << 16;

/// What a Parquet file begins with.
const MAGIC: &[u8] = b"PAR1";

/// Whether bytes begin as a Parquet file does.
pub(crate) fn is_parquet(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Reads ratings from a Parquet file.
///
/// # Errors
/// [`ReadError`]: the bytes are no such file, a column is missing or of another type, or there is more than allowed.
pub(crate) fn read_parquet(bytes: &Bytes, names: &ColumnNames, limits: ReadLimits) -> Result<ReadOutcome, ReadError> {
    read_batches(bytes, limits, |schema| Table::new(schema, names, schema.metadata(), limits))?.finish()
}

/// Reads attributes from a Parquet file, as [`AttributeTable`] says.
///
/// # Errors
/// [`ReadError`]: the bytes are no such file, a column is of another type, or there is more than allowed.
pub(crate) fn read_attributes_parquet(bytes: &Bytes, limits: ReadLimits) -> Result<AttributeOutcome, ReadError> {
    read_batches(bytes, limits, |schema| AttributeTable::new(schema, limits))?.finish()
}

fn read_batches<S: BatchSink>(
    bytes: &Bytes,
    limits: ReadLimits,
    sink: impl FnOnce(&Schema) -> Result<S, ReadError>,
) -> Result<S, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    // The decoder indexes by what a file says of itself; a damaged one must not end the lab.
    catch_unwind(AssertUnwindSafe(|| read(bytes, limits, sink)))
        .unwrap_or_else(|_| Err(unsound("it is damaged in a way that the decoder did not expect")))
}

fn read<S: BatchSink>(
    bytes: &Bytes,
    limits: ReadLimits,
    sink: impl FnOnce(&Schema) -> Result<S, ReadError>,
) -> Result<S, ReadError> {
    let file = ParquetRecordBatchReaderBuilder::try_new(bytes.clone()).map_err(unsound)?;
    let mut sink = sink(file.schema())?;
    let rows = file.metadata().file_metadata().num_rows();
    if rows >= i64::from(u32::MAX) {
        return Err(ReadError::TooManyRows);
    }
    let mask = ProjectionMask::roots(file.parquet_schema(), sink.projection());
    let columns = file.metadata().row_groups().iter().flat_map(|group| group.columns().iter().enumerate());
    let mut codecs = columns.clone().map(|(_, column)| column.compression());
    if let Some(codec) = codecs.find(|codec| matches!(codec, Compression::BROTLI(_) | Compression::LZO)) {
        let codec = codec.to_string();
        let codec = codec.split('(').next().unwrap_or_default().to_lowercase();
        return Err(ReadError::Codec { codec });
    }
    // A few bytes can stand for many values that are the same.
    let unpacked = columns
        .filter(|(leaf, _)| mask.leaf_included(*leaf))
        .map(|(_, column)| column.uncompressed_size().max(column.num_values().saturating_mul(4)));
    let bytes = unpacked.fold(0u64, |sum, size| sum.saturating_add(u64::try_from(size).unwrap_or(u64::MAX)));
    if bytes > limits.max_inflated_bytes {
        return Err(ReadError::TableTooLarge { bytes, limit: limits.max_inflated_bytes });
    }
    for batch in file.with_projection(mask).with_batch_size(BATCH_ROWS).build().map_err(unsound)? {
        sink.add(&batch.map_err(unsound)?)?;
    }
    Ok(sink)
}

fn unsound(cause: impl std::fmt::Display) -> ReadError {
    ReadError::Table { format: "Parquet", cause: cause.to_string().lines().next().unwrap_or_default().to_owned() }
}

/// Writes interactions, with further columns of one value a row, packed with zstd. [`read_parquet`] reads the same
/// interactions back, bit for bit, where ids are numbered by first appearance.
///
/// # Errors
/// What `writer` fails with.
pub fn write_parquet(
    data: &Interactions,
    further: &[(&str, &[f32])],
    writer: impl Write + Send,
) -> Result<(), ParquetError> {
    let table = TableOut::new(data, further, IdLayout::Text)?;
    let mut file = ArrowWriter::try_new(writer, table.schema(), Some(packed()))?;
    for batch in table.batches() {
        file.write(&batch?)?;
    }
    file.close()?;
    Ok(())
}

/// Writes attributes, packed with zstd; [`read_attributes_parquet`] reads the same back.
///
/// # Errors
/// What `writer` fails with.
pub fn write_attributes_parquet(attributes: &Attributes, writer: impl Write + Send) -> Result<(), ParquetError> {
    let batch = attributes_batch(attributes, IdLayout::Text)?;
    let mut file = ArrowWriter::try_new(writer, batch.schema(), Some(packed()))?;
    file.write(&batch)?;
    file.close()?;
    Ok(())
}

fn packed() -> WriterProperties {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use recspeed_data::{AttributeValues, InteractionsBuilder, generate};
    use recspeed_types::builtin;

    use super::*;

    fn written(data: &Interactions) -> Bytes {
        let mut bytes = Vec::new();
        write_parquet(data, &[], &mut bytes).expect("memory");
        bytes.into()
    }

    fn read(bytes: &Bytes) -> Result<ReadOutcome, ReadError> {
        read_parquet(bytes, &ColumnNames::default(), ReadLimits::default())
    }

    fn built_in() -> Interactions {
        let data = generate(builtin::find("beauty-synthetic-10k").expect("built in"), 3).interactions;
        data.subset(&(0..data.len() as u32).collect::<Vec<_>>())
    }

    #[test]
    fn the_built_in_data_come_back_bit_for_bit() {
        assert_eq!(read(&written(&built_in())).expect("its own file").interactions, built_in());
    }

    #[test]
    fn attributes_come_back_bit_for_bit() {
        let made = generate(builtin::find("beauty-synthetic-10k").expect("built in"), 3).item_attributes;
        let mut bytes = Vec::new();
        write_attributes_parquet(&made, &mut bytes).expect("memory");
        assert!(is_parquet(&bytes));
        let back = read_attributes_parquet(&bytes.into(), ReadLimits::default()).expect("its own file").attributes;
        assert_eq!(back.ids, made.ids);
        for (back, made) in back.columns.iter().zip(&made.columns) {
            // A missing number is no number, which equals none.
            match (&back.values, &made.values) {
                (AttributeValues::Float(back), AttributeValues::Float(made)) => {
                    assert!(back.iter().zip(made).all(|(a, b)| a == b || (a.is_nan() && b.is_nan())));
                }
                (back, made) => assert_eq!(back, made),
            }
        }
        assert_eq!(back.columns.len(), made.columns.len());
    }

    #[test]
    fn other_bytes_and_a_file_cut_off_are_one_clear_error() {
        let whole = written(&built_in());
        let error = read(&whole.slice(..whole.len() / 2)).unwrap_err().to_string();
        assert!(error.starts_with("no sound Parquet file: "), "{error}");
        assert!(error.ends_with("; check dataset.format, or fetch or copy the file again"), "{error}");
        assert!(read(&Bytes::from_static(b"user,item\nu,i\n")).is_err());
        assert_eq!(read(&Bytes::new()), Err(ReadError::Empty));
    }

    #[test]
    fn a_damaged_file_is_an_error_or_other_data_but_never_a_panic() {
        let whole = written(&built_in().subset(&(0..50).collect::<Vec<_>>()));
        for at in 0..whole.len() {
            for bit in [0x01, 0x80] {
                let mut damaged = whole.to_vec();
                damaged[at] ^= bit;
                let _ = read(&damaged.into());
            }
        }
    }

    #[test]
    fn a_table_over_the_limit_is_refused_before_it_is_read() {
        let limits = ReadLimits { max_inflated_bytes: 1000, ..ReadLimits::default() };
        let error = read_parquet(&written(&built_in()), &ColumnNames::default(), limits).unwrap_err();
        assert!(matches!(error, ReadError::TableTooLarge { limit: 1000, .. }), "{error}");
    }

    proptest! {
        #[test]
        fn interactions_come_back_bit_for_bit(
            rows in proptest::collection::vec(
                ("[a-c]{1,2}|é", "[x-z]{1,2}", -1e30f32..1e30, any::<i64>(), 0u32..1_000_000_000),
                1..40,
            ),
            step in prop_oneof![Just(1_000_000_000u32), Just(1_000_000), Just(1_000), Just(1)],
            flags in any::<(bool, bool)>(),
        ) {
            let (mut builder, mut fraction) = (InteractionsBuilder::default(), Vec::new());
            for (user, item, rating, timestamp, nanos) in rows {
                // Whole seconds may be anywhere, others where nanoseconds reach.
                let whole = step == 1_000_000_000;
                builder.push(&user, &item, rating, if whole { timestamp } else { timestamp % 9_000_000_000 });
                fraction.push(nanos - nanos % step);
            }
            if fraction.iter().all(|&nanos| nanos == 0) {
                fraction.clear();
            }
            let data = Interactions { fraction, has_ratings: flags.0, has_timestamps: flags.1, ..builder.finish() };
            let back = read(&written(&data)).expect("its own file").interactions;
            let bits = |data: &Interactions| data.rating.iter().map(|r| r.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&back), bits(&data));
            prop_assert_eq!(back, data);
        }
    }
}
