//! Text to spec and back: TOML for people, JSON on the wire, `--set key=value` on top of either.

use std::num::IntErrorKind;

use serde::Deserialize;
use toml_parser::lexer::TokenKind;

use super::dataset::shorten;
use super::json_numbers::not_finite;
use super::words::in_plain_words;
use super::{ExperimentSpec, SpecError, SpecErrors, group};
use crate::catalogue;
use crate::limits::{MAX_NESTING, MAX_SPEC_BYTES};
use crate::search::Search;
use crate::sentences::{MOST_DIGITS, written};

/// Dots in one TOML key. The spec has keys with one; each more makes the parsed tables one level deeper, and thousands
/// would exhaust the stack.
const MAX_KEY_DOTS: usize = 4;
/// Mistakes that one reading looks for: each is a reading of its own, and nobody corrects more at once.
const MAX_MISTAKES: usize = 20;
/// Names in an assignment: `recommender`, then `components` and a number for each level of hybrids, then the parameter.
const MAX_PATH: usize = 2 + 2 * MAX_NESTING;

/// A text that is no spec.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecParseError {
    /// Longer than any spec.
    #[error("the spec is too long; allowed: up to {MAX_SPEC_BYTES} bytes of TOML or JSON")]
    TooLong,
    /// Not TOML, or not JSON.
    #[error("the spec is not valid {format}: {message}")]
    Syntax {
        /// `TOML` or `JSON`.
        format: &'static str,
        /// The parser's own words, with line and column.
        message: String,
    },
    /// Fields are unknown, missing, or of the wrong type: all that could be found in one reading.
    #[error("{0}")]
    Fields(SpecErrors),
    /// A `--set` that is not `key=value`.
    #[error("`{given}` is no assignment; write --set section.field=value, as --set training.epochs=5")]
    Assignment {
        /// What was given.
        given: String,
    },
    /// A `--set` that changes an element of a list, and the list has no such element.
    #[error("{path}: is not there; the spec's list has {len} elements, numbered from 0")]
    NoElement {
        /// The element, as `recommender.components.3`.
        path: String,
        /// How many there are.
        len: usize,
    },
}

impl SpecParseError {
    /// One field that does not fit.
    pub(crate) fn field(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Fields(SpecErrors(vec![SpecError::new(path, message)]))
    }

    /// The same error as a list with paths, as the API answers it.
    pub fn into_errors(self) -> SpecErrors {
        match self {
            Self::Fields(errors) => errors,
            other => SpecErrors(vec![SpecError::new("", other.to_string())]),
        }
    }
}

