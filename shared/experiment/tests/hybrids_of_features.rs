//! Networks in hybrids that make an attribute of the items.

mod desk;

use desk::attempt;
use recspeed_types::EventKind;

#[test]
fn networks_that_read_attributes_learn_from_those_that_hybrids_make() {
    for kind in ["wide-and-deep", "deepfm", "dlrm"] {
        for (hybrid, before) in [("feature-combination", ""), ("feature-augmentation", "{ kind = \"item-knn\" }, ")] {
            let text = format!(
                "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\nsample = 500\n\
                 [recommender]\nkind = \"{hybrid}\"\ncomponents = [{before}{{ kind = \"{kind}\" }}]\n\
                 [training]\nepochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\nmax_users = 20\n"
            );
            let (result, events) = attempt(None, &text, None);
            let summary = result.unwrap_or_else(|failure| panic!("{kind} in {hybrid}: {failure}"));
            assert!(summary.metrics.values().all(|value| value.is_finite()), "{kind}: {:?}", summary.metrics);
            let is_told = |event: &EventKind| match event {
                EventKind::Warning { message } => message.contains("learns who has what, and `rated-by`"),
                _ => false,
            };
            // What goes with an item says nothing of who has it.
            assert_eq!(events.iter().any(is_told), hybrid == "feature-combination", "{kind} in {hybrid}");
        }
    }
}
