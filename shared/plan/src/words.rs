//! Plans in sentences, and their numbers as people read them: the same on the page and in a terminal.

use recspeed_types::spec::ResolvedRecommender;

use crate::timeline::Waits;
use crate::{Bottleneck, Change, Limit, Outlook, Recompute, Remedy, ScheduleKind, Strategy, pace};

impl ScheduleKind {
    /// The name as it stands in a sentence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Gpipe => "GPipe",
            Self::OneForwardOneBackward => "1F1B",
            Self::Interleaved => "Interleaved",
            Self::ZeroBubbleH1 => "ZB-H1",
        }
    }
}

/// What limits the strategy and what to try: one or two sentences.
pub fn verdict(found: &Bottleneck, strategy: &Strategy, outlook: &Outlook) -> String {
    let alone = strategy.is_alone();
    let (lost, idle) = (share(found.share), share(outlook.simulation.idle_share()));
    let limit = match found.limit {
        Limit::Memory { rank, bytes: held, room } => {
            let missing = bytes(held - room);
            if let Some(rank) = rank {
                format!(
                    "This does not fit: rank {rank} would hold {} and has {}, {missing} too little.",
                    bytes(held),
                    bytes(room)
                )
            } else {
                // Of ranks on devices with memory of their own it is what they hold in the machine's.
                let process = outlook.process(strategy);
                let apart = !outlook.devices(strategy).is_empty();
                let evaluation = match process.evaluation {
                    0 => String::new(),
                    evaluation => format!(" ({} of that while it is evaluated)", bytes(evaluation)),
                };
                let (who, whose) = if alone { ("this training", "its") } else { ("all ranks together", "their") };
                format!(
                    "This does not fit: {who} would hold {}{}, with what {whose} process needs beside that about \
                     {}{evaluation}, and may have {}, {missing} too little.",
                    bytes(process.ledgers),
                    if apart { " in the machine's memory" } else { "" },
                    bytes(held),
                    bytes(room)
                )
            }
        }
        // The number that stands beside it as “Idle”. Its parts only decide what is told.
        Limit::Bubble => format!("Ranks are idle {idle} of the time, mainly while the pipeline fills and drains."),
        Limit::Imbalance { rank } => {
            format!("Rank {rank} has the most work: ranks are idle {idle} of the time, mainly waiting for it.")
        }
        Limit::Messages => format!("Ranks are idle {idle} of the time, mainly waiting for messages between stages."),
        Limit::Sharing => format!(
            "Ranks spend {lost} of the step bringing together what each of the {} that share a layer makes.",
            strategy.tensor
        ),
        Limit::Tables | Limit::Reduction => {
            let tables = found.limit == Limit::Tables;
            let rows = "sending each other rows of tables and their gradients";
            let what = if tables { rows } else { "exchanging gradients with the replicas" };
            format!("Ranks spend {lost} of the step {what}.")
        }
        Limit::Update => {
            let host = if strategy.offload { " on the host, with the messages there and back," } else { "" };
            format!("The optimizer's update{host} takes {lost} of the step.")
        }
        Limit::Computation if alone => "One rank computes and waits for nobody.".to_owned(),
        Limit::Computation => {
            format!("The ranks compute; nothing else takes more than {lost} of the step.")
        }
    };
    let fullest = outlook.fullest().1;
    if let Some(remedy) = &found.remedy {
        let now = outlook.simulation.total_us;
        let effect = match found.limit {
            Limit::Memory { rank, bytes: held, room } => {
                let then = if rank.is_some() { remedy.bytes } else { remedy.together };
                let saved = format!("{} less", bytes(held.saturating_sub(then)));
                let enough = if then > room { ", still too much" } else { "" };
                let pace = match remedy.step_us / now - 1.0 {
                    change if change > 0.005 => format!("; a step takes {} longer", share(change)),
                    change if change < -0.005 => format!("; a step takes {} less", share(-change)),
                    _ => String::new(),
                };
                format!("{} ({saved}){enough}{pace}", bytes(then))
            }
            limit => {
                let larger = matches!(remedy.change, Change::Batch(_));
                let whole = if larger || limit == Limit::Reduction { " for as many samples" } else { "" };
                let more = remedy.bytes.saturating_sub(fullest);
                let price = if more > fullest / 50 {
                    format!(", with {} more on the fullest rank", bytes(more))
                } else {
                    String::new()
                };
                format!("{} a step instead of {}{whole}{price}", time(remedy.step_us), time(now))
            }
        };
        format!("{limit} Try {}: {effect}.", change(remedy, strategy, outlook))
    } else {
        let left = match found.limit {
            // What else takes less is named by whoever knows the network.
            Limit::Memory { rank: None, .. } if alone => "Nothing that was tried is enough.",
            Limit::Memory { .. } => "Use more ranks, smaller micro-batches or a smaller model.",
            Limit::Computation => "More ranks or faster ones are what is left.",
            Limit::Sharing => {
                "Wider layers, larger micro-batches, fewer ranks that share them or a faster link are what is left."
            }
            Limit::Tables => "Narrower rows, smaller batches or a faster link are what is left.",
            Limit::Reduction => "Larger batches, fewer replicas or a faster link are what is left.",
            Limit::Update => "Larger batches or plain gradient descent are what is left.",
            // Only what was planned is known not to help.
            Limit::Bubble | Limit::Imbalance { .. } | Limit::Messages => {
                "Nothing that was tried helps, fits and can be set: other schedules, more and fewer micro-batches, \
                     borders equal in time, half the ranks. A larger batch may help."
            }
        };
        format!("{limit} {left}")
    }
}

