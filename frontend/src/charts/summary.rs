//! A chart in words: for those who cannot see it, and for those who want it said.

use recspeed_types::capital;

use super::number::{counted, place, value};
use super::series::{Line, Plot, XAxis, curve_title};
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
    let (rows, name) = (line.on.title(), curve_title(&plot.name));
    let subject = match &line.run {
        Some((_, run)) if line.on == Rows::Train => format!("{run}: {name}"),
        Some((_, run)) => format!("{run}: {rows} {name}"),
        None => capital(&format!("{rows} {name}")),
    };
    if points.len() == 1 {
        return Some(format!("{subject}: {}.", value(last.1)));
    }
    let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let (lowest, highest) = (points.iter().min_by(by_value)?, points.iter().max_by(by_value)?);
    let (from, to) = (value(first.1), value(last.1));
    let means = means(&points);
    let one_way = goes_one_way(&means);
    let way = match last.1 - first.1 {
        // What is not told apart in the digits shown has not moved for the reader.
        _ if value(lowest.1) == value(highest.1) => format!("stayed at {to}"),
        _ if !one_way => format!("went up and down, from {from} to {to},"),
        change if change < 0.0 => format!("fell from {from} to {to}"),
        _ => format!("rose from {from} to {to}"),
    };
    let length = match plot.x {
        XAxis::Epochs if last.0.fract() > 0.0 => format!("by epoch {}", place(last.0)),
        XAxis::Epochs => format!("in {}", counted(last.0 as u64, "epoch")),
        XAxis::Steps => format!("in {}", counted(last.0 as u64, "step")),
    };
    let level = if one_way { level_since(&means) } else { None };
    let level = level.map(|at| format!(", level since about {} {}", plot.x.title(), place(at))).unwrap_or_default();
    let shown = [
        ("lowest", lowest, (plot.name == "loss" || !one_way) && lowest.1 < last.1),
        ("highest", highest, !one_way && highest.1 > last.1),
    ];
    let ends = shown
        .into_iter()
        .filter(|end| end.2)
        .map(|(which, at, _)| format!("; the {which} was {} at {} {}", value(at.1), plot.x.title(), place(at.0)));
    Some(format!("{subject} {way} {length}{level}{}.", ends.collect::<String>()))
}

/// Stretches of a curve whose means tell its way apart from the noise of steps.
const STRETCHES: usize = 10;

/// The means of as many stretches, each where it begins, or the points themselves where they are few: the losses of single steps swing
/// by more than a curve falls in a whole epoch.
fn means(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() < 2 * STRETCHES {
        return points.to_vec();
    }
    (0..STRETCHES)
        .map(|stretch| {
            let from = stretch * points.len() / STRETCHES;
            let part = &points[from..(stretch + 1) * points.len() / STRETCHES];
            (part[0].0, part.iter().map(|point| point.1).sum::<f64>() / part.len() as f64)
        })
        .collect()
}

/// Where a curve of stretches that goes one way has come to within a twentieth of its whole way and stays there, where more than half of
/// it is still to come: what is learnt after that is little.
fn level_since(means: &[(f64, f64)]) -> Option<f64> {
    let (first, last) = (means.first()?, means.last()?);
    if means.len() != STRETCHES {
        return None;
    }
    let near = 0.05 * (last.1 - first.1).abs();
    let moving = means.iter().rposition(|mean| (mean.1 - last.1).abs() > near)?;
    (moving + 1 < STRETCHES / 2).then(|| means[moving + 1].0)
}

/// Whether nothing on the way from the first point to the last goes back by more than a tenth of the way, or of what is
/// reached: a loss that swings between 9,000 and 10 has not fallen, wherever it stops.
fn goes_one_way(points: &[(f64, f64)]) -> bool {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return true };
    let sign = (last.1 - first.1).signum();
    let allowed = 0.1 * (last.1 - first.1).abs().min(last.1.abs());
    let mut reached = f64::NEG_INFINITY;
    points.iter().all(|point| {
        reached = reached.max(sign * point.1);
        reached - sign * point.1 <= allowed
    })
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
        let plot = plot(vec![(false, vec![Some(0.9), Some(0.4), Some(0.41)])]);
        assert_eq!(
            in_words(&plot),
            "Training loss fell from 0.9000 to 0.4100 in 2 epochs; the lowest was 0.4000 at epoch 1."
        );
    }

    #[test]
    fn a_curve_that_goes_up_and_down_is_not_said_to_have_fallen_or_risen_or_stayed() {
        let told = |ys: &[f64]| in_words(&plot(vec![(false, ys.iter().copied().map(Some).collect())]));
        assert_eq!(
            told(&[9286.0, 20.5, 9100.0, 12.25, 17.36]),
            "Training loss went up and down, from 9286 to 17.36, in 4 epochs; the lowest was 12.25 at epoch 3; \
             the highest was 9286 at epoch 0."
        );
        assert_eq!(
            told(&[1.0, 5.0, 1.0]),
            "Training loss went up and down, from 1.000 to 1.000, in 2 epochs; the highest was 5.000 at epoch 1."
        );
        // Small beside where it began, large beside where it is.
        assert!(told(&[9286.0, 17.0, 60.0, 16.0]).contains("went up and down, from 9286 to 16.00,"));
        assert!(told(&[0.5, 0.9, 0.3, 2.0]).contains("went up and down, from 0.5000 to 2.000,"));
        // The noise of steps is no way back.
        assert_eq!(told(&[1.0, 0.8, 0.81, 0.6]), "Training loss fell from 1.000 to 0.6000 in 3 epochs.");
        assert!(told(&[1.0, 3.0, 1e9]).starts_with("Training loss rose from 1.000 to 1,000,000,000 in 2 epochs;"));
        assert_eq!(told(&[0.5, 0.5, 0.5]), "Training loss stayed at 0.5000 in 2 epochs.");
    }

    #[test]
    fn the_noise_of_steps_hides_neither_that_a_curve_fell_nor_where_it_was_level() {
        // Down to .1 within a fifth of the way, then noise as large as what is left.
        let noisy = |step: i32| 0.02 * f64::from(step * 7 % 11 - 5) / 5.0;
        let falling = |step: i32| if step < 40 { 0.8 - 0.7 * f64::from(step) / 40.0 } else { 0.1 };
        let told =
            |ys: &dyn Fn(i32) -> f64| in_words(&plot(vec![(false, (0..200).map(|step| Some(ys(step))).collect())]));
        let fell = told(&|step| falling(step) + noisy(step));
        assert!(fell.starts_with("Training loss fell from 0.7800 to 0.1"), "{fell}");
        assert!(fell.contains(" in 199 epochs, level since about epoch 40; the lowest was "), "{fell}");
        let to_the_end = told(&|step| 0.8 - 0.7 * f64::from(step) / 200.0 + noisy(step));
        assert!(to_the_end.starts_with("Training loss fell from ") && !to_the_end.contains("level"), "{to_the_end}");
        let back = told(&|step| if step < 100 { 1.0 - f64::from(step) / 200.0 } else { f64::from(step) / 200.0 });
        assert!(back.starts_with("Training loss went up and down, "), "{back}");
    }

    #[test]
    fn an_epoch_that_is_not_over_is_not_counted_as_a_whole_one() {
        let mut cut = plot(vec![(false, vec![Some(0.9), Some(0.4)])]);
        cut.xs = vec![0.0, 19.25];
        assert_eq!(in_words(&cut), "Training loss fell from 0.9000 to 0.4000 by epoch 19.25.");
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
