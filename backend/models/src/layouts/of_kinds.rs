//! The arrays of every kind.

use super::{Layout, Part, Positions};

const fn part(name: &'static str, what: &'static str) -> Part {
    Part { name, what, positions: Positions::Unnamed }
}

const fn with(name: &'static str, what: &'static str, positions: Positions) -> Part {
    Part { name, what, positions }
}

/// As the vectors of people end who have a bias.
pub(super) const USER_ENDS: Positions = Positions::Numbered("factor", &["1", "mean + bias of the user"]);
/// As those of items end.
const ITEM_ENDS: Positions = Positions::Numbered("factor", &["bias of the item", "1"]);
/// As those end that have no bias.
const FACTORS: Positions = Positions::Numbered("factor", &[]);

const RATINGS: &[Part] = &[part(
    "ratings",
    "What each user has, users x items: the rating, or 1 where the data have none. A sparse matrix.",
)];

const USERS: &[Part] = &[part("users", "How many users.")];
const ITEMS: &[Part] = &[part("items", "How many items.")];

const BIASED: &[Part] =
    &[with("users", "A vector for each user.", USER_ENDS), with("items", "A vector for each item.", ITEM_ENDS)];

const FOLDING: &[Part] = &[
    with(
        "scale",
        "With link = \"sigmoid\" the scale of the ratings. Empty otherwise.",
        Positions::Named(&["lowest rating", "width of the scale"]),
    ),
    with(
        "folding.ridge",
        "How the vector of a new user is found: ridge regression of the ratings on the items' vectors.",
        Positions::Named(&["regularization", "mean of all ratings", "1 where there are biases, 0 otherwise"]),
    ),
    with(
        "folding.implicit",
        "SVD++: what having rated an item at all adds, the y_j of the paper; the vectors of the users hold their \
         share of it already. Empty for other methods.",
        FACTORS,
    ),
    with(
        "folding.logistic",
        "How the vector of a new user is found with link = \"sigmoid\".",
        Positions::Named(&[
            "regularization",
            "regularization of the bias",
            "logarithm of the odds of the mean's place on the scale",
            "lowest rating",
            "width of the scale",
        ]),
    ),
    with(
        "folding.nonnegative",
        "How the vector of a new user is found, with no number below 0.",
        Positions::Named(&["regularization", "mean of all ratings"]),
    ),
    part("folding.none", "Marks a model of an earlier version of the lab, which has nothing for new users."),
];

const PRODUCT: &str = "prediction(u, i) = sum over all positions f of users[u][f] * items[i][f]. The last two \
                       positions of a user's vector meet those of an item's: 1 * the bias of the item, and (mean of \
                       all ratings + bias of the user) * 1.";

const TERMS: &[Part] = &[
    part(
        "terms",
        "Every term: name of the attribute, the control character U+001F (twice before a word of a text), value; one \
         after another without anything between them.",
    ),
    part("terms.ends", "Where each term ends in that text, in bytes; a term's number is its place here, from 0."),
];

const OF_ATTRIBUTES: &str = "name, U+001F (twice before a word of a text), value, one after another.";

