//! The timeline as text, a line a rank: a column a unit of time where all stages are alike, else one for an equal part of a step.

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

/// Columns of a picture in time.
const COLUMNS: usize = 100;

/// The picture of a step whose passes take different times.
pub(super) fn draw_in_time(run: &Simulation) -> String {
    let ranks = run.busy_us.len();
    let column = run.total_us / COLUMNS as f64;
    let mut lines = vec![vec!['·'; COLUMNS]; ranks];
    let shown = |span: &&recspeed_plan::simulate::Span| span.instruction.span_name().is_some();
    for span in run.spans.iter().filter(shown) {
        let Some(label) = span.instruction.span_name() else { continue };
        let start = ((span.start_us / column).round() as usize).min(COLUMNS);
        let end = ((span.end_us / column).round() as usize).min(COLUMNS);
        // One column apart from the next pass, where there is room for it.
        let (width, letters) = (end.saturating_sub(start), label.chars().count());
        for (at, place) in lines[span.rank][start..end].iter_mut().enumerate() {
            let letter = if letters <= width { label.chars().nth(at) } else { None };
            *place = match letter {
                Some(letter) => letter,
                None if letters > width && at == 0 => label.chars().next().unwrap_or('·'),
                None => '–',
            };
        }
    }
    let line = |(rank, line): (usize, &Vec<char>)| format!("rank {rank:<3} {}", line.iter().collect::<String>());
    let picture = lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n");
    let in_parts = run.spans.iter().any(|span| matches!(span.instruction, Instruction::BackwardWeight(_)));
    let backward = if in_parts { "I gradient of the input  W gradients of the parameters" } else { "B backward" };
    let words = recspeed_plan::words::time(column);
    format!("{picture}\n\nF forward  {backward}  reduce, step: the update  – goes on  · idle; a column is {words}")
}
