//! A study: its question, what this machine measured beside what the paper printed, and why they differ.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::components::A;
use leptos_router::hooks::use_params_map;
use recspeed_types::api::StudyPage as Found;
use recspeed_types::study::{self, StudyReport, StudyTable, Whose};

use super::attempt::Attempt;
use super::recorded::{Theirs, banner};
use super::{bars, damage, table};
use crate::charts::counted;
use crate::components::{CopyCommand, Icon, Picture, Refused, with_code};
use crate::state::{Reply, api};

/// How often a study at work is looked at.
const AGAIN: Duration = Duration::from_secs(1);
/// How soon a server that does not answer is asked again.
const LATER: Duration = Duration::from_secs(4);
/// Said of an address that names no study.
const MISSING: &str = "There is no such study";

/// The page of a study; its name is in the address.
#[component]
pub(crate) fn StudyPage() -> impl IntoView {
    let params = use_params_map();
    let name = Memo::new(move |_| params.with(|params| params.get("name").unwrap_or_default()));
    let reply = RwSignal::new(Reply::<Found>::Asking);
    let silent = RwSignal::new(false);
    let missing = RwSignal::new(false);
    let load = move || {
        let asked = name.get_untracked();
        spawn_local(async move {
            let answer = api::study(&asked).await;
            if name.try_get_untracked().as_ref() != Some(&asked) {
                return;
            }
            match answer {
                Ok(found) => {
                    silent.set(false);
                    reply.set(Reply::Answer(found));
                }
                // What is shown stays: the server may be started again.
                Err(_) if matches!(reply.get_untracked(), Reply::Answer(_)) => silent.set(true),
                Err(error) => {
                    missing.set(error.is_not_found());
                    reply.set(Reply::Failed(error.to_string()));
                }
            }
        });
    };
    Effect::new(move |_| {
        name.track();
        missing.set(false);
        reply.set(Reply::Asking);
        load();
    });
    // A study at work is looked at until it is over; of two reasons to look again, the later one counts.
    let turn = StoredValue::new(0_u32);
    Effect::new(move |_| {
        let now = turn.get_value().wrapping_add(1);
        turn.set_value(now);
        let lost = silent.get();
        let at_work = reply.with(|reply| match reply {
            Reply::Answer(found) => found.study.attempt.as_ref().is_some_and(|attempt| !attempt.status.is_over()),
            _ => false,
        });
        if lost || at_work {
            set_timeout(
                move || {
                    if turn.try_get_value() == Some(now) {
                        load();
                    }
                },
                if lost { LATER } else { AGAIN },
            );
        }
    });
    let found = Memo::new(move |_| match reply.get() {
        Reply::Answer(found) => Some(found),
        _ => None,
    });
    let here = Memo::new(move |_| found.with(Option::is_some));
    let damaged =
        Memo::new(move |_| found.with(|found| found.as_ref().is_some_and(|found| found.study.damage.is_some())));
    let report = Memo::new(move |_| found.with(|found| found.as_ref().and_then(|found| found.report.clone())));
    let theirs = Theirs::of(name, found, silent);
    let study = move |of: fn(&Found) -> String| found.with(|found| found.as_ref().map(of).unwrap_or_default());
    crate::pages::titled(Signal::derive(move || match (here.get(), missing.get()) {
        (true, _) => study(|found| found.study.title.clone()),
        (false, true) => MISSING.to_owned(),
        (false, false) => "Study".to_owned(),
    }));
    // Another study may be shown by then.
    let answered = move |found: Found| {
        if name.with_untracked(|name| *name == found.study.name) {
            reply.set(Reply::Answer(found));
        }
    };
    let again = Callback::new(move |()| {
        reply.set(Reply::Asking);
        load();
    });
    view! {
        <div class="runs-page studies">
            {move || match reply.get() {
                Reply::Asking => view! { <p class="note pad" aria-busy="true">"Opening the study…"</p> }.into_any(),
                Reply::Failed(_) if missing.get() => view! {
                    <div class="blank" data-testid="study-missing">
                        <h1>{MISSING}</h1>
                        <p><A href="/studies" attr:class="button primary">"Show the studies"</A></p>
                    </div>
                }.into_any(),
                Reply::Failed(text) => view! { <Refused text=text again=again test_id="study-error"/> }.into_any(),
                Reply::Answer(_) => ().into_any(),
            }}
            <Show when=move || here.get()>
                <header class="study-head">
                    <p class="crumbs"><A href="/studies">"Studies"</A></p>
                    <h1>{move || study(|found| found.study.title.clone())}</h1>
                    <p class="lead">{move || study(|found| found.study.question.clone())}</p>
                </header>
                {move || found.with(|found| damage(&found.as_ref()?.study))}
                <Attempt found=found silent=silent answer=answered/>
                {theirs.choice(found)}
                {move || {
                    let name = name.get();
                    if theirs.shown.get() {
                        match theirs.reply(&name) {
                            Reply::Asking => {
                                return view! { <p class="note" aria-busy="true">"Opening what Recspeed’s authors measured…"</p> }.into_any();
                            }
                            Reply::Answer(recorded) => return of_the_authors(&recorded, found),
                            // Then there is what was measured here, or the paper's table.
                            Reply::Failed(_) => {}
                        }
                    }
                    report.with(|report| match report {
                        Some(report) => measured(report, None),
                        None => never(&name, damaged.get()),
                    })
                }}
            </Show>
        </div>
    }
}