fn change(remedy: &Remedy, strategy: &Strategy, outlook: &Outlook) -> String {
    match &remedy.change {
        Change::MicroBatches(n) => format!("{n} micro-batches"),
        Change::Schedule(kind, chunks) => {
            let title = kind.title();
            if *chunks > 1 { format!("{title} with {chunks} stages a rank") } else { title.to_owned() }
        }
        Change::Recompute(Recompute::Never) => "keeping all activations".to_owned(),
        Change::Recompute(Recompute::ExceptLast) => "computing all but the last micro-batch again".to_owned(),
        Change::Recompute(Recompute::Always) => "computing the forward passes again".to_owned(),
        Change::Level(level) => format!("ZeRO {}", level.zero_stage()),
        Change::Counts(counts) => moved(&outlook.partition.counts(), counts),
        // Those of one pipeline, of which there are several.
        Change::Ranks(ranks) if strategy.copies() > 1 => {
            let stages = if *ranks == 1 { "1 stage".to_owned() } else { format!("{} stages", ranks * strategy.chunks) };
            format!("{stages} on {} ranks", ranks * strategy.copies())
        }
        Change::Ranks(ranks) if *ranks == 1 => "1 rank".to_owned(),
        Change::Ranks(ranks) => format!("{ranks} ranks"),
        // A spec says how many rows all replicas share, the page how many each has.
        Change::Batch(batch) if strategy.replicas > 1 => {
            format!("batches of {}, {batch} in each replica", batch.saturating_mul(strategy.replicas))
        }
        Change::Batch(batch) => format!("batches of {batch}"),
        Change::Offload(true) => "the optimizer's state on the host".to_owned(),
        Change::Offload(false) => "the optimizer's state on the ranks themselves".to_owned(),
    }
}

/// What becomes of the borders: the one that moves, where it is one.
fn moved(from: &[usize], to: &[usize]) -> String {
    let ends = |counts: &[usize]| {
        counts
            .iter()
            .scan(0, |end, count| {
                *end += count;
                Some(*end)
            })
            .collect::<Vec<usize>>()
    };
    let (from, to) = (ends(from), ends(to));
    let mut borders = from.iter().zip(&to).enumerate().filter(|(_, (a, b))| a != b);
    match (borders.next(), borders.next()) {
        (Some((stage, (a, b))), None) => {
            let (source, target) = if a > b { (stage, stage + 1) } else { (stage + 1, stage) };
            let n = a.abs_diff(*b);
            format!("moving {n} layer{} from stage {source} to stage {target}", if n == 1 { "" } else { "s" })
        }
        _ => "cutting the stages anew, equal in time".to_owned(),
    }
}

/// Bytes in the nearest binary unit.
pub fn bytes(n: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = n as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < units.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 || size >= 100.0 { format!("{size:.0} {}", units[unit]) } else { format!("{size:.1} {}", units[unit]) }
}

