//! The measured timeline of a run as a file, with what was planned of it.

use std::path::Path;

use recspeed_plan::timeline::{bars_of, bars_of_events, chrome_trace, memory_of};
use recspeed_plan::{Assumed, Layout, Outlook, of_spec};
use recspeed_types::{ExperimentSpec, RunEvent};

use super::CommandError;
use super::output;

/// A speed for the plan, as of `recspeed plan`.
const GFLOPS: f64 = 50.0;

/// Writes the bars of these events, and those of the plan beside them; says so where there are none.
pub(super) fn write(path: &Path, spec: &ExperimentSpec, events: &[RunEvent]) -> Result<(), CommandError> {
    let measured = bars_of_events(events);
    if measured.is_empty() {
        output::complain(
            "no trace was written: ranks tell when they did what, and this training was not divided among several of them or took too few \
             steps; see [strategy]",
        );
        return Ok(());
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
    let text = chrome_trace(&held, &predicted, &measured, layout);
    std::fs::write(path, text).map_err(|source| CommandError::WriteFile { path: path.to_owned(), source })
}
