//! The variational autoencoder: people with all that they have, and scores of all items.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, linear, number};
use crate::whole::{Asked, Step};

pub(super) const NETWORK: Network = Network { kind: "autoencoder", width: "recommender.hidden", learnt, step, ranked };

/// Blocks of scores at once: what people have, the scores, those that count, shares, the loss of each, and slopes.
const OF_ALL_ITEMS: u64 = 8;

fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let [hidden, latent] = ["hidden", "latent"].map(|name| number(recommender, name));
    let dense = hidden + 2 * linear(hidden, latent) + linear(latent, hidden) + linear(hidden, data.items);
    Learnt { dense, tables: vec![(data.items, hidden)] }
}

fn step(asked: &Asked<'_>) -> Step {
    let (people, items, hidden) = (asked.batch(), asked.data.items, asked.of("hidden"));
    let kept = people * (4 * hidden + 6 * asked.of("latent"));
    let own = asked.lessons.rows.map_or(items, |rows| rows.min(items));
    Step::of_numbers(Asked::gathered(people) * hidden + own * hidden, (kept, kept), OF_ALL_ITEMS * people * items)
}

/// Of all items the tile's scores, as products, with their biases and as they are handed on.
fn ranked(recommender: &ResolvedRecommender, _: &Extent) -> Ranked {
    Ranked::of_all_items(4, 4 * number(recommender, "hidden") + 2 * number(recommender, "latent"))
}
