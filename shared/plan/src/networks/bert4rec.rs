//! BERT4Rec: attention to both sides, and items that are hidden.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, linear, number};
use crate::whole::{Asked, Step};

pub(super) const NETWORK: Network = Network { kind: "bert4rec", width: "recommender.factors", learnt, step, ranked };

/// Half as many hidden items again as there are on average, and some, are more than a batch has.
const HIDDEN: f64 = 1.5;
const SOME: u64 = 64;
/// Numbers of a slot of attention in its widest layer, and shares of attention, that a pass has at once where nothing is kept for
/// the way back.
const OF_A_SLOT: u64 = 16;
const SHARES: u64 = 3;

/// Of a row of the table.
fn width(recommender: &ResolvedRecommender) -> u64 {
    number(recommender, "factors") + u64::from(recommender.boolean("item_bias"))
}

fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let [d, blocks, length] = ["factors", "blocks", "length"].map(|name| number(recommender, name));
    let norm = 2 * d;
    let block = 4 * linear(d, d) + linear(d, 4 * d) + linear(4 * d, d) + 2 * norm;
    let dense = length * d + norm + blocks * block + linear(d, d) + norm;
    // A row more stands for an item that is hidden.
    Learnt { dense, tables: vec![(data.items + 1, width(recommender))] }
}

/// Sequences that share rows of slots: of two rows that follow each other one at most is less than half full.
fn step(asked: &Asked<'_>) -> Step {
    let [d, blocks, heads, length] = ["factors", "blocks", "heads", "length"].map(|name| asked.of(name));
    let places = asked.places();
    let slots = (2 * places + length).min(asked.batch() * length);
    let width = width(asked.recommender);
    let share = HIDDEN * asked.recommender.float("hidden");
    let questions = ((share * places as f64).ceil() as u64 + asked.batch() + SOME).min(places);
    asked.sequences(slots * (6 * d + blocks * (28 * d + 4 * heads * length)), slots * width, (questions, width))
}

fn ranked(recommender: &ResolvedRecommender, _: &Extent) -> Ranked {
    let [d, heads, length] = ["factors", "heads", "length"].map(|name| number(recommender, name));
    Ranked::of_sequences(width(recommender), OF_A_SLOT * d + SHARES * heads * length, length)
}
