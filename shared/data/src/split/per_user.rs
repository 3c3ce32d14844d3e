//! Rules that hold out some rows of each user.

use rand::Rng;

use super::{Part, share};
use crate::csr::counting_sort;
use crate::interactions::Interactions;
use crate::random::draw_front;

/// Calls `rule` with each user's rows in the file's order.
fn for_each_user(data: &Interactions, mut rule: impl FnMut(&mut [u32])) {
    let rows: Vec<u32> = (0..data.len() as u32).collect();
    let (mut by_user, starts) = counting_sort(&rows, &data.user, data.n_users());
    for bounds in starts.windows(2) {
        rule(&mut by_user[bounds[0]..bounds[1]]);
    }
}

/// Of each user, shares of the rows; at least one row stays for training, and the test comes before validation.
pub(super) fn random(data: &Interactions, test: f64, validation: f64, rng: &mut impl Rng, parts: &mut [Part]) {
    for_each_user(data, |rows| {
        let spare = rows.len().saturating_sub(1);
        let test = share(rows.len(), test).min(spare);
        let validation = share(rows.len(), validation).min(spare - test);
        draw_front(rows, test + validation, rng);
        super::assign(parts, rows, test, validation);
    });
}

/// Of each user with enough rows, the newest; equal times by the file's order.
pub(super) fn leave_last_out(data: &Interactions, validation: bool, parts: &mut [Part]) {
    let held_out = 1 + usize::from(validation);
    for_each_user(data, |rows| {
        if rows.len() > held_out {
            data.sort_newest_first(rows);
            super::assign(parts, rows, 1, held_out - 1);
        }
    });
}

/// Of each user, the first `n` rows in the file's order.
pub(super) fn first_n(data: &Interactions, n: usize, parts: &mut [Part]) {
    for_each_user(data, |rows| super::assign(parts, rows, n.min(rows.len()), 0));
}
