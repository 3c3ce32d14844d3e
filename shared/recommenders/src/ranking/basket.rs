//! The list of one person who is in no training row.

use recspeed_data::Csr;
use recspeed_types::Unobserved;

use super::{RankError, RankRequest, Ranking, by_scores};
use crate::recommender::{BasketItem, FoldIn};

/// Ranks for a basket by the same rules as for users; the request's users are not looked at, its `exclude` has one row.
///
/// # Errors
/// [`RankError`]: the request does not fit the model, or a score is not finite.
///
/// # Panics
/// When an item of the basket is not below `n_items`.
pub fn for_basket(
    n_items: usize,
    fold_in: &dyn FoldIn,
    basket: &[BasketItem],
    request: &RankRequest<'_>,
) -> Result<Ranking, RankError> {
    let mut scores = vec![0.0f32; n_items];
    fold_in.score_basket(basket, &mut scores);
    let one = RankRequest {
        users: &[0],
        exclude: request.exclude.filter(|exclude: &&Csr| exclude.n_rows() == 1),
        ..*request
    };
    by_scores(1, n_items, &|_, line| line.copy_from_slice(&scores), &one, &mut Unobserved)
}
