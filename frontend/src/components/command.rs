//! A command for a terminal, copied with one press.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Icon, Picture};
use crate::state::{copy, use_lab};

/// The command and its button.
#[component]
pub(crate) fn CopyCommand(
    /// The command.
    #[prop(into)]
    command: String,
) -> impl IntoView {
    let lab = use_lab();
    let copied = RwSignal::new(false);
    let text = StoredValue::new(command.clone());
    let press = move |_| {
        spawn_local(async move {
            if copy(&text.get_value()).await {
                copied.try_set(true);
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    std::time::Duration::from_secs(3),
                );
            } else {
                lab.toasts.say("Nothing was copied: mark the command and press Ctrl+C.".to_owned());
            }
        });
    };
    view! {
        <span class="command">
            <code>{command.clone()}</code>
            <button
                type="button"
                class="button quiet square"
                data-testid="copy-command"
                aria-label=format!("Copy {command}")
                title="Copy"
                on:click=press
            >
                <Icon picture=Signal::derive(move || if copied.get() { Picture::Check } else { Picture::Copy })/>
            </button>
            <span class="visually-hidden" aria-live="polite">{move || if copied.get() { "Copied" } else { "" }}</span>
        </span>
    }
    .into_any()
}

/// Words in which commands and names stand between backticks.
pub(crate) fn with_code(text: &str) -> Vec<AnyView> {
    let part = |(at, part): (usize, &str)| {
        let part = part.to_owned();
        if at % 2 == 1 { view! { <code>{part}</code> }.into_any() } else { part.into_any() }
    };
    text.split('`').enumerate().map(part).collect()
}
