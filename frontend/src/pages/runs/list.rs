//! The list itself: pages, live changes, deletion with a way back.

use std::sync::Arc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use recspeed_types::RunId;
use recspeed_types::api::RunRecord;

use super::row::Row;
use crate::charts::counted;
use crate::components::{Refused, focus_on};
use crate::state::api::{self, ApiError};
use crate::state::{Link, ListChange, Looker, link, unwatch_list, use_lab, watch_list};

/// Runs in one page of the list.
const PAGE: u32 = 25;

/// How long after a failure the list is asked for again.
const AGAIN: Duration = Duration::from_secs(5);

/// What the list is about to show.
#[derive(Clone, PartialEq)]
enum Loading {
    Asking,
    Done,
    Forbidden,
    Failed(String),
}

/// The element of the list.
type Place = NodeRef<leptos::html::Div>;

/// Brings whoever is at the list to the first of these runs that stands in it.
fn go_to_first(list: Place, came: Vec<RunId>) {
    // The rows are there before the next picture.
    request_animation_frame(move || {
        let Some(Some(list)) = list.try_get_untracked() else { return };
        let here = document().active_element();
        if here.is_none_or(|here| !here.is_same_node(Some(&list))) {
            return;
        }
        let link = |id: &RunId| list.query_selector(&format!("a[href='/r/{id}']")).ok().flatten();
        if let Some(first) = came.iter().find_map(link) {
            focus_on(&first);
        }
    });
}

/// Whoever presses a button of the list that goes is at the list then.
fn stay_at(list: Place) {
    if let Some(Some(list)) = list.try_get_untracked() {
        focus_on(&list);
    }
}

