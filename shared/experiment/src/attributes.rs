//! Whether attributes belong to the data that they came with.

use recspeed_data::{Attributes, Dictionary};
use recspeed_types::FailureCode;

use crate::run::Story;
use crate::{Host, LoadedData, RunFailure};

/// Refuses a table that knows none of the data's ids; warns of ids that have no line in it.
pub(crate) fn check(loaded: &LoadedData, host: &mut dyn Host, story: &mut Story) -> Result<(), RunFailure> {
    let data = &loaded.interactions;
    for (of, table, ids) in
        [("items", &loaded.item_attributes, &data.items), ("users", &loaded.user_attributes, &data.users)]
    {
        let Some(table) = table else { continue };
        if let Some(warning) = judge(of, table, ids, &loaded.name)? {
            story.warn(host, warning);
        }
    }
    Ok(())
}

fn judge(of: &'static str, table: &Attributes, ids: &Dictionary, name: &str) -> Result<Option<String>, RunFailure> {
    let coverage = table.coverage(of, ids);
    if coverage.without == coverage.ids && !ids.is_empty() {
        let theirs = table.ids.iter().next().map_or_else(String::new, |id| format!(", as `{id}`,"));
        let cause = format!(
            "None of the {} ids in the file that dataset.{of} names{theirs} is one of the {} {of} of {name}, as `{}`; name the file that belongs to these data, or mend its first column.",
            table.ids.len(),
            ids.len(),
            ids.get(0)
        );
        return Err(RunFailure::new(FailureCode::Data, cause));
    }
    Ok(coverage.warning())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(table: &[&str], ids: &[&str]) -> Result<Option<String>, RunFailure> {
        let table = Attributes { ids: table.iter().copied().collect(), columns: Vec::new() };
        judge("items", &table, &ids.iter().copied().collect(), "u.data")
    }

    #[test]
    fn attributes_of_other_items_are_refused_with_an_id_of_each() {
        let failure = judged(&["B01", "B02"], &["242", "302"]).unwrap_err();
        assert_eq!(failure.code, FailureCode::Data);
        assert!(failure.cause.contains("`B01`") && failure.cause.contains("`242`"), "{failure}");
    }

    #[test]
    fn items_without_a_line_are_counted_and_more_lines_than_items_are_usual() {
        assert_eq!(judged(&["1", "2", "3"], &["2", "1"]), Ok(None));
        let warning = judged(&["1"], &["2", "1"]).unwrap().unwrap();
        assert!(warning.starts_with("1 of the 2 items (50.0 %) have no line"), "{warning}");
    }
}
