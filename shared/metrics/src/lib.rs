//! Rating, ranking and beyond-accuracy metrics, one file a family.
