//! A chart in words: for those who cannot see it, and for those who want it said.

use recspeed_types::capital;

use super::number::value;
use super::series::{Line, Plot, XAxis};
use crate::state::Rows;

/// The chart in one or two sentences.
pub(crate) fn in_words(plot: &Plot) -> String {
    let mut sentences: Vec<String> =
        plot.lines.iter().filter(|line| !line.ghost).filter_map(|line| of_line(plot, line)).collect();
    let ghost = plot.lines.iter().find(|line| line.ghost);
    if let Some(last) = ghost.and_then(|line| plot.points(line).last().copied()) {
        let verb = if sentences.is_empty() {
            "The dashed curve, of the last run, ends at"
        } else {
            "The run before it (dashed) ended at"
        };
        sentences.push(format!("{verb} {}.", value(last.1)));
    }
    if sentences.is_empty() { "Nothing has been measured yet.".to_owned() } else { sentences.join(" ") }
}

fn of_line(plot: &Plot, line: &Line) -> Option<String> {
    let points = plot.points(line);
    let (first, last) = (points.first()?, points.last()?);
    let rows = line.on.title();
    let subject = match &line.run {
        Some((_, run)) if line.on == Rows::Train => format!("{run}: {}", plot.name),
        Some((_, run)) => format!("{run}: {rows} {}", plot.name),
        None => capital(&format!("{rows} {}", plot.name)),
    };
    if points.len() == 1 {
        return Some(format!("{subject}: {}.", value(last.1)));
    }
    let way = match last.1 - first.1 {
        // What is not told apart in the digits shown has not moved for the reader.
        _ if value(first.1) == value(last.1) => "stayed at",
        change if change < 0.0 => "fell from",
        _ => "rose from",
    };
    let change = if way == "stayed at" { value(last.1) } else { format!("{} to {}", value(first.1), value(last.1)) };
    let length = match plot.x {
        XAxis::Epochs => counted(last.0.ceil(), "epoch"),
        XAxis::Steps => counted(last.0, "step"),
    };
    let best = points.iter().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let lowest = if plot.name == "loss" && best.1 < last.1 {
        format!("; the lowest was {} at {} {}", value(best.1), plot.x.title(), trimmed(best.0))
    } else {
        String::new()
    };
    Some(format!("{subject} {way} {change} in {length}{lowest}."))
}

fn counted(n: f64, unit: &str) -> String {
    format!("{n:.0} {unit}{}", if n == 1.0 { "" } else { "s" })
}

fn trimmed(x: f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::series::Line;
    use super::*;

    fn plot(lines: Vec<(bool, Vec<Option<f64>>)>) -> Plot {
        let xs = (0..lines[0].1.len()).map(|i| i as f64).collect();
        let lines = lines.into_iter().map(|(ghost, ys)| Line { on: Rows::Train, ghost, run: None, ys }).collect();
        Plot { name: "loss".to_owned(), x: XAxis::Epochs, xs, lines }
    }

    #[test]
    fn a_falling_curve_is_told_with_its_lowest_point() {
        let plot = plot(vec![(false, vec![Some(0.9), Some(0.4), Some(0.5)])]);
        assert_eq!(
            in_words(&plot),
            "Training loss fell from 0.9000 to 0.5000 in 2 epochs; the lowest was 0.4000 at epoch 1."
        );
    }

    #[test]
    fn the_ghost_is_named() {
        let plot = plot(vec![(true, vec![Some(1.0), Some(0.7)]), (false, vec![Some(0.9), Some(0.4)])]);
        assert_eq!(
            in_words(&plot),
            "Training loss fell from 0.9000 to 0.4000 in 1 epoch. The run before it (dashed) ended at 0.7000."
        );
    }

    #[test]
    fn nothing_is_said_to_be_nothing() {
        assert_eq!(in_words(&Plot::default()), "Nothing has been measured yet.");
    }
}
