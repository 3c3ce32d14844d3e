//! The finished runs of this server, to be put side by side; those that are measured on the same rows first.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use recspeed_types::ExperimentSpec;
use recspeed_types::api::RunRecord;
use recspeed_types::limits::MAX_COMPARED_RUNS;

use super::link::ByLink;
use crate::components::Refused;
use crate::pages::runs::{headline, when};
use crate::state::api::{self, ApiError};
use crate::state::{Looker, comparable, use_lab};

/// Runs offered.
const OFFERED: u32 = 100;

/// Where there is none.
const NONE: &str = "No run has finished on this server yet. Turn a knob in the lab and press “Run on the server”, twice: then they can be \
     compared here.";
/// Where there is one.
const ONE: &str = "This is the only run that has finished here. Change a setting in the lab and run that on the server, too: then the two \
     can be compared.";

/// To a visitor.
const OWNERS: &str = "The run list belongs to the owner. As a guest you see the runs whose links you hold, and can compare those: paste them \
     here, one after the other. What you run in the lab stays in your tab, and is not compared here.";

/// The list with a box for each run.
#[component]
pub(super) fn Picker(chosen: Memo<Vec<String>>, go: Callback<Vec<String>>) -> impl IntoView {
    let runs = RwSignal::new(None::<Result<Vec<RunRecord>, String>>);
    let lab = use_lab();
    let load = move || {
        runs.set(None);
        spawn_local(async move {
            let answer = api::runs(None, "", "finished", OFFERED).await;
            let told = |error: ApiError| if error.is_forbidden() { OWNERS.to_owned() } else { error.to_string() };
            runs.try_set(Some(answer.map(|page| page.runs).map_err(told)));
        });
    };
    let looker = Memo::new(move |_| lab.looker());
    Effect::new(move |_| match looker.get() {
        Looker::Asking => runs.set(None),
        Looker::Unknown(why) => runs.set(Some(Err(why))),
        // A visitor would only be refused.
        Looker::Guest => runs.set(Some(Err(OWNERS.to_owned()))),
        Looker::Owner => load(),
    });
    // Where nobody has said who looks, that is what is asked again; its answer then asks for the list.
    let again = move |()| if looker.get_untracked() == Looker::Owner { load() } else { lab.ask_again() };
    let body = move || {
        match runs.get() {
            None => view! { <p class="note">"Loading the runs…"</p> }.into_any(),
            // To ask again would change nothing.
            Some(Err(text)) if text == OWNERS => {
                let by_link = view! { <ByLink chosen=chosen go=go/> }.into_any();
                with_the_lab(&text, by_link, "compare-owners")
            }
            Some(Err(text)) => view! { <Refused text=text again=again test_id="picker-error"/> }.into_any(),
            Some(Ok(runs)) if runs.is_empty() => with_the_lab(NONE, ().into_any(), "compare-none"),
            Some(Ok(runs)) => offered(runs, chosen, go),
        }
    };
    // Beside one run alone there is nothing to read: what to choose comes before it, for whoever can choose.
    let alone = Memo::new(move |_| matches!(looker.get(), Looker::Owner | Looker::Guest) && chosen.with(Vec::len) == 1);
    let title = move || {
        if chosen.with(Vec::is_empty) {
            return "Choose two or more runs".to_owned();
        }
        if !alone.get() {
            return "Add or remove runs".to_owned();
        }
        let ids = chosen.get();
        let name = runs.with(|runs| {
            let run = runs.as_ref()?.as_ref().ok()?.iter().find(|run| ids.iter().any(|id| id == run.id.as_str()))?;
            Some(format!("“{}”", lab.title_of(&run.spec)))
        });
        format!("Choose what to compare {} with", name.unwrap_or_else(|| "this run".to_owned()))
    };
    view! {
        <section
            class="card details"
            class:picker-first=move || alone.get()
            tabindex="-1"
            aria-labelledby="picker-title"
            data-testid="compare-picker"
        >
            <h2 id="picker-title">{title}</h2>
            {body}
        </section>
    }
}

/// What is missing here, what can be done about it `here`, and the way to the lab, where it is made.
fn with_the_lab(text: &str, here: AnyView, test_id: &'static str) -> AnyView {
    view! {
        <div class="picker-lab" data-testid=test_id>
            <p class="note">{text.to_owned()}</p>
            {here}
            <p><A href="/" attr:class="button" attr:data-testid="open-the-lab">"Open the lab"</A></p>
        </div>
    }
    .into_any()
}

