//! A plan of flags alone: stages that are all alike, so that only the schedule counts, or as long as a file says.

use recspeed_plan::sharding::{OptimizerState, Precision, ShardLevel, forecast, traffic};
use recspeed_plan::simulate::Costs;
use recspeed_plan::timeline::{Bar, Stacked, bars_of_costs, chrome_trace, memory_of_run};
use recspeed_plan::words::bytes as in_words;
use recspeed_plan::{PlanError, Schedule, Simulation, simulate};
use serde_json::json;

use super::{PlanArgs, lengths, picture, refuse_too_large};
use crate::command::failure::CommandError;
use crate::command::output;
use crate::whole_file;

/// Where nothing is said of times, a unit of them becomes a millisecond, because viewers show microseconds.
const UNIT_US: f64 = 1000.0;

/// Plans and prints.
pub(super) fn print(args: &PlanArgs) -> Result<u8, CommandError> {
    refuse_too_large(args.stages, args.micro_batches, args.chunks)?;
    if args.ranks == 0 {
        return Err(PlanError::Zero { what: "ranks" }.into());
    }
    let schedule = Schedule::new(args.schedule.into(), args.stages, args.micro_batches, args.chunks)?;
    let mut costs = match &args.lengths {
        Some(path) => lengths::read(path, &schedule)?,
        None => Costs::uniform(schedule.stages(), args.micro_batches, 1.0),
    };
    costs.recompute = args.recompute.into();
    let run = simulate(&schedule, &costs)?;
    if let Some(path) = &args.trace {
        let unit_us = if args.lengths.is_some() { 1.0 } else { UNIT_US };
        let bars: Vec<Bar> = bars_of_costs(&schedule, &costs, &run).into_iter().map(|bar| bar.times(unit_us)).collect();
        let held: Vec<Stacked> = memory_of_run(&run).into_iter().map(|held| held.times(unit_us)).collect();
        let text = chrome_trace(&held, &bars, &[], None);
        whole_file::write(path, text.as_bytes())
            .map_err(|source| CommandError::WriteFile { path: path.clone(), source })?;
    }
    let text = if args.json { as_json(args, &schedule, &run)? } else { as_text(args, &schedule, &run) };
    output::say(&text)?;
    Ok(0)
}

fn held(schedule: &Schedule) -> Vec<usize> {
    (0..schedule.ranks()).map(|rank| schedule.buffers(rank).count()).collect()
}

fn as_text(args: &PlanArgs, schedule: &Schedule, run: &Simulation) -> String {
    let columns = |values: Vec<usize>| values.iter().map(usize::to_string).collect::<Vec<_>>().join(" ");
    let mut parts = vec![
        format!(
            "{}: {} ranks, {} micro-batches{}",
            schedule.kind().as_str(),
            schedule.ranks(),
            schedule.micro_batches(),
            if schedule.chunks() > 1 { format!(", {} stages a rank", schedule.chunks()) } else { String::new() },
        ),
        if args.lengths.is_some() { picture::draw_in_time(run) } else { picture::draw(schedule, run) },
        format!(
            "bubble       {:.1} % of the ideal time; ranks idle {:.1} % of the time\n\
             held at most {} micro-batches, rank by rank",
            100.0 * run.bubble(),
            100.0 * run.idle_share(),
            columns(held(schedule)),
        ),
        match &args.lengths {
            Some(path) => format!("Passes and messages are as long as {} says.", path.display()),
            None => "Every stage is taken to be alike: forward 1, backward 2 units of time, messages none.".to_owned(),
        },
    ];
    parts.extend(args.parameters.map(|parameters| shares(parameters, args.ranks)));
    parts.join("\n\n")
}

fn shares(parameters: u64, ranks: usize) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_FULL_CONDENSED).set_header([
        "ZeRO",
        "parameters",
        "gradients",
        "optimizer",
        "together",
        "sent a step",
    ]);
    for level in ShardLevel::ALL {
        let bytes = forecast(level, ranks, parameters, 0, Precision::F32, OptimizerState::TwoMoments, false);
        let sent = traffic(level, ranks, parameters, Precision::F32).total();
        let row = [bytes.parameters, bytes.gradients, bytes.optimizer, bytes.resident(), sent];
        table.add_row(std::iter::once(level.zero_stage().to_string()).chain(row.map(in_words)));
    }
    format!("{parameters} parameters on {ranks} ranks, 32 bits, Adam; each rank holds\n{table}")
}

fn as_json(args: &PlanArgs, schedule: &Schedule, run: &Simulation) -> Result<String, CommandError> {
    let spans: Vec<_> = run
        .spans
        .iter()
        .filter(|span| span.instruction.computes())
        .map(|span| {
            let cell = span.instruction.cell();
            json!({
                "rank": span.rank,
                "name": picture::name(span.instruction),
                "chunk": cell.map(|cell| cell.chunk),
                "micro_batch": cell.map(|cell| cell.micro_batch),
                "start": span.start_us,
                "end": span.end_us,
            })
        })
        .collect();
    let zero: Option<Vec<_>> = args.parameters.map(|parameters| {
        let of = |level: ShardLevel| {
            let bytes = forecast(level, args.ranks, parameters, 0, Precision::F32, OptimizerState::TwoMoments, false);
            let sent = traffic(level, args.ranks, parameters, Precision::F32).total();
            json!({
                "stage": level.zero_stage(),
                "parameters_bytes": bytes.parameters,
                "gradients_bytes": bytes.gradients,
                "optimizer_bytes": bytes.optimizer,
                "sent_bytes_per_step": sent,
            })
        };
        ShardLevel::ALL.map(of).into()
    });
    let plan = json!({
        "schedule": schedule.kind().as_str(),
        "ranks": schedule.ranks(),
        "stages": schedule.stages(),
        "micro_batches": schedule.micro_batches(),
        "chunks": schedule.chunks(),
        "bubble": run.bubble(),
        "idle_share": run.idle_share(),
        "held_micro_batches": held(schedule),
        "spans": spans,
        "zero": zero,
    });
    Ok(serde_json::to_string_pretty(&plan).map_err(std::io::Error::other)?)
}
