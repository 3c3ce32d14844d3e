//! Bytes that come and go on one rank.

/// What a rank holds over time, beyond parameters, gradients and optimizer state: activations and received messages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Held {
    changes: Vec<(f64, i64)>,
}

impl Held {
    pub(super) fn take(&mut self, at_us: f64, bytes: u64) {
        self.changes.push((at_us, bytes as i64));
    }

    pub(super) fn give_back(&mut self, at_us: f64, bytes: u64) {
        self.changes.push((at_us, -(bytes as i64)));
    }

    /// In the order of time; at one moment what is given back comes first.
    pub(super) fn sort(&mut self) {
        self.changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    }

    /// Moments, and the bytes held from each on. It ends with 0 bytes.
    pub fn curve(&self) -> Vec<(f64, u64)> {
        let mut curve: Vec<(f64, u64)> = Vec::new();
        let mut bytes = 0_i64;
        for &(at, change) in &self.changes {
            bytes += change;
            match curve.last_mut() {
                Some(last) if last.0 == at => last.1 = bytes.max(0) as u64,
                _ => curve.push((at, bytes.max(0) as u64)),
            }
        }
        curve
    }

    /// The most bytes at once.
    pub fn peak(&self) -> u64 {
        self.curve().into_iter().map(|(_, bytes)| bytes).max().unwrap_or(0)
    }

    /// Bytes at the end: 0 where nothing leaks.
    pub fn at_the_end(&self) -> i64 {
        self.changes.iter().map(|&(_, change)| change).sum()
    }
}