/// Whether two experiments are asked for a metric in common: without one nothing tells which is better.
fn share_a_metric(a: &ExperimentSpec, b: &ExperimentSpec) -> bool {
    a.evaluation.metrics.iter().any(|name| b.evaluation.metrics.contains(name))
}

/// Runs on the same rows as the first one that is chosen, then the others. A row is the same element wherever choices put it, so
/// that whoever ticks boxes by keyboard goes on from there.
fn offered(runs: Vec<RunRecord>, chosen: Memo<Vec<String>>, go: Callback<Vec<String>>) -> AnyView {
    let only = (runs.len() == 1).then(|| with_the_lab(ONE, ().into_any(), "compare-one"));
    let runs = StoredValue::new(runs);
    let first = Memo::new(move |_| {
        let id = chosen.with(|ids| ids.first().cloned())?;
        runs.with_value(|runs| runs.iter().find(|run| run.id.as_str() == id).map(|run| run.spec.clone()))
    });
    let part = move |alike: bool| {
        Memo::new(move |_| {
            let first = first.get();
            let fits = |run: &&RunRecord| first.as_ref().is_none_or(|first| comparable(first, &run.spec)) == alike;
            runs.with_value(|runs| runs.iter().filter(fits).cloned().collect::<Vec<_>>())
        })
    };
    let list = move |runs: Memo<Vec<RunRecord>>| {
        view! {
            <ul class="picker">
                <For each=move || runs.get() key=|run| run.id.clone() let:run>{row(&run, first, (chosen, go))}</For>
            </ul>
        }
    };
    let other = part(false);
    view! {
        <h3 hidden=move || first.with(Option::is_none)>"Measured on the same rows"</h3>
        {list(part(true))}
        <details hidden=move || other.with(Vec::is_empty)>
            <summary>"On other data, another split or another seed"</summary>
            {list(other)}
        </details>
        {only}
    }
    .into_any()
}

/// A run with its box; greyed where it has no metric in common with the `first` one.
fn row(
    run: &RunRecord,
    first: Memo<Option<ExperimentSpec>>,
    (chosen, go): (Memo<Vec<String>>, Callback<Vec<String>>),
) -> AnyView {
    let id = run.id.to_string();
    let lab = use_lab();
    let title = Signal::derive({
        let spec = run.spec.clone();
        move || (lab.title_of(&spec), lab.dataset_title(&spec))
    });
    let apart = Memo::new({
        let spec = run.spec.clone();
        move |_| first.with(|first| first.as_ref().is_some_and(|first| !share_a_metric(first, &spec)))
    });
    let made = format!("seed {} · {}", run.spec.seed, when(run.created_ms));
    let checked = {
        let id = id.clone();
        move || chosen.with(|ids| ids.contains(&id))
    };
    let full = {
        let checked = checked.clone();
        move || !checked() && chosen.with(Vec::len) >= MAX_COMPARED_RUNS
    };
    let change = move |event: leptos::ev::Event| {
        let mut ids = chosen.get_untracked();
        ids.retain(|other| *other != id);
        if event_target_checked(&event) {
            ids.push(id.clone());
        }
        go.run(ids);
    };
    view! {
        <li class:picker-apart=move || apart.get()><label>
            <input type="checkbox" prop:checked=checked disabled=full on:change=change/>
            <span class="picker-name">{move || title.get().0}</span>
            <span class="picker-sub">{move || format!("{} · {made}", title.get().1)}</span>
            <span class="picker-metrics">
                {headline(run)}
                {move || apart.get().then_some(" · no metric in common with the first")}
            </span>
        </label></li>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_share_a_metric_where_both_are_asked_for_one_by_name_and_cut_off() {
        let asked = |metrics: &[&str]| {
            let mut spec = ExperimentSpec::default();
            spec.evaluation.metrics = metrics.iter().map(|name| name.parse().unwrap()).collect();
            spec
        };
        let lists = asked(&["ndcg@10", "hit@10"]);
        assert!(share_a_metric(&lists, &asked(&["rmse", "hit@10"])));
        for other in [asked(&["rmse", "mae"]), asked(&["ndcg@5"])] {
            assert!(!share_a_metric(&lists, &other) && !share_a_metric(&other, &lists));
        }
    }
}
