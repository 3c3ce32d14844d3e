//! The space of a search: ranges of parameters, checked against the catalogue, or made around its defaults.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use recspeed_types::catalogue::{self, Condition, Entry, Param, ParamKind, Slot};
use recspeed_types::search::{Range, SearchMember};
use recspeed_types::spec::{ParamValue, RecommenderSpec, SpecParseError};
use recspeed_types::{ExperimentSpec, SpecError, SpecErrors};
use serde_json::Value;

use crate::{Dimension, Values};

/// A space that cannot be searched.
#[derive(Debug, thiserror::Error)]
pub enum SpaceError {
    /// A range that the recommender does not allow.
    #[error("{path}: {message}")]
    Refused {
        /// The range, where it is written.
        path: String,
        /// Why.
        message: String,
    },
}

/// The parameters of a search, in the order of their paths; none where the recommender has nothing to search.
#[derive(Debug, Clone, PartialEq)]
pub struct Space(Vec<Dimension>);

/// Parameters that a space made of the catalogue takes, the first ones of the entry. So many decide in the methods that have
/// most of them (`warp`, `feature-embeddings`, `fm`), and what hardly decides costs a search little: Bergstra, Bengio,
/// "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012.
const TRIED: usize = 5;
/// Combinations with a value that are looked at before it is said to fit none.
const LOOKED_AT: usize = 128;
/// Values of each parameter in them, besides those that are drawn.
const POINTS: usize = 5;

