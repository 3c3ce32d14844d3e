//! No trial is made twice, and a search ends where nothing new is left.

use super::bench::{Bench, stderr};
use super::{SEARCH, neighbours, results, search, search_into, trials};

#[test]
fn no_trial_is_made_twice_and_a_space_smaller_than_the_budget_is_told() {
    for method in ["random", "tpe"] {
        let bench = Bench::new(SEARCH);
        let more = ["--trials", "25", "--method", method, "--json"];
        let output = search(&bench, &more);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let tried = |folder: &str| trials(&bench, folder).iter().map(neighbours).collect::<Vec<_>>();
        let mut all = tried("found");
        let result = &results(&output)[0];
        let due = "its space ended after 9 trials, before its budget of 25 trials: \
                   no other combination of its values is both possible and new";
        assert_eq!(result["notes"][0], due, "{result}");
        assert!(stderr(&output).contains(&format!("item-knn: {due}")), "{}", stderr(&output));
        // What goes on tries what an uninterrupted search has tried.
        for trials in ["4", "25"] {
            let output = search_into(&bench, "again", &["--trials", trials, "--method", method]);
            assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        }
        assert_eq!(tried("again"), all, "{method}");
        all.sort_unstable();
        assert_eq!(all, (1..10).collect::<Vec<_>>(), "{method}");
    }
}

#[test]
fn combinations_that_differ_in_what_no_trial_reads_are_one_trial_of_a_grid() {
    let bench = Bench::new(
        "[recommender]\nkind = \"item-knn\"\n[search]\nmethod = \"grid\"\nmetric = \"hit@1\"\n\
         space.recommender.similarity = [\"jaccard\", \"tf-idf\", \"bm25\"]\nspace.recommender.bm25_k1 = [0.5, 1.0, 2.0]\n",
    );
    let output = search(&bench, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let log = trials(&bench, "found");
    let of = |name: &str| log.iter().filter(|trial| trial["parameters"]["recommender.similarity"] == name).count();
    assert_eq!((of("jaccard"), of("tf-idf"), of("bm25"), log.len()), (1, 1, 3, 5));
}
