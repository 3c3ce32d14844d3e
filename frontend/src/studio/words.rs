//! The studio in sentences.

use recspeed_plan::sharding::ShardLevel;
use recspeed_plan::timeline::{Bar, Part, among, bubble_of, stage_of};
pub(crate) use recspeed_plan::words::{time, verdict};
use recspeed_plan::{Change, Idle, Layout, Outlook, RankOutlook, ScheduleKind, Strategy};
use recspeed_types::event::{MemoryBytes, Sent};

use super::setup::{Cut, SCHEDULES, Setup};
use crate::charts::{bytes, capital, count, counted, share};

/// A number of the plan: its name, itself, what stands beside it, what it means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Headline {
    /// For browser tests and the address of its hint.
    pub id: &'static str,
    /// Its name.
    pub word: &'static str,
    /// Itself.
    pub value: String,
    /// Beside it.
    pub beside: String,
    /// What it means.
    pub help: &'static str,
}

/// The numbers that a strategy is chosen by.
pub(crate) fn headline(strategy: &Strategy, outlook: &Outlook) -> Vec<Headline> {
    let run = &outlook.simulation;
    let samples = (strategy.batch * strategy.replicas) as f64;
    let (rank, fullest) = outlook.fullest();
    let most = outlook.ranks.iter().map(RankOutlook::sent).max().unwrap_or(0);
    let all = outlook.sent().saturating_mul(strategy.replicas as u64);
    let process = outlook.process(strategy);
    let host = match outlook.to_and_from_host() {
        (0, 0) => String::new(),
        (there, back) => format!("; {} to the host, {} back", bytes(there), bytes(back)),
    };
    vec![
        Headline {
            id: "step",
            word: "Step",
            value: time(run.total_us),
            beside: format!("{} samples a second", count((samples / run.total_us * 1e6).round() as u64)),
            help: "Forward and backward of one batch, the exchange with the replicas and the optimizer's update.",
        },
        Headline {
            id: "idle",
            word: "Idle",
            value: share(run.idle_share()),
            beside: waited_for(&Idle::of(strategy, outlook)),
            help: "The share of all ranks' time, until the last backward pass, in which they compute nothing, and what they wait for. Papers count the bubble instead, what the busiest rank waits by what it computes: (p − 1) / m of GPipe and 1F1B, (p − 1) / (v · m) interleaved, (p − 1) / 3m of ZB-H1, with p ranks, m micro-batches and v stages a rank.",
        },
        Headline {
            id: "memory",
            word: "Fullest rank",
            value: bytes(fullest),
            beside: format!(
                "rank {rank}; threads of one process about {}, {} of it to evaluate",
                bytes(process.total()),
                bytes(process.evaluation)
            ),
            help: "Parameters, gradients, optimizer state and the most activations and what else comes and goes at once, in 32 bits. Ranks that are threads of one process take together what stands beside it: updates, the allocator, what the first rank brings together and what it evaluates with come on top, the last with the experiment’s engine.threads, or one; the data are not counted.",
        },
        Headline {
            id: "traffic",
            word: "Sent in a step",
            value: bytes(most),
            beside: format!("by one rank; {} by all{host}", bytes(all)),
            help: "Activations and their gradients between stages, and what the replicas exchange. Beside it, where the optimizer’s state is offloaded: gradients and numbers that go from a rank’s device to the host, and the moved numbers that come back.",
        },
    ]
}

/// What the idle time is made of, in words; parts too small to be read are left out.
fn waited_for(idle: &Idle) -> String {
    let parts = [
        (idle.fill, "filling and draining".to_owned()),
        (idle.work, format!("waiting for rank {}", idle.rank)),
        (idle.messages, "waiting for messages".to_owned()),
    ];
    let parts = parts.into_iter().filter(|(part, _)| *part >= READ);
    // A number stays with its unit.
    let parts: Vec<String> =
        parts.map(|(part, words)| format!("{} {words}", share(part).replace(' ', "\u{a0}"))).collect();
    if parts.is_empty() { "of all ranks' time".to_owned() } else { parts.join(", ") }
}