impl Space {
    /// The space of a member of a search; where it names none, the first five parameters of its recommender around their values: a
    /// quarter to four times a number, the [stated values](Param::searched) of one whose default is 0, every choice,
    /// both answers; and for networks the learning rate from a tenth to ten times. It is empty for a recommender
    /// without parameters.
    ///
    /// # Errors
    /// [`SpaceError`]: an end of a range that the spec refuses.
    pub fn new(member: &SearchMember) -> Result<Self, SpaceError> {
        let resolved = member.spec.resolve();
        let entry = resolved.as_ref().map(|spec| spec.recommender.entry).ok();
        let mut dimensions: Vec<Dimension> = member
            .space
            .iter()
            .map(|(path, range)| Dimension {
                path: path.clone(),
                range: as_declared(&member.spec, path, range.clone()),
            })
            .collect();
        if dimensions.is_empty()
            && let Some(entry) = entry
        {
            // What the split forbids, or another parameter whatever its value, is not tried.
            let all = Self(around(entry, &member.spec));
            dimensions = (0..all.0.len()).filter_map(|place| all.within(place, &member.spec)).collect();
            let all = Self(dimensions.clone());
            dimensions.retain(|dimension| all.unread(dimension, &member.spec).is_none());
        }
        let space = Self(dimensions);
        let written =
            |(path, message): (String, String)| SpaceError::Refused { path: format!("{}.{path}", member.at), message };
        space.check(&member.spec).map_err(written)?;
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

    /// A trial without those of these parameters that nothing reads under its other values, as `bm25_k1` under another
    /// similarity: what is run and written out counts.
    #[must_use]
    pub fn without_unread(&self, mut trial: ExperimentSpec) -> ExperimentSpec {
        let loss = trial.training.loss;
        for Dimension { path, .. } in &self.0 {
            if let Some((recommender, name)) = place_mut(&mut trial, path)
                && !recommender.reads(name, loss)
            {
                recommender.params.remove(name);
            }
        }
        trial
    }

    /// Which of the parameters something reads under these values, in their order: `bm25_k1` under one similarity
    /// alone.
    pub fn are_read(&self, spec: &ExperimentSpec, values: &Values) -> Vec<bool> {
        // What makes no spec is told whole.
        let Ok(trial) = self.apply(spec, values) else { return vec![true; self.0.len()] };
        let is_read = |dimension: &Dimension| {
            let found = place(&trial, &dimension.path);
            found.is_none_or(|(recommender, _, name)| recommender.reads(name, trial.training.loss))
        };
        self.0.iter().map(is_read).collect()
    }

    /// The values of a trial as its result speaks of them: nothing (`null`) in place of those that nothing read under the others. By
    /// `rmse` alone nobody knows whether a step length was good that the Gibbs sampler never took.
    #[must_use]
    pub fn judged(&self, spec: &ExperimentSpec, values: &Values) -> Values {
        let depends = |dimension: &Dimension| {
            place(spec, &dimension.path).is_some_and(|(own, _, name)| Condition::of(&own.kind, name).is_some())
        };
        if !self.0.iter().any(depends) {
            return values.clone();
        }
        let judged = |(value, is_read): (&Value, bool)| if is_read { value.clone() } else { Value::Null };
        values.iter().zip(self.are_read(spec, values)).map(judged).collect()
    }

    /// Both ends of each range, and each listed value, must fit the spec in some trial.
    ///
    /// # Errors
    /// The path of a range, and what is wrong with it.
    fn check(&self, spec: &ExperimentSpec) -> Result<(), (String, String)> {
        let unread = |dimension: &Dimension| Some((dimension.path.clone(), self.unread(dimension, spec)?));
        if let Some((path, message)) = self.0.iter().find_map(unread) {
            return Err((path, message));
        }
        for (place, Dimension { path, range }) in self.0.iter().enumerate() {
            let ends = match range {
                Range::Values(values) => values.clone(),
                Range::Integer { min, max, .. } => vec![(*min).into(), (*max).into()],
                Range::Float { min, max, .. } => vec![(*min).into(), (*max).into()],
            };
            for value in ends {
                self.fits(place, &value, spec).map_err(|message| (path.clone(), message))?;
            }
        }
        Ok(())
    }

    /// Whether a value may be tried of the parameter at `place`: with the others as the spec has them, or with some of theirs.
    ///
    /// # Errors
    /// What the spec says of it where the others stay as they are.
    fn fits(&self, place: usize, value: &Value, spec: &ExperimentSpec) -> Result<(), String> {
        let path = &self.0[place].path;
        let alone = spec.with_value(path, value.clone()).map_err(|error| without_path(path, &error.into_errors()))?;
        let Err(errors) = alone.resolve() else { return Ok(()) };
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut others = |look: usize| {
            let one = |dimension: &Dimension| {
                // What must divide something else is met at round numbers, or anywhere.
                let points = dimension.points(if look.is_multiple_of(2) { POINTS } else { 0 });
                match points.len() as u64 {
                    0 => dimension.draw(&mut rng),
                    count => points[(rng.next_u64() % count) as usize].clone(),
                }
            };
            let mut values: Values = self.0.iter().map(one).collect();
            values[place] = value.clone();
            self.apply(spec, &values).is_ok_and(|trial| trial.resolve().is_ok())
        };
        if (0..LOOKED_AT).any(&mut others) { Ok(()) } else { Err(without_path(path, &errors)) }
    }

    /// The dimension at `place` without the values that the spec refuses; `None` where nothing is left to choose.
    fn within(&self, place: usize, spec: &ExperimentSpec) -> Option<Dimension> {
        let mut dimension = self.0[place].clone();
        let fits = |value: &Value| self.fits(place, value, spec).is_ok();
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

/// Mistakes for whoever names the path itself: it is not said again.
fn without_path(path: &str, errors: &SpecErrors) -> String {
    // A space writes `components.0`, a mistake `components[0]`.
    let plain = |path: &str| path.replace('[', ".").replace(']', "");
    let told = |error: &SpecError| if plain(&error.path) == path { error.message.clone() } else { error.to_string() };
    errors.0.iter().map(told).collect::<Vec<_>>().join("; ")
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

/// The recommender of a spec that a path leads into, to be changed, and the name of the parameter; `None` where the path
/// leads into a list that is left out.
fn place_mut<'spec, 'path>(
    spec: &'spec mut ExperimentSpec,
    path: &'path str,
) -> Option<(&'spec mut RecommenderSpec, &'path str)> {
    let mut recommender = &mut spec.recommender;
    let mut rest = path.strip_prefix("recommender.")?;
    while let Some((index, below)) = rest.strip_prefix("components.").and_then(|rest| rest.split_once('.')) {
        let Some(ParamValue::Recommenders(components)) = recommender.params.get_mut("components") else { return None };
        recommender = components.get_mut(index.parse::<usize>().ok()?)?;
        rest = below;
    }
    Some((recommender, rest))
}

/// The parameter that a path of the spec leads to, that of a component's place too.
fn declared(spec: &ExperimentSpec, path: &str) -> Option<&'static Param> {
    let (recommender, at, name) = place(spec, path)?;
    let own = catalogue::find(&recommender.kind)?.param(name);
    let of_place = || {
        let (holder, index) = at.rsplit_once(".components.")?;
        let (holder, _, _) = place(spec, &format!("{holder}.components"))?;
        let slot: &Slot = catalogue::find(&holder.kind)?.param("components")?.kind.slot(index.parse().ok()?)?;
        slot.params.iter().find(|param| param.name == name)
    };
    own.or_else(of_place)
}

/// Settings of a training that are any number.
const ANY_NUMBER: [&str; 3] = ["training.learning_rate", "training.weight_decay", "training.gradient_clip"];

/// A range of whole numbers for what takes any number means any number between.
fn as_declared(spec: &ExperimentSpec, path: &str, range: Range) -> Range {
    let is_float = |param: &Param| matches!(param.kind, ParamKind::Float { .. });
    let any = || ANY_NUMBER.contains(&path) || declared(spec, path).is_some_and(is_float);
    match range {
        Range::Integer { min, max, log } if any() => Range::Float { min: min as f64, max: max as f64, log },
        range => range,
    }
}

/// What may be tried of the step length of a network; `None` of what is not trained step by step.
fn learning_rate(entry: &Entry, spec: &ExperimentSpec) -> Option<Dimension> {
    let rate = spec.training.learning_rate.unwrap_or_else(|| entry.training_defaults().learning_rate);
    let range = Range::Float { min: rate / 10.0, max: rate * 10.0, log: true };
    entry.is_trained().then(|| Dimension { path: "training.learning_rate".to_owned(), range })
}

/// The first parameters of a recommender around their values, and for networks the learning rate.
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
        let stated = || Some(Range::Values(param.searched()?.iter().map(|&value| value.into()).collect()));
        if let Some(range) = range.or_else(stated)
            && dimensions.len() < TRIED
        {
            dimensions.push(Dimension { path: format!("recommender.{}", param.name), range });
        }
    }
    dimensions.extend(learning_rate(entry, spec));
    dimensions
}

#[cfg(test)]
mod tests {
    use super::*;
    use recspeed_types::catalogue::Family;
    use recspeed_types::spec::RecommenderSpec;
    use std::collections::BTreeMap;

