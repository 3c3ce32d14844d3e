//! What stands where an answer should be that did not come.

use leptos::prelude::*;

use super::{Icon, Picture, focus_on, use_arrival, with_code};
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
    let arrival = use_arrival();
    // The button goes as soon as the answer is awaited: the focus goes first.
    let press = move |event: web_sys::MouseEvent| {
        arrival.stay_by(&event_target::<web_sys::Element>(&event));
        again.run(());
    };
    view! {
        <div class="refused">
            <div class="message message-error" role="alert" data-testid=test_id><Icon picture=Picture::Warning/><p>{with_code(&text)}</p></div>
            <p><button type="button" class="button" data-testid="try-again" on:click=press>"Try again"</button></p>
        </div>
    }
    .into_any()
}

/// The same where a data set is chosen, for the list of the files given to the server; nothing where the list is there.
#[component]
pub(crate) fn UploadsRefused(
    /// The id of the list, where whoever asks again goes on.
    list: &'static str,
) -> impl IntoView {
    let lab = use_lab();
    let again = move |()| {
        if let Some(list) = document().get_element_by_id(list) {
            focus_on(&list);
        }
        lab.ask_uploads();
    };
    move || {
        let text = lab.no_uploads.get()?;
        Some(view! { <Refused text=text again=again test_id="uploads-error"/> })
    }
}
