//! Neighbourhood methods.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts};

pub(super) static ITEM_KNN: Entry = Entry {
    kind: "item-knn",
    title: "Item neighbours",
    family: Family::Neighbourhood,
    summary: "Scores an item by its cosine similarity to the items that the user has rated. Each candidate item looks at its own nearest neighbours only.",
    headline: "Items that the same people rated tell what each person will want next",
    source: Citation {
        authors: "Deshpande, Karypis, 2004",
        title: "Item-Based Top-N Recommendation Algorithms",
        link: "https://doi.org/10.1145/963770.963776",
    },
    predicts: Predicts::Scores,
    needs: &[],
    random: false,
    params: &[
        Param {
            name: "neighbours",
            title: "Neighbours",
            help: "Most similar items that each candidate item keeps.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 50 },
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
            help: "Added to the denominator of the cosine: weakens similarities that rest on few common users.",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 0.0 },
        },
    ],
    losses: &[],
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Some("the neighbours of the items in the basket"),
    explains: Some("the user's own items that are most similar"),
};
