//! The training rows in the order of their users, and in that of their items.

use crate::TrainSet;

/// Training rows, those of an entity side by side.
pub(super) struct Order {
    /// Where the rows of each entity begin, `[entities + 1]`.
    pub(super) starts: Vec<usize>,
    /// The other entity of each row.
    pub(super) partner: Vec<u32>,
    /// Where the row stands in the other order.
    pub(super) from: Vec<u32>,
}

/// Both orders of the rows, each row counted once, and the ratings in the order of the users.
pub(super) struct Rows {
    pub(super) by_user: Order,
    pub(super) by_item: Order,
    pub(super) ratings: Vec<f32>,
}

impl Rows {
    pub(super) fn of(data: &TrainSet<'_>) -> Self {
        let (user, item) = (&data.interactions.user, &data.interactions.item);
        let user_of = |row: u32| user[row as usize];
        let item_of = |row: u32| item[row as usize];
        let (mut users_first, user_starts) = sorted(data.rows, user_of, data.n_users());
        // Sorted from the order of the users, so that the users of an item ascend: neighbours in memory come in turn.
        let (mut items_first, item_starts) = sorted(&users_first, item_of, data.n_items());
        let mut place = vec![0u32; data.interactions.len()];
        let mut other = |order: &[u32], wanted: &[u32]| -> Vec<u32> {
            order.iter().zip(0..).for_each(|(&row, at)| place[row as usize] = at);
            wanted.iter().map(|&row| place[row as usize]).collect()
        };
        let (from_users, from_items) = (other(&users_first, &items_first), other(&items_first, &users_first));
        drop(place);
        let ratings = users_first.iter().map(|&row| data.interactions.rating[row as usize]).collect();
        // The rows themselves are needed no more: who else is in each of them takes their place.
        for row in &mut items_first {
            *row = user_of(*row);
        }
        for row in &mut users_first {
            *row = item_of(*row);
        }
        let by_item = Order { from: from_users, partner: items_first, starts: item_starts };
        let by_user = Order { from: from_items, partner: users_first, starts: user_starts };
        Self { by_user, by_item, ratings }
    }
}

/// A stable counting sort: the rows by key, and where each key's rows begin.
fn sorted(rows: &[u32], key: impl Fn(u32) -> u32, n_keys: usize) -> (Vec<u32>, Vec<usize>) {
    let mut starts = vec![0; n_keys + 1];
    for &row in rows {
        starts[key(row) as usize + 1] += 1;
    }
    for at in 0..n_keys {
        starts[at + 1] += starts[at];
    }
    let mut next = starts.clone();
    let mut order = vec![0; rows.len()];
    for &row in rows {
        let at = &mut next[key(row) as usize];
        order[*at] = row;
        *at += 1;
    }
    (order, starts)
}

impl Order {
    /// Entities in pieces of about this many rows, whatever the number of threads: the last entity of each piece, plus one.
    pub(super) fn pieces(&self, rows: usize) -> Vec<usize> {
        let n = self.starts.len() - 1;
        let mut ends = Vec::new();
        let mut start = 0;
        for entity in 1..=n {
            let weight = self.starts[entity] - self.starts[start] + (entity - start);
            if weight >= rows || entity == n {
                ends.push(entity);
                start = entity;
            }
        }
        ends
    }
}
