//! Baselines: what every other method must beat.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts, Seed};
use crate::beside::{GLOBAL_MEAN as MEAN, GLOBAL_MEAN_TITLE};

const KOREN_2010: Citation = Citation {
    authors: "Koren, 2010",
    title: "Factor in the Neighbors: Scalable and Accurate Collaborative Filtering",
    link: "https://doi.org/10.1145/1644873.1644874",
};

const CREMONESI_2010: Citation = Citation {
    authors: "Cremonesi, Koren, Turrin, 2010",
    title: "Performance of Recommender Algorithms on Top-N Recommendation Tasks",
    link: "https://doi.org/10.1145/1864708.1864721",
};

pub(super) static RANDOM: Entry = Entry {
    kind: "random",
    title: "Random",
    family: Family::Baseline,
    summary: "Ranks items in an order drawn from the seed, a different one for each user. It shows what a metric says when nothing was learnt.",
    headline: "Chance ranks the items",
    source: CREMONESI_2010,
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[],
    losses: &[],
    training: None,
    cold_users: "the same as everybody",
    cold_items: "the same as every item",
    new_users: Ok("an order drawn from the seed and the items of the basket, the same each time"),
    explains: None,
};

pub(super) static GLOBAL_MEAN: Entry = Entry {
    kind: MEAN,
    title: GLOBAL_MEAN_TITLE,
    family: Family::Baseline,
    summary: "Predicts the mean of all training ratings for everybody and everything. Its error is the spread of the ratings themselves.",
    headline: "The mean of all ratings predicts how many stars each person gives",
    source: KOREN_2010,
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: false,
    params: &[],
    losses: &[],
    training: None,
    cold_users: "the global mean",
    cold_items: "the global mean",
    new_users: Ok("the global mean"),
    explains: None,
};

pub(super) static USER_MEAN: Entry = Entry {
    kind: "user-mean",
    title: "User mean",
    family: Family::Baseline,
    summary: "Predicts the mean of the user's own training ratings. It knows who is generous and nothing about the items.",
    headline: "Each person's own mean predicts how many stars they give",
    source: KOREN_2010,
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: false,
    params: &[],
    losses: &[],
    training: None,
    cold_users: "the global mean",
    cold_items: "the user's mean",
    new_users: Ok("the mean of the basket"),
    explains: None,
};

pub(super) static ITEM_MEAN: Entry = Entry {
    kind: "item-mean",
    title: "Item mean",
    family: Family::Baseline,
    summary: "Predicts the mean of the item's training ratings. It knows what is liked and nothing about the user.",
    headline: "Each item's mean predicts how many stars it gets",
    source: KOREN_2010,
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: false,
    params: &[],
    losses: &[],
    training: None,
    cold_users: "the item's mean",
    cold_items: "the global mean",
    new_users: Ok("the items' means, as everybody"),
    explains: None,
};

pub(super) static BIAS: Entry = Entry {
    kind: "bias",
    title: "User and item bias",
    family: Family::Baseline,
    summary: "Predicts the global mean plus a learnt deviation of the user and one of the item, fitted by alternating least squares. Many published gains over it are smaller than the gain from it.",
    headline: "Generous people and well-liked items predict how many stars each person gives",
    source: KOREN_2010,
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: false,
    params: &[
        Param {
            name: "iterations",
            title: "Iterations",
            help: "Alternations between the users' and the items' deviations.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 10 },
        },
        Param {
            name: "regularization_user",
            title: "Regularization, users",
            help: "Number of imaginary ratings at the mean that each user starts with.",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 15.0 },
        },
        Param {
            name: "regularization_item",
            title: "Regularization, items",
            help: "Number of imaginary ratings at the mean that each item starts with.",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 10.0 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "the item's deviation only",
    cold_items: "the user's deviation only",
    new_users: Ok("a deviation fitted to the basket, with the items' deviations as they are"),
    explains: None,
};

pub(super) static POPULARITY: Entry = Entry {
    kind: "popularity",
    title: "Popularity",
    family: Family::Baseline,
    summary: "Ranks items by their number of training interactions. The list is the same for everybody, less what the user has already.",
    headline: "What many people want goes to the top of everybody's list",
    source: CREMONESI_2010,
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: false,
    params: &[],
    losses: &[],
    training: None,
    cold_users: "the same list as everybody",
    cold_items: "the last places",
    new_users: Ok("the same list as everybody, less the basket"),
    explains: Some("the number of interactions of the item"),
};
