//! Networks that read what somebody did in the order of time.

use super::{Citation, Entry, Family, Need, Param, ParamKind, Predicts, Seed, TrainingDefaults};
use crate::spec::Loss;

/// The losses of every sequence model, each asked at every item for the one that follows.
const LOSSES: &[Loss] = &[Loss::SampledSoftmax, Loss::CrossEntropy, Loss::Bce, Loss::Bpr];
const TRAINING: TrainingDefaults = TrainingDefaults::of(20, 128);
const COLD_USERS: &str = "every score is 0: the tie rule decides";
const COLD_ITEMS: &str = "a score by its untrained vector; lists leave such items out unless asked for";
const NEW_USERS: Result<&str, &str> = Ok("the basket is read as a history, its first item as the oldest");

const FACTORS: Param = Param {
    name: "factors",
    title: "Factors",
    help: "Numbers of each item's vector.",
    kind: ParamKind::Integer { min: 1, max: 1024, default: 64 },
};

const LENGTH: Param = Param {
    name: "length",
    title: "Length",
    help: "Items of a history that count, the newest ones.",
    kind: ParamKind::Integer { min: 2, max: 4096, default: 50 },
};

const DROPOUT: Param = Param {
    name: "dropout",
    title: "Dropout",
    help: "Share of the numbers between layers that is left out while learning.",
    kind: ParamKind::Float { min: 0.0, max: 0.95, default: 0.2 },
};

const BLOCKS: Param = Param {
    name: "blocks",
    title: "Blocks",
    help: "Attention layers above each other.",
    kind: ParamKind::Integer { min: 1, max: 32, default: 2 },
};

const HEADS: Param = Param {
    name: "heads",
    title: "Heads",
    help: "Parts of a vector that attend apart; they must divide the factors.",
    kind: ParamKind::Integer { min: 1, max: 64, default: 1 },
};

const NEGATIVES: Param = Param {
    name: "negatives",
    title: "Drawn items",
    help: "Items drawn for each question to score beside the wanted one; cross-entropy scores all items instead. The papers that use bce or bpr draw 1.",
    kind: ParamKind::Integer { min: 1, max: 100_000, default: 256 },
};

const SHARED_BY: Param = Param {
    name: "shared_by",
    title: "Shared by",
    help: "Questions that are asked with the same drawn items: more is faster and draws less; 0 for the whole batch.",
    kind: ParamKind::Integer { min: 0, max: 100_000, default: 16 },
};

const LOG_Q: Param = Param {
    name: "log_q",
    title: "Correct for the draw",
    help: "Lets each drawn item count for all those that it stands for: sampled softmax then comes near cross-entropy.",
    kind: ParamKind::Boolean { default: false },
};

const SPARE_OWN: Param = Param {
    name: "spare_own",
    title: "Spare own items",
    help: "Draws no item that the person has, as the public SASRec and Caser do; otherwise only the wanted one does not count as drawn.",
    kind: ParamKind::Boolean { default: true },
};

pub(super) static GRU4REC: Entry = Entry {
    kind: "gru4rec",
    title: "GRU4Rec",
    family: Family::Neural,
    summary: "A gated recurrent network reads a history item by item and says after each what comes next. Its state is all that it remembers, so the newest items speak loudest.",
    headline: "A recurrent network learns which item comes next",
    source: Citation {
        authors: "Hidasi, Karatzoglou, Baltrunas, Tikk, 2016",
        title: "Session-based Recommendations with Recurrent Neural Networks",
        link: "https://arxiv.org/abs/1511.06939",
    },
    predicts: Predicts::Scores,
    needs: &[Need::Order],
    seed: Seed::Learning,
    reads_history: true,
    params: &[
        FACTORS,
        Param {
            name: "hidden",
            title: "State",
            help: "Numbers of the state.",
            kind: ParamKind::Integer { min: 1, max: 2048, default: 128 },
        },
        Param {
            name: "layers",
            title: "Layers",
            help: "Recurrent layers above each other.",
            kind: ParamKind::Integer { min: 1, max: 8, default: 1 },
        },
        DROPOUT,
        LENGTH,
        NEGATIVES,
        SHARED_BY,
        LOG_Q,
        SPARE_OWN,
    ],
    losses: LOSSES,
    training: Some(TRAINING),
    cold_users: COLD_USERS,
    cold_items: COLD_ITEMS,
    new_users: NEW_USERS,
    explains: None,
};

