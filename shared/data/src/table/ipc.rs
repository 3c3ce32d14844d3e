//! Arrow IPC: the file format (Feather version 2) and the stream format.
//!
//! Arrow's reader reserves what a file says that it will need. So what every message says is first held against the
//! bytes that are there and against the limit.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::RecordBatch;
use arrow_ipc::reader::{FileReaderBuilder, StreamReader};
use arrow_ipc::{Block, MessageHeader, root_as_footer, root_as_message};
use arrow_schema::{ArrowError, Metadata, Schema};
use recspeed_types::spec::ColumnNames;

use super::{AttributeTable, BatchSink, Table};
use crate::read::{AttributeOutcome, ReadError, ReadLimits, ReadOutcome};

const MAGIC: &[u8] = b"ARROW1";
/// What a message of a stream begins with, before the length of its description.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// Whether bytes begin as an Arrow IPC file or stream does.
pub fn is_arrow(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC) || bytes.starts_with(&CONTINUATION)
}

/// Reads ratings from an Arrow IPC file or stream; buffers packed with LZ4 or zstd need those features of arrow-ipc.
///
/// # Errors
/// [`ReadError`]: the bytes are no such file, a column is missing or of another type, or there is more than allowed.
pub fn read_arrow(bytes: &[u8], names: &ColumnNames, limits: ReadLimits) -> Result<ReadOutcome, ReadError> {
    read_batches(bytes, limits, |schema, metadata| Table::new(schema, names, metadata, limits))?.finish()
}

/// Reads attributes from an Arrow IPC file or stream, as [`AttributeTable`] says.
///
/// # Errors
/// [`ReadError`]: the bytes are no such file, a column is of another type, or there is more than allowed.
pub fn read_attributes_arrow(bytes: &[u8], limits: ReadLimits) -> Result<AttributeOutcome, ReadError> {
    read_batches(bytes, limits, |schema, _| AttributeTable::new(schema, limits))?.finish()
}

/// Makes a sink for the columns that the file has, and gives it every batch.
fn read_batches<S: BatchSink>(
    bytes: &[u8],
    limits: ReadLimits,
    sink: impl FnOnce(&Schema, &Metadata) -> Result<S, ReadError>,
) -> Result<S, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    // The decoder takes some things on trust that a damaged file does not keep, as where buffers begin.
    catch_unwind(AssertUnwindSafe(|| read(bytes, limits, sink)))
        .unwrap_or_else(|_| Err(unsound("it is damaged in a way that the decoder did not expect")))
}

fn read<S: BatchSink>(
    bytes: &[u8],
    limits: ReadLimits,
    sink: impl FnOnce(&Schema, &Metadata) -> Result<S, ReadError>,
) -> Result<S, ReadError> {
    if bytes.starts_with(MAGIC) {
        check_file(bytes, limits.max_inflated_bytes)?;
        let open = || FileReaderBuilder::new().build(Cursor::new(bytes)).map_err(unsound);
        let whole = open()?;
        let mut metadata = whole.schema().metadata().clone();
        metadata.extend(whole.custom_metadata().clone());
        let sink = sink(&whole.schema(), &metadata)?;
        let reader = FileReaderBuilder::new().with_projection(sink.projection());
        return read_all(sink, reader.build(Cursor::new(bytes)).map_err(unsound)?);
    }
    check_stream(bytes, limits.max_inflated_bytes)?;
    let schema = StreamReader::try_new(Cursor::new(bytes), None).map_err(unsound)?.schema();
    let sink = sink(&schema, schema.metadata())?;
    let projection = Some(sink.projection());
    read_all(sink, StreamReader::try_new(Cursor::new(bytes), projection).map_err(unsound)?)
}

fn read_all<S: BatchSink>(
    mut sink: S,
    batches: impl Iterator<Item = Result<RecordBatch, ArrowError>>,
) -> Result<S, ReadError> {
    for batch in batches {
        sink.add(&batch.map_err(unsound)?)?;
    }
    Ok(sink)
}

fn unsound(cause: impl std::fmt::Display) -> ReadError {
    ReadError::Table { format: "Arrow IPC", cause: cause.to_string().lines().next().unwrap_or_default().to_owned() }
}

