//! Files of the reader's own that this tab holds: a run in the tab reads them without any server.

use std::cell::RefCell;
use std::collections::BTreeMap;

use js_sys::{ArrayBuffer, Uint8Array};
use leptos::prelude::window;
use recspeed_types::limits::MAX_TAB_FILE_BYTES;
use recspeed_types::spec::DataFormat;
use wasm_bindgen::JsCast as _;
use wasm_bindgen_futures::JsFuture;
use web_sys::File;

use super::check::check;
use crate::charts::bytes;

/// Bytes that tell how a file is written.
const HEAD_BYTES: f64 = 4096.0;

thread_local! {
    /// By SHA-256: the name and the content.
    static HELD: RefCell<BTreeMap<String, (String, ArrayBuffer)>> = const { RefCell::new(BTreeMap::new()) };
}

/// A file that this tab holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldFile {
    /// SHA-256 of the content: `dataset.id` of a spec.
    pub sha256: String,
    /// Its name on the reader's disk.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// How it is written, as the reader said.
    pub format: DataFormat,
}

/// The first bytes of a file; empty when it cannot be read.
pub(crate) async fn head(file: &File) -> Vec<u8> {
    let Ok(first) = file.slice_with_f64_and_f64(0.0, HEAD_BYTES) else { return Vec::new() };
    JsFuture::from(first.array_buffer()).await.map_or_else(|_| Vec::new(), |buffer| Uint8Array::new(&buffer).to_vec())
}

/// Reads a file into this tab, once it is known that a run can read it.
///
/// # Errors
/// A sentence for the reader: the file is too large, cannot be read as that format, or the browser does not hash here.
pub(crate) async fn hold(file: &File, format: DataFormat) -> Result<HeldFile, String> {
    let size = file.size() as u64;
    if size > MAX_TAB_FILE_BYTES {
        return Err(format!(
            "The file has {}; a tab takes at most {}. Give it to the server instead.",
            bytes(size),
            bytes(MAX_TAB_FILE_BYTES)
        ));
    }
    let content = JsFuture::from(file.array_buffer())
        .await
        .map_err(|_| "The file cannot be read any more; choose it again.".to_owned())?;
    let content: ArrayBuffer = content.unchecked_into();
    check(&content, format).await.map_err(|words| format!("{}: {words}", file.name()))?;
    // Browsers hash only on https and on the loopback addresses.
    let crypto = window().crypto().map(|crypto| crypto.subtle()).ok().filter(|subtle| subtle.is_object());
    let digest = crypto.and_then(|subtle| subtle.digest_with_str_and_buffer_source("SHA-256", &content).ok());
    let Some(digest) = digest else {
        return Err(
            "This browser names files only on https or on 127.0.0.1; give the file to the server instead.".to_owned()
        );
    };
    let digest =
        JsFuture::from(digest).await.map_err(|_| "The browser could not hash the file; try again.".to_owned())?;
    let sha256 = hexadecimal(&Uint8Array::new(&digest).to_vec());
    HELD.with_borrow_mut(|held| held.insert(sha256.clone(), (file.name(), content)));
    Ok(HeldFile { sha256, name: file.name(), bytes: size, format })
}

/// Name and content of the file with this hash, when the tab holds it.
pub(super) fn content(sha256: &str) -> Option<(String, ArrayBuffer)> {
    HELD.with_borrow(|held| held.get(sha256).cloned())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[digit as usize])).collect()
}
