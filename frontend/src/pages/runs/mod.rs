//! The runs of this server, newest first.

mod list;
mod row;

use leptos::prelude::*;
use leptos_router::hooks::{use_navigate, use_query_map};
use leptos_router::{NavigateOptions, components::A};

use crate::components::{Icon, Picture, Select};
use crate::form::Choice;
use list::RunList;

pub(crate) use row::{headline, when};

/// The run list; search and status are in the address.
#[component]
pub(crate) fn RunsPage() -> impl IntoView {
    let query = use_query_map();
    let search = Memo::new(move |_| query.with(|q| q.get("q").unwrap_or_default()));
    let status = Memo::new(move |_| query.with(|q| q.get("status").unwrap_or_default()));
    super::titled("Runs".into());
    let navigate = use_navigate();
    let go = StoredValue::new_local(move |search: String, status: String| {
        let encode = |text: String| String::from(js_sys::encode_uri_component(&text));
        let parts: Vec<String> = [("q", search), ("status", status)]
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let path = if parts.is_empty() { "/runs".to_owned() } else { format!("/runs?{}", parts.join("&")) };
        navigate(&path, NavigateOptions { replace: true, scroll: false, ..NavigateOptions::default() });
    });
    // The list follows the typing, a moment behind it.
    let mut typed = debounce(std::time::Duration::from_millis(250), move |text: String| {
        go.with_value(|go| go(text, status.get_untracked()));
    });
    let statuses = ["", "queued", "running", "finished", "failed", "cancelled"]
        .map(|name| Choice::titled(name, if name.is_empty() { "any status" } else { name }));
    view! {
        <div class="runs-page">
            <header class="runs-head">
                <h1>"Runs"</h1>
                <A href="/" attr:class="button primary"><Icon picture=Picture::Play/><span>"New experiment"</span></A>
            </header>
            <form
                class="filters"
                role="search"
                on:submit=|event| event.prevent_default()
            >
                <label class="search">
                    <span class="visually-hidden">"Search by name, recommender or data set"</span>
                    <Icon picture=Picture::Search/>
                    <input
                        type="search"
                        data-testid="run-search"
                        placeholder="Search by name, recommender or data set"
                        prop:value=move || search.get()
                        on:input=move |event| typed(event_target_value(&event))
                    />
                </label>
                <label class="status-filter">
                    <span class="visually-hidden">"Status"</span>
                    <Select
                        id="status-filter"
                        options=statuses.to_vec()
                        chosen=status
                        choose=move |status| go.with_value(|go| go(search.get_untracked(), status))
                    />
                </label>
            </form>
            <RunList search=search status=status/>
        </div>
    }
}
