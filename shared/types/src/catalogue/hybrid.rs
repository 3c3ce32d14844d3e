//! Hybrids: several recommenders as one, in the seven ways of Burke's survey.

use super::{Citation, Entry, Family, MadeAttribute, Need, Param, ParamKind, Predicts, Seed, Slot, Takes};
use crate::limits::MAX_COMPONENTS;

const BURKE: Citation = Citation {
    authors: "Burke, 2002",
    title: "Hybrid Recommender Systems: Survey and Experiments",
    link: "https://doi.org/10.1023/A:1021240730564",
};

const ANY: &[Slot] = &[Slot { params: &[], takes: Takes::Any, gives: &[], adds: None }];

/// What feature combination makes of the people who rated an item.
pub const RATED_BY: MadeAttribute = MadeAttribute { name: "rated-by", holds: "holds the people who rated the item" };

/// What feature augmentation makes of the answers of its first component.
pub const GOES_WITH: MadeAttribute =
    MadeAttribute { name: "goes-with", holds: "holds what the first component says of the item" };

/// How scores of two components become comparable.
const NORMALISE: Param = Param {
    name: "normalise",
    title: "Common scale",
    help: "How scores are made comparable over all items of each user: mean 0 and spread 1, smallest 0 and largest 1, or not at all. Ratings stay in stars.",
    kind: ParamKind::Choice { options: &["z-score", "min-max", "none"], default: "z-score" },
};

pub(super) static WEIGHTED: Entry = Entry {
    kind: "weighted",
    title: "Weighted hybrid",
    family: Family::Hybrid,
    summary: "Adds the scores of its components, each brought to a common scale and multiplied by its weight. The weights are given, or learnt from the validation rows by least squares in which no weight may be negative.",
    headline: "Several recommenders vote, each with its own weight",
    source: BURKE,
    predicts: Predicts::Components,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Components",
            help: "The recommenders whose scores are added, each with a weight.",
            kind: ParamKind::Recommenders {
                min_len: 2,
                max_len: MAX_COMPONENTS,
                default: &["item-knn", "popularity"],
                slots: &[Slot {
                    params: &[Param {
                        name: "weight",
                        title: "Weight",
                        help: "What its score is multiplied by, before all weights are divided by their sum.",
                        kind: ParamKind::Float { min: 0.0, max: 1e6, default: 1.0 },
                    }],
                    takes: Takes::Any,
                    gives: &[],
                    adds: None,
                }],
            },
        },
        Param {
            name: "weights",
            title: "Weights",
            help: "Whether the weights are those given, or learnt from the validation rows.",
            kind: ParamKind::Choice { options: &["given", "learnt"], default: "given" },
        },
        NORMALISE,
    ],
    losses: &[],
    training: None,
    cold_users: "what the components give them",
    cold_items: "what the components give them",
    new_users: Ok("what the components give them, where all of them serve new users"),
    explains: Some("the part of each component in the score"),
};

pub(super) static SWITCHING: Entry = Entry {
    kind: "switching",
    title: "Switching hybrid",
    family: Family::Hybrid,
    summary: "Chooses between two recommenders by how much is known: the first one answers below the threshold, the second one from it on. What is counted are the interactions of the user, or those of the item in training.",
    headline: "One recommender serves those of whom little is known, another one the rest",
    source: BURKE,
    predicts: Predicts::Components,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Components",
            help: "The recommender below the threshold, and the one from it on.",
            kind: ParamKind::Recommenders { min_len: 2, max_len: 2, default: &["popularity", "item-knn"], slots: ANY },
        },
        Param {
            name: "threshold",
            title: "Threshold",
            help: "Interactions from which on the second recommender answers.",
            kind: ParamKind::Integer { min: 1, max: 1_000_000, default: 5 },
        },
        Param {
            name: "by",
            title: "Counted of",
            help: "Whose interactions are counted. Of the item, one list holds scores of both recommenders, on a common scale.",
            kind: ParamKind::Choice { options: &["user", "item"], default: "user" },
        },
        NORMALISE,
    ],
    losses: &[],
    training: None,
    cold_users: "counted of the user: what the first component gives them",
    cold_items: "counted of the item: what the first component gives them",
    new_users: Ok("what the component for so many items gives them, where both serve new users"),
    explains: Some("the component that answers"),
};

