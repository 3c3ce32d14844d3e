//! Permutation importance as text or as Markdown.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use recspeed_types::Importance;

use super::figures::value;

/// What the numbers are, in words.
pub(crate) const WORDS: &str = "Permutation importance: what the fitted model loses when it is asked with the feature's values dealt out anew among the items \
     or users (user, item and time: among the test rows), and nothing is learnt again. Mean ± standard deviation over the repeats";

/// A row for each feature and metric: the largest loss of each metric first.
pub(crate) fn table(all: &[Importance], markdown: bool) -> Table {
    let mut metrics: Vec<&str> = Vec::new();
    for one in all {
        if !metrics.contains(&one.metric.as_str()) {
            metrics.push(&one.metric);
        }
    }
    let mut table = Table::new();
    table.load_style(if markdown { presets::ASCII_MARKDOWN } else { presets::UTF8_FULL_CONDENSED });
    table.set_content_arrangement(if markdown { ContentArrangement::Disabled } else { ContentArrangement::Dynamic });
    table.set_header(["metric", "feature", "loss", "±", "repeats"]);
    for metric in metrics {
        let mut rows: Vec<&Importance> = all.iter().filter(|one| one.metric == metric).collect();
        rows.sort_by(|a, b| b.mean.total_cmp(&a.mean));
        for one in rows {
            let sd = one.sd.map_or("–".to_owned(), value);
            table.add_row([one.metric.clone(), one.feature.clone(), value(one.mean), sd, one.losses.len().to_string()]);
        }
    }
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_whose_loss_is_largest_stands_first() {
        let of = |feature: &str, losses: &[f64]| Importance::new(feature.into(), "ndcg@10".into(), losses.to_vec());
        let text = table(&[of("items.brand", &[0.25]), of("items.category", &[0.5, 0.75])], false).to_string();
        let place = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing in\n{text}"));
        assert!(place("items.category") < place("items.brand"), "{text}");
        assert!(text.contains("0.6250000") && text.contains('–'), "{text}");
    }
}
