//! The four inputs of the paper's DenseNet: user index, item index, timestamp, and the item's number of earlier ratings.

use recspeed_data::parts::{Array, Parts, PartsError, Values};

use crate::Rows;
use crate::examples::Describe;
use crate::network::Saved;
use crate::scaling::InputScaling;

/// When each item was rated in training, so that the ratings before any moment can be counted.
///
/// All four inputs are scaled to `[0, 1]`: the first three as [`InputScaling`] says, the count by the largest number of
/// training ratings that an item has. Only training rows strictly older than the moment in question count, for training
/// rows and for others alike: what a row is described by was known when it was given.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    inputs: InputScaling,
    /// Where each item's times begin, `[items + 1]`.
    starts: Vec<u64>,
    /// Ascending for each item.
    times: Vec<i64>,
    most: u64,
}

impl History {
    /// Requires rows that [`Rows::check`] accepted, at least one.
    pub(crate) fn of(train: Rows<'_>) -> Self {
        let data = train.interactions;
        let mut by_item: Vec<(u32, i64)> =
            train.rows.iter().map(|&row| (data.item[row as usize], data.timestamp[row as usize])).collect();
        by_item.sort_unstable();
        let mut starts = vec![0; data.n_items() + 1];
        for (item, _) in &by_item {
            starts[*item as usize + 1] += 1;
        }
        let most = starts.iter().copied().max().unwrap_or(0);
        for item in 1..starts.len() {
            starts[item] += starts[item - 1];
        }
        let times = by_item.into_iter().map(|(_, time)| time).collect();
        Self { inputs: InputScaling::of(train), starts, times, most }
    }

    /// What the scaling of the inputs depends on.
    pub(crate) fn scales(&self) -> (InputScaling, u64, usize) {
        (self.inputs, self.most, self.times.len())
    }

    /// Training ratings of this item that are older.
    fn earlier(&self, item: u32, timestamp: i64) -> usize {
        let item = item as usize;
        match (self.starts.get(item), self.starts.get(item + 1)) {
            (Some(&from), Some(&to)) => {
                self.times[from as usize..to as usize].partition_point(|&time| time < timestamp)
            }
            _ => 0,
        }
    }

    /// The inverse of [`Saved::add_to`].
    pub(crate) fn take_from(parts: &mut Parts) -> Result<Self, PartsError> {
        let inputs = InputScaling::take_from(parts)?;
        let mut take = |name: &str| match parts.take(name)? {
            Array { values: Values::U64(values), .. } => Ok(values),
            other => Err(other.unexpected(name, "a list of u64")),
        };
        let starts = take("history.starts")?;
        let times: Vec<i64> = take("history.times")?.into_iter().map(u64::cast_signed).collect();
        let covers = starts.first() == Some(&0) && starts.last() == Some(&(times.len() as u64)) && starts.is_sorted();
        if !covers {
            let what = "has items that do not cover its times".to_owned();
            return Err(PartsError::Content { name: "history.starts".to_owned(), what });
        }
        let most = starts.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(0);
        Ok(Self { inputs, starts, times, most })
    }
}

impl Describe for History {
    const WIDTH: usize = InputScaling::WIDTH + 1;

    fn describe(&self, user: u32, item: u32, timestamp: i64, into: &mut Vec<f32>) {
        self.inputs.describe(user, item, timestamp, into);
        into.push((self.earlier(item, timestamp) as f64 / self.most.max(1) as f64) as f32);
    }
}

impl Saved for History {
    /// As `history.starts` and `history.times`, seconds since 1970 in two's complement, beside the scaling of the inputs.
    fn add_to(&self, parts: Parts) -> Parts {
        let times: Vec<u64> = self.times.iter().map(|time| time.cast_unsigned()).collect();
        self.inputs.add_to(parts).with("history.starts", &[self.starts.len()], Values::U64(self.starts.clone())).with(
            "history.times",
            &[times.len()],
            Values::U64(times),
        )
    }

    fn bytes(&self) -> u64 {
        8 * (self.starts.len() + self.times.len()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_data::InteractionsBuilder;

    #[test]
    fn only_ratings_before_the_moment_count() {
        let mut builder = InteractionsBuilder::default();
        for (user, item, time) in [("a", "1", 30), ("b", "1", 10), ("c", "2", 5), ("d", "1", 10), ("e", "1", 20)] {
            builder.push(user, item, 4.0, time);
        }
        let data = builder.finish();
        // The last row is not learnt from.
        let history = History::of(Rows { interactions: &data, rows: &[0, 1, 2, 3] });
        let counts = |item| [10, 11, 30, 31].map(|time| history.earlier(item, time));
        assert_eq!((counts(0), counts(1), counts(7)), ([0, 2, 2, 3], [1; 4], [0; 4]));
        let mut described = Vec::new();
        history.describe(0, 0, 30, &mut described);
        assert_eq!(described[3], 2.0 / 3.0);
        let mut parts = history.add_to(Parts::default());
        assert_eq!(History::take_from(&mut parts).unwrap(), history);
    }
}
