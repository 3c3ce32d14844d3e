//! The same metrics for groups of users and of test rows: who is served well, and who is not.

use std::collections::BTreeMap;

use recspeed_metrics::{MetricError, rating};
use recspeed_recommenders::Ranking;
use recspeed_types::summary::{Breakdown, BreakdownBy, Group, RankedFor};
use recspeed_types::{MetricKind, MetricName};

use crate::audience::Audience;
use crate::evaluate::{Predictions, UserTable};
use crate::run::Prepared;

/// Lower ends of the groups of users by rows before the test, and their names.
const ACTIVITY: [(u32, &str); 5] = [
    (0, "no ratings"),
    (1, "1 to 4 ratings"),
    (5, "5 to 19 ratings"),
    (20, "20 to 99 ratings"),
    (100, "100 ratings or more"),
];

/// Groups of items by popularity.
const TENTHS: usize = 10;

/// Of a group's test rows the share that the lists hold: rows count alike, whoever's they are. Recall is the mean over users of
/// each user's own share, and so another number.
const FOUND: &str = "rows-found";

/// What was measured.
pub(crate) struct Measured<'a> {
    pub(crate) data: &'a Prepared,
    pub(crate) audience: &'a Audience,
    pub(crate) table: &'a UserTable,
    /// Predictions of the test rows, where ratings were measured, and the truth.
    pub(crate) predictions: Option<&'a Predictions>,
    /// The lists, and the cut-offs that metrics name, where lists were measured.
    pub(crate) ranking: Option<(&'a Ranking, &'a [u32])>,
}

pub(crate) fn breakdowns(measured: &Measured<'_>) -> Vec<Breakdown> {
    let (data, audience) = (measured.data, measured.audience);
    let item_of = |row: u32| data.interactions.item[row as usize] as usize;
    let tenth_of = tenths(&audience.known_counts);
    let popularity = |row: u32| match tenth_of[item_of(row)] {
        0 => "most popular tenth".to_owned(),
        TENTHS => in_words("items without ratings", data.interactions.has_ratings),
        tenth => format!("tenth {}", tenth + 1),
    };
    let popularity_order: Vec<(usize, String)> = {
        let mut named: BTreeMap<usize, String> = BTreeMap::new();
        for &row in &data.test_rows {
            named.entry(tenth_of[item_of(row)]).or_insert_with(|| popularity(row));
        }
        named.into_iter().collect()
    };
    let user_of = |row: u32| data.interactions.user[row as usize] as usize;
    let warmth = |row: u32| {
        let cold_user = audience.known.row(user_of(row)).0.is_empty();
        let cold_item = audience.known_counts[item_of(row)] == 0;
        2 * usize::from(cold_user) + usize::from(cold_item)
    };
    let warmth_names = ["user and item known", "new item", "new user", "new user and new item"];
    let warmth_order: Vec<(usize, String)> =
        warmth_names.iter().enumerate().map(|(index, name)| (index, (*name).to_owned())).collect();
    let all = [
        Breakdown { by: BreakdownBy::UserActivity, groups: by_activity(measured) },
        Breakdown {
            by: BreakdownBy::ItemPopularity,
            groups: by_row(measured, &popularity_order, &|row| tenth_of[item_of(row)]),
        },
        Breakdown { by: BreakdownBy::ColdStart, groups: by_row(measured, &warmth_order, &warmth) },
    ];
    // One group alone repeats the whole.
    all.into_iter().filter(|breakdown| breakdown.groups.len() > 1).collect()
}

/// A name as data call their rows: ratings, unless they have none.
fn in_words(name: &str, has_ratings: bool) -> String {
    if has_ratings { name.to_owned() } else { name.replace("ratings", "rows") }
}

/// Tenth of each item by rows before the test, the most popular first, each tenth with as many known items as the others;
/// [`TENTHS`] for items without rows. Items of equal count stay together, in the tenth of the first of them.
fn tenths(counts: &[u32]) -> Vec<usize> {
    let mut known: Vec<usize> = (0..counts.len()).filter(|&item| counts[item] > 0).collect();
    known.sort_by_key(|&item| std::cmp::Reverse(counts[item]));
    let mut tenth_of = vec![TENTHS; counts.len()];
    let mut place = 0;
    for equal in known.chunk_by(|&a, &b| counts[a] == counts[b]) {
        for &item in equal {
            tenth_of[item] = place * TENTHS / known.len();
        }
        place += equal.len();
    }
    tenth_of
}

