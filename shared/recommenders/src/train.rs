//! What a recommender learns from.

use std::sync::Arc;

use recspeed_data::{Attributes, Csr, Interactions};
use recspeed_types::catalogue::Need;
use recspeed_types::spec::ResolvedRecommender;

use crate::FitError;
use crate::error::remedy_for;
use crate::needs::check_needs;

/// The training rows of some interactions, and their two sparse views.
///
/// Means and counts are over the rows, each counted once; the views hold one entry for each user and item, the last row
/// in the file's order where there are several.
#[derive(Debug, Clone)]
pub struct TrainSet<'a> {
    /// All interactions, with the dictionaries that number users and items.
    pub interactions: &'a Interactions,
    /// The rows to learn from.
    pub rows: &'a [u32],
    /// Users × items of those rows.
    pub by_user: Arc<Csr>,
    /// Items × users of those rows.
    pub by_item: Arc<Csr>,
    /// Attributes of the items, by id; some items may have none.
    pub item_attributes: Option<&'a Attributes>,
    /// Attributes of the users, by id; some users may have none.
    pub user_attributes: Option<&'a Attributes>,
    /// Rows that are not learnt from but may steer: what a hybrid learns its weights by. Often none.
    pub validation: &'a [u32],
    /// Rows that known users are answered from once the fit is over, by [`crate::Recommender::read`]: those learnt
    /// from, unless said otherwise. Nothing is learnt from the others; a method whose reading takes memory foresees it.
    pub known: &'a [u32],
    /// Whether attributes of the items were taken away on purpose, to see what they are worth: what learns from their
    /// words then learns from those that are left, even from none.
    pub attributes_taken: bool,
}

/// Sum and number of the ratings of one user or item.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) sum: f64,
    pub(crate) count: u32,
}

impl Tally {
    fn add(&mut self, rating: f32) {
        self.sum += f64::from(rating);
        self.count += 1;
    }

    pub(crate) fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl<'a> TrainSet<'a> {
    /// The training set of these rows.
    ///
    /// # Panics
    /// When a row number is not below the number of interactions.
    pub fn new(interactions: &'a Interactions, rows: &'a [u32]) -> Self {
        let by_user = Csr::by_user(interactions, rows);
        let by_item = by_user.transpose(interactions.n_items());
        let (by_user, by_item) = (Arc::new(by_user), Arc::new(by_item));
        let (item_attributes, user_attributes) = (None, None);
        Self {
            interactions,
            rows,
            by_user,
            by_item,
            item_attributes,
            user_attributes,
            validation: &[],
            known: rows,
            attributes_taken: false,
        }
    }

    /// With what is known of items and users besides the ratings.
    #[must_use]
    pub fn with_attributes(mut self, items: Option<&'a Attributes>, users: Option<&'a Attributes>) -> Self {
        self.item_attributes = items;
        self.user_attributes = users;
        self
    }

    /// With attributes of the items of which some were taken away on purpose, or none.
    #[must_use]
    pub fn with_attributes_taken(mut self, taken: bool) -> Self {
        self.attributes_taken = taken;
        self
    }

    /// With rows that steer.
    #[must_use]
    pub fn with_validation(mut self, rows: &'a [u32]) -> Self {
        self.validation = rows;
        self
    }

    /// With rows that will be read after the fit.
    #[must_use]
    pub fn with_known(mut self, rows: &'a [u32]) -> Self {
        self.known = rows;
        self
    }

    /// Whether the data has what the method and its components need.
    pub(crate) fn check_needs(&self, recommender: &ResolvedRecommender) -> Result<(), FitError> {
        let has = |need: Need| match need {
            Need::ItemAttributes => self.item_attributes.is_some(),
            Need::UserAttributes => self.user_attributes.is_some(),
            Need::Timestamps => self.interactions.has_timestamps,
            Need::Order => self.interactions.has_order(),
        };
        check_needs(recommender, &has, &remedy_for)
    }

    /// For methods whose weights are the ratings.
    pub(crate) fn refuse_negative_weights(&self) -> Result<(), FitError> {
        let columns = self.interactions;
        match self.rows.iter().map(|&row| row as usize).find(|&row| columns.rating[row] < 0.0) {
            Some(row) => Err(FitError::NegativeWeight {
                user: columns.users.get(columns.user[row]).to_owned(),
                item: columns.items.get(columns.item[row]).to_owned(),
                rating: columns.rating[row],
            }),
            None => Ok(()),
        }
    }

    /// Number of users, with those that have no training row.
    pub fn n_users(&self) -> usize {
        self.interactions.n_users()
    }

    /// Number of items, with those that have no training row.
    pub fn n_items(&self) -> usize {
        self.interactions.n_items()
    }

    /// Training rows of each item: its popularity. `[n_items]`
    pub fn item_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.n_items()];
        for &row in self.rows {
            counts[self.interactions.item[row as usize] as usize] += 1;
        }
        counts
    }

    /// Training rows of each user. `[n_users]`
    pub fn user_counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.n_users()];
        for &row in self.rows {
            counts[self.interactions.user[row as usize] as usize] += 1;
        }
        counts
    }

    /// Which items have a training row: the candidates of a full ranking. `[n_items]`
    pub fn candidates(&self) -> Vec<bool> {
        (0..self.n_items()).map(|item| !self.by_item.row(item).0.is_empty()).collect()
    }

    /// Mean of all training ratings; `None` without rows.
    pub fn global_mean(&self) -> Option<f64> {
        let mut all = Tally::default();
        for &row in self.rows {
            all.add(self.interactions.rating[row as usize]);
        }
        all.mean()
    }

    pub(crate) fn user_tallies(&self) -> Vec<Tally> {
        self.tallies(&self.interactions.user, self.n_users())
    }

    pub(crate) fn item_tallies(&self) -> Vec<Tally> {
        self.tallies(&self.interactions.item, self.n_items())
    }

    fn tallies(&self, index: &[u32], n: usize) -> Vec<Tally> {
        let mut tallies = vec![Tally::default(); n];
        for &row in self.rows {
            tallies[index[row as usize] as usize].add(self.interactions.rating[row as usize]);
        }
        tallies
    }
}
