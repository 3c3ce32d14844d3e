//! BERT4Rec: attention to both sides, and items that are hidden.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, linear, number};
use crate::whole::{Asked, Encoded, Step};

pub(super) const NETWORK: Network = Network { kind: "bert4rec", width: "recommender.factors", learnt, step, ranked };

/// Half as many hidden items again as there are on average, and some, are more than a batch has.
const HIDDEN: f64 = 1.5;
const SOME: u64 = 64;
/// Vectors of a slot that a block keeps for the way back, and shares of attention of a head.
const KEPT: u64 = 28;
const KEPT_SHARES: u64 = 4;
/// Vectors of a slot outside of the blocks.
const BESIDE: u64 = 6;
/// Slopes that stand beside all of that: of the inner layer, which is four times as wide, before and after it, and of shares.
const SLOPES: u64 = 8;
/// Vectors of a slot, and shares of attention of a head, that a pass has at once where nothing is kept for the way back.
const OF_A_SLOT: u64 = 10;
const SHARES: u64 = 2;

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

/// Sequences that share rows of slots, each as wide as the longest of them needs.
fn step(asked: &Asked<'_>) -> Step {
    let [d, blocks, heads] = ["factors", "blocks", "heads"].map(|name| asked.of(name));
    let (places, slots) = (asked.places(), asked.slots());
    // Every slot scores all of its row.
    let shares = slots * heads * asked.longest();
    let width = width(asked.recommender);
    let share = HIDDEN * asked.recommender.float("hidden");
    let questions = ((share * places as f64).ceil() as u64 + asked.batch() + SOME).min(places);
    asked.sequences(&Encoded {
        kept: slots * (BESIDE + blocks * KEPT) * d + blocks * KEPT_SHARES * shares,
        slopes: slots * SLOPES * d + shares,
        read: slots * width,
        questions: (questions, width),
        largest: (shares, blocks * KEPT_SHARES),
    })
}

fn ranked(recommender: &ResolvedRecommender, _: &Extent) -> Ranked {
    let [d, heads, length] = ["factors", "heads", "length"].map(|name| number(recommender, name));
    Ranked::of_sequences(width(recommender), OF_A_SLOT * d, (SHARES, heads), length)
}
