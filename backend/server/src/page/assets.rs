//! Files of the front end, each with its type, its tag, its age and its compressed form.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::launch::hex;

/// What Trunk built; empty when the page was not built before the server.
#[derive(RustEmbed)]
#[folder = "../../dist"]
#[allow_missing = true]
struct Dist;

/// Files below this many bytes are not worth compressing.
const SMALL: usize = 512;
/// How long after the first visit the files are packed.
const AFTER_VISIT: Duration = Duration::from_secs(5);
/// Brotli's highest quality: each file is compressed once, in the background.
const QUALITY: i32 = 11;
const WINDOW: i32 = 22;

/// One file.
#[derive(Debug)]
pub struct Asset {
    bytes: Bytes,
    brotli: OnceLock<Bytes>,
    kind: &'static str,
    tag: String,
    /// Whether the name holds the content's hash, so that the content under it never changes.
    immutable: bool,
}

/// Every file of the front end.
#[derive(Debug, Default)]
pub struct Assets {
    files: HashMap<String, Asset>,
    visited: AtomicBool,
}

impl Assets {
    /// The files inside this binary.
    pub fn embedded() -> Arc<Self> {
        Self::of(Dist::iter().filter_map(|name| {
            let content = match Dist::get(&name)?.data {
                Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                Cow::Owned(bytes) => Bytes::from(bytes),
            };
            Some((name.into_owned(), content))
        }))
    }

    /// These files.
    pub fn of(files: impl IntoIterator<Item = (String, Bytes)>) -> Arc<Self> {
        let files = files.into_iter().map(|(name, bytes)| {
            let asset = Asset {
                kind: kind_of(&name),
                immutable: is_hashed(&name),
                tag: format!("\"{}\"", hex(Sha256::digest(&bytes).get(..16).unwrap_or_default())),
                brotli: OnceLock::new(),
                bytes,
            };
            (name, asset)
        });
        Arc::new(Self { files: files.collect(), visited: AtomicBool::new(false) })
    }

    /// The file at `path`, without a leading slash.
    pub fn get(&self, path: &str) -> Option<&Asset> {
        self.files.get(path)
    }

    /// Notes that somebody looks at the page. The first time, the files are packed as small as they get, a moment later
    /// and in the background: the first visit itself, and a lab that nobody visits, keep the processor.
    pub fn visited(self: &Arc<Self>) {
        if !self.visited.swap(true, Ordering::Relaxed) {
            let assets = Arc::clone(self);
            std::thread::spawn(move || {
                std::thread::sleep(AFTER_VISIT);
                assets.compress();
            });
        }
    }

    /// Compresses every file that gains from it, the small ones first. Takes seconds; meanwhile the files are sent as a
    /// quicker compressor makes them.
    pub fn compress(&self) {
        let mut files: Vec<_> = self.files.values().filter(|asset| asset.is_compressible()).collect();
        files.sort_by_key(|asset| asset.bytes.len());
        for asset in files {
            if let Some(packed) = brotli(&asset.bytes).filter(|packed| packed.len() < asset.bytes.len()) {
                // Nobody else sets it.
                let _ = asset.brotli.set(packed.into());
            }
        }
    }

    /// Content-security-policy sources of the scripts that stand inside the first page, as `'sha256-…'`.
    pub fn inline_scripts(&self) -> Vec<String> {
        let Some(index) = self.get("index.html") else { return Vec::new() };
        let text = String::from_utf8_lossy(&index.bytes);
        let mut found = Vec::new();
        let mut rest = text.as_ref();
        while let Some((_, after)) = rest.split_once("<script") {
            let Some((attributes, body)) = after.split_once('>') else { break };
            let Some((script, behind)) = body.split_once("</script>") else { break };
            if !attributes.contains("src=") && !script.trim().is_empty() {
                let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script));
                found.push(format!("'sha256-{digest}'"));
            }
            rest = behind;
        }
        found
    }
}

impl Asset {
    fn is_compressible(&self) -> bool {
        let packed_already =
            self.kind.starts_with("image/") && self.kind != "image/svg+xml" || self.kind.starts_with("font/");
        self.bytes.len() >= SMALL && !packed_already
    }

    /// The answer to a request with these headers.
    pub fn answer(&self, headers: &HeaderMap) -> Response {
        let text =
            |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let cache = if self.immutable { "public, max-age=31536000, immutable" } else { "no-cache" };
        let known = text(header::IF_NONE_MATCH);
        let unchanged = known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == self.tag);
        let mut response = if unchanged {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let takes_brotli = text(header::ACCEPT_ENCODING)
                .split(',')
                .any(|coding| matches!(coding.split_once(';').map_or(coding, |(name, _)| name).trim(), "br"));
            let (body, packed) = match self.brotli.get() {
                Some(packed) if takes_brotli => (packed.clone(), true),
                _ => (self.bytes.clone(), false),
            };
            let mut response = Body::from(body).into_response();
            if packed {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
            }
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        response
    }
}

fn brotli(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packed = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut packed, 64 * 1024, QUALITY as u32, WINDOW as u32);
    writer.write_all(bytes).ok()?;
    writer.flush().ok()?;
    drop(writer);
    Some(packed)
}

/// Trunk puts 16 hexadecimal digits of the content's hash into a name, before the ending or before `_bg`.
fn is_hashed(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or_default();
    file.split(['-', '.', '_']).any(|part| part.len() >= 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn kind_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" | "md" | "toml" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_a_hash_never_change_and_others_may() {
        for name in ["frontend-0123456789abcdef_bg.wasm", "a/style-fedcba9876543210.css", "app-0123456789abcdef.js"] {
            assert!(is_hashed(name), "{name}");
        }
        for name in ["index.html", "runner/runner_bg.wasm", "favicon.svg", "feedface.js"] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn every_inline_script_gets_its_hash_and_linked_ones_none() {
        let page = "<html><script src=\"/a.js\"></script><script type=module>alert(1)</script><script>\n</script>";
        let assets = Assets::of([("index.html".to_owned(), Bytes::from(page))]);
        let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest("alert(1)"));
        assert_eq!(assets.inline_scripts(), [format!("'sha256-{digest}'")]);
    }

    #[test]
    fn a_compressed_file_is_sent_to_who_takes_it_and_not_sent_twice() {
        let assets = Assets::of([("a.wasm".to_owned(), Bytes::from(vec![7; 100_000]))]);
        assets.compress();
        let asset = assets.get("a.wasm").unwrap();
        let mut headers = HeaderMap::new();
        let plain = asset.answer(&headers);
        assert_eq!(plain.headers()[header::CONTENT_TYPE], "application/wasm");
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip, br;q=1"));
        assert_eq!(asset.answer(&headers).headers()[header::CONTENT_ENCODING], "br");
        headers.insert(header::IF_NONE_MATCH, plain.headers()[header::ETAG].clone());
        assert_eq!(asset.answer(&headers).status(), StatusCode::NOT_MODIFIED);
    }
}
