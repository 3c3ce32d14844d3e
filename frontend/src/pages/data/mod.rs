//! A data set in numbers and pictures: before anything learns from it, what is in it, and what each split would hold out.

mod drawn;
mod report;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::{use_navigate, use_params_map};
use recspeed_types::builtin::BUILTIN_DATASETS;

use crate::components::{Refused, Select, UploadsRefused};
use crate::form::Choice;
use crate::state::{Reply, api, use_lab};

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
        builtin.chain(given).map(|(value, title, group)| Choice { value, title, group, off: false }).collect::<Vec<_>>()
    });
    let go = move |id: String| navigate(&format!("/data/{id}"), leptos_router::NavigateOptions::default());
    view! {
        <div class="runs-page compare">
            <header class="runs-head data-head">
                <h1>"Data"</h1>
                <label class="data-choice">
                    <span class="visually-hidden">"Data set"</span>
                    <Select id="data-choice" options=options chosen=id choose=go/>
                </label>
            </header>
            <UploadsRefused/>
            <div aria-live="polite" aria-busy=move || (reply.get() == Reply::Asking).to_string()>
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