/// The smallest share of the idle time's parts that is told.
const READ: f64 = 0.005;

/// The bubble as papers count it, beside what the published formula says of such a schedule.
pub(crate) fn bubble(strategy: &Strategy, outlook: &Outlook) -> String {
    let ideal = strategy.schedule.ideal_bubble(strategy.ranks, strategy.micro_batches, strategy.chunks);
    let formula = match strategy.schedule {
        ScheduleKind::Gpipe | ScheduleKind::OneForwardOneBackward => "(p − 1) / m",
        ScheduleKind::Interleaved => "(p − 1) / (v · m)",
        ScheduleKind::ZeroBubbleH1 => "(p − 1) / 3m",
    };
    format!(
        "Bubble, what the busiest rank waits by what it computes: {}. The published formula {formula} gives {}: it takes all stages to be \
         alike, messages to take no time and a backward pass to be two forward passes long.",
        share(outlook.simulation.bubble()),
        share(ideal)
    )
}

impl Setup {
    /// With a change that was proposed.
    pub(super) fn with(&self, change: &Change) -> Self {
        let mut new = self.clone();
        match change {
            Change::MicroBatches(n) => new.micro_batches = *n,
            Change::Schedule(kind, chunks) => new.reshape(|setup| {
                setup.schedule = kind.as_str();
                setup.chunks = *chunks;
            }),
            Change::Recompute(mode) => new.recompute = mode.as_str(),
            Change::Level(level) => {
                new.zero = match level {
                    ShardLevel::DataParallel => "0",
                    ShardLevel::Optimizer => "1",
                    ShardLevel::Gradients => "2",
                    ShardLevel::Parameters => "3",
                }
            }
            Change::Counts(counts) => new.cut = Cut::ByHand(counts.clone()),
            Change::Ranks(ranks) => new.reshape(|setup| setup.ranks = *ranks),
            Change::Batch(batch) => new.batch = *batch,
            Change::Offload(offload) => new.offload = if *offload { "host" } else { "device" },
        }
        new
    }
}

/// What a turn of a knob has dropped: borders set by hand, which were for another number of stages or another model. `None` where they
/// stand, or there were none.
pub(crate) fn dropped(before: &Setup, after: &Setup) -> Option<String> {
    let Cut::ByHand(counts) = &before.cut else { return None };
    if after.cut != Cut::Time {
        return None;
    }
    let same = counts.len() == after.ranks * after.chunks;
    let whose = if same { "another model".to_owned() } else { counted(counts.len() as u64, "stage") };
    let counts = counts.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    Some(format!("The borders set by hand ({counts} layers) were for {whose}: the stages are equal in time now."))
}

/// A bar in words.
pub(crate) fn about_bar(bar: &Bar, layout: Option<Layout>, measured: bool) -> String {
    let what = match (bar.part, bar.micro_batch) {
        (Part::Forward, Some(n)) => format!("forward pass of micro-batch {n}"),
        (Part::Again, Some(n)) => format!("forward pass of micro-batch {n}, computed again"),
        (Part::Backward, Some(n)) => format!("backward pass of micro-batch {n}"),
        (Part::Weight, Some(n)) => format!("gradients of the parameters for micro-batch {n}"),
        (part, _) => part.title().to_owned(),
    };
    let place = layout.map(|layout| {
        let stage = bar.micro_batch.map(|_| format!(", stage {}", stage_of(bar, layout)));
        stage.unwrap_or_default() + &among(bar.rank, layout)
    });
    let place = place.unwrap_or_default();
    let from = if measured { "measured, " } else { "" };
    let Bar { rank, start_us, end_us, .. } = *bar;
    format!(
        "Rank {rank}{place}: {what}, {from}from {} to {} ({}).",
        time(start_us),
        time(end_us),
        time(end_us - start_us)
    )
}

