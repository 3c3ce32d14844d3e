//! When a waiting run will start, judged by how long runs like it took.

use std::collections::{HashMap, VecDeque};

/// Durations that are kept of each kind; the median of these is the expectation.
const KEPT: usize = 9;

/// What makes two runs alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind {
    /// `recommender.kind`.
    pub recommender: String,
    /// The data set.
    pub dataset: String,
}

/// How long past runs took.
#[derive(Debug, Clone, Default)]
pub struct History {
    exact: HashMap<Kind, VecDeque<f64>>,
    by_recommender: HashMap<String, VecDeque<f64>>,
    all: VecDeque<f64>,
}

impl History {
    /// Remembers a run that finished after `seconds`.
    pub fn add(&mut self, kind: &Kind, seconds: f64) {
        if seconds.is_finite() && seconds >= 0.0 {
            keep(self.exact.entry(kind.clone()).or_default(), seconds);
            keep(self.by_recommender.entry(kind.recommender.clone()).or_default(), seconds);
            keep(&mut self.all, seconds);
        }
    }

    /// Seconds that a run of this kind is expected to take: the median of the last ones with the same recommender and
    /// data set, else with the same recommender, else of all; `None` when nothing has finished yet.
    pub fn expected_s(&self, kind: &Kind) -> Option<f64> {
        self.exact
            .get(kind)
            .and_then(median)
            .or_else(|| self.by_recommender.get(&kind.recommender).and_then(median))
            .or_else(|| median(&self.all))
    }
}

fn keep(kept: &mut VecDeque<f64>, seconds: f64) {
    if kept.len() == KEPT {
        kept.pop_front();
    }
    kept.push_back(seconds);
}

fn median(values: &VecDeque<f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// Seconds until each waiting run starts, when slots are given out in the given order.
///
/// - `running`: seconds that each running run is expected to go on; `None` where nothing is known
/// - `waiting`: seconds that each waiting run is expected to take, the front first
///
/// An answer is `None` where an unknown duration decides it.
pub(super) fn starts(
    slots: usize,
    running: impl Iterator<Item = Option<f64>>,
    waiting: impl Iterator<Item = Option<f64>>,
) -> Vec<Option<f64>> {
    // When each slot comes free; infinity stands for "nobody knows".
    let mut free: Vec<f64> = running.map(|left| left.unwrap_or(f64::INFINITY)).collect();
    free.resize(slots.max(free.len()), 0.0);
    waiting
        .map(|takes| {
            let slot = free.iter_mut().min_by(|a, b| a.total_cmp(b))?;
            let start = *slot;
            *slot += takes.unwrap_or(f64::INFINITY);
            start.is_finite().then_some(start)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(recommender: &str, dataset: &str) -> Kind {
        Kind { recommender: recommender.into(), dataset: dataset.into() }
    }

    #[test]
    fn an_expectation_prefers_the_same_recommender_on_the_same_data() {
        let mut history = History::default();
        assert_eq!(history.expected_s(&kind("mlp", "a")), None);
        history.add(&kind("als", "b"), 100.0);
        assert_eq!(history.expected_s(&kind("mlp", "a")), Some(100.0));
        history.add(&kind("mlp", "b"), 10.0);
        assert_eq!(history.expected_s(&kind("mlp", "a")), Some(10.0));
        for seconds in [1.0, 3.0, 2.0] {
            history.add(&kind("mlp", "a"), seconds);
        }
        assert_eq!(history.expected_s(&kind("mlp", "a")), Some(2.0));
    }

    #[test]
    fn the_front_waits_for_the_slot_that_comes_free_first() {
        let starts = starts(2, [Some(5.0), Some(1.0)].into_iter(), [Some(10.0), Some(1.0), Some(1.0)].into_iter());
        assert_eq!(starts, [Some(1.0), Some(5.0), Some(6.0)]);
    }

    #[test]
    fn an_unknown_duration_leaves_what_depends_on_it_unknown() {
        let starts = starts(1, [Some(2.0)].into_iter(), [None, Some(1.0)].into_iter());
        assert_eq!(starts, [Some(2.0), None]);
    }
}
