//! Neighbourhood methods.

mod item_knn;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[item_knn::METHOD];
