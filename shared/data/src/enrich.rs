//! Attributes joined, left out, dealt anew, and made of the rows themselves.

use recspeed_types::spec::Derived;

use crate::attributes::{AttributeColumn, AttributeValues, Attributes};
use crate::calendar;
use crate::dictionary::{Dictionary, DictionaryBuilder};
use crate::interactions::Interactions;
use crate::long_tail::range_of;
use crate::random::{Stream, draw_front, generator};

impl AttributeValues {
    /// Another column whose row `i` is row `rows[i]` of this one, and has no value where that is `None`: the empty word, no
    /// words, NaN, no numbers.
    ///
    /// # Panics
    /// When a row is not below the number of rows.
    #[must_use]
    pub fn gather(&self, rows: &[Option<u32>]) -> Self {
        match self {
            Self::Token { vocabulary, word } => {
                let mut words = DictionaryBuilder::default();
                let word = rows
                    .iter()
                    .map(|row| words.intern(row.map_or("", |row| vocabulary.get(word[row as usize]))))
                    .collect();
                Self::Token { vocabulary: words.finish(), word }
            }
            Self::TokenSeq { vocabulary, indptr, words } => {
                let (indptr, words) = gather_lists(indptr, words, rows);
                Self::TokenSeq { vocabulary: vocabulary.clone(), indptr, words }
            }
            Self::Float(values) => {
                Self::Float(rows.iter().map(|row| row.map_or(f32::NAN, |row| values[row as usize])).collect())
            }
            Self::FloatSeq { indptr, values } => {
                let (indptr, values) = gather_lists(indptr, values, rows);
                Self::FloatSeq { indptr, values }
            }
        }
    }
}

fn gather_lists<T: Copy>(indptr: &[usize], values: &[T], rows: &[Option<u32>]) -> (Vec<usize>, Vec<T>) {
    let (mut ends, mut gathered) = (vec![0], Vec::new());
    for row in rows {
        if let Some(row) = row.map(|row| row as usize) {
            gathered.extend_from_slice(&values[indptr[row]..indptr[row + 1]]);
        }
        ends.push(gathered.len());
    }
    (ends, gathered)
}

impl Attributes {
    /// The same attributes in the order of `ids`, joined by id; those without a row here have no values.
    #[must_use]
    pub fn joined_to(&self, ids: &Dictionary) -> Self {
        let rows = self.rows_for(ids);
        let join = |column: &AttributeColumn| AttributeColumn {
            name: column.name.clone(),
            values: column.values.gather(&rows),
        };
        Self { ids: ids.clone(), columns: self.columns.iter().map(join).collect() }
    }

    /// A table with one more column, which is in the order of `ids`; what there is already is joined to them.
    #[must_use]
    pub fn with_column(table: Option<Self>, ids: &Dictionary, column: AttributeColumn) -> Self {
        let mut joined = match table {
            Some(known) => known.joined_to(ids),
            None => Self { ids: ids.clone(), columns: Vec::new() },
        };
        joined.columns.push(column);
        joined
    }

    /// Takes the values of a column away; false when there is no such column.
    pub fn clear(&mut self, name: &str) -> bool {
        let rows = vec![None; self.ids.len()];
        self.replace(name, &rows)
    }

    /// Deals the values of a column out anew among the rows, by the seed; false when there is no such column.
    pub fn shuffle(&mut self, name: &str, seed: u64) -> bool {
        let rows: Vec<Option<u32>> = shuffled(self.ids.len(), seed).into_iter().map(Some).collect();
        self.replace(name, &rows)
    }

    /// Whether there is a column of this name.
    pub fn has(&self, name: &str) -> bool {
        self.column(name).is_some()
    }

    fn replace(&mut self, name: &str, rows: &[Option<u32>]) -> bool {
        let column = self.columns.iter_mut().find(|column| column.name == name);
        column.map(|column| column.values = column.values.gather(rows)).is_some()
    }
}

/// The numbers below `n` in an order drawn by the seed.
pub fn shuffled(n: usize, seed: u64) -> Vec<u32> {
    let mut rng = generator(seed, Stream::Shuffle);
    let mut order: Vec<u32> = (0..n as u32).collect();
    draw_front(&mut order, n, &mut rng);
    order
}

/// An attribute made of `rows`, in the order of the items or users of `interactions`; those without a row have the empty word.
///
/// - counts: `1`, `2`, `3 to 4`, `5 to 8` and so on
/// - recency: `under 1 month`, `1 to 2 months`, `3 to 4 months` and so on before the newest of all rows, a month being 30 days
/// - season: `month-01` to `month-12`, the earlier month of two with as many rows
pub fn derive(interactions: &Interactions, rows: &[u32], derived: Derived) -> AttributeColumn {
    let data = interactions;
    let (column, n) = if derived.of_items() { (&data.item, data.n_items()) } else { (&data.user, data.n_users()) };
    let of = |row: &u32| column[*row as usize] as usize;
    let words: Vec<String> = match derived {
        Derived::ItemCount | Derived::UserCount => {
            let mut counts = vec![0u32; n];
            for row in rows {
                counts[of(row)] += 1;
            }
            counts.into_iter().map(range_of).collect()
        }
        Derived::ItemRecency | Derived::UserRecency => {
            let mut newest = vec![None; n];
            for row in rows {
                let time = data.timestamp[*row as usize];
                let seen = &mut newest[of(row)];
                *seen = Some(seen.map_or(time, |known: i64| known.max(time)));
            }
            let last = newest.iter().flatten().copied().max().unwrap_or(0);
            newest.into_iter().map(|time| time.map_or(String::new(), |time| age(last.saturating_sub(time)))).collect()
        }
        Derived::ItemSeason | Derived::UserSeason => {
            let mut months = vec![[0u32; 12]; n];
            for row in rows {
                months[of(row)][usize::from(calendar::month_of(data.timestamp[*row as usize])) - 1] += 1;
            }
            months.iter().map(season).collect()
        }
    };
    let mut vocabulary = DictionaryBuilder::default();
    let word = words.iter().map(|word| vocabulary.intern(word)).collect();
    let values = AttributeValues::Token { vocabulary: vocabulary.finish(), word };
    AttributeColumn { name: derived.as_str().to_owned(), values }
}

