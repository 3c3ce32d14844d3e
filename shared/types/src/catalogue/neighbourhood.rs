//! Neighbourhood methods.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts, Seed};

pub(super) static USER_KNN: Entry = Entry {
    kind: "user-knn",
    title: "User neighbours",
    family: Family::Neighbourhood,
    summary: "Predicts a rating from what the people of most similar taste gave the item, weighted by how similar they are. Ratings are compared with each person's own level first, so that generous and strict people speak one language.",
    headline: "People of similar taste tell how many stars each person gives",
    source: Citation {
        authors: "Herlocker, Konstan, Borchers, Riedl, 1999",
        title: "An Algorithmic Framework for Performing Collaborative Filtering",
        link: "https://doi.org/10.1145/312624.312682",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[
        Param {
            name: "neighbours",
            title: "Neighbours",
            help: "Most similar people among those who rated the item.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 40 },
        },
        Param {
            name: "centring",
            title: "Centring",
            help: "What a rating is compared with: nothing, the person's mean, mean and spread, or the baseline of person and item.",
            kind: ParamKind::Choice { options: &["none", "mean", "z-score", "baseline"], default: "baseline" },
        },
        Param {
            name: "similarity",
            title: "Similarity",
            help: "Of two people over the items that both rated: mean squared difference, cosine or Pearson correlation.",
            kind: ParamKind::Choice { options: &["msd", "cosine", "pearson"], default: "msd" },
        },
        Param {
            name: "shrinkage",
            title: "Shrinkage",
            help: "Weakens similarities that rest on few common items: they are multiplied by n / (n + shrinkage).",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 0.0 },
        },
        Param {
            name: "min_support",
            title: "Common items",
            help: "Items that two people must both have rated to be compared at all.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 1 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "the mean of all ratings, with the item's deviation where the baseline is used",
    cold_items: "the person's own level",
    new_users: Ok("the people whose ratings are most like those in the basket"),
    explains: Some("the most similar people who rated the item"),
};

pub(super) static SLOPE_ONE: Entry = Entry {
    kind: "slope-one",
    title: "Slope One",
    family: Family::Neighbourhood,
    summary: "Predicts a rating from the user's mean and the mean difference between the item and each item that the user rated. There is nothing to tune, and a new rating counts at once.",
    headline: "Mean differences between items predict how many stars each person gives",
    source: Citation {
        authors: "Lemire, Maclachlan, 2005",
        title: "Slope One Predictors for Online Rating-Based Collaborative Filtering",
        link: "https://doi.org/10.1137/1.9781611972757.43",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[],
    losses: &[],
    training: None,
    cold_users: "the mean of all ratings",
    cold_items: "the mean of the person's own ratings",
    new_users: Ok("the mean of the basket and the differences from its items"),
    explains: Some("the user's own items, by how far each moves the rating from the mean of all"),
};

pub(super) static ITEM_KNN: Entry = Entry {
    kind: "item-knn",
    title: "Item neighbours",
    family: Family::Neighbourhood,
    summary: "Scores an item by how similar it is to the items that the user has rated. Each candidate item looks at its own nearest neighbours only.",
    headline: "Items that the same people rated tell what each person will want next",
    source: Citation {
        authors: "Deshpande, Karypis, 2004",
        title: "Item-Based Top-N Recommendation Algorithms",
        link: "https://doi.org/10.1145/963770.963776",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[
        Param {
            name: "neighbours",
            title: "Neighbours",
            help: "Most similar items that each candidate item keeps.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 50 },
        },
        Param {
            name: "similarity",
            title: "Similarity",
            help: "Of two items: cosine over all users; adjusted cosine or Pearson correlation over the users who rated both, which need shrinkage; Jaccard; or TF-IDF and BM25, where people with few items count more.",
            kind: ParamKind::Choice {
                options: &["cosine", "adjusted-cosine", "pearson", "jaccard", "tf-idf", "bm25"],
                default: "cosine",
            },
        },
        Param {
            name: "weighting",
            title: "Weighting",
            help: "Whether a rating counts by its stars or only as an interaction.",
            kind: ParamKind::Choice { options: &["rating", "binary"], default: "rating" },
        },
        Param {
            name: "shrinkage",
            title: "Shrinkage",
            help: "Weakens similarities that rest on few common users: added to the denominator of cosine, Jaccard and TF-IDF; the others are multiplied by n / (n + shrinkage).",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 0.0 },
        },
        Param {
            name: "bm25_k1",
            title: "BM25 k₁",
            help: "How soon more stars stop counting more, for BM25 only: 0 at once, large numbers late.",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 1.2 },
        },
        Param {
            name: "bm25_b",
            title: "BM25 b",
            help: "How far popular items are held back, for BM25 only: 0 not at all, 1 in full.",
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.75 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Ok("the neighbours of the items in the basket"),
    explains: Some("the user's own items that are most similar"),
};
