//! Linear models over the items.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts, Seed};

const WEIGHTING: Param = Param {
    name: "weighting",
    title: "Weighting",
    help: "Whether a rating counts by its stars or only as an interaction.",
    kind: ParamKind::Choice { options: &["rating", "binary"], default: "rating" },
};

pub(super) static EASE: Entry = Entry {
    kind: "ease",
    title: "EASE",
    family: Family::Linear,
    summary: "Learns for each item how much every other item speaks for it, all at once by one matrix inverse. It holds a dense matrix of items × items, so it is for data sets of up to about twenty thousand items.",
    headline: "Every item learns how much each other one speaks for it",
    source: Citation {
        authors: "Steck, 2019",
        title: "Embarrassingly Shallow Autoencoders for Sparse Data",
        link: "https://arxiv.org/abs/1905.03375",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[
        Param {
            name: "regularization",
            title: "Regularization λ",
            help: "Weight of the squared weights; larger for more ratings.",
            kind: ParamKind::Float { min: 1e-3, max: 1e9, default: 500.0 },
        },
        WEIGHTING,
    ],
    losses: &[],
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Ok("the weights of the items in the basket"),
    explains: Some("the user's own items, by their part in the score"),
};

pub(super) static SLIM: Entry = Entry {
    kind: "slim",
    title: "SLIM",
    family: Family::Linear,
    summary: "Learns for each item a few non-negative weights of the items most similar to it, so that their users are told from the others. The weights are sparse: most are exactly 0.",
    headline: "Every item learns which few others speak for it",
    source: Citation {
        authors: "Ning, Karypis, 2011",
        title: "SLIM: Sparse Linear Methods for Top-N Recommender Systems",
        link: "https://doi.org/10.1109/ICDM.2011.134",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[
        Param {
            name: "l1",
            title: "L1 penalty",
            help: "Weight of the sum of the weights: larger makes more of them 0, and all of an item whose product of ratings with each other one is no larger.",
            kind: ParamKind::Float { min: 0.0, max: 1e9, default: 0.5 },
        },
        Param {
            name: "l2",
            title: "L2 penalty",
            help: "Weight of the squared weights: larger makes them smaller and more even.",
            kind: ParamKind::Float { min: 0.0, max: 1e9, default: 100.0 },
        },
        Param {
            name: "neighbours",
            title: "Neighbours",
            help: "Most similar items that may have a weight; 0 for all.",
            kind: ParamKind::Integer { min: 0, max: 10_000, default: 100 },
        },
        WEIGHTING,
    ],
    losses: &[],
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Ok("the weights of the items in the basket"),
    explains: Some("the user's own items, by their part in the score"),
};
