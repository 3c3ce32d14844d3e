//! The clipboard.

use leptos::prelude::window;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

/// Copies a text; whether that worked. It does not in an insecure context or when the reader forbids it, so every place that
/// copies also shows the text.
pub(crate) async fn copy(text: &str) -> bool {
    let navigator: JsValue = window().navigator().into();
    // Absent outside secure contexts, where asking for it as usual would trap.
    if js_sys::Reflect::get(&navigator, &"clipboard".into()).map_or(true, |value| value.is_undefined()) {
        return false;
    }
    JsFuture::from(window().navigator().clipboard().write_text(text)).await.is_ok()
}