pub(super) static CASER: Entry = Entry {
    kind: "caser",
    title: "Caser",
    family: Family::Neural,
    summary: "Looks at the newest few items as at a picture and finds patterns in it with convolutions of every height. The user's own vector adds what does not change from day to day.",
    headline: "Convolutions learn patterns of the newest few items",
    source: Citation {
        authors: "Tang, Wang, 2018",
        title: "Personalized Top-N Sequential Recommendation via Convolutional Sequence Embedding",
        link: "https://arxiv.org/abs/1809.07426",
    },
    predicts: Predicts::Scores,
    needs: &[Need::Order],
    seed: Seed::Learning,
    reads_history: true,
    params: &[
        FACTORS,
        Param {
            name: "window",
            title: "Window",
            help: "Newest items that are looked at.",
            kind: ParamKind::Integer { min: 1, max: 50, default: 5 },
        },
        Param {
            name: "ahead",
            title: "Ahead",
            help: "Items after the window that it is asked for while learning.",
            kind: ParamKind::Integer { min: 1, max: 20, default: 2 },
        },
        DROPOUT,
        Param {
            name: "horizontal",
            title: "Horizontal filters",
            help: "Filters over several items, of each height.",
            kind: ParamKind::Integer { min: 1, max: 256, default: 16 },
        },
        Param {
            name: "vertical",
            title: "Vertical filters",
            help: "Weighted sums of the items in the window.",
            kind: ParamKind::Integer { min: 1, max: 64, default: 4 },
        },
        NEGATIVES,
        SHARED_BY,
        LOG_Q,
        SPARE_OWN,
    ],
    losses: LOSSES,
    training: Some(TRAINING),
    cold_users: COLD_USERS,
    cold_items: COLD_ITEMS,
    new_users: Ok("the basket is read as a history, its first item as the oldest, with no vector for the user"),
    explains: None,
};

pub(super) static SASREC: Entry = Entry {
    kind: "sasrec",
    title: "SASRec",
    family: Family::Neural,
    summary: "A transformer looks back over a history and weighs at each item which earlier ones matter for the next. Its loss matters more than its size: with sampled softmax over a few hundred items one block is enough.",
    headline: "Self-attention learns which of the earlier items matter for the next",
    source: Citation {
        authors: "Kang, McAuley, 2018",
        title: "Self-Attentive Sequential Recommendation",
        link: "https://arxiv.org/abs/1808.09781",
    },
    predicts: Predicts::Scores,
    needs: &[Need::Order],
    seed: Seed::Learning,
    reads_history: true,
    params: &[
        FACTORS,
        BLOCKS,
        HEADS,
        DROPOUT,
        LENGTH,
        Param {
            name: "attention",
            title: "Attention",
            help: "What an item looks back at: everything, a window, or its block and the last item of each earlier block. Windows and blocks cost time and memory in proportion to the length instead of its square: that pays from about a hundred items on. Where it would take more than everything does, as blocks in short histories, everything is scored and the rest is hidden.",
            kind: ParamKind::Choice { options: &["full", "local-window", "block-sparse"], default: "full" },
        },
        Param {
            name: "window",
            title: "Window or block",
            help: "Items of a window or of a block.",
            kind: ParamKind::Integer { min: 1, max: 1024, default: 8 },
        },
        NEGATIVES,
        SHARED_BY,
        LOG_Q,
        SPARE_OWN,
    ],
    losses: LOSSES,
    training: Some(TRAINING),
    cold_users: COLD_USERS,
    cold_items: COLD_ITEMS,
    new_users: NEW_USERS,
    explains: None,
};

pub(super) static BERT4REC: Entry = Entry {
    kind: "bert4rec",
    title: "BERT4Rec",
    family: Family::Neural,
    summary: "A transformer learns to guess hidden items of a history from those on both sides. Asked for a recommendation, it guesses one more item at the end.",
    headline: "A transformer learns to guess hidden items from both sides",
    source: Citation {
        authors: "Sun, Liu, Wu, Pei, Lin, Ou, Jiang, 2019",
        title: "BERT4Rec: Sequential Recommendation with Bidirectional Encoder Representations from Transformer",
        link: "https://arxiv.org/abs/1904.06690",
    },
    predicts: Predicts::Scores,
    needs: &[Need::Order],
    seed: Seed::Learning,
    reads_history: true,
    params: &[
        FACTORS,
        BLOCKS,
        HEADS,
        Param {
            name: "hidden",
            title: "Hidden share",
            help: "Share of the items of a history that must be guessed.",
            kind: ParamKind::Float { min: 0.01, max: 0.99, default: 0.2 },
        },
        DROPOUT,
        LENGTH,
        Param {
            name: "item_bias",
            title: "Item bias",
            help: "Adds a bias of each item to its score, as the paper's equation 7 does.",
            kind: ParamKind::Boolean { default: true },
        },
        NEGATIVES,
        SHARED_BY,
        LOG_Q,
        SPARE_OWN,
    ],
    losses: &[Loss::CrossEntropy, Loss::SampledSoftmax, Loss::Bce, Loss::Bpr],
    training: Some(TRAINING),
    cold_users: COLD_USERS,
    cold_items: COLD_ITEMS,
    new_users: NEW_USERS,
    explains: None,
};
