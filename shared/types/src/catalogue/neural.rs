//! Networks on Burn.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts, Seed, TrainingDefaults};
use crate::spec::Loss;

const NEGATIVES: Param = Param {
    name: "negatives",
    title: "Negatives",
    help: "Items drawn at random for each item that somebody has.",
    kind: ParamKind::Integer { min: 1, max: 1024, default: 4 },
};

const DROPOUT: Param = Param {
    name: "dropout",
    title: "Dropout",
    help: "Share of each hidden layer's numbers that a step leaves out.",
    kind: ParamKind::Float { min: 0.0, max: 0.95, default: 0.0 },
};

/// Of networks that read a person's index as a number.
const NO_INDEX: Result<&str, &str> =
    Err("it knows a person by an index, a number like any other, which no basket can be turned into");

pub(super) static MLP: Entry = Entry {
    kind: "mlp",
    title: "Four-layer network",
    family: Family::Neural,
    summary: "The paper's network: user index, item index and timestamp, each scaled to 0…1 (indices count in the order of first appearance in the whole file, test rows included), go through three hidden ReLU layers to one output, the rating scaled to 0…1. Ids as plain numbers carry little, so expect it to learn the mean rating and its drift over time rather than anybody's taste.",
    headline: "A four-layer network learns how many stars each person gives",
    source: Citation { authors: "Recspeed", title: "Recommending with Speed", link: "" },
    predicts: Predicts::Ratings,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[Param {
        name: "hidden",
        title: "Hidden layers",
        help: "Width of each hidden ReLU layer.",
        kind: ParamKind::Integers { min: 1, max: 4096, max_len: 16, default: &[64, 64, 64] },
    }],
    losses: &[Loss::Mse, Loss::Mae],
    training: Some(TrainingDefaults::PAPER),
    cold_users: "their index is a number like any other, which no basket can be turned into",
    cold_items: "their index is a number like any other",
    new_users: NO_INDEX,
    explains: None,
};

pub(super) static NEUMF: Entry = Entry {
    kind: "neumf",
    title: "Neural matrix factorization",
    family: Family::Neural,
    summary: "Gives each user and item two vectors: one pair is multiplied number by number, the other goes through a tower of ReLU layers, and one layer makes a score of both. It learns to tell items that somebody has from items drawn at random.",
    headline: "Vectors and a small network learn together what each person will want next",
    source: Citation {
        authors: "He, Liao, Zhang, Nie, Hu, Chua, 2017",
        title: "Neural Collaborative Filtering",
        link: "https://arxiv.org/abs/1708.05031",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "factors",
            title: "Factors",
            help: "Length of the vectors that are multiplied.",
            kind: ParamKind::Integer { min: 1, max: 1024, default: 16 },
        },
        Param {
            name: "embedding",
            title: "Embedding",
            help: "Length of the vectors that go through the tower.",
            kind: ParamKind::Integer { min: 1, max: 1024, default: 32 },
        },
        Param {
            name: "hidden",
            title: "Hidden layers",
            help: "Width of each ReLU layer of the tower.",
            kind: ParamKind::Integers { min: 1, max: 4096, max_len: 16, default: &[32, 16, 8] },
        },
        NEGATIVES,
        DROPOUT,
    ],
    losses: &[Loss::Bce, Loss::Bpr, Loss::SampledSoftmax],
    training: Some(TrainingDefaults::of(20, 256)),
    cold_users: "the vectors that they started with: the list is nearly that of everybody, and fitting vectors to a basket means training again",
    cold_items: "the vectors that they started with",
    new_users: Err("it learns two vectors for each person, and whoever came later has none without training again"),
    explains: None,
};

