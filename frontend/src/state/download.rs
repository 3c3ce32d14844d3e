//! Everything that the page shows can be taken away as a file.

use std::fmt::Write as _;

use leptos::prelude::document;
use wasm_bindgen::JsCast as _;

use super::RunView;

/// Gives the reader a file.
pub(crate) fn save(name: &str, media_type: &str, content: &str) {
    let parts = js_sys::Array::of1(&content.into());
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(media_type);
    let Ok(blob) = web_sys::Blob::new_with_str_sequence_and_options(&parts, &options) else { return };
    let Ok(url) = web_sys::Url::create_object_url_with_blob(&blob) else { return };
    let Ok(element) = document().create_element("a") else { return };
    let link: web_sys::HtmlAnchorElement = element.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The browser has taken the file by then or never will; the address only holds memory.
    let _ = web_sys::Url::revoke_object_url(&url);
}

/// Every number of a run as CSV: `name,split,step,epoch,value`.
pub(crate) fn curve_csv(view: &RunView) -> String {
    let mut text = String::from("name,split,step,epoch,value\n");
    for key in view.curves.keys() {
        for point in view.curve(key) {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{},{},{},{},{}", key.name, key.on.title(), point.step, point.epoch, point.value);
        }
    }
    text
}
