//! Interactions in columns: readers, ids, splits, synthetic data, reports.
