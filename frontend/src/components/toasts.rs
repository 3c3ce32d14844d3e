//! Short messages at the edge of the page.

use leptos::prelude::*;

use super::{Icon, Picture};
use crate::state::use_lab;

/// The messages on show.
#[component]
pub(crate) fn ToastList() -> impl IntoView {
    let toasts = use_lab().toasts;
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
                        on:click=move |_| { toasts.dismiss(toast.id); }
                    >
                        <Icon picture=Picture::Cross/>
                    </button>
                </div>
            </For>
        </div>
    }
}
