//! From a file's bytes to its text.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, Read};
use std::iter;

use flate2::bufread::MultiGzDecoder;
use memchr::memchr;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder, StreamingDecoder};

use super::error::ReadError;

const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
/// What a skippable frame of zstd begins with, its low four bits free.
const ZSTD_SKIPPABLE: &[u8] = &[0x2a, 0x4d, 0x18];

/// A packed file may always unpack to this much, however small it is.
const FREE_INFLATED_BYTES: u64 = 64 << 20;

/// Beyond that, unpacked bytes for each packed byte: tables of ratings reach about 10, a decompression bomb 1,000.
const MAX_INFLATE_RATIO: u64 = 200;

/// Where NUL bytes mean that the whole file is no text.
const SNIFFED_BYTES: usize = 64 * 1024;

/// The text of a file: unpacked when it begins as gzip or zstd do, without its byte-order mark.
pub(super) fn open(bytes: &[u8], max_inflated_bytes: u64) -> Result<Cow<'_, [u8]>, ReadError> {
    if bytes.is_empty() {
        return Err(ReadError::Empty);
    }
    let text = unpack(bytes, max_inflated_bytes)?.map_or(Cow::Borrowed(bytes), Cow::Owned);
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

/// What is packed in bytes that begin as gzip or zstd do; `None` for others.
pub(super) fn unpack(bytes: &[u8], max_inflated_bytes: u64) -> Result<Option<Vec<u8>>, ReadError> {
    if bytes.starts_with(GZIP) {
        inflate("gzip", bytes, max_inflated_bytes, MultiGzDecoder::new(bytes)).map(Some)
    } else if is_zstd(bytes) {
        inflate("zstd", bytes, max_inflated_bytes, ZstdFrames::new(bytes)).map(Some)
    } else {
        Ok(None)
    }
}

/// See [`super::unpack_start`].
pub(super) fn unpack_start(start: &[u8], most: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    // The end of what is there cuts the packing off: what came out in front of it counts.
    if start.starts_with(GZIP) {
        let _ = MultiGzDecoder::new(start).take(most).read_to_end(&mut text);
    } else if is_zstd(start) {
        let alone = first_block(start).unwrap_or_default();
        let _ = ZstdFrames::new(&alone).take(most).read_to_end(&mut text);
    } else {
        return None;
    }
    Some(text)
}

/// The first block of a zstd file as a frame of its own: a decoder gives nothing out before it has a whole window or the end of the frame,
/// and the beginning of a file has neither. `None` where it has no whole block. RFC 8878, 3.1.1.
fn first_block(mut start: &[u8]) -> Option<Vec<u8>> {
    while is_zstd(start) && !start.starts_with(ZSTD) {
        let length = u32::from_le_bytes(start.get(4..8)?.try_into().ok()?);
        start = start.get(8 + length as usize..)?;
    }
    let descriptor = *start.strip_prefix(ZSTD)?.first()?;
    if descriptor & 3 != 0 {
        // Packed with a dictionary.
        return None;
    }
    let is_single_segment = descriptor & 0x20 != 0;
    let content_size = match descriptor >> 6 {
        0 => usize::from(is_single_segment),
        1 => 2,
        2 => 4,
        _ => 8,
    };
    let header = ZSTD.len() + 1 + usize::from(!is_single_segment) + content_size;
    let &[low, middle, high] = start.get(header..header + 3)? else { return None };
    let size = u32::from_le_bytes([low, middle, high, 0]) >> 3;
    // Of a run of one byte, that byte is stored.
    let stored = if (low >> 1) & 3 == 1 { 1 } else { size as usize };
    let block = start.get(header + 3..header + 3 + stored)?;
    // A header that says of nothing but the window: as much as a block may hold. The block is the last one.
    let mut alone = [ZSTD, &[0, 7 << 3, low | 1, middle, high]].concat();
    alone.extend_from_slice(block);
    Some(alone)
}

fn is_zstd(bytes: &[u8]) -> bool {
    bytes.starts_with(ZSTD)
        || bytes.first().is_some_and(|first| first & 0xf0 == 0x50) && bytes[1..].starts_with(ZSTD_SKIPPABLE)
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

fn inflate(
    packing: &'static str,
    bytes: &[u8],
    max_inflated_bytes: u64,
    unpacked: impl Read,
) -> Result<Vec<u8>, ReadError> {
    let packed = bytes.len() as u64;
    let limit = max_inflated_bytes.min(FREE_INFLATED_BYTES.max(packed.saturating_mul(MAX_INFLATE_RATIO)));
    let mut text = Vec::new();
    // One byte more than allowed tells "at the limit" from "over it".
    let read = unpacked.take(limit.saturating_add(1)).read_to_end(&mut text);
    if text.len() as u64 > limit {
        return Err(ReadError::TooLargeUnpacked { packing, packed, limit });
    }
    match read {
        Ok(_) => Ok(text),
        Err(cause) => Err(ReadError::Packed { packing, inflated: text.len() as u64, cause: cause.to_string() }),
    }
}

/// The frames of a zstd file, one after another; those without data are stepped over.
struct ZstdFrames<'a> {
    rest: &'a [u8],
    frame: Option<StreamingDecoder<&'a [u8], FrameDecoder>>,
    /// What ended the frame early; told when all that came out before it has been read.
    broken: Option<io::Error>,
}

