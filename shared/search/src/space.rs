//! The space of a search: ranges of parameters, checked against the catalogue, or made around its defaults.

use recspeed_types::ExperimentSpec;
use recspeed_types::catalogue::{Condition, Entry, ParamKind};
use recspeed_types::search::{Range, SearchMember};
use recspeed_types::spec::{ParamValue, RecommenderSpec, SpecParseError};
use serde_json::Value;

use crate::Values;

/// A space that cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum SpaceError {
    /// A range that the recommender does not allow.
    #[error("{path}: {message}")]
    Refused {
        /// The parameter.
        path: String,
        /// Why.
        message: String,
    },
}

/// One parameter of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    /// Its path in the spec.
    pub path: String,
    /// What may be tried.
    pub range: Range,
}

/// The parameters of a search, in the order of their paths; none where the recommender has nothing to search.
#[derive(Debug, Clone, PartialEq)]
pub struct Space(Vec<Dimension>);

/// Parameters that a space made of the catalogue takes, the first ones of the entry.
const TRIED: usize = 4;

impl Space {
    /// The space of a member of a search; where it names none, the first parameters of its recommender around their values: a
    /// quarter to four times a number, every choice, both answers; and for networks the learning rate from a tenth to ten times. It
    /// is empty for a recommender without parameters.
    ///
    /// # Errors
    /// [`SpaceError`]: an end of a range that the spec refuses.
    pub fn new(member: &SearchMember) -> Result<Self, SpaceError> {
        let resolved = member.spec.resolve();
        let entry = resolved.as_ref().map(|spec| spec.recommender.entry).ok();
        let mut dimensions: Vec<Dimension> = member
            .space
            .iter()
            .map(|(path, range)| Dimension { path: path.clone(), range: as_declared(entry, path, range.clone()) })
            .collect();
        if dimensions.is_empty()
            && let Some(entry) = entry
        {
            // What the split or another parameter forbids is not tried.
            let allowed = |dimension| within(dimension, &member.spec);
            dimensions = around(entry, &member.spec).into_iter().filter_map(allowed).collect();
            let all = Self(dimensions.clone());
            dimensions.retain(|dimension| all.unread(dimension, &member.spec).is_none());
        }
        let space = Self(dimensions);
        space.check(&member.spec)?;
        Ok(space)
    }

    /// The parameters.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.0
    }

    /// Whether there is nothing to search: the parameters as they are make the only trial.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `spec` with these values.
    ///
    /// # Errors
    /// As [`ExperimentSpec::with_value`].
    pub fn apply(&self, spec: &ExperimentSpec, values: &Values) -> Result<ExperimentSpec, SpecParseError> {
        let mut spec = spec.clone();
        for (dimension, value) in self.0.iter().zip(values) {
            spec = spec.with_value(&dimension.path, value.clone())?;
        }
        Ok(spec)
    }

    /// Both ends of each range, and each listed value, must fit the spec.
    fn check(&self, spec: &ExperimentSpec) -> Result<(), SpaceError> {
        let unread = |dimension: &Dimension| Some((dimension.path.clone(), self.unread(dimension, spec)?));
        if let Some((path, message)) = self.0.iter().find_map(unread) {
            return Err(SpaceError::Refused { path, message });
        }
        for Dimension { path, range } in &self.0 {
            let ends = match range {
                Range::Values(values) => values.clone(),
                Range::Integer { min, max, .. } => vec![(*min).into(), (*max).into()],
                Range::Float { min, max, .. } => vec![(*min).into(), (*max).into()],
            };
            for value in ends {
                let refused = |message: String| SpaceError::Refused { path: path.clone(), message };
                let with = spec.with_value(path, value).map_err(|error| refused(error.to_string()))?;
                with.resolve().map_err(|errors| refused(errors.to_string()))?;
            }
        }
        Ok(())
    }

    /// Why no trial would read a parameter; `None` where one may.
    fn unread(&self, dimension: &Dimension, spec: &ExperimentSpec) -> Option<String> {
        let (recommender, at, name) = place(spec, &dimension.path)?;
        let condition = Condition::of(&recommender.kind, name)?;
        let under = condition.under.path(&at);
        let tried = self.0.iter().find(|other| other.path == under).map(|other| &other.range);
        let read = match tried {
            Some(Range::Values(values)) => values.iter().any(|value| match value {
                Value::String(text) => condition.holds(&ParamValue::Text(text.clone())),
                Value::Bool(answer) => condition.holds(&ParamValue::Boolean(*answer)),
                _ => true,
            }),
            _ => recommender.reads(name, spec.training.loss),
        };
        let remedy = format!("set it so, try it too (\"{under}\" in the space), or take this parameter out");
        (!read).then(|| format!("nothing reads it here: it counts only where {}; {remedy}", condition.words(&at)))
    }
}