/// What was measured, beside what was foretold: of a pipeline the bubble and, where the run told it, the fullest rank and the one that
/// sent most.
pub(crate) fn compared(
    outlook: &Outlook,
    bars: &[Bar],
    (fullest, sent): (Option<MemoryBytes>, Option<Sent>),
) -> Option<String> {
    let bubble = bubble_of(bars)?;
    // Ranks that are no pipeline fill and drain none.
    let bubble = (outlook.schedule.ranks() > 1)
        .then(|| format!("bubble {} measured, {} foretold", share(bubble), share(outlook.simulation.bubble())));
    let memory = fullest.map(|held| {
        let (measured, foretold) = (bytes(held.on_the_device()), bytes(outlook.fullest().1));
        match held.at_peak {
            Some(of) => {
                let parts = [
                    ("parameters", of.parameters),
                    ("gradients", of.gradients),
                    ("optimizer", of.optimizer),
                    ("activations", of.activations),
                    ("what comes and goes", of.buffers),
                ];
                let parts = parts.into_iter().filter(|(_, held)| *held > 0);
                let parts = parts.map(|(name, held)| format!("{name} {}", bytes(held))).collect::<Vec<_>>().join(", ");
                format!("fullest rank {measured} measured ({parts}), {foretold} foretold")
            }
            // Of a run whose ranks told only the most of each part.
            None => format!("fullest rank at most {measured} measured, {foretold} foretold"),
        }
    });
    let sent = sent.map(|sent| {
        let measured = bytes(sent.bytes_per_step());
        let foretold = bytes(outlook.ranks.iter().map(RankOutlook::sent).max().unwrap_or(0));
        // What is sent of tables depends on the data, which the page has not read.
        let apart = if outlook.beside > 0 { " without tables" } else { "" };
        let waited = time(sent.waited_per_step_us() as f64);
        format!("most sent in a step {measured} measured, {foretold} foretold{apart}, that rank waited {waited}")
    });
    let parts: Vec<String> = bubble.into_iter().chain(memory).chain(sent).collect();
    (!parts.is_empty()).then(|| format!("{}.", capital(&parts.join("; "))))
}

/// The whole picture in words.
pub(crate) fn summary(strategy: &Strategy, outlook: &Outlook) -> String {
    let run = &outlook.simulation;
    let title = SCHEDULES.iter().find(|(name, _)| *name == strategy.schedule.as_str()).map_or("", |(_, title)| title);
    format!(
        "Predicted timeline of {title}: {}, {}, a step of {}, ranks are idle {} of the time. Arrow keys go through the instructions.",
        counted(strategy.ranks as u64, "rank"),
        counted(strategy.micro_batches as u64, "micro-batch"),
        time(run.total_us),
        share(run.idle_share())
    )
}

#[cfg(test)]
mod tests {
    use recspeed_plan::{Room, bottleneck};
    use recspeed_types::event::BytesAtPeak;

    use super::*;

    fn said(setup: &Setup) -> (String, Option<Setup>) {
        let (strategy, outlook) = setup.plan().expect("it is possible");
        let found = bottleneck(&strategy, &outlook, setup.room().map(Room::Each));
        let new = found.remedy.as_ref().map(|remedy| {
            let new = setup.with(&remedy.change);
            // What the button does is what the sentence says.
            let (_, planned) = new.plan().expect("the remedy is possible");
            assert_eq!(planned.fullest().1, remedy.bytes);
            new
        });
        (verdict(&found, &strategy, &outlook), new)
    }

