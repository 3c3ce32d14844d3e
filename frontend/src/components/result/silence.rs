//! Says how long nothing was heard from a run, once that is long: whoever waits then knows that it may be in vain.

use std::time::Duration;

use leptos::prelude::*;
use recspeed_types::api::{RunRecord, RunStatus};

use crate::charts::duration;
use crate::components::{Icon, Picture};
use crate::state::{LabState, Link, Origin, RunState, link, use_lab};

/// Silence of so many seconds is spoken of.
const QUIET_S: f64 = 30.0;

/// How often the seconds are counted anew.
const STEP: Duration = Duration::from_secs(5);

/// When a run was last heard that this page did not hear itself, in milliseconds since 1970: its events carry the time since its
/// start. After a restart they leave out the time between, so nothing is known then.
fn heard_before(record: &RunRecord, at_us: u64, now_ms: f64) -> f64 {
    let started = record.started_ms.filter(|_| record.attempts <= 1);
    started.map_or(now_ms, |started| (started as f64 + at_us as f64 / 1000.0).min(now_ms))
}

/// What is said after so many seconds of silence; nothing while they are few.
fn words(quiet_s: f64, origin: Origin, limit_s: Option<u64>) -> Option<String> {
    if quiet_s < QUIET_S {
        return None;
    }
    let step = STEP.as_secs_f64();
    let heard = format!("Nothing heard for {}.", spell((quiet_s / step).floor() * step));
    let end = match (origin, limit_s) {
        (Origin::Tab, _) => "A long step is silent too; the computation in this tab may also hang.".to_owned(),
        (_, Some(limit)) => format!(
            "A long step is silent too; the worker may also hang. The server ends it {} after its start.",
            spell(limit as f64)
        ),
        (_, None) => "A long step is silent too; the worker may also hang.".to_owned(),
    };
    Some(format!("{heard} {end}"))
}

/// A stretch of whole seconds.
fn spell(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.0} s") } else { duration(seconds) }
}

/// The sentence, with a button that ends the run.
#[component]
pub(super) fn Silence(
    /// The run.
    run: RunState,
) -> impl IntoView {
    let lab = use_lab();
    let origin = run.origin;
    let now = RwSignal::new(js_sys::Date::now());
    let tick = move || {
        now.try_set(js_sys::Date::now());
    };
    if let Ok(clock) = set_interval_with_handle(tick, STEP) {
        on_cleanup(move || clock.clear());
    }
    let heard = RwSignal::new(js_sys::Date::now());
    Effect::new({
        let run = run.clone();
        move |before: Option<u64>| {
            let (seq, at_us) = run.view.with(|view| (view.next_seq, view.at_us));
            if before != Some(seq) {
                let here = js_sys::Date::now();
                let first = before.is_none_or(|before| before == 0);
                heard.set(if first { run.record.with(|record| heard_before(record, at_us, here)) } else { here });
            }
            seq
        }
    });
    let at_work = {
        let run = run.clone();
        Memo::new(move |_| run.status() == RunStatus::Running)
    };
    let limit = Memo::new(move |_| {
        lab.server.with(|server| match server {
            LabState::Here(info) => info.time_limit_s,
            _ => None,
        })
    });
    let link = link();
    let text = Memo::new(move |_| {
        // A broken connection says so itself.
        let deaf = origin == Origin::Server && link.get() == Link::Reconnecting;
        let quiet_s = (now.get() - heard.get()) / 1000.0;
        (at_work.get() && !deaf).then(|| words(quiet_s, origin, limit.get())).flatten()
    });
    let silent = Memo::new(move |_| text.with(Option::is_some));
    let may_end = Memo::new(move |_| origin == Origin::Tab || lab.is_owner());
    let run = StoredValue::new(run);
    view! {
        <p class="visually-hidden" role="status">{move || silent.get().then_some("Nothing was heard for a while.")}</p>
        <Show when=move || silent.get()>
            <div class="message silence" data-testid="silence">
                <Icon picture=Picture::Warning/>
                <div>
                    <p>{move || text.get()}</p>
                    <Show when=move || may_end.get()>
                        <button type="button" class="button" data-testid="end-silent" on:click=move |_| lab.cancel(run.get_value())>
                            {if origin == Origin::Tab { "Stop" } else { "Cancel the run" }}
                        </button>
                    </Show>
                </div>
            </div>
        </Show>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(started_ms: i64, attempts: u32) -> RunRecord {
        let spec = recspeed_types::ExperimentSpec::default().to_json();
        serde_json::from_str(&format!(
            r#"{{"id":"r","status":"running","spec":{spec},"created_ms":1,"started_ms":{started_ms},"attempts":{attempts}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn silence_is_spoken_of_once_it_is_long_with_the_servers_limit() {
        assert_eq!(words(29.9, Origin::Server, Some(3600)), None);
        assert_eq!(
            words(38.0, Origin::Server, Some(3600)).unwrap(),
            "Nothing heard for 35 s. A long step is silent too; the worker may also hang. The server ends it 1 h 00 min after its start."
        );
        assert!(words(95.0, Origin::Tab, Some(3600)).unwrap().starts_with("Nothing heard for 1 min 35 s. A long step"));
    }

    #[test]
    fn a_run_that_was_silent_before_the_page_opened_is_so_from_its_last_event() {
        let now = 100_000.0;
        assert!((heard_before(&record(40_000, 1), 20_000_000, now) - 60_000.0).abs() < 1e-6);
        assert!((heard_before(&record(40_000, 1), 90_000_000, now) - now).abs() < 1e-6, "clocks that differ");
        assert!((heard_before(&record(40_000, 2), 0, now) - now).abs() < 1e-6, "time between attempts is unknown");
    }
}
