//! Answers that were given.

use std::collections::{HashMap, VecDeque};

use recspeed_types::recommend::Recommendations;

use super::ModelKey;

/// A model, and the question as it was put.
type Question = (ModelKey, String);

/// The last answers. A model does not change, so an answer stays true.
#[derive(Debug)]
pub(super) struct Memory {
    most: usize,
    answers: HashMap<Question, Recommendations>,
    order: VecDeque<Question>,
}

impl Memory {
    pub(super) fn new(most: usize) -> Self {
        Self { most, answers: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn recall(&self, question: &Question) -> Option<Recommendations> {
        self.answers.get(question).cloned()
    }

    /// Keeps an answer and forgets the oldest one beyond the limit.
    pub(super) fn keep(&mut self, question: Question, answer: Recommendations) {
        if self.answers.insert(question.clone(), answer).is_none() {
            self.order.push_back(question);
        }
        while self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.answers.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::RunId;
    use recspeed_types::recommend::ScoreUnit;

    use super::*;

    #[test]
    fn the_last_answers_are_remembered_and_no_others() {
        let question = |n: usize| {
            (ModelKey { run: RunId::new("r").expect("a run id"), folder: "files-1".to_owned() }, n.to_string())
        };
        let answer = |n: u64| Recommendations {
            items: Vec::new(),
            unit: ScoreUnit::Score,
            ties_from: None,
            left_out: n,
            has: Vec::new(),
            withheld: false,
            notes: Vec::new(),
        };
        let mut memory = Memory::new(2);
        for n in 0..3 {
            memory.keep(question(n), answer(n as u64));
            memory.keep(question(n), answer(n as u64));
        }
        assert_eq!(memory.recall(&question(0)), None);
        assert_eq!(memory.recall(&question(1)), Some(answer(1)));
        assert_eq!(memory.recall(&question(2)), Some(answer(2)));
    }
}
