//! How evaluations and steps of networks are cut: what is worked on at once, by the code that does it (`neural`,
//! `experiment`) and in what is foretold of its memory. Why each is as large as it is stands where it is used.

/// Rows of one forward pass: pairs of a user and an item, rows that are described, and items of one part of a grid.
pub const PASS: usize = 1024;
/// Users whose scores of pairs are computed together.
pub const TILE_OF_PAIRS: usize = 16;
/// Users of a model of sequences, or people of the autoencoder, whose scores are multiplied together.
pub const TILE_OF_SEQUENCES: usize = 64;
/// Histories that a thread reads together.
pub const HISTORIES: usize = 256;
/// Parts of a cross-entropy over all items that may be worked on at once.
pub const LANES: usize = 4;
/// Scores of such a part, at most.
pub const LANE_SCORES: usize = 1 << 20;
/// Test rows that are predicted between two looks at the clock.
pub const PREDICTED: usize = 65_536;
/// Items that users may not get, held at once where lists are ranked among a few drawn ones.
pub const EXCLUDED: usize = 16 << 20;
/// Scores of a tile of users at most, unless one user has more. Tiles are cut by `recommenders/ranking/tiles.rs`, which
/// must not import this crate: `experiment`, which imports both, does not compile where the two differ.
pub const TILE_SCORES: usize = 4 << 20;
