//! How large a data set is, as far as the size of a network depends on it.

use crate::spec::{Dataset, Source};

/// What tables of embeddings have rows for, and what a network sees beside them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extent {
    /// Users.
    pub users: u64,
    /// Items.
    pub items: u64,
    /// Words of each attribute that is made of words: those of users, then those of items.
    pub words: Vec<u64>,
    /// Attributes that are numbers.
    pub numbers: u64,
}

impl Extent {
    /// So many users and items, of whom nothing else is known.
    pub const fn of_ids(users: u64, items: u64) -> Self {
        Self { users, items, words: Vec::new(), numbers: 0 }
    }

    /// What is known of a data set before it is read: how many users and items a built-in one has, as long as no filter takes any
    /// away.
    pub fn foretold(dataset: &Dataset) -> Option<Self> {
        match &dataset.source {
            Source::Builtin { entry } if dataset.filters.keeps_all() => {
                Some(Self::of_ids(entry.users.into(), entry.items.into()))
            }
            _ => None,
        }
    }
}