impl ExperimentSpec {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`SpecParseError`], naming the line or the field. Ranges are checked later, by [`Self::resolve`].
    pub fn from_toml(text: &str) -> Result<Self, SpecParseError> {
        Self::from_table(toml_table(text)?)
    }

    /// Reads TOML and then applies assignments such as `training.epochs=5` or `recommender.kind="popularity"`; a value
    /// that is no TOML is taken as a text, unless it begins as a table or a list. An assignment to `recommender.kind` drops
    /// the parameters of the old kind.
    /// `recommender.components.0.weight=2` changes the first component of a hybrid.
    ///
    /// # Errors
    /// As [`Self::from_toml`]; [`SpecParseError::Assignment`] for a text without `=` or an empty key.
    pub fn from_toml_with(text: &str, assignments: &[String]) -> Result<Self, SpecParseError> {
        let mut table = toml_table(text)?;
        for assignment in assignments {
            assign(&mut table, "", assignment)?;
        }
        Self::from_table(table)
    }

    /// Reads a spec group, and applies assignments to what its members share and to what any of them says of that for itself:
    /// one spec for each `[[compare]]`, or the one spec that a document without any is.
    ///
    /// # Errors
    /// As [`Self::from_toml_with`], with paths such as `compare[1].recommender.kind`; a `recommender` beside the list is a
    /// mistake.
    pub fn group_from_toml_with(text: &str, assignments: &[String]) -> Result<Vec<Self>, SpecParseError> {
        Ok(group::members(document(text, assignments)?)?.into_iter().map(|member| member.spec).collect())
    }

    /// Whether a TOML document is a spec group: then a parameter of its recommenders is set by its member, as
    /// `compare.0.recommender.factors`.
    pub fn is_group(text: &str) -> bool {
        toml_table(text).is_ok_and(|table| table.contains_key(group::COMPARE))
    }

    /// Reads a spec or a spec group with its `[search]`, and applies assignments as [`Self::group_from_toml_with`].
    ///
    /// # Errors
    /// As [`Self::group_from_toml_with`].
    pub fn search_from_toml_with(text: &str, assignments: &[String]) -> Result<Search, SpecParseError> {
        group::search(document(text, assignments)?)
    }

    /// TOML becomes JSON first, so that one path leads from values to a spec, with one set of messages.
    fn from_table(table: toml::Table) -> Result<Self, SpecParseError> {
        Self::from_value(as_json("", toml::Value::Table(table))?)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, SpecParseError> {
        check_length(text)?;
        let value: serde_json::Value = serde_json::from_str(text).map_err(|error| match not_finite(text) {
            Some(errors) => SpecParseError::Fields(errors),
            None => SpecParseError::Syntax { format: "JSON", message: error.to_string() },
        })?;
        Self::from_value(value)
    }

    /// Reads parsed JSON.
    ///
    /// # Errors
    /// [`SpecParseError::Fields`].
    pub fn from_value(value: serde_json::Value) -> Result<Self, SpecParseError> {
        // serde would take a list for a section, field by field in an order that nobody knows.
        if value.is_array() {
            return Err(list_for_section(""));
        }
        // What else there is to say of a group, as that it has no recommender, would be no mistake of its author.
        if value.get(group::COMPARE).is_some() {
            return Err(SpecParseError::field(group::COMPARE, OF_A_GROUP));
        }
        if let Some(section) = SECTIONS.iter().find(|name| value.get(**name).is_some_and(serde_json::Value::is_array)) {
            return Err(list_for_section(section));
        }
        located(value)
    }

    /// Writes TOML that [`Self::from_toml`] reads back to the same spec.
    pub fn to_toml(&self) -> String {
        match toml::to_string(self) {
            Ok(text) => without_rows_of_zeros(&text),
            Err(error) => format!("# this spec cannot be written as TOML: {error}\n"),
        }
    }

    /// Writes JSON that [`Self::from_json`] reads back to the same spec, when every number is finite.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Said of a spec group where one experiment is due.
const OF_A_GROUP: &str = "makes a spec group, and one experiment is due here; `recspeed compare FILE` and `recspeed search FILE` \
                          take a group, as a TOML file";

/// The same TOML with each number of more than [`MOST_DIGITS`] characters as [`written`]: its writer knows no exponents, and puts 300 zeros
/// into 1e-300.
fn without_rows_of_zeros(text: &str) -> String {
    let tokens: Vec<_> = toml_parser::Source::new(text).lex().collect();
    let (mut shorter, mut done) = (String::with_capacity(text.len()), 0);
    // A number with a point is two tokens with a dot between them; what stands within quotes is one of another kind.
    for parts in tokens.windows(3) {
        let [whole, dot, decimals] = parts else { continue };
        if (whole.kind(), dot.kind(), decimals.kind()) != (TokenKind::Atom, TokenKind::Dot, TokenKind::Atom) {
            continue;
        }
        let (from, to) = (whole.span().start(), decimals.span().end());
        if to - from > MOST_DIGITS
            && let Ok(number) = text[from..to].parse::<f64>()
        {
            shorter.push_str(&text[done..from]);
            shorter.push_str(&written(number));
            done = to;
        }
    }
    shorter + &text[done..]
}

/// The sections of a spec.
const SECTIONS: [&str; 8] =
    ["dataset", "split", "features", "recommender", "training", "engine", "strategy", "evaluation"];

fn list_for_section(path: &str) -> SpecParseError {
    SpecParseError::field(path, "is a list; allowed: a section with fields")
}

/// TOML with assignments, as JSON.
fn document(text: &str, assignments: &[String]) -> Result<serde_json::Value, SpecParseError> {
    let mut table = toml_table(text)?;
    for assignment in assignments {
        if let Some((member, inside)) = group::named(&mut table, assignment) {
            assign(member, assignment.strip_suffix(inside).unwrap_or_default(), inside)?;
            continue;
        }
        assign(&mut table, "", assignment)?;
        for member in group::hiding(&mut table, assignment) {
            assign(member, "", assignment)?;
        }
    }
    as_json("", toml::Value::Table(table))
}

fn check_length(text: &str) -> Result<(), SpecParseError> {
    if text.len() > MAX_SPEC_BYTES { Err(SpecParseError::TooLong) } else { Ok(()) }
}

fn toml_table(text: &str) -> Result<toml::Table, SpecParseError> {
    check_length(text)?;
    check_key_depth(text)?;
    text.parse::<toml::Table>()
        .map_err(|error| SpecParseError::Syntax { format: "TOML", message: error.to_string().trim_end().to_owned() })
}

/// The TOML parser bounds the depth of brackets but not that of dotted keys.
fn check_key_depth(text: &str) -> Result<(), SpecParseError> {
    let mut dots = 0;
    for token in toml_parser::Source::new(text).lex() {
        match token.kind() {
            TokenKind::Dot => dots += 1,
            TokenKind::Equals
            | TokenKind::Comma
            | TokenKind::Newline
            | TokenKind::LeftSquareBracket
            | TokenKind::LeftCurlyBracket => dots = 0,
            _ => {}
        }
        if dots > MAX_KEY_DOTS {
            let line = 1 + text[..token.span().start()].matches('\n').count();
            let message = format!("line {line} nests a key deeper than any spec; write section.field = value");
            return Err(SpecParseError::Syntax { format: "TOML", message });
        }
    }
    Ok(())
}

/// Deserializes, and chooses what a document without metrics measures. The deserializer stops at the first field that does not
/// fit; the reading goes on with the default of that field, so that one mistake hides no other.
fn located(mut value: serde_json::Value) -> Result<ExperimentSpec, SpecParseError> {
    let mut mistakes = Vec::new();
    // Of these, the whole numbers that their fields' types cannot hold.
    let mut beyond = Vec::new();
    // A list that was written as empty asks for nothing, which `resolve` refuses; one that was left out leaves the choice.
    let names_none =
        value.pointer("/evaluation/metrics").and_then(serde_json::Value::as_array).is_some_and(Vec::is_empty);
    let mut spec = loop {
        match located_once(&value) {
            Ok(spec) => break spec,
            Err(mistake) => {
                let whole = |given: &serde_json::Value| given.is_i64() || given.is_u64();
                if value.pointer(&pointer(&mistake.path)).is_some_and(whole) {
                    beyond.push(mistakes.len());
                }
                let goes_on = mistakes.len() < MAX_MISTAKES && amend(&mut value, &mistake.path);
                mistakes.push(mistake);
                if !goes_on {
                    return Err(SpecParseError::Fields(SpecErrors(mistakes)));
                }
            }
        }
    };
    if !names_none {
        spec.evaluation.choose_metrics(&spec.recommender);
    }
    if mistakes.is_empty() {
        return Ok(spec);
    }
    for at in beyond {
        let mistake: &mut SpecError = &mut mistakes[at];
        if let Some(range) = range_of(&value, &mistake.path)
            && let Some((given, _)) = mistake.message.split_once(ALLOWED)
        {
            mistake.message = format!("{given}{ALLOWED}{range}");
        }
    }
    // What was mistaken stands for something else now: what the ranges say of that, or of a section whose kind it is, would
    // not be about the document.
    let about_another = |error: &SpecError| {
        mistakes.iter().any(|mistake: &SpecError| {
            let amended = amended(&mistake.path);
            let chooses = amended.strip_suffix(".kind").or_else(|| amended.strip_suffix(".source"));
            error.path.starts_with(chooses.unwrap_or(amended))
        })
    };
    let ranges: Vec<SpecError> = spec.resolve().err().map_or_else(Vec::new, |errors| errors.0);
    let ranges: Vec<SpecError> = ranges.into_iter().filter(|error| !about_another(error)).collect();
    mistakes.extend(ranges);
    Err(SpecParseError::Fields(SpecErrors(mistakes)))
}

/// What stands in a mistake before what is allowed.
const ALLOWED: &str = "; allowed: ";

/// The place of a field in JSON, as `/training/epochs`; none is there of a list's element.
fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

/// The range of a field of a spec that can be read, as it is told of a number that its type holds and the field does not; `None` where it
/// has none of its own.
fn range_of(value: &serde_json::Value, path: &str) -> Option<String> {
    let mut value = value.clone();
    let (section, name) = path.rsplit_once('.')?;
    let section = value.pointer_mut(&pointer(section))?.as_object_mut()?;
    section.insert(name.to_owned(), u32::MAX.into());
    let errors = located_once(&value).ok()?.resolve().err()?.0;
    let told = errors.into_iter().find(|error| error.path == path)?.message;
    let (_, range) = told.split_once(ALLOWED)?;
    range.contains(" to ").then(|| range.to_owned())
}

/// Deserializes; the path and the words of the first field that does not fit.
fn located_once(value: &serde_json::Value) -> Result<ExperimentSpec, SpecError> {
    let mut track = serde_path_to_error::Track::new();
    let spec: Result<ExperimentSpec, _> =
        Deserialize::deserialize(serde_path_to_error::Deserializer::new(value, &mut track));
    spec.map_err(|error| {
        let path = track.path().to_string();
        let path = if path == "." { String::new() } else { path };
        in_plain_words(path, &error.to_string())
    })
}

/// What [`amend`] changes for a mistake at `path`: a list is changed as a whole.
fn amended(path: &str) -> &str {
    path.split('[').next().unwrap_or(path)
}

/// Puts the default for the field at `path`, such as `training.epochs`, or takes away a field that has none; false where
/// neither helps, as for a section that is missing.
fn amend(value: &mut serde_json::Value, path: &str) -> bool {
    let path = amended(path);
    let default = serde_json::to_value(ExperimentSpec::default()).unwrap_or_default();
    let default = path.split('.').try_fold(&default, |place, name| place.get(name));
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut sections = section.split('.').filter(|name| !name.is_empty());
    let Some(section) = sections.try_fold(value, |place, name| place.get_mut(name)) else { return false };
    let Some(section) = section.as_object_mut() else { return false };
    match default {
        // The same mistake again would be found for ever.
        Some(default) => section.insert(name.to_owned(), default.clone()).as_ref() != Some(default),
        None => section.remove(name).is_some(),
    }
}

/// The same value in JSON, which has neither dates nor numbers that are not finite.
fn as_json(path: &str, value: toml::Value) -> Result<serde_json::Value, SpecParseError> {
    let wrong = |message: String| SpecParseError::field(path, message);
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .ok_or_else(|| wrong(format!("is {number}; allowed: a finite number")))?
            .into(),
        toml::Value::Datetime(date) => return Err(wrong(format!("is the date {date}; allowed: a text in quotes"))),
        toml::Value::Array(items) => items
            .into_iter()
            .enumerate()
            .map(|(index, item)| as_json(&format!("{path}[{index}]"), item))
            .collect::<Result<Vec<_>, _>>()?
            .into(),
        toml::Value::Table(table) => {
            // One by one: what is collected into a map is sorted first, by code that the page would have for this alone.
            let mut fields = serde_json::Map::new();
            for (key, item) in table {
                let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                fields.insert(key, as_json(&inner, item)?);
            }
            fields.into()
        }
    })
}