    fn member(kind: &str, space: &[(&str, Range)]) -> SearchMember {
        let mut spec = ExperimentSpec { recommender: RecommenderSpec::new(kind), ..ExperimentSpec::default() };
        if ["popularity", "item-knn", "weighted", "sasrec", "bert4rec"].contains(&kind) {
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
        }
        let space = space.iter().map(|(path, range)| ((*path).to_owned(), range.clone())).collect::<BTreeMap<_, _>>();
        SearchMember { spec, at: "search.space".to_owned(), space }
    }

    #[test]
    fn a_space_around_the_defaults_holds_them_and_fits_the_catalogue() {
        for entry in catalogue::ENTRIES {
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

    /// What the literature tunes of each kind and finds to decide how good its lists or ratings are: the method's own paper, where no
    /// other is named. Baselines are not learnt; of a hybrid its components decide, which are searched where they are written out.
    const DECIDING: &[(&str, &[&str])] = &[
        // Herlocker, Konstan, Riedl, "An Empirical Analysis of Design Choices in Neighborhood-Based Collaborative Filtering
        // Algorithms", 2002: normalisation, similarity, significance weighting, and how many neighbours.
        ("user-knn", &["neighbours", "centring", "similarity", "shrinkage"]),
        // Ferrari Dacrema, Cremonesi, Jannach, "Are We Really Making Much Progress?", 2019: what they search of ItemKNN.
        ("item-knn", &["neighbours", "similarity", "weighting", "shrinkage"]),
        // Zhou, Wilkinson, Schreiber, Pan, "Large-Scale Parallel Collaborative Filtering for the Netflix Prize", 2008.
        ("als-explicit", &["factors", "iterations", "regularization"]),
        // Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", 2022.
        ("als-implicit", &["factors", "iterations", "regularization", "alpha"]),
        ("bpr", &["factors", "iterations", "learning_rate", "regularization"]),
        // What LightFM's users tune; docs/compare.md names what moved the lab's own numbers.
        ("warp", &["factors", "iterations", "learning_rate", "regularization", "max_sampled"]),
        ("feature-embeddings", &["loss", "factors", "iterations", "learning_rate", "regularization"]),
        ("biased-mf", &["factors", "iterations", "learning_rate", "regularization"]),
        ("svd++", &["factors", "iterations", "learning_rate", "regularization"]),
        ("nmf", &["factors", "iterations", "regularization"]),
        ("ease", &["regularization"]),
        ("slim", &["l1", "l2", "neighbours"]),
        ("content-tfidf", &["words", "sublinear", "centred"]),
        ("content-linear", &["regularization", "weighting"]),
        // Rendle, "Factorization Machines with libFM", 2012: the sampler has no step and no penalty, the others have.
        ("fm", &["solver", "factors", "iterations", "regularization", "learning_rate"]),
        ("ffm", &["factors", "iterations", "learning_rate", "regularization"]),
        ("mlp", &[]),
        ("densenet", &["layers", "growth", "dropout"]),
        ("neumf", &["factors", "negatives", "dropout"]),
        ("wide-and-deep", &["embedding", "dropout"]),
        ("deepfm", &["embedding", "dropout"]),
        ("dlrm", &["embedding", "dropout"]),
        ("autoencoder", &["hidden", "latent", "dropout", "kl_weight"]),
        ("gru4rec", &["factors", "hidden", "layers", "dropout"]),
        ("caser", &["factors", "window", "ahead", "dropout"]),
        ("sasrec", &["factors", "blocks", "dropout", "length"]),
        ("bert4rec", &["factors", "blocks", "hidden", "dropout"]),
    ];

    /// Parameters that change how long a fit takes, or whether it repeats, and not how good it is meant to be.
    const OF_COST: &[&str] = &["mode", "cg_steps", "shared_by"];

    #[test]
    fn what_decides_of_a_kind_is_in_the_space_made_of_the_catalogue_and_what_only_costs_is_not() {
        for entry in catalogue::ENTRIES {
            let mut member = member(entry.kind, &[]);
            member.spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            let space = Space::new(&member).unwrap_or_else(|error| panic!("{}: {error}", entry.kind));
            let is_tried = |path: &str| space.dimensions().iter().any(|dimension| dimension.path == path);
            let own = |name: &str| is_tried(&format!("recommender.{name}"));
            let listed = DECIDING.iter().find(|(kind, _)| *kind == entry.kind);
            let of_others = matches!(entry.family, Family::Baseline | Family::Hybrid);
            assert_eq!(listed.is_none(), of_others || entry.params.is_empty(), "{}: what decides?", entry.kind);
            for name in listed.map_or(&[][..], |(_, names)| *names) {
                assert!(own(name), "{}.{name} is not tried: {space:?}", entry.kind);
            }
            assert!(OF_COST.iter().all(|name| !own(name)), "{}: {space:?}", entry.kind);
            assert_eq!(is_tried("training.learning_rate"), entry.is_trained(), "{}: {space:?}", entry.kind);
            assert!(space.dimensions().len() <= TRIED + usize::from(entry.is_trained()), "{}", entry.kind);
        }
    }

    #[test]
    fn a_number_whose_default_is_0_is_tried_at_the_values_that_the_catalogue_states() {
        let range = |kind: &str, path: &str| {
            let mut member = member(kind, &[]);
            member.spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            let space = Space::new(&member).unwrap();
            let found = space.dimensions().iter().find(|dimension| dimension.path == path);
            found.map(|dimension| dimension.range.clone())
        };
        let values = |values: &[f64]| Some(Range::Values(values.iter().map(|&value| value.into()).collect()));
        assert_eq!(range("item-knn", "recommender.shrinkage"), values(&[0.0, 10.0, 100.0, 1000.0]));
        assert_eq!(range("feature-combination", "recommender.liked"), values(&[0.0, 3.0, 4.0, 5.0]));
        // One that is given has something around it.
        let mut member = member("item-knn", &[]);
        member.spec.recommender = member.spec.recommender.with("shrinkage", ParamValue::Float(20.0));
        let around = Range::Float { min: 5.0, max: 80.0, log: true };
        let space = Space::new(&member).unwrap();
        assert!(space.dimensions().iter().any(|dimension| dimension.range == around), "{space:?}");
    }

    #[test]
    fn a_trial_keeps_of_its_values_those_that_something_reads() {
        let values = |values: &[&str]| Range::Values(values.iter().map(|&value| value.into()).collect());
        let space = [
            ("recommender.similarity", values(&["tf-idf", "bm25"])),
            ("recommender.bm25_k1", Range::Float { min: 0.5, max: 2.0, log: false }),
        ];
        let member = member("item-knn", &space);
        let space = Space::new(&member).unwrap();
        let trial = |similarity: &str| {
            let of = |dimension: &Dimension| match dimension.path.as_str() {
                "recommender.similarity" => Value::from(similarity),
                _ => Value::from(1.5),
            };
            let values: Values = space.dimensions().iter().map(of).collect();
            space.without_unread(space.apply(&member.spec, &values).unwrap())
        };
        let are_read = |similarity: &str| space.are_read(&member.spec, &vec![1.5.into(), similarity.into()]);
        assert_eq!((are_read("tf-idf"), are_read("bm25")), (vec![false, true], vec![true, true]));
        let judged = |similarity: &str| space.judged(&member.spec, &vec![1.5.into(), similarity.into()]);
        assert_eq!(judged("tf-idf"), [Value::Null, "tf-idf".into()], "nothing was learnt of k₁");
        assert_eq!(judged("bm25"), [Value::from(1.5), "bm25".into()]);
        let (without, with) = (trial("tf-idf"), trial("bm25"));
        assert_eq!(without.recommender.params.get("bm25_k1"), None);
        assert_eq!(with.recommender.params.get("bm25_k1"), Some(&ParamValue::Float(1.5)));
        assert_eq!(without.recommender.params.get("similarity"), Some(&ParamValue::Text("tf-idf".to_owned())));
        assert!(without.recommender.without_effect("recommender", None).is_empty());
        assert!(without.resolve().is_ok());
    }

    #[test]
    fn what_a_component_does_not_read_is_taken_out_of_it() {
        let components = vec![RecommenderSpec::new("item-knn"), RecommenderSpec::new("popularity")];
        let mut trial = member("weighted", &[]).spec;
        trial.recommender = trial.recommender.with("components", ParamValue::Recommenders(components));
        let range = Range::Float { min: 0.5, max: 2.0, log: false };
        let space = Space(vec![Dimension { path: "recommender.components.0.bm25_k1".to_owned(), range }]);
        let tried = space.apply(&trial, &vec![Value::from(1.5)]).unwrap();
        assert_ne!(tried, trial);
        assert_eq!(space.without_unread(tried), trial);
    }

    #[test]
    fn a_value_that_fits_with_some_of_the_others_may_be_tried_and_one_that_fits_with_none_is_refused() {
        let factors =
            |values: &[i64]| ("recommender.factors", Range::Values(values.iter().map(|&value| value.into()).collect()));
        let heads = ("recommender.heads", Range::Values(vec![1.into(), 3.into()]));
        // The factors of the spec itself, 64, have no three parts.
        assert!(Space::new(&member("sasrec", &[factors(&[32, 48]), heads.clone()])).is_ok());
        let message = Space::new(&member("sasrec", &[factors(&[32, 64]), heads])).unwrap_err().to_string();
        assert!(message.contains("recommender.heads: is 3, which does not divide"), "{message}");
        let around = Space::new(&member("bert4rec", &[])).unwrap();
        let heads = around.dimensions().iter().find(|dimension| dimension.path == "recommender.heads");
        assert_eq!(heads.map(|heads| &heads.range), Some(&Range::Integer { min: 1, max: 4, log: true }));
    }

    #[test]
    fn the_parameters_of_components_and_of_their_places_are_searched_as_all_others() {
        let mut member = member(
            "weighted",
            &[
                ("recommender.components.0.neighbours", Range::Integer { min: 5, max: 50, log: false }),
                ("recommender.components.0.weight", Range::Integer { min: 0, max: 1, log: false }),
            ],
        );
        // Components must be written out to be searched.
        let message = Space::new(&member).unwrap_err().to_string();
        assert!(message.contains("recommender.components"), "{message}");
        let components = ["item-knn", "popularity"].map(RecommenderSpec::new).to_vec();
        member.spec.recommender = member.spec.recommender.with("components", ParamValue::Recommenders(components));
        let space = Space::new(&member).unwrap();
        let weight = &space.dimensions()[1].range;
        assert_eq!(*weight, Range::Float { min: 0.0, max: 1.0, log: false }, "a weight is any number");
        let spec = space.apply(&member.spec, &vec![7.into(), 0.25.into()]).unwrap().resolve().unwrap();
        let first = &spec.recommender.components()[0];
        assert_eq!((first.integer("neighbours"), first.float("weight")), (7, 0.25));
    }

    #[test]
    fn an_end_that_the_catalogue_refuses_is_named() {
        let range = Range::Integer { min: 0, max: 5, log: false };
        let message = Space::new(&member("item-knn", &[("recommender.neighbours", range)])).unwrap_err().to_string();
        assert!(message.starts_with("search.space.recommender.neighbours: is 0; allowed: "), "{message}");
        let unknown = Space::new(&member("item-knn", &[("recommender.factors", Range::Values(vec![1.into()]))]));
        assert!(unknown.unwrap_err().to_string().contains("is no parameter of `item-knn`"));
    }

    #[test]
    fn a_range_that_is_refused_is_named_once_and_where_it_is_written() {
        let range = |min| Range::Integer { min, max: 5, log: false };
        let mut own = member("item-knn", &[("recommender.neighbours", range(-5))]);
        own.at = "compare[1].space".to_owned();
        let message = Space::new(&own).unwrap_err().to_string();
        assert!(message.starts_with("compare[1].space.recommender.neighbours: is -5; allowed: "), "{message}");
        let mut hybrid = member("weighted", &[("recommender.components.1.neighbours", range(0))]);
        let components = ["popularity", "item-knn"].map(RecommenderSpec::new).to_vec();
        hybrid.spec.recommender = hybrid.spec.recommender.with("components", ParamValue::Recommenders(components));
        let message = Space::new(&hybrid).unwrap_err().to_string();
        assert!(message.starts_with("search.space.recommender.components.1.neighbours: is 0; allowed"), "{message}");
    }

    #[test]
    fn a_parameter_that_no_trial_would_read_is_refused_with_what_it_needs() {
        let k1 = ("recommender.bm25_k1", Range::Float { min: 0.5, max: 3.0, log: false });
        let message = Space::new(&member("item-knn", std::slice::from_ref(&k1))).unwrap_err().to_string();
        assert!(
            message.starts_with(
                "search.space.recommender.bm25_k1: nothing reads it here: it counts only where recommender.similarity is bm25"
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
}
