//! `[recommender]`: the method and its parameters, checked against the [catalogue](crate::catalogue).

mod newcomers;
mod serial;

pub use newcomers::NoNewUsers;

use std::collections::BTreeMap;
use std::fmt;

use super::Problems;
use super::dataset::shorten;
use crate::catalogue::{self, Entry, Family, Param, ParamKind, Predicts, Seed, Slot, Takes};
use crate::limits::{MAX_NAME_CHARS, MAX_NESTING, MAX_RECOMMENDERS};
use crate::sentences::told;

/// The value of a recommender's parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum ParamValue {
    /// A whole number.
    Integer(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Boolean(bool),
    /// One of some names.
    Text(String),
    /// Whole numbers, as the widths of hidden layers.
    Integers(Vec<i64>),
    /// Names, as those of attributes. The empty list of any type reads as this one.
    Names(Vec<String>),
    /// Recommenders, as the components of a hybrid.
    Recommenders(Vec<RecommenderSpec>),
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(v) => write!(f, "{v}"),
            Self::Float(v) => f.write_str(&told(v)),
            Self::Boolean(v) => write!(f, "{v}"),
            Self::Text(v) => write!(f, "\"{}\"", shorten(v)),
            Self::Integers(v) => write!(f, "{v:?}"),
            Self::Names(v) => {
                write!(f, "[{}]", v.iter().map(|name| format!("\"{}\"", shorten(name))).collect::<Vec<_>>().join(", "))
            }
            Self::Recommenders(v) => {
                let kinds = v.iter().map(|r| format!("{{ kind = \"{}\" }}", shorten(&r.kind)));
                write!(f, "[{}]", kinds.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

impl ParamValue {
    /// All of it: what tells one spec from another must not lose what [`fmt::Display`] leaves out for people. Text is quoted
    /// and escaped, numbers have all their digits.
    pub fn exact(&self) -> String {
        match self {
            Self::Integer(v) => v.to_string(),
            Self::Float(v) => v.to_string(),
            Self::Boolean(v) => v.to_string(),
            Self::Text(v) => format!("{v:?}"),
            Self::Integers(v) => format!("{v:?}"),
            Self::Names(v) => format!("{v:?}"),
            Self::Recommenders(v) => {
                let param = |(name, value): (&String, &Self)| format!(", {name} = {}", value.exact());
                let one = |each: &RecommenderSpec| {
                    format!(
                        "{{ kind = {:?}{} }}",
                        each.kind,
                        each.params.iter().map(param).collect::<Vec<_>>().concat()
                    )
                };
                format!("[{}]", v.iter().map(one).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// `[recommender]` as written: a kind and that kind's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct RecommenderSpec {
    /// The entry of the catalogue.
    pub kind: String,
    /// Parameters that were given; the others have the catalogue's defaults.
    pub params: BTreeMap<String, ParamValue>,
}

/// `[recommender]`, checked: every parameter of the entry has a value in its range.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedRecommender {
    /// The entry of the catalogue.
    pub entry: &'static Entry,
    /// Of every other parameter.
    params: BTreeMap<&'static str, ParamValue>,
    /// Of every parameter that takes recommenders.
    components: BTreeMap<&'static str, Vec<ResolvedRecommender>>,
}

impl ResolvedRecommender {
    /// A kind with the catalogue's defaults; `None` where there is no such kind, or its defaults cannot stand.
    pub fn by_default(kind: &str) -> Option<Self> {
        let mut problems = Problems::default();
        let resolved = RecommenderSpec::new(kind).resolve(&mut problems)?;
        problems.finish().is_ok().then_some(resolved)
    }

    /// Every parameter that takes no recommenders, by name.
    pub const fn params(&self) -> &BTreeMap<&'static str, ParamValue> {
        &self.params
    }

    /// A whole-number parameter.
    ///
    /// # Panics
    /// When the entry has no such parameter: the implementation and its entry disagree, which a test finds.
    pub fn integer(&self, name: &str) -> i64 {
        match self.params.get(name) {
            Some(ParamValue::Integer(v)) => *v,
            other => panic!("{}.{name} is {other:?}, not a whole number", self.entry.kind),
        }
    }

    /// A number parameter.
    ///
    /// # Panics
    /// As [`Self::integer`].
    pub fn float(&self, name: &str) -> f64 {
        match self.params.get(name) {
            Some(ParamValue::Float(v)) => *v,
            other => panic!("{}.{name} is {other:?}, not a number", self.entry.kind),
        }
    }

    /// A yes-or-no parameter.
    ///
    /// # Panics
    /// As [`Self::integer`].
    pub fn boolean(&self, name: &str) -> bool {
        match self.params.get(name) {
            Some(ParamValue::Boolean(v)) => *v,
            other => panic!("{}.{name} is {other:?}, not yes or no", self.entry.kind),
        }
    }

    /// A choice.
    ///
    /// # Panics
    /// As [`Self::integer`].
    pub fn text(&self, name: &str) -> &str {
        match self.params.get(name) {
            Some(ParamValue::Text(v)) => v,
            other => panic!("{}.{name} is {other:?}, not a choice", self.entry.kind),
        }
    }

    /// A list of whole numbers.
    ///
    /// # Panics
    /// As [`Self::integer`].
    pub fn integers(&self, name: &str) -> &[i64] {
        match self.params.get(name) {
            Some(ParamValue::Integers(v)) => v,
            other => panic!("{}.{name} is {other:?}, not a list of whole numbers", self.entry.kind),
        }
    }

    /// A list of names.
    ///
    /// # Panics
    /// As [`Self::integer`].
    pub fn names(&self, name: &str) -> &[String] {
        match self.params.get(name) {
            Some(ParamValue::Names(v)) => v,
            other => panic!("{}.{name} is {other:?}, not a list of names", self.entry.kind),
        }
    }

    /// A list of recommenders.
    ///
    /// # Panics
    /// As [`Self::integer`].
    pub fn recommenders(&self, name: &str) -> &[Self] {
        match self.components.get(name) {
            Some(v) => v,
            None => panic!("{}.{name} is not a list of recommenders", self.entry.kind),
        }
    }

    /// The components of a hybrid; empty for every other recommender.
    pub fn components(&self) -> &[Self] {
        self.components.get("components").map_or(&[], Vec::as_slice)
    }

    /// Whether its own fit may race: the parameter `mode` of the kinds that have it.
    pub fn is_fast(&self) -> bool {
        matches!(self.params.get("mode"), Some(ParamValue::Text(mode)) if mode == "fast")
    }

    /// This recommender and every component of it, outermost first.
    pub fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.components.values().flatten().flat_map(Self::all));
        all
    }

    /// Calls `visit` with this recommender and every component of it, each with its path, outermost first.
    pub fn visit(&self, at: &str, visit: &mut dyn FnMut(&str, &Self)) {
        visit(at, self);
        for (name, components) in &self.components {
            for (index, component) in components.iter().enumerate() {
                component.visit(&format!("{at}.{name}[{index}]"), visit);
            }
        }
    }

    /// What it predicts: a hybrid as its components say.
    pub fn predicts(&self) -> Predicts {
        self.entry.predicts.with(self.components.values().flatten().map(Self::predicts))
    }

    /// Whether what it learns depends on the seed.
    pub fn random(&self) -> bool {
        self.all().iter().any(|each| each.entry.seed == Seed::Learning)
    }

    /// Whether it reads rows of known people that it did not learn from: a hybrid where one of its components does.
    pub fn reads_history(&self) -> bool {
        self.all().iter().any(|each| each.entry.reads_history)
    }

    /// Whether it serves people who came after the training: a hybrid where all of its components do.
    pub fn serves_new_users(&self) -> bool {
        self.all().iter().all(|each| each.entry.new_users.is_ok())
    }

    /// Whether its fit tells a loss again and again, which makes a curve: a network, or a method that goes through its data
    /// several times, itself or as a component. Baselines tell none, not even the one that has iterations.
    pub fn has_curve(&self) -> bool {
        let again = |each: &Self| {
            let rounds = each.params.get("iterations");
            each.entry.family != Family::Baseline && matches!(rounds, Some(ParamValue::Integer(2..)))
        };
        self.all().into_iter().any(|each| each.entry.is_trained() || again(each))
    }

    /// The first that is trained step by step, itself or one of its components.
    pub fn trained(&self) -> Option<&'static Entry> {
        self.all().iter().map(|each| each.entry).find(|entry| entry.is_trained())
    }
}

impl RecommenderSpec {
    /// A kind with its default parameters.
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.to_owned(), params: BTreeMap::new() }
    }

    /// With one more parameter.
    #[must_use]
    pub fn with(mut self, name: &str, value: ParamValue) -> Self {
        self.params.insert(name.to_owned(), value);
        self
    }

    /// What it predicts, as far as that can be known of a spec that may have mistakes; `None` for an unknown kind.
    pub fn predicts(&self) -> Option<Predicts> {
        let entry = catalogue::find(&self.kind)?;
        let of = |param: &Param| match self.params.get(param.name).cloned().unwrap_or_else(|| param.default_value()) {
            ParamValue::Recommenders(components) => components,
            _ => Vec::new(),
        };
        let components = entry.params.iter().flat_map(of);
        Some(entry.predicts.with(components.map(|each| each.predicts().unwrap_or(Predicts::Scores))))
    }

    /// Recommenders in all, this one and every component of it.
    fn count(&self) -> usize {
        let held = self.params.values().map(|value| match value {
            ParamValue::Recommenders(components) => components.iter().map(Self::count).sum(),
            _ => 0,
        });
        1 + held.sum::<usize>()
    }

    pub(crate) fn resolve(&self, problems: &mut Problems) -> Option<ResolvedRecommender> {
        let count = self.count();
        if count > MAX_RECOMMENDERS {
            let message = format!("holds {count} recommenders in all; allowed: up to {MAX_RECOMMENDERS}");
            problems.add("recommender", message);
            return None;
        }
        self.resolve_at("recommender", None, 0, problems)
    }

    /// `at`: where it stands in the spec. `slot`: its place in a hybrid. `depth`: how many recommenders it is a component of.
    fn resolve_at(
        &self,
        at: &str,
        slot: Option<&'static Slot>,
        depth: usize,
        problems: &mut Problems,
    ) -> Option<ResolvedRecommender> {
        let takes = slot.map_or(Takes::Any, |slot| slot.takes);
        let Some(entry) = catalogue::find(&self.kind) else {
            let near = catalogue::nearest(&self.kind).map_or(String::new(), |k| format!(" (did you mean `{k}`?)"));
            let allowed = takes.listed();
            problems.add(format!("{at}.kind"), format!("is `{}`{near}; allowed: {allowed}", shorten(&self.kind)));
            return None;
        };
        let declared = || declared(entry, slot);
        for name in self.params.keys() {
            if declared().all(|param| param.name != name) {
                let allowed = declared().map(|p| p.name).collect::<Vec<_>>().join(", ");
                let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed };
                let path = format!("{at}.{}", shorten(name));
                problems.add(path, format!("is no parameter of `{}`; its parameters: {allowed}", entry.kind));
            }
        }
        let mut params = BTreeMap::new();
        let mut components = BTreeMap::new();
        for param in declared() {
            let path = || format!("{at}.{}", param.name);
            let value = match self.params.get(param.name) {
                None => param.default_value(),
                Some(given) => match check(&param.kind, given) {
                    Ok(value) => value,
                    Err(allowed) => {
                        problems.add(path(), format!("is {given}; allowed: {allowed}"));
                        param.default_value()
                    }
                },
            };
            if let ParamValue::Recommenders(given) = &value {
                if depth >= MAX_NESTING {
                    let message =
                        format!("lies {} deep; recommenders may hold recommenders {MAX_NESTING} deep", depth + 1);
                    problems.add(path(), message);
                    continue;
                }
                let resolve = |(index, component): (usize, &Self)| {
                    let at = format!("{at}.{}[{index}]", param.name);
                    component.resolve_at(&at, param.kind.slot(index), depth + 1, problems)
                };
                components.insert(param.name, given.iter().enumerate().filter_map(resolve).collect());
            } else {
                params.insert(param.name, value);
            }
        }
        let resolved = ResolvedRecommender { entry, params, components };
        if !takes.allows(entry) || (takes == Takes::NewUsers && !resolved.serves_new_users()) {
            let allowed = takes.listed();
            let refused = if takes == Takes::NewUsers { resolved.no_new_users_at(at) } else { None };
            let why = refused.map_or_else(String::new, |refused| format!("; {}", refused.cause.trim_end_matches('.')));
            problems.add(format!("{at}.kind"), format!("is `{}`{why}; allowed at this place: {allowed}", entry.kind));
        }
        Some(resolved)
    }

    /// The same recommender without the parameters that only repeat a default.
    #[must_use]
    pub fn without_defaults(&self) -> Self {
        self.without_defaults_at(None)
    }

    fn without_defaults_at(&self, slot: Option<&'static Slot>) -> Self {
        let Some(entry) = catalogue::find(&self.kind) else { return self.clone() };
        let param = |name: &str| declared(entry, slot).find(|param| param.name == name);
        let mut params = self.params.clone();
        for (name, value) in &mut params {
            if let (Some(param), ParamValue::Recommenders(components)) = (param(name), value) {
                for (index, component) in components.iter_mut().enumerate() {
                    *component = component.without_defaults_at(param.kind.slot(index));
                }
            }
        }
        params.retain(|name, value| {
            param(name)
                .is_none_or(|param| check(&param.kind, value).map_or(true, |checked| checked != param.default_value()))
        });
        Self { kind: self.kind.clone(), params }
    }
}

