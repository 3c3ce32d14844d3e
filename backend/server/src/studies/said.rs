//! The last lines of a program that talks to people.

use std::collections::VecDeque;

/// Lines that are kept.
const LINES: usize = 30;
/// Characters of one.
const CHARS: usize = 300;

/// The last lines, without what a terminal would make of them.
#[derive(Debug, Default)]
pub(super) struct Said {
    lines: VecDeque<String>,
    partial: Vec<u8>,
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
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
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
