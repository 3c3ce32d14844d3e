//! The timeline of a run as a Chrome trace, with what was planned of it: of a run in the terminal and of a stored one.

use recspeed_plan::pace::GFLOPS;
use recspeed_plan::timeline::{TRACE_TAIL, Told, bars_of, chrome_trace_of_run, memory_of};
use recspeed_plan::{Assumed, Layout, Outlook, of_spec};
use recspeed_types::{ExperimentSpec, RunEvent};

/// The bars of these events, and those of the plan beside them, with what the run was asked for; `None` where there are none.
pub(super) fn trace_of(spec: &ExperimentSpec, events: &[RunEvent]) -> Option<String> {
    let told = Told::of_events(events);
    if told.bars.is_empty() {
        return None;
    }
    // The run has resolved it.
    let resolved = spec.resolve().ok();
    let layout = resolved.as_ref().and_then(|spec| {
        let strategy = &spec.strategy;
        Layout::new(strategy.ranks as usize, strategy.stages as usize, strategy.tensor as usize).ok()
    });
    let planned = resolved.and_then(|spec| {
        let strategy = of_spec(&spec, Assumed::threads(GFLOPS))?;
        let outlook = Outlook::of(&strategy).ok()?;
        Some((memory_of(&outlook), bars_of(&strategy, &outlook)))
    });
    let (held, predicted) = planned.unwrap_or_default();
    Some(with_spec(&chrome_trace_of_run(&held, &predicted, &told, layout), spec))
}

/// A trace that says as `spec` what its run was asked for: whoever plans by its passes has to know which layers each of them was of.
pub(super) fn with_spec(trace: &str, spec: &ExperimentSpec) -> String {
    match (trace.strip_suffix(TRACE_TAIL), serde_json::to_string(spec)) {
        (Some(events), Ok(spec)) => format!("{events}],\n\"spec\":{spec}}}\n"),
        _ => trace.to_owned(),
    }
}
