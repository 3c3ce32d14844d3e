//! What will not fit, in a sentence, with what would.

use recspeed_types::spec::{Loss, Optimizer, Training};

use super::{Whole, WholeOutlook};
use crate::DeviceMemory;
use crate::words::{bytes, duration};

/// A change of the training that takes less.
struct Change {
    words: String,
    /// Bytes that it then holds.
    held: u64,
}

/// How many bytes of some memory a training holds.
type Held<'h> = &'h dyn Fn(&Whole<'_>) -> u64;

/// Why a training does not fit into `room` bytes, where all of it lies in one memory, what to try and what takes less; `None` where it
/// fits.
pub fn refusal(whole: &Whole<'_>, room: u64) -> Option<String> {
    let outlook = whole.outlook();
    let total = outlook.total();
    if total <= room {
        return None;
    }
    let (largest, part) = largest(&outlook);
    Some(format!(
        "This does not fit: one device would hold {}, with what its process needs beside that about {}{}, and may have {}, {} too \
         little.{} The largest part: {largest}, {}.{} {}",
        bytes(outlook.ledger()),
        bytes(total),
        evaluation(&outlook),
        bytes(room),
        bytes(total - room),
        time(whole),
        bytes(part),
        remedy(whole, room, &|whole| whole.outlook().total()),
        less(whole, largest)
    ))
}

/// Why a training does not fit where its numbers lie: on its device, where that has memory of its own, and in the `limit` bytes that a
/// run may use of the machine's, where that is known. `None` where it fits, and where nobody knows.
pub fn refusal_where(whole: &Whole<'_>, memory: &DeviceMemory, limit: Option<u64>) -> Option<String> {
    let Some(device) = whole.on_its_device(memory) else { return refusal(whole, limit?) };
    let of_the_device = device.refusal().map(|refusal| {
        let room = device.room().unwrap_or(u64::MAX);
        let remedy = remedy(whole, room, &|whole| whole.on_its_device(memory).map_or(0, |device| device.total()));
        format!("{refusal}{remedy} With engine.device = \"flex\" it is trained in the machine's memory.")
    });
    let of_the_machine = limit.and_then(|room| beside(whole, room));
    let causes: Vec<String> = of_the_device.into_iter().chain(of_the_machine).collect();
    if causes.is_empty() {
        return None;
    }
    let (largest, _) = largest(&whole.outlook());
    Some(format!("{}{} {}", causes.join(" "), time(whole), less(whole, largest)))
}

/// Why what stays with the machine does not fit there.
fn beside(whole: &Whole<'_>, room: u64) -> Option<String> {
    let outlook = whole.beside_its_device();
    let total = outlook.total();
    let (largest, part) = largest(&outlook);
    (total > room).then(|| {
        format!(
            "This does not fit: beside what its device holds, its process would hold about {} of the machine's memory{}, and may have {}, \
             {} too little. The largest part: {largest}, {}.{}",
            bytes(total),
            evaluation(&outlook),
            bytes(room),
            bytes(total - room),
            bytes(part),
            remedy(whole, room, &|whole| whole.beside_its_device().total())
        )
    })
}

/// Of a process, how much of what it holds is for the evaluation.
fn evaluation(outlook: &WholeOutlook) -> String {
    match outlook.evaluation {
        0 => String::new(),
        evaluation => format!(" ({} of that while it is evaluated)", bytes(evaluation)),
    }
}

/// About how long it would train, where that is known.
fn time(whole: &Whole<'_>) -> String {
    whole.seconds().map_or_else(String::new, |seconds| format!(" It would train for about {}.", duration(seconds)))
}

fn largest(outlook: &WholeOutlook) -> (&'static str, u64) {
    outlook.parts().into_iter().fold(("", 0), |most, part| if part.1 > most.1 { part } else { most })
}

/// Of the changes that were planned the first that makes it fit; else the one that saves most.
fn remedy(whole: &Whole<'_>, room: u64, held: Held<'_>) -> String {
    let (now, changes) = (held(whole), changes(whole, room, held));
    let fits = changes.iter().find(|change| change.held <= room);
    let best = fits.or_else(|| changes.iter().min_by_key(|change| change.held));
    match best.filter(|change| change.held < now) {
        None => String::new(),
        Some(Change { words, held }) => {
            let enough = if *held > room { ", still too much" } else { "" };
            format!(" Try {words}: {} ({} less){enough}.", bytes(*held), bytes(now - held))
        }
    }
}

/// What else the training could be, the least that it costs in quality first.
fn changes(whole: &Whole<'_>, room: u64, held: Held<'_>) -> Vec<Change> {
    let training = whole.training;
    let planned = |words: String, training: Training| {
        let held = held(&Whole { training: &training, ..*whole });
        Change { words, held }
    };
    let mut changes = Vec::new();
    let mut batch = training.batch_size / 2;
    while batch > 0 {
        let change = planned(format!("training.batch_size = {batch}"), Training { batch_size: batch, ..*training });
        let enough = change.held <= room;
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
    let (kinds, why) = other(whole, largest);
    let named: Vec<String> = kinds.iter().map(|kind| format!("`{kind}`")).collect();
    format!(
        "Fewer users and items (dataset.min_user, dataset.min_item, dataset.sample), a smaller {width} or another method take less, as \
         {}, which {why}.",
        named.join(" and ")
    )
}

/// The kinds that are named as taking less, where a training does not fit.
pub fn others(whole: &Whole<'_>) -> &'static [&'static str] {
    other(whole, largest(&whole.outlook()).0).0
}

/// Kinds that take less, and why.
fn other(whole: &Whole<'_>, largest: &str) -> (&'static [&'static str], &'static str) {
    let entry = whole.recommender.entry;
    match (entry.kind, largest) {
        ("autoencoder", "scores of a batch") => (&["neumf", "sasrec"], "score a few drawn items instead of all"),
        (_, "activations of a batch") if entry.reads_history => (&["item-knn"], "keeps nothing of a batch"),
        _ => (&["item-knn"], "learns no vectors"),
    }
}
