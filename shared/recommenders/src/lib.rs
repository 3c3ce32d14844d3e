//! The Recommender trait and its families.
