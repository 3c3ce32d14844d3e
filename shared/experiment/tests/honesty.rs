//! What a result says is what was done: by which rows it was chosen.

mod desk;

use recspeed_types::EventKind;

use desk::attempt;

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

#[test]
fn whoever_is_measured_on_the_rows_that_chose_says_so_and_nobody_else_does() {
    let said = |recommender: &str, training: &str, on: &str| {
        let text = format!(
            "{FRAME}sample = 900\n[split]\nkind = \"random\"\nvalidation_ratio = 0.1\n[recommender]\n{recommender}\n{training}[evaluation]\nmetrics = [\"ndcg@10\"]\non = \"{on}\"\nmax_users = 20\n"
        );
        let (result, events) = attempt(None, &text, None);
        let summary = result.unwrap_or_else(|failure| panic!("{recommender}, {on}: {failure}"));
        let is_one = |message: &str| message.starts_with("evaluation.on = \"validation\": the recommender ");
        let told: Vec<String> = summary.warnings.into_iter().filter(|warning| is_one(warning)).collect();
        let on_the_way =
            events.iter().filter(|e| matches!(e, EventKind::Warning { message } if is_one(message))).count();
        assert_eq!(told.len(), on_the_way, "{recommender}, {on}");
        told.concat()
    };
    let (network, early) = ("kind = \"mlp\"\nhidden = [8, 8, 8]", "[training]\nepochs = 2\nearly_stopping = 1\n");
    let hybrid =
        "kind = \"weighted\"\nweights = \"learnt\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"item-knn\" }]";
    let stopped = said(network, early, "validation");
    assert!(
        stopped.contains("the recommender stops its training by the very rows that it is measured on"),
        "{stopped}"
    );
    assert!(stopped.contains("flattered"), "{stopped}");
    let weighted = said(hybrid, "", "validation");
    assert!(weighted.contains("the recommender learns weights by the very rows"), "{weighted}");
    for (recommender, training, on) in [
        (network, early, "test"),
        (network, "[training]\nepochs = 2\n", "validation"),
        (hybrid, "", "test"),
        ("kind = \"item-knn\"", "", "validation"),
    ] {
        assert_eq!(said(recommender, training, on), "", "{recommender} {training} {on}");
    }
}
