//! The curves of a run for a chart that shows many: few points that look the same.

use std::collections::BTreeMap;

use recspeed_types::comparison::{ComparedCurve, CurvePoint};
use recspeed_types::event::MeasuredOn;
use recspeed_types::{EventKind, RunEvent, RunId};

/// Points of one curve.
const POINTS: usize = 300;

/// Collects the numbers of a run's story.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    curves: BTreeMap<(String, u8), Vec<CurvePoint>>,
}

const ON: [MeasuredOn; 3] = [MeasuredOn::Train, MeasuredOn::Validation, MeasuredOn::Test];

impl Collector {
    /// Takes the next event as it is stored; what is no number on a curve is passed over without being read whole.
    pub(crate) fn take(&mut self, stored: &str) {
        if !stored.contains("\"metric\"") {
            return;
        }
        let Ok(RunEvent { kind: EventKind::Metric { name, split, step, epoch, value }, .. }) =
            serde_json::from_str(stored)
        else {
            return;
        };
        let on = ON.iter().position(|on| *on == split).unwrap_or_default() as u8;
        let points = self.curves.entry((name, on)).or_default();
        // Where a worker began again, its later points replace the old ones.
        while points.last().is_some_and(|last| last.step >= step) {
            points.pop();
        }
        points.push(CurvePoint { step, epoch, value });
    }

    /// The curves with more than one point.
    pub(crate) fn finish(self, method: usize, run: &RunId) -> Vec<ComparedCurve> {
        let drawn = self.curves.into_iter().filter(|(_, points)| points.len() > 1);
        let curve = |((name, on), points): ((String, u8), Vec<CurvePoint>)| ComparedCurve {
            method,
            run: run.clone(),
            name,
            split: ON[usize::from(on)],
            points: thinned(points),
        };
        drawn.map(curve).collect()
    }
}

/// Of each stretch the lowest and the highest point, in their order, and both ends.
fn thinned(points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    if points.len() <= POINTS {
        return points;
    }
    let stretch = points.len().div_ceil(POINTS / 2 - 1);
    let mut kept = vec![points[0]];
    for part in points[1..points.len() - 1].chunks(stretch) {
        let low = part.iter().min_by(|a, b| a.value.total_cmp(&b.value));
        let high = part.iter().max_by(|a, b| a.value.total_cmp(&b.value));
        let mut both: Vec<CurvePoint> = low.into_iter().chain(high).copied().collect();
        both.sort_by_key(|point| point.step);
        both.dedup();
        kept.extend(both);
    }
    kept.push(points[points.len() - 1]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(seq: u64, step: u64, value: f64) -> String {
        let kind =
            EventKind::Metric { name: "loss".into(), split: MeasuredOn::Train, step, epoch: step as f64 / 10.0, value };
        serde_json::to_string(&RunEvent { run: RunId::new("r").unwrap(), seq, at_us: seq, kind }).unwrap()
    }

    #[test]
    fn a_long_curve_keeps_its_ends_and_its_peaks() {
        let mut collector = Collector::default();
        for step in 0..5000 {
            collector.take(&event(step, step, if step == 1234 { 9.0 } else { 1.0 / (step + 1) as f64 }));
        }
        collector.take("{\"kind\":\"log\"}");
        let curves = collector.finish(2, &RunId::new("r").unwrap());
        let [curve] = curves.as_slice() else { panic!("{curves:?}") };
        assert!(curve.points.len() <= POINTS && curve.method == 2, "{}", curve.points.len());
        assert_eq!((curve.points[0].step, curve.points[curve.points.len() - 1].step), (0, 4999));
        assert!(curve.points.iter().any(|point| point.value == 9.0));
        assert!(curve.points.windows(2).all(|pair| pair[0].step < pair[1].step));
    }

    #[test]
    fn after_a_restart_the_later_points_hold() {
        let mut collector = Collector::default();
        for (seq, (step, value)) in [(1, 0.9), (2, 0.8), (3, 0.7), (2, 0.81), (3, 0.71)].into_iter().enumerate() {
            collector.take(&event(seq as u64, step, value));
        }
        let curves = collector.finish(0, &RunId::new("r").unwrap());
        assert_eq!(curves[0].points.iter().map(|point| point.value).collect::<Vec<_>>(), [0.9, 0.81, 0.71]);
    }
}