/// Means over the users of each group.
fn by_activity(measured: &Measured<'_>) -> Vec<Group> {
    let (data, audience, table) = (measured.data, measured.audience, measured.table);
    let all = &data.interactions;
    // Rows, not items: who has rated one item five times has given five ratings, and the item's popularity counts five.
    let mut known_rows = vec![0u32; all.n_users()];
    for &row in &data.known_rows {
        known_rows[all.user[row as usize] as usize] += 1;
    }
    let group_of = |user: u32| {
        let rows = known_rows[user as usize];
        ACTIVITY.iter().rposition(|(least, _)| rows >= *least).unwrap_or(0)
    };
    let (mut rows, mut looked_for, mut users_ranked) =
        ([0u64; ACTIVITY.len()], [0u64; ACTIVITY.len()], [0u64; ACTIVITY.len()]);
    for &row in &data.test_rows {
        let group = group_of(all.user[row as usize]);
        rows[group] += 1;
        looked_for[group] += u64::from(list_of(measured, row).is_some());
    }
    for &user in &audience.users {
        users_ranked[group_of(user)] += 1;
    }
    let mut groups = Vec::new();
    for (index, (_, name)) in ACTIVITY.iter().enumerate() {
        let places: Vec<usize> =
            (0..audience.test_users.len()).filter(|&at| group_of(audience.test_users[at]) == index).collect();
        let mut metrics = BTreeMap::new();
        for (metric, values) in &table.columns {
            let known: Vec<f64> = places.iter().filter_map(|&at| values[at]).collect();
            if !known.is_empty() {
                metrics.insert(metric.clone(), known.iter().sum::<f64>() / known.len() as f64);
            }
        }
        if !places.is_empty() {
            let ranked = RankedFor { users: users_ranked[index], rows: looked_for[index] };
            groups.push(Group {
                name: in_words(name, all.has_ratings),
                users: places.len() as u64,
                rows: rows[index],
                ranked: measured.ranking.map(|_| ranked),
                metrics,
            });
        }
    }
    groups
}

/// Errors and finds of the test rows of each group.
fn by_row(measured: &Measured<'_>, order: &[(usize, String)], group_of: &dyn Fn(u32) -> usize) -> Vec<Group> {
    order
        .iter()
        .filter_map(|(index, name)| {
            let data = measured.data;
            let places: Vec<usize> =
                (0..data.test_rows.len()).filter(|&place| group_of(data.test_rows[place]) == *index).collect();
            if places.is_empty() {
                return None;
            }
            let rows: Vec<u32> = places.iter().map(|&place| data.test_rows[place]).collect();
            let mut metrics = BTreeMap::new();
            if let Some(predictions) = measured.predictions {
                metrics.extend(errors(predictions, &places));
            }
            let mut ranked = None;
            if let Some((ranking, cutoffs)) = measured.ranking {
                let looked_for: Vec<u32> =
                    rows.iter().copied().filter(|&row| list_of(measured, row).is_some()).collect();
                for &k in cutoffs {
                    if let Some(found) = found_share(measured, ranking, k, &looked_for) {
                        metrics.insert(format!("{FOUND}@{k}"), found);
                    }
                }
                ranked = Some(RankedFor { users: users_of(data, &looked_for), rows: looked_for.len() as u64 });
            }
            let (users, rows) = (users_of(data, &rows), rows.len() as u64);
            Some(Group { name: name.clone(), users, rows, ranked, metrics })
        })
        .collect()
}

/// How many users these rows are of.
fn users_of(data: &Prepared, rows: &[u32]) -> u64 {
    let mut users: Vec<u32> = rows.iter().map(|&row| data.interactions.user[row as usize]).collect();
    users.sort_unstable();
    users.dedup();
    users.len() as u64
}

/// The list in which the item of a test row is looked for, by its place: that of a user who was ranked for, where the item
/// counts as found.
fn list_of(measured: &Measured<'_>, row: u32) -> Option<usize> {
    let all = &measured.data.interactions;
    let (user, item) = (all.user[row as usize], all.item[row as usize]);
    measured.audience.relevant.row(user as usize).0.binary_search(&item).ok()?;
    measured.audience.users.binary_search(&user).ok()
}

fn errors(predictions: &Predictions, places: &[usize]) -> Vec<(String, f64)> {
    let of = |values: &[f32]| places.iter().map(|&place| values[place]).collect::<Vec<f32>>();
    let (predicted, truth) = (of(&predictions.predicted), of(&predictions.truth));
    let named = |kind, value: Result<f64, MetricError>| Some((MetricName::plain(kind).to_string(), value.ok()?));
    let errors = [
        named(MetricKind::Rmse, rating::rmse(&predicted, &truth)),
        named(MetricKind::Mae, rating::mae(&predicted, &truth)),
    ];
    errors.into_iter().flatten().collect()
}

/// Share of these test rows, whose items are looked for, whose item is among the user's first `k`.
fn found_share(measured: &Measured<'_>, ranking: &Ranking, k: u32, rows: &[u32]) -> Option<f64> {
    let found = |&&row: &&u32| {
        let item = measured.data.interactions.item[row as usize];
        list_of(measured, row)
            .is_some_and(|list| ranking.list(list).iter().take(k as usize).any(|&other| other == item))
    };
    (!rows.is_empty()).then(|| rows.iter().filter(found).count() as f64 / rows.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_data_without_ratings_are_of_rows() {
        let named = |has_ratings| ACTIVITY.map(|(_, name)| in_words(name, has_ratings));
        assert_eq!(named(true), ACTIVITY.map(|(_, name)| name.to_owned()));
        assert_eq!(named(false), ["no rows", "1 to 4 rows", "5 to 19 rows", "20 to 99 rows", "100 rows or more"]);
    }

    #[test]
    fn tenths_keep_equal_items_together_and_leave_unknown_ones_apart() {
        let counts: Vec<u32> = (0..21).map(|item| if item == 20 { 0 } else { 100 - item }).collect();
        let tenth_of = tenths(&counts);
        assert_eq!(tenth_of[..4], [0, 0, 1, 1]);
        assert_eq!((tenth_of[19], tenth_of[20]), (9, TENTHS));
        assert_eq!(tenths(&[1; 30]), vec![0; 30]);
    }
}
