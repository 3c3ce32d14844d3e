//! How large a data set is, for whoever foretells the size of a network.

use recspeed_types::Extent;

use crate::attributes::{AttributeValues, Attributes};
use crate::interactions::Interactions;

/// Users, items, and what is known of both; of the attributes those that `chosen` names, all where it names none. Lists of numbers are
/// left out: no network has a place for them.
pub fn extent(
    data: &Interactions,
    of_users: Option<&Attributes>,
    of_items: Option<&Attributes>,
    chosen: &[String],
) -> Extent {
    let mut extent = Extent::of_ids(data.n_users() as u64, data.n_items() as u64);
    let columns = of_users.iter().chain(&of_items).flat_map(|table| &table.columns);
    for column in columns.filter(|column| chosen.is_empty() || chosen.contains(&column.name)) {
        match &column.values {
            AttributeValues::Token { vocabulary, .. } | AttributeValues::TokenSeq { vocabulary, .. } => {
                extent.words.push(vocabulary.len() as u64);
            }
            AttributeValues::Float(_) => extent.numbers += 1,
            AttributeValues::FloatSeq { .. } => {}
        }
    }
    extent
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AttributeColumn, InteractionsBuilder};

    #[test]
    fn words_are_counted_by_attribute_and_numbers_by_column() {
        let column = |name: &str, values| AttributeColumn { name: name.to_owned(), values };
        let vocabulary = ["a", "b", "c"].into_iter().collect();
        let items = Attributes {
            ids: ["i"].into_iter().collect(),
            columns: vec![
                column("title", AttributeValues::TokenSeq { vocabulary, indptr: vec![0, 3], words: vec![0, 1, 2] }),
                column("price", AttributeValues::Float(vec![1.0])),
                column("picture", AttributeValues::FloatSeq { indptr: vec![0, 1], values: vec![1.0] }),
            ],
        };
        let vocabulary = ["x", "y"].into_iter().collect();
        let users = Attributes {
            ids: ["u"].into_iter().collect(),
            columns: vec![column("town", AttributeValues::Token { vocabulary, word: vec![1] })],
        };
        let data = InteractionsBuilder::default().finish();
        let all = extent(&data, Some(&users), Some(&items), &[]);
        assert_eq!((all.words, all.numbers), (vec![2, 3], 1));
        let some = extent(&data, Some(&users), Some(&items), &["title".to_owned()]);
        assert_eq!((some.words, some.numbers), (vec![3], 0));
        assert_eq!(extent(&data, None, None, &[]), Extent::of_ids(0, 0));
    }
}
