//! Hybrids that make an attribute of the items: who may read it, and what then comes out.

use recspeed_types::ExperimentSpec;
use recspeed_types::catalogue::{ENTRIES, Predicts, Whose, readers_of};

const FRAME: &str = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

fn spec(kind: &str, components: &str) -> ExperimentSpec {
    let recommender = format!("[recommender]\nkind = \"{kind}\"\ncomponents = [{components}]\n");
    ExperimentSpec::from_toml(&format!("{FRAME}{recommender}")).expect("it can be read")
}

fn mistakes(kind: &str, components: &str) -> String {
    spec(kind, components).resolve().err().map_or_else(String::new, |errors| errors.to_string())
}

#[test]
fn hybrids_of_features_take_every_kind_that_reads_item_attributes_and_refuse_others_with_their_names() {
    let readers: Vec<&str> = readers_of(Whose::Items).collect();
    assert!(["content-tfidf", "fm", "feature-embeddings", "dlrm"].iter().all(|kind| readers.contains(kind)));
    for (hybrid, before) in [("feature-combination", ""), ("feature-augmentation", "{ kind = \"item-knn\" }, ")] {
        for entry in ENTRIES {
            let (kind, said) = (entry.kind, mistakes(hybrid, &format!("{before}{{ kind = \"{}\" }}", entry.kind)));
            if readers.contains(&kind) {
                assert_eq!(said, "", "{kind} in {hybrid}");
            } else {
                let allowed = format!("allowed at this place: {}", readers.join(", "));
                assert!(said.contains(&allowed), "{kind} in {hybrid}: {said}");
            }
        }
    }
}

#[test]
fn whoever_stands_in_a_hybrid_of_features_reads_the_attribute_that_it_makes() {
    let of = |rest: &str| mistakes("feature-combination", &format!("{{ kind = \"fm\"{rest} }}"));
    let named = of(", item_attributes = [\"brand\"]");
    assert!(
        named.starts_with("recommender.components[0].item_attributes: name attributes without `rated-by`"),
        "{named}"
    );
    assert_eq!(
        of(", side = false"),
        "recommender.components[0].side: leaves out `rated-by`, which holds the people who rated the item; set it to true"
    );
    assert_eq!((of(""), of(", user_attributes = [\"age\"]")), (String::new(), String::new()));
    let network =
        mistakes("feature-augmentation", "{ kind = \"ease\" }, { kind = \"dlrm\", attributes = [\"brand\"] }");
    assert!(
        network.starts_with("recommender.components[1].attributes: name attributes without `goes-with`"),
        "{network}"
    );
}

#[test]
fn a_hybrid_of_features_predicts_what_the_component_that_answers_predicts() {
    let of = |kind: &str, components: &str| {
        let resolved = spec(kind, components).resolve().unwrap_or_else(|errors| panic!("{errors}"));
        resolved.recommender.predicts()
    };
    let (content, machine) = ("{ kind = \"content-tfidf\" }", "{ kind = \"fm\" }");
    assert_eq!(of("feature-combination", content), Predicts::Scores);
    assert_eq!(of("feature-combination", machine), Predicts::Ratings);
    let after = |second: &str| of("feature-augmentation", &format!("{{ kind = \"item-knn\" }}, {second}"));
    assert_eq!((after(content), after(machine)), (Predicts::Scores, Predicts::Ratings));
}