/// The list of the runs that match.
#[component]
pub(crate) fn RunList(
    /// Text in the name or the recommender.
    #[prop(into)]
    search: Signal<String>,
    /// Status, empty for any.
    #[prop(into)]
    status: Signal<String>,
) -> impl IntoView {
    let lab = use_lab();
    let runs = RwSignal::new(Vec::<RunRecord>::new());
    let next = RwSignal::new(None::<String>);
    let hidden = RwSignal::new(Vec::<RunId>::new());
    let loading = RwSignal::new(Loading::Asking);
    let wave = StoredValue::new(0_u32);
    let wave_again = RwSignal::new(None::<u32>);
    let list = Place::new();
    // Whether the newest question was for the whole list: what has failed is asked again as it was.
    let whole = StoredValue::new(true);
    // Whether somebody waits at the list for the answer, having pressed the button that asks.
    let awaited = StoredValue::new(false);

    let load = move |from_start: bool| {
        whole.set_value(from_start);
        let current = wave.get_value().wrapping_add(1);
        wave.set_value(current);
        loading.set(Loading::Asking);
        let before = if from_start { None } else { next.get_untracked() };
        let (q, s) = (search.get_untracked(), status.get_untracked());
        spawn_local(async move {
            let answer = api::runs(before.as_deref(), &q, &s, PAGE).await;
            if wave.try_get_value() != Some(current) {
                return;
            }
            match answer {
                Ok(page) => {
                    next.set(page.next);
                    if awaited.get_value() {
                        awaited.set_value(false);
                        go_to_first(list, page.runs.iter().map(|run| run.id.clone()).collect());
                    }
                    runs.update(|runs| {
                        if from_start {
                            runs.clear();
                        }
                        runs.extend(page.runs);
                    });
                    loading.set(Loading::Done);
                }
                Err(error) if error.is_forbidden() => {
                    // The stream would be refused as well, and asked for again and again.
                    unwatch_list();
                    loading.set(Loading::Forbidden);
                }
                Err(error) => {
                    loading.set(Loading::Failed(error.to_string()));
                    // A server that is started again is found without a press.
                    wave_again.set(Some(current));
                }
            }
        });
    };
    // Where nobody has said who looks, that is what is asked again; its answer then asks for the list.
    let again = move || match untrack(|| lab.looker()) {
        Looker::Owner => load(whole.get_value()),
        Looker::Unknown(_) => lab.ask_again(),
        Looker::Asking | Looker::Guest => {}
    };
    let older = move |_| {
        stay_at(list);
        awaited.set_value(true);
        load(false);
    };
    Effect::new(move |_| {
        let Some(failed) = wave_again.get() else { return };
        set_timeout(
            move || {
                if wave.try_get_value() == Some(failed) {
                    again();
                }
            },
            AGAIN,
        );
    });
    // Nothing that is the owner's is asked for, and no stream opened for it, before it is known who looks.
    let looker = Memo::new(move |_| lab.looker());
    Effect::new(move |_| {
        search.track();
        status.track();
        match looker.get() {
            Looker::Asking => loading.set(Loading::Asking),
            Looker::Unknown(why) => {
                let current = wave.get_value().wrapping_add(1);
                wave.set_value(current);
                loading.set(Loading::Failed(why));
                wave_again.set(Some(current));
            }
            Looker::Guest => loading.set(Loading::Forbidden),
            Looker::Owner => load(true),
        }
    });
    let changed = Callback::new(move |change: ListChange| match change {
        ListChange::Deleted(id) => runs.update(|runs| runs.retain(|run| run.id != id)),
        ListChange::Changed(record) => {
            let known = runs.with_untracked(|runs| runs.iter().any(|run| run.id == record.id));
            if known {
                runs.update(|runs| {
                    if let Some(run) = runs.iter_mut().find(|run| run.id == record.id) {
                        *run = *record;
                    }
                });
            } else if search.with_untracked(String::is_empty) && status.with_untracked(String::is_empty) {
                runs.update(|runs| runs.insert(0, *record));
            }
        }
    });
    Effect::new(move |_| {
        if looker.get() == Looker::Owner {
            watch_list(changed);
        }
    });
    on_cleanup(unwatch_list);
    // What changed while the stream was broken was told to nobody.
    let link = link();
    Effect::new(move |before: Option<Link>| {
        let now = link.get();
        if before == Some(Link::Reconnecting) && now == Link::Live && looker.get_untracked() == Looker::Owner {
            load(true);
        }
        now
    });

    let delete = Callback::new(move |record: RunRecord| {
        let id = record.id.clone();
        hidden.update(|hidden| hidden.push(id.clone()));
        let back = {
            let id = id.clone();
            move || {
                hidden.try_update(|hidden| hidden.retain(|other| *other != id));
                // The button that was pressed goes with its message.
                stay_at(list);
                go_to_first(list, vec![id.clone()]);
            }
        };
        let then = move || {
            let id = id.clone();
            spawn_local(async move {
                match api::delete(&id).await {
                    Ok(()) => {
                        runs.try_update(|runs| runs.retain(|run| run.id != id));
                    }
                    Err(ApiError::Refused { status: 404, .. }) => {}
                    Err(error) => {
                        hidden.try_update(|hidden| hidden.retain(|other| *other != id));
                        lab.toasts.say(error.to_string());
                    }
                }
            });
        };
        // The row goes, and with it the button that was pressed.
        stay_at(list);
        let text = format!("“{}” is deleted.", untrack(|| lab.title_of(&record.spec)));
        lab.toasts.undoable(text, Arc::new(back), Arc::new(then));
    });
    let shown = Memo::new(move |_| {
        let hidden = hidden.get();
        runs.with(|runs| runs.iter().filter(|run| !hidden.contains(&run.id)).cloned().collect::<Vec<_>>())
    });
    let empty = Memo::new(move |_| shown.with(Vec::is_empty));
    let filtered = move || !search.with(String::is_empty) || !status.with(String::is_empty);
    view! {
        <p class="visually-hidden" role="status" data-testid="runs-count">
            {move || (loading.get() == Loading::Done).then(|| counted(shown.with(Vec::len) as u64, "run") + " shown")}
        </p>
        <div class="card run-list" role="group" aria-label="The runs" node_ref=list tabindex="-1" aria-busy=move || (loading.get() == Loading::Asking).to_string()>
            <ul data-testid="run-list" hidden=move || empty.get()>
                <For each=move || shown.get() key=|run| (run.id.clone(), run.status, run.queue_position, run.attempts) let:run>
                    <Row run=run delete=delete/>
                </For>
            </ul>
            {move || match (loading.get(), empty.get()) {
                (Loading::Asking, _) => view! { <p class="note pad">"Loading…"</p> }.into_any(),
                (Loading::Forbidden, _) => view! {
                    <div class="blank" data-testid="runs-forbidden">
                        <h2>"The run list belongs to the owner"</h2>
                        <p>"Open this lab once with the owner's link, which “recspeed serve” printed at its start. Links to single runs work without it."</p>
                        <p><A href="/" attr:class="button">"Open the lab"</A></p>
                    </div>
                }.into_any(),
                (Loading::Failed(text), _) => view! {
                    <div class="blank">
                        <Refused text=text again=move |()| { awaited.set_value(true); again(); } test_id="runs-error"/>
                    </div>
                }.into_any(),
                (Loading::Done, true) => view! {
                    <div class="blank" data-testid="runs-empty">
                        <h2>{if filtered() { "No run matches" } else { "No runs yet" }}</h2>
                        <p>{if filtered() {
                            "Try fewer words, or any status."
                        } else {
                            "Runs on the server are kept here, with their settings, curves and results. Turn a knob in the lab and press “Run on the server”."
                        }}</p>
                        {(!filtered()).then(|| view! { <A href="/" attr:class="button">"Open the lab"</A> })}
                    </div>
                }.into_any(),
                (Loading::Done, false) => ().into_any(),
            }}
            <Show when=move || next.with(Option::is_some) && loading.get() == Loading::Done>
                <p class="more"><button type="button" class="button" data-testid="more-runs" on:click=older>"Show older runs"</button></p>
            </Show>
        </div>
    }
}
