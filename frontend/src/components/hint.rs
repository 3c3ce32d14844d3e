//! A definition at a word: on hover, on focus, on tap.

use leptos::prelude::*;

/// A word with its definition behind a small mark.
#[component]
pub(crate) fn Hint(
    /// The word.
    #[prop(into)]
    word: String,
    /// Its definition.
    #[prop(into)]
    text: String,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let label = format!("What is {word}?");
    view! {
        <span class="hint" class:open=move || open.get() on:mouseleave=move |_| open.set(false)>
            <span class="hint-word">{word}</span>
            <button
                type="button"
                class="hint-mark"
                aria-label=label
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
                on:blur=move |_| open.set(false)
                on:keydown=move |event| if event.key() == "Escape" { open.set(false) }
            >
                "?"
            </button>
            <span class="hint-text" role="note">{text}</span>
        </span>
    }
}
