//! Spans of ranks: as the numbers that each sends to the first one, and as the events that this one tells.

use recspeed_parallel::training::{Again, Done, Exchange, Timeline};
use recspeed_plan::{Collective, Instruction};
use recspeed_types::{EventKind, event};

/// Collectives that one rank tells, at most: all of the told steps of a densenet of 150 layers that ZeRO 3 divides, in
/// one micro-batch.
const MOST: usize = 2048;
/// The same of all ranks together: about as many spans as 32 ranks tell of what they compute.
const OF_ALL: usize = 16_384;

/// What a rank tells, from report to report: every instruction, and as many collectives as there is room for. A network
/// of many layers has several in each pass for each of them. Those of a pass are told all or not at all, and the
/// waiting in them is in the pass, too.
#[derive(Debug)]
pub(super) struct Spans {
    timeline: Timeline,
    /// Collectives that there is room for.
    room: usize,
}

impl Spans {
    /// Of one of so many ranks.
    pub(super) fn of_one_of(ranks: usize) -> Self {
        Self { timeline: Timeline::default(), room: MOST.min(OF_ALL / ranks.max(1)) }
    }

    /// Of one more step.
    pub(super) fn add(&mut self, step: Timeline) {
        self.timeline.done.extend(step.done);
        // One micro-batch after the other, there and back, after what is about none: all of them do the same.
        let same = |a: &Exchange, b: &Exchange| (a.within, a.again) == (b.within, b.again);
        let mut parts: Vec<&[Exchange]> = step.exchanges.chunk_by(same).collect();
        parts.sort_by_key(|part| part[0].within.and_then(Instruction::cell).map(|cell| cell.micro_batch));
        let mut kept: Vec<Exchange> = Vec::new();
        for part in parts {
            if kept.len() + part.len() > self.room {
                // Nor of later steps: what is missing is missing at the end.
                self.room = kept.len();
                break;
            }
            kept.extend_from_slice(part);
        }
        self.room -= kept.len();
        kept.sort_by_key(|exchange| exchange.start_us);
        self.timeline.exchanges.extend(kept);
    }

    /// What was added since it was asked last, as numbers, [`SPAN`] of each span.
    pub(super) fn take(&mut self) -> Vec<f64> {
        let Timeline { done, exchanges } = std::mem::take(&mut self.timeline);
        let instructions = done.into_iter().flat_map(of_instruction);
        instructions.chain(exchanges.into_iter().map(of_exchange)).flatten().collect()
    }
}

/// Numbers of a span: what, chunk, micro-batch, start, length, bytes sent, microseconds waited; of a collective which
/// one it is, the layer, the rank that was waited for longest, and how long.
pub(super) const SPAN: usize = 11;

/// A number of something that is not.
const NONE: f64 = -1.0;

/// Of each instruction the letter that the timeline knows, and after them that of a forward pass that is computed
/// again.
const NAMES: [&str; 12] =
    ["load", "receive ", "F", "send ", "receive slope ", "B", "I", "W", "send slope ", "reduce", "step", "R"];
const AGAIN: usize = 11;

/// Where an instruction's letter lies, its chunk and its micro-batch.
fn place(instruction: Instruction) -> [f64; 3] {
    let what = match instruction {
        Instruction::LoadMicroBatch(_) => 0,
        Instruction::RecvActivation(_) => 1,
        Instruction::Forward(_) => 2,
        Instruction::SendActivation(_) => 3,
        Instruction::RecvGradient(_) => 4,
        Instruction::Backward(_) => 5,
        Instruction::BackwardInput(_) => 6,
        Instruction::BackwardWeight(_) => 7,
        Instruction::SendGradient(_) => 8,
        Instruction::ReduceGradients => 9,
        Instruction::OptimizerStep => 10,
    };
    let [chunk, micro_batch] =
        instruction.cell().map_or([0.0, NONE], |cell| [cell.chunk as f64, cell.micro_batch as f64]);
    [f64::from(what), chunk, micro_batch]
}

/// The span of an instruction, after that of its beginning where a forward pass was computed again there.
fn of_instruction(done: Done) -> impl Iterator<Item = [f64; SPAN]> {
    let [what, chunk, micro_batch] = place(done.instruction);
    let span = |what: f64, [start, end]: [u64; 2], sent: u64, waited: u64| {
        let [start, length, sent, waited] =
            [start, end.saturating_sub(start), sent, waited].map(|number| number as f64);
        [what, chunk, micro_batch, start, length, sent, waited, NONE, NONE, NONE, 0.0]
    };
    let again = done.again.unwrap_or(Again { end_us: done.start_us, sent_bytes: 0, waited_us: 0 });
    let first =
        done.again.map(|again| span(AGAIN as f64, [done.start_us, again.end_us], again.sent_bytes, again.waited_us));
    let (sent, waited) = (done.sent_bytes - again.sent_bytes, done.waited_us - again.waited_us);
    first.into_iter().chain([span(what, [again.end_us, done.end_us], sent, waited)])
}

