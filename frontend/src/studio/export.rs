//! What can be taken away: the timeline as a Chrome trace, and the command that draws the schedule in a terminal.

use std::fmt::Write as _;

use recspeed_plan::Outlook;

use super::memory::{Held, memory_of};
use super::picture::{Bar, Part};
use super::setup::Setup;

/// Chrome trace JSON, which Perfetto opens: a process a rank, a thread a chunk, an event a bar, counters for the bytes held.
/// Nothing in it needs escaping.
pub(crate) fn chrome_trace(bars: &[Bar], outlook: &Outlook) -> String {
    let mut events = Vec::with_capacity(bars.len() + outlook.ranks.len());
    for rank in 0..outlook.ranks.len() {
        events.push(format!(r#"{{"name":"process_name","ph":"M","pid":{rank},"args":{{"name":"rank {rank}"}}}}"#));
    }
    for bar in bars {
        let number = bar.micro_batch.map(|n| n.to_string()).unwrap_or_default();
        let letter = match bar.part {
            Part::Forward => "F",
            Part::Again => "R",
            Part::Backward => "B",
            Part::Weight => "W",
            Part::Reduce => "reduce",
            Part::Step => "step",
        };
        let Bar { rank, chunk, start_us, end_us, part, .. } = *bar;
        events.push(format!(
            r#"{{"name":"{letter}{number}","cat":"{}","ph":"X","pid":{rank},"tid":{chunk},"ts":{start_us:.3},"dur":{:.3}}}"#,
            part.as_str(),
            end_us - start_us,
        ));
    }
    for (rank, Held { stays: [parameters, gradients, optimizer], changes }) in memory_of(outlook).iter().enumerate() {
        for (at, bytes) in changes {
            events.push(format!(
                r#"{{"name":"bytes","ph":"C","pid":{rank},"ts":{at:.3},"args":{{"parameters":{parameters},"gradients":{gradients},"optimizer":{optimizer},"activations":{bytes}}}}}"#
            ));
        }
    }
    format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", events.join(",\n"))
}

/// The same schedule for `recspeed plan`, which takes every stage to be alike.
pub(crate) fn command(setup: &Setup, outlook: &Outlook) -> String {
    let mut text = format!(
        "recspeed plan --stages {} --micro-batches {} --schedule {}",
        setup.ranks, setup.micro_batches, setup.schedule
    );
    // Writing to a String does not fail.
    if setup.chunks > 1 {
        let _ = write!(text, " --chunks {}", setup.chunks);
    }
    if setup.recompute != "never" {
        let _ = write!(text, " --recompute {}", setup.recompute);
    }
    if setup.replicas > 1 {
        let parameters: u64 = outlook.stages.iter().map(|stage| stage.parameters).sum();
        let _ = write!(text, " --parameters {parameters} --ranks {}", setup.replicas);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::picture::bars_of;
    use super::*;

    #[test]
    fn the_trace_is_json_with_every_bar() {
        let setup = Setup { schedule: "zb-h1", recompute: "always", ..Setup::default() };
        let (strategy, outlook) = setup.plan().expect("it is possible");
        let bars = bars_of(&strategy, &outlook);
        let trace: serde_json::Value = serde_json::from_str(&chrome_trace(&bars, &outlook)).expect("it is JSON");
        let events = trace["traceEvents"].as_array().expect("a list");
        let of = |phase: &str| events.iter().filter(|event| event["ph"] == phase).count();
        assert_eq!((of("M"), of("X")), (4, bars.len()));
        assert!(of("C") > 4);
    }

    #[test]
    fn the_command_says_what_the_terminal_can_plan() {
        let mut setup = Setup { recompute: "always", replicas: 2, ..Setup::default() };
        setup.choose_schedule("interleaved");
        let (_, outlook) = setup.plan().expect("it is possible");
        let parameters: u64 = outlook.stages.iter().map(|stage| stage.parameters).sum();
        let expected = format!(
            "recspeed plan --stages 4 --micro-batches 8 --schedule interleaved --chunks 2 --recompute always --parameters {parameters} --ranks 2"
        );
        assert_eq!(command(&setup, &outlook), expected);
    }
}
