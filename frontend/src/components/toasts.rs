//! Short messages at the edge of the page.

use leptos::prelude::*;

use super::{Icon, Picture, or_main};
use crate::state::{Link, link, use_lab};

/// What every page says while the server is not there.
const INTERRUPTED: &str = "The connection to the server is interrupted; what is shown may be old. This page connects \
                           again by itself. A server that is started again goes on with its runs.";

/// The messages on show.
#[component]
pub(crate) fn ToastList() -> impl IntoView {
    let toasts = use_lab().toasts;
    let (link, said) = (link(), StoredValue::new(None::<u32>));
    Effect::new(move |_| {
        let interrupted = link.get() == Link::Reconnecting;
        match said.get_value() {
            // Once: whoever has hidden it knows.
            None if interrupted => said.set_value(Some(toasts.stay(INTERRUPTED))),
            Some(id) if !interrupted => {
                toasts.dismiss(id);
                said.set_value(None);
            }
            _ => {}
        }
    });
    view! {
        <div class="toasts" role="status" aria-live="polite">
            <For each=move || toasts.list() key=|toast| toast.id let:toast>
                <div class="toast" data-testid="toast">
                    <span>{toast.text.clone()}</span>
                    {toast.undo.clone().map(|undo| view! {
                        <button
                            type="button"
                            class="button link"
                            data-testid="undo"
                            on:click=move |_| {
                                if toasts.dismiss(toast.id) {
                                    undo();
                                }
                                or_main();
                            }
                        >
                            "Undo"
                        </button>
                    })}
                    <button
                        type="button"
                        class="button quiet square"
                        aria-label="Hide this message"
                        hidden=toast.undo.is_some()
                        on:click=move |_| {
                            toasts.dismiss(toast.id);
                            or_main();
                        }
                    >
                        <Icon picture=Picture::Cross/>
                    </button>
                </div>
            </For>
        </div>
    }
}
