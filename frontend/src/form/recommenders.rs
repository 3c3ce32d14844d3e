//! A hybrid's components as places of a form: what stands there, what could, and its own fields.

use recspeed_types::ExperimentSpec;
use recspeed_types::catalogue::{self, ENTRIES, Entry, Param, ParamKind};
use recspeed_types::spec::{ParamValue, RecommenderSpec};

use super::edit::fitting_recommender;
use super::{Choice, Field};

/// A place among the components.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Place {
    /// Where it is in the spec, as `recommender.components.0`.
    pub path: String,
    /// The kind that stands there.
    pub kind: String,
    /// The kinds that may.
    pub choices: Vec<Choice>,
    /// What is said of the place, as a weight.
    pub given: Vec<Field>,
    /// The recommender's own parameters.
    pub own: Vec<Field>,
    /// Whether the list may be shorter.
    pub removable: bool,
}

/// A change of a list of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListChange {
    /// One more at the end.
    Add,
    /// The one at this place, from 0, goes.
    Remove(usize),
}

/// The places of the list at `path`, as `recommender.components`, and whether there is room for one more.
pub(crate) fn places(spec: &ExperimentSpec, path: &str) -> (Vec<Place>, bool) {
    let Some((param, components)) = list_at(&spec.recommender, path) else { return (Vec::new(), false) };
    let ParamKind::Recommenders { min_len, max_len, .. } = &param.kind else { return (Vec::new(), false) };
    let place = |(index, component): (usize, &RecommenderSpec)| {
        let path = format!("{path}.{index}");
        let slot = param.kind.slot(index)?;
        let choice =
            |entry: &&'static Entry| Choice { group: entry.family.title(), ..Choice::titled(entry.kind, entry.title) };
        let own = catalogue::find(&component.kind).map_or(&[][..], |entry| entry.params);
        let fields = |params: &'static [Param]| params.iter().map(|param| Field::below(&path, param)).collect();
        Some(Place {
            kind: component.kind.clone(),
            choices: ENTRIES.iter().filter(|entry| slot.takes.allows(entry)).map(choice).collect(),
            given: fields(slot.params),
            own: fields(own),
            removable: components.len() > *min_len,
            path,
        })
    };
    (components.iter().enumerate().filter_map(place).collect(), components.len() < *max_len)
}

/// The spec with one component more or less in the list at `path`; `None` where there is no such list.
pub(crate) fn change(spec: &ExperimentSpec, path: &str, change: ListChange) -> Option<ExperimentSpec> {
    let mut next = spec.clone();
    let below = path.strip_prefix("recommender.")?;
    write_out(&mut next.recommender, &format!("{below}.0"));
    let (param, _) = list_at(&next.recommender, path)?;
    let (holder, name) = match below.rsplit_once('.') {
        Some((place, name)) => (at(&mut next.recommender, place)?, name),
        None => (&mut next.recommender, below),
    };
    let Some(ParamValue::Recommenders(components)) = holder.params.get_mut(name) else { return None };
    match change {
        ListChange::Add => {
            let takes = param.kind.slot(components.len())?.takes;
            let kind = takes.kinds().find(|kind| *kind == "popularity").or_else(|| takes.kinds().next())?;
            components.push(RecommenderSpec::new(kind));
        }
        ListChange::Remove(index) if index < components.len() => {
            components.remove(index);
        }
        ListChange::Remove(_) => return None,
    }
    fitting_recommender(next)
}

/// Puts another kind at a place, as `components.0`, with what is said of the place.
pub(crate) fn put(recommender: &mut RecommenderSpec, place: &str, kind: &str) -> Option<()> {
    catalogue::find(kind)?;
    write_out(recommender, place);
    let component = at(recommender, place)?;
    if component.kind != kind {
        component.params.retain(|name, _| catalogue::is_of_a_place(name));
        kind.clone_into(&mut component.kind);
    }
    Some(())
}

/// Writes out the default components that a path, as `components.0.weight`, leads through.
pub(crate) fn write_out(recommender: &mut RecommenderSpec, path: &str) {
    let mut parts = path.splitn(3, '.');
    let (Some(name), Some(Ok(index))) = (parts.next(), parts.next().map(str::parse::<usize>)) else { return };
    let Some(param) = catalogue::find(&recommender.kind).and_then(|entry| entry.param(name)) else { return };
    let list = recommender.params.entry(name.to_owned()).or_insert_with(|| param.default_value());
    if let (ParamValue::Recommenders(components), Some(rest)) = (list, parts.next())
        && let Some(component) = components.get_mut(index)
    {
        write_out(component, rest);
    }
}

/// Writes out all default components, however deep: one edits what one sees.
pub(crate) fn write_all_out(recommender: &mut RecommenderSpec) {
    let params = catalogue::find(&recommender.kind).map_or(&[][..], |entry| entry.params);
    for param in params.iter().filter(|param| matches!(param.kind, ParamKind::Recommenders { .. })) {
        let list = recommender.params.entry(param.name.to_owned()).or_insert_with(|| param.default_value());
        if let ParamValue::Recommenders(components) = list {
            components.iter_mut().for_each(write_all_out);
        }
    }
}

