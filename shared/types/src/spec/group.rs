//! A spec group: several recommenders over one data set, one split and one evaluation, in one document.
//!
//! Everything outside `[[compare]]` is an experiment spec; each `[[compare]]` gives the recommender that is put into it, and
//! what goes with a recommender: a name, `training`, `engine`.

use serde_json::{Map, Value};

use super::parse::SpecParseError;
use super::{ExperimentSpec, Problems, SpecError, SpecErrors};
use crate::search::{Search, SearchMember, SearchSpec, ranges};

/// The list of a group.
pub(super) const COMPARE: &str = "compare";
/// The section of a search.
const SEARCH: &str = "search";
/// What a search tries of one member.
const SPACE: &str = "space";
/// What it tries of every member that has no space of its own.
const SHARED_SPACE: &str = "search.space";
/// What a member may say for itself.
const OWN: [&str; 4] = ["name", "recommender", "training", "engine"];
/// What all share unless a member says it for itself.
const EITHER: [&str; 2] = ["training", "engine"];
/// What every member says for itself.
const RECOMMENDER: &str = "recommender";
/// Members of one group.
pub(crate) const MAX_MEMBERS: usize = 100;

/// One member of a group.
pub(super) struct Member {
    pub(super) spec: ExperimentSpec,
    /// What a search tries of it, as written; null where it does not say.
    space: Value,
    /// Its place in the document, empty for the only spec of a document.
    at: String,
}

/// The members of a group: one for each `[[compare]]`, or the one spec that a document without any is. A `[search]` and the
/// members' spaces are for `search`.
///
/// # Errors
/// [`SpecParseError::Fields`], with the path inside the document.
pub(super) fn members(mut document: Value) -> Result<Vec<Member>, SpecParseError> {
    let sections = document.as_object_mut();
    let list = sections.and_then(|sections| {
        sections.remove(SEARCH);
        sections.remove(COMPARE)
    });
    let Some(list) = list else {
        let spec = ExperimentSpec::from_value(document)?;
        return Ok(vec![Member { spec, space: Value::Null, at: String::new() }]);
    };
    let Value::Array(list) = list else {
        return Err(wrong(COMPARE, "is no list; write [[compare]] once for each recommender".to_owned()));
    };
    if list.is_empty() || list.len() > MAX_MEMBERS {
        return Err(wrong(COMPARE, format!("has {} members; allowed: 1 to {MAX_MEMBERS}", list.len())));
    }
    if let Some(shared) = document.get(RECOMMENDER) {
        return Err(shared_recommender(shared, list.len()));
    }
    list.into_iter().enumerate().map(|(index, own)| member(&document, index, own)).collect()
}

/// The members with their spaces, and how they are searched.
///
/// # Errors
/// As [`members`].
pub(super) fn search(document: Value) -> Result<Search, SpecParseError> {
    let given = document.get(SEARCH).cloned().unwrap_or_else(|| Value::Object(Map::new()));
    let mut track = serde_path_to_error::Track::new();
    let read: Result<SearchSpec, _> =
        serde::Deserialize::deserialize(serde_path_to_error::Deserializer::new(given, &mut track));
    let search = read.map_err(|error| {
        let path = track.path().to_string();
        let path = if path == "." { SEARCH.to_owned() } else { format!("{SEARCH}.{path}") };
        SpecParseError::Fields(SpecErrors(vec![super::words::in_plain_words(path, &error.to_string())]))
    })?;
    let mut problems = Problems::default();
    search.check(&mut problems);
    problems.finish().map_err(SpecParseError::Fields)?;
    let shared = ranges(SHARED_SPACE, &search.space)?;
    let members = members(document)?;
    // Of one alone, whoever checks the space says what its parameters are.
    if members.len() > 1
        && let Some(path) = shared.keys().find(|path| !members.iter().any(|member| member.spec.takes(path)))
    {
        let kinds: Vec<&str> = members.iter().map(|member| member.spec.recommender.kind.as_str()).collect();
        let message =
            format!("is a parameter of none of these recommenders ({}); correct it, or take it out", kinds.join(", "));
        return Err(SpecParseError::field(format!("{SHARED_SPACE}.{path}"), message));
    }
    let alone = members.len() == 1;
    let members = members
        .into_iter()
        .map(|Member { spec, space, at }| {
            let at = format!("{at}.{SPACE}");
            let own = ranges(&at, &space)?;
            if !own.is_empty() {
                return Ok(SearchMember { spec, at, space: own });
            }
            let taken = shared.iter().filter(|(path, _)| alone || spec.takes(path));
            let space = taken.map(|(path, range)| (path.clone(), range.clone())).collect();
            Ok(SearchMember { spec, at: SHARED_SPACE.to_owned(), space })
        })
        .collect::<Result<_, SpecParseError>>()?;
    Ok(Search { search, members })
}