pub(super) static DENSENET: Entry = Entry {
    kind: "densenet",
    title: "DenseNet",
    family: Family::Neural,
    summary: "The paper's deep network: user index, item index, timestamp and the item's number of earlier ratings, each scaled to 0…1 (indices count in the order of first appearance in the whole file, test rows included), go through one block of fully connected layers, each of which sees what all layers before it put out. A sigmoid at its end says how likely the user is to like the item.",
    headline: "A very deep network learns whether each person will like an item",
    source: Citation {
        authors: "Recspeed; Huang, Liu, van der Maaten, Weinberger, 2017",
        title: "Recommending with Speed; Densely Connected Convolutional Networks",
        link: "https://arxiv.org/abs/1608.06993",
    },
    predicts: Predicts::Likes,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        Param {
            name: "layers",
            title: "Layers",
            help: "Fully connected layers of the block.",
            kind: ParamKind::Integer { min: 1, max: 1000, default: 150 },
        },
        Param {
            name: "growth",
            title: "Growth rate",
            help: "Numbers that each layer adds to what the next ones see.",
            kind: ParamKind::Integer { min: 1, max: 256, default: 8 },
        },
        Param { kind: ParamKind::Float { min: 0.0, max: 0.95, default: 0.2 }, ..DROPOUT },
    ],
    losses: &[Loss::Bce, Loss::Mse, Loss::Mae],
    training: Some(TrainingDefaults::PAPER),
    cold_users: "their index is a number like any other, which no basket can be turned into",
    cold_items: "their index is a number like any other, and they have no earlier ratings",
    new_users: NO_INDEX,
    explains: None,
};

const ATTRIBUTES: Param = Param {
    name: "attributes",
    title: "Attributes",
    help: "Names of the user and item attributes to learn from; all but lists of numbers when none is named.",
    kind: ParamKind::Names { max_len: 32, default: &[] },
};

const EMBEDDING: Param = Param {
    name: "embedding",
    title: "Embedding",
    help: "Length of each feature's vector.",
    kind: ParamKind::Integer { min: 1, max: 1024, default: 16 },
};

const HIDDEN: Param = Param {
    name: "hidden",
    title: "Hidden layers",
    help: "Width of each ReLU layer.",
    kind: ParamKind::Integers { min: 1, max: 4096, max_len: 16, default: &[64, 32] },
};

const COLD_FIELDS: &str = "their attributes, where the data has them, and the vector that they started with";
const COLD_USERS_OF_FIELDS: &str = "their attributes, where the data has them, and the vector that they started with: fitting one to a basket means training again";

const NO_VECTOR: Result<&str, &str> =
    Err("it learns a vector for each person, and whoever came later has none without training again");

pub(super) static WIDE_AND_DEEP: Entry = Entry {
    kind: "wide-and-deep",
    title: "Wide and deep",
    family: Family::Neural,
    summary: "A wide linear part learns by heart which features, and which pairs of a user's feature and an item's attribute, go with interest; a deep part puts the features' vectors through ReLU layers and generalises. One score is the sum of both, trained together on who has what and the attributes of both.",
    headline: "A memory and a network learn together what each person will want next",
    source: Citation {
        authors: "Cheng et al., 2016",
        title: "Wide & Deep Learning for Recommender Systems",
        link: "https://arxiv.org/abs/1606.07792",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        EMBEDDING,
        HIDDEN,
        NEGATIVES,
        DROPOUT,
        Param {
            name: "crosses",
            title: "Crosses",
            help: "Weights that pairs of a user's feature and an item's attribute are hashed to.",
            kind: ParamKind::Integer { min: 1, max: 16_777_216, default: 65_536 },
        },
        ATTRIBUTES,
    ],
    losses: &[Loss::Bce, Loss::Bpr, Loss::SampledSoftmax],
    training: Some(TrainingDefaults::of(20, 256)),
    cold_users: COLD_USERS_OF_FIELDS,
    cold_items: COLD_FIELDS,
    new_users: NO_VECTOR,
    explains: None,
};