/// Whether a text is a whole number that 64 bits do not hold, which no field takes: as a text it would be told back in quotes.
fn is_too_large(text: &str) -> bool {
    text.parse::<i64>()
        .is_err_and(|error| matches!(error.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow))
}

/// What an assigned value stands behind, so that it is a document.
const ASSIGNED: &str = "v = ";

/// What is wrong with a value that begins as a table or a list, and the part where the parser stopped, with its name.
fn not_toml(text: &str, error: &toml::de::Error) -> String {
    // The parser's words for a number that its 64 bits do not hold are of Rust's types.
    let too_large = ["invalid type: integer", "u64 value was too large", "integer number overflowed"];
    let what = match error.message() {
        message if too_large.iter().any(|words| message.starts_with(words)) => {
            format!("a whole number is beyond ±{}", i64::MAX)
        }
        message => message.lines().next().unwrap_or_default().to_owned(),
    };
    let stopped = error.span().and_then(|span| {
        let within = |at: usize| at.saturating_sub(ASSIGNED.len());
        let begins = text.get(..within(span.start))?.rfind(['{', '[', ',']).map_or(0, |before| before + 1);
        text.get(begins..within(span.end)).map(str::trim).filter(|part| !part.is_empty())
    });
    let place = stopped.map_or_else(String::new, |part| format!(", at `{}`", shorten(part)));
    format!("is no TOML: {what}{place}; correct it, or put a text in quotes")
}

