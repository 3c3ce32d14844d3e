//! Pairs that cannot be compared.

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum SignificanceError {
    /// Two slices that belong together differ in length.
    #[error("{left} values of one method and {right} of the other; give both the same users")]
    Lengths {
        /// Values of the first method.
        left: usize,
        /// Values of the second.
        right: usize,
    },
    /// A spread needs two pairs.
    #[error("{pairs} pairs tell nothing about chance; compare on at least 2 users")]
    TooFew {
        /// Number of pairs.
        pairs: usize,
    },
    /// A value is infinite or not a number.
    #[error("the pair at place {place} ({left} and {right}) is not finite; leave out users without a value")]
    NotFinite {
        /// Index into the slices.
        place: usize,
        /// Value of the first method.
        left: f64,
        /// Value of the second.
        right: f64,
    },
    /// Two runs of different users, or of the same ones in another order.
    #[error("the values are of other users from place {place} on; compare runs that were measured on the same rows")]
    OtherUsers {
        /// Index into both lists of users.
        place: usize,
    },
    /// A confidence level that is no share.
    #[error("the confidence level is {level}; allowed: more than 0 and less than 1")]
    Level {
        /// What was asked for.
        level: f64,
    },
    /// Nothing is drawn.
    #[error("0 random draws give no distribution; draw at least 1")]
    NoDraws,
}
