//! What ranks tell of what they send each other is what their plan says.

mod desk;

use recspeed_plan::{Assumed, Outlook, RankOutlook, of_spec};
use recspeed_types::event::Sent;
use recspeed_types::{EventKind, ExperimentSpec};

use desk::attempt;

const DENSENET: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[recommender]\nkind = \
                        \"densenet\"\nlayers = 9\ngrowth = 5\n[training]\nepochs = 2\nbatch_size = 64\n[evaluation]\nmetrics = [\"auc\"]\n";
/// What two ranks send each other to agree on the loss of a step: half of two numbers of 8 bytes to add up, and the sum of the other half.
const AGREE: Sent = Sent { steps: 1, bytes: 16, messages: 2, waited_us: 0 };

/// What a rank told last: of all steps, and of those whose spans are told.
fn told(events: &[EventKind], rank: u32) -> Option<[Sent; 2]> {
    let of = |event: &EventKind| match event {
        EventKind::Traffic { rank: of, all, told } if *of == rank => Some([*all, *told]),
        _ => None,
    };
    events.iter().rev().find_map(of)
}

#[test]
fn two_stages_send_what_their_plan_says_to_the_byte() {
    for (schedule, recompute) in [("gpipe", "never"), ("gpipe", "always"), ("1f1b", "never")] {
        let text = format!(
            "{DENSENET}[strategy]\nkind = \"pipeline\"\nmicro_batches = 4\nschedule = \"{schedule}\"\nrecompute = \"{recompute}\"\n"
        );
        let (result, events) = attempt(None, &text, None);
        let steps = result.unwrap_or_else(|failure| panic!("{text}: {failure}")).training.expect("it learns").steps;
        let spec = ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap();
        let plan = Outlook::of(&of_spec(&spec, Assumed::threads(1.0)).unwrap()).unwrap();
        for (rank, planned) in plan.ranks.iter().map(RankOutlook::sent).enumerate() {
            let [all, told] = told(&events, rank as u32).expect("each rank tells");
            assert!(planned > 0);
            assert_eq!((told.steps, told.bytes), (4, 4 * (planned + AGREE.bytes)), "{schedule}, rank {rank}");
            // A message for each micro-batch: one rank sends activations, the other gradients.
            assert_eq!(told.messages, 4 * (4 + AGREE.messages), "{schedule}, rank {rank}");
            assert_eq!(all.steps, steps, "{schedule}");
            assert!(
                all.bytes > told.bytes && all.waited_us >= told.waited_us && told.waited_us > 0,
                "{all:?} {told:?}"
            );
            let spans: u64 =
                spans(&events, rank as u32).filter(|span| span.within.is_none()).map(|span| span.bytes).sum();
            assert_eq!(spans, told.bytes, "{schedule}, rank {rank}: every byte lies in a span");
        }
    }
}

/// What a span of a rank tells of what moved meanwhile.
struct Moved<'a> {
    name: &'a str,
    lane: &'a str,
    /// First and last moment.
    times: [u64; 2],
    bytes: u64,
    waited_us: u64,
    /// Of a collective the span that it is part of.
    within: Option<&'a str>,
    is_collective: bool,
}

fn spans(events: &[EventKind], rank: u32) -> impl Iterator<Item = Moved<'_>> {
    events.iter().filter_map(move |event| match event {
        EventKind::Span { rank: of, lane, name, start_us, duration_us, bytes, waited_us, exchange }
            if *of == rank && lane != "run" =>
        {
            Some(Moved {
                name,
                lane,
                times: [*start_us, start_us + duration_us],
                bytes: *bytes,
                waited_us: *waited_us,
                within: exchange.as_ref().and_then(|exchange| exchange.within.as_deref()),
                is_collective: exchange.is_some(),
            })
        }
        _ => None,
    })
}

const DLRM: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 900\n[recommender]\nkind = \
                    \"dlrm\"\nembedding = 6\nbottom = [5]\nhidden = [12, 8]\nnegatives = 3\n[training]\nepochs = 1\nbatch_size = \
                    50\nloss = \"bpr\"\n[evaluation]\nmetrics = [\"ndcg@10\"]\n";

/// The law of what is told of collectives: each lies in a span of its rank, with what it sent and waited nothing of
/// that span is missing, and what all spans tell is what the rank sent and waited in those steps.
#[test]
fn collectives_lie_in_the_spans_that_they_are_part_of_and_add_up_to_the_traffic() {
    for (spec, strategy, ranks, named) in [
        (DENSENET, "kind = \"zero\"\nranks = 3\nstage = 3\nmicro_batches = 2", 3, "all-gather"),
        (DENSENET, "kind = \"zero\"\nranks = 2\nstage = 1", 2, "reduce-scatter"),
        (
            DENSENET,
            "kind = \"hybrid\"\nstages = 2\ntensor = 2\nmicro_batches = 2\nrecompute = \"always\"",
            4,
            "all-reduce",
        ),
        (DLRM, "kind = \"zero\"\nranks = 2", 2, "all-to-all"),
    ] {
        let (result, events) = attempt(None, &format!("{spec}[strategy]\n{strategy}\n"), None);
        result.unwrap_or_else(|failure| panic!("{strategy}: {failure}"));
        for rank in 0..ranks {
            let [_, told] = told(&events, rank).expect("each rank tells");
            let all: Vec<Moved<'_>> = spans(&events, rank).collect();
            assert!(all.iter().any(|span| span.is_collective && span.name == named), "{strategy}, rank {rank}");
            let outer = || all.iter().filter(|span| span.within.is_none());
            assert_eq!(outer().map(|span| span.bytes).sum::<u64>(), told.bytes, "{strategy}, rank {rank}");
            assert_eq!(outer().map(|span| span.waited_us).sum::<u64>(), told.waited_us, "{strategy}, rank {rank}");
            for inner in all.iter().filter(|span| span.within.is_some()) {
                let lies_in = |outer: &&Moved<'_>| {
                    (Some(outer.name), outer.lane) == (inner.within, inner.lane)
                        && outer.times[0] <= inner.times[0]
                        && inner.times[1] <= outer.times[1]
                };
                assert_eq!(outer().filter(lies_in).count(), 1, "{strategy}: {} at {:?}", inner.name, inner.times);
            }
            for outer in outer().filter(|span| !span.is_collective && !span.name.contains(' ')) {
                let inner = all.iter().filter(|inner| {
                    (inner.within, inner.lane) == (Some(outer.name), outer.lane)
                        && outer.times[0] <= inner.times[0]
                        && inner.times[1] <= outer.times[1]
                });
                let [bytes, waited] =
                    inner.fold([0_u64; 2], |sum, inner| [sum[0] + inner.bytes, sum[1] + inner.waited_us]);
                assert_eq!([bytes, waited], [outer.bytes, outer.waited_us], "{strategy}: {}", outer.name);
            }
        }
    }
}

#[test]
fn one_device_tells_of_no_traffic() {
    for strategy in ["", "[strategy]\nkind = \"pipeline\"\nstages = 1\n"] {
        let (result, events) = attempt(None, &format!("{DENSENET}{strategy}"), None);
        result.unwrap_or_else(|failure| panic!("{strategy}: {failure}"));
        assert_eq!(told(&events, 0), None, "{strategy}");
        assert!(spans(&events, 0).all(|span| !span.is_collective && span.waited_us == 0), "{strategy}");
    }
}
