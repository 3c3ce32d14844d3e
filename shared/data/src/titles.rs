//! What items are called.

use crate::attributes::{AttributeColumn, AttributeValues, Attributes};
use crate::dictionary::Dictionary;

/// Words by which data sets name the column of titles, the first before the others; alone or at the end of the column's name, as in
/// `movie_title`.
const NAMES: [&str; 2] = ["title", "name"];

/// A title for each item that has one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Titles {
    text: String,
    /// Where each title ends, `[items]`; an item without one has none of the text.
    ends: Vec<usize>,
}

impl Titles {
    /// The titles of these ids, from the attributes' column of titles; `None` where there is no such column, or no id has one.
    pub fn of(attributes: &Attributes, ids: &Dictionary) -> Option<Self> {
        let values = &Self::column(attributes)?.values;
        let mut titles = Self::default();
        for row in attributes.rows_for(ids) {
            match (values, row.map(|row| row as usize)) {
                (AttributeValues::Token { vocabulary, word }, Some(row)) => {
                    titles.text.push_str(vocabulary.get(word[row]));
                }
                (AttributeValues::TokenSeq { vocabulary, indptr, words }, Some(row)) => {
                    for (place, &word) in words[indptr[row]..indptr[row + 1]].iter().enumerate() {
                        titles.text.push_str(if place > 0 { " " } else { "" });
                        titles.text.push_str(vocabulary.get(word));
                    }
                }
                _ => {}
            }
            titles.ends.push(titles.text.len());
        }
        (!titles.text.is_empty()).then_some(titles)
    }

    fn column(attributes: &Attributes) -> Option<&AttributeColumn> {
        let is_text = |column: &&AttributeColumn| {
            matches!(column.values, AttributeValues::Token { .. } | AttributeValues::TokenSeq { .. })
        };
        let called = |column: &AttributeColumn, name: &str| {
            let own = column.name.to_lowercase();
            own == name || own.strip_suffix(name).is_some_and(|front| front.ends_with(['_', '-', ' ', '.']))
        };
        let columns = || attributes.columns.iter().filter(is_text);
        NAMES.iter().find_map(|name| columns().find(|column| called(column, name)))
    }

    /// The title of an item; `None` where it has none.
    pub fn get(&self, item: u32) -> Option<&str> {
        let place = item as usize;
        let end = *self.ends.get(place)?;
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        Some(&self.text[start..end]).filter(|title| !title.is_empty())
    }

    /// Number of items, with those that have no title.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}

impl<T: AsRef<str>> FromIterator<T> for Titles {
    /// A title for each item, the empty text where it has none.
    fn from_iter<I: IntoIterator<Item = T>>(titles: I) -> Self {
        let mut all = Self::default();
        for title in titles {
            all.text.push_str(title.as_ref());
            all.ends.push(all.text.len());
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_attributes;

    #[test]
    fn titles_are_joined_by_id_whatever_their_column_is_called() {
        let ids: Dictionary = ["2", "9", "1", "3"].into_iter().collect();
        for (name, kind) in [("movie_title", "token_seq"), ("title", "token"), ("Product Name", "token")] {
            let text = format!("item_id:token\tsubtitle:token\t{name}:{kind}\n1\ta\tToy Story\n2\tb\tHeat\n3\tc\t\n");
            let titles = Titles::of(&read_attributes(text.as_bytes()).unwrap().attributes, &ids).unwrap();
            let all: Vec<Option<&str>> = (0..5).map(|item| titles.get(item)).collect();
            assert_eq!(all, [Some("Heat"), None, Some("Toy Story"), None, None], "{name}");
            assert_eq!(titles, ["Heat", "", "Toy Story", ""].into_iter().collect());
        }
        let none = read_attributes(b"item_id:token\tsubtitle:token\tyear:float\n1\ta\t2\n").unwrap().attributes;
        assert_eq!(Titles::of(&none, &ids), None);
    }
}