/// Sets `section.field=value`; a number in the path is the place in a list, as in `recommender.components.0.weight=2`. `at` is
/// what the path of a member begins with, as `compare.0.`: what is refused is named with it.
fn assign(table: &mut toml::Table, at: &str, assignment: &str) -> Result<(), SpecParseError> {
    let at = at.trim_start();
    let wrong = || SpecParseError::Assignment { given: at.chars().chain(assignment.chars()).take(80).collect() };
    let (key, text) = assignment.split_once('=').ok_or_else(wrong)?;
    let path: Vec<&str> = key.trim().split('.').collect();
    if path.iter().any(|part| part.is_empty()) || path.len() > MAX_PATH {
        return Err(wrong());
    }
    let text = text.trim();
    let value = match format!("{ASSIGNED}{text}").parse::<toml::Table>() {
        Ok(mut parsed) if parsed.len() == 1 => parsed.remove("v"),
        // Nobody means a text by it: as one it would be refused in words that are about something else.
        Err(error) if text.starts_with(['{', '[']) => {
            return Err(SpecParseError::field(format!("{at}{}", key.trim()), not_toml(text, &error)));
        }
        Err(_) if is_too_large(text) => {
            let message =
                format!("is {}, beyond ±{}; give a smaller number, or put a text in quotes", shorten(text), i64::MAX);
            return Err(SpecParseError::field(format!("{at}{}", key.trim()), message));
        }
        _ => None,
    };
    let value = value.unwrap_or_else(|| toml::Value::String(text.to_owned()));
    let Some((last, sections)) = path.split_last() else { return Err(wrong()) };
    let mut sections = sections.iter().enumerate().peekable();
    let mut place = table;
    while let Some((_, section)) = sections.next() {
        let entry = place.entry((*section).to_owned()).or_insert_with(|| match sections.peek() {
            Some((_, next)) if next.parse::<usize>().is_ok() => toml::Value::Array(Vec::new()),
            _ => toml::Value::Table(toml::Table::new()),
        });
        place = match (entry, sections.peek().and_then(|(level, next)| Some((*level, next.parse::<usize>().ok()?)))) {
            (toml::Value::Array(list), Some((level, index))) => {
                sections.next();
                let path = format!("{at}{}", path[..=level].join("."));
                let missing = SpecParseError::NoElement { path, len: list.len() };
                list.get_mut(index).ok_or(missing)?.as_table_mut().ok_or_else(wrong)?
            }
            (entry, _) => entry.as_table_mut().ok_or_else(wrong)?,
        };
    }
    if path[0] == "recommender" && *last == "kind" && place.get("kind") != Some(&value) {
        // What is said of the place holds for whatever stands there.
        place.retain(|name, _| path.len() > 2 && catalogue::is_of_a_place(name));
    }
    // `engine=pytorch` means its kind, on the device that goes with it.
    if path == ["engine"] && value.is_str() {
        let engine = place.entry("engine").or_insert_with(|| toml::Value::Table(toml::Table::new()));
        let engine = engine.as_table_mut().ok_or_else(wrong)?;
        engine.remove("device");
        engine.insert("kind".to_owned(), value);
        return Ok(());
    }
    place.insert((*last).to_owned(), value);
    Ok(())
}
