//! From a run's numbers to the aligned columns that a line chart draws.

use crate::state::{CurveKey, Point, Rows, RunView};

/// Points kept of each line; more than the widest chart has columns to show.
const MAX_POINTS: usize = 1200;

/// What a curve shows, in words; metrics keep their names.
pub(crate) fn curve_title(name: &str) -> &str {
    if name == "epoch-loss" { "loss, mean of an epoch" } else { name }
}

/// A chart of one quantity: the lines of a run, and those of the run before it as a ghost.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Plot {
    /// What is drawn, as `loss`.
    pub name: String,
    /// What the horizontal axis counts.
    pub x: XAxis,
    /// Horizontal positions, ascending, without repetition.
    pub xs: Vec<f64>,
    /// The lines; ghosts first, so that they lie below.
    pub lines: Vec<Line>,
}

/// What the horizontal axis counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum XAxis {
    /// Passes over the training rows.
    #[default]
    Epochs,
    /// Optimizer steps or iterations.
    Steps,
}

impl XAxis {
    /// The name for people.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Epochs => "epoch",
            Self::Steps => "step",
        }
    }
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    /// The rows that it was measured on.
    pub on: Rows,
    /// Whether it belongs to an earlier run.
    pub ghost: bool,
    /// Place and name of its run among those of a comparison; `None` where one run is shown.
    pub run: Option<(usize, String)>,
    /// A value for each horizontal position; `None` where this line has none.
    pub ys: Vec<Option<f64>>,
}

impl Line {
    /// Whether its points are few enough to be marked one by one.
    pub(crate) fn is_short(&self) -> bool {
        self.ys.iter().flatten().count() <= 40
    }
}

impl Plot {
    /// The chart of `name` in `view`, over the same quantity of `ghost`.
    pub(crate) fn new(name: &str, view: &RunView, ghost: Option<&RunView>) -> Self {
        let own = lines_of(name, view);
        let x = if own.iter().flat_map(|(_, points)| points).any(|p| p.epoch > 0.0) || own.is_empty() {
            XAxis::Epochs
        } else {
            XAxis::Steps
        };
        let ghosts = ghost.map(|ghost| lines_of(name, ghost)).unwrap_or_default();
        let all: Vec<_> = ghosts
            .into_iter()
            .map(|(on, points)| (on, true, points))
            .chain(own.into_iter().map(|(on, points)| (on, false, points)))
            .map(|(on, ghost, points)| (on, ghost, thinned(&positions(&points, x), MAX_POINTS)))
            .collect();
        let mut xs: Vec<f64> = all.iter().flat_map(|(_, _, points)| points.iter().map(|p| p.0)).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let lines = all
            .into_iter()
            .map(|(on, ghost, points)| Line { on, ghost, run: None, ys: aligned(&xs, points) })
            .collect();
        Self { name: name.to_owned(), x, xs, lines }
    }

    /// The last horizontal position with a value of one of these lines that is no ghost's: where the shown run is. Where only
    /// ghosts are drawn, their end.
    pub(crate) fn reached(&self) -> Option<f64> {
        let own = self.lines.iter().any(|line| !line.ghost);
        let end = |line: &Line| line.ys.iter().rposition(Option::is_some);
        let last = self.lines.iter().filter(|line| line.ghost != own).filter_map(end).max()?;
        self.xs.get(last).copied()
    }

    /// The chart of one quantity of several runs: for each line the place and name of its run, its rows and its points.
    pub(crate) fn compared(name: &str, series: Vec<((usize, String), Rows, Vec<Point>)>) -> Self {
        let epochs = series.iter().all(|(_, _, points)| points.iter().any(|p| p.epoch > 0.0));
        let x = if epochs { XAxis::Epochs } else { XAxis::Steps };
        let mut xs: Vec<f64> = series.iter().flat_map(|(_, _, points)| positions(points, x)).map(|p| p.0).collect();
        xs.sort_by(f64::total_cmp);
        xs.dedup();
        let line = |(run, on, points): ((usize, String), Rows, Vec<Point>)| Line {
            on,
            ghost: false,
            run: Some(run),
            ys: aligned(&xs, positions(&points, x)),
        };
        let lines = series.into_iter().map(line).collect();
        Self { name: name.to_owned(), x, xs, lines }
    }

    /// Whether there is nothing to draw.
    pub(crate) const fn is_empty(&self) -> bool {
        self.xs.is_empty()
    }

    /// The points of one of this run's own lines.
    pub(crate) fn points(&self, line: &Line) -> Vec<(f64, f64)> {
        self.xs.iter().zip(&line.ys).filter_map(|(x, y)| y.map(|y| (*x, y))).collect()
    }
}

