//! What the data do not tell is refused or said, and never measured in silence.

mod desk;

use desk::attempt;
use recspeed_types::catalogue::{ENTRIES, Need};
use recspeed_types::{EventKind, FailureCode};

const RATED: &str = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n";
const BARE: &str = "user_id:token\titem_id:token\n";

/// Six users with four items each; what follows the ids comes from `rest`, of the row's number.
fn rows(head: &str, rest: impl Fn(u32) -> String) -> String {
    let row = |at: u32| format!("u{}\ti{}{}\n", at / 4, (at * 3 + at / 4) % 8, rest(at));
    std::iter::once(head.to_owned()).chain((0..24).map(row)).collect()
}

fn bare() -> String {
    rows(BARE, |_| String::new())
}

fn spec(recommender: &str, split: &str, metrics: &str) -> String {
    format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[split]\nkind = \"{split}\"\n\
         [recommender]\n{recommender}\n[evaluation]\nmetrics = [{metrics}]\n"
    )
}

/// What the result says of the data; cold rows and the like are told by sentences of their own.
fn warnings(data: &str, spec: &str) -> Vec<String> {
    let summary = attempt(Some(data), spec, None).0.unwrap_or_else(|failure| panic!("{spec}: {failure}"));
    let of_data = |warning: &String| warning.starts_with("desk has ") || warning.starts_with("every rating of desk ");
    summary.warnings.into_iter().filter(of_data).collect()
}

const KNN: &str = "kind = \"item-knn\"";
const MEAN: &str = "kind = \"item-mean\"";
const LISTS: &str = "\"ndcg@5\"";
const ERRORS: &str = "\"rmse\", \"accuracy\", \"ndcg@5\"";

#[test]
fn metrics_of_ratings_are_refused_where_the_data_have_none() {
    let failure = attempt(Some(&bare()), &spec(MEAN, "per-user-random", ERRORS), None).0.unwrap_err();
    assert_eq!(failure.code, FailureCode::InvalidSpec);
    assert!(failure.cause.starts_with("desk has no ratings: every row counts as 1"), "{failure}");
    assert!(failure.cause.contains("that rmse, accuracy could measure"), "{failure}");
    assert!(failure.cause.contains("evaluation.metrics = [\"ndcg@10\", \"hit@10\"]"), "{failure}");
}

#[test]
fn who_predicts_ratings_where_there_are_none_is_told_of_and_nobody_else_is() {
    let votes = |other: &str| format!("kind = \"weighted\"\ncomponents = [{{ {KNN} }}, {{ {other} }}]");
    for (recommender, told) in [
        (MEAN.to_owned(), Some("item-mean can learn nothing else")),
        (votes(MEAN), Some("item-mean can learn nothing else")),
        (KNN.to_owned(), None),
        (votes("kind = \"popularity\""), None),
    ] {
        let warnings = warnings(&bare(), &spec(&recommender, "per-user-random", LISTS));
        match told {
            Some(words) => assert!(warnings.iter().any(|warning| warning.contains(words)), "{warnings:?}"),
            None => assert_eq!(warnings, [""; 0], "{recommender}"),
        }
    }
}

#[test]
fn errors_are_called_empty_where_all_ratings_are_one_number() {
    let same = rows(RATED, |at| format!("\t5\t{at}"));
    let told = warnings(&same, &spec(MEAN, "leave-last-out", ERRORS));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("every rating of desk is 5: rmse, accuracy measure"), "{told:?}");
    assert_eq!(warnings(&same, &spec(KNN, "leave-last-out", LISTS)), [""; 0], "lists do not ask for ratings");
    let others = rows(RATED, |at| format!("\t{}\t{at}", at % 5 + 1));
    assert_eq!(warnings(&others, &spec(MEAN, "leave-last-out", ERRORS)), [""; 0]);
}

