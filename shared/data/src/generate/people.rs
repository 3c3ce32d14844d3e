//! Users: how much they rate, what, and when.

use rand::Rng;

use super::world::{Taste, World, dot};
use crate::csr::counting_sort;
use crate::random::{bell, below, draw_front, unit};

/// 1998-01-01, in days since 1970.
const FIRST_DAY: i64 = 10_227;

/// Days from 1998-01-01 to 2014-07-23, the newest day of the real file.
const DAYS: usize = 6_048;

const SECONDS_A_DAY: i64 = 86_400;

/// Most rows of one user, as in the real file about.
const MOST_ROWS: usize = 400;

/// Who met what on which day: grouped by user, each user's oldest first.
pub(super) struct Events {
    pub(super) user: Vec<u32>,
    pub(super) item: Vec<u32>,
    day: Vec<u32>,
    /// Taste of each user.
    pub(super) taste: Vec<Taste>,
}

impl Events {
    /// Row numbers by day, users mixed inside a day, a user's own order kept.
    pub(super) fn order_by_day(&self) -> Vec<u32> {
        let rows: Vec<u32> = (0..self.day.len() as u32).collect();
        counting_sort(&rows, &self.day, DAYS).0
    }

    /// Midnight of a row's day, seconds since 1970.
    pub(super) fn timestamp(&self, row: u32) -> i64 {
        (FIRST_DAY + i64::from(self.day[row as usize])) * SECONDS_A_DAY
    }
}

/// Lets the users choose clusters, stocks the world to match, then lets them choose items.
pub(super) fn events(world: &mut World, rows: usize, users: usize, items: usize, rng: &mut impl Rng) -> Events {
    let starts = starts(rows, users, items, rng);
    let (cluster, taste) = clusters(world, &starts, rng);
    let mut rows_of = vec![0; world.centre.len()];
    for &c in &cluster {
        rows_of[c as usize] += 1;
    }
    world.stock(&rows_of, items, rng);
    let item = choose_items(world, &starts, &cluster, &taste, items, rng);
    let mut user = Vec::with_capacity(rows);
    let mut day = Vec::with_capacity(rows);
    for (who, bounds) in starts.windows(2).enumerate() {
        user.resize(bounds[1], who as u32);
        // The latest of five draws: the number of users grows with the fourth power of time.
        let arrival = (0..5).map(|_| unit(rng)).fold(0.0, f64::max);
        let first = day.len();
        for place in bounds[0]..bounds[1] {
            let later = if place == bounds[0] { 0.0 } else { unit(rng) };
            let time = arrival + (1.0 - arrival) * later * later;
            day.push(((time * DAYS as f64) as u32).min(DAYS as u32 - 1));
        }
        day[first..].sort_unstable();
    }
    Events { user, item, day, taste }
}

/// Where each user's rows begin, `[users + 1]`: counts from a Yule-Simon distribution with the mean that the totals
/// ask for (P(n > k) / P(n ≥ k) = k / (k + ρ): a power-law tail from divisions alone), then made to add up.
fn starts(rows: usize, users: usize, items: usize, rng: &mut impl Rng) -> Vec<usize> {
    let most = MOST_ROWS.min(items / 4).min(rows / 40).max(2);
    let mean = rows as f64 / users as f64;
    let rho = mean / (mean - 1.0).max(1e-3);
    let mut at_least = vec![1.0];
    for k in 1..most {
        at_least.push(at_least[k - 1] * k as f64 / (k as f64 + rho));
    }
    let mut counts: Vec<usize> = (0..users)
        .map(|_| {
            let level = unit(rng);
            at_least.partition_point(|&share| share > level).max(1)
        })
        .collect();
    let mut total: usize = counts.iter().sum();
    while total != rows {
        let count = &mut counts[below(rng, users as u64) as usize];
        if total > rows && *count > 1 {
            *count -= 1;
            total -= 1;
        } else if total < rows && *count < most {
            *count += 1;
            total += 1;
        }
    }
    let mut starts = vec![0];
    let mut end = 0;
    for count in counts {
        end += count;
        starts.push(end);
    }
    starts
}

/// The cluster of every row and the taste of every user.
fn clusters(world: &World, starts: &[usize], rng: &mut impl Rng) -> (Vec<u32>, Vec<Taste>) {
    let mut cluster = Vec::with_capacity(starts[starts.len() - 1]);
    let mut taste = Vec::with_capacity(starts.len() - 1);
    for bounds in starts.windows(2) {
        let first = world.any_cluster(rng);
        let liked = [first, world.related_cluster(first, rng), world.any_cluster(rng)];
        let (a, b) = (&world.centre[liked[0] as usize], &world.centre[liked[1] as usize]);
        let own: Taste = std::array::from_fn(|at| 0.6 * a[at] + 0.3 * b[at] + 0.8 * bell(rng));
        taste.push(own);
        let mut now = first;
        for place in bounds[0]..bounds[1] {
            // Half of the time they stay with what they bought last.
            if place > bounds[0] && rng.next_u32() & 1 == 0 {
                cluster.push(now);
                continue;
            }
            now = match below(rng, 100) {
                0..50 => liked[0],
                50..75 => liked[1],
                75..90 => liked[2],
                _ => world.any_cluster(rng),
            };
            cluster.push(now);
        }
    }
    (cluster, taste)
}

/// The item of every row. Each item is met once by somebody who came to its cluster; the other rows are the better fit
/// of two items drawn by sales. Nobody meets an item twice.
fn choose_items(
    world: &World,
    starts: &[usize],
    cluster: &[u32],
    taste: &[Taste],
    items: usize,
    rng: &mut impl Rng,
) -> Vec<u32> {
    const OPEN: u32 = u32::MAX;
    let mut item = vec![OPEN; cluster.len()];
    let rows: Vec<u32> = (0..cluster.len() as u32).collect();
    let (mut by_cluster, bounds) = counting_sort(&rows, cluster, world.centre.len());
    for (c, bounds) in bounds.windows(2).enumerate() {
        let rows = &mut by_cluster[bounds[0]..bounds[1]];
        let (start, end) = (world.items_of[c], world.items_of[c + 1]);
        draw_front(rows, end - start, rng);
        for (&row, number) in rows.iter().zip(start..end) {
            item[row as usize] = number as u32;
        }
    }
    for (bounds, taste) in starts.windows(2).zip(taste) {
        for place in bounds[0]..bounds[1] {
            if item[place] != OPEN {
                continue;
            }
            let mut chosen = OPEN;
            for attempt in 0..64 {
                let candidate = if attempt < 32 {
                    let (a, b) = (world.sold_item(cluster[place], rng), world.sold_item(cluster[place], rng));
                    let fit = |item: u32| dot(taste, &world.item_taste[item as usize]);
                    if fit(a) >= fit(b) { a } else { b }
                } else {
                    below(rng, items as u64) as u32
                };
                if !item[bounds[0]..bounds[1]].contains(&candidate) {
                    chosen = candidate;
                    break;
                }
            }
            if chosen == OPEN {
                // A user's rows are at most a quarter of the items, so a free one exists.
                let taken = &item[bounds[0]..bounds[1]];
                chosen = (0..items as u32).find(|candidate| !taken.contains(candidate)).unwrap_or(0);
            }
            item[place] = chosen;
        }
    }
    item
}
