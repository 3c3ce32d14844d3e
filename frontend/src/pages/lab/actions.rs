//! The buttons that run an experiment or stop what this tab runs, and what stands in their way.

use leptos::prelude::*;
use recspeed_types::api::Role;

use crate::components::{Icon, Picture, instead_buttons};
use crate::form::SpecDraft;
use crate::state::{LabState, use_lab};

/// Run here, run there, stop.
#[component]
pub(crate) fn Actions() -> impl IntoView {
    let lab = use_lab();
    let runnable = Memo::new(move |_| lab.draft.with(SpecDraft::is_runnable));
    let problems = Memo::new(move |_| lab.draft.with(|draft| draft.problems().len()));
    // A run on the server is in nobody's way: what comes meanwhile waits there, or runs here.
    let busy = Memo::new(move |_| lab.is_tab_busy());
    let queue = Memo::new(move |_| lab.has_queue());
    let queued = Memo::new(move |_| lab.is_queued());
    let awaits_path = Memo::new(move |_| lab.draft.with(SpecDraft::awaits_path));
    let owner = Memo::new(move |_| lab.is_owner());
    let not_here = Memo::new(move |_| lab.not_in_tab());
    let not_there = Memo::new(move |_| owner.get().then(|| lab.not_on_server()).flatten());
    let forecast = Memo::new(move |_| lab.forecast());
    // A button that is refused only for that can still be reached by the keyboard: whoever gets there hears why.
    let too_much = |refused: bool| refused.then_some("true");
    let described = |refused: bool, note: &'static str, both: &'static str| if refused { both } else { note };
    let cancel = move |_| {
        if let Some(run) = lab.session.current.get_untracked() {
            lab.cancel(run);
        }
    };
    // The button that is pressed goes away when a run begins or ends: who is there goes to the one that takes its place.
    let row = NodeRef::<leptos::html::Div>::new();
    let (run, stop) = (NodeRef::<leptos::html::Button>::new(), NodeRef::<leptos::html::Button>::new());
    Effect::new(move |_| {
        let next = if busy.get() { stop } else { run };
        let here = document().active_element();
        if here.is_some_and(|here| row.get_untracked().is_some_and(|row| row.contains(Some(&here)))) {
            request_animation_frame(move || {
                if let Some(Some(button)) = next.try_get_untracked() {
                    // Fails only for elements that are gone.
                    let _ = button.focus();
                }
            });
        }
    });
    let ask = move |_| {
        lab.ask_again();
        // The button goes while the server is asked.
        if let Some(button) = run.get_untracked() {
            // Fails only for elements that are gone.
            let _ = button.focus();
        }
    };
    let here = view! {
        <button
            type="button"
            node_ref=run
            class="button primary big"
            data-testid="run-in-tab"
            disabled=move || !runnable.get() || not_here.get().is_some()
            aria-disabled=move || too_much(forecast.with(|told| told.tab))
            aria-describedby=move || described(forecast.with(|told| told.tab), "tab-note", "tab-note too-much")
            on:click=move |_| lab.run_in_tab()
        >
            <Icon picture=Picture::Play/>
            <span>"Run in this tab"</span>
        </button>
    };
    let there = view! {
        <button
            type="button"
            class="button big"
            data-testid="run-on-server"
            disabled=move || !runnable.get() || !owner.get() || not_there.get().is_some()
            aria-disabled=move || too_much(queued.get() || forecast.with(|told| told.server))
            aria-describedby=move || {
                described(forecast.with(|told| told.server), "server-note", "server-note too-much")
            }
            on:click=move |_| lab.run_on_server()
        >
            <Icon picture=Picture::Server/>
            <span>{move || if queue.get() { "Add to the queue" } else { "Run on the server" }}</span>
        </button>
    };
    let instead = move || {
        let others = forecast.with(|told| told.instead.clone());
        (!others.is_empty()).then(|| {
            instead_buttons(others, move |one| {
                lab.draft.update(|draft| draft.choose(&one.path, &one.value));
                // The button that was pressed goes away: what is left to do is to run it.
                if let Some(button) = run.get_untracked() {
                    // Fails only for elements that are gone.
                    let _ = button.focus();
                }
            })
        })
    };
    // What announces it is there before it is: what comes out of hiding itself is often not read out.
    let refusal =
        move || forecast.with(|told| told.refusal.clone().map(|why| view! { <strong>{told.whose()}</strong>{why} }));
    view! {
        <div class="actions" node_ref=row>
            <div class="action-row" hidden=move || busy.get()>{here}{there}</div>
            <div class="action-row" hidden=move || !busy.get()>
                <button type="button" node_ref=stop class="button big" data-testid="stop" on:click=cancel>
                    <Icon picture=Picture::Stop/>
                    <span>"Stop"</span>
                </button>
            </div>
            <p class="note" data-testid="awaits-path" hidden=move || !awaits_path.get()>
                "Name the file under Path to run it."
            </p>
            <p class="note problems-note" role="status" hidden=move || problems.get() == 0>
                {move || match problems.get() {
                    1 => "One setting must be mended before it can run; it is marked.".to_owned(),
                    n => format!("{n} settings must be mended before it can run; they are marked."),
                }}
            </p>
            <div class="announced" role="status">
                <div class="message" data-testid="too-much" hidden=move || forecast.with(|told| told.refusal.is_none())>
                    <Icon picture=Picture::Warning/>
                    <div>
                        <p id="too-much">{refusal}</p>
                        {instead}
                    </div>
                </div>
            </div>
            <p class="note" data-testid="forecast" hidden=move || forecast.with(|told| told.estimate.is_none())>
                {move || forecast.with(|told| told.estimate.clone())}
            </p>
            <p class="note" id="tab-note" data-testid="tab-note" hidden=move || not_here.get().is_none()>{move || not_here.get()}</p>
            <p class="note" id="server-note" data-testid="server-note">
                {move || lab.server.with(|state| match state {
                    LabState::Asking => String::new(),
                    LabState::Here(info) => match (info.role, &info.probe_failure) {
                        (Role::Owner, Some(failure)) => format!("The server's worker does not answer: {failure}"),
                        (Role::Owner, None) if not_there.get().is_some() => not_there.get().unwrap_or_default(),
                        (Role::Owner, None) if queued.get() => {
                            "This experiment is on the server already: the same settings give the same numbers.".to_owned()
                        }
                        (Role::Owner, None) => match info.slots {
                            1 => "The server runs one experiment at a time; others wait in line.".to_owned(),
                            n => format!("The server runs {n} experiments at a time; others wait in line."),
                        },
                        (Role::Guest, _) => {
                            "Running on the server needs the owner's link, which “recspeed serve” printed at its start. In this tab it runs for everybody.".to_owned()
                        }
                    },
                    LabState::Absent(_) => "No server answers here. Everything runs in this tab.".to_owned(),
                })}
            </p>
            <p hidden=move || !lab.is_without_answer()>
                <button type="button" class="button" data-testid="ask-server" on:click=ask>"Ask the server again"</button>
            </p>
        </div>
    }
}
