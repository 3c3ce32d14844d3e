//! Why there is no ranking.

/// A ranking that did not finish.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RankError {
    /// The observer asked the ranking to stop.
    #[error("the ranking was stopped after {done} of {total} users")]
    Interrupted {
        /// Users done.
        done: u64,
        /// Users in all.
        total: u64,
    },
    /// A score is infinite or not a number.
    #[error("the score of the item with index {item} for the user with index {user} is not a finite number")]
    NotFinite {
        /// Index of the user.
        user: u32,
        /// Index of the item.
        item: u32,
    },
    /// A part of the request does not fit the model.
    #[error("{what} has length {given}, but the model has {expected}; give one for each")]
    Shape {
        /// The part.
        what: &'static str,
        /// Its length.
        given: usize,
        /// The length that the model needs.
        expected: usize,
    },
    /// A user that the model does not know.
    #[error(
        "user {user} is asked for, but the model knows users 0 to {last}; rank users of the data it was fitted with"
    )]
    UnknownUser {
        /// Index of the user.
        user: u32,
        /// The largest index that is known.
        last: usize,
    },
    /// The lists do not fit in memory.
    #[error("lists of {k} items for {users} users do not fit in memory; rank fewer users at once or lower k")]
    OutOfMemory {
        /// Users.
        users: usize,
        /// Places of each list.
        k: usize,
    },
}
