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
    let measured = plot.points(line);
    let points: Vec<(f64, f64)> = measured.iter().copied().filter(|point| point.1.is_finite()).collect();
    let lost = measured.len() - points.len();
    let (rows, name) = (line.on.title(), curve_title(&plot.name));
    let subject = match &line.run {
        Some((_, run)) if line.on == Rows::Train => format!("{run}: {name}"),
        Some((_, run)) => format!("{run}: {rows} {name}"),
        None => capital(&format!("{rows} {name}")),
    };
    let Some(last) = points.last() else {
        return (lost > 0).then(|| format!("{subject}: none of {} is a number.", counted(lost as u64, "value")));
    };
    let without = match lost {
        0 => String::new(),
        1 => " One value is no number.".to_owned(),
        n => format!(" {n} values are no numbers."),
    };
    if points.len() == 1 {
        return Some(format!("{subject}: {}.{without}", value(last.1)));
    }
    Some(format!("{subject} {}.{without}", course(plot, &points)?))
}

/// The stretches that a curve is judged by: single steps of a training are noisy, and say nothing of where it goes.
const STRETCHES: usize = 10;

/// A curve of no more points is told by them. Of a longer one the means of stretches are told, as what it is about.
const TOLD_ONE_BY_ONE: usize = 40;

/// How a curve goes, from its points, of which there are two or more and all are finite.
fn course(plot: &Plot, points: &[(f64, f64)]) -> Option<String> {
    let (means, chance) = smoothed(points);
    let long = points.len() > TOLD_ONE_BY_ONE;
    let told = if long { &means[..] } else { points };
    let about = |v: f64| format!("{}{}", if long { "about " } else { "" }, value(v));
    let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
    let ends = |of: &[(f64, f64)]| Some((*of.iter().min_by(by_value)?, *of.iter().max_by(by_value)?));
    let (lowest, highest) = ends(points)?;
    let length = length(plot.x, points.last()?.0);
    if value(lowest.1) == value(highest.1) {
        // What is not told apart in the digits shown has not moved for the reader.
        return Some(format!("stayed at {} {length}", value(lowest.1)));
    }
    let (least, most) = ends(&means)?;
    if most.1 - least.1 <= chance {
        let mean = points.iter().map(|point| point.1).sum::<f64>() / points.len() as f64;
        let between = format!("between {} and {}", value(lowest.1), value(highest.1));
        return Some(format!("stayed near {}, {between}, {length}", value(mean)));
    }
    let falls = means.last()?.1 < means.first()?.1;
    // Where it began is a point, unless that lies by chance on the other side of the points around it.
    let beyond = if falls { f64::max } else { f64::min };
    let (from, to) = (beyond(points.first()?.1, means.first()?.1), told.last()?.1);
    let one_way = goes_one_way(&means, chance) && (to < from) == falls;
    if !one_way {
        let (from, to) = (value(points.first()?.1), value(points.last()?.1));
        let at = |which: &str, at: (f64, f64), shown: bool| {
            shown.then(|| format!("; the {which} was {} at {} {}", value(at.1), plot.x.title(), place(at.0)))
        };
        let last = points.last()?.1;
        let ends = [at("lowest", lowest, lowest.1 < last), at("highest", highest, highest.1 > last)];
        let ends: String = ends.into_iter().flatten().collect();
        return Some(format!("went up and down, from {from} to {to}, {length}{ends}"));
    }
    let way = format!("{} from {} to {} {length}", if falls { "fell" } else { "rose" }, value(from), about(to));
    let level = level_since(&means, chance.max(0.05 * (from - to).abs()));
    if let Some(since) = level {
        return Some(format!("{way}, level since {} {}", plot.x.title(), place(since)));
    }
    let (lowest, _) = ends(told)?;
    let lowest = if falls && plot.name == "loss" && to - lowest.1 > chance {
        format!("; the lowest was {} at {} {}", about(lowest.1), plot.x.title(), place(lowest.0))
    } else {
        String::new()
    };
    Some(format!("{way}{lowest}"))
}

/// How far a curve went: `in 20 epochs`, and `by epoch 19.08` on the way there.
fn length(x: XAxis, at: f64) -> String {
    match x {
        XAxis::Epochs if at.fract() > 0.0 => format!("by epoch {}", place(at)),
        XAxis::Epochs => format!("in {}", counted(at as u64, "epoch")),
        XAxis::Steps => format!("in {}", counted(at as u64, "step")),
    }
}

/// Where each stretch begins with the mean of its values; and by how much such means differ by chance alone, as far as
/// the steps from point to point tell: nothing where a stretch has too few of them.
fn smoothed(points: &[(f64, f64)]) -> (Vec<(f64, f64)>, f64) {
    let count = STRETCHES.min(points.len());
    let means = (0..count)
        .map(|at| &points[at * points.len() / count..(at + 1) * points.len() / count])
        .map(|part| (part[0].0, part.iter().map(|point| point.1).sum::<f64>() / part.len() as f64))
        .collect();
    if points.len() <= TOLD_ONE_BY_ONE {
        return (means, 0.0);
    }
    let mut steps: Vec<f64> = points.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).collect();
    steps.sort_by(f64::total_cmp);
    // The middle one of the differences of two normal values of one spread is 0.954 of that spread; it is not moved by a
    // steep beginning. The most that ten means of noise differ by is about four of their errors.
    let spread = steps[steps.len() / 2] / 0.954;
    (means, 4.0 * spread / (points.len() as f64 / count as f64).sqrt())
}

