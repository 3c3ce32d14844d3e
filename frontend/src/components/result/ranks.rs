//! A run of several ranks, rank by rank: how busy each was, what it held, and the way to its timeline.

use leptos::prelude::*;
use leptos_router::components::A;
use recspeed_plan::timeline::{bars_of_events, first_step};
use recspeed_types::event::{MemoryBytes, Sent};

use crate::charts::{bytes, share};
use crate::components::Hint;
use crate::state::{Origin, RunState, RunView};
use crate::studio::{Setup, strategy_in_words, time};

/// What is known of a rank.
#[derive(Debug, Clone, PartialEq)]
struct Rank {
    number: u32,
    /// The share of the first measured step in which it computed.
    computes: Option<f64>,
    held: MemoryBytes,
    /// Of the measured steps; none of older runs.
    sent: Option<Sent>,
}

/// The ranks of a run, where there are several.
fn ranks(view: &RunView) -> Vec<Rank> {
    if view.memory.len() < 2 {
        return Vec::new();
    }
    let bars = first_step(bars_of_events(&view.spans));
    let end = bars.iter().map(|bar| bar.end_us).fold(0.0, f64::max);
    let computes = |rank: u32| {
        let own = bars.iter().filter(|bar| bar.rank == rank as usize && bar.micro_batch.is_some());
        // What it waits within a pass it does not compute.
        let busy: f64 = own.map(|bar| bar.end_us - bar.start_us - bar.waited_us).sum();
        (end > 0.0).then(|| busy / end)
    };
    let rank = |(&number, &held): (&u32, &MemoryBytes)| {
        let sent = view.sent.get(&number).copied();
        Rank { number, computes: computes(number), held, sent }
    };
    view.memory.iter().map(rank).collect()
}

/// What the column of everything together means; ranks of older runs have noted no moment.
fn in_all(ranks: &[Rank]) -> String {
    let mut words = if ranks.iter().all(|rank| rank.held.at_peak.is_some()) {
        "The most that the rank’s device held at one moment, with what comes and goes; the parts beside it are each at their own most."
            .to_owned()
    } else {
        "What each part was at most, with what comes and goes, added up: not every rank has noted what it held at one moment, which is no more."
            .to_owned()
    };
    if ranks.iter().any(|rank| rank.held.host > 0) {
        words += " Optimizer state in the machine’s memory is added at its own most.";
    }
    words
}

/// A part that there is; a dash of one that a rank has not, or has not counted.
fn part(held: u64) -> String {
    if held > 0 { bytes(held) } else { "–".to_owned() }
}

fn row(rank: &Rank) -> AnyView {
    let held = &rank.held;
    let of_sent = |say: fn(&Sent) -> String| rank.sent.as_ref().map_or_else(|| "–".to_owned(), say);
    let numbers = [
        ("computes", rank.computes.map_or_else(|| "–".to_owned(), share)),
        ("parameters", bytes(held.parameters)),
        ("gradients", part(held.gradients)),
        ("optimizer", part(held.optimizer + held.host)),
        ("activations", part(held.activations)),
        ("in all", bytes(held.on_the_device() + held.host)),
        ("process", part(held.peak)),
        ("sent", of_sent(|sent| bytes(sent.bytes_per_step()))),
        ("waited", of_sent(|sent| time(sent.waited_per_step_us() as f64))),
    ];
    let cells: Vec<_> =
        numbers.map(|(name, text)| view! { <td class="number" data-label=name>{text}</td> }.into_any()).into();
    view! { <tr><th scope="row">{format!("rank {}", rank.number)}</th>{cells}</tr> }.into_any()
}

