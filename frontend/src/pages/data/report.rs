//! The report of a data set: tiles, ratings, times, long tails, and what each split holds out.

use leptos::prelude::*;
use serde_json::Value;

use super::drawn::{bars, columns, tails};
use crate::charts::{bytes, capital, count, share, value};
use crate::components::warned;

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn whole_number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

/// Pairs of something and a count.
fn counted(pairs: &Value) -> Vec<(String, u64)> {
    let name = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    list(pairs).iter().map(|pair| (name(&pair[0]).trim_end_matches(".0").to_owned(), whole_number(&pair[1]))).collect()
}

/// Users or items by their number of rows.
fn spread(bins: &Value) -> Vec<(String, u64)> {
    let name = |bin: &Value| {
        let (from, to) = (whole_number(&bin["from"]), whole_number(&bin["to"]));
        if from == to { count(from) } else { format!("{} to {}", count(from), count(to)) }
    };
    list(bins).iter().map(|bin| (name(bin), whole_number(&bin["count"]))).collect()
}

/// Users or items by the year in which they came.
fn came(arrivals: &Value, who: &str) -> Vec<(String, u64)> {
    list(arrivals).iter().map(|year| (year["year"].to_string(), whole_number(&year[who]))).collect()
}

/// How far attributes cover their items or users: what they are of, and the rest in words.
fn covered(coverage: &Value) -> (String, String) {
    let columns: Vec<String> = list(&coverage["columns"]).iter().map(text).collect();
    let (ids, without) = (whole_number(&coverage["ids"]), whole_number(&coverage["without"]));
    let part = share(without as f64 / ids.max(1) as f64);
    let words = format!("{}; {} of {} without a line ({part})", columns.join(", "), count(without), count(ids));
    (format!("Attributes of {}", text(&coverage["of"])), words)
}

/// How rows spread over users and over items.
fn spreads(report: &Value) -> AnyView {
    let number = |value: &Value| value.as_u64().map_or_else(|| self::value(value.as_f64().unwrap_or_default()), count);
    let row = |(name, field): (&'static str, &str)| {
        let [user, item] = ["per_user", "per_item"].map(|of| number(&report[of][field]));
        view! { <tr><th scope="row">{name}</th><td class="number">{user}</td><td class="number">{item}</td></tr> }
    };
    let rows = [
        ("mean", "mean"),
        ("least", "min"),
        ("25 % have up to", "q25"),
        ("50 % have up to", "median"),
        ("75 % have up to", "q75"),
        ("99 % have up to", "q99"),
        ("most", "max"),
        ("Gini (0: all alike)", "gini"),
    ];
    view! {
        <section class="data-part">
            <h3>"Rows of a user, of an item"</h3>
            <table class="table" data-testid="data-spreads">
                <thead><tr>
                    <th scope="col">"rows"</th><th scope="col" class="number">"of a user"</th><th scope="col" class="number">"of an item"</th>
                </tr></thead>
                <tbody>{rows.map(row).collect_view()}</tbody>
            </table>
        </section>
    }
    .into_any()
}

fn tail(points: &Value) -> Vec<(f64, f64)> {
    let number = |value: &Value| value.as_f64().unwrap_or_default();
    list(points).iter().map(|point| (number(&point["share"]), number(&point["rows"]))).collect()
}

/// The whole report.
pub(super) fn whole(answer: &Value) -> AnyView {
    let report = &answer["report"];
    let rows = whole_number(&report["rows"]);
    let tiles = [
        ("Ratings", count(rows)),
        ("Users", count(whole_number(&report["users"]))),
        ("Items", count(whole_number(&report["items"]))),
        ("Density", format!("{} %", value(report["density"].as_f64().unwrap_or_default() * 100.0))),
    ];
    let tiles: Vec<AnyView> = tiles
        .into_iter()
        .map(|(name, value)| view! { <div class="tile"><span class="tile-name">{name}</span><span class="tile-value">{value}</span></div> }.into_any())
        .collect();
    let ratings = counted(&report["ratings"]);
    let mean = report["rating_mean"].as_f64().map(|mean| {
        format!("Ratings, mean {} ± {}", value(mean), value(report["rating_sd"].as_f64().unwrap_or_default()))
    });
    let ratings = match mean {
        Some(title) if !ratings.is_empty() => bars(&title, &ratings),
        Some(title) => view! { <section class="data-part"><h3>{title}</h3><p class="note">"Too many different values to list."</p></section> }.into_any(),
        None => view! { <section class="data-part"><h3>"Ratings"</h3><p class="note">"The data have none: each row is an interaction."</p></section> }.into_any(),
    };
    let months = columns("Rows by month", &counted(&report["months"]));
    let timeless = months.is_none();
    let years = ["users", "items"].map(|who| came(&report["arrivals"], who));
    let years = [("New users by year", &years[0]), ("New items by year", &years[1])]
        .map(|(title, years)| (!years.is_empty()).then(|| bars(title, years)));
    let facts = facts(answer);
    let warnings: Vec<String> = list(&answer["warnings"]).iter().map(|warning| capital(&text(warning)) + ".").collect();
    view! {
        <section class="card details data-report" aria-labelledby="data-title" data-testid="data-report">
            <h2 id="data-title">{text(&answer["name"])}</h2>
            <div class="tiles">{tiles}</div>
            {warned(warnings, "data-warnings")}
            <div class="data-parts">
                <div class="data-stack">{ratings}{spreads(report)}</div>
                {tails(&tail(&report["user_tail"]), &tail(&report["item_tail"]))}
                {months}
                {timeless.then(|| view! { <p class="note data-wide">"The data have no times."</p> })}
            </div>
        </section>
        {splits(&answer["splits"])}
        <section class="card details" aria-labelledby="spread-title">
            <h2 id="spread-title">"When users and items came, and how many rows they have"</h2>
            <div class="data-parts">
                {years.collect_view()}
                {bars("Users by number of rows", &spread(&report["user_activity"]))}
                {bars("Items by number of rows", &spread(&report["item_popularity"]))}
            </div>
        </section>
        <section class="card details"><h2>"More of its rows, and where they come from"</h2><div class="fact-groups">{facts}</div></section>
    }
    .into_any()
}

