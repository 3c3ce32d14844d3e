//! The settings of a spec by their paths: those that are given, and those that are left to the defaults of the program.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::{Dataset, ExperimentSpec, Filters, ResolvedSpec, Source, SpecErrors, Split, SplitPlan, Strategy, Training};

impl ExperimentSpec {
    /// Every setting that the spec gives, by its path: `training.epochs` → `3`, `recommender.components[0].kind` → `als-implicit`. Without
    /// its name.
    pub fn given(&self) -> BTreeMap<String, String> {
        let mut found = Settings::default();
        found.put("", self);
        found.0.remove("name");
        found.0
    }

    /// Every setting that the spec does not give, by its path, with the value that this version of the program has for it. What is not set
    /// at all by default, as a largest norm of gradients, is left out, and so is how the work of a single device would be divided.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn left_to_defaults(&self) -> Result<BTreeMap<String, String>, SpecErrors> {
        let (mut all, given) = (Settings::of(&self.resolve()?).0, self.given());
        all.retain(|path, _| !given.contains_key(path));
        Ok(all)
    }
}

/// Values by their paths.
#[derive(Debug, Default)]
struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Of a whole spec. Everything is taken apart by name, so that no new field is forgotten.
    fn of(spec: &ResolvedSpec) -> Self {
        let ResolvedSpec {
            name: _,
            seed,
            data_seed,
            dataset,
            split,
            features,
            recommender,
            training,
            engine,
            strategy,
            evaluation,
        } = spec;
        let mut found = Self::default();
        found.put("seed", seed);
        if data_seed != seed {
            found.put("data_seed", data_seed);
        }
        found.dataset(dataset);
        found.split(split);
        found.put("features", features);
        if !features.permute.is_empty() {
            found.put("features.repeats", &features.repeats());
        }
        recommender.visit("recommender", &mut |at, each| {
            found.put(&format!("{at}.kind"), &each.entry.kind);
            for (name, value) in each.params() {
                found.put(&format!("{at}.{name}"), value);
            }
        });
        if let Some(training) = training {
            found.training(training);
        }
        found.put("engine", engine);
        found.strategy(strategy);
        found.put("evaluation", evaluation);
        found
    }

    fn dataset(&mut self, dataset: &Dataset) {
        let Dataset { source, filters } = dataset;
        match source {
            Source::Builtin { entry } => self.put("dataset.id", &entry.id),
            Source::File { path, format, columns, items, users, max_bad_share } => {
                self.put("dataset.path", path);
                self.put("dataset.format", format);
                self.put("dataset.columns", columns);
                self.put("dataset.items", items);
                self.put("dataset.users", users);
                self.put("dataset.max_bad_share", max_bad_share);
            }
            Source::Upload { sha256, format, columns, max_bad_share } => {
                self.put("dataset.id", sha256);
                self.put("dataset.format", format);
                self.put("dataset.columns", columns);
                self.put("dataset.max_bad_share", max_bad_share);
            }
        }
        let Filters { min_user, min_item, sample, implicit_threshold } = filters;
        // 0 keeps all, which is as good as not set.
        for (path, rows) in [("dataset.min_user", min_user), ("dataset.min_item", min_item)] {
            if *rows > 0 {
                self.put(path, rows);
            }
        }
        self.put("dataset.sample", sample);
        self.put("dataset.implicit_threshold", implicit_threshold);
    }

    fn split(&mut self, plan: &SplitPlan) {
        let SplitPlan { split, fit_on } = plan;
        match split {
            Split::Random { test_ratio, validation_ratio }
            | Split::PerUserRandom { test_ratio, validation_ratio }
            | Split::GlobalTime { test_ratio, validation_ratio }
            | Split::ColdItems { test_ratio, validation_ratio } => {
                self.put("split.test_ratio", test_ratio);
                self.put("split.validation_ratio", validation_ratio);
            }
            Split::LeaveLastOut { validation } => self.put("split.validation", validation),
            Split::PerUserFirstN { n } => self.put("split.n", n),
            Split::ContiguousFold { folds, fold } | Split::KFold { folds, fold } => {
                self.put("split.folds", folds);
                self.put("split.fold", fold);
            }
        }
        self.put("split.fit_on", fit_on);
    }

    fn training(&mut self, training: &Training) {
        let Training {
            epochs,
            batch_size,
            optimizer,
            learning_rate,
            weight_decay,
            loss,
            early_stopping,
            gradient_clip,
            precision,
        } = training;
        self.put("training.epochs", epochs);
        self.put("training.batch_size", batch_size);
        self.put("training.optimizer", optimizer);
        self.put("training.learning_rate", learning_rate);
        self.put("training.weight_decay", weight_decay);
        self.put("training.loss", loss);
        self.put("training.early_stopping", early_stopping);
        self.put("training.gradient_clip", gradient_clip);
        self.put("training.precision", precision);
    }

    fn strategy(&mut self, strategy: &Strategy) {
        if strategy.is_single() {
            return self.put("strategy.kind", &strategy.kind);
        }
        let Strategy {
            kind,
            ranks,
            stages,
            tensor,
            micro_batches,
            schedule,
            chunks,
            recompute,
            balance,
            zero,
            offload,
            persistence_threshold,
            tables,
            timeout,
            launcher,
            devices,
        } = strategy;
        self.put("strategy.kind", kind);
        self.put("strategy.ranks", ranks);
        self.put("strategy.stages", stages);
        self.put("strategy.tensor", tensor);
        self.put("strategy.micro_batches", micro_batches);
        self.put("strategy.schedule", schedule);
        self.put("strategy.chunks", chunks);
        self.put("strategy.recompute", recompute);
        self.put("strategy.balance", balance);
        self.put("strategy.stage", zero);
        self.put("strategy.offload", offload);
        self.put("strategy.persistence_threshold", persistence_threshold);
        self.put("strategy.tables", tables);
        self.put("strategy.timeout", timeout);
        self.put("strategy.launcher", launcher);
        self.put("strategy.devices", devices);
    }

    /// A value as a spec has it in JSON; of one that is not set, nothing.
    fn put(&mut self, path: &str, value: &impl Serialize) {
        // What a spec holds can always be written.
        self.flatten(path, &serde_json::to_value(value).unwrap_or_default());
    }

    fn flatten(&mut self, path: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::Object(fields) => {
                for (name, value) in fields {
                    let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    self.flatten(&below, value);
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                for (at, item) in items.iter().enumerate() {
                    self.flatten(&format!("{path}[{at}]"), item);
                }
            }
            Value::String(text) => drop(self.0.insert(path.to_owned(), text.clone())),
            other => drop(self.0.insert(path.to_owned(), other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{self, ParamKind};
    use crate::spec::RecommenderSpec;

    fn of(recommender: RecommenderSpec, metric: &str) -> ExperimentSpec {
        let mut spec = ExperimentSpec { recommender, ..ExperimentSpec::default() };
        spec.evaluation.metrics = vec![metric.parse().unwrap()];
        spec
    }

    #[test]
    fn every_parameter_of_every_kind_is_left_to_its_default_until_it_is_given() {
        let mut seen = 0;
        for entry in catalogue::ENTRIES {
            let spec = of(RecommenderSpec::new(entry.kind), "ndcg@10");
            let Ok(left) = spec.left_to_defaults() else { continue };
            for param in entry.params.iter().filter(|param| !matches!(param.kind, ParamKind::Recommenders { .. })) {
                let path = format!("recommender.{}", param.name);
                assert!(left.contains_key(&path), "{}: {path} is missing in {left:?}", entry.kind);
                assert!(!spec.given().contains_key(&path), "{}: {path}", entry.kind);
                let with = RecommenderSpec::new(entry.kind).with(param.name, param.default_value());
                let with = of(with, "ndcg@10");
                if let Ok(left) = with.left_to_defaults() {
                    assert!(!left.contains_key(&path), "{}: {path} is given", entry.kind);
                    assert!(with.given().contains_key(&path), "{}: {path} is given", entry.kind);
                    seen += 1;
                }
            }
        }
        assert!(seen > 50, "{seen} parameters were seen");
    }

    #[test]
    fn how_a_network_is_trained_and_divided_and_what_is_held_out_has_defaults_too() {
        let mut spec = of(RecommenderSpec::new("mlp"), "rmse");
        let left = spec.left_to_defaults().unwrap();
        for path in ["training.optimizer", "training.learning_rate", "training.precision", "split.fit_on"] {
            assert!(left.contains_key(path), "{path} is missing in {left:?}");
        }
        assert!(!left.keys().any(|path| path.starts_with("strategy.") || path == "name"), "{left:?}");
        spec.training.learning_rate = Some(0.5);
        let other = spec.left_to_defaults().unwrap();
        assert_eq!(spec.given()["training.learning_rate"], "0.5");
        let gone: Vec<&String> = left.keys().filter(|path| !other.contains_key(*path)).collect();
        assert_eq!(gone, ["training.learning_rate"]);
        spec.strategy.kind = crate::spec::StrategyKind::DataParallel;
        spec.strategy.ranks = Some(2);
        let divided = spec.left_to_defaults().unwrap();
        assert!(divided.contains_key("strategy.timeout") && !divided.contains_key("strategy.ranks"), "{divided:?}");
    }

    #[test]
    fn the_components_of_a_hybrid_are_told_one_by_one() {
        let Some(hybrid) = catalogue::ENTRIES.iter().find(|entry| entry.kind == "switching") else {
            panic!("the catalogue has no switching hybrid");
        };
        let left = of(RecommenderSpec::new(hybrid.kind), "ndcg@10").left_to_defaults().unwrap();
        for path in ["recommender.components[0].kind", "recommender.components[1].kind"] {
            assert!(left.contains_key(path), "{path} is missing in {left:?}");
        }
    }
}
