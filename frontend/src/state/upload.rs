//! Gives a file to the server. `fetch` does not tell how far an upload is, so this is an `XMLHttpRequest`.

use std::cell::Cell;
use std::rc::Rc;

use recspeed_types::api::UploadRecord;
use recspeed_types::spec::DataFormat;
use wasm_bindgen::prelude::*;
use web_sys::{File, ProgressEvent, XmlHttpRequest};

use super::api::{self, ApiError};

/// An upload on its way; dropping it ends it.
pub(crate) struct Upload {
    request: XmlHttpRequest,
    /// Whether its end was told.
    over: Rc<Cell<bool>>,
    _on_progress: Closure<dyn Fn(ProgressEvent)>,
    _on_end: Closure<dyn Fn()>,
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.request.set_onloadend(None);
        if !self.over.get() {
            // Fails only where there is nothing to end.
            let _ = self.request.abort();
        }
    }
}

/// Sends a file. `sent` hears the share that is sent, from 0 to 1; `ended` hears the answer, once.
pub(crate) fn send(
    file: &File,
    format: DataFormat,
    sent: impl Fn(f64) + 'static,
    ended: impl Fn(Result<UploadRecord, ApiError>) + 'static,
) -> Result<Upload, ApiError> {
    let request = XmlHttpRequest::new().map_err(|_| ApiError::Unreachable)?;
    let name = js_sys::encode_uri_component(&file.name());
    let url = format!("/api/datasets?name={name}&format={}", format.as_str());
    request.open("POST", &url).map_err(|_| ApiError::Unreachable)?;
    let on_progress = Closure::<dyn Fn(ProgressEvent)>::new(move |event: ProgressEvent| {
        if event.length_computable() && event.total() > 0.0 {
            sent(event.loaded() / event.total());
        }
    });
    let over = Rc::new(Cell::new(false));
    let on_end = {
        let (request, over) = (request.clone(), over.clone());
        Closure::<dyn Fn()>::new(move || {
            over.set(true);
            let status = request.status().unwrap_or_default();
            let text = request.response_text().ok().flatten().unwrap_or_default();
            ended(if status == 0 { Err(ApiError::Unreachable) } else { api::read(status, &text) });
        })
    };
    if let Ok(upload) = request.upload() {
        upload.set_onprogress(Some(on_progress.as_ref().unchecked_ref()));
    }
    request.set_onloadend(Some(on_end.as_ref().unchecked_ref()));
    request.send_with_opt_blob(Some(file)).map_err(|_| ApiError::Unreachable)?;
    Ok(Upload { request, over, _on_progress: on_progress, _on_end: on_end })
}
