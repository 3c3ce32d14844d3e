//! How many numbers each network learns: counted of its parameters and the size of its data, before anything is made.
//!
//! As the networks' own layouts have them: those of layers by `spec.rs`, the others by `networks`. A test of `neural` holds each
//! kind of the catalogue to it.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use crate::networks::network;
use crate::{Assumed, layers_of, tables_of};

/// Fields of every pair: the user and the item.
const IDS: u64 = 2;

/// The numbers that a network learns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Learnt {
    /// Those that every step moves.
    pub dense: u64,
    /// Rows and width of each table, of which a step moves the rows that it looks up.
    pub tables: Vec<(u64, u64)>,
}

impl Learnt {
    /// Numbers of all tables.
    pub fn of_tables(&self) -> u64 {
        self.tables.iter().map(|(rows, width)| rows * width).sum()
    }

    /// All of them.
    pub fn parameters(&self) -> u64 {
        self.dense + self.of_tables()
    }
}

/// Weights and biases of a fully connected layer.
pub(crate) const fn linear(inputs: u64, outputs: u64) -> u64 {
    inputs * outputs + outputs
}

/// Fully connected layers from each width to the next.
pub(crate) fn chain(widths: &[u64]) -> u64 {
    widths.windows(2).map(|pair| linear(pair[0], pair[1])).sum()
}

/// A parameter that is a whole number.
pub(crate) fn number(recommender: &ResolvedRecommender, name: &str) -> u64 {
    recommender.integer(name).max(0) as u64
}

/// A parameter that is a list of widths.
pub(crate) fn widths(recommender: &ResolvedRecommender, name: &str) -> Vec<u64> {
    recommender.integers(name).iter().map(|&width| width.max(0) as u64).collect()
}

/// Fields of a pair that have vectors: the two ids and the attributes of words.
pub(crate) const fn fields(data: &Extent) -> u64 {
    IDS + data.words.len() as u64
}

/// What a network of the catalogue learns of data of this size; `None` for recommenders that are no network.
///
/// Exact, as long as the last word of the last attribute belongs to somebody in the data: rows of words that nobody has and that
/// no other one follows are not made.
pub fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Option<Learnt> {
    if let Some(network) = network(recommender.entry.kind) {
        return Some((network.learnt)(recommender, data));
    }
    let layers = layers_of(recommender, &Assumed::threads(1.0).on(Some(data.clone())))?;
    let tables = tables_of(recommender, data);
    Some(Learnt {
        dense: layers.iter().map(|layer| layer.parameters).sum(),
        tables: tables.iter().map(|table| (table.rows as u64, table.width as u64)).collect(),
    })
}

/// Whether this is a network that one device trains whole, because it is no row of layers that ranks could divide.
pub fn is_whole(kind: &str) -> bool {
    network(kind).is_some()
}
