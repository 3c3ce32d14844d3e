//! One field of a form: where it lives in the spec, what it takes, and how its value reads as text.

use std::borrow::Cow;

use recspeed_types::MetricName;
use recspeed_types::catalogue::{Param, ParamKind};
use serde_json::Value;

/// A field of the spec that a person can set.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// Its place in the spec, as `training.epochs`.
    pub path: String,
    /// The name for people.
    pub title: Cow<'static, str>,
    /// What it does, in one sentence.
    pub help: Cow<'static, str>,
    /// What it takes.
    pub kind: FieldKind,
}

/// One of the values of a choice.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Choice {
    /// As written in the spec.
    pub value: String,
    /// For people.
    pub title: String,
    /// Heading under which the choice stands; empty for none.
    pub group: &'static str,
    /// Whether it is shown and cannot be chosen.
    pub off: bool,
}

impl Choice {
    /// A choice that reads as it is written.
    pub(crate) fn plain(value: &str) -> Self {
        Self::titled(value, value)
    }

    /// A choice that reads as its title.
    pub(crate) fn titled(value: &str, title: impl Into<String>) -> Self {
        Self { value: value.to_owned(), title: title.into(), ..Self::default() }
    }
}

/// What a field takes. `None` as a default means: not set unless the reader sets it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum FieldKind {
    /// A whole number.
    Integer {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// When not set.
        default: Option<i64>,
    },
    /// A number.
    Number {
        /// Smallest.
        min: f64,
        /// Largest.
        max: f64,
        /// When not set.
        default: Option<f64>,
    },
    /// Yes or no.
    Flag {
        /// When not set.
        default: bool,
    },
    /// One of some names.
    Choice {
        /// The names.
        options: Vec<Choice>,
        /// When not set.
        default: String,
    },
    /// Whole numbers, separated by commas.
    Integers {
        /// Smallest of each.
        min: i64,
        /// Largest of each.
        max: i64,
        /// How many at most.
        max_len: usize,
        /// When not set.
        default: Vec<i64>,
    },
    /// Names, separated by commas.
    Names {
        /// How many at most.
        max_len: usize,
        /// When not set.
        default: &'static [&'static str],
    },
    /// Recommenders: their kinds, separated by commas, or a JSON list where they have parameters.
    Recommenders {
        /// How many at most.
        max_len: usize,
        /// When not set.
        default: &'static [&'static str],
    },
    /// Names of metrics, separated by commas.
    Metrics,
    /// Free text.
    Text,
}

impl Field {
    /// The field of a recommender's parameter.
    pub(crate) fn of_param(param: &'static Param) -> Self {
        Self::below("recommender", param)
    }

    /// The field of a parameter of the recommender at a path.
    pub(crate) fn below(place: &str, param: &'static Param) -> Self {
        let kind = match &param.kind {
            ParamKind::Integer { min, max, default } => {
                FieldKind::Integer { min: *min, max: *max, default: Some(*default) }
            }
            ParamKind::Float { min, max, default } => {
                FieldKind::Number { min: *min, max: *max, default: Some(*default) }
            }
            ParamKind::Boolean { default } => FieldKind::Flag { default: *default },
            ParamKind::Choice { options, default } => FieldKind::Choice {
                options: options.iter().map(|o| Choice::plain(o)).collect(),
                default: (*default).to_owned(),
            },
            ParamKind::Integers { min, max, max_len, default } => {
                FieldKind::Integers { min: *min, max: *max, max_len: *max_len, default: default.to_vec() }
            }
            ParamKind::Names { max_len, default } => FieldKind::Names { max_len: *max_len, default },
            ParamKind::Recommenders { max_len, default, .. } => FieldKind::Recommenders { max_len: *max_len, default },
        };
        Self {
            path: format!("{place}.{}", param.name),
            title: Cow::Borrowed(param.title),
            help: Cow::Borrowed(param.help),
            kind,
        }
    }

    /// A field with fixed words.
    pub(crate) fn new(path: &str, title: &'static str, help: &'static str, kind: FieldKind) -> Self {
        Self { path: path.to_owned(), title: Cow::Borrowed(title), help: Cow::Borrowed(help), kind }
    }

    /// Its path as a part of an element's id.
    pub(crate) fn slug(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }
}

