//! Content-based methods.

use super::{Citation, Entry, Family, Need, Param, ParamKind, Predicts, Seed};

const ATTRIBUTES: Param = Param {
    name: "attributes",
    title: "Attributes",
    help: "Names of the item attributes to use; all that are words unless named.",
    kind: ParamKind::Names { max_len: 32, default: &[] },
};

const WORDS: Param = Param {
    name: "words",
    title: "Words of texts",
    help: "Whether words of texts are reduced to their English stems, without words such as “the”, or kept as written.",
    kind: ParamKind::Choice { options: &["stemmed", "as-written"], default: "stemmed" },
};

pub(super) static CONTENT_TFIDF: Entry = Entry {
    kind: "content-tfidf",
    title: "Content by TF-IDF",
    family: Family::Content,
    summary: "Describes each item by the words of its attributes, rare words counting more, and each person by the items that they rated. It recommends what is described alike, even items that nobody has rated yet.",
    headline: "The words that describe what people have tell what they will want next",
    source: Citation {
        authors: "Lops, de Gemmis, Semeraro, 2011",
        title: "Content-based Recommender Systems: State of the Art and Trends",
        link: "https://doi.org/10.1007/978-0-387-85820-3_3",
    },
    predicts: Predicts::Scores,
    needs: &[Need::ItemAttributes],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[
        ATTRIBUTES,
        WORDS,
        Param {
            name: "sublinear",
            title: "Sublinear counts",
            help: "Whether a word that occurs n times counts 1 + ln n instead of n.",
            kind: ParamKind::Boolean { default: true },
        },
        Param {
            name: "centred",
            title: "Centred ratings",
            help: "Whether an item counts by how far its stars lie above or below the person's own mean, instead of by the stars.",
            kind: ParamKind::Boolean { default: false },
        },
    ],
    losses: &[],
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "their attributes, like every item",
    new_users: Ok("the words that describe the basket"),
    explains: Some("the attributes that the item shares with the user's own"),
};

pub(super) static CONTENT_LINEAR: Entry = Entry {
    kind: "content-linear",
    title: "Linear content model",
    family: Family::Content,
    summary: "Gives each person a weight for each attribute, fitted so that the weights of an item's attributes tell whether they have it. The fit has a closed form, and items that nobody has rated yet are scored by the same weights.",
    headline: "A weight for each attribute tells what each person will want next",
    source: Citation {
        authors: "Sedhain, Menon, Sanner, Xie, Braziunas, 2017",
        title: "Low-Rank Linear Cold-Start Recommendation from Social Data",
        link: "https://doi.org/10.1609/aaai.v31i1.10758",
    },
    predicts: Predicts::Scores,
    needs: &[Need::ItemAttributes],
    seed: Seed::Nothing,
    reads_history: true,
    params: &[
        ATTRIBUTES,
        Param {
            name: "regularization",
            title: "Regularization",
            help: "Weight of the squared numbers: larger keeps them small, and trusts frequent attributes more than rare ones.",
            kind: ParamKind::Float { min: 1e-3, max: 1e6, default: 100.0 },
        },
        Param {
            name: "weighting",
            title: "Weighting",
            help: "Whether a rating counts by its stars or only as an interaction.",
            kind: ParamKind::Choice { options: &["binary", "rating"], default: "binary" },
        },
        Param {
            name: "min_items",
            title: "Items with an attribute",
            help: "Attributes that fewer items have are left out.",
            kind: ParamKind::Integer { min: 1, max: 1_000_000, default: 2 },
        },
        WORDS,
    ],
    losses: &[],
    training: None,
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "their attributes, like every item",
    new_users: Ok("weights fitted to the basket, exactly as for everybody"),
    explains: Some("the attributes of the item, by their weight for the user"),
};
