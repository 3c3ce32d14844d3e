//! What must be known to read numbers right.

use leptos::prelude::*;

use super::{Icon, Picture};

/// A box with the warnings about what stands around it, in whole sentences; nothing where there are none. `test_id` is
/// for browser tests.
pub(crate) fn warned(texts: Vec<String>, test_id: &'static str) -> Option<AnyView> {
    (!texts.is_empty()).then(|| {
        let texts: Vec<AnyView> = texts.into_iter().map(|text| view! { <li>{text}</li> }.into_any()).collect();
        view! {
            <div class="message" role="note" aria-label="Warnings" data-testid=test_id>
                <Icon picture=Picture::Warning/>
                <ul>{texts}</ul>
            </div>
        }
        .into_any()
    })
}