pub(super) static MIXED: Entry = Entry {
    kind: "mixed",
    title: "Mixed hybrid",
    family: Family::Hybrid,
    summary: "Presents the lists of its components as one: in turn each gives its best item that is not in the list yet. A component that says the same of all items has no list and is passed over.",
    headline: "Several recommenders take turns in one list",
    source: BURKE,
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Components",
            help: "The recommenders that take turns, in this order.",
            kind: ParamKind::Recommenders {
                min_len: 2,
                max_len: MAX_COMPONENTS,
                default: &["item-knn", "popularity"],
                slots: ANY,
            },
        },
        Param {
            name: "depth",
            title: "Depth",
            help: "Places of each component's list that take part; what lies deeper in all of them comes last.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 1000 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "what the components give them",
    cold_items: "what the components give them",
    new_users: Ok("the lists of the components, where all of them serve new users"),
    explains: Some("the component whose turn it was"),
};

pub(super) static CASCADE: Entry = Entry {
    kind: "cascade",
    title: "Cascade hybrid",
    family: Family::Hybrid,
    summary: "Lets the second recommender refine what the first one ranks, without ever putting an item before one that the first one ranked a class higher. The classes are the first one's best items and the rest, or levels of equal width of its scores.",
    headline: "One recommender makes a rough order, another one refines it",
    source: BURKE,
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Components",
            help: "The recommender that makes the rough order, and the one that refines it.",
            kind: ParamKind::Recommenders { min_len: 2, max_len: 2, default: &["popularity", "item-knn"], slots: ANY },
        },
        Param {
            name: "refine",
            title: "Refines",
            help: "The order of the first one's best items, or that of items on the same level of its scores.",
            kind: ParamKind::Choice { options: &["top", "levels"], default: "top" },
        },
        Param {
            name: "top",
            title: "Best items",
            help: "With “top”: how many of the first one's best items are put in order anew, those that tie with the last one too.",
            kind: ParamKind::Integer { min: 1, max: 1_000_000, default: 100 },
        },
        Param {
            name: "levels",
            title: "Levels",
            help: "With “levels”: into how many levels of equal width the first one's scores are cut for each user.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 10 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "what the components give them",
    cold_items: "what the components give them",
    new_users: Ok("the same from the components, where both serve new users"),
    explains: Some("the component that decides the item's place"),
};