/// The recommender that a path of the spec leads into, where that stands, and the name of the parameter.
fn place<'a>(spec: &ExperimentSpec, path: &'a str) -> Option<(RecommenderSpec, String, &'a str)> {
    let (mut recommender, mut at) = (spec.recommender.clone(), "recommender".to_owned());
    let mut rest = path.strip_prefix("recommender.")?;
    while let Some((index, below)) = rest.strip_prefix("components.").and_then(|rest| rest.split_once('.')) {
        let ParamValue::Recommenders(components) = recommender.value("components")? else { return None };
        recommender = components.get(index.parse::<usize>().ok()?)?.clone();
        at = format!("{at}.components.{index}");
        rest = below;
    }
    Some((recommender, at, rest))
}

/// A range of whole numbers for a parameter that takes any number means any number between.
fn as_declared(entry: Option<&Entry>, path: &str, range: Range) -> Range {
    let name = path.strip_prefix("recommender.");
    let kind = name.and_then(|name| Some(&entry?.param(name)?.kind));
    match (kind, range) {
        (Some(ParamKind::Float { .. }), Range::Integer { min, max, log }) => {
            Range::Float { min: min as f64, max: max as f64, log }
        }
        (_, range) => range,
    }
}

/// The dimension without the values that the spec refuses; `None` where nothing is left to choose.
fn within(mut dimension: Dimension, spec: &ExperimentSpec) -> Option<Dimension> {
    let path = dimension.path.clone();
    let fits = |value: &Value| spec.with_value(&path, value.clone()).is_ok_and(|spec| spec.resolve().is_ok());
    let left = match &mut dimension.range {
        Range::Values(values) => {
            values.retain(fits);
            values.len() > 1
        }
        Range::Integer { min, max, .. } => fits(&(*min).into()) && fits(&(*max).into()),
        Range::Float { min, max, .. } => fits(&(*min).into()) && fits(&(*max).into()),
    };
    left.then_some(dimension)
}

fn around(entry: &Entry, spec: &ExperimentSpec) -> Vec<Dimension> {
    let mut dimensions = Vec::new();
    for param in entry.params {
        let given = spec.recommender.params.get(param.name).cloned().unwrap_or_else(|| param.default_value());
        let range = match (&param.kind, given) {
            (ParamKind::Integer { min, max, .. }, ParamValue::Integer(value)) if value > 0 => {
                let (low, high) = ((value / 4).max(*min).max(1), value.saturating_mul(4).min(*max));
                (low < high).then_some(Range::Integer { min: low, max: high, log: true })
            }
            (ParamKind::Float { min, max, .. }, value) => {
                let value = match value {
                    ParamValue::Float(value) => value,
                    ParamValue::Integer(value) => value as f64,
                    _ => 0.0,
                };
                let (low, high) = ((value / 4.0).max(*min), (value * 4.0).min(*max));
                (value > 0.0 && low > 0.0 && low < high).then_some(Range::Float { min: low, max: high, log: true })
            }
            (ParamKind::Choice { options, .. }, _) if options.len() > 1 => {
                Some(Range::Values(options.iter().map(|option| (*option).into()).collect()))
            }
            (ParamKind::Boolean { .. }, _) => Some(Range::Values(vec![false.into(), true.into()])),
            _ => None,
        };
        if let Some(range) = range
            && dimensions.len() < TRIED
        {
            dimensions.push(Dimension { path: format!("recommender.{}", param.name), range });
        }
    }
    if entry.is_trained() {
        let rate = spec.training.learning_rate.unwrap_or(1e-3);
        let range = Range::Float { min: rate / 10.0, max: rate * 10.0, log: true };
        dimensions.push(Dimension { path: "training.learning_rate".to_owned(), range });
    }
    dimensions
}

