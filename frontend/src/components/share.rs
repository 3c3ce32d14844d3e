//! Links to an experiment and to a stored run.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use recspeed_types::spec::DataSource;
use recspeed_types::{ExperimentSpec, RunId};

use super::{Icon, Modal, Picture};
use crate::state::{copy, on_this_machine, permalink_url, run_url};

/// A link that is shown whole and copied with one press.
#[component]
pub(crate) fn CopyField(
    /// What it links to.
    #[prop(into)]
    label: String,
    /// When to use it.
    #[prop(into)]
    help: String,
    /// The link.
    #[prop(into)]
    link: String,
    /// For browser tests: `data-testid` of the button; the box has the same with `-text`.
    test_id: &'static str,
) -> impl IntoView {
    let input = NodeRef::<html::Input>::new();
    let said = RwSignal::new("");
    let text = StoredValue::new(link.clone());
    let press = move |_| {
        spawn_local(async move {
            let copied = copy(&text.get_value()).await;
            said.set(if copied { "Copied" } else { "Press Ctrl+C" });
            // The window may be closed by then.
            if !copied && let Some(Some(input)) = input.try_get_untracked() {
                input.select();
            }
            set_timeout(move || said.set(""), std::time::Duration::from_secs(3));
        });
    };
    view! {
        <div class="copy">
            <label>
                <span class="copy-label">{label}</span>
                <input
                    type="text"
                    readonly
                    node_ref=input
                    data-testid=format!("{test_id}-text")
                    prop:value=link
                    on:focus=move |_| if let Some(input) = input.get() { input.select() }
                />
            </label>
            <button type="button" class="button" data-testid=test_id on:click=press>
                <Icon picture=Signal::derive(move || if said.get() == "Copied" { Picture::Check } else { Picture::Copy })/>
                <span aria-live="polite">{move || if said.get().is_empty() { "Copy" } else { said.get() }}</span>
            </button>
            <p class="help">{help}</p>
        </div>
    }
}

/// What the link to an experiment holds, and what else is needed to run it again.
fn what_the_link_needs(spec: &ExperimentSpec) -> String {
    let data = match spec.dataset.source {
        DataSource::Builtin => "Whoever opens it can run it again, with or without a server.",
        DataSource::File | DataSource::Upload => {
            "The data file is not in it: whoever opens it needs the same file to run it again."
        }
    };
    let place = if on_this_machine() {
        " It opens on this machine only. To open it in another lab, put that lab's address in place of what stands before #x=."
    } else {
        ""
    };
    format!("Holds every setting in the link itself. {data}{place}")
}

/// The share button with its window.
#[component]
pub(crate) fn ShareButton(
    /// The experiment.
    #[prop(into)]
    spec: Signal<ExperimentSpec>,
    /// The stored run, where there is one.
    #[prop(into)]
    stored: Signal<Option<RunId>>,
) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <button type="button" class="button" data-testid="share" on:click=move |_| open.set(true)>
            <Icon picture=Picture::Share/>
            <span>"Share"</span>
        </button>
        <Modal open=open title="Share">
            <div class="share" data-testid="share-dialog">
                {move || match permalink_url(&spec.get()) {
                    Ok(link) => view! {
                        <CopyField
                            label="This experiment"
                            help=what_the_link_needs(&spec.get())
                            link=link
                            test_id="copy-permalink"
                        />
                    }.into_any(),
                    Err(error) => view! { <p class="help" role="alert">{format!("No link: {error}.")}</p> }.into_any(),
                }}
                {move || stored.get().map(|id| view! {
                    <CopyField
                        label="This run, with its results"
                        help=if on_this_machine() {
                            "Shows the stored run on this machine. To show it to others, serve the lab at an address that they reach (recspeed serve --bind)."
                        } else {
                            "Shows the stored run to anybody who can reach this server."
                        }
                        link=run_url(&id)
                        test_id="copy-run-link"
                    />
                })}
            </div>
        </Modal>
    }
}
