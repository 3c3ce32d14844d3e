//! The last lines of a program that talks to people.

use std::collections::VecDeque;

use recspeed_types::study::StudyProgress;

/// Lines that are kept.
const LINES: usize = 30;
/// Characters of one.
const CHARS: usize = 300;

/// The last lines, without what a terminal would make of them.
#[derive(Debug, Default)]
pub(super) struct Said {
    lines: VecDeque<String>,
    partial: Vec<u8>,
    progress: Option<StudyProgress>,
}

impl Said {
    /// Takes what has come.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' || byte == b'\r' {
                self.end_line();
            } else if self.partial.len() < 4 * CHARS {
                self.partial.push(byte);
            }
        }
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.partial);
        let line: String = line.chars().filter(|c| !c.is_control()).take(CHARS).collect();
        self.partial.clear();
        if line.trim().is_empty() {
            return;
        }
        let line = match StudyProgress::split(&line) {
            Some((progress, rest)) => {
                self.progress = Some(progress);
                rest.to_owned()
            }
            None => line,
        };
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// How far it is, as it last said in front of a line.
    pub(super) fn progress(&self) -> Option<StudyProgress> {
        self.progress
    }

    /// The lines so far, the oldest first.
    pub(super) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_it_is_stands_in_front_of_its_lines_and_is_kept_apart() {
        let mut said = Said::default();
        assert_eq!(said.progress(), None);
        said.hear(b"[0/9] The first measurement begins\n[1/9] PyTorch, 1 of 3: 0.4 s\nwarning: [2/1] is nothing\n");
        assert_eq!(said.progress(), Some(StudyProgress { done: 1, total: 9 }));
        let lines = ["The first measurement begins", "PyTorch, 1 of 3: 0.4 s", "warning: [2/1] is nothing"];
        assert_eq!(said.lines(), lines);
    }

    #[test]
    fn the_last_lines_are_kept_whole_and_short_however_they_come() {
        let mut said = Said::default();
        for part in ["one\ntw", "o\r", "\n\n\u{1b}[2Kthree", "\nnot yet"] {
            said.hear(part.as_bytes());
        }
        assert_eq!(said.lines(), ["one", "two", "[2Kthree"]);
        said.hear(&vec![b'x'; 1 << 20]);
        for number in 0..100 {
            said.hear(format!("\n{number}").as_bytes());
        }
        assert_eq!((said.lines().len(), said.lines()[0].as_str()), (LINES, "69"));
        assert!(said.lines().iter().all(|line| line.chars().count() <= CHARS));
    }
}