/// A last block without content, and four bytes in the place of a checksum: the decoder holds a window of megabytes back
/// until a frame ends, so that of a smaller file that is cut off nothing would come out.
const END_OF_FRAME: &[u8] = &[1, 0, 0, 0, 0, 0, 0];

impl<'a> ZstdFrames<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, frame: None, broken: None }
    }

    /// Begins the next frame; `None` behind the last one.
    fn begin(&mut self) -> io::Result<Option<StreamingDecoder<&'a [u8], FrameDecoder>>> {
        while !self.rest.is_empty() {
            let mut begun = self.rest;
            match StreamingDecoder::new(begun) {
                Ok(frame) => return Ok(Some(frame)),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    // Four bytes of its mark and four of its length stand before the frame.
                    begun = begun.get(8 + length as usize..).ok_or(io::ErrorKind::UnexpectedEof)?;
                    self.rest = begun;
                }
                Err(error) => return Err(in_words(&error)),
            }
        }
        Ok(None)
    }
}

impl Read for ZstdFrames<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let Some(frame) = &mut self.frame else {
                match self.begin()? {
                    Some(frame) => self.frame = Some(frame),
                    None => return Ok(0),
                }
                continue;
            };
            let read = match frame.read(to) {
                Ok(read) => read,
                Err(error) if self.broken.is_none() => {
                    self.broken = Some(in_words(&error));
                    // Where that fails, too, the next reading does.
                    let _ = frame.decoder.decode_blocks(END_OF_FRAME, BlockDecodingStrategy::All);
                    continue;
                }
                Err(_) => 0,
            };
            if read > 0 || to.is_empty() {
                return Ok(read);
            }
            if let Some(broken) = self.broken.take() {
                return Err(broken);
            }
            if let Some(frame) = self.frame.take() {
                let (said, found) = (frame.decoder.get_checksum_from_data(), frame.decoder.get_calculated_checksum());
                if said.is_some() && said != found {
                    return Err(io::Error::other("its checksum does not agree"));
                }
                self.rest = frame.into_inner();
            }
        }
    }
}

/// What is wrong with a zstd file: the decoder's own words are the names of its types, and say "block header" of a block's body.
fn in_words(error: &(dyn Error + 'static)) -> io::Error {
    let is_cut_off = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
    };
    if iter::successors(Some(error), |&cause| cause.source()).any(is_cut_off) {
        return io::ErrorKind::UnexpectedEof.into();
    }
    io::Error::other(match error.downcast_ref::<FrameDecoderError>() {
        Some(FrameDecoderError::DictNotProvided { .. }) => "it is packed with a dictionary, which is not read here",
        Some(FrameDecoderError::WindowSizeTooBig { .. }) => "it is packed with a longer window than is read here",
        _ => "corrupt zstd frame",
    })
}

fn sniff(text: &[u8]) -> Result<(), ReadError> {
    const SAVE: &str = "save it as UTF-8 text";
    const UNPACK: &str = "unpack it first, or use gzip or zstd";
    const FORMAT: &str = "set dataset.format to it";
    const CHOOSE: &str = "choose a text file, or a table as Parquet or Arrow";
    let (what, remedy) = if text.is_empty() {
        return Err(ReadError::Empty);
    } else if text.starts_with(b"PK\x03\x04") {
        ("a zip archive", UNPACK)
    } else if text.starts_with(ZSTD) || text.starts_with(GZIP) {
        ("packed twice", UNPACK)
    } else if text.starts_with(b"PAR1") {
        ("a Parquet file", FORMAT)
    } else if text.starts_with(b"ARROW1") {
        ("an Arrow file", FORMAT)
    } else if text.starts_with(&[0xff, 0xfe]) || text.starts_with(&[0xfe, 0xff]) {
        ("UTF-16 text", SAVE)
    } else if memchr(0, &text[..text.len().min(SNIFFED_BYTES)]).is_some() {
        ("binary (it contains NUL bytes)", CHOOSE)
    } else {
        return Ok(());
    };
    Err(ReadError::Binary { what, remedy })
}
