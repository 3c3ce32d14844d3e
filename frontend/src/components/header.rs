//! The top of every screen.

use leptos::prelude::*;
use leptos_router::components::A;

use super::{Icon, Picture};
use crate::state::{Theme, use_lab};

/// Name, places, theme, help.
#[component]
pub(crate) fn Header(
    /// Opens the help.
    help: RwSignal<bool>,
) -> impl IntoView {
    let lab = use_lab();
    let picture = Signal::derive(move || match lab.theme.get() {
        Theme::System => Picture::System,
        Theme::Light => Picture::Sun,
        Theme::Dark => Picture::Moon,
    });
    let label = move || format!("Theme: {}. Change to {}", lab.theme.get().as_str(), lab.theme.get().next().as_str());
    view! {
        <header class="top">
            <A href="/" attr:class="brand" attr:aria-label="Recspeed, the lab">
                <svg class="logo" viewBox="0 0 28 28" aria-hidden="true">
                    <rect width="28" height="28" rx="8"></rect>
                    <path d="M6 7c1.6 9 5 12.6 16 13.5"></path>
                    <circle cx="22" cy="20.5" r="2.2"></circle>
                </svg>
                <span>"Recspeed"</span>
            </A>
            <nav aria-label="Main">
                <A href="/" exact=true>"Lab"</A>
                <A href="/runs">"Runs"</A>
                <A href="/c">"Compare"</A>
                <A href="/data">"Data"</A>
                <A href="/plan">"Plan"</A>
                <A href="/studies">"Studies"</A>
            </nav>
            <div class="top-tools">
                <button
                    type="button"
                    class="button quiet square"
                    data-testid="theme-switch"
                    aria-label=label
                    title=label
                    on:click=move |_| lab.next_theme()
                >
                    <Icon picture=picture/>
                </button>
                <button
                    type="button"
                    class="button quiet square"
                    data-testid="help"
                    aria-label="Help"
                    title="What this is, and keyboard shortcuts (?)"
                    on:click=move |_| help.set(true)
                >
                    <Icon picture=Picture::Help/>
                </button>
            </div>
        </header>
    }
}
