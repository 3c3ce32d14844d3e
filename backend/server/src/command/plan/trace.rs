//! The timeline as Chrome trace JSON (`chrome://tracing`, Perfetto).

use recspeed_plan::{Schedule, Simulation};
use serde_json::json;

/// Where nothing is said of times, a unit of them becomes a millisecond: viewers show microseconds.
pub(super) const UNIT_US: f64 = 1000.0;

/// One process a rank, one event a pass, and a counter of what the rank holds; `unit_us`: microseconds of a unit of the
/// simulation's time.
pub(super) fn chrome(schedule: &Schedule, run: &Simulation, unit_us: f64) -> String {
    let mut events: Vec<_> = (0..schedule.ranks())
        .map(|rank| json!({"name": "process_name", "ph": "M", "pid": rank, "args": {"name": format!("rank {rank}")}}))
        .collect();
    for span in run.spans.iter().filter(|span| span.instruction.computes()) {
        let Some(cell) = span.instruction.cell() else { continue };
        events.push(json!({
            "name": format!("{}{}", super::picture::name(span.instruction), cell.micro_batch),
            "cat": "compute",
            "ph": "X",
            "pid": span.rank,
            "tid": cell.chunk,
            "ts": span.start_us * unit_us,
            "dur": (span.end_us - span.start_us) * unit_us,
        }));
    }
    for (rank, held) in run.held.iter().enumerate() {
        for (at, cells) in held.curve() {
            events.push(json!({
                "name": "held", "ph": "C", "pid": rank, "ts": at * unit_us, "args": {"activations and messages": cells}
            }));
        }
    }
    json!({"traceEvents": events, "displayTimeUnit": "ms"}).to_string()
}