/// What may be written of a recommender: its own parameters, and those of its place.
fn declared(entry: &'static Entry, slot: Option<&'static Slot>) -> impl Iterator<Item = &'static Param> {
    entry.params.iter().chain(slot.map_or(&[][..], |slot| slot.params))
}

/// The value as the parameter's own type, or what is allowed.
fn check(kind: &ParamKind, given: &ParamValue) -> Result<ParamValue, String> {
    let fits = match (kind, given) {
        (ParamKind::Integer { min, max, .. }, ParamValue::Integer(v)) => (min..=max).contains(&v),
        (ParamKind::Float { min, max, .. }, ParamValue::Integer(v)) => {
            let v = *v as f64;
            return if v >= *min && v <= *max { Ok(ParamValue::Float(v)) } else { Err(kind.allowed()) };
        }
        (ParamKind::Float { min, max, .. }, ParamValue::Float(v)) => v >= min && v <= max,
        (ParamKind::Boolean { .. }, ParamValue::Boolean(_)) => true,
        (ParamKind::Choice { options, .. }, ParamValue::Text(v)) => options.contains(&v.as_str()),
        (ParamKind::Integers { min, max, max_len, .. }, ParamValue::Integers(v)) => {
            !v.is_empty() && v.len() <= *max_len && v.iter().all(|x| (min..=max).contains(&x))
        }
        (ParamKind::Names { max_len, .. }, ParamValue::Names(v)) => {
            v.len() <= *max_len && v.iter().all(|name| !name.is_empty() && name.chars().count() <= MAX_NAME_CHARS)
        }
        (ParamKind::Recommenders { min_len, max_len, .. }, ParamValue::Recommenders(v)) => {
            (min_len..=max_len).contains(&&v.len())
        }
        _ => false,
    };
    if fits { Ok(given.clone()) } else { Err(kind.allowed()) }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for RecommenderSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RecommenderSpec".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        catalogue::schema::any_recommender(generator).try_into().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exact_words_of_a_value_lose_nothing_that_people_are_not_shown() {
        let long = |end: &str| ParamValue::Text(format!("{}{end}", "a".repeat(70)));
        assert_eq!(long("x").to_string(), long("y").to_string());
        assert_ne!(long("x").exact(), long("y").exact());
        let names = |names: &[&str]| ParamValue::Names(names.iter().map(|name| (*name).to_owned()).collect()).exact();
        assert_ne!(names(&["a", "b"]), names(&["a\", \"b"]));
        assert_ne!(names(&["a\nb"]), names(&["a b"]));
        let near = [0.1, 0.1 + f64::EPSILON / 16.0].map(|value| ParamValue::Float(value).exact());
        assert_ne!(near[0], near[1]);
        let held = |value: i64| {
            let one = RecommenderSpec::new("bpr").with("factors", ParamValue::Integer(value));
            ParamValue::Recommenders(vec![one]).exact()
        };
        assert_eq!(held(8), "[{ kind = \"bpr\", factors = 8 }]");
        assert_ne!(held(8), held(9));
    }
}
