//! Networks on Burn.

use super::{Citation, Entry, Family, Param, ParamKind, Predicts};
use crate::spec::Loss;

pub(super) static MLP: Entry = Entry {
    kind: "mlp",
    title: "Four-layer network",
    family: Family::Neural,
    summary: "The paper's network: user index, item index and timestamp, each scaled to 0…1, go through three hidden ReLU layers to one output, the rating scaled to 0…1. Ids as plain numbers carry little, so expect it to learn the mean rating and its drift over time rather than anybody's taste.",
    headline: "A four-layer network learns how many stars each person gives",
    source: Citation { authors: "Recspeed", title: "Recommending with Speed", link: "" },
    predicts: Predicts::Ratings,
    needs: &[],
    random: true,
    params: &[Param {
        name: "hidden",
        title: "Hidden layers",
        help: "Width of each hidden ReLU layer.",
        kind: ParamKind::Integers { min: 1, max: 4096, max_len: 16, default: &[64, 64, 64] },
    }],
    losses: &[Loss::Mse, Loss::Mae],
    cold_users: "their index is a number like any other",
    cold_items: "their index is a number like any other",
    new_users: None,
    explains: None,
};
