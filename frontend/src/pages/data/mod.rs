//! A data set in numbers and pictures: before anything learns from it, what is in it, and what each split would hold out.

mod drawn;
mod report;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};
use recspeed_types::builtin::BUILTIN_DATASETS;

use crate::components::{Icon, OwnFile, Picture, Refused, Select, UploadsRefused};
use crate::form::Choice;
use crate::state::{Lab, Reply, api, use_lab};

/// The data page; the data set is in the address.
#[component]
pub(crate) fn DataPage() -> impl IntoView {
    let lab = use_lab();
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params
            .with(|params| params.get("id"))
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| BUILTIN_DATASETS[0].id.to_owned())
    });
    let reply = RwSignal::new(Reply::Asking);
    let load = move || {
        let asked = id.get();
        reply.set(Reply::Asking);
        spawn_local(async move {
            let answer = api::data_report(&asked).await;
            if id.try_get_untracked().as_ref() == Some(&asked) {
                reply.try_set(Reply::of(answer));
            }
        });
    };
    Effect::new(move |_| load());
    super::titled("Data".into());
    let navigate = use_navigate();
    let options = Signal::derive(move || {
        let builtin = BUILTIN_DATASETS.iter().map(|entry| (entry.id.to_owned(), entry.title.to_owned(), "Built in"));
        let given = lab.uploads.get().into_iter().map(|file| (file.sha256, file.name, "Given to the server"));
        let files = lab.server_files.get().map(|all| all.files).unwrap_or_default().into_iter();
        let files = files.map(|file| (file.id, format!("{} ({})", file.title, file.format.title()), "On this server"));
        builtin
            .chain(given)
            .chain(files)
            .map(|(value, title, group)| Choice { value, title, group, off: false })
            .collect::<Vec<_>>()
    });
    let to_lab = navigate.clone();
    let taken = {
        let navigate = navigate.clone();
        // What this tab alone holds, the server cannot describe: it is ready to be used.
        Callback::new(move |(sha256, on_server): (String, bool)| {
            let address = if on_server { format!("/data/{sha256}") } else { "/".to_owned() };
            navigate(&address, NavigateOptions::default());
        })
    };
    let go = move |id: String| navigate(&format!("/data/{id}"), NavigateOptions::default());
    let is_there = move || options.with(|all| id.with(|id| all.iter().any(|choice| choice.value == *id)));
    let learn = move |_| {
        if lab.take_dataset(&id.get_untracked()) {
            to_lab("/", NavigateOptions::default());
        }
    };
    view! {
        <div class="runs-page compare">
            <header class="runs-head data-head">
                <h1>"Data"</h1>
                <label class="data-choice">
                    <span class="visually-hidden">"Data set"</span>
                    <Select id="data-choice" options=options chosen=id choose=go/>
                </label>
                <span class="data-actions">
                    <button type="button" class="button primary" data-testid="data-use" disabled=move || !is_there() on:click=learn>
                        <Icon picture=Picture::Play/>
                        <span>"Use it in the lab"</span>
                    </button>
                    <button type="button" class="button" data-testid="data-add" on:click=move |_| lab.own_file.set(true)>"Add a file…"</button>
                </span>
            </header>
            <OwnFile taken=taken/>
            <UploadsRefused list="data-choice"/>
            {move || about_files(lab).map(|words| view! { <p class="note pad" data-testid="data-folder">{words}</p> })}
            <div role="group" tabindex="-1" aria-label="What is in it" aria-live="polite" aria-busy=move || (reply.get() == Reply::Asking).to_string()>
                {move || match reply.get() {
                    Reply::Asking => view! { <p class="note pad">"Reading the data…"</p> }.into_any(),
                    Reply::Failed(text) => {
                        view! { <Refused text=text again=move |()| untrack(load) test_id="data-error"/> }.into_any()
                    }
                    Reply::Answer(answer) => report::whole(&answer),
                }}
            </div>
        </div>
    }
}

/// What the owner should know of the files on the server's machine beside those in the list; `None` while the server has not
/// told of them, as to guests.
fn about_files(lab: Lab) -> Option<&'static str> {
    let (folder, none, more) =
        lab.server_files.with(|all| all.as_ref().map(|all| (all.folder, all.files.is_empty(), all.more)))?;
    match (folder, none, more) {
        (false, ..) => Some(
            "To have data files of the server’s machine in this list, start the lab with RECSPEED_DATA set to their folder.",
        ),
        (true, true, _) => Some(
            "Below RECSPEED_DATA is no file of ratings yet; put one there, as ml-100k/ml-100k.inter, and reload this page.",
        ),
        (true, false, true) => Some("There may be more files below RECSPEED_DATA: the look at the folder is bounded."),
        (true, false, false) => None,
    }
}