impl Dimension {
    /// Where a value lies: the number, or its logarithm where ratios count, or the place in the list. The coordinates of a range
    /// run from [`Self::low`] to below [`Self::high`].
    pub(crate) fn coordinate(&self, value: &Value) -> Option<f64> {
        match &self.range {
            Range::Values(values) => values.iter().position(|known| known == value).map(|place| place as f64),
            // The middle of the number's own stretch: every whole number is as wide as the others.
            Range::Integer { log, .. } => Some(scaled(value.as_i64()? as f64 + 0.5, *log)),
            Range::Float { log, .. } => Some(scaled(value.as_f64()?, *log)),
        }
    }

    /// The value at a coordinate.
    pub(crate) fn value(&self, coordinate: f64) -> Value {
        match &self.range {
            Range::Values(values) => values[(coordinate.max(0.0) as usize).min(values.len() - 1)].clone(),
            Range::Integer { min, max, log } => (unscaled(coordinate, *log).floor() as i64).clamp(*min, *max).into(),
            Range::Float { min, max, log } => unscaled(coordinate, *log).clamp(*min, *max).into(),
        }
    }

    pub(crate) fn low(&self) -> f64 {
        match &self.range {
            Range::Values(_) => 0.0,
            Range::Integer { min, log, .. } => scaled(*min as f64, *log),
            Range::Float { min, log, .. } => scaled(*min, *log),
        }
    }

    pub(crate) fn high(&self) -> f64 {
        match &self.range {
            Range::Values(values) => values.len() as f64,
            Range::Integer { max, log, .. } => scaled(*max as f64 + 1.0, *log),
            Range::Float { max, log, .. } => scaled(*max, *log),
        }
    }

    /// At most `points` values spread over the range, the ends among them.
    pub(crate) fn points(&self, points: usize) -> Values {
        match &self.range {
            Range::Values(values) => values.clone(),
            Range::Integer { min, max, log } => {
                let (low, high) = (scaled(*min as f64, *log), scaled(*max as f64, *log));
                let mut values: Vec<i64> = (0..points)
                    .map(|place| unscaled(low + (high - low) * share(place, points), *log).round() as i64)
                    .map(|value| value.clamp(*min, *max))
                    .collect();
                values.dedup();
                values.into_iter().map(Value::from).collect()
            }
            Range::Float { min, max, .. } => {
                let place = |place| self.low() + (self.high() - self.low()) * share(place, points);
                (0..points)
                    .map(|at| match at {
                        0 => (*min).into(),
                        at if at + 1 == points => (*max).into(),
                        at => self.value(place(at)),
                    })
                    .collect()
            }
        }
    }
}

fn share(place: usize, points: usize) -> f64 {
    if points > 1 { place as f64 / (points - 1) as f64 } else { 0.5 }
}

fn scaled(value: f64, log: bool) -> f64 {
    if log { value.ln() } else { value }
}

