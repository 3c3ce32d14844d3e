//! A button with a short list under it: the browser's own `details`, which Escape and a click elsewhere close as well.

use leptos::ev::{click, keydown};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::{Icon, Picture};

/// The button with its list.
#[component]
pub(crate) fn Menu(
    /// What the button says.
    title: &'static str,
    /// What stands beside it.
    picture: Picture,
    /// For browser tests: `data-testid` of the button.
    test_id: &'static str,
    /// The buttons of the list.
    children: Children,
) -> impl IntoView {
    let (menu, button) = (NodeRef::<html::Details>::new(), NodeRef::<html::Summary>::new());
    let opened = move || menu.get_untracked().filter(web_sys::HtmlDetailsElement::open);
    // Both are heard anywhere: not every browser gives the focus to a button that is clicked.
    let elsewhere = window_event_listener(click, move |event| {
        if let Some(menu) = opened()
            && event.target().is_none_or(|target| !menu.contains(target.dyn_ref()))
        {
            menu.set_open(false);
        }
    });
    let escape = window_event_listener(keydown, move |event| {
        if event.key() == "Escape"
            && let Some(menu) = opened()
        {
            menu.set_open(false);
            if let Some(button) = button.get_untracked() {
                // Fails only for elements that are gone.
                let _ = button.focus();
            }
        }
    });
    on_cleanup(move || {
        elsewhere.remove();
        escape.remove();
    });
    view! {
        <details class="menu" node_ref=menu>
            <summary class="button" node_ref=button data-testid=test_id>
                <Icon picture=picture/>
                <span>{title}</span>
            </summary>
            <div class="menu-list">{children()}</div>
        </details>
    }
    .into_any()
}
