//! Numbers that grow without bound are told by the ids of the file and by parameters that the recommender has.

mod desk;

use recspeed_types::FailureCode;

use desk::attempt;

/// Ratings beyond every scale.
fn huge(ratings: &[&str]) -> String {
    let line = |row: usize| format!("u{},i{},{},{row}\n", row % 20, row * 7 % 31, ratings[row % ratings.len()]);
    (0..240).map(line).collect::<Vec<_>>().concat()
}

fn refused(csv: &str, recommender: &str, metric: &str) -> String {
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n[evaluation]\nmetrics = [\"{metric}\"]\n"
    );
    let failure = attempt(Some(csv), &text, None).0.expect_err(recommender);
    assert_eq!(failure.code, FailureCode::Diverged, "{failure}");
    failure.cause
}

#[test]
fn a_score_that_is_not_finite_names_item_and_user_as_the_file_does_and_no_parameter_that_is_not_there() {
    let csv = huge(&["1e38", "2e38", "3e38", "5"]);
    for similarity in ["pearson", "bm25"] {
        let cause = refused(&csv, &format!("kind = \"item-knn\"\nsimilarity = \"{similarity}\""), "ndcg@10");
        assert!(cause.starts_with("The score of item `i") && cause.contains("for user `u"), "{cause}");
        let remedy = "is not a finite number; divide the ratings in the file by 7e37 (they go from 5 to 3e38, ";
        assert!(cause.contains(remedy) && !cause.contains("recommender."), "{cause}");
    }
}

#[test]
fn a_prediction_that_is_not_finite_is_told_with_its_row_and_not_with_a_place_in_a_list() {
    let cause = refused(&huge(&["3.3e38", "-3.3e38", "3e38"]), "kind = \"user-knn\"", "rmse");
    assert!(cause.starts_with("The prediction of item `i") && cause.contains("for user `u"), "{cause}");
    assert!(cause.contains("; divide the ratings in the file by 1e38 (they go from -3.3e38 to 3.3e38, "), "{cause}");
}