pub(super) static DEEPFM: Entry = Entry {
    kind: "deepfm",
    title: "DeepFM",
    family: Family::Neural,
    summary: "A factorization machine, which gives each feature a weight and a vector and adds the products of all pairs of vectors, and ReLU layers over the same vectors make one score. It learns from who has what and from the attributes of both, without crosses made by hand.",
    headline: "Products of features and a network learn together what each person will want next",
    source: Citation {
        authors: "Guo, Tang, Ye, Li, He, 2017",
        title: "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction",
        link: "https://arxiv.org/abs/1703.04247",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[EMBEDDING, HIDDEN, NEGATIVES, DROPOUT, ATTRIBUTES],
    losses: &[Loss::Bce, Loss::Bpr, Loss::SampledSoftmax],
    training: Some(TrainingDefaults::of(20, 256)),
    cold_users: COLD_USERS_OF_FIELDS,
    cold_items: COLD_FIELDS,
    new_users: NO_VECTOR,
    explains: None,
};

pub(super) static DLRM: Entry = Entry {
    kind: "dlrm",
    title: "DLRM",
    family: Family::Neural,
    summary: "A bottom network makes a vector of the numbers that are known, among them how often the user and the item were rated, and each categorical feature has a vector of its own; a top network sees the dot products of all pairs of vectors. It learns from who has what and from the attributes of both.",
    headline: "Products of features learn what each person will want next",
    source: Citation {
        authors: "Naumov et al., 2019",
        title: "Deep Learning Recommendation Model for Personalization and Recommendation Systems",
        link: "https://arxiv.org/abs/1906.00091",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: false,
    params: &[
        EMBEDDING,
        Param {
            name: "bottom",
            title: "Bottom layers",
            help: "Width of each ReLU layer that the numbers go through.",
            kind: ParamKind::Integers { min: 1, max: 4096, max_len: 16, default: &[32] },
        },
        Param { title: "Top layers", help: "Width of each ReLU layer over the products.", ..HIDDEN },
        NEGATIVES,
        DROPOUT,
        ATTRIBUTES,
    ],
    losses: &[Loss::Bce, Loss::Bpr, Loss::SampledSoftmax],
    training: Some(TrainingDefaults::of(5, 256)),
    cold_users: COLD_USERS_OF_FIELDS,
    cold_items: COLD_FIELDS,
    new_users: NO_VECTOR,
    explains: None,
};

pub(super) static AUTOENCODER: Entry = Entry {
    kind: "autoencoder",
    title: "Variational autoencoder",
    family: Family::Neural,
    summary: "Mult-VAE: all that a person has goes through a narrow, noisy middle and must come out again as the likeliest of all items. It answers for anybody whose items it is shown, also people whom it never met.",
    headline: "A network that remembers people by a few numbers learns what each will want next",
    source: Citation {
        authors: "Liang, Krishnan, Hoffman, Jebara, 2018",
        title: "Variational Autoencoders for Collaborative Filtering",
        link: "https://arxiv.org/abs/1802.05814",
    },
    predicts: Predicts::Scores,
    needs: &[],
    seed: Seed::Learning,
    reads_history: true,
    params: &[
        Param {
            name: "hidden",
            title: "Hidden layer",
            help: "Width of the layer before and of the layer after the middle; 600 in the paper, for much larger data.",
            kind: ParamKind::Integer { min: 1, max: 4096, default: 200 },
        },
        Param {
            name: "latent",
            title: "Middle",
            help: "Numbers that a person is remembered by; 200 in the paper.",
            kind: ParamKind::Integer { min: 1, max: 2048, default: 64 },
        },
        Param {
            name: "dropout",
            title: "Dropout",
            help: "Share of a person's items that a step hides.",
            kind: ParamKind::Float { min: 0.0, max: 0.95, default: 0.5 },
        },
        Param {
            name: "kl_weight",
            title: "Weight of the divergence",
            help: "How strongly the middle is pulled towards a normal distribution in the end: the cap of β.",
            kind: ParamKind::Float { min: 0.0, max: 1.0, default: 0.2 },
        },
        Param {
            name: "annealing_steps",
            title: "Annealing steps",
            help: "Steps in which that weight grows from 0.",
            kind: ParamKind::Integer { min: 0, max: 10_000_000, default: 2000 },
        },
    ],
    losses: &[Loss::CrossEntropy, Loss::Bce, Loss::Mse],
    training: Some(TrainingDefaults::of(60, 100)),
    cold_users: "the list of somebody who has nothing: about the popular items",
    cold_items: "nearly what they started with: no step learns of them, neither as had nor as not had",
    new_users: Ok("their items go through the network as everybody's do"),
    explains: None,
};