impl FieldKind {
    /// The allowed values in words.
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Integer { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Number { min, max, .. } => format!("a number from {} to {}", number(*min), number(*max)),
            Self::Flag { .. } => "yes or no".to_owned(),
            Self::Choice { options, .. } => options.iter().map(|o| o.value.as_str()).collect::<Vec<_>>().join(", "),
            Self::Integers { min, max, max_len, .. } => {
                format!("1 to {max_len} whole numbers from {min} to {max}, for example 64, 64")
            }
            Self::Names { max_len, .. } => format!("up to {max_len} names, for example category, brand"),
            Self::Recommenders { max_len, .. } => {
                format!("up to {max_len} kinds, for example popularity, item-knn, or a JSON list of recommenders")
            }
            Self::Metrics => "names of metrics, for example rmse, ndcg@10".to_owned(),
            Self::Text => "a text".to_owned(),
        }
    }

    /// The value that holds when the spec does not set one, as text; empty for none.
    pub(crate) fn default_text(&self) -> String {
        match self {
            Self::Integer { default, .. } => default.map_or_else(String::new, |v| v.to_string()),
            Self::Number { default, .. } => default.map_or_else(String::new, number),
            Self::Flag { default } => default.to_string(),
            Self::Choice { default, .. } => default.clone(),
            Self::Integers { default, .. } => joined(default.iter()),
            Self::Names { default, .. } | Self::Recommenders { default, .. } => joined(default.iter()),
            Self::Metrics | Self::Text => String::new(),
        }
    }

    /// Reads what somebody typed. `None`: the field is empty, so the default holds. Ranges are not checked here: the spec's
    /// own check does that, with the same words everywhere.
    ///
    /// # Errors
    /// What is allowed, when the text has the wrong type.
    pub(crate) fn parse(&self, text: &str) -> Result<Option<Value>, String> {
        let text = text.trim();
        if text.is_empty() && !matches!(self, Self::Text) {
            return Ok(None);
        }
        let shown: String = text.chars().take(40).collect();
        let wrong = || format!("is `{shown}`; allowed: {}", self.allowed());
        match self {
            Self::Integer { .. } => text.parse::<i64>().map(|v| Some(v.into())).map_err(|_| wrong()),
            Self::Number { .. } => match text.replace(',', ".").parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(Some(value.into())),
                _ => Err(wrong()),
            },
            Self::Flag { .. } => text.parse::<bool>().map(|v| Some(v.into())).map_err(|_| wrong()),
            Self::Choice { .. } | Self::Text => Ok(Some(text.into())),
            Self::Integers { .. } => list(text)
                .map(|part| part.parse::<i64>().map(Value::from))
                .collect::<Result<Vec<_>, _>>()
                .map(|v| Some(Value::Array(v)))
                .map_err(|_| wrong()),
            Self::Names { .. } => Ok(Some(Value::Array(list(text).map(Value::from).collect()))),
            Self::Recommenders { .. } if text.starts_with('[') => {
                serde_json::from_str(text).map(Some).map_err(|_| wrong())
            }
            Self::Recommenders { .. } => {
                Ok(Some(Value::Array(list(text).map(|kind| serde_json::json!({ "kind": kind })).collect())))
            }
            Self::Metrics => list(text)
                .map(|part| part.parse::<MetricName>().map(|name| Value::from(name.to_string())))
                .collect::<Result<Vec<_>, _>>()
                .map(|v| Some(Value::Array(v)))
                .map_err(|error| error.to_string()),
        }
    }
}

/// The parts of a list, however people separate them.
fn list(text: &str) -> impl Iterator<Item = &str> {
    text.trim_matches(['[', ']'])
        .split([',', ';', ' ', '×'])
        .map(|part| part.trim().trim_matches('"'))
        .filter(|part| !part.is_empty())
}

fn joined<T: ToString>(values: impl Iterator<Item = T>) -> String {
    values.map(|v| v.to_string()).collect::<Vec<_>>().join(", ")
}

/// A number as people write it: no exponent between 1e-4 and 1e7.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-4..1e7).contains(&size) { format!("{value}") } else { format!("{value:e}") }
}

/// A value of the spec as the text of its field.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().any(|item| item.as_object().is_some_and(|table| table.len() > 1)) => {
            value.to_string()
        }
        Value::Array(items) => joined(items.iter().map(text_of)),
        Value::Object(table) => table.get("kind").map_or_else(|| value.to_string(), text_of),
        Value::Number(n) if n.is_f64() => number(n.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_empty_field_means_the_default() {
        let kind = FieldKind::Integer { min: 1, max: 9, default: Some(3) };
        assert_eq!(kind.parse("  "), Ok(None));
        assert_eq!(kind.default_text(), "3");
    }

    #[test]
    fn lists_may_be_separated_as_people_do() {
        let kind = FieldKind::Integers { min: 1, max: 4096, max_len: 16, default: vec![64] };
        for text in ["64, 32", "[64,32]", "64 32", "64 × 32"] {
            assert_eq!(kind.parse(text), Ok(Some(json!([64, 32]))), "{text}");
        }
        assert!(kind.parse("64, x").is_err_and(|e| e.contains("is `64, x`; allowed: 1 to 16 whole numbers")));
    }

    #[test]
    fn a_number_reads_back_to_itself() {
        for value in [0.001, 1e-9, 3.0, 1e12, 0.0, -2.5] {
            assert_eq!(number(value).parse::<f64>().ok(), Some(value));
        }
        assert_eq!(number(1e-9), "1e-9");
        assert_eq!(number(0.001), "0.001");
    }

    #[test]
    fn recommenders_are_typed_as_kinds_or_as_json_and_read_back() {
        let kind = FieldKind::Recommenders { max_len: 8, default: &["popularity"] };
        let plain = json!([{ "kind": "popularity" }, { "kind": "item-knn" }]);
        assert_eq!(kind.parse("popularity, item-knn"), Ok(Some(plain.clone())));
        assert_eq!(text_of(&plain), "popularity, item-knn");
        let tuned = json!([{ "kind": "item-knn", "neighbours": 5 }]);
        assert_eq!(kind.parse(&text_of(&tuned)), Ok(Some(tuned)));
        assert!(kind.parse("[{").is_err());
    }

    #[test]
    fn a_wrong_metric_says_which_are_known() {
        assert!(FieldKind::Metrics.parse("rmse, ndgc@10").is_err_and(|e| e.contains("no metric is called `ndgc@10`")));
    }
}
