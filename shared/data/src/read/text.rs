//! From a file's bytes to its text.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::MultiGzDecoder;
use memchr::memchr;

use super::error::ReadError;

/// A gzip file may always unpack to this much, however small it is.
const FREE_INFLATED_BYTES: u64 = 64 << 20;

/// Beyond that, unpacked bytes for each packed byte: tables of ratings reach about 10, a decompression bomb 1,000.
const MAX_INFLATE_RATIO: u64 = 200;

/// Where NUL bytes mean that the whole file is no text.
const SNIFFED_BYTES: usize = 64 * 1024;

/// The text of a file: unpacked when it begins as gzip does, without its byte-order mark.
pub(super) fn open(bytes: &[u8], max_inflated_bytes: u64) -> Result<Cow<'_, [u8]>, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        Cow::Owned(inflate(bytes, max_inflated_bytes)?)
    } else {
        Cow::Borrowed(bytes)
    };
    sniff(&text)?;
    Ok(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text)),
        Cow::Owned(mut text) => {
            if text.starts_with(BYTE_ORDER_MARK) {
                text.drain(..BYTE_ORDER_MARK.len());
            }
            Cow::Owned(text)
        }
    })
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn inflate(bytes: &[u8], max_inflated_bytes: u64) -> Result<Vec<u8>, ReadError> {
    let packed = bytes.len() as u64;
    let limit = max_inflated_bytes.min(FREE_INFLATED_BYTES.max(packed.saturating_mul(MAX_INFLATE_RATIO)));
    let mut text = Vec::new();
    // One byte more than allowed tells "at the limit" from "over it".
    let read = MultiGzDecoder::new(bytes).take(limit.saturating_add(1)).read_to_end(&mut text);
    if text.len() as u64 > limit {
        return Err(ReadError::TooLargeUnpacked { packed, limit });
    }
    match read {
        Ok(_) => Ok(text),
        Err(cause) => Err(ReadError::Gzip { inflated: text.len() as u64, cause: cause.to_string() }),
    }
}

fn sniff(text: &[u8]) -> Result<(), ReadError> {
    const SAVE: &str = "save it as UTF-8 text";
    const UNPACK: &str = "unpack it first, or use gzip";
    let (what, remedy) = if text.is_empty() {
        return Err(ReadError::Empty);
    } else if text.starts_with(b"PK\x03\x04") {
        ("a zip archive", UNPACK)
    } else if text.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        ("packed with zstd", UNPACK)
    } else if text.starts_with(b"PAR1") || text.starts_with(b"ARROW1") {
        ("a Parquet or Arrow file", "write it as CSV first")
    } else if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        ("UTF-16 text", SAVE)
    } else if memchr(0, &text[..text.len().min(SNIFFED_BYTES)]).is_some() {
        ("binary (it contains NUL bytes)", SAVE)
    } else {
        return Ok(());
    };
    Err(ReadError::Binary { what, remedy })
}
