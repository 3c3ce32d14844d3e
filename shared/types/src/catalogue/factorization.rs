//! Latent factors.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts, Seed};

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
    seed: Seed::Learning,
    reads_history: false,
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
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Ok("a vector solved for the basket, with the items' vectors as they are"),
    explains: Some("the user's own items, weighted by their part in the score"),
};

pub(super) static ALS_EXPLICIT: Entry = Entry {
    kind: "als-explicit",
    title: "Explicit ALS",
    family: Family::Factorization,
    summary: "Predicts a rating as the mean of all, a deviation of the user and one of the item, and the product of a vector of each, held back the more the more ratings there are. Users and items are solved in turn, each exactly.",
    headline: "Vectors of people and items, solved in turn, learn how many stars each person gives",
    source: Citation {
        authors: "Zhou, Wilkinson, Schreiber, Pan, 2008",
        title: "Large-Scale Parallel Collaborative Filtering for the Netflix Prize",
        link: "https://doi.org/10.1007/978-3-540-68880-8_32",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 20 },
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
            help: "Weight of the squared numbers of a user or item, for each of their ratings.",
            kind: ParamKind::Float { min: 1e-6, max: 1e3, default: 0.15 },
        },
        Param {
            name: "biases",
            title: "Deviations",
            help: "Whether users and items have deviations of their own; without them the vectors must tell those too, as in the paper.",
            kind: ParamKind::Boolean { default: true },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "the mean, and the item's deviation where there are deviations",
    cold_items: "the mean, and the user's deviation where there are deviations",
    new_users: Ok("a vector and a deviation solved for the basket, with the items as they are"),
    explains: Some(
        "the user's own items, by what the stars of each add to the mean and the item's deviation; and, for people of the training, what else was learnt of them",
    ),
};

const FACTORS: &str = "Length of each vector.";
const EPOCHS: &str = "Times that every rating is learnt from.";
const RATE: &str = "Length of each step: larger learns faster and may diverge.";
const PENALTY: &str = "Weight of the squared numbers: larger keeps them small.";
const INITIAL: &str = "Standard deviation of the numbers that the vectors start with.";

const INIT_DEVIATION: Param = Param {
    name: "init_deviation",
    title: "Initial spread",
    help: INITIAL,
    kind: ParamKind::Float { min: 0.0, max: 10.0, default: 0.1 },
};

const MODE: Param = Param {
    name: "mode",
    title: "Mode",
    // How to measure both: docs/compare.md.
    help: "Exact: the same seed gives the same bits on any number of threads. Fast: all threads learn at once on the same numbers, and no two runs are quite alike; that may take less time than exact or more, by machine and data, and `recspeed compare` with a member of each mode shows both times. On one thread, and on two or three over few items, up to some 4,000 of 64 factors as the 1,682 of MovieLens-100K, it learns as exact does.",
    kind: ParamKind::Choice { options: &["exact", "fast"], default: "exact" },
};

pub(super) static BIASED_MF: Entry = Entry {
    kind: "biased-mf",
    title: "Biased matrix factorization",
    family: Family::Factorization,
    summary: "Predicts a rating as the global mean, a deviation of the user, one of the item, and the product of a vector of each. All of them are learnt one rating at a time by stochastic gradient descent.",
    headline: "Vectors of people and items learn how many stars each person gives",
    source: Citation {
        authors: "Koren, Bell, Volinsky, 2009",
        title: "Matrix Factorization Techniques for Recommender Systems",
        link: "https://doi.org/10.1109/MC.2009.263",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 100 },
        },
        Param {
            name: "iterations",
            title: "Epochs",
            help: EPOCHS,
            kind: ParamKind::Integer { min: 1, max: 1000, default: 20 },
        },
        Param {
            name: "learning_rate",
            title: "Learning rate",
            help: RATE,
            kind: ParamKind::Float { min: 1e-6, max: 0.1, default: 0.005 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: PENALTY,
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.02 },
        },
        Param {
            name: "bias_regularization",
            title: "Regularization of biases",
            help: "How much of the regularization the deviations of users and items get.",
            kind: ParamKind::Float { min: 0.0, max: 10.0, default: 1.0 },
        },
        Param {
            name: "link",
            title: "Link",
            help: "Whether the sum is the rating, or goes through the logistic function onto the scale of the ratings.",
            kind: ParamKind::Choice { options: &["identity", "sigmoid"], default: "identity" },
        },
        INIT_DEVIATION,
    ],
    losses: &[],
    training: None,
    cold_users: "the mean and the item's deviation",
    cold_items: "the mean and the user's deviation",
    new_users: Ok("a vector and a deviation fitted to the basket, with the items as they are"),
    explains: None,
};

