//! Neighbourhood methods.

mod item_knn;

pub(crate) use item_knn::ItemKnn;