fn of_exchange(exchange: Exchange) -> [f64; SPAN] {
    let [what, chunk, micro_batch] = exchange.within.map_or([NONE, 0.0, NONE], place);
    let what = if exchange.again { AGAIN as f64 } else { what };
    let [start, length, sent, waited] =
        [exchange.start_us, exchange.end_us.saturating_sub(exchange.start_us), exchange.sent_bytes, exchange.waited_us]
            .map(|number| number as f64);
    let layer = exchange.layer.map_or(NONE, |layer| layer as f64);
    let [rank, longest] = exchange.longest.map_or([NONE, 0.0], |wait| [wait.rank as f64, wait.us as f64]);
    let collective = f64::from(exchange.collective as u8);
    [what, chunk, micro_batch, start, length, sent, waited, collective, layer, rank, longest]
}

/// As the page's timeline reads it: `F3` in the lane of its chunk, a collective by its own name and with that of the
/// span that it lies in.
pub(super) fn as_span(rank: u32, numbers: &[f64; SPAN]) -> EventKind {
    let &[what, chunk, micro_batch, start, length, sent, waited, collective, layer, waited_for, longest] = numbers;
    let number = |number: f64| (number >= 0.0).then_some(number as u32);
    let of_instruction = number(what).map(|what| {
        let letter = NAMES[(what as usize).min(AGAIN)];
        number(micro_batch).map_or_else(|| letter.to_owned(), |micro_batch| format!("{letter}{micro_batch}"))
    });
    let exchange = number(collective).map(|collective| event::Exchange {
        collective: Collective::ALL[(collective as usize).min(Collective::ALL.len() - 1)],
        within: of_instruction.clone(),
        layer: number(layer),
        waited_for: number(waited_for),
        waited_for_us: longest as u64,
    });
    let name = match &exchange {
        Some(exchange) => exchange.collective.as_str().to_owned(),
        None => of_instruction.unwrap_or_default(),
    };
    let [start_us, duration_us, bytes, waited_us] = [start, length, sent, waited].map(|number| number as u64);
    EventKind::Span { rank, lane: chunk.to_string(), name, start_us, duration_us, bytes, waited_us, exchange }
}

#[cfg(test)]
mod tests {
    use recspeed_parallel::Wait;
    use recspeed_plan::{Cell, Schedule, ScheduleKind};

    use super::*;

    fn exchange(within: Option<Instruction>, start_us: u64) -> Exchange {
        Exchange {
            collective: Collective::AllGather,
            within,
            again: false,
            layer: Some(4),
            start_us,
            end_us: start_us + 3,
            sent_bytes: 8,
            waited_us: 2,
            longest: Some(Wait { rank: 5, us: 2 }),
        }
    }

    fn told(spans: &mut Spans) -> Vec<EventKind> {
        let numbers = spans.take();
        assert_eq!(numbers.len() % SPAN, 0);
        numbers.as_chunks::<SPAN>().0.iter().map(|numbers| as_span(2, numbers)).collect()
    }

    /// Whoever draws a timeline knows the instructions by the plan's names.
    #[test]
    fn spans_have_the_names_that_the_plan_gives_instructions() {
        for kind in ScheduleKind::ALL {
            let schedule = Schedule::new(kind, 3, 4, 1).unwrap();
            for &instruction in (0..3).flat_map(|rank| schedule.list(rank)) {
                let done = Done { instruction, start_us: 10, end_us: 30, again: None, sent_bytes: 7, waited_us: 6 };
                let mut spans = Spans::of_one_of(3);
                spans.add(Timeline { done: vec![done], exchanges: vec![exchange(Some(instruction), 12)] });
                let events = told(&mut spans);
                let [
                    EventKind::Span { name, duration_us, bytes, waited_us, exchange: None, .. },
                    EventKind::Span { lane, exchange: Some(inner), .. },
                ] = events.as_slice()
                else {
                    panic!("{events:?}")
                };
                let expected = instruction.span_name().or_else(|| instruction.message_name());
                // What takes a micro-batch from the data is drawn nowhere.
                let load = || instruction.cell().map(|cell| format!("load{}", cell.micro_batch));
                let expected = expected.or_else(load);
                assert_eq!((Some(name), duration_us, bytes, waited_us), (expected.as_ref(), &20, &7, &6));
                assert_eq!((inner.within.as_ref(), lane.as_str()), (Some(name), "0"));
            }
        }
    }

