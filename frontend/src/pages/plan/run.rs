//! The way from a plan to a run: the lab's form, filled in.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;
use recspeed_types::{ExperimentSpec, encode_permalink};

use super::{Planned, Studio};
use crate::form::with_kind;
use crate::state::use_lab;

/// The experiment that is planned: the reader's own data, split and metrics as far as they suit its recommender.
fn experiment(planned: &Planned, draft: &ExperimentSpec) -> Result<ExperimentSpec, String> {
    let setup = &planned.setup;
    let base = match setup.recommender()? {
        Some(recommender) => {
            let fitting = with_kind(draft, "recommender.kind", &recommender.kind);
            let fitting = fitting.ok_or_else(|| format!("{} is not known here", recommender.kind))?;
            ExperimentSpec { recommender, ..fitting }
        }
        None => setup.experiment().ok_or("its experiment cannot be read")?,
    };
    setup.written_into(&base, &planned.outlook.partition.counts())
}

/// A button that opens the lab with what is set; where that cannot be run, why not.
#[component]
pub(super) fn RunThis() -> impl IntoView {
    let (studio, lab) = (expect_context::<Studio>(), use_lab());
    let navigate = use_navigate();
    let found = Memo::new(move |_| {
        let spec = studio.planned.with(|planned| lab.draft.with(|draft| experiment(planned, draft.spec())))?;
        encode_permalink(&spec).map_err(|error| error.to_string())
    });
    let open = move |_| {
        if let Ok(payload) = found.get_untracked() {
            navigate(&format!("/#x={payload}"), NavigateOptions::default());
        }
    };
    let why = move || found.with(|found| found.as_ref().err().cloned());
    view! {
        <div class="plan-run">
            <button
                type="button"
                class="button primary"
                data-testid="plan-run-this"
                disabled=move || found.with(Result::is_err)
                on:click=open
            >
                "Run this in the lab"
            </button>
            <p class="note" data-testid="plan-run-this-note">
                {move || match why() {
                    None => "Opens the lab with this network, batch and strategy filled in, on the data that are chosen there.".to_owned(),
                    Some(why) => format!("This plan cannot be run: {}.", why.trim_end_matches('.')),
                }}
            </p>
        </div>
    }
}