fn lines_of(name: &str, view: &RunView) -> Vec<(Rows, Vec<Point>)> {
    [Rows::Train, Rows::Validation, Rows::Test]
        .into_iter()
        .map(|on| (on, view.curve(&CurveKey { name: name.to_owned(), on })))
        .filter(|(_, points)| !points.is_empty())
        .collect()
}

fn positions(points: &[Point], x: XAxis) -> Vec<(f64, f64)> {
    let place = |p: &Point| if x == XAxis::Epochs { p.epoch } else { p.step as f64 };
    points.iter().map(|p| (place(p), p.value)).collect()
}

/// A value for each of `xs`, which hold every position of the points.
fn aligned(xs: &[f64], points: Vec<(f64, f64)>) -> Vec<Option<f64>> {
    let mut ys = vec![None; xs.len()];
    for (x, y) in points {
        if let Ok(at) = xs.binary_search_by(|other| other.total_cmp(&x)) {
            ys[at] = Some(y);
        }
    }
    ys
}

/// At most about `limit` points that look the same: of each stretch the lowest and the highest, in their order, and both ends.
pub(crate) fn thinned(points: &[(f64, f64)], limit: usize) -> Vec<(f64, f64)> {
    if points.len() <= limit || limit < 4 {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil(limit / 2 - 1);
    let mut kept = vec![points[0]];
    for part in points[1..points.len() - 1].chunks(stretch) {
        let by_value = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let low = part.iter().min_by(by_value);
        let high = part.iter().max_by(by_value);
        if let (Some(low), Some(high)) = (low, high) {
            let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            kept.push(*first);
            if second.0 > first.0 {
                kept.push(*second);
            }
        }
    }
    kept.push(points[points.len() - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(steps: std::ops::Range<u64>, on: Rows) -> RunView {
        let mut view = RunView::default();
        let points = steps.map(|step| Point { step, epoch: step as f64 / 10.0, value: 1.0 / (step + 1) as f64 });
        view.curves.insert(CurveKey { name: "loss".to_owned(), on }, points.collect());
        view
    }

    #[test]
    fn lines_share_their_positions_and_ghosts_lie_below() {
        let plot = Plot::new("loss", &view(0..4, Rows::Train), Some(&view(2..6, Rows::Train)));
        assert_eq!(plot.xs, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]);
        assert!(plot.lines[0].ghost && !plot.lines[1].ghost);
        assert_eq!(plot.lines[1].ys.iter().filter(|y| y.is_some()).count(), 4);
        assert_eq!(plot.points(&plot.lines[0])[0].0, 0.2);
        assert_eq!(plot.reached(), Some(0.3), "where this run is, not where the one before it ended");
    }

    #[test]
    fn runs_of_a_comparison_share_an_axis_that_all_of_them_have() {
        let points = |epoch: f64| vec![Point { step: 1, epoch, value: 1.0 }, Point { step: 5, epoch, value: 0.5 }];
        let series = |place: usize, epoch| ((place, format!("run {place}")), Rows::Train, points(epoch));
        let plot = Plot::compared("loss", vec![series(0, 1.0), series(1, 0.0)]);
        assert_eq!((plot.x, plot.xs.as_slice(), plot.lines.len()), (XAxis::Steps, &[1.0, 5.0][..], 2));
        assert_eq!(Plot::compared("loss", vec![series(0, 1.0)]).x, XAxis::Epochs);
    }

    #[test]
    fn a_curve_has_one_name_wherever_it_is_drawn() {
        assert_eq!(["loss", "epoch-loss", "ndcg@10"].map(curve_title), ["loss", "loss, mean of an epoch", "ndcg@10"]);
    }

    #[test]
    fn a_ghost_alone_is_drawn_too() {
        let plot = Plot::new("loss", &RunView::default(), Some(&view(0..3, Rows::Train)));
        assert_eq!(plot.lines.len(), 1);
        assert!(!plot.is_empty());
        assert_eq!(plot.reached(), Some(0.2));
    }

    #[test]
    fn thinning_keeps_both_ends_and_every_peak() {
        let points: Vec<(f64, f64)> =
            (0..100_000).map(|i| (f64::from(i), if i == 61_803 { 9.0 } else { f64::from(i % 7) / 10.0 })).collect();
        let kept = thinned(&points, 1000);
        assert!(kept.len() <= 1000, "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[99_999]));
        assert!(kept.contains(&(61_803.0, 9.0)));
        assert!(kept.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn few_points_stay_as_they_are() {
        let points = [(0.0, 1.0), (1.0, 0.5)];
        assert_eq!(thinned(&points, 1000), points);
    }
}