fn age(seconds: i64) -> String {
    const MONTH: i64 = 30 * 86_400;
    match u32::try_from(seconds / MONTH).unwrap_or(u32::MAX) {
        0 => "under 1 month".to_owned(),
        1 => "1 month".to_owned(),
        months => format!("{} months", range_of(months)),
    }
}

fn season(months: &[u32; 12]) -> String {
    let most = months.iter().copied().max().unwrap_or(0);
    match months.iter().position(|&count| count == most) {
        Some(month) if most > 0 => format!("month-{:02}", month + 1),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interactions::InteractionsBuilder;

    fn words(column: &AttributeColumn) -> Vec<String> {
        let AttributeValues::Token { vocabulary, word } = &column.values else { panic!("words") };
        word.iter().map(|word| vocabulary.get(*word).to_owned()).collect()
    }

    fn dictionary(ids: &[&str]) -> Dictionary {
        let mut builder = DictionaryBuilder::default();
        for id in ids {
            builder.intern(id);
        }
        builder.finish()
    }

    fn table() -> Attributes {
        let vocabulary = dictionary(&["red", "blue"]);
        Attributes {
            ids: dictionary(&["a", "b"]),
            columns: vec![
                AttributeColumn {
                    name: "colour".into(),
                    values: AttributeValues::Token { vocabulary: vocabulary.clone(), word: vec![0, 1] },
                },
                AttributeColumn { name: "price".into(), values: AttributeValues::Float(vec![1.0, 2.0]) },
                AttributeColumn {
                    name: "title".into(),
                    values: AttributeValues::TokenSeq { vocabulary, indptr: vec![0, 2, 3], words: vec![0, 1, 1] },
                },
                AttributeColumn {
                    name: "size".into(),
                    values: AttributeValues::FloatSeq { indptr: vec![0, 1, 3], values: vec![1.0, 2.0, 3.0] },
                },
            ],
        }
    }

    #[test]
    fn attributes_are_joined_by_id_and_missing_ones_are_empty() {
        let joined = table().joined_to(&dictionary(&["b", "c", "a"]));
        assert_eq!(words(&joined.columns[0]), ["blue", "", "red"]);
        let AttributeValues::Float(price) = &joined.columns[1].values else { panic!() };
        assert!(price[0] == 2.0 && price[1].is_nan() && price[2] == 1.0);
        let AttributeValues::TokenSeq { indptr, words, .. } = &joined.columns[2].values else { panic!() };
        assert_eq!((indptr.as_slice(), words.as_slice()), (&[0, 1, 1, 3][..], &[1, 0, 1][..]));
        let AttributeValues::FloatSeq { indptr, values } = &joined.columns[3].values else { panic!() };
        assert_eq!((indptr.as_slice(), values.as_slice()), (&[0, 2, 2, 3][..], &[2.0, 3.0, 1.0][..]));
    }

    #[test]
    fn a_cleared_column_stays_without_values_and_an_unknown_one_is_told() {
        let mut table = table();
        assert!(table.clear("colour") && !table.clear("weight"));
        assert_eq!(words(&table.columns[0]), ["", ""]);
    }

    #[test]
    fn a_shuffled_column_has_the_same_values_in_an_order_of_the_seed() {
        let order = shuffled(100, 1);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..100) && order != sorted);
        assert_eq!(order, shuffled(100, 1));
        assert_ne!(order, shuffled(100, 2));
        let mut table = table();
        assert!(table.shuffle("price", 3));
        let AttributeValues::Float(price) = &table.columns[1].values else { panic!() };
        assert_eq!(price.iter().sum::<f32>(), 3.0);
    }

    #[test]
    fn derived_attributes_are_those_worked_out_by_hand() {
        const DAY: i64 = 86_400;
        let mut rows = InteractionsBuilder::default();
        // 1970-01-01, 1970-03-12 and, not learnt from, 1970-12-31.
        for (user, item, time) in [("u", "a", 0), ("v", "a", 70 * DAY), ("u", "b", DAY), ("u", "c", 364 * DAY)] {
            rows.push(user, item, 1.0, time);
        }
        let data = rows.finish();
        let of = |derived| words(&derive(&data, &[0, 1, 2], derived));
        assert_eq!(of(Derived::ItemCount), ["2", "1", ""]);
        assert_eq!(of(Derived::UserCount), ["2", "1"]);
        // The newest row that is learnt from is of day 70: b's is 69 days older.
        assert_eq!(of(Derived::ItemRecency), ["under 1 month", "2 months", ""]);
        assert_eq!(of(Derived::UserRecency), ["2 months", "under 1 month"]);
        // a has one row in January and one in March.
        assert_eq!(of(Derived::ItemSeason), ["month-01", "month-01", ""]);
        assert_eq!(of(Derived::UserSeason), ["month-01", "month-03"]);
    }
}
