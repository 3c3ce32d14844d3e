//! Ids that occur again in a table where each should occur once.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::{AttributeReport, RepeatedId};

/// Remembers what the first line of each id says, as a hash of 64 bits.
#[derive(Default)]
pub(crate) struct Repeats {
    /// `[ids]`
    said: Vec<u64>,
}

impl Repeats {
    /// Counts a line; `index` is the number of its id in the order of first appearance.
    pub(crate) fn see(&mut self, index: u32, (line, id): (u64, &str), says: impl Hash, report: &mut AttributeReport) {
        let mut hasher = DefaultHasher::new();
        says.hash(&mut hasher);
        let says = hasher.finish();
        match self.said.get(index as usize) {
            None => self.said.push(says),
            Some(first) => {
                report.repeated += 1;
                report.differing += u64::from(*first != says);
                report.first_repeated.get_or_insert_with(|| RepeatedId { line, id: id.to_owned() });
            }
        }
    }
}
