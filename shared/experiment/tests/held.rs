//! What a result tells of the memory that its training held.

mod desk;

use desk::attempt;
use recspeed_types::catalogue::{ENTRIES, Family};

#[test]
fn a_network_tells_what_its_training_held_for_certain_and_nothing_that_nobody_counted() {
    for entry in ENTRIES.iter().filter(|entry| entry.family != Family::Hybrid) {
        let (kind, is_network) = (entry.kind, entry.family == Family::Neural);
        let training = if is_network { "[training]\nepochs = 1\n" } else { "" };
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \
             \"{kind}\"\n{training}[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n"
        );
        let summary = attempt(None, &text, None).0.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
        let told = serde_json::to_value(summary.memory).expect("bytes");
        for part in ["gradients", "optimizer"] {
            let held = told.get(part).and_then(serde_json::Value::as_u64);
            // The model that is left of a network has none of these any more.
            assert_eq!(held.is_some_and(|bytes| bytes > 0), is_network, "{kind}: {part} in {told}");
            assert_eq!(told.get(part).is_some(), is_network, "{kind}: {part} in {told}");
        }
        // What a batch keeps is counted on ranks only: an estimate in its place was more than the process ever held.
        assert!(told.get("activations").is_none(), "{kind}: {told}");
    }
}
