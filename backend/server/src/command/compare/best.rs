//! The best run of a comparison so far: what is told of the others while one goes on.

use recspeed_types::MetricName;
use recspeed_types::metric::Direction;

use super::super::figures;
use super::super::kept::KeptRun;
use super::methods::Method;

/// The best value so far of the first metric that has a better and a worse.
#[derive(Debug, Default)]
pub(super) struct Best {
    metric: Option<MetricName>,
    found: Option<(f64, String)>,
}

impl Best {
    /// Nothing yet, by what these are measured by.
    pub(super) fn by(methods: &[Method]) -> Self {
        let mut metrics = methods.iter().flat_map(|method| &method.spec.evaluation.metrics).copied();
        Self { metric: metrics.find(|name| name.kind.direction() != Direction::Neither), found: None }
    }

    /// Takes a run in, whose method is called `name`.
    pub(super) fn take(&mut self, name: &str, run: &KeptRun) {
        let value = self.metric.and_then(|metric| run.summary.metrics.get(&metric.to_string()).copied());
        if let Some(value) = value {
            self.offer(value, || format!("{name}, seed {}", run.summary.seed));
        }
    }

    /// The first of equals stays; what is no number is best of nothing.
    fn offer(&mut self, value: f64, whose: impl FnOnce() -> String) {
        let is_better = |best: f64| match self.metric.map(|metric| metric.kind.direction()) {
            Some(Direction::Lower) => value < best,
            _ => value > best,
        };
        if value.is_finite() && self.found.as_ref().is_none_or(|(best, _)| is_better(*best)) {
            self.found = Some((value, whose()));
        }
    }

    /// `ndcg@10 0.3100000 (bpr, seed 7)`.
    pub(super) fn words(&self) -> Option<String> {
        let (metric, (value, whose)) = (self.metric?, self.found.as_ref()?);
        Some(format!("{metric} {} ({whose})", figures::value(*value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best_of(metric: &str, values: &[f64]) -> Option<String> {
        let mut best = Best { metric: Some(metric.parse().unwrap()), found: None };
        for (seed, value) in values.iter().enumerate() {
            best.offer(*value, || format!("seed {seed}"));
        }
        best.words()
    }

    #[test]
    fn the_best_is_the_largest_where_more_is_better_and_the_smallest_where_less_is() {
        let values = [0.5, f64::NAN, 0.25, 0.75, 0.75];
        assert_eq!(best_of("ndcg@10", &values).as_deref(), Some("ndcg@10 0.7500000 (seed 3)"));
        assert_eq!(best_of("rmse", &values).as_deref(), Some("rmse 0.2500000 (seed 2)"));
        assert_eq!(best_of("rmse", &[f64::INFINITY]), None);
    }
}