pub(super) static SVDPP: Entry = Entry {
    kind: "svd++",
    title: "SVD++",
    family: Family::Factorization,
    summary: "Adds to each user's vector a share of a second vector of every item that the user rated, whatever the stars. That somebody rated something at all says what they look for.",
    headline: "Vectors of people, and of all that they rated, learn how many stars each person gives",
    source: Citation {
        authors: "Koren, 2008",
        title: "Factorization Meets the Neighborhood: A Multifaceted Collaborative Filtering Model",
        link: "https://doi.org/10.1145/1401890.1401944",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 20 },
        },
        Param {
            name: "iterations",
            title: "Epochs",
            help: EPOCHS,
            kind: ParamKind::Integer { min: 1, max: 1000, default: 20 },
        },
        Param {
            name: "learning_rate",
            title: "Learning rate",
            help: RATE,
            kind: ParamKind::Float { min: 1e-6, max: 0.05, default: 0.007 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: PENALTY,
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.02 },
        },
        INIT_DEVIATION,
    ],
    losses: &[],
    training: None,
    cold_users: "the mean and the item's deviation",
    cold_items: "the mean and the user's deviation",
    new_users: Ok("the second vectors of the items in the basket, and a vector and a deviation fitted to its ratings"),
    explains: Some(
        "the user's own items, by what each adds to the mean and the item's deviation, with its stars and by being rated; and, for people of the training, what else was learnt of them",
    ),
};

pub(super) static NMF: Entry = Entry {
    kind: "nmf",
    title: "Non-negative factorization",
    family: Family::Factorization,
    summary: "Predicts a rating as the product of two vectors without negative numbers, so that each factor can only add. It is fitted to the known ratings by multiplicative updates.",
    headline: "Vectors that can only add learn how many stars each person gives",
    source: Citation {
        authors: "Luo, Zhou, Xia, Zhu, 2014",
        title: "An Efficient Non-Negative Matrix-Factorization-Based Approach to Collaborative Filtering for Recommender Systems",
        link: "https://doi.org/10.1109/TII.2014.2308433",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 15 },
        },
        Param {
            name: "iterations",
            title: "Iterations",
            help: "Times that both sides are updated.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 50 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: PENALTY,
            kind: ParamKind::Float { min: 0.0, max: 100.0, default: 0.06 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "the mean of all ratings",
    cold_items: "the mean of all ratings",
    new_users: Ok("factors fitted to the basket by the same updates, with the items' factors as they are"),
    explains: None,
};

pub(super) static BPR: Entry = Entry {
    kind: "bpr",
    title: "BPR",
    family: Family::Factorization,
    summary: "Learns vectors from pairs: an item that somebody has shall score higher than one drawn at random that they do not have. It optimises the order of the list instead of any number.",
    headline: "Vectors learn that what people have comes before what they do not",
    source: Citation {
        authors: "Rendle, Freudenthaler, Gantner, Schmidt-Thieme, 2009",
        title: "BPR: Bayesian Personalized Ranking from Implicit Feedback",
        link: "https://arxiv.org/abs/1205.2618",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 64 },
        },
        Param {
            name: "iterations",
            title: "Epochs",
            help: "Times that every interaction is learnt from.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 100 },
        },
        Param {
            name: "learning_rate",
            title: "Learning rate",
            help: RATE,
            kind: ParamKind::Float { min: 1e-6, max: 1.0, default: 0.02 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: PENALTY,
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.01 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "the same list as everybody: the items' own deviations",
    cold_items: "score 0",
    new_users: Ok(
        "a vector learnt from the basket in as many epochs as the fit took, with the items' vectors as they are",
    ),
    explains: None,
};

pub(super) static WARP: Entry = Entry {
    kind: "warp",
    title: "WARP",
    family: Family::Factorization,
    summary: "Learns vectors from pairs like BPR, but looks for an item that wrongly scores high: one that is found at once shows that much is wrong, and moves the vectors further. So the top of the list counts most.",
    headline: "Vectors learn to bring what people have to the top of the list",
    source: Citation {
        authors: "Weston, Bengio, Usunier, 2011",
        title: "WSABIE: Scaling Up To Large Vocabulary Image Annotation",
        link: "https://www.ijcai.org/Proceedings/11/Papers/460.pdf",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 64 },
        },
        Param {
            name: "iterations",
            title: "Epochs",
            help: "Times that every interaction is learnt from.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 30 },
        },
        Param {
            name: "learning_rate",
            title: "Learning rate",
            help: "Length of the first steps; each number's own become shorter the more it has moved.",
            kind: ParamKind::Float { min: 1e-6, max: 1.0, default: 0.03 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: PENALTY,
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.01 },
        },
        Param {
            name: "max_sampled",
            title: "Draws",
            help: "Items that are looked at, at most, for one that wrongly scores high.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 10 },
        },
        MODE,
    ],
    losses: &[],
    training: None,
    cold_users: "the same list as everybody: the items' own deviations",
    cold_items: "score 0",
    new_users: Ok(
        "a vector learnt from the basket in as many epochs as the fit took, with the items' vectors as they are",
    ),
    explains: None,
};
