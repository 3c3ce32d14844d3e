//! A window over the page; the browser's own `dialog`, with its focus trap and its Escape key.

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast as _;

use super::{Icon, Picture};

/// Gives the focus to what the window is for, where that is marked: the browser gives it to the button that closes it.
fn focus_first(dialog: NodeRef<html::Dialog>) {
    // What is inside is made after the window has opened.
    request_animation_frame(move || {
        let Some(Some(dialog)) = dialog.try_get_untracked() else { return };
        if let Ok(Some(first)) = dialog.query_selector("[data-first]")
            && let Ok(first) = first.dyn_into::<web_sys::HtmlElement>()
        {
            // Fails only for elements that are gone.
            let _ = first.focus();
        }
    });
}

/// A window with a heading, open while `open` is true.
#[component]
pub(crate) fn Modal(
    /// Whether it is open; closing it by any means sets it back.
    open: RwSignal<bool>,
    /// The heading.
    #[prop(into)]
    title: String,
    /// What is inside; made when it opens.
    children: ChildrenFn,
) -> impl IntoView {
    let dialog = NodeRef::<html::Dialog>::new();
    Effect::new(move |_| {
        let Some(window) = dialog.get() else { return };
        if open.get() && !window.open() {
            // Fails only when the element has left the page, where there is nothing to show.
            let _ = window.show_modal();
            focus_first(dialog);
        } else if !open.get() && window.open() {
            window.close();
        }
    });
    let children = StoredValue::new(children);
    let heading = title.clone();
    view! {
        <dialog
            class="modal"
            node_ref=dialog
            aria-label=title
            on:close=move |_| open.set(false)
            on:click=move |event| {
                // A click on the backdrop reaches the dialog itself, one inside reaches its content.
                let on_backdrop = dialog.get().is_some_and(|d| event.target().is_some_and(|t| d.is_same_node(t.dyn_ref())));
                if on_backdrop { open.set(false) }
            }
        >
            <div class="modal-inner">
                <header class="modal-head">
                    <h2>{heading}</h2>
                    <button type="button" class="button quiet square" aria-label="Close" on:click=move |_| open.set(false)>
                        <Icon picture=Picture::Cross/>
                    </button>
                </header>
                <Show when=move || open.get()>{children.with_value(|children| children())}</Show>
            </div>
        </dialog>
    }
}
