//! Has the engine read a file before a run needs it: the page itself reads none.

use js_sys::{ArrayBuffer, Object, Promise, Reflect};
use recspeed_types::spec::DataFormat;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageEvent;

use super::tab;

/// Reads a file as a run in this tab would, in a worker of its own: one that runs something would answer when that is over.
///
/// # Errors
/// Why it cannot be read, in a sentence.
pub(super) async fn check(content: &ArrayBuffer, format: DataFormat) -> Result<(), String> {
    let worker = tab::worker().map_err(|_| tab::CANNOT_LOAD.to_owned())?;
    let answer = Promise::new(&mut |heard, failed| {
        worker.set_onmessage(Some(&heard));
        worker.set_onerror(Some(&failed));
    });
    let message = Object::new();
    let posted = Reflect::set(&message, &"check".into(), &format.as_str().into())
        .and_then(|_| Reflect::set(&message, &"upload".into(), content))
        .and_then(|_| worker.post_message(&message));
    let heard = match posted {
        Ok(()) => JsFuture::from(answer).await,
        Err(error) => Err(error),
    };
    worker.terminate();
    let Ok(heard) = heard else { return Err(tab::why_not_loaded().await.to_owned()) };
    let data = heard.unchecked_into::<MessageEvent>().data();
    let refusal = Reflect::get(&data, &"refusal".into()).ok().and_then(|words| words.as_string());
    refusal.map_or(Ok(()), Err)
}