const MACHINE: &[Part] = &[
    with("users.vectors", "A vector for each user, what is known of them included.", USER_ENDS),
    with("items.vectors", "A vector for each item, what is known of it included.", ITEM_ENDS),
    with("users.attributes", "A vector for each attribute of users: what it adds to one who has it.", USER_ENDS),
    with("items.attributes", "A vector for each attribute of items: what it adds to one that has it.", ITEM_ENDS),
    part("users.described", "The attributes of each user by number, with their values. A sparse matrix."),
    part("items.described", "The attributes of each item by number, with their values. A sparse matrix."),
    part("users.terms", OF_ATTRIBUTES),
    part("items.terms", OF_ATTRIBUTES),
    part("users.terms.ends", "Where each attribute of users ends in users.terms, in bytes; its place is its number."),
    part("items.terms.ends", "Where each attribute of items ends in items.terms, in bytes; its place is its number."),
    part("users.pairs", "How often the bias of a user holds the products of pairs of their features."),
    part("items.pairs", "How often the bias of an item holds the products of pairs of its features."),
    part("users.shares", "Marks that the values of a user's features are divided by their sum."),
    part("items.shares", "Marks that the values of an item's features are divided by their sum."),
    part("users.own*", "Of the vectors by which features of one user meet each other, field by field."),
    part("items.own*", "Of the vectors by which features of one item meet each other, field by field."),
    with("newcomer.cold", "The vector of a user of whom nothing is known.", USER_ENDS),
    part("newcomer.block", "Numbers of one sample in a vector: each sample is regressed by itself."),
    part("newcomer.per_rating", "1 where a penalty of that regression counts once for each rating, 0 where once."),
    part("newcomer.penalties", "Penalties of that regression, a row for each sample, that of the bias last."),
    part("newcomer.known", "Numbers of the items that somebody has, from 0: what a new user's items are held against."),
    part("newcomer.seed", "The seed by which those are drawn."),
];

const COMPONENTS: &str = "Its components answer, each by its own arrays, whose names begin with components.0, \
                          components.1 and so on and which are what the component's kind says; docs/hybrids.md says \
                          how their answers become one.";

