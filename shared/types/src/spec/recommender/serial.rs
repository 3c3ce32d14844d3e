//! A recommender and its parameters as text: TOML and JSON say by a value's form what it is.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ParamValue, RecommenderSpec};

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
