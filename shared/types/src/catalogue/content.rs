//! Content-based methods.

use super::{Citation, Entry, Family, Need, Param, ParamKind, Predicts};

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
    random: false,
    params: &[
        Param {
            name: "attributes",
            title: "Attributes",
            help: "Names of the item attributes to use; all that are words unless named.",
            kind: ParamKind::Names { max_len: 32, default: &[] },
        },
        Param {
            name: "words",
            title: "Words of texts",
            help: "Whether words of texts are reduced to their English stems, without words such as “the”, or kept as written.",
            kind: ParamKind::Choice { options: &["stemmed", "as-written"], default: "stemmed" },
        },
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
    cold_users: "every score is 0: the tie rule decides",
    cold_items: "their attributes, like every item",
    new_users: Some("the words that describe the basket"),
    explains: Some("the attributes that the item shares with the user's own"),
};