pub(super) static FEATURE_COMBINATION: Entry = Entry {
    kind: "feature-combination",
    title: "Feature combination",
    family: Family::Hybrid,
    summary: "Gives a recommender that reads attributes the people who rated an item as one more of them, `rated-by`. To a content-based one, items are then alike when the same words describe them or the same people have them, in one model.",
    headline: "What items are and who has them are features of one model",
    source: Citation {
        authors: "Burke, 2002; Basu, Hirsh, Cohen, 1998",
        title: "Hybrid Recommender Systems: Survey and Experiments; Recommendation as Classification",
        link: "https://doi.org/10.1023/A:1021240730564",
    },
    predicts: Predicts::Components,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Component",
            help: "The recommender that reads the attributes, those given and `rated-by`. One that learns who has what is told its own answer by `rated-by`, and warns.",
            kind: ParamKind::Recommenders {
                min_len: 1,
                max_len: 1,
                default: &["content-tfidf"],
                slots: &[Slot {
                    params: &[],
                    takes: Takes::ItemAttributes,
                    gives: &[Need::ItemAttributes],
                    adds: Some(RATED_BY),
                }],
            },
        },
        Param {
            name: "liked",
            title: "Liked from",
            help: "Stars from which a rating makes the person an attribute of the item. Of a component that learns ratings, leave it at the lowest or below: from above that, `rated-by` tells it its own answer.",
            kind: ParamKind::Float { min: -1e6, max: 1e6, default: 0.0 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "what the component gives them",
    cold_items: "their other attributes",
    new_users: Ok(
        "what the component gives them of the attributes and people that describe the basket, where it serves new users",
    ),
    explains: Some("the attributes and the people of the item, where the component explains"),
};

pub(super) static FEATURE_AUGMENTATION: Entry = Entry {
    kind: "feature-augmentation",
    title: "Feature augmentation",
    family: Family::Hybrid,
    summary: "Asks the first recommender what goes with each item, as for a person who has that item alone, and gives its answer to the second one as an attribute, `goes-with`. The second one then learns from that as from any other description.",
    headline: "What one recommender says of an item becomes a feature for another",
    source: Citation {
        authors: "Burke, 2002; Mooney, Roy, 2000",
        title: "Hybrid Recommender Systems: Survey and Experiments; Content-Based Book Recommending Using Learning for Text Categorization",
        link: "https://doi.org/10.1023/A:1021240730564",
    },
    predicts: Predicts::LastComponent,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Components",
            help: "The recommender that says what goes with an item, and the one that reads it as an attribute.",
            kind: ParamKind::Recommenders {
                min_len: 2,
                max_len: 2,
                default: &["item-knn", "content-tfidf"],
                slots: &[
                    Slot { params: &[], takes: Takes::NewUsers, gives: &[], adds: None },
                    Slot {
                        params: &[],
                        takes: Takes::ItemAttributes,
                        gives: &[Need::ItemAttributes],
                        adds: Some(GOES_WITH),
                    },
                ],
            },
        },
        Param {
            name: "related",
            title: "Related items",
            help: "Items that go with each item, the best ones of the first recommender among those with training rows.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 20 },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "what the second component gives them",
    cold_items: "their other attributes",
    new_users: Ok("what describes the basket, where the second component serves new users"),
    explains: Some(
        "the attributes of the item, and the part of what the first component says, where the second one explains",
    ),
};

/// Kinds that keep one vector of each person and make one of a basket, all in one space. An `fm` keeps one for each of its
/// draws, an `ffm` one for each field that the person meets.
const PROFILED: Takes = Takes::Kinds(&[
    "als-implicit",
    "als-explicit",
    "biased-mf",
    "svd++",
    "nmf",
    "bpr",
    "warp",
    "content-tfidf",
    "feature-embeddings",
]);

pub(super) static META_LEVEL: Entry = Entry {
    kind: "meta-level",
    title: "Meta-level hybrid",
    family: Family::Hybrid,
    summary: "Takes what its component has learnt of each person, the words that they like or the factors of their taste, and looks for the people whose profiles are nearest. What those people have is recommended, so two readers can be alike without a single item in common.",
    headline: "People whose learnt profiles are alike tell what each person will want next",
    source: Citation {
        authors: "Burke, 2002; Pazzani, 1999",
        title: "Hybrid Recommender Systems: Survey and Experiments; A Framework for Collaborative, Content-Based and Demographic Filtering",
        link: "https://doi.org/10.1023/A:1006544522159",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Components,
    reads_history: false,
    params: &[
        Param {
            name: "components",
            title: "Component",
            help: "The recommender whose profiles of people are compared.",
            kind: ParamKind::Recommenders {
                min_len: 1,
                max_len: 1,
                default: &["content-tfidf"],
                slots: &[Slot { params: &[], takes: PROFILED, gives: &[], adds: None }],
            },
        },
        Param {
            name: "neighbours",
            title: "Neighbours",
            help: "People with the most similar profiles who are asked.",
            kind: ParamKind::Integer { min: 1, max: 10_000, default: 50 },
        },
        Param {
            name: "weighting",
            title: "Weighting",
            help: "Whether a neighbour's rating counts by its stars or only as an interaction.",
            kind: ParamKind::Choice { options: &["rating", "binary"], default: "rating" },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "score 0",
    new_users: Ok("the people whose profiles are nearest to that of the basket"),
    explains: Some("the people with similar profiles who have the item"),
};
