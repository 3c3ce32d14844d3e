//! One linear model over the items: a score is a weighted sum of what the user has.

mod ease;
mod products;
mod slim;

pub(crate) use ease::check_items;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[ease::METHOD, slim::METHOD];