/// A share in percent.
pub fn share(part: f64) -> String {
    let percent = part * 100.0;
    if percent == 0.0 || percent >= 10.0 { format!("{percent:.0} %") } else { format!("{percent:.1} %") }
}

/// What the ranks of a run waited for each other inside what they did; `None` where they did not, or did not tell.
pub fn waited(waits: &Waits) -> Option<String> {
    let mut parts: Vec<String> =
        waits.shares.iter().map(|(part, waited)| format!("{} {}", part.title(), share(*waited))).collect();
    let first = parts.first_mut()?;
    *first = format!("{first} of its time");
    let mostly = waits.mostly_for.map(|rank| format!("; most of it for rank {rank}")).unwrap_or_default();
    Some(format!("Waiting for other ranks inside what they do: {}{mostly}.", parts.join(", ")))
}

/// What else can be trained on such data in less memory and time, where a training will not fit: how long that would take, where the
/// number of rows is known, and what to take in its place. `alone`: one device was to train it anyway.
pub fn instead(recommender: &ResolvedRecommender, seconds: Option<f64>, alone: bool) -> String {
    let who = if alone { "It would train" } else { "One device would train it" };
    let time = seconds.map_or_else(String::new, |seconds| format!("{who} for about {}. ", duration(seconds)));
    // The sizes of the network are named one by one.
    let lower = "training.batch_size, or the number of rows with dataset.sample";
    let remedy = recspeed_types::Remedy { lower, ..*pace::remedy(recommender.entry) };
    format!("{time}To take less, lower {}{remedy}.", sizes(recommender))
}

/// Parameters that say how large a network is, or how much of a history it reads at once.
const SIZES: &[&str] = &["factors", "embedding", "latent", "bottom", "hidden", "layers", "growth", "blocks", "length"];

/// Those that it has, with their values, each with a comma behind it.
fn sizes(recommender: &ResolvedRecommender) -> String {
    let named = SIZES.iter().filter_map(|name| {
        let value = recommender.params().get(name)?;
        Some(format!("recommender.{name} (now {value}), "))
    });
    named.collect()
}

/// Seconds in the nearest unit.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1.5 => "a second".to_owned(),
        s if s < 120.0 => format!("{s:.0} seconds"),
        s if s < 7200.0 => format!("{:.0} minutes", s / 60.0),
        s if s < 172_800.0 => format!("{:.0} hours", s / 3600.0),
        s => format!("{:.0} days", s / 86_400.0),
    }
}

/// A stretch of time, from microseconds to minutes, with three digits.
pub fn time(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1e3 => (us, "µs"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us if us < 6e7 => (us / 1e6, "s"),
        us => (us / 6e7, "min"),
    };
    let digits = if value >= 100.0 || value == 0.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_unit() {
        assert_eq!(
            [0.0, 1.234, 56.78, 999.0, 1234.0, 2.5e6, 9e7].map(time),
            ["0 µs", "1.23 µs", "56.8 µs", "999 µs", "1.23 ms", "2.50 s", "1.50 min"]
        );
    }

    #[test]
    fn stretches_of_a_training_are_told_in_the_nearest_unit() {
        assert_eq!(
            [0.1, 90.0, 600.0, 36_000.0, 864_000.0].map(duration),
            ["a second", "90 seconds", "10 minutes", "10 hours", "10 days"]
        );
    }

    #[test]
    fn waiting_is_told_by_what_waited_and_for_whom() {
        use crate::timeline::Part;
        let shares = vec![(Part::Forward, 0.12), (Part::Backward, 0.31)];
        let text = waited(&Waits { shares: shares.clone(), mostly_for: Some(2) });
        let expected = "Waiting for other ranks inside what they do: forward 12 % of its time, backward 31 %; most of \
                        it for rank 2.";
        assert_eq!(text.as_deref(), Some(expected));
        let text = waited(&Waits { shares, mostly_for: None });
        assert!(text.is_some_and(|text| text.ends_with("backward 31 %.")), "whom it was for is not known");
        assert_eq!(waited(&Waits::default()), None);
    }

    #[test]
    fn sizes_and_shares_have_units() {
        assert_eq!([12, 2048, 5_242_880].map(bytes), ["12 B", "2.0 KiB", "5.0 MiB"]);
        assert_eq!([0.0, 0.005, 0.5].map(share), ["0 %", "0.5 %", "50 %"]);
    }
}