/// The members that say for themselves what `assignment` changes of what all share: their own would otherwise hide the change.
pub(super) fn hiding<'a>(
    document: &'a mut toml::Table,
    assignment: &'a str,
) -> impl Iterator<Item = &'a mut toml::Table> {
    let section = section_of(assignment);
    let members = document.get_mut(COMPARE).and_then(toml::Value::as_array_mut);
    let members = members.into_iter().flatten().filter_map(toml::Value::as_table_mut);
    members.filter(move |member| EITHER.contains(&section) && member.contains_key(section))
}

/// The member that `assignment` names, as `compare.0.training.epochs=9` does, and what is assigned inside it. What all share of
/// that section becomes the member's own first: a section of its own with this one field would hide the rest.
pub(super) fn named<'a, 'b>(
    document: &'a mut toml::Table,
    assignment: &'b str,
) -> Option<(&'a mut toml::Table, &'b str)> {
    let (index, inside) = assignment.trim_start().strip_prefix(COMPARE)?.strip_prefix('.')?.split_once('.')?;
    let index: usize = index.parse().ok()?;
    let section = section_of(inside);
    let shared = document.get(section).filter(|_| EITHER.contains(&section)).cloned();
    let member = document.get_mut(COMPARE)?.as_array_mut()?.get_mut(index)?.as_table_mut()?;
    if let Some(shared) = shared
        && !member.contains_key(section)
    {
        member.insert(section.to_owned(), shared);
    }
    Some((member, inside))
}

/// The first name of an assignment.
fn section_of(assignment: &str) -> &str {
    assignment.split(['.', '=']).next().unwrap_or_default().trim()
}

/// A recommender beside the list, which would count for no member of `members`.
fn shared_recommender(shared: &Value, members: usize) -> SpecParseError {
    let field = shared.as_object().and_then(|section| section.keys().next());
    let place = field
        .map_or_else(|| RECOMMENDER.to_owned(), |field| format!("{RECOMMENDER}.{}", super::dataset::shorten(field)));
    let last = members - 1;
    let each = if last == 0 { "N is 0".to_owned() } else { format!("N from 0 to {last}") };
    let message = format!(
        "stands beside [[compare]], and each [[compare]] has a recommender of its own: set compare.N.{place} ({each})"
    );
    wrong(&place, message)
}

fn member(frame: &Value, index: usize, own: Value) -> Result<Member, SpecParseError> {
    let at = format!("{COMPARE}[{index}]");
    let Value::Object(mut own) = own else { return Err(wrong(&at, "is no section".to_owned())) };
    let space = own.remove(SPACE).unwrap_or_default();
    if let Some(field) = own.keys().find(|field| !OWN.contains(&field.as_str())) {
        let place = format!("{at}.{}", super::dataset::shorten(field));
        let message = "is shared by all that are compared: write it once, outside [[compare]]";
        let allowed = OWN.iter().chain(&[SPACE]).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let unknown = format!("is no field of this section; allowed: {allowed}");
        let shared = ["dataset", "split", "evaluation", "seed", "data_seed", "version", "strategy"];
        return Err(wrong(&place, if shared.contains(&field.as_str()) { message.to_owned() } else { unknown }));
    }
    let mut whole: Map<String, Value> = frame.as_object().cloned().unwrap_or_default();
    // The name of the document is that of the whole.
    whole.remove("name");
    whole.extend(own);
    let spec = ExperimentSpec::from_value(Value::Object(whole)).map_err(|error| match error {
        SpecParseError::Fields(SpecErrors(errors)) => {
            let own = |error: &SpecError| OWN.iter().any(|name| error.path.starts_with(name));
            let placed = |error: SpecError| {
                let path = if own(&error) { format!("{at}.{}", error.path) } else { error.path };
                SpecError::new(path, error.message)
            };
            SpecParseError::Fields(SpecErrors(errors.into_iter().map(placed).collect()))
        }
        other => other,
    })?;
    Ok(Member { spec, space, at })
}