/// What Recspeed's authors measured, beside the paper; `found` is what is known of the study here.
fn of_the_authors(theirs: &StudyReport, found: Memo<Option<Found>>) -> AnyView {
    // A study at work is told anew each second: what is read would be drawn anew with it.
    let head = found.with_untracked(|found| {
        let found = found.as_ref()?;
        Some(banner(theirs, found.report.as_ref(), found.study.damage.is_some(), found.study.recorded.clone()?))
    });
    head.map_or_else(|| ().into_any(), |head| measured(theirs, Some(head)))
}

/// What was measured, beside the paper; not here where a `banner` says whose it is.
fn measured(report: &StudyReport, banner: Option<AnyView>) -> AnyView {
    let (title, test_id) = match banner {
        Some(_) => ("Measured by Recspeed’s authors", "study-recorded"),
        None => ("Measured here", "study-report"),
    };
    let machine = &report.machine;
    let versions: Vec<String> = machine.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    let threads = machine.threads.map(|threads| counted(threads.into(), "thread"));
    let where_: Vec<String> = [Some(machine.host.clone()), threads, Some(versions.join(", "))]
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    let conditions = report
        .conditions
        .iter()
        .chain(&report.sittings)
        .map(|text| view! { <li>{with_code(text)}</li> })
        .collect_view();
    let (own, papers): (Vec<&StudyTable>, Vec<&StudyTable>) =
        report.tables.iter().partition(|table| table.whose == Whose::Measured);
    let differences = report.differences.iter().map(|difference| {
        let (heading, text) = (difference.heading.clone(), with_code(&difference.text));
        view! { <div><dt>{heading}</dt><dd>{text}</dd></div> }
    });
    let differences = differences.collect_view();
    let explained = !report.differences.is_empty();
    let command = report.command.clone();
    view! {
        <section class="card details study-measured" aria-labelledby="measured-title" data-testid=test_id>
            <header>
                <h2 id="measured-title">{title}</h2>
                {banner}
                <p class="note">{format!("{} · {}", super::super::runs::when(report.measured_ms), where_.join(" · "))}</p>
                {report.why_partial().map(|why| view! {
                    <p class="message" data-testid="study-partial"><Icon picture=Picture::Warning/><span>{format!("Partial: {why}")}</span></p>
                })}
                {machine.built().map(|built| view! { <p class="note" data-testid="study-built">{with_code(&built)}</p> })}
                {machine.load.map(|load| view! {
                    <p class=if load.is_busy() { "message" } else { "note" } data-testid="study-load">{load.to_string()}</p>
                })}
            </header>
            {own.iter().map(|each| view! {
                <div class="study-table"><h3>{each.title.clone()}</h3>{bars::bars(each)}{table::table(each)}</div>
            }).collect_view()}
            {table::remedies_of(report)}
            <ul class="study-conditions">{conditions}</ul>
            <p class="study-command"><span class="note">"The same in a terminal: "</span><CopyCommand command=command/></p>
        </section>
        {paper(&papers)}
        {explained.then(|| view! {
            <section class="card details study-differences" aria-labelledby="differences-title" data-testid="study-differences">
                <h2 id="differences-title">"Why they differ"</h2>
                <dl>{differences}</dl>
            </section>
        })}
    }
    .into_any()
}

fn paper(tables: &[&StudyTable]) -> Option<AnyView> {
    let shown = (!tables.is_empty()).then(|| {
        tables.iter().map(|each| view! { <h3>{each.title.clone()}</h3>{table::table(each)} }).collect_view()
    })?;
    let drawn = view! {
        <section class="card details study-paper" aria-labelledby="paper-title" data-testid="study-paper">
            <h2 id="paper-title">"In the paper"</h2>
            {shown}
        </section>
    };
    Some(drawn.into_any())
}

/// The question without an answer of this machine's; of one that is damaged nobody knows whether there was one.
fn never(name: &str, damaged: bool) -> AnyView {
    let known = study::find(name);
    let printed = known.and_then(study::Study::paper);
    view! {
        {(!damaged).then(|| view! {
            <section class="card blank study-never" data-testid="study-never">
                <h2>"Never measured here"</h2>
                {known.map(|study| view! { <p><CopyCommand command=study.command()/></p> })}
            </section>
        })}
        {printed.as_ref().and_then(|table| paper(&[table]))}
    }
    .into_any()
}
