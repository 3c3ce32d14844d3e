//! Factorization machines.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts, Seed};

const FACTORS: &str = "Length of the vector of each feature.";

const SIDE: Param = Param {
    name: "side",
    title: "Side information",
    help: "Whether attributes of users and items are features too, where the data set has them.",
    kind: ParamKind::Boolean { default: true },
};

const USER_ATTRIBUTES: Param = Param {
    name: "user_attributes",
    title: "User attributes",
    help: "Names of the user attributes to use; all that are words or single numbers unless named.",
    kind: ParamKind::Names { max_len: 32, default: &[] },
};

const ITEM_ATTRIBUTES: Param = Param {
    name: "item_attributes",
    title: "Item attributes",
    help: "Names of the item attributes to use; all that are words or single numbers unless named.",
    kind: ParamKind::Names { max_len: 32, default: &[] },
};

const INIT_DEVIATION: Param = Param {
    name: "init_deviation",
    title: "Initial spread",
    help: "Standard deviation of the numbers that the vectors start with.",
    kind: ParamKind::Float { min: 0.0, max: 10.0, default: 0.1 },
};

pub(super) static FM: Entry = Entry {
    kind: "fm",
    title: "Factorization machine",
    family: Family::FactorizationMachine,
    summary: "Turns user, item and all that is known of them into features, and predicts a rating from a weight of each feature and a product of the vectors of each pair. The Gibbs sampler averages over many such machines and finds its own regularization.",
    headline: "Vectors of people, items and what is known of them learn how many stars each person gives",
    source: Citation {
        authors: "Rendle, 2010; Rendle, 2012",
        title: "Factorization Machines; Factorization Machines with libFM",
        link: "https://doi.org/10.1145/2168752.2168771",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "solver",
            title: "Solver",
            help: "The Gibbs sampler (mcmc) needs no tuning; alternating least squares and gradient descent find one machine, and need fewer iterations.",
            kind: ParamKind::Choice { options: &["mcmc", "als", "sgd"], default: "mcmc" },
        },
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 256, default: 10 },
        },
        Param {
            name: "iterations",
            title: "Iterations",
            help: "Times that every number is learnt, or every rating is learnt from.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 200 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: "Of als and sgd: weight of the squared numbers of a rating's features, in every rating.",
            kind: ParamKind::Float { min: 0.0, max: 10.0, default: 0.1 },
        },
        Param {
            name: "learning_rate",
            title: "Learning rate",
            help: "Of sgd: length of each step.",
            kind: ParamKind::Float { min: 1e-6, max: 0.1, default: 0.005 },
        },
        SIDE,
        USER_ATTRIBUTES,
        ITEM_ATTRIBUTES,
        Param {
            name: "groups",
            title: "Groups",
            help: "Of mcmc: whether each kind of feature (ids, each attribute) has a mean and a spread of its own, or all share one.",
            kind: ParamKind::Choice { options: &["fields", "one"], default: "fields" },
        },
        Param {
            name: "samples",
            title: "Samples",
            help: "Draws of the Gibbs sampler that predictions are averaged over, evenly from all but the first twentieth; the model grows with them.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 100 },
        },
        INIT_DEVIATION,
    ],
    losses: &[],
    training: None,
    cold_users: "their attributes, beside what an unknown user has",
    cold_items: "their attributes, beside what an unknown item has",
    new_users: Ok("a vector and a weight fitted to the basket, with the items as they are"),
    explains: Some(
        "the attributes of item and user, by what each adds with the other side; not those that most have a value of to themselves, as titles and zip codes",
    ),
};

pub(super) static FFM: Entry = Entry {
    kind: "ffm",
    title: "Field-aware factorization machine",
    family: Family::FactorizationMachine,
    summary: "Gives each feature a vector for every field that it meets: what a genre means beside an age is not what it means beside a person. Ratings are predicted from weights and from the products of all pairs, learnt one rating at a time with AdaGrad.",
    headline: "Vectors for every pair of fields learn how many stars each person gives",
    source: Citation {
        authors: "Juan, Zhuang, Chin, Lin, 2016",
        title: "Field-aware Factorization Machines for CTR Prediction",
        link: "https://doi.org/10.1145/2959100.2959134",
    },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: "Length of each vector; a feature has one for every field.",
            kind: ParamKind::Integer { min: 1, max: 64, default: 4 },
        },
        Param {
            name: "iterations",
            title: "Epochs",
            help: "Times that every rating is learnt from.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 20 },
        },
        Param {
            name: "learning_rate",
            title: "Learning rate",
            help: "Length of the first steps; AdaGrad makes those of often seen features shorter.",
            kind: ParamKind::Float { min: 1e-6, max: 1.0, default: 0.05 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: "Weight of the squared numbers of a rating's features, in every rating.",
            kind: ParamKind::Float { min: 0.0, max: 10.0, default: 0.05 },
        },
        SIDE,
        USER_ATTRIBUTES,
        ITEM_ATTRIBUTES,
    ],
    losses: &[],
    training: None,
    cold_users: "their attributes beside the mean",
    cold_items: "their attributes beside the user",
    new_users: Ok("vectors and a weight fitted to the basket, with the items as they are"),
    explains: Some(
        "the attributes of item and user, by what each adds with the other side; not those that most have a value of to themselves, as titles and zip codes",
    ),
};

pub(super) static FEATURE_EMBEDDINGS: Entry = Entry {
    kind: "feature-embeddings",
    title: "Feature embeddings",
    family: Family::FactorizationMachine,
    summary: "Makes a person's vector of the vectors of all that is known of them, and an item's of its attributes, and learns them from which items people have. So an item that nobody has yet is ranked by what it is.",
    headline: "Vectors of attributes add up to people and items, and learn what comes first for whom",
    source: Citation {
        authors: "Kula, 2015",
        title: "Metadata Embeddings for User and Item Cold-start Recommendations",
        link: "https://arxiv.org/abs/1507.08439",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "loss",
            title: "Loss",
            help: "Own items over others that come too near (warp), over any other (bpr), or each by itself against one other (logistic).",
            kind: ParamKind::Choice { options: &["warp", "bpr", "logistic"], default: "warp" },
        },
        Param {
            name: "factors",
            title: "Factors",
            help: FACTORS,
            kind: ParamKind::Integer { min: 1, max: 1024, default: 32 },
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
            help: "Length of the first steps; AdaGrad makes those of often seen features shorter.",
            kind: ParamKind::Float { min: 1e-6, max: 1.0, default: 0.05 },
        },
        Param {
            name: "regularization",
            title: "Regularization",
            help: "Weight of the squared numbers of what a step moves.",
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.0 },
        },
        Param {
            name: "max_sampled",
            title: "Draws of WARP",
            help: "Other items that warp looks at, at most, for one that comes too near.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 10 },
        },
        SIDE,
        USER_ATTRIBUTES,
        ITEM_ATTRIBUTES,
    ],
    losses: &[],
    training: None,
    cold_users: "their attributes, and how the items do with everybody",
    cold_items: "their attributes",
    new_users: Ok(
        "a vector of their own learnt from the basket, with all else as it is, since no attributes are known of them",
    ),
    explains: Some(
        "the attributes of item and user, by what each adds with the other side; not those that most have a value of to themselves, as titles and zip codes",
    ),
};
