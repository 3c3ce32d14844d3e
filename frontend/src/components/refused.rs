//! What stands where an answer should be that did not come.

use leptos::prelude::*;

use super::{Icon, Picture};

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
            <div class="message message-error" role="alert" data-testid=test_id><Icon picture=Picture::Warning/><p>{text}</p></div>
            <p><button type="button" class="button" data-testid="try-again" on:click=move |_| again.run(())>"Try again"</button></p>
        </div>
    }
    .into_any()
}
