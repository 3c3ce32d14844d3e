//! The timeline as text: a line a rank, a column a unit of time.

use recspeed_plan::{Instruction, Schedule, Simulation};

/// Wider pictures are cut: a terminal that breaks lines shows nothing of use.
const MAX_COLUMNS: usize = 240;

/// `F` forward, `B` backward, `I` and `W` its two parts.
pub(super) const fn name(instruction: Instruction) -> &'static str {
    match instruction {
        Instruction::Forward(_) => "F",
        Instruction::Backward(_) => "B",
        Instruction::BackwardInput(_) => "I",
        Instruction::BackwardWeight(_) => "W",
        _ => "",
    }
}

/// The picture. Spans begin and end at whole units of time.
pub(super) fn draw(schedule: &Schedule, run: &Simulation) -> String {
    let units = run.computed_us.round() as usize;
    let width = 2 + (schedule.micro_batches().max(2) - 1).to_string().len();
    let shown = units.min(MAX_COLUMNS / width);
    let mut lines = vec![vec![format!("{:<width$}", "·"); shown]; schedule.ranks()];
    for span in run.spans.iter().filter(|span| span.instruction.computes()) {
        let Some(cell) = span.instruction.cell() else { continue };
        let (start, end) = (span.start_us.round() as usize, span.end_us.round() as usize);
        let label = format!("{}{}", name(span.instruction), cell.micro_batch);
        let seen = start.min(shown)..end.min(shown);
        for (at, place) in lines[span.rank][seen].iter_mut().enumerate() {
            *place = if at == 0 { format!("{label:<width$}") } else { format!("{:<width$}", "–") };
        }
    }
    let picture = lines
        .iter()
        .enumerate()
        .map(|(rank, line)| format!("rank {rank:<3} {}", line.concat().trim_end()))
        .collect::<Vec<_>>()
        .join("\n");
    let in_parts = run.spans.iter().any(|span| matches!(span.instruction, Instruction::BackwardWeight(_)));
    let backward = if in_parts { "I gradient of the input  W gradients of the parameters" } else { "B backward" };
    let cut = if shown < units {
        format!("\nThe first {shown} of {units} units of time; --trace FILE writes them all for Perfetto.")
    } else {
        String::new()
    };
    format!("{picture}\n\nF forward  {backward}  – goes on  · idle; the number is the micro-batch{cut}")
}
