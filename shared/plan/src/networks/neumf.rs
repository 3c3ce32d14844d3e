//! NeuMF: two pairs of vectors, of which one goes through a tower.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, chain, linear, number, widths};
use crate::whole::{Asked, Step};

pub(super) const NETWORK: Network = Network { kind: "neumf", width: "recommender.embedding", learnt, step, ranked };

fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let [factors, width] = ["factors", "embedding"].map(|name| number(recommender, name));
    let hidden = widths(recommender, "hidden");
    let first = hidden.first().copied().unwrap_or(0);
    let deepest = hidden.last().copied().unwrap_or(0);
    let dense = 2 * width * first + first + chain(&hidden) + factors + linear(deepest, 1);
    let of_each = |rows: u64| [(rows, factors), (rows, width)];
    Learnt { dense, tables: [of_each(data.users), of_each(data.items)].concat() }
}

fn step(asked: &Asked<'_>) -> Step {
    let vectors = asked.of("factors") + asked.of("embedding");
    // The products of the vectors; these themselves are the rows that were looked up.
    asked.pairs(asked.of("factors") + asked.tower() + 1, 2 * vectors)
}

fn ranked(recommender: &ResolvedRecommender, _: &Extent) -> Ranked {
    Ranked::of_pairs(recommender, number(recommender, "factors") + number(recommender, "embedding"))
}
