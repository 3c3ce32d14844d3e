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
    /// The control that the word names; its help is then `{control}-help`.
    #[prop(optional, into)]
    control: Option<String>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    let label = format!("What is {word}?");
    let help = control.as_ref().map(|id| format!("{id}-help"));
    let named = match control {
        Some(id) => view! { <label class="hint-word" for=id>{word}</label> }.into_any(),
        None => view! { <span class="hint-word">{word}</span> }.into_any(),
    };
    view! {
        <span class="hint" class:open=move || open.get() on:mouseleave=move |_| open.set(false)>
            {named}
            <button
                type="button"
                class="hint-mark"
                aria-label=label
                aria-expanded=move || open.get().to_string()
                on:click=move |_| open.update(|open| *open = !*open)
                on:blur=move |_| open.set(false)
                on:keydown=move |event| if event.key() == "Escape" { open.set(false) }
            >
                <span aria-hidden="true">"?"</span>
            </button>
            <span class="hint-text" role="note" id=help>{text}</span>
        </span>
    }
    .into_any()
}
