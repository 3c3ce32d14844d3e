//! How far attributes cover the items or users of a data set that they are joined to.

use serde::Serialize;

use crate::{Attributes, Dictionary};

/// How far a table of attributes covers the ids of a data set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// `items` or `users`.
    pub of: &'static str,
    /// The attributes, in the file's order.
    pub columns: Vec<String>,
    /// Items or users of the data set.
    pub ids: u64,
    /// Those of them that have no line among the attributes.
    pub without: u64,
}

impl Attributes {
    /// How far this table covers `ids`, which are those of the `items` or `users`.
    pub fn coverage(&self, of: &'static str, ids: &Dictionary) -> Coverage {
        let without = ids.iter().filter(|id| self.ids.index_of(id).is_none()).count();
        let columns = self.columns.iter().map(|column| column.name.clone()).collect();
        Coverage { of, columns, ids: ids.len() as u64, without: without as u64 }
    }
}

impl Coverage {
    /// Part of the ids that have no line, 0 to 1.
    pub fn share_without(&self) -> f64 {
        self.without as f64 / self.ids.max(1) as f64
    }

    /// What is to be told of ids without a line; `None` where every one has one.
    pub fn warning(&self) -> Option<String> {
        let Self { of, ids, without, .. } = self;
        let percent = match self.share_without() * 100.0 {
            few if few < 0.1 => "under 0.1".to_owned(),
            percent => format!("{percent:.1}"),
        };
        (*without > 0).then(|| {
            format!(
                "{without} of the {ids} {of} ({percent} %) have no line in the file that dataset.{of} names: nothing is known of them"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_without_a_line_are_counted_with_their_share_and_more_lines_than_ids_are_usual() {
        let ids = |ids: &[&str]| ids.iter().copied().collect::<Dictionary>();
        let table = Attributes { ids: ids(&["1", "2", "3"]), columns: Vec::new() };
        assert_eq!(table.coverage("items", &ids(&["2", "1"])).warning(), None);
        let found = table.coverage("items", &ids(&["2", "9", "1"]));
        assert_eq!((found.without, found.ids), (1, 3));
        assert_eq!(
            found.warning().unwrap(),
            "1 of the 3 items (33.3 %) have no line in the file that dataset.items names: nothing is known of them"
        );
        let few = Coverage { of: "users", columns: Vec::new(), ids: 250_000, without: 1 };
        assert!(few.warning().unwrap().contains("users (under 0.1 %) have no line"), "{few:?}");
    }
}
