//! Who runs next: pure bookkeeping, without clocks, processes or a store.
//!
//! The order is fair between people, not between runs. The next place goes to the person who holds the fewest slots;
//! among those, to the one who was served longest ago; then to the run that waits longest. One person's runs keep
//! their own order. A run that a server's end interrupted comes before all that.

mod estimate;

use std::collections::{BTreeSet, HashMap, VecDeque};

use recspeed_types::RunId;

pub use estimate::{History, Kind};

/// A run that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// Who asked.
    pub person: String,
    /// What it is like, for the estimate.
    pub kind: Kind,
    /// Whether a server's end interrupted it.
    pub interrupted: bool,
}

/// A run that holds a slot.
#[derive(Debug, Clone, PartialEq)]
struct Held {
    run: RunId,
    person: String,
    kind: Kind,
    started_ms: i64,
}

/// The queue and its slots.
#[derive(Debug, Clone)]
pub struct Queue {
    slots: usize,
    /// In the order of arrival.
    waiting: Vec<Waiting>,
    held: Vec<Held>,
    /// When a person was last served, as a rising count.
    served: HashMap<String, u64>,
    servings: u64,
    history: History,
}

/// A waiting run's place, as [`Queue::places`] answers it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceInLine {
    /// The run.
    pub run: RunId,
    /// From 1.
    pub position: u32,
    /// Estimated seconds until it starts; `None` when nothing like the runs before it has ever finished.
    pub starts_in_s: Option<f64>,
}

impl Queue {
    /// An empty queue with `slots` slots (at least one), which knows how long past runs took.
    pub fn new(slots: usize, history: History) -> Self {
        Self {
            slots: slots.max(1),
            waiting: Vec::new(),
            held: Vec::new(),
            served: HashMap::new(),
            servings: 0,
            history,
        }
    }

    /// Remembers that `person` was served, later than everybody so far.
    pub fn remember_served(&mut self, person: &str) {
        self.servings += 1;
        self.served.insert(person.to_owned(), self.servings);
    }

    /// Whether no run holds a slot.
    pub fn is_idle(&self) -> bool {
        self.held.is_empty()
    }

    /// Runs that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether no run waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Runs of `person` that wait or run.
    pub fn count_of(&self, person: &str) -> usize {
        self.waiting.iter().filter(|w| w.person == person).count()
            + self.held.iter().filter(|h| h.person == person).count()
    }

    /// Whether the run waits.
    pub fn is_waiting(&self, run: &RunId) -> bool {
        self.waiting.iter().any(|waiting| waiting.run == *run)
    }

    /// Whether the run holds a slot.
    pub fn is_running(&self, run: &RunId) -> bool {
        self.held.iter().any(|held| held.run == *run)
    }

    /// Adds a run at the end of its person's own line; one that is already here is left where it is.
    pub fn push(&mut self, waiting: Waiting) {
        if !self.is_waiting(&waiting.run) && !self.is_running(&waiting.run) {
            self.waiting.push(waiting);
        }
    }

    /// Takes a waiting run out; whether it was there.
    pub fn remove(&mut self, run: &RunId) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| waiting.run != *run);
        before != self.waiting.len()
    }

    /// Gives a free slot to the run at the front; `None` without a slot or a run.
    pub fn start_next(&mut self, now_ms: i64) -> Option<RunId> {
        if self.held.len() >= self.slots {
            return None;
        }
        let front = *self.order().first()?;
        let Waiting { run, person, kind, .. } = self.waiting.remove(front);
        self.remember_served(&person);
        self.held.push(Held { run: run.clone(), person, kind, started_ms: now_ms });
        Some(run)
    }

    /// Takes the slot back. `finished_after_s` is the time that the run took, where it did all that it was asked to.
    pub fn release(&mut self, run: &RunId, finished_after_s: Option<f64>) {
        if let Some(index) = self.held.iter().position(|held| held.run == *run) {
            let held = self.held.swap_remove(index);
            if let Some(seconds) = finished_after_s {
                self.history.add(&held.kind, seconds);
            }
        }
    }

    /// Every waiting run's place, the front first.
    pub fn places(&self, now_ms: i64) -> Vec<PlaceInLine> {
        let order = self.order();
        let running = self.held.iter().map(|held| {
            let elapsed_s = (now_ms - held.started_ms).max(0) as f64 / 1000.0;
            // A run that takes longer than those before it may end in a second or hang for an hour: nobody knows.
            self.history.expected_s(&held.kind).map(|expected| expected - elapsed_s).filter(|left| *left > 0.0)
        });
        let expected = order.iter().filter_map(|&index| self.waiting.get(index));
        let starts =
            estimate::starts(self.slots, running, expected.map(|waiting| self.history.expected_s(&waiting.kind)));
        order
            .iter()
            .filter_map(|&index| self.waiting.get(index))
            .zip(starts)
            .zip(1..)
            .map(|((waiting, starts_in_s), position)| PlaceInLine { run: waiting.run.clone(), position, starts_in_s })
            .collect()
    }

    /// Indices into `waiting`, the front first: what would start if every slot came free in turn and nobody else came.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::with_capacity(self.waiting.len());
        let mut lines: Vec<(&str, VecDeque<usize>)> = Vec::new();
        let mut line_of: HashMap<&str, usize> = HashMap::new();
        for (index, waiting) in self.waiting.iter().enumerate() {
            if waiting.interrupted {
                order.push(index);
                continue;
            }
            let line = *line_of.entry(&waiting.person).or_insert_with(|| {
                lines.push((&waiting.person, VecDeque::new()));
                lines.len() - 1
            });
            if let Some((_, line)) = lines.get_mut(line) {
                line.push_back(index);
            }
        }
        let mut holds: Vec<usize> = lines
            .iter()
            .map(|(person, _)| {
                self.held.iter().filter(|held| held.person == *person).count()
                    + order.iter().filter(|&&i| self.waiting.get(i).is_some_and(|w| w.person == *person)).count()
            })
            .collect();
        let mut last: Vec<u64> =
            lines.iter().map(|(person, _)| self.served.get(*person).copied().unwrap_or(0)).collect();
        let mut servings = self.servings;
        // Sorted by slots held, then last served, then arrival; keys are distinct because heads are.
        let mut heap: BTreeSet<(usize, u64, usize, usize)> = lines
            .iter()
            .enumerate()
            .filter_map(|(line, (_, members))| members.front().map(|&head| (holds[line], last[line], head, line)))
            .collect();
        while let Some((_, _, head, line)) = heap.pop_first() {
            order.push(head);
            servings += 1;
            holds[line] += 1;
            last[line] = servings;
            if let Some((_, members)) = lines.get_mut(line) {
                members.pop_front();
                if let Some(&next) = members.front() {
                    heap.insert((holds[line], last[line], next, line));
                }
            }
        }
        order
    }
}

#[cfg(test)]
mod tests;
