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
            let spans: u64 = events
                .iter()
                .filter_map(|event| match event {
                    EventKind::Span { rank: of, bytes, .. } if *of == rank as u32 => Some(*bytes),
                    _ => None,
                })
                .sum();
            assert_eq!(spans, told.bytes, "{schedule}, rank {rank}: every byte lies in a span");
        }
    }
}

#[test]
fn one_device_tells_of_no_traffic() {
    for strategy in ["", "[strategy]\nkind = \"pipeline\"\nstages = 1\n"] {
        let (result, events) = attempt(None, &format!("{DENSENET}{strategy}"), None);
        result.unwrap_or_else(|failure| panic!("{strategy}: {failure}"));
        assert_eq!(told(&events, 0), None, "{strategy}");
    }
}
