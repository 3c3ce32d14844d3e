//! Latent factors.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts};

pub(super) static ALS_IMPLICIT: Entry = Entry {
    kind: "als-implicit",
    title: "Implicit ALS",
    family: Family::Factorization,
    summary: "Gives each user and item a vector, so that products of vectors are near 1 for interactions and near 0 elsewhere, with more confidence where there was an interaction. Users and items are solved in turn, each by three steps of conjugate gradient.",
    headline: "Vectors of people and items learn what each person will want next",
    source: Citation {
        authors: "Hu, Koren, Volinsky, 2008; Takács, Pilászy, Tikk, 2011",
        title: "Collaborative Filtering for Implicit Feedback Datasets; Applications of the Conjugate Gradient Method for Implicit Feedback Collaborative Filtering",
        link: "https://doi.org/10.1109/ICDM.2008.22",
    },
    predicts: Predicts::Scores,
    needs: &[],
    random: true,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: "Length of each vector.",
            kind: ParamKind::Integer { min: 1, max: 1024, default: 64 },
        },
        Param {
            name: "iterations",
            title: "Iterations",
            help: "Times that users and items are both solved.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 15 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: "Weight of the squared length of the vectors.",
            kind: ParamKind::Float { min: 0.0, max: 1e6, default: 0.01 },
        },
        Param {
            name: "alpha",
            title: "Confidence α",
            help: "An interaction of weight r counts with confidence 1 + α·r.",
            kind: ParamKind::Float { min: 1e-6, max: 1e6, default: 1.0 },
        },
        Param {
            name: "weighting",
            title: "Weighting",
            help: "Whether an interaction's weight r is its stars or 1.",
            kind: ParamKind::Choice { options: &["binary", "rating"], default: "binary" },
        },
        Param {
            name: "solver",
            title: "Solver",
            help: "Conjugate gradient is faster, Cholesky is exact.",
            kind: ParamKind::Choice { options: &["conjugate-gradient", "cholesky"], default: "conjugate-gradient" },
        },
        Param {
            name: "cg_steps",
            title: "Conjugate-gradient steps",
            help: "Steps for each vector in each iteration.",
            kind: ParamKind::Integer { min: 1, max: 100, default: 3 },
        },
    ],
    losses: &[],
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Some("a vector solved for the basket, with the items' vectors as they are"),
    explains: Some("the user's own items, weighted by their part in the score"),
};
