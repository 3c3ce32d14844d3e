//! Parameters that a method reads only where another one, or the loss, has a certain value.

use crate::spec::{Loss, ParamValue, RecommenderSpec, ResolvedRecommender};

/// A parameter that is read only where another one of its recommender, or the loss, has one of some values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    kind: &'static str,
    param: &'static str,
    /// What it depends on.
    pub under: Under,
    /// Its values under which this one is read, as they are written.
    pub values: &'static [&'static str],
}

/// What a parameter depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// Another parameter of the same recommender.
    Parameter(&'static str),
    /// `training.loss`, or the recommender's own where that is not set.
    Loss,
}

impl Under {
    /// Where that stands in a spec whose recommender stands at `at`.
    pub fn path(self, at: &str) -> String {
        match self {
            Self::Parameter(name) => format!("{at}.{name}"),
            Self::Loss => "training.loss".to_owned(),
        }
    }
}

const fn when(
    kind: &'static str,
    param: &'static str,
    under: &'static str,
    values: &'static [&'static str],
) -> Condition {
    Condition { kind, param, under: Under::Parameter(under), values }
}

/// The losses that draw items.
const DRAWING: &[&str] = &["sampled-softmax", "bce", "bpr"];

/// Those of them that call each drawn item wrong by itself.
const ONE_BY_ONE: &[&str] = &["bce", "bpr"];

const fn where_alone(kind: &'static str, param: &'static str) -> Condition {
    Condition { kind, param, under: Under::Loss, values: ONE_BY_ONE }
}

const fn where_drawn(kind: &'static str, param: &'static str) -> Condition {
    Condition { kind, param, under: Under::Loss, values: DRAWING }
}

/// Every one.
pub static CONDITIONS: &[Condition] = &[
    when("item-knn", "bm25_k1", "similarity", &["bm25"]),
    when("item-knn", "bm25_b", "similarity", &["bm25"]),
    when("als-implicit", "cg_steps", "solver", &["conjugate-gradient"]),
    when("cascade", "top", "refine", &["top"]),
    when("cascade", "levels", "refine", &["levels"]),
    when("fm", "groups", "solver", &["mcmc"]),
    when("fm", "samples", "solver", &["mcmc"]),
    when("fm", "regularization", "solver", &["als", "sgd"]),
    when("fm", "learning_rate", "solver", &["sgd"]),
    when("fm", "user_attributes", "side", &["true"]),
    when("fm", "item_attributes", "side", &["true"]),
    when("ffm", "user_attributes", "side", &["true"]),
    when("ffm", "item_attributes", "side", &["true"]),
    when("feature-embeddings", "user_attributes", "side", &["true"]),
    when("feature-embeddings", "item_attributes", "side", &["true"]),
    when("feature-embeddings", "max_sampled", "loss", &["warp"]),
    when("sasrec", "window", "attention", &["local-window", "block-sparse"]),
    where_drawn("sasrec", "negatives"),
    where_drawn("sasrec", "shared_by"),
    where_drawn("sasrec", "log_q"),
    where_alone("sasrec", "spare_own"),
    where_drawn("gru4rec", "negatives"),
    where_drawn("gru4rec", "shared_by"),
    where_drawn("gru4rec", "log_q"),
    where_alone("gru4rec", "spare_own"),
    where_drawn("caser", "negatives"),
    where_drawn("caser", "shared_by"),
    where_drawn("caser", "log_q"),
    where_alone("caser", "spare_own"),
    where_drawn("bert4rec", "negatives"),
    where_drawn("bert4rec", "shared_by"),
    where_drawn("bert4rec", "log_q"),
    where_alone("bert4rec", "spare_own"),
];

