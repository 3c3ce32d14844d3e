//! What the data do not have is refused as early as that can be known.

mod desk;

use desk::attempt;
use recspeed_types::{EventKind, FailureCode};

const BUILTIN: &str = "source = \"builtin\"\nid = \"beauty-synthetic-10k\"";
const CSV: &str = "u1,i1,5,10\nu1,i2,4,11\nu2,i1,3,12\nu2,i2,2,13\n";

fn upload() -> String {
    format!("source = \"upload\"\nid = \"{}\"\nformat = \"amazon-csv\"", "0".repeat(64))
}

fn spec(dataset: &str, features: &str, recommender: &str) -> String {
    format!(
        "version = 1\n[dataset]\n{dataset}\n[features]\n{features}\n[recommender]\n{recommender}\n\
         [evaluation]\nmetrics = [\"ndcg@10\"]\n"
    )
}

/// Code and words of a refusal, whether loading had begun, and whether the data were split.
fn refused(csv: Option<&str>, text: &str) -> (FailureCode, String, bool, bool) {
    let (result, events) = attempt(csv, text, None);
    let failure = result.err().unwrap_or_else(|| panic!("not refused: {text}"));
    let loads = events.iter().any(|event| matches!(event, EventKind::Phase { .. }));
    let splits = events.iter().any(|event| matches!(event, EventKind::Data { .. }));
    (failure.code, failure.cause, loads, splits)
}

#[test]
fn attributes_that_the_source_cannot_have_are_asked_for_before_anything_is_read() {
    let (content, hybrid) = (
        "kind = \"content-tfidf\"",
        "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"content-linear\" }]",
    );
    let upload = upload();
    let file = "source = \"file\"\npath = \"ratings.csv\"\nformat = \"amazon-csv\"";
    for (dataset, recommender, said) in [
        (&upload[..], content, "`content-tfidf` needs item attributes"),
        (file, content, "`content-tfidf` needs item attributes"),
        (file, hybrid, "recommender.components[1]: `content-linear` needs item attributes"),
        (BUILTIN, "kind = \"fm\"\nuser_attributes = [\"age\"]", "`fm` needs user attributes"),
    ] {
        let text = spec(dataset, "", recommender);
        let (code, cause, loads, _) = refused(None, &text);
        assert_eq!((code, loads), (FailureCode::InvalidSpec, false), "{text}");
        assert!(cause.contains(said) && cause.contains("dataset."), "{cause}");
    }
}

#[test]
fn attributes_that_the_spec_itself_makes_are_there() {
    let combined = "kind = \"feature-combination\"\ncomponents = [{ kind = \"content-tfidf\" }]";
    let without_side = "kind = \"fm\"\nside = false\nitem_attributes = [\"category\"]";
    for (features, recommender) in
        [("derive = [\"item-count\"]", "kind = \"content-tfidf\""), ("", combined), ("", without_side)]
    {
        // The desk has no uploads: that it is asked for one is what is to be seen.
        let text = spec(&upload(), features, recommender);
        let (code, cause, loads, _) = refused(None, &text);
        assert_eq!((code, loads), (FailureCode::Data, true), "{cause}");
    }
}

#[test]
fn what_turns_out_to_be_missing_when_the_data_are_read_is_refused_before_they_are_split() {
    let (code, cause, loads, splits) = refused(Some(CSV), &spec(BUILTIN, "", "kind = \"content-tfidf\""));
    assert_eq!((code, loads, splits), (FailureCode::InvalidSpec, true, false));
    assert!(cause.contains("`content-tfidf` needs item attributes"), "{cause}");
}

#[test]
fn what_is_told_to_do_about_missing_attributes_can_be_done_where_the_rows_come_from() {
    let file = "source = \"file\"\npath = \"ratings.csv\"\nformat = \"amazon-csv\"";
    let (of_items, of_users) = ("kind = \"content-tfidf\"", "kind = \"fm\"\nuser_attributes = [\"age\"]");
    for (dataset, recommender, remedy) in [
        (file, of_items, "have; name a file of them as dataset.items, or"),
        (file, of_users, "have; name a file of them as dataset.users, or"),
        (&upload()[..], of_items, "take dataset.source = \"file\", where dataset.items names"),
        (&upload()[..], of_users, "take dataset.source = \"file\", where dataset.users names"),
        (BUILTIN, of_users, "take dataset.source = \"file\", where dataset.users names"),
    ] {
        let (_, cause, ..) = refused(None, &spec(dataset, "", recommender));
        assert!(cause.contains(remedy), "{cause}");
        // What reads words alone has others to take its place; what was told names has not.
        assert_eq!(cause.contains("as item-knn, als-implicit or ease"), recommender == of_items, "{cause}");
    }
}
