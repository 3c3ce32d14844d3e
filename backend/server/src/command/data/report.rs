//! The report on a data set as a page of text with small histograms.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use recspeed_data::{CountBin, CountQuantiles, Coverage, DatasetReport, ReadReport, SplitReport, TailPoint};

use super::super::figures::{bar, bytes, count, counted, percent, sparkline};

/// Places of the longest bar.
const BAR: usize = 40;
/// Bad lines shown.
const BAD_LINES: usize = 5;

/// What is known about a data set besides its rows.
pub(super) struct About {
    /// Name for people.
    pub(super) title: String,
    /// Content hash.
    pub(super) sha256: String,
    /// Source, licence and citation, as far as known.
    pub(super) facts: Vec<(&'static str, String)>,
    /// How far attributes cover items and users, where there are any.
    pub(super) attributes: Vec<Coverage>,
    /// What a person should know of the reading.
    pub(super) warnings: Vec<String>,
}

/// The whole page.
pub(super) fn render(about: &About, data: &DatasetReport, splits: &[SplitReport], reading: &ReadReport) -> String {
    let mut text = format!("{}\n\n", about.title);
    // Writing into a String cannot fail.
    let _ = writeln!(
        text,
        "{}, {}, {}",
        counted(data.rows, "rating", "ratings"),
        counted(data.users, "user", "users"),
        counted(data.items, "item", "items")
    );
    let mut facts = vec![("density", format!("{:.4} % of all pairs of user and item", data.density * 100.0))];
    if data.repeated_pairs > 0 {
        facts.push(("repeated", format!("{} beyond the first of a pair", counted(data.repeated_pairs, "row", "rows"))));
    }
    facts.push((
        "few rows",
        format!(
            "{} and {} have fewer than five",
            counted(data.cold_users, "user", "users"),
            counted(data.cold_items, "item", "items")
        ),
    ));
    facts.extend(about.attributes.iter().map(|coverage| ("attributes", covered(coverage))));
    facts.push(("in memory", bytes(data.column_bytes)));
    // A built-in data set was read from no lines.
    if reading.lines > 0 {
        let bad = format!("{} of {}", count(reading.bad_lines), counted(reading.lines, "line", "lines"));
        facts.push(("bad lines", bad));
    }
    facts.push(("sha256", about.sha256.clone()));
    facts.extend(about.facts.iter().cloned());
    for (label, fact) in facts {
        let _ = writeln!(text, "{label:<10} {fact}");
    }
    for line in reading.shown.iter().take(BAD_LINES) {
        let _ = writeln!(text, "           {line}");
    }
    for warning in &about.warnings {
        let _ = writeln!(text, "\nWarning: {warning}.");
    }
    if let (Some(mean), Some(sd)) = (data.rating_mean, data.rating_sd) {
        let _ = writeln!(text, "\nRatings: mean {mean:.4}, standard deviation {sd:.4}");
        text.push_str(&histogram(data.ratings.iter().map(|(rating, rows)| (rating.to_string(), *rows))));
    } else {
        text.push_str("\nThe data have no ratings: each row is an interaction.\n");
    }
    if data.years.is_empty() {
        text.push_str("\nThe data have no times.\n");
    } else {
        text.push_str("\nYears\n");
        text.push_str(&histogram(data.years.iter().map(|(year, rows)| (year.to_string(), *rows))));
        text.push_str(&months(data));
        text.push_str("\nNew users and items\n");
        for came in &data.arrivals {
            let (users, items) = (counted(came.users, "user", "users"), counted(came.items, "item", "items"));
            let _ = writeln!(text, "  {}  {users}, {items}", came.year);
        }
    }
    let _ = write!(text, "\nRows of a user, of an item\n{}\n", spread(data));
    for (title, bins, tail) in [
        ("Users by number of rows", &data.user_activity, &data.user_tail),
        ("Items by number of rows", &data.item_popularity, &data.item_tail),
    ] {
        let _ = write!(text, "\n{title}\n{}  {}\n", histogram(bins.iter().map(range)), held(tail));
    }
    let _ = write!(text, "\nWhat each split holds out for the test\n{}\n", splits_table(splits));
    text
}

/// `items: title, year; 2 of 1,682 without a line (0.1 %)`.
fn covered(coverage: &Coverage) -> String {
    let Coverage { of, columns, ids, without } = coverage;
    let share = percent(coverage.share_without());
    format!("{of}: {}; {} of {} without a line ({share})", columns.join(", "), count(*without), count(*ids))
}

/// The months as one line.
fn months(data: &DatasetReport) -> String {
    match (data.months.first(), data.months.last()) {
        (Some((first, _)), Some((last, _))) => {
            let rows: Vec<f64> = data.months.iter().map(|(_, rows)| *rows as f64).collect();
            format!("\nMonths {first} to {last}\n  {}\n", sparkline(&rows, 72))
        }
        _ => String::new(),
    }
}

fn range(bin: &CountBin) -> (String, u64) {
    let name = if bin.from == bin.to {
        count(u64::from(bin.from))
    } else {
        format!("{} to {}", count(u64::from(bin.from)), count(u64::from(bin.to)))
    };
    (name, bin.count)
}

/// The long tail in a sentence.
fn held(tail: &[TailPoint]) -> String {
    let of = |share: f64| tail.iter().find(|point| (point.share - share).abs() < 1e-12);
    let told: Vec<String> = [0.01, 0.1, 0.2, 0.5]
        .into_iter()
        .filter_map(of)
        .map(|point| format!("{:.0} % hold {}", point.share * 100.0, percent(point.rows)))
        .collect();
    if told.is_empty() { String::new() } else { format!("the first {} of the rows", told.join(", ")) }
}

fn splits_table(splits: &[SplitReport]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED).set_header([
        "split.kind",
        "test rows",
        "users",
        "cold users",
        "cold item rows",
        "leaks",
        "what is held out",
    ]);
    for split in splits {
        if let Some(why) = &split.refused {
            let dashes = ["–"; 5].map(str::to_owned);
            table.add_row([split.kind.to_owned()].into_iter().chain(dashes).chain([why.clone()]));
            continue;
        }
        let share = |part: u64| format!("{} ({})", count(part), percent(part as f64 / split.test.max(1) as f64));
        table.add_row([
            split.kind.to_owned(),
            count(split.test),
            count(split.test_users),
            count(split.cold_users),
            share(split.cold_item_rows),
            split.leaks.map_or("no times".to_owned(), share),
            split.rule.clone(),
        ]);
    }
    for column in 1..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn histogram(rows: impl Iterator<Item = (String, u64)>) -> String {
    let rows: Vec<_> = rows.collect();
    let label = rows.iter().map(|(label, _)| label.len()).max().unwrap_or(0);
    let number = rows.iter().map(|(_, n)| count(*n).len()).max().unwrap_or(0);
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or(0) as f64;
    let all = rows.iter().map(|(_, n)| *n).sum::<u64>() as f64;
    let mut text = String::new();
    for (name, n) in &rows {
        let drawn = bar(*n as f64, most, BAR);
        let share = percent(*n as f64 / all.max(1.0));
        let _ = writeln!(text, "  {name:>label$}  {:>number$}  {share:>7}  {drawn}", count(*n));
    }
    text
}

fn spread(data: &DatasetReport) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(["", "mean", "least", "25 %", "half", "75 %", "99 %", "most", "Gini"]);
    for (name, q) in [("user", &data.per_user), ("item", &data.per_item)] {
        table.add_row(quantiles(name, q));
    }
    for column in 1..9 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn quantiles(name: &str, q: &CountQuantiles) -> Vec<String> {
    let mut row = vec![name.to_owned(), format!("{:.2}", q.mean)];
    row.extend([q.min, q.q25, q.median, q.q75, q.q99, q.max].map(|n| count(u64::from(n))));
    row.push(format!("{:.3}", q.gini));
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_data::{InteractionsBuilder, describe, split_reports};

    #[test]
    fn a_page_has_every_part_of_the_report() {
        let mut rows = InteractionsBuilder::default();
        for (user, item, rating, time) in
            [("u", "a", 1.0, 0), ("u", "b", 5.0, 86_400 * 365), ("u", "a", 5.0, 1), ("v", "a", 5.0, 2)]
        {
            rows.push(user, item, rating, time);
        }
        let about = About {
            title: "Tiny".into(),
            sha256: "ab".repeat(32),
            facts: vec![("licence", "CC0".into())],
            attributes: vec![Coverage {
                of: "items",
                columns: vec!["title".into(), "year".into()],
                ids: 2,
                without: 1,
            }],
            warnings: vec!["an id occurs twice".into()],
        };
        let reading = ReadReport { lines: 5, rows: 4, bad_lines: 1, ..ReadReport::default() };
        let rows = rows.finish();
        let page = render(&about, &describe(&rows), &split_reports(&rows, 1), &reading);
        for part in [
            "4 ratings, 2 users, 2 items",
            "75.0000 %",
            "1 row beyond the first of a pair",
            "1 of 5 lines",
            "licence    CC0",
            "attributes items: title, year; 1 of 2 without a line (50.0 %)",
            "  5  3   75.0 %  ████████████████████████████████████████\n",
            "  1  1   25.0 %  █████████████▍\n",
            "1971  1   25.0 %",
            "Gini",
            "Months 1970-01 to 1971-01",
            "1970  2 users, 1 item",
            "Items by number of rows",
            "leave-last-out",
        ] {
            assert!(page.contains(part), "{part} is missing in\n{page}");
        }
    }
}
