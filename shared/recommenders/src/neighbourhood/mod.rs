//! Neighbourhood methods.

mod item_knn;
mod pairs;
mod slope_one;
mod user_knn;

use crate::fit::Method;

/// In the catalogue's order.
pub(crate) const METHODS: &[Method] = &[user_knn::METHOD, item_knn::METHOD, slope_one::METHOD];

/// Bytes that similarities or differences between pairs may take where nobody knows what is left. A browser tab addresses
/// 4 GiB in all.
const ALLOWED_BYTES: u64 = if cfg!(target_arch = "wasm32") { 1 << 30 } else { 8 << 30 };
/// Rows between two looks at the observer; a fixed number, so that the bits do not depend on the threads.
const GROUP_ROWS: usize = 64;