fn unscaled(coordinate: f64, log: bool) -> f64 {
    if log { coordinate.exp() } else { coordinate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::spec::RecommenderSpec;
    use std::collections::BTreeMap;

    fn member(kind: &str, space: &[(&str, Range)]) -> SearchMember {
        let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
        if ["popularity", "item-knn", "weighted"].contains(&kind) {
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        }
        let space = space.iter().map(|(path, range)| ((*path).to_owned(), range.clone())).collect::<BTreeMap<_, _>>();
        SearchMember { spec, space }
    }

    #[test]
    fn a_space_around_the_defaults_holds_them_and_fits_the_catalogue() {
        for entry in recspeed_types::catalogue::ENTRIES {
            let mut member = member(entry.kind, &[]);
            member.spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            let space = Space::new(&member).unwrap_or_else(|error| panic!("{}: {error}", entry.kind));
            for dimension in space.dimensions() {
                let Some(name) = dimension.path.strip_prefix("recommender.") else { continue };
                let default = entry.param(name).unwrap().default_value();
                let default = serde_json::to_value(RecommenderSpec::new(entry.kind).with(name, default)).unwrap();
                let place = dimension.coordinate(&default[name]).unwrap();
                assert!((dimension.low()..dimension.high()).contains(&place), "{}.{name}: {place}", entry.kind);
            }
        }
    }

    #[test]
    fn an_end_that_the_catalogue_refuses_is_named() {
        let range = Range::Integer { min: 0, max: 5, log: false };
        let message = Space::new(&member("item-knn", &[("recommender.neighbours", range)])).unwrap_err().to_string();
        assert!(message.starts_with("recommender.neighbours: recommender.neighbours: is 0"), "{message}");
        let unknown = Space::new(&member("item-knn", &[("recommender.factors", Range::Values(vec![1.into()]))]));
        assert!(unknown.unwrap_err().to_string().contains("is no parameter of `item-knn`"));
    }

    #[test]
    fn a_parameter_that_no_trial_would_read_is_refused_with_what_it_needs() {
        let k1 = ("recommender.bm25_k1", Range::Float { min: 0.5, max: 3.0, log: false });
        let message = Space::new(&member("item-knn", std::slice::from_ref(&k1))).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "recommender.bm25_k1: nothing reads it here: it counts only where recommender.similarity is bm25"
            ),
            "{message}"
        );
        let similarity = |names: &[&str]| {
            ("recommender.similarity", Range::Values(names.iter().map(|name| (*name).into()).collect()))
        };
        assert!(Space::new(&member("item-knn", &[k1.clone(), similarity(&["cosine", "bm25"])])).is_ok());
        assert!(Space::new(&member("item-knn", &[k1.clone(), similarity(&["cosine", "jaccard"])])).is_err());
        let mut bm25 = member("item-knn", &[k1]);
        bm25.spec.recommender = bm25.spec.recommender.with("similarity", ParamValue::Text("bm25".to_owned()));
        assert!(Space::new(&bm25).is_ok());
        let component = ("recommender.components.0.bm25_b", Range::Float { min: 0.1, max: 0.9, log: false });
        let message = Space::new(&member("weighted", &[component])).unwrap_err().to_string();
        assert!(message.contains("recommender.components.0.similarity is bm25"), "{message}");
    }

    #[test]
    fn points_of_a_range_run_from_end_to_end() {
        let dimension = |range| Dimension { path: String::new(), range };
        let log = dimension(Range::Float { min: 0.001, max: 0.1, log: true });
        let points: Vec<f64> = log.points(3).iter().map(|value| value.as_f64().unwrap()).collect();
        assert!((points[1] - 0.01).abs() < 1e-12 && points[0] == 0.001 && points[2] == 0.1, "{points:?}");
        let few = dimension(Range::Integer { min: 1, max: 3, log: false });
        assert_eq!(few.points(5), [1, 2, 3].map(Value::from));
    }

    #[test]
    fn coordinates_and_values_are_each_other_s_inverse() {
        for range in [
            Range::Integer { min: 5, max: 200, log: true },
            Range::Integer { min: -3, max: 3, log: false },
            Range::Float { min: 1e-4, max: 1.0, log: true },
            Range::Values(vec!["a".into(), true.into(), 3.into()]),
        ] {
            let dimension = Dimension { path: String::new(), range };
            for value in dimension.points(7) {
                let place = dimension.coordinate(&value).unwrap();
                let back = dimension.value(place);
                let near = back == value || (back.as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-12;
                assert!(near && place >= dimension.low(), "{value} {back}");
            }
        }
    }
}