impl Condition {
    /// That of a parameter, where it has one.
    pub fn of(kind: &str, param: &str) -> Option<&'static Self> {
        CONDITIONS.iter().find(|condition| condition.kind == kind && condition.param == param)
    }

    /// Whether the parameter is read where what it depends on has this value.
    pub fn holds(&self, value: &ParamValue) -> bool {
        match value {
            ParamValue::Text(text) => self.values.contains(&text.as_str()),
            ParamValue::Boolean(answer) => self.values.contains(&if *answer { "true" } else { "false" }),
            _ => true,
        }
    }

    /// In words, `at` being where the recommender stands in the spec: `recommender.similarity is bm25`.
    pub fn words(&self, at: &str) -> String {
        format!("{} is {}", self.under.path(at), self.values.join(" or "))
    }
}

impl RecommenderSpec {
    /// The value of a parameter, given or the catalogue's own; `None` where there is no such parameter.
    pub fn value(&self, name: &str) -> Option<ParamValue> {
        let given = self.params.get(name).cloned();
        given.or_else(|| Some(super::find(&self.kind)?.param(name)?.default_value()))
    }

    /// Whether a parameter is read, given the others and the loss that `[training]` sets.
    pub fn reads(&self, name: &str, loss: Option<Loss>) -> bool {
        is_read((self.kind.as_str(), name), |other| self.value(other), loss)
    }

    /// A sentence for each parameter that was given another value than its own and is not read, of components too. `at`: where this
    /// recommender stands in the spec; `loss`: what `[training]` sets.
    pub fn without_effect(&self, at: &str, loss: Option<Loss>) -> Vec<String> {
        let mut told = Vec::new();
        for (name, value) in &self.without_defaults().params {
            if let ParamValue::Recommenders(components) = value {
                let each = components.iter().enumerate();
                told.extend(each.flat_map(|(index, one)| one.without_effect(&format!("{at}.{name}[{index}]"), loss)));
            }
            if let Some(condition) = Condition::of(&self.kind, name).filter(|_| !self.reads(name, loss)) {
                told.push(format!(
                    "{at}.{name} is {value}, and nothing reads it: it counts only where {}",
                    condition.words(at)
                ));
            }
        }
        told
    }
}

impl ResolvedRecommender {
    /// Whether a parameter is read, given the others and the loss that it is trained with; its own where that is `None`.
    pub fn reads(&self, name: &str, loss: Option<Loss>) -> bool {
        is_read((self.entry.kind, name), |other| self.params().get(other).cloned(), loss)
    }
}

