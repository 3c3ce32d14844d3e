//! Timelines without a picture: the bars of a plan and of a run, the collectives within them, where their ranks stand,
//! what these hold, and the same as a trace.

mod bars;
mod exchanges;
mod held;
mod messages;
mod order;
mod place;
mod trace;

pub use bars::{Bar, Part, bars_of, bars_of_costs, bars_of_events, bubble_of, first_step, rows_of};
pub use exchanges::{Mark, Waits, marks_of_step};
pub use held::{Stacked, memory_of, memory_of_run};
pub use messages::{Message, Told};
pub use place::{among, lane_name, stage_of, standing};
pub use trace::{TRACE_HEAD, TRACE_TAIL, chrome_trace, chrome_trace_of_run};