/// Since where the means have not left what the last one is by more than `slack`: not all of them, and three at least.
fn level_since(means: &[(f64, f64)], slack: f64) -> Option<f64> {
    let last = means.last()?.1;
    let level = means.iter().rev().take_while(|mean| (mean.1 - last).abs() <= slack).count();
    (level >= 3 && level < means.len()).then(|| means[means.len() - level].0)
}

/// Whether nothing on the way from the first mean to the last goes back by more than chance, a tenth of the way, or of
/// what is reached: a loss that swings between 9,000 and 10 has not fallen, wherever it stops.
fn goes_one_way(means: &[(f64, f64)], chance: f64) -> bool {
    let (Some(first), Some(last)) = (means.first(), means.last()) else { return true };
    let sign = (last.1 - first.1).signum();
    let allowed = chance.max(0.1 * (last.1 - first.1).abs().min(last.1.abs()));
    let mut reached = f64::NEG_INFINITY;
    means.iter().all(|mean| {
        reached = reached.max(sign * mean.1);
        reached - sign * mean.1 <= allowed
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
        assert_eq!(told(&[1.0, 3.0, 1e9]), "Training loss rose from 1.000 to 1,000,000,000 in 2 epochs.");
        assert_eq!(told(&[0.5, 0.5, 0.5]), "Training loss stayed at 0.5000 in 2 epochs.");
    }

    /// Of so many points over three epochs, with noise that is the same on every machine.
    fn noisy(points: u32, smooth: impl Fn(f64) -> f64, noise: f64) -> Plot {
        let xs: Vec<f64> = (1..=points).map(|i| 3.0 * f64::from(i) / f64::from(points)).collect();
        let of = |i: u32| noise * (f64::from(i * 7919 % 101) / 50.0 - 1.0);
        let ys = xs.iter().zip(0..).map(|(x, i)| Some(smooth(*x) + of(i))).collect();
        let lines = vec![Line { on: Rows::Train, ghost: false, run: None, ys }];
        Plot { name: "loss".to_owned(), x: XAxis::Epochs, xs, lines }
    }

    #[test]
    fn a_loss_that_falls_through_noise_is_said_to_fall_and_since_when_it_is_level() {
        let told = in_words(&noisy(120, |x| 0.1 + 0.7 * (-20.0 * x).exp(), 0.03));
        assert!(told.starts_with("Training loss fell from 0.49"), "{told}");
        assert!(
            told.contains(" to about 0.09975") && told.ends_with(" in 3 epochs, level since epoch 0.325."),
            "{told}"
        );
        let told = in_words(&noisy(120, |x| 1.0 - 0.2 * x, 0.05));
        assert!(told.starts_with("Training loss fell from 0.9") && told.ends_with(" in 3 epochs."), "{told}");
        let told = in_words(&noisy(120, |x| 0.2 + 0.2 * x, 0.05));
        assert!(told.starts_with("Training loss rose from 0.1"), "{told}");
        let told = in_words(&noisy(120, |x| 0.5 + (x - 1.5).abs(), 0.05));
        assert!(told.starts_with("Training loss went up and down, from "), "{told}");
    }

    #[test]
    fn a_plateau_is_near_its_mean_and_between_its_extremes_wherever_it_stops() {
        for points in [50, 120, 1000] {
            let told = in_words(&noisy(points, |_| 0.5, 0.1));
            assert!(told.starts_with("Training loss stayed near 0."), "{told}");
            assert!(told.ends_with(", between 0.4000 and 0.6000, in 3 epochs."), "{told}");
        }
    }

    #[test]
    fn an_epoch_that_is_not_over_is_not_counted_as_one() {
        let told = |at: f64| length(XAxis::Epochs, at);
        assert_eq!([19.08, 20.0, 1.0].map(told), ["by epoch 19.08", "in 20 epochs", "in 1 epoch"]);
        assert_eq!(told(0.02), "by epoch 0.02");
        assert_eq!(length(XAxis::Steps, 1.0), "in 1 step");
    }

    #[test]
    fn what_is_no_number_is_counted_and_judges_nothing() {
        let told = |ys: &[f64]| in_words(&plot(vec![(false, ys.iter().copied().map(Some).collect())]));
        assert_eq!(told(&[0.7]), "Training loss: 0.7000.");
        assert_eq!(told(&[f64::NAN]), "Training loss: none of 1 value is a number.");
        assert_eq!(told(&[0.9, f64::NAN]), "Training loss: 0.9000. One value is no number.");
        let diverged = told(&[0.9, 0.4, f64::NAN, f64::INFINITY]);
        assert_eq!(diverged, "Training loss fell from 0.9000 to 0.4000 in 1 epoch. 2 values are no numbers.");
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
