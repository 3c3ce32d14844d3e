//! What will not fit, in a sentence, with what would.

use recspeed_types::spec::{Loss, Optimizer, Training};

use super::{Whole, WholeOutlook};
use crate::words::{bytes, duration};

/// A change of the training that takes less.
struct Change {
    words: String,
    outlook: WholeOutlook,
}

/// Why a training does not fit into `room` bytes, what to try and what takes less; `None` where it fits.
pub fn refusal(whole: &Whole<'_>, room: u64) -> Option<String> {
    let outlook = whole.outlook();
    let total = outlook.total();
    if total <= room {
        return None;
    }
    let evaluation = match outlook.evaluation {
        0 => String::new(),
        evaluation => format!(" ({} of that while it is evaluated)", bytes(evaluation)),
    };
    let time =
        whole.seconds().map_or_else(String::new, |seconds| format!(" It would train for about {}.", duration(seconds)));
    let (largest, part) = largest(&outlook);
    Some(format!(
        "This does not fit: one device would hold {}, with what its process needs beside that about {}{evaluation}, and may have {}, \
         {} too little.{time} The largest part: {largest}, {}.{} {}",
        bytes(outlook.ledger()),
        bytes(total),
        bytes(room),
        bytes(total - room),
        bytes(part),
        remedy(whole, total, room),
        less(whole, largest)
    ))
}

fn largest(outlook: &WholeOutlook) -> (&'static str, u64) {
    outlook.parts().into_iter().fold(("", 0), |most, part| if part.1 > most.1 { part } else { most })
}

/// Of the changes that were planned the first that makes it fit; else the one that saves most.
fn remedy(whole: &Whole<'_>, total: u64, room: u64) -> String {
    let changes = changes(whole, room);
    let fits = changes.iter().find(|change| change.outlook.total() <= room);
    let best = fits.or_else(|| changes.iter().min_by_key(|change| change.outlook.total()));
    match best.filter(|change| change.outlook.total() < total) {
        None => String::new(),
        Some(Change { words, outlook }) => {
            let then = outlook.total();
            let enough = if then > room { ", still too much" } else { "" };
            format!(" Try {words}: {} ({} less){enough}.", bytes(then), bytes(total - then))
        }
    }
}

/// What else the training could be, the least that it costs in quality first.
fn changes(whole: &Whole<'_>, room: u64) -> Vec<Change> {
    let training = whole.training;
    let planned = |words: String, training: Training| {
        let outlook = Whole { training: &training, ..*whole }.outlook();
        Change { words, outlook }
    };
    let mut changes = Vec::new();
    let mut batch = training.batch_size / 2;
    while batch > 0 {
        let change = planned(format!("training.batch_size = {batch}"), Training { batch_size: batch, ..*training });
        let enough = change.outlook.total() <= room;
        changes.push(change);
        if enough {
            break;
        }
        batch /= 2;
    }
    let losses = whole.recommender.entry.losses;
    if training.loss == Loss::CrossEntropy && losses.contains(&Loss::SampledSoftmax) {
        let loss = Loss::SampledSoftmax;
        changes.push(planned(format!("training.loss = \"{}\"", loss.as_str()), Training { loss, ..*training }));
    }
    if training.optimizer != Optimizer::Sgd {
        let optimizer = Optimizer::Sgd;
        changes.push(planned("training.optimizer = \"sgd\"".to_owned(), Training { optimizer, ..*training }));
    }
    changes
}

/// What takes less without having been planned: smaller data, narrower vectors, another method.
fn less(whole: &Whole<'_>, largest: &str) -> String {
    let entry = whole.recommender.entry;
    let width = crate::networks::network(entry.kind).map_or("recommender.factors", |network| network.width);
    let other = match (entry.kind, largest) {
        ("autoencoder", "scores of a batch") => "`neumf` and `sasrec`, which score a few drawn items instead of all",
        (_, "activations of a batch") if entry.reads_history => "`item-knn`, which keeps nothing of a batch",
        _ => "`item-knn`, which learns no vectors",
    };
    format!(
        "Fewer users and items (dataset.min_user, dataset.min_item, dataset.sample), a smaller {width} or another method take less, as \
         {other}."
    )
}
