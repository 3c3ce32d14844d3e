//! What a run measured of each user: what two methods are compared by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The value of each user of every metric that is a mean over users.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UserValues {
    /// Ids of the users with test rows, in the order of the data.
    pub users: Vec<String>,
    /// By metric name, one value for each of `users`; `None` where the user was not evaluated or has no value.
    pub columns: BTreeMap<String, Vec<Option<f64>>>,
}