    #[test]
    fn a_pass_that_is_computed_again_and_its_way_back_divide_what_was_sent_and_waited() {
        let instruction = Instruction::Backward(Cell { chunk: 1, micro_batch: 3 });
        let again = Some(Again { end_us: 18, sent_bytes: 5, waited_us: 2 });
        let done = Done { instruction, start_us: 10, end_us: 30, again, sent_bytes: 7, waited_us: 6 };
        let mut spans = Spans::of_one_of(2);
        let first = Exchange { again: true, ..exchange(Some(instruction), 11) };
        spans.add(Timeline { done: vec![done], exchanges: vec![first, exchange(Some(instruction), 18)] });
        let events = told(&mut spans);
        let said: Vec<_> = events
            .iter()
            .map(|event| match event {
                EventKind::Span { lane, name, start_us, duration_us, bytes, waited_us, exchange, .. } => {
                    let within = exchange.as_ref().and_then(|exchange| exchange.within.as_deref());
                    (lane.as_str(), name.as_str(), within, [*start_us, *duration_us, *bytes, *waited_us])
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let expected = [
            ("1", "R3", None, [10, 8, 5, 2]),
            ("1", "B3", None, [18, 12, 2, 4]),
            ("1", "all-gather", Some("R3"), [11, 3, 8, 2]),
            ("1", "all-gather", Some("B3"), [18, 3, 8, 2]),
        ];
        assert_eq!(said, expected);
        assert!(told(&mut spans).is_empty(), "each is told once");
    }

    #[test]
    fn every_collective_arrives_as_what_it_was() {
        for collective in Collective::ALL {
            let of = Exchange { collective, within: None, layer: None, longest: None, ..exchange(None, 4) };
            let EventKind::Span { name, exchange: Some(told), .. } = as_span(0, &of_exchange(of)) else {
                panic!("a span")
            };
            let expected =
                event::Exchange { collective, within: None, layer: None, waited_for: None, waited_for_us: 0 };
            assert_eq!((name.as_str(), told), (collective.as_str(), expected));
        }
        let EventKind::Span { exchange: Some(told), .. } = as_span(0, &of_exchange(exchange(None, 4))) else {
            panic!("a span")
        };
        assert_eq!((told.layer, told.waited_for, told.waited_for_us), (Some(4), Some(5), 2));
    }

    /// As many layers as a deep network has, each gathered there and back and its gradient scattered, in many
    /// micro-batches.
    #[test]
    fn collectives_of_a_deep_network_are_told_by_whole_passes_while_there_is_room() {
        let (layers, micro_batches) = (150, 8);
        let step = |step: u64| {
            let mut timeline = Timeline::default();
            let mut at = 1_000_000 * step;
            let mut pass = |instruction: Instruction, exchanges: usize| {
                for _ in 0..exchanges {
                    at += 5;
                    timeline.exchanges.push(exchange(Some(instruction), at));
                }
            };
            let cells = (0..micro_batches).map(|micro_batch| Cell { chunk: 0, micro_batch });
            cells.clone().for_each(|cell| pass(Instruction::Forward(cell), layers));
            cells.rev().for_each(|cell| pass(Instruction::Backward(cell), 2 * layers));
            pass(Instruction::OptimizerStep, 1);
            timeline
        };
        for ranks in [2, 8, 64] {
            let mut spans = Spans::of_one_of(ranks);
            (0..4).for_each(|at| spans.add(step(at)));
            let kept = spans.timeline.exchanges.clone();
            assert!(kept.len() <= MOST && ranks * kept.len() <= OF_ALL, "{ranks} ranks: {}", kept.len());
            assert!(kept.len() > layers, "{ranks} ranks tell only {}", kept.len());
            assert!(kept.is_sorted_by_key(|exchange| exchange.start_us), "in the order of time");
            for (within, all) in [
                (Instruction::OptimizerStep, 1),
                (Instruction::Forward(Cell { chunk: 0, micro_batch: 0 }), layers),
                (Instruction::Backward(Cell { chunk: 0, micro_batch: 3 }), 2 * layers),
            ] {
                let count = kept.iter().filter(|exchange| exchange.within == Some(within)).count();
                assert!(count == 0 || count % all == 0, "{ranks} ranks, {within:?}: {count} of {all}");
            }
            let first = |within| kept.iter().any(|exchange| exchange.within == Some(within));
            assert!(first(Instruction::Forward(Cell { chunk: 0, micro_batch: 0 })), "{ranks} ranks");
            assert!(first(Instruction::OptimizerStep), "{ranks} ranks");
        }
    }
}
