//! `[recommender]`: the method and its parameters, checked against the [catalogue](crate::catalogue).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Problems;
use super::dataset::shorten;
use crate::catalogue::{self, Entry, ParamKind};
use crate::limits::{MAX_NAME_CHARS, MAX_NESTING};

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
            Self::Float(v) => write!(f, "{v}"),
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
    params: BTreeMap<&'static str, ParamValue>,
    /// Of every parameter that takes recommenders.
    components: BTreeMap<&'static str, Vec<ResolvedRecommender>>,
}

impl ResolvedRecommender {
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

    /// This recommender and every component of it, outermost first.
    pub fn all(&self) -> Vec<&Self> {
        let mut all = vec![self];
        all.extend(self.components.values().flatten().flat_map(Self::all));
        all
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

    pub(crate) fn resolve(&self, problems: &mut Problems) -> Option<ResolvedRecommender> {
        self.resolve_at("recommender", 0, problems)
    }

    /// `path`: where it stands in the spec. `depth`: how many recommenders it is a component of.
    fn resolve_at(&self, at: &str, depth: usize, problems: &mut Problems) -> Option<ResolvedRecommender> {
        let Some(entry) = catalogue::find(&self.kind) else {
            let near = catalogue::nearest(&self.kind).map_or(String::new(), |k| format!(" (did you mean `{k}`?)"));
            let allowed = catalogue::kinds().collect::<Vec<_>>().join(", ");
            problems.add(format!("{at}.kind"), format!("is `{}`{near}; allowed: {allowed}", shorten(&self.kind)));
            return None;
        };
        for name in self.params.keys() {
            if entry.param(name).is_none() {
                let allowed = entry.params.iter().map(|p| p.name).collect::<Vec<_>>().join(", ");
                let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed };
                let path = format!("{at}.{}", shorten(name));
                problems.add(path, format!("is no parameter of `{}`; its parameters: {allowed}", entry.kind));
            }
        }
        let mut params = BTreeMap::new();
        let mut components = BTreeMap::new();
        for param in entry.params {
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
                    component.resolve_at(&format!("{at}.{}[{index}]", param.name), depth + 1, problems)
                };
                components.insert(param.name, given.iter().enumerate().filter_map(resolve).collect());
            }
            params.insert(param.name, value);
        }
        Some(ResolvedRecommender { entry, params, components })
    }

    /// The same recommender without the parameters that only repeat a default.
    #[must_use]
    pub fn without_defaults(&self) -> Self {
        let Some(entry) = catalogue::find(&self.kind) else { return self.clone() };
        let mut params = self.params.clone();
        for value in params.values_mut() {
            if let ParamValue::Recommenders(components) = value {
                for component in components {
                    *component = component.without_defaults();
                }
            }
        }
        params.retain(|name, value| {
            entry
                .param(name)
                .is_none_or(|param| check(&param.kind, value).map_or(true, |checked| checked != param.default_value()))
        });
        Self { kind: self.kind.clone(), params }
    }
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

impl Serialize for ParamValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Integer(v) => serializer.serialize_i64(*v),
            Self::Float(v) => serializer.serialize_f64(*v),
            Self::Boolean(v) => serializer.serialize_bool(*v),
            Self::Text(v) => serializer.serialize_str(v),
            Self::Integers(v) => v.serialize(serializer),
            Self::Names(v) => v.serialize(serializer),
            Self::Recommenders(v) => v.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ParamValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ParamVisitor;
        impl<'de> Visitor<'de> for ParamVisitor {
            type Value = ParamValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, true or false, a text, or a list of whole numbers, names or recommenders")
            }
            fn visit_bool<E: de::Error>(self, v: bool) -> Result<ParamValue, E> {
                Ok(ParamValue::Boolean(v))
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<ParamValue, E> {
                Ok(ParamValue::Integer(v))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<ParamValue, E> {
                i64::try_from(v).map(ParamValue::Integer).map_err(|_| E::custom(format!("{v} is too large")))
            }
            fn visit_f64<E: de::Error>(self, v: f64) -> Result<ParamValue, E> {
                Ok(ParamValue::Float(v))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<ParamValue, E> {
                Ok(ParamValue::Text(v.to_owned()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ParamValue, A::Error> {
                let mut list = List::default();
                while let Some(element) = seq.next_element::<Element>()? {
                    list.push(element)?;
                }
                Ok(list.into_value())
            }
        }
        deserializer.deserialize_any(ParamVisitor)
    }
}

/// One element of a list.
enum Element {
    Integer(i64),
    Name(String),
    Recommender(RecommenderSpec),
}

impl<'de> Deserialize<'de> for Element {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementVisitor;
        impl<'de> Visitor<'de> for ElementVisitor {
            type Value = Element;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, a name, or a recommender")
            }
            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Element, E> {
                Ok(Element::Integer(v))
            }
            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Element, E> {
                i64::try_from(v).map(Element::Integer).map_err(|_| E::custom(format!("{v} is too large")))
            }
            fn visit_str<E: de::Error>(self, v: &str) -> Result<Element, E> {
                Ok(Element::Name(v.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Element, A::Error> {
                SpecVisitor.visit_map(map).map(Element::Recommender)
            }
        }
        deserializer.deserialize_any(ElementVisitor)
    }
}

/// A list whose first element says what it is a list of.
#[derive(Default)]
struct List(Option<ParamValue>);

impl List {
    fn push<E: de::Error>(&mut self, element: Element) -> Result<(), E> {
        match (&mut self.0, element) {
            (None, Element::Integer(v)) => self.0 = Some(ParamValue::Integers(vec![v])),
            (None, Element::Name(v)) => self.0 = Some(ParamValue::Names(vec![v])),
            (None, Element::Recommender(v)) => self.0 = Some(ParamValue::Recommenders(vec![v])),
            (Some(ParamValue::Integers(list)), Element::Integer(v)) => list.push(v),
            (Some(ParamValue::Names(list)), Element::Name(v)) => list.push(v),
            (Some(ParamValue::Recommenders(list)), Element::Recommender(v)) => list.push(v),
            _ => return Err(E::custom("a list holds whole numbers, names or recommenders, not a mixture of them")),
        }
        Ok(())
    }

    fn into_value(self) -> ParamValue {
        self.0.unwrap_or(ParamValue::Names(Vec::new()))
    }
}

impl Serialize for RecommenderSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1 + self.params.len()))?;
        map.serialize_entry("kind", &self.kind)?;
        for (name, value) in &self.params {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct SpecVisitor;

impl<'de> Visitor<'de> for SpecVisitor {
    type Value = RecommenderSpec;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table with `kind` and that kind's parameters")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RecommenderSpec, A::Error> {
        let mut kind = None;
        let mut params = BTreeMap::new();
        while let Some(key) = map.next_key::<String>()? {
            if key == "kind" {
                kind = Some(map.next_value()?);
            } else {
                params.insert(key, map.next_value()?);
            }
        }
        Ok(RecommenderSpec { kind: kind.ok_or_else(|| de::Error::missing_field("kind"))?, params })
    }
}

impl<'de> Deserialize<'de> for RecommenderSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(SpecVisitor)
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for RecommenderSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RecommenderSpec".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let kinds: Vec<_> = catalogue::ENTRIES.iter().copied().map(Entry::json_schema).collect();
        schemars::json_schema!({ "description": "The method and its parameters.", "oneOf": kinds })
    }
}