    #[test]
    fn what_is_proposed_can_be_set() {
        let mut offered = 0;
        for schedule in ["gpipe", "1f1b", "zb-h1"] {
            for (ranks, micro_batches) in [(1, 1), (8, 64), (32, 8), (32, 160), (64, 64), (64, 100)] {
                for (room, batch, link) in [(0, 256, "memory"), (1, 65_536, "gigabit"), (400, 65_536, "none")] {
                    let recompute = "always";
                    let base = Setup::default();
                    let setup = Setup {
                        schedule,
                        ranks,
                        micro_batches,
                        room,
                        batch,
                        link,
                        recompute,
                        replicas: 2,
                        depth: 300,
                        ..base
                    };
                    let Ok((strategy, outlook)) = setup.plan() else { continue };
                    let found = bottleneck(&strategy, &outlook, setup.room().map(Room::Each));
                    let Some(new) = found.remedy.and_then(|remedy| setup.proposed(&remedy.change)) else { continue };
                    assert_eq!(Setup::from_query(&new.to_query()), new, "the address keeps it");
                    assert!(new.plan().is_ok(), "{new:?}");
                    offered += 1;
                }
            }
        }
        assert!(offered > 10, "only {offered} were offered");
        let setup = Setup { ranks: 32, room: 1, depth: 900, schedule: "1f1b", recompute: "always", ..Setup::default() };
        assert_eq!(setup.proposed(&Change::Ranks(64)).map(|new| new.ranks), Some(64));
        assert_eq!(setup.proposed(&Change::Ranks(128)), None);
        assert_eq!(Setup { batch: 65_536, ..setup }.proposed(&Change::Batch(131_072)), None);
    }

    #[test]
    fn a_bubble_is_told_with_the_number_of_micro_batches_that_helps() {
        let (text, new) = said(&Setup { ranks: 8, ..Setup::default() });
        let (strategy, outlook) = Setup { ranks: 8, ..Setup::default() }.plan().expect("it is possible");
        let idle = headline(&strategy, &outlook).into_iter().find(|one| one.id == "idle").expect("it is there").value;
        assert!(text.starts_with(&format!("Ranks are idle {idle} of the time, ")), "{text}");
        assert!(text.contains("fills and drains. Try "), "{text}");
        assert!(new.is_some());
    }

    #[test]
    fn a_border_in_the_wrong_place_is_told_with_the_layers_to_move() {
        let batch = 1024;
        let base = Setup { model: "mlp", depth: 31, width: 512, ..Setup::default() };
        let balanced = Setup { batch, ranks: 2, micro_batches: 32, ..base };
        let (_, outlook) = balanced.plan().expect("it is possible");
        let counts = outlook.partition.counts();
        let worse = Setup { cut: Cut::ByHand(vec![counts[0] + 6, counts[1] - 6]), ..balanced };
        let (text, new) = said(&worse);
        assert!(text.starts_with("Rank 0 has the most work"), "{text}");
        assert!(text.contains("Try moving 6 layers from stage 0 to stage 1: "), "{text}");
        assert_eq!(new.map(|new| new.cut), Some(Cut::ByHand(counts)));
    }

    #[test]
    fn what_does_not_fit_is_told_with_the_bytes_saved() {
        let (text, new) = said(&Setup { room: 40, replicas: 4, ..Setup::default() });
        assert!(text.starts_with("This does not fit: rank ") && text.contains(" would hold "), "{text}");
        assert!(text.contains(" less)"), "{text}");
        assert!(new.is_some());
        let (text, _) = said(&Setup { room: 1, ranks: 2, ..Setup::default() });
        assert!(text.contains("still too much"), "{text}");
    }

    #[test]
    fn slow_links_and_one_rank_are_told() {
        let (text, _) = said(&Setup { link: "gigabit", ranks: 1, replicas: 8, ..Setup::default() });
        // The knob has what each replica gets, a spec what all of them share.
        let tried = "exchanging gradients with the replicas. Try batches of 4096, 512 in each replica: ";
        assert!(text.contains(tried), "{text}");
        let alone = Setup { ranks: 1, micro_batches: 1, ..Setup::default() };
        let (text, _) = said(&Setup { optimizer: "sgd", ..alone.clone() });
        assert!(text.starts_with("One rank computes"), "{text}");
        // Adam moves six times the bytes.
        let (text, new) = said(&alone);
        assert!(text.starts_with("The optimizer's update takes "), "{text}");
        assert_eq!(new.map(|new| new.batch), Some(2 * alone.batch));
    }

    #[test]
    fn an_update_that_replicas_can_divide_or_that_is_offloaded_is_told_with_what_is_set_then() {
        let update = Setup { ranks: 1, micro_batches: 1, link: "none", ..Setup::default() };
        let (text, new) = said(&Setup { replicas: 4, ..update.clone() });
        assert!(text.contains("Try ZeRO 1: "), "{text}");
        assert_eq!(new.map(|new| new.zero), Some("1"));
        let (text, new) = said(&Setup { offload: "host", link: "gigabit", ..update });
        assert!(text.contains("Try the optimizer's state on the ranks themselves: "), "{text}");
        assert_eq!(new.map(|new| new.offload), Some("device"));
    }