/// The ranks of a result; nothing where one device did everything.
#[component]
pub(crate) fn Ranks(
    /// The run.
    #[prop(into)]
    run: Signal<Option<RunState>>,
) -> impl IntoView {
    let all = Memo::new(move |_| run.get().map(|run| run.view.with(ranks)).unwrap_or_default());
    let about = Memo::new(move |_| {
        run.get().and_then(|run| {
            let spec = run.record.with(|record| record.spec.clone());
            let words = strategy_in_words(&spec.resolve().ok()?.strategy);
            // Of the stored example nobody keeps the events.
            let kept = run.origin != Origin::Showcase;
            let plan = Setup::of_run(&spec, run.id().as_str()).filter(|_| kept);
            Some((words, plan.map(|plan| format!("/plan?{}", plan.to_query()))))
        })
    });
    move || {
        let ranks = all.get();
        (!ranks.is_empty()).then(|| {
            let rows: Vec<AnyView> = ranks.iter().map(row).collect();
            let in_all = in_all(&ranks);
            let (words, plan) = about.get().unwrap_or_default();
            view! {
                <section class="ranks" data-testid="result-ranks">
                    <h3 id="ranks-title">"Ranks"</h3>
                    <p class="note">{crate::charts::capital(&words)}"."</p>
                    <div class="table-scroll" tabindex="0" role="region" aria-labelledby="ranks-title">
                        <table class="table stacked">
                            <thead><tr>
                                <th scope="col">"rank"</th>
                                <th scope="col" class="number">
                                    <Hint word="computes" text="The share of the first measured step in which the rank computed; in the rest it waited, inside passes too, or sent."/>
                                </th>
                                <th scope="col" class="number">"parameters"</th>
                                <th scope="col" class="number">"gradients"</th>
                                <th scope="col" class="number">"optimizer"</th>
                                <th scope="col" class="number">"activations"</th>
                                <th scope="col" class="number">
                                    <Hint word="in all, at most" text=in_all/>
                                </th>
                                <th scope="col" class="number">
                                    <Hint word="process" text="The most that the operating system has counted for the rank’s process by then; ranks that are threads share the first one’s."/>
                                </th>
                                <th scope="col" class="number">
                                    <Hint word="sent" text="Bytes that the rank sent to others in a measured step."/>
                                </th>
                                <th scope="col" class="number">
                                    <Hint word="waited" text="How long the rank waited in such a step for what others sent."/>
                                </th>
                            </tr></thead>
                            <tbody>{rows}</tbody>
                        </table>
                    </div>
                    {plan.map(|plan| view! {
                        <p><A href=plan attr:class="button" attr:data-testid="ranks-timeline">"Its timeline under its plan"</A></p>
                    })}
                </section>
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use recspeed_types::event::BytesAtPeak;
    use recspeed_types::{EventKind, RunEvent, RunId};

    use super::*;

    fn view(kinds: Vec<EventKind>) -> RunView {
        let event = |(seq, kind)| RunEvent { run: RunId::new("r").unwrap(), seq, at_us: seq, kind };
        RunView::of(&(0..).zip(kinds).map(event).collect::<Vec<_>>())
    }

    fn held(rank: u32, parameters: u64) -> EventKind {
        EventKind::Memory { rank, bytes: MemoryBytes { parameters, gradients: 1, ..MemoryBytes::default() } }
    }

    fn sent(steps: u64) -> Sent {
        Sent { steps, bytes: 100 * steps, messages: steps, waited_us: 7 * steps }
    }

    fn pass(rank: u32, name: &str, start_us: u64) -> EventKind {
        waiting(rank, name, start_us, 0)
    }

    fn waiting(rank: u32, name: &str, start_us: u64, waited_us: u64) -> EventKind {
        let (lane, name) = ("0".to_owned(), name.to_owned());
        EventKind::Span { rank, lane, name, start_us, duration_us: 10, bytes: 0, waited_us, exchange: None }
    }

    #[test]
    fn each_rank_is_told_with_what_it_held_and_how_long_it_computed() {
        let told = view(vec![
            pass(0, "F0", 100),
            pass(1, "F0", 110),
            pass(1, "B0", 120),
            pass(0, "B0", 130),
            held(0, 5),
            held(1, 7),
            EventKind::Memory { rank: 0, bytes: MemoryBytes { parameters: 12, ..MemoryBytes::default() } },
            EventKind::Traffic { rank: 1, all: sent(9), told: sent(4) },
        ]);
        let ranks = ranks(&told);
        assert_eq!(ranks.iter().map(|rank| rank.held.parameters).collect::<Vec<_>>(), [5, 7], "not the whole process");
        assert_eq!(ranks.iter().map(|rank| rank.computes).collect::<Vec<_>>(), [Some(0.5), Some(0.5)]);
        assert_eq!(ranks.iter().map(|rank| rank.sent).collect::<Vec<_>>(), [None, Some(sent(4))], "of whole batches");
    }

    #[test]
    fn a_part_that_no_rank_has_counted_is_a_dash_and_not_0_bytes() {
        assert_eq!((part(0).as_str(), part(1)), ("–", bytes(1)));
    }

    #[test]
    fn what_a_rank_waits_within_a_pass_it_does_not_compute() {
        let told =
            view(vec![waiting(0, "F0", 100, 4), waiting(0, "B0", 110, 6), pass(1, "F0", 100), held(0, 5), held(1, 7)]);
        assert_eq!(ranks(&told).iter().map(|rank| rank.computes).collect::<Vec<_>>(), [Some(0.5), Some(0.5)]);
    }

    #[test]
    fn what_nobody_has_noted_is_not_called_one_moment() {
        let rank = |at_peak, host| Rank {
            number: 0,
            computes: None,
            sent: None,
            held: MemoryBytes { parameters: 8, host, at_peak, ..MemoryBytes::default() },
        };
        let noted = Some(BytesAtPeak { parameters: 8, ..BytesAtPeak::default() });
        let now = in_all(&[rank(noted, 0), rank(noted, 0)]);
        assert!(now.contains("held at one moment") && !now.contains("added"), "{now}");
        let older = in_all(&[rank(noted, 0), rank(None, 0)]);
        assert!(older.contains("added up"), "{older}");
        assert!(in_all(&[rank(noted, 4), rank(noted, 0)]).contains("machine’s memory is added at its own most"));
    }

    #[test]
    fn one_device_has_no_ranks_to_tell() {
        assert_eq!(ranks(&view(vec![held(0, 5)])), []);
    }
}
