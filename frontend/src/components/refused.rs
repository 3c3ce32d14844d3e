//! What stands where an answer should be that did not come.

use leptos::prelude::*;

use super::{Icon, Picture, with_code};
use crate::state::use_lab;

/// Why there is no answer, and a way to ask again.
#[component]
pub(crate) fn Refused(
    /// Why.
    text: String,
    /// Asks again.
    #[prop(into)]
    again: Callback<()>,
    /// For browser tests.
    test_id: &'static str,
) -> impl IntoView {
    view! {
        <div class="refused">
            <div class="message message-error" role="alert" data-testid=test_id><Icon picture=Picture::Warning/><p>{with_code(&text)}</p></div>
            <p><button type="button" class="button" data-testid="try-again" on:click=move |_| again.run(())>"Try again"</button></p>
        </div>
    }
    .into_any()
}

/// The same where a data set is chosen, for the list of the files given to the server; nothing where the list is there.
#[component]
pub(crate) fn UploadsRefused() -> impl IntoView {
    let lab = use_lab();
    move || {
        let text = lab.no_uploads.get()?;
        Some(view! { <Refused text=text again=move |()| lab.ask_uploads() test_id="uploads-error"/> })
    }
}