    #[test]
    fn what_was_measured_stands_beside_what_was_foretold() {
        let (strategy, outlook) = Setup::default().plan().expect("it is possible");
        let bars = recspeed_plan::timeline::bars_of(&strategy, &outlook);
        let bubble = share(outlook.simulation.bubble());
        let at_peak = BytesAtPeak { parameters: 1 << 20, activations: 1 << 10, ..BytesAtPeak::default() };
        let held =
            MemoryBytes { parameters: 1 << 20, gradients: 1 << 20, at_peak: Some(at_peak), ..MemoryBytes::default() };
        let fullest = bytes(outlook.fullest().1);
        let expected = |held: &str| {
            format!("Bubble {bubble} measured, {bubble} foretold; fullest rank {held}, {fullest} foretold.")
        };
        let parts = expected("1.0 MiB measured (parameters 1.0 MiB, activations 1.0 KiB)");
        assert_eq!(compared(&outlook, &bars, (Some(held), None)), Some(parts));
        let older = MemoryBytes { at_peak: None, ..held };
        assert_eq!(compared(&outlook, &bars, (Some(older), None)), Some(expected("at most 2.0 MiB measured")));
        assert_eq!(compared(&outlook, &[], (Some(older), None)), None);
        let sent = Sent { steps: 2, bytes: 6 << 20, messages: 8, waited_us: 50 };
        let foretold = bytes(outlook.ranks.iter().map(RankOutlook::sent).max().unwrap());
        let said = compared(&outlook, &bars, (None, Some(sent))).unwrap();
        let expected =
            format!("most sent in a step 3.0 MiB measured, {foretold} foretold, that rank waited {}.", time(25.0));
        assert!(said.ends_with(&expected), "{said}");
    }

    #[test]
    fn borders_by_hand_that_go_with_their_stages_are_told_and_those_that_stay_are_not() {
        let by_hand = Setup { cut: Cut::ByHand(vec![100, 20, 20, 11]), ..Setup::default() };
        let turned = |turn: &dyn Fn(&mut Setup)| {
            let mut after = by_hand.clone();
            turn(&mut after);
            dropped(&by_hand, &after)
        };
        let told = |whose: &str| {
            let told = format!(
                "The borders set by hand (100, 20, 20, 11 layers) were for {whose}: the stages are equal in time now."
            );
            Some(told)
        };
        assert_eq!(turned(&|setup| setup.set_choice("schedule", "interleaved")), told("4 stages"));
        assert_eq!(turned(&|setup| setup.set_number("ranks", 3)), told("4 stages"));
        assert_eq!(turned(&|setup| setup.set_number("depth", 20)), told("another model"));
        assert_eq!(turned(&|setup| setup.set_choice("schedule", "zb-h1")), None, "as many stages");
        assert_eq!(turned(&|setup| setup.set_number("micro-batches", 3)), None);
        assert_eq!(dropped(&Setup::default(), &Setup { ranks: 3, ..Setup::default() }), None, "there were none");
    }

    #[test]
    fn of_ranks_that_are_no_pipeline_no_bubble_is_told() {
        let alone = Setup { ranks: 1, micro_batches: 1, replicas: 2, ..Setup::default() };
        let (strategy, outlook) = alone.plan().expect("it is possible");
        let bars = recspeed_plan::timeline::bars_of(&strategy, &outlook);
        assert_eq!(compared(&outlook, &bars, (None, None)), None);
        let sent = Sent { steps: 1, bytes: 1 << 20, messages: 8, waited_us: 50 };
        let said = compared(&outlook, &bars, (None, Some(sent))).expect("it has sent something");
        assert!(said.starts_with("Most sent in a step 1.0 MiB measured, "), "{said}");
    }

