//! Wide and deep, and DeepFM: vectors of the fields of a pair, through a tower.

use recspeed_types::Extent;
use recspeed_types::spec::ResolvedRecommender;

use super::Network;
use crate::evaluation::Ranked;
use crate::learnt::{Learnt, chain, fields, number, widths};
use crate::whole::{Asked, Step};

const WIDTH: &str = "recommender.embedding";

pub(super) const DEEPFM: Network = Network { kind: "deepfm", width: WIDTH, learnt, step: step_of_deepfm, ranked };
pub(super) const WIDE_AND_DEEP: Network =
    Network { kind: "wide-and-deep", width: WIDTH, learnt: learnt_with_crosses, step: step_of_wide_and_deep, ranked };

fn learnt(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let width = number(recommender, "embedding");
    let features = data.users + data.items + data.words.iter().sum::<u64>();
    let inputs = fields(data) * width + data.numbers;
    let tower: Vec<u64> =
        std::iter::once(inputs).chain(widths(recommender, "hidden")).chain(std::iter::once(1)).collect();
    Learnt { dense: chain(&tower), tables: vec![(features, width), (features, 1)] }
}

fn learnt_with_crosses(recommender: &ResolvedRecommender, data: &Extent) -> Learnt {
    let Learnt { dense, mut tables } = learnt(recommender, data);
    tables.push((number(recommender, "crosses"), 1));
    Learnt { dense, tables }
}

fn step_of_deepfm(asked: &Asked<'_>) -> Step {
    let width = asked.of("embedding");
    let beside = fields(asked.data) * width;
    asked.pairs(4 * beside + 2 * asked.data.numbers + asked.tower() + 3 * width + 4, beside + 1)
}

fn step_of_wide_and_deep(asked: &Asked<'_>) -> Step {
    let beside = fields(asked.data) * asked.of("embedding");
    asked.pairs(2 * (beside + asked.data.numbers) + asked.tower() + 4, beside + 2)
}

fn ranked(recommender: &ResolvedRecommender, data: &Extent) -> Ranked {
    Ranked::of_pairs(recommender, fields(data) * number(recommender, "embedding") + data.numbers + 1)
}