/// Every kind.
pub(super) const LAYOUTS: &[Layout] = &[
    Layout {
        kinds: &["random"],
        prediction: "Chance: a generator (ChaCha8) of this seed, a stream for each user. The arrays alone do not say it.",
        parts: &[USERS, ITEMS, &[part("seed", "The seed.")]],
    },
    Layout {
        kinds: &["global-mean"],
        prediction: "prediction(u, i) = mean.",
        parts: &[USERS, ITEMS, &[part("mean", "The mean of all training ratings.")]],
    },
    Layout {
        kinds: &["user-mean"],
        prediction: "prediction(u, i) = means[u].",
        parts: &[
            ITEMS,
            &[
                part("means", "The mean of each user's training ratings; the mean of all where there are none."),
                part("mean", "The mean of all training ratings: what a new user without ratings gets."),
            ],
        ],
    },
    Layout {
        kinds: &["item-mean"],
        prediction: "prediction(u, i) = means[i].",
        parts: &[
            USERS,
            &[part("means", "The mean of each item's training ratings; the mean of all where there are none.")],
        ],
    },
    Layout {
        kinds: &["bias"],
        prediction: "prediction(u, i) = mean + users[u] + items[i].",
        parts: &[&[
            part("mean", "The mean of all training ratings."),
            part("users", "The bias of each user, in stars."),
            part("items", "The bias of each item, in stars."),
        ]],
    },
    Layout {
        kinds: &["popularity"],
        prediction: "score(u, i) = counts[i].",
        parts: &[USERS, &[part("counts", "Training rows of each item.")]],
    },
    Layout {
        kinds: &["user-knn"],
        prediction: "Of the users v who rated i, take the `neighbours` with the highest similarities[u][v] above 0. \
                     prediction(u, i) = level(u, i) + scale(u) * (sum of similarities[u][v] * (ratings[v][i] - \
                     level(v, i)) / scale(v)) / (sum of similarities[u][v]); without such a user level(u, i). \
                     level(u, i) = user_levels[u] + item_levels[i] and scale(u) = user_scales[u]; with centring = \
                     \"none\" the level is 0 where there are such users, and mean where there are none. Where there \
                     are reader_levels and reader_scales, they are those of u.",
        parts: &[
            ITEMS,
            RATINGS,
            &[
                part("mean", "The mean of all training ratings."),
                part("similarities", "How similar users are, users x users. A sparse matrix."),
                part("user_levels", "What a user's ratings are compared with, in stars."),
                part(
                    "user_scales",
                    "With centring = \"z-score\" the standard deviation of a user's ratings; 1 otherwise.",
                ),
                part("item_levels", "With centring = \"baseline\" the bias of each item, in stars; 0 otherwise."),
                part("reader_levels", "The level of each user by all that is read of them, where that is more."),
                part("reader_scales", "The scale of each user by all that is read of them, where that is more."),
            ],
        ],
    },
    Layout {
        kinds: &["item-knn", "slim"],
        prediction: "score(u, i) = sum over the items j of u of w(u, j) * similarities[j][i], with w(u, j) the rating, \
                     or 1 with weighting = \"binary\".",
        parts: &[
            ITEMS,
            RATINGS,
            &[part(
                "similarities",
                "items x items: row j has the items that item j speaks for, and how much (item-knn: how similar they \
                 are; slim: the weight). A sparse matrix.",
            )],
        ],
    },
    Layout {
        kinds: &["slope-one"],
        prediction: "prediction(u, i) = the mean of u's ratings + the mean of differences[j][i] over the items j of u \
                     for which it is there (0 counts as there). Without any such item the mean of u's ratings; \
                     without ratings the mean of all.",
        parts: &[
            ITEMS,
            RATINGS,
            &[
                part("mean", "The mean of all training ratings."),
                part(
                    "differences",
                    "items x items: row j, column i has the mean of rating(i) - rating(j) over those who rated both. \
                     A sparse matrix.",
                ),
            ],
        ],
    },
    Layout { kinds: &["als-explicit", "svd++"], prediction: PRODUCT, parts: &[BIASED, FOLDING, RATINGS] },
    Layout {
        kinds: &["biased-mf"],
        prediction: "prediction(u, i) = x, or with link = \"sigmoid\" (lowest rating) + (width of the scale) / (1 + \
                     exp(-x)), with x = sum over all positions f of users[u][f] * items[i][f]. The last two positions \
                     of a user's vector meet those of an item's: 1 * the bias of the item, and (mean of all ratings + \
                     bias of the user) * 1; with the sigmoid the mean is the logarithm of the odds of its place on \
                     the scale.",
        parts: &[BIASED, FOLDING],
    },
    Layout {
        kinds: &["nmf"],
        prediction: "prediction(u, i) = sum over all positions f of users[u][f] * items[i][f]. The last two positions \
                     give the mean of all ratings where user or item has no training rows, and 0 otherwise.",
        parts: &[
            &[
                with(
                    "users",
                    "A vector for each user, no number below 0.",
                    Positions::Numbered("factor", &["mean where the user is cold", "mean where the user is not"]),
                ),
                with(
                    "items",
                    "A vector for each item, no number below 0.",
                    Positions::Numbered("factor", &["1", "1 where the item is cold"]),
                ),
            ],
            FOLDING,
        ],
    },
    Layout {
        kinds: &["bpr", "warp"],
        prediction: "score(u, i) = sum over all positions f of users[u][f] * items[i][f]. The last two positions add \
                     the bias of the item.",
        parts: &[
            &[
                with("users", "A vector for each user.", Positions::Numbered("factor", &["1", "0"])),
                with("items", "A vector for each item.", ITEM_ENDS),
            ],
            FOLDING,
            &[
                part(
                    "folding.known",
                    "Numbers of the items that somebody has, from 0: what those of a new user are held against.",
                ),
                part("folding.seed", "The seed by which those are drawn."),
            ],
        ],
    },
    Layout {
        kinds: &["als-implicit"],
        prediction: "score(u, i) = sum over all positions f of users[u][f] * items[i][f].",
        parts: &[
            &[with("users", "A vector for each user.", FACTORS), with("items", "A vector for each item.", FACTORS)],
            RATINGS,
        ],
    },
    Layout {
        kinds: &["ease"],
        prediction: "score(u, i) = sum over the items j of u of w(u, j) * weights[j][i], with w(u, j) the rating, or 1 \
                     with weighting = \"binary\".",
        parts: &[
            RATINGS,
            &[part(
                "weights",
                "items x items: row j has what item j adds to the score of each, in the order of the ids.",
            )],
        ],
    },
    Layout {
        kinds: &["content-tfidf"],
        prediction: "score(u, i) = the product of items[i] and p(u), with p(u) the sum of w(u, j) * items[j] over the \
                     items j of u, made of length 1, and w(u, j) the rating, or with centred = true how far it lies \
                     from the mean of u's own.",
        parts: &[
            TERMS,
            RATINGS,
            &[
                part("n_items", "How many items."),
                part("items", "The terms of each item by number, weighed by TF-IDF, of length 1. A sparse matrix."),
                part("lengths", "The length of each of those rows before it was made 1."),
            ],
        ],
    },
    Layout {
        kinds: &["content-linear"],
        prediction: "score(u, i) = the product of items[i] and w(u), with w(u) = inverse * (sum over the items j of u \
                     of x(u, j) * items[j]) - (sum of x(u, j)) * level, and x(u, j) the rating, or 1 with weighting = \
                     \"binary\".",
        parts: &[
            TERMS,
            RATINGS,
            &[
                part("items", "The terms of each item by number, 1 for each. A sparse matrix."),
                part("inverse", "terms x terms: the inverse of their regularized covariance, the same for everybody."),
                part("level", "For each term the inverse times the mean row of the items."),
            ],
        ],
    },
    Layout {
        kinds: &["fm", "ffm", "feature-embeddings"],
        prediction: "prediction(u, i) = sum over all positions f of users.vectors[u][f] * items.vectors[i][f]. The last \
                     two positions add what the item and the user give alone.",
        parts: &[MACHINE],
    },
    Layout {
        kinds: &["weighted"],
        prediction: COMPONENTS,
        parts: &[&[part("weights", "The weight of each component; those that are given add up to 1.")]],
    },
    Layout {
        kinds: &["switching"],
        prediction: COMPONENTS,
        parts: &[&[part("counts", "What decides: different items of each user, or different users of each item.")]],
    },
    Layout {
        kinds: &["mixed"],
        prediction: COMPONENTS,
        parts: &[RATINGS, &[part("tie_ranks", "The place of each item among those of the same score.")]],
    },
    Layout { kinds: &["cascade"], prediction: COMPONENTS, parts: &[RATINGS] },
    Layout { kinds: &["feature-combination", "feature-augmentation"], prediction: COMPONENTS, parts: &[] },
    Layout {
        kinds: &["meta-level"],
        prediction: COMPONENTS,
        parts: &[
            RATINGS,
            &[
                part("read", "What each user has by all that is read, where that is more. A sparse matrix."),
                part("profiles", "features x users: what was learnt of each, of length 1. A sparse matrix."),
            ],
        ],
    },
    Layout {
        kinds: &[
            "mlp",
            "densenet",
            "neumf",
            "wide-and-deep",
            "deepfm",
            "dlrm",
            "autoencoder",
            "sasrec",
            "gru4rec",
            "caser",
            "bert4rec",
        ],
        prediction: "The network's answer. A layer NAME maps x to x * NAME.weight + NAME.bias, with weights of shape \
                     inputs x outputs; how the layers follow each other is what the source and spec.toml say.",
        parts: &[
            USERS,
            ITEMS,
            &[
                part("network.n_users", "How many users."),
                part("network.n_items", "How many items."),
                part("network.newest", "The newest training time, in seconds since 1970, two's complement."),
                with(
                    "network.stars",
                    "What outputs of 0 and 1 are in stars.",
                    Positions::Named(&["lowest rating", "width of the scale"]),
                ),
                with(
                    "network.inputs.scale",
                    "What each input is multiplied by: the numbers of user and item, and seconds since the oldest row.",
                    Positions::Named(&["user", "item", "time"]),
                ),
                part("network.inputs.oldest", "The oldest training time, in seconds since 1970, two's complement."),
                part("network.history.starts", "Where the training times of each item begin, and where all end."),
                part("network.history.times", "Training times, item by item, in seconds since 1970, two's complement."),
                part("network.users-read", "What the history of each user was read into, by which items are ranked."),
                part("network.ratings", "What each user has, users x items. A sparse matrix."),
                part("network.fields*", "What is known of users and items: features by number, and scaled numbers."),
                part("network.*", "Learnt numbers of the layer that the name says."),
            ],
        ],
    },
];