#[test]
fn whoever_can_learn_nothing_else_is_not_told_to_try_other_settings() {
    let of = |rating: &dyn Fn(u32) -> u32| {
        let row = |at: u32| format!("u{}\ti{}\t{}\t{at}\n", at / 6, (at / 6 * 3 + at % 6 * 7) % 20, rating(at));
        std::iter::once(RATED.to_owned()).chain((0..360).map(row)).collect::<String>()
    };
    let said = |data: &str, recommender: &str| {
        let text = spec(recommender, "per-user-random", LISTS);
        attempt(Some(data), &text, None).0.unwrap_or_else(|failure| panic!("{text}: {failure}")).warnings
    };
    let told = said(&of(&|_| 0), "kind = \"nmf\"");
    assert!(told.iter().any(|one| one.contains("nmf can learn nothing else")), "{told:?}");
    let alike = told.iter().find(|one| one.contains("one and the same list")).expect("all scores are 0");
    let due = "; take one that learns from who has what, as als-implicit, item-knn or ease (these two by weighting = \
               \"binary\")";
    assert!(alike.ends_with(due), "{alike}");
    assert!(!told.iter().any(|one| one.contains("try another")), "{told:?}");
    // Where the ratings differ, it is the settings.
    let held = said(&of(&|at| at % 5 + 1), "kind = \"nmf\"\nregularization = 100.0");
    assert!(!held.iter().any(|one| one.contains("take one that learns")), "{held:?}");
}

#[test]
fn whoever_weighs_by_ratings_that_are_all_0_is_told_to_weigh_otherwise_and_nothing_else() {
    let row = |at: u32| format!("u{}\ti{}\t0\t{at}\n", at / 6, (at / 6 * 3 + at % 6 * 7) % 20);
    let zeros: String = std::iter::once(RATED.to_owned()).chain((0..360).map(row)).collect();
    let alike = |recommender: &str| {
        let text = spec(recommender, "per-user-random", LISTS);
        let summary = attempt(Some(&zeros), &text, None).0.unwrap_or_else(|failure| panic!("{text}: {failure}"));
        summary.warnings.into_iter().find(|warning| warning.contains("one and the same list"))
    };
    // Of so few rows the usual penalty of slim leaves nothing.
    for kind in [KNN, "kind = \"ease\"", "kind = \"slim\"\nl1 = 0.1"] {
        let told = alike(kind).unwrap_or_else(|| panic!("{kind} tells users apart"));
        assert!(told.ends_with("is weighed by: set recommender.weighting = \"binary\""), "{kind}: {told}");
        assert_eq!(alike(&format!("{kind}\nweighting = \"binary\"\n")), None, "{kind}");
    }
    let votes = alike(&format!("kind = \"weighted\"\ncomponents = [{{ {KNN} }}, {{ kind = \"ease\" }}]")).unwrap();
    for place in ["recommender.components[0].weighting", "recommender.components[1].weighting"] {
        assert!(votes.contains(place), "{votes}");
    }
}

#[test]
fn the_newest_rows_of_data_with_one_time_are_told_to_be_the_last_of_the_file() {
    let newest = spec(KNN, "global-time", LISTS);
    let told = warnings(&rows(RATED, |at| format!("\t{}\t7", at % 5 + 1)), &newest);
    let due = "desk has one time for all rows: the newest rows, which split.kind `global-time` holds out, are the last";
    assert!(matches!(&told[..], [one] if one.starts_with(due) && one.ends_with("`per-user-random`")), "{told:?}");
    assert_eq!(warnings(&rows(RATED, |at| format!("\t{}\t{at}", at % 5 + 1)), &newest), [""; 0]);
}

