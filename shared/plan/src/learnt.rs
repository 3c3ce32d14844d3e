//! How many numbers each network learns: counted of its parameters and the size of its data, before anything is made.
//!
//! As the networks' own layouts have them (`neural/network`, `neural/sequence`); a test there holds each kind of the
//! catalogue to it.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

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
const fn linear(inputs: u64, outputs: u64) -> u64 {
    inputs * outputs + outputs
}

/// Fully connected layers from each width to the next.
fn chain(widths: &[u64]) -> u64 {
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
    let of = |name: &str| number(recommender, name);
    Some(match recommender.entry.kind {
        "neumf" => {
            let (factors, width, hidden) = (of("factors"), of("embedding"), widths(recommender, "hidden"));
            let first = hidden.first().copied().unwrap_or(0);
            let deepest = hidden.last().copied().unwrap_or(0);
            let dense = 2 * width * first + first + chain(&hidden) + factors + linear(deepest, 1);
            let of_each = |rows: u64| [(rows, factors), (rows, width)];
            Learnt { dense, tables: [of_each(data.users), of_each(data.items)].concat() }
        }
        kind @ ("deepfm" | "wide-and-deep") => {
            let width = of("embedding");
            let features = data.users + data.items + data.words.iter().sum::<u64>();
            let inputs = fields(data) * width + data.numbers;
            let tower: Vec<u64> =
                std::iter::once(inputs).chain(widths(recommender, "hidden")).chain(std::iter::once(1)).collect();
            let mut tables = vec![(features, width), (features, 1)];
            if kind == "wide-and-deep" {
                tables.push((of("crosses"), 1));
            }
            Learnt { dense: chain(&tower), tables }
        }
        "autoencoder" => {
            let (hidden, latent) = (of("hidden"), of("latent"));
            let dense = hidden + 2 * linear(hidden, latent) + linear(latent, hidden) + linear(hidden, data.items);
            Learnt { dense, tables: vec![(data.items, hidden)] }
        }
        "gru4rec" => {
            let (d, hidden, layers) = (of("factors"), of("hidden"), of("layers"));
            let cell = |inputs: u64| linear(inputs, 3 * hidden) + linear(hidden, 3 * hidden);
            let cells: u64 = (0..layers).map(|layer| cell(if layer == 0 { d } else { hidden })).sum();
            Learnt { dense: cells + linear(hidden, d), tables: vec![(data.items, d)] }
        }
        "caser" => {
            let [d, window, horizontal, vertical] = ["factors", "window", "horizontal", "vertical"].map(of);
            let filters: u64 = (1..=window).map(|height| linear(height * d, horizontal)).sum();
            let together = linear(window * horizontal + vertical * d, d);
            let tables = vec![(data.items, d), (data.users, d), (data.items, 2 * d + 1)];
            Learnt { dense: filters + linear(window, vertical) + together, tables }
        }
        "bert4rec" => {
            let [d, blocks, length] = ["factors", "blocks", "length"].map(of);
            let norm = 2 * d;
            let block = 4 * linear(d, d) + linear(d, 4 * d) + linear(4 * d, d) + 2 * norm;
            let dense = length * d + norm + blocks * block + linear(d, d) + norm;
            let bias = u64::from(recommender.boolean("item_bias"));
            // A row more stands for an item that is hidden.
            Learnt { dense, tables: vec![(data.items + 1, d + bias)] }
        }
        _ => {
            let layers = layers_of(recommender, &Assumed::threads(1.0).on(Some(data.clone())))?;
            let tables = tables_of(recommender, data);
            Learnt {
                dense: layers.iter().map(|layer| layer.parameters).sum(),
                tables: tables.iter().map(|table| (table.rows as u64, table.width as u64)).collect(),
            }
        }
    })
}

/// Whether this is a network that one device trains whole, because it is no row of layers that ranks could divide.
pub fn is_whole(kind: &str) -> bool {
    matches!(kind, "neumf" | "deepfm" | "wide-and-deep" | "autoencoder" | "gru4rec" | "caser" | "bert4rec")
}