/// Whether the parameter of a kind is read, where `value` tells the kind's other parameters.
fn is_read((kind, name): (&str, &str), value: impl Fn(&str) -> Option<ParamValue>, loss: Option<Loss>) -> bool {
    let own = || super::find(kind)?.losses.first().copied();
    Condition::of(kind, name).is_none_or(|condition| match condition.under {
        Under::Parameter(other) => value(other).is_none_or(|value| condition.holds(&value)),
        Under::Loss => loss.or_else(own).is_none_or(|loss| condition.values.contains(&loss.as_str())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{ParamKind, find};
    use crate::{ExperimentSpec, spec::DatasetSpec};

    #[test]
    fn every_condition_is_of_parameters_and_values_that_the_catalogue_has() {
        for condition in CONDITIONS {
            let entry = find(condition.kind).expect("a kind of the catalogue");
            assert!(entry.param(condition.param).is_some(), "{condition:?}");
            let known: Vec<&str> = match condition.under {
                Under::Loss => entry.losses.iter().map(|loss| loss.as_str()).collect(),
                Under::Parameter(other) => match entry.param(other).map(|under| &under.kind) {
                    Some(ParamKind::Choice { options, .. }) => options.to_vec(),
                    Some(ParamKind::Boolean { .. }) => vec!["true", "false"],
                    other => panic!("{condition:?}: {other:?}"),
                },
            };
            assert!(condition.values.iter().all(|value| known.contains(value)), "{condition:?}");
            assert!(condition.values.len() < known.len(), "{condition:?} always holds");
        }
    }

    #[test]
    fn a_recommender_reads_the_same_parameters_as_written_and_checked() {
        let checked = |recommender: &RecommenderSpec| {
            let (dataset, recommender) = (DatasetSpec::builtin("beauty-synthetic-10k"), recommender.clone());
            let mut spec = ExperimentSpec { dataset, recommender, ..ExperimentSpec::default() };
            spec.evaluation.metrics = vec!["ndcg@10".parse().unwrap()];
            spec.resolve().unwrap_or_else(|errors| panic!("{errors}")).recommender
        };
        for condition in CONDITIONS {
            let (kind, param) = (condition.kind, condition.param);
            let entry = find(kind).expect("a kind of the catalogue");
            let plain = RecommenderSpec::new(kind);
            let cases: Vec<(RecommenderSpec, Option<Loss>, &str)> = match condition.under {
                Under::Loss => entry.losses.iter().map(|&loss| (plain.clone(), Some(loss), loss.as_str())).collect(),
                Under::Parameter(other) => match entry.param(other).map(|under| &under.kind) {
                    Some(ParamKind::Choice { options, .. }) => {
                        let of = |text: &str| plain.clone().with(other, ParamValue::Text(text.to_owned()));
                        options.iter().map(|&text| (of(text), None, text)).collect()
                    }
                    _ => [(true, "true"), (false, "false")]
                        .map(|(answer, text)| (plain.clone().with(other, ParamValue::Boolean(answer)), None, text))
                        .to_vec(),
                },
            };
            for (written, loss, value) in cases {
                let is_read = condition.values.contains(&value);
                assert_eq!(written.reads(param, loss), is_read, "{condition:?}: {value}");
                assert_eq!(checked(&written).reads(param, loss), is_read, "{condition:?}: {value}");
            }
        }
        let own = RecommenderSpec::new("bert4rec");
        assert!(!own.reads("negatives", None) && !checked(&own).reads("negatives", None), "by its own loss");
    }

    #[test]
    fn a_parameter_that_nothing_reads_is_told_with_what_it_needs() {
        let k1 = |spec: RecommenderSpec| spec.with("bm25_k1", ParamValue::Float(2.0));
        let told = k1(RecommenderSpec::new("item-knn")).without_effect("recommender", None);
        assert_eq!(
            told,
            ["recommender.bm25_k1 is 2, and nothing reads it: it counts only where recommender.similarity is bm25"]
        );
        let read = RecommenderSpec::new("item-knn").with("similarity", ParamValue::Text("bm25".to_owned()));
        assert!(k1(read.clone()).without_effect("recommender", None).is_empty());
        // What the catalogue would have taken anyway says nothing.
        let default = RecommenderSpec::new("item-knn").with("bm25_k1", ParamValue::Float(1.2));
        assert!(default.without_effect("recommender", None).is_empty());
        let components = vec![k1(RecommenderSpec::new("item-knn")), k1(read)];
        let hybrid = RecommenderSpec::new("weighted").with("components", ParamValue::Recommenders(components));
        let told = hybrid.without_effect("recommender", None);
        assert!(told.len() == 1 && told[0].starts_with("recommender.components[0].bm25_k1"), "{told:?}");
    }

    #[test]
    fn what_the_loss_decides_is_told_for_the_loss_of_the_spec_or_else_the_own_one() {
        let spec = |kind: &str| RecommenderSpec::new(kind).with("negatives", ParamValue::Integer(32));
        assert!(spec("sasrec").without_effect("recommender", None).is_empty());
        // Its own loss is cross-entropy, which scores all items.
        let told = spec("bert4rec").without_effect("recommender", None);
        let words = "it counts only where training.loss is sampled-softmax or bce or bpr";
        assert!(told.len() == 1 && told[0].ends_with(words), "{told:?}");
        assert!(spec("bert4rec").without_effect("recommender", Some(Loss::Bce)).is_empty());
        assert_eq!(spec("sasrec").without_effect("recommender", Some(Loss::CrossEntropy)).len(), 1);
    }
}