#[test]
fn the_newest_row_of_data_without_times_is_told_to_be_the_last_of_the_file() {
    let last_out = spec(KNN, "leave-last-out", LISTS);
    let told = warnings(&bare(), &last_out);
    assert!(matches!(&told[..], [one] if one.starts_with("desk has no times: the newest row of a user")), "{told:?}");
    let at_once = rows(RATED, |at| format!("\t{}\t7", at % 5 + 1));
    let told = warnings(&at_once, &last_out);
    assert!(matches!(&told[..], [one] if one.starts_with("desk has one time for all rows")), "{told:?}");
    let timed = rows(RATED, |at| format!("\t{}\t{at}", at % 5 + 1));
    assert_eq!(warnings(&timed, &last_out), [""; 0]);
    assert_eq!(warnings(&bare(), &spec(KNN, "per-user-random", LISTS)), [""; 0]);
}

/// The code and words of a refusal, which came before the data were split.
fn refused(data: &str, spec: &str) -> (FailureCode, String) {
    let (result, events) = attempt(Some(data), spec, None);
    let failure = result.err().unwrap_or_else(|| panic!("not refused: {spec}"));
    assert!(!events.iter().any(|event| matches!(event, EventKind::Data { .. })), "{spec}: it was split before");
    (failure.code, failure.cause)
}

#[test]
fn whoever_learns_from_an_order_is_refused_where_every_row_has_one_time_however_the_rows_are_split() {
    let at_once = rows(RATED, |at| format!("\t{}\t7", at % 5 + 1));
    // Each user came once: whose times are all one, but not everybody's, still has the order of the days and of the
    // file.
    let by_user = rows(RATED, |at| format!("\t{}\t{}", at % 5 + 1, at / 4));
    let needing = ENTRIES.iter().filter(|entry| entry.needs.contains(&Need::Order)).map(|entry| entry.kind);
    let needing: Vec<&str> = needing.collect();
    assert!(needing.contains(&"sasrec"), "{needing:?}");
    for kind in needing {
        let alone = format!("kind = \"{kind}\"\n[training]\nepochs = 1");
        let within =
            format!("kind = \"weighted\"\ncomponents = [{{ {KNN} }}, {{ kind = \"{kind}\" }}]\n[training]\nepochs = 1");
        for (recommender, split) in [(&alone, "random"), (&alone, "leave-last-out"), (&within, "per-user-random")] {
            let (code, cause) = refused(&at_once, &spec(recommender, split, LISTS));
            assert_eq!(code, FailureCode::InvalidSpec, "{kind}: {cause}");
            for part in ["the order of each user's rows", "all its rows have one and the same time", "item-knn"] {
                assert!(cause.contains(part), "{kind}: {cause}");
            }
        }
        let summary = attempt(Some(&by_user), &spec(&alone, "per-user-random", LISTS), None).0;
        summary.unwrap_or_else(|failure| panic!("{kind}: {failure}"));
    }
}

#[test]
fn a_network_that_reads_times_is_told_to_have_none_unless_they_were_taken_away() {
    let network = "kind = \"mlp\"\nhidden = [4]\n[training]\nepochs = 1\n";
    let told = |data: &str, recommender: &str| {
        let warnings = warnings(data, &spec(recommender, "per-user-random", LISTS));
        warnings.into_iter().filter(|warning| warning.contains("input of")).collect::<Vec<_>>()
    };
    let timeless = rows("user_id:token\titem_id:token\trating:float\n", |at| format!("\t{}", at % 5 + 1));
    let none = told(&timeless, network);
    assert!(matches!(&none[..], [one] if one.starts_with("desk has no times: time is an input of mlp,")), "{none:?}");
    let at_once = told(&rows(RATED, |at| format!("\t{}\t7", at % 5 + 1)), network);
    assert!(matches!(&at_once[..], [one] if one.starts_with("desk has one time for all rows: time is")), "{at_once:?}");
    let timed = rows(RATED, |at| format!("\t{}\t{at}", at % 5 + 1));
    assert_eq!(told(&timed, network), [""; 0]);
    assert_eq!(told(&timeless, KNN), [""; 0]);
    assert_eq!(told(&timeless, &format!("{network}[features]\ndrop = [\"time\"]\n")), [""; 0]);
}
