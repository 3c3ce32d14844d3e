//! GRU4Rec: recurrent states along a history.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, linear, number};
use crate::whole::{Asked, Encoded, Step};

pub(super) const NETWORK: Network = Network { kind: "gru4rec", width: "recommender.factors", learnt, step, ranked };

/// Numbers of a state that a pass has at once where nothing is kept for the way back, and where it is.
const OF_A_STATE: u64 = 10;
const OF_A_KEPT_STATE: u64 = 20;
/// Slopes that stand beside these on the way back: of the gates, as each moment has them and of all moments together.
const SLOPES: u64 = 8;

fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let [d, hidden, layers] = ["factors", "hidden", "layers"].map(|name| number(recommender, name));
    let cell = |inputs: u64| linear(inputs, 3 * hidden) + linear(hidden, 3 * hidden);
    let cells: u64 = (0..layers).map(|layer| cell(if layer == 0 { d } else { hidden })).sum();
    Learnt { dense: cells + linear(hidden, d), tables: vec![(data.items, d)] }
}

fn step(asked: &Asked<'_>) -> Step {
    let (places, d) = (asked.places(), asked.of("factors"));
    let kept = 3 * d + asked.of("layers") * OF_A_KEPT_STATE * asked.of("hidden");
    asked.sequences(&Encoded {
        kept: places * kept,
        slopes: places * SLOPES * asked.of("hidden"),
        read: places * d,
        questions: (places, d),
        // The gates of all moments.
        largest: (places * 3 * asked.of("hidden"), asked.of("layers")),
    })
}

fn ranked(recommender: &ResolvedRecommender, _: &Extent) -> Ranked {
    let [d, hidden, length] = ["factors", "hidden", "length"].map(|name| number(recommender, name));
    Ranked::of_sequences(d, 2 * d + OF_A_STATE * hidden, (0, 0), length)
}
