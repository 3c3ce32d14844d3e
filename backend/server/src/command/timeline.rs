//! The timeline of a run as a Chrome trace, with what was planned of it: of a run in the terminal and of a stored one.

use recspeed_plan::pace::GFLOPS;
use recspeed_plan::timeline::{Told, bars_of, chrome_trace_of_run, memory_of};
use recspeed_plan::{Assumed, Layout, Outlook, of_spec};
use recspeed_types::{ExperimentSpec, RunEvent};

/// The bars of these events, and those of the plan beside them; `None` where there are none.
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
    Some(chrome_trace_of_run(&held, &predicted, &told, layout))
}