/// Every recommender among this one and its components that is trained step by step.
pub(crate) fn trained(recommender: &RecommenderSpec) -> Vec<&'static Entry> {
    let Some(entry) = catalogue::find(&recommender.kind) else { return Vec::new() };
    let mut all: Vec<&'static Entry> = entry.is_trained().then_some(entry).into_iter().collect();
    for param in entry.params {
        let value = recommender.params.get(param.name).cloned().unwrap_or_else(|| param.default_value());
        if let ParamValue::Recommenders(components) = value {
            all.extend(components.iter().flat_map(trained));
        }
    }
    all
}

/// The component at a place, as `components.0`, that is written out.
fn at<'a>(recommender: &'a mut RecommenderSpec, place: &str) -> Option<&'a mut RecommenderSpec> {
    let mut parts = place.splitn(3, '.');
    let (name, index) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
    let Some(ParamValue::Recommenders(components)) = recommender.params.get_mut(name) else { return None };
    let component = components.get_mut(index)?;
    match parts.next() {
        Some(rest) => at(component, rest),
        None => Some(component),
    }
}

/// The parameter at a path, as `recommender.components`, and its recommenders.
fn list_at(recommender: &RecommenderSpec, path: &str) -> Option<(&'static Param, Vec<RecommenderSpec>)> {
    let below = path.strip_prefix("recommender.")?;
    let mut whole = recommender.clone();
    write_out(&mut whole, &format!("{below}.0"));
    let (holder, name) = match below.rsplit_once('.') {
        Some((place, name)) => (at(&mut whole, place)?, name),
        None => (&mut whole, below),
    };
    let param = catalogue::find(&holder.kind)?.param(name)?;
    match holder.params.get(name) {
        Some(ParamValue::Recommenders(components)) => Some((param, components.clone())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::SpecDraft;
    use super::super::edit::with_kind;
    use super::*;

    const LIST: &str = "recommender.components";

    fn draft() -> SpecDraft {
        SpecDraft::of(with_kind(&ExperimentSpec::default(), "recommender.kind", "weighted").unwrap())
    }

    fn kinds(draft: &SpecDraft) -> Vec<String> {
        places(draft.spec(), LIST).0.into_iter().map(|place| place.kind).collect()
    }

    #[test]
    fn default_components_are_places_and_changing_one_writes_them_out() {
        let mut draft = draft();
        assert_eq!(kinds(&draft), ["item-knn", "popularity"]);
        let (places, more) = places(draft.spec(), LIST);
        assert!(more && !places[0].removable);
        assert_eq!(places[0].given[0].path, "recommender.components.0.weight");
        draft.type_field(&places[1].given[0], "3");
        assert!(draft.text().contains("weight = 3"), "{}", draft.text());
        assert_eq!((kinds(&draft).len(), draft.field_text(&places[1].given[0])), (2, "3".to_owned()));
    }

    #[test]
    fn the_toml_of_a_hybrid_shows_the_components_that_one_would_edit() {
        let mut draft = draft();
        let text = draft.text().to_owned();
        assert_eq!(text.matches("[[recommender.components]]").count(), 2, "{text}");
        assert!(text.contains("kind = \"item-knn\"") && text.contains("kind = \"popularity\""), "{text}");
        draft.type_toml(text.replace("\"popularity\"", "\"item-mean\""));
        assert_eq!(kinds(&draft), ["item-knn", "item-mean"]);
        draft.choose("recommender.components.1.kind", "switching");
        let inner = "[[recommender.components.components]]";
        assert_eq!(draft.text().matches(inner).count(), 2, "{}", draft.text());
        // A recommender of one piece has none.
        draft.choose("recommender.kind", "ease");
        assert!(!draft.text().contains("components"), "{}", draft.text());
    }

    #[test]
    fn components_come_and_go_and_their_kinds_change() {
        let mut draft = draft();
        draft.change_components(LIST, ListChange::Add);
        draft.choose("recommender.components.2.kind", "mlp");
        assert_eq!(kinds(&draft), ["item-knn", "popularity", "mlp"]);
        assert!(draft.is_runnable(), "{:?}", draft.problems());
        draft.type_toml(format!("{}\n[training]\nepochs = 2\n", draft.text()));
        assert!(draft.is_runnable(), "{:?}", draft.problems());
        draft.change_components(LIST, ListChange::Remove(2));
        assert!(draft.is_runnable(), "nothing is trained any more: {:?}", draft.problems());
        // A place keeps its weight, whatever stands there.
        let weight = places(draft.spec(), LIST).0[0].given[0].clone();
        draft.type_field(&weight, "2.5");
        draft.choose("recommender.components.0.kind", "ease");
        assert_eq!((draft.field_text(&weight), kinds(&draft)[0].as_str()), ("2.5".to_owned(), "ease"));
    }

    #[test]
    fn hybrids_in_hybrids_have_places_of_their_own_and_mistakes_are_shown_there() {
        let mut draft = draft();
        draft.choose("recommender.components.1.kind", "switching");
        let inner = "recommender.components.1.components";
        assert_eq!(places(draft.spec(), inner).0.len(), 2);
        draft.choose("recommender.components.1.components.0.kind", "als-implicit");
        let (places, _) = places(draft.spec(), inner);
        let factors = places[0].own.iter().find(|field| field.path.ends_with(".factors")).unwrap();
        draft.type_field(factors, "0");
        assert!(draft.problem_at(&factors.path).is_some_and(|message| message.starts_with("is 0; allowed")));
        assert!(draft.problem_at("recommender.components.0").is_none());
    }
}