/// What else there is to know of the rows, then where they come from.
fn facts(answer: &Value) -> Vec<AnyView> {
    let report = &answer["report"];
    let few = |name: &str| whole_number(&report[name]);
    let mut of_rows: Vec<(String, String)> = vec![
        (
            "Fewer than five rows".to_owned(),
            format!("{} users, {} items", count(few("cold_users")), count(few("cold_items"))),
        ),
        ("Rows beyond the first of a pair".to_owned(), count(few("repeated_pairs"))),
    ];
    of_rows.extend(list(&answer["attributes"]).iter().map(covered));
    of_rows.extend([
        ("In memory".to_owned(), bytes(few("column_bytes"))),
        ("Lines skipped".to_owned(), count(whole_number(&answer["reading"]["bad_lines"]))),
    ]);
    let mut origin = vec![("SHA-256".to_owned(), text(&answer["sha256"]))];
    for (name, fact) in answer["about"].as_object().into_iter().flatten() {
        origin.push((capital(name), text(fact)));
    }
    let fact = |(name, text): (String, String)| {
        let long = text.len() > 24;
        view! { <div class="fact" class:fact-long=long><dt>{name}</dt><dd>{text}</dd></div> }.into_any()
    };
    [of_rows, origin]
        .map(|facts| view! { <dl class="facts">{facts.into_iter().map(fact).collect_view()}</dl> }.into_any())
        .into()
}

/// What each kind of split holds out.
fn splits(splits: &Value) -> AnyView {
    let row = |split: &Value| {
        let test = whole_number(&split["test"]).max(1) as f64;
        let of_test = |n: u64| format!("{} ({})", count(n), share(n as f64 / test));
        if let Some(why) = split["refused"].as_str() {
            let why = why.to_owned();
            return view! { <tr><th scope="row">{text(&split["kind"])}</th><td colspan="5">{why}</td></tr> }.into_any();
        }
        let leaks = split["leaks"].as_u64().map_or_else(|| "no times".to_owned(), of_test);
        view! {
            <tr>
                <th scope="row">{text(&split["kind"])}<small>{text(&split["rule"])}</small></th>
                <td class="number" data-label="test rows">{count(whole_number(&split["test"]))}</td>
                <td class="number" data-label="users">{count(whole_number(&split["test_users"]))}</td>
                <td class="number" data-label="cold users">{count(whole_number(&split["cold_users"]))}</td>
                <td class="number" data-label="rows of cold items">{of_test(whole_number(&split["cold_item_rows"]))}</td>
                <td class="number" data-label="leaks">{leaks}</td>
            </tr>
        }
        .into_any()
    };
    let rows: Vec<AnyView> = list(splits).iter().map(row).collect();
    view! {
        <section class="card details" aria-labelledby="splits-title">
            <h2 id="splits-title">"What each split holds out"</h2>
            <div class="table-scroll" tabindex="0" role="region" aria-label="Splits, row by row">
                <table class="table data-splits stacked" data-testid="data-splits">
                    <thead><tr>
                        <th scope="col">"split"</th><th scope="col" class="number">"test rows"</th><th scope="col" class="number">"users"</th>
                        <th scope="col" class="number">"cold users"</th><th scope="col" class="number">"rows of cold items"</th>
                        <th scope="col" class="number">"leaks"</th>
                    </tr></thead>
                    <tbody>{rows}</tbody>
                </table>
            </div>
            <p class="note">"A cold user or item has no row to learn from. A leak is a test row older than its user's newest training row: the model has seen the future."</p>
        </section>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_read_by_their_names() {
        assert_eq!(counted(&json!([[4.5, 2], [5.0, 7]])), [("4.5".to_owned(), 2), ("5".to_owned(), 7)]);
        let bins = json!([{ "from": 1, "to": 1, "count": 9 }, { "from": 3, "to": 4, "count": 2 }]);
        let arrivals = json!([{ "year": 1997, "users": 3, "items": 5 }]);
        assert_eq!(came(&arrivals, "items"), [("1997".to_owned(), 5)]);
        assert_eq!(spread(&bins), [("1".to_owned(), 9), ("3 to 4".to_owned(), 2)]);
    }

    #[test]
    fn attributes_are_told_with_the_share_without_a_line() {
        let coverage = json!({ "of": "items", "columns": ["title", "year"], "ids": 1682, "without": 841 });
        let told = ("Attributes of items".to_owned(), "title, year; 841 of 1,682 without a line (50 %)".to_owned());
        assert_eq!(covered(&coverage), told);
    }
}