    #[test]
    fn a_bar_of_a_run_is_told_with_the_place_that_its_rank_has_there() {
        let (part, micro_batch) = (Part::Forward, Some(3));
        let bar = Bar { rank: 1, part, micro_batch, chunk: 0, start_us: 0.0, end_us: 5.0, waited_us: 0.0 };
        let told = |layout, bar: &Bar| about_bar(bar, layout, true);
        let replicas = Layout::new(4, 2, 1).ok();
        let expected = "Rank 1, stage 0, replica 1: forward pass of micro-batch 3, measured, from 0 µs to 5.00 µs";
        assert!(told(replicas, &bar).starts_with(expected), "{}", told(replicas, &bar));
        assert!(told(Layout::new(2, 2, 1).ok(), &bar).starts_with("Rank 1, stage 1: "));
        assert!(told(None, &bar).starts_with("Rank 1: "), "what is not known is not said");
        let step = Bar { part: Part::Step, micro_batch: None, ..bar };
        assert!(told(replicas, &step).starts_with("Rank 1, replica 1: update"));
    }

    #[test]
    fn what_the_evaluation_takes_stands_beside_the_fullest_rank() {
        let (strategy, outlook) = Setup::default().plan().expect("it is possible");
        let process = outlook.process(&strategy);
        // A block of 1,024 rows of 4 + 150 · 32 numbers, and the row that is made of it.
        assert!(process.evaluation > 2 * 1024 * 4 * (4 + 150 * 32), "{process:?}");
        let memory = headline(&strategy, &outlook).into_iter().find(|one| one.id == "memory").expect("it is there");
        let expected = format!("about {}, {} of it to evaluate", bytes(process.total()), bytes(process.evaluation));
        assert!(memory.beside.ends_with(&expected), "{}", memory.beside);
    }

    #[test]
    fn what_goes_to_the_host_is_told_where_the_optimizer_is_offloaded() {
        let told = |offload| {
            let (strategy, outlook) = Setup { offload, ..Setup::default() }.plan().expect("it is possible");
            let sent = headline(&strategy, &outlook).into_iter().find(|one| one.id == "traffic").expect("it is there");
            sent.beside
        };
        assert!(told("host").contains(" to the host, ") && told("host").ends_with(" back"), "{}", told("host"));
        assert!(!told("device").contains("host"), "{}", told("device"));
    }

    #[test]
    fn the_formula_stands_beside_the_bubble() {
        let (strategy, outlook) = Setup::default().plan().expect("it is possible");
        let text = bubble(&strategy, &outlook);
        let expected = format!(
            "by what it computes: {}. The published formula (p − 1) / m gives 38 %",
            share(outlook.simulation.bubble())
        );
        assert!(text.contains(&expected), "{text}");
    }

    #[test]
    fn one_number_says_how_idle_ranks_are_and_what_they_wait_for() {
        let dragged = Setup { cut: Cut::ByHand(vec![27, 79, 24, 21]), schedule: "zb-h1", ..Setup::default() };
        for (setup, mostly) in [(Setup::default(), "filling and draining"), (dragged, "waiting for rank 1")] {
            let (strategy, outlook) = setup.plan().expect("it is possible");
            let told = headline(&strategy, &outlook);
            let idle = told.iter().find(|one| one.id == "idle").expect("it is there");
            assert_eq!(idle.value, share(outlook.simulation.idle_share()));
            let Idle { fill, work, messages, .. } = Idle::of(&strategy, &outlook);
            let most = share(fill.max(work).max(messages)).replace(' ', "\u{a0}");
            assert!(idle.beside.contains(&format!("{most} {mostly}")), "{}", idle.beside);
            assert!(told.iter().all(|one| one.id != "bubble"), "the same waiting under another name");
        }
        let alone = Setup { ranks: 1, micro_batches: 1, ..Setup::default() };
        let (strategy, outlook) = alone.plan().expect("it is possible");
        let idle = headline(&strategy, &outlook).into_iter().find(|one| one.id == "idle").expect("it is there");
        assert_eq!(idle.beside, "of all ranks' time");
    }
}
