//! A definition at a word: under the pointer, and where its mark is pressed.

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
    // Nothing where the pointer decides, as the style sheet says; whoever presses decides against it. The focus alone opens
    // nothing: whoever goes through a form by Tab would meet a definition over every second control.
    let open = RwSignal::new(None::<bool>);
    let label = format!("What is {word}?");
    let help = control.as_ref().map(|id| format!("{id}-help"));
    let named = match control {
        Some(id) => view! { <label class="hint-word" for=id>{word}</label> }.into_any(),
        None => view! { <span class="hint-word">{word}</span> }.into_any(),
    };
    view! {
        <span
            class="hint"
            class:open=move || open.get() == Some(true)
            class:shut=move || open.get() == Some(false)
            on:mouseleave=move |_| open.set(None)
        >
            {named}
            <button
                type="button"
                class="hint-mark"
                aria-label=label
                aria-expanded=move || (open.get() == Some(true)).to_string()
                on:click=move |_| open.update(|open| *open = Some(*open != Some(true)))
                on:blur=move |_| open.set(None)
                on:keydown=move |event| if event.key() == "Escape" { open.set(Some(false)) }
            >
                <span aria-hidden="true">"?"</span>
            </button>
            <span class="hint-text" role="note" id=help>{text}</span>
        </span>
    }
    .into_any()
}
