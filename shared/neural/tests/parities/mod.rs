//! Rows that a network can learn: who has which half of the items follows from the user.

use recspeed_data::{Interactions, InteractionsBuilder};

/// Sixteen people with seven items each: those of their own parity but one.
pub(crate) fn ratings() -> Interactions {
    let mut builder = InteractionsBuilder::default();
    for user in 0..16_i64 {
        for item in (0..16_i64).filter(|item| item % 2 == user % 2 && *item != user) {
            let rating = if item < 8 { 5.0 } else { 2.0 };
            builder.push(&format!("u{user}"), &format!("i{item}"), rating, 16 * user + item);
        }
    }
    builder.finish()
}