fn wrong(path: &str, message: String) -> SpecParseError {
    SpecParseError::field(path, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{EngineKind, ParamValue};

    const FRAME: &str = "version = 1\nname = \"All\"\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n";

    fn group(rest: &str) -> Result<Vec<ExperimentSpec>, SpecParseError> {
        ExperimentSpec::group_from_toml_with(&format!("{FRAME}{rest}"), &[])
    }

    #[test]
    fn members_share_all_but_the_recommender_and_what_goes_with_it() {
        let members = group(
            "[evaluation]\nmetrics = [\"ndcg@5\"]\n[[compare]]\nrecommender = { kind = \"popularity\" }\n[[compare]]\nname = \"Neighbours\"\nrecommender = { kind = \"item-knn\", neighbours = 7 }\n",
        )
        .unwrap();
        let names: Vec<_> = members.iter().map(|spec| (spec.name.as_str(), spec.recommender.kind.as_str())).collect();
        assert_eq!(names, [("", "popularity"), ("Neighbours", "item-knn")]);
        assert_eq!((&members[0].dataset, &members[0].evaluation), (&members[1].dataset, &members[1].evaluation));
        assert!(members.iter().all(|spec| spec.resolve().is_ok()));
    }

    #[test]
    fn a_document_without_a_list_is_one_spec() {
        let members = group("[recommender]\nkind = \"popularity\"\n").unwrap();
        assert_eq!((members.len(), members[0].name.as_str()), (1, "All"));
        assert!(!ExperimentSpec::is_group(&format!("{FRAME}[recommender]\nkind = \"popularity\"\n")));
        assert!(ExperimentSpec::is_group("[[compare]]\nrecommender = { kind = \"popularity\" }\n"));
    }

    #[test]
    fn a_member_of_its_own_data_or_of_an_unknown_field_is_refused_with_its_place() {
        let message = |rest: &str| group(rest).unwrap_err().to_string();
        assert_eq!(
            message("[[compare]]\nrecommender = { kind = \"popularity\" }\nsplit = { kind = \"leave-last-out\" }\n"),
            "compare[0].split: is shared by all that are compared: write it once, outside [[compare]]"
        );
        assert!(message("[[compare]]\nrecomender = 1\n").starts_with("compare[0].recomender: is no field"));
        assert!(message("[[compare]]\nname = \"x\"\n").starts_with("compare[0].recommender: is missing"));
        assert!(
            message("[[compare]]\nrecommender = { kind = \"mlp\" }\ntraining = { epochs = \"x\" }\n")
                .starts_with("compare[0].training.epochs: ")
        );
        assert_eq!(message("[compare]\n"), "compare: is no list; write [[compare]] once for each recommender");
    }

    /// Two members, of which the second has a training of its own.
    const TWO: &str = "[[compare]]\nrecommender = { kind = \"item-knn\" }\n[[compare]]\nrecommender = { kind = \"mlp\" }\ntraining = { epochs = 3 }\n";

    #[test]
    fn a_recommender_beside_the_list_is_refused_with_the_place_where_it_counts() {
        let of = |text: &str, assignments: &[&str]| {
            let assignments: Vec<String> = assignments.iter().map(|&one| one.to_owned()).collect();
            let text = format!("{FRAME}{text}");
            let group = ExperimentSpec::group_from_toml_with(&text, &assignments);
            let search = ExperimentSpec::search_from_toml_with(&text, &assignments);
            assert_eq!(group.as_ref().err(), search.as_ref().err(), "one refusal for both");
            group.map_err(|error| error.to_string())
        };
        assert_eq!(
            of(TWO, &["recommender.neighbours=5"]).unwrap_err(),
            "recommender.neighbours: stands beside [[compare]], and each [[compare]] has a recommender of its own: \
             set compare.N.recommender.neighbours (N from 0 to 1)"
        );
        let written = format!("[recommender]\nkind = \"nonsense\"\nfoo = 3\n{TWO}");
        for (text, assignments) in [
            (TWO, &["recommender.nonsense=5"][..]),
            (TWO, &["recommender=popularity"][..]),
            (TWO, &["recommender={}"][..]),
            (written.as_str(), &[][..]),
        ] {
            let message = of(text, assignments).unwrap_err();
            assert!(message.starts_with("recommender") && message.contains("set compare.N.recommender"), "{message}");
        }
        let one = "[[compare]]\nrecommender = { kind = \"item-knn\" }\n";
        assert!(of(one, &["recommender.kind=bpr"]).unwrap_err().ends_with("(N is 0)"));
        let members = of(TWO, &["compare.0.recommender.neighbours=5"]).unwrap();
        assert_eq!(members[0].recommender.params["neighbours"], ParamValue::Integer(5));
    }

    #[test]
    fn an_assignment_reaches_a_member_that_says_the_same_for_itself() {
        let networks = TWO.replace("item-knn", "neumf");
        let epochs = |assignments: &[&str]| {
            let assignments: Vec<String> = assignments.iter().map(|&one| one.to_owned()).collect();
            let members = ExperimentSpec::group_from_toml_with(&format!("{FRAME}{networks}"), &assignments).unwrap();
            members.iter().map(|member| member.training.epochs).collect::<Vec<_>>()
        };
        assert_eq!(epochs(&[]), [None, Some(3)]);
        assert_eq!(epochs(&["training.epochs=7"]), [Some(7), Some(7)]);
        assert_eq!(epochs(&["training.epochs=7", "compare.1.training.epochs=9"]), [Some(7), Some(9)]);
    }

    #[test]
    fn a_member_that_is_assigned_one_field_keeps_the_others_that_all_share_in_any_order() {
        let text = format!(
            "{FRAME}[training]\nbatch_size = 64\n[[compare]]\nrecommender = {{ kind = \"neumf\" }}\n[[compare]]\nrecommender = {{ kind = \"mlp\" }}\n"
        );
        let mut assignments = ["training.batch_size=128".to_owned(), "compare.0.training.epochs=9".to_owned()];
        for _ in 0..2 {
            let members = ExperimentSpec::group_from_toml_with(&text, &assignments).unwrap();
            let said: Vec<_> =
                members.iter().map(|member| (member.training.batch_size, member.training.epochs)).collect();
            assert_eq!(said, [(Some(128), Some(9)), (Some(128), None)], "{assignments:?}");
            assignments.reverse();
        }
    }

    #[test]
    fn an_assignment_to_a_member_does_what_it_does_to_an_experiment() {
        let text = format!("{FRAME}{}", TWO.replace("item-knn\"", "item-knn\", neighbours = 7"));
        let of = |assignment: &str| ExperimentSpec::group_from_toml_with(&text, &[assignment.to_owned()]);
        let members = of("compare.0.recommender.kind=bpr").unwrap();
        assert_eq!(members[0].recommender.kind, "bpr");
        assert!(members[0].recommender.params.is_empty(), "{:?}", members[0].recommender);
        let members = of("compare.1.engine=pytorch").unwrap();
        assert_eq!(
            members.iter().map(|member| member.engine.kind).collect::<Vec<_>>(),
            [EngineKind::Burn, EngineKind::Pytorch]
        );
        // What is refused is named by its whole path.
        for (assignment, begins) in [
            ("compare.0.recommender.neighbours={", "compare.0.recommender.neighbours: is no TOML"),
            ("compare.0.training.epochs", "`compare.0.training.epochs` is no assignment"),
            ("compare.0.recommender.components.3.weight=1", "compare.0.recommender.components.3: is not there"),
            ("compare.9.training.epochs=1", "compare.9: is not there"),
        ] {
            let message = of(assignment).unwrap_err().to_string();
            assert!(message.starts_with(begins), "{assignment}: {message}");
        }
    }
}
