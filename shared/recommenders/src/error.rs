//! Why a fit ends without a model.

use recspeed_types::catalogue::Need;

/// A fit that did not finish.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FitError {
    /// The observer asked the fit to stop.
    #[error("the fit was stopped after {done} of {total} {unit}")]
    Interrupted {
        /// Units done.
        done: u64,
        /// Units in all.
        total: u64,
        /// What a unit is.
        unit: &'static str,
    },
    /// Another crate fits this kind.
    #[error("recommender.kind `{kind}` is not fitted here; recommenders of the neural family need a tensor engine")]
    NotHere {
        /// The kind.
        kind: &'static str,
    },
    /// The data set lacks what the method learns from.
    #[error("`{kind}` needs {}, which this data set does not have; {}", need.as_str(), remedy_for(*need))]
    Needs {
        /// The kind.
        kind: &'static str,
        /// What is missing.
        need: Need,
    },
    /// No attribute has this name.
    #[error("recommender.{param} names `{name}`, but the data set has no such {whose} attribute; it has {known}")]
    NoAttribute {
        /// The parameter that names it.
        param: &'static str,
        /// The name.
        name: String,
        /// `item` or `user`.
        whose: &'static str,
        /// The attributes that are there.
        known: String,
    },
    /// There is nothing to learn from.
    #[error("the training set has no rows; loosen the filters or hold out fewer rows")]
    NoRows,
    /// The model does not fit in memory.
    #[error("{what} needs {bytes} bytes of memory, which cannot be had; lower {remedy}")]
    OutOfMemory {
        /// What was to be stored.
        what: &'static str,
        /// Bytes that it needs.
        bytes: u64,
        /// The parameter or filter that makes it smaller.
        remedy: &'static str,
    },
    /// A rating cannot be used as a weight.
    #[error(
        "user `{user}` rated item `{item}` with {rating}, but weighting = \"rating\" needs ratings that are 0 or more; use weighting = \"binary\""
    )]
    NegativeWeight {
        /// Id of the user.
        user: String,
        /// Id of the item.
        item: String,
        /// The rating.
        rating: f32,
    },
    /// A rating is below 0, and the method has no such numbers.
    #[error(
        "user `{user}` rated item `{item}` with {rating}, but `{kind}` needs ratings that are 0 or more; shift the scale of the file"
    )]
    NegativeRating {
        /// The kind.
        kind: &'static str,
        /// Id of the user.
        user: String,
        /// Id of the item.
        item: String,
        /// The rating.
        rating: f32,
    },
    /// A learnt number stopped being finite.
    #[error(
        "{what} stopped being a finite number in iteration {iteration}; raise the regularization, or lower the learning rate or alpha"
    )]
    Diverged {
        /// What was computed.
        what: &'static str,
        /// The iteration, from 1.
        iteration: u64,
    },
    /// The state to resume from belongs to something else.
    #[error("the checkpoint does not continue this fit: {reason}; start again without it")]
    Checkpoint {
        /// What does not match.
        reason: String,
    },
}

fn remedy_for(need: Need) -> &'static str {
    match need {
        Need::ItemAttributes => "name a file of them as dataset.items, or take a data set that has them",
        Need::UserAttributes => "name a file of them as dataset.users, or take a data set that has them",
        Need::Timestamps => "take a data set whose rows say when they were given",
    }
}

/// A vector of `len` default values, or an error where the memory cannot be had.
pub(crate) fn reserve<T: Clone + Default>(
    len: Option<usize>,
    what: &'static str,
    remedy: &'static str,
) -> Result<Vec<T>, FitError> {
    let mut values = Vec::new();
    match len {
        Some(len) if values.try_reserve_exact(len).is_ok() => {
            values.resize(len, T::default());
            Ok(values)
        }
        _ => {
            let bytes = len.and_then(|len| len.checked_mul(size_of::<T>())).map_or(u64::MAX, |bytes| bytes as u64);
            Err(FitError::OutOfMemory { what, bytes, remedy })
        }
    }
}