fn cut_off() -> ReadError {
    unsound("it is cut off or damaged")
}

/// Holds every block that the footer names against the file.
fn check_file(bytes: &[u8], limit: u64) -> Result<(), ReadError> {
    // The footer, its length in four bytes, the magic word again.
    let (before, end) = bytes.split_last_chunk::<10>().ok_or_else(cut_off)?;
    if &end[4..] != MAGIC {
        return Err(cut_off());
    }
    let length = u32::from_le_bytes([end[0], end[1], end[2], end[3]]) as usize;
    let footer = before.len().checked_sub(length).ok_or_else(cut_off)?;
    let footer = root_as_footer(&before[footer..]).map_err(|_| cut_off())?;
    let blocks = footer.dictionaries().into_iter().flatten().chain(footer.recordBatches().into_iter().flatten());
    let mut needed = 0;
    for block in blocks {
        let (description, body) = block_of(bytes, block).ok_or_else(cut_off)?;
        add_message(description, body, &mut needed, limit)?;
    }
    Ok(())
}

/// Description and body of a block, where it lies inside the file.
fn block_of<'a>(bytes: &'a [u8], block: &Block) -> Option<(&'a [u8], &'a [u8])> {
    let start = usize::try_from(block.offset()).ok()?;
    let middle = start.checked_add(usize::try_from(block.metaDataLength()).ok()?)?;
    let end = middle.checked_add(usize::try_from(block.bodyLength()).ok()?)?;
    let (description, body) = (bytes.get(start..middle)?, bytes.get(middle..end)?);
    // Files before version 0.15 have the length alone.
    Some((description.strip_prefix(&CONTINUATION).unwrap_or(description).get(4..)?, body))
}

/// The same for the messages of a stream.
fn check_stream(mut rest: &[u8], limit: u64) -> Result<(), ReadError> {
    if !rest.starts_with(&CONTINUATION) {
        return Err(unsound("it begins neither as an Arrow file nor as a stream does"));
    }
    let mut needed = 0;
    while let Some(next) = rest.strip_prefix(&CONTINUATION) {
        let (length, next) = next.split_first_chunk::<4>().ok_or_else(cut_off)?;
        let length = u32::from_le_bytes(*length) as usize;
        if length == 0 {
            return Ok(());
        }
        let (description, next) = next.split_at_checked(length).ok_or_else(cut_off)?;
        let body = root_as_message(description).map_err(|_| cut_off())?.bodyLength();
        let (body, next) =
            usize::try_from(body).ok().and_then(|body| next.split_at_checked(body)).ok_or_else(cut_off)?;
        add_message(description, body, &mut needed, limit)?;
        rest = next;
    }
    if rest.is_empty() { Ok(()) } else { Err(cut_off()) }
}

/// Adds the bytes that a message needs once it is unpacked.
fn add_message(description: &[u8], body: &[u8], needed: &mut u64, limit: u64) -> Result<(), ReadError> {
    let message = root_as_message(description).map_err(|_| cut_off())?;
    let batch = match message.header_type() {
        MessageHeader::RecordBatch => message.header_as_record_batch(),
        MessageHeader::DictionaryBatch => message.header_as_dictionary_batch().and_then(|batch| batch.data()),
        _ => None,
    };
    let Some(batch) = batch else { return Ok(()) };
    let packed = batch.compression().is_some();
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).map_err(|_| cut_off())?;
        let length = usize::try_from(buffer.length()).map_err(|_| cut_off())?;
        let held = start.checked_add(length).and_then(|end| body.get(start..end)).ok_or_else(cut_off)?;
        *needed += match held.first_chunk::<8>().filter(|_| packed).map(|first| i64::from_le_bytes(*first)) {
            // −1 says that the rest is not packed.
            Some(-1) | None => length as u64,
            Some(unpacked) => u64::try_from(unpacked).map_err(|_| cut_off())?,
        };
        if *needed > limit {
            return Err(ReadError::TableTooLarge { bytes: *needed, limit });
        }
    }
    Ok(())
}
