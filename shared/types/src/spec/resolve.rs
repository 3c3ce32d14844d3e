//! The whole spec, checked at once.

use serde_json::json;

use super::dataset::Dataset;
use super::engine::EngineSpec;
use super::evaluation::{EvaluateOn, EvaluationSpec};
use super::recommender::ResolvedRecommender;
use super::split::{FitOn, SplitPlan};
use super::strategy::Strategy;
use super::training::{Loss, Training};
use super::{ExperimentSpec, FeaturesSpec, Problems, SPEC_VERSION, SpecErrors, together};
use crate::limits::{MAX_NAME_CHARS, MAX_RANKS, MAX_SEED};

/// A spec without mistakes: every default filled in, every number in its range.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedSpec {
    /// The name; may be empty.
    pub name: String,
    /// Seed of everything random.
    pub seed: u64,
    /// Seed of the data set, the sample, the split and the users that are ranked for.
    pub data_seed: u64,
    /// The ratings.
    pub dataset: Dataset,
    /// What is held out.
    pub split: SplitPlan,
    /// What of users, items and times is used.
    pub features: FeaturesSpec,
    /// The method.
    pub recommender: ResolvedRecommender,
    /// How it is trained; `None` for methods that are not trained step by step.
    pub training: Option<Training>,
    /// What computes.
    pub engine: EngineSpec,
    /// How the work is divided.
    pub strategy: Strategy,
    /// What is measured.
    pub evaluation: EvaluationSpec,
}

impl ExperimentSpec {
    /// Checks everything that can be checked without the data, and fills in the defaults.
    ///
    /// # Errors
    /// [`SpecErrors`]: every mistake, with its path and what is allowed.
    pub fn resolve(&self) -> Result<ResolvedSpec, SpecErrors> {
        self.resolve_to_plan(MAX_RANKS)
    }

    /// The same of a spec that may have so many ranks: what is only planned may have [`MAX_PLANNED_RANKS`].
    ///
    /// # Errors
    /// As [`Self::resolve`].
    ///
    /// [`MAX_PLANNED_RANKS`]: crate::limits::MAX_PLANNED_RANKS
    pub fn resolve_to_plan(&self, most_ranks: u32) -> Result<ResolvedSpec, SpecErrors> {
        let mut problems = Problems::default();
        if self.version != SPEC_VERSION {
            let hint = if self.version > SPEC_VERSION { "; update this lab to open it" } else { "" };
            problems.add("version", format!("is {}; this lab reads version {SPEC_VERSION}{hint}", self.version));
        }
        let chars = self.name.chars().count();
        if chars > MAX_NAME_CHARS || self.name.chars().any(char::is_control) {
            problems.add(
                "name",
                format!("has {chars} characters; allowed: up to {MAX_NAME_CHARS}, without control characters"),
            );
        }
        problems.range("seed", self.seed, 0, MAX_SEED);
        let data_seed = self.data_seed.map_or(self.seed, |seed| problems.range("data_seed", seed, 0, MAX_SEED));
        let dataset = self.dataset.resolve(&mut problems);
        let split = self.split.resolve(&mut problems);
        self.features.check(&mut problems);
        let recommender = self.recommender.resolve(&mut problems);
        let entry = recommender.as_ref().map(|r| r.trained().unwrap_or(r.entry));
        // What is measured on the validation rows learns from the training rows alone, whatever `fit_on` says of the test.
        let apart = split.fit_on == FitOn::Train || self.evaluation.on == EvaluateOn::Validation;
        let steered = split.split.has_validation() && apart;
        let training = entry.and_then(|entry| self.training.resolve(entry, steered, &mut problems));
        if let Some(recommender) = &recommender {
            together::check(recommender, &mut problems);
            check_components(recommender, self.training.loss, steered, &mut problems);
        }
        let strategy = self.strategy.resolve(recommender.as_ref(), training.as_ref(), most_ranks, &mut problems);
        let engine = self.engine.resolve(recommender.as_ref(), training.as_ref(), &strategy, &mut problems);
        self.evaluation.check(recommender.as_ref(), split.split.has_validation(), &mut problems);
        problems.finish()?;
        let (Some(dataset), Some(recommender)) = (dataset, recommender) else {
            return Err(SpecErrors(vec![super::SpecError::new("", "is incomplete")]));
        };
        Ok(ResolvedSpec {
            name: self.name.clone(),
            seed: self.seed,
            data_seed,
            dataset,
            split,
            features: self.features.clone(),
            recommender,
            training,
            engine,
            strategy,
            evaluation: self.evaluation.clone(),
        })
    }
}

impl ResolvedSpec {
    /// Threads that a run of it computes with on a machine of so many cores: those of `engine.threads`. Where it does not say, one a
    /// core, and no more than [`EngineSpec::MOST_THREADS_ON_GPUS`] where Burn computes on GPUs alone; a hybrid has one a core there, too:
    /// it may have components that processors fit. Ranks that are processes divide them.
    pub fn threads(&self, cores: u32) -> u32 {
        let cores = cores.max(1);
        let of_rank = |rank: u32| self.strategy.device_of(rank as usize).unwrap_or(self.engine.device);
        let on_gpus = || (0..self.strategy.ranks.max(1)).all(|rank| !of_rank(rank).is_processor());
        let by_burn = !self.engine.kind.is_reference() && self.recommender.components().is_empty();
        let most = if by_burn && on_gpus() { EngineSpec::MOST_THREADS_ON_GPUS } else { cores };
        self.engine.threads.unwrap_or(cores.min(most))
    }

    /// What another framework must know of it, as JSON with every default written out, and computed on so many threads.
    pub fn written_out(&self, threads: u32) -> String {
        let training = self.training.as_ref().map(|training| {
            json!({
                "epochs": training.epochs, "batch_size": training.batch_size, "optimizer": training.optimizer.as_str(),
                "learning_rate": training.learning_rate, "weight_decay": training.weight_decay,
                "loss": training.loss.as_str(), "gradient_clip": training.gradient_clip,
            })
        });
        let mut recommender = json!({ "kind": self.recommender.entry.kind });
        for (name, value) in self.recommender.params() {
            recommender[*name] = json!(value);
        }
        let (kind, device) = (self.engine.kind.as_str(), self.engine.device.as_str());
        json!({
            "version": SPEC_VERSION, "name": self.name, "seed": self.seed, "recommender": recommender, "training": training,
            "engine": { "kind": kind, "device": device, "threads": threads },
            "strategy": {
                "kind": self.strategy.kind, "ranks": self.strategy.ranks, "stages": self.strategy.stages,
                "micro_batches": self.strategy.micro_batches, "schedule": self.strategy.schedule,
                "recompute": self.strategy.recompute, "stage": self.strategy.zero,
                "persistence_threshold": self.strategy.persistence_threshold,
            },
        })
        .to_string()
    }
}

/// What a component asks of other sections. `steered`: whether there are validation rows, and they are not learnt from.
fn check_components(recommender: &ResolvedRecommender, loss: Option<Loss>, steered: bool, problems: &mut Problems) {
    let first = recommender.trained();
    recommender.visit("recommender", &mut |at, each| {
        if each.entry.kind == "weighted" && each.text("weights") == "learnt" && !steered {
            problems.add(
                format!("{at}.weights"),
                "is `learnt`, which needs validation rows; set split.validation_ratio (or split.validation with leave-last-out) and leave split.fit_on at `train`",
            );
        }
        if let Some(loss) = loss
            && each.entry.is_trained()
            && first != Some(each.entry)
            && !each.entry.losses.contains(&loss)
        {
            let allowed = each.entry.losses.iter().map(|l| l.as_str()).collect::<Vec<_>>().join(", ");
            let message = format!("is `{}`; `{}`, which is {at}, allows: {allowed}", loss.as_str(), each.entry.kind);
            problems.add("training.loss", message);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads on machines of 2 and of 16 cores.
    fn threads(recommender: &str, engine: &str, strategy: &str) -> [u32; 2] {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n[training]\n\
             epochs = 1\n[evaluation]\nmetrics = [\"ndcg@10\"]\n[engine]\n{engine}\n[strategy]\n{strategy}\n"
        );
        let spec = ExperimentSpec::from_toml(&text).unwrap_or_else(|error| panic!("{text}\n{error}"));
        let spec = spec.resolve().unwrap_or_else(|errors| panic!("{text}\n{errors}"));
        [2, 16].map(|cores| spec.threads(cores))
    }

    #[test]
    fn a_run_on_gpus_alone_has_four_threads_at_most_and_any_other_one_a_core_unless_the_spec_says_how_many() {
        let network = "kind = \"mlp\"";
        for device in ["libtorch-cuda", "cuda", "vulkan"] {
            let engine = format!("device = \"{device}\"");
            assert_eq!(threads(network, &engine, ""), [2, 4], "{device}");
            assert_eq!(threads(network, &engine, "kind = \"data-parallel\"\nranks = 2"), [2, 4], "{device}");
            assert_eq!(threads(network, &format!("{engine}\nthreads = 9"), ""), [9, 9], "{device}");
        }
        for device in ["flex", "libtorch-cpu"] {
            assert_eq!(threads(network, &format!("device = \"{device}\""), ""), [2, 16], "{device}");
        }
        assert_eq!(threads(network, "kind = \"pytorch\"\ndevice = \"cuda\"", ""), [2, 16], "another framework's");
        let stages = |devices: &str| format!("kind = \"hybrid\"\nstages = 2\nranks = 4\ndevices = [{devices}]");
        assert_eq!(threads(network, "", &stages("\"cuda\", \"libtorch-cuda\"")), [2, 4]);
        assert_eq!(threads(network, "", &stages("\"flex\", \"cuda\"")), [2, 16], "a stage is the processor's");
        let hybrid =
            "kind = \"weighted\"\ncomponents = [{ kind = \"popularity\" }, { kind = \"sasrec\", factors = 4 }]";
        assert_eq!(threads(hybrid, "device = \"cuda\"", ""), [2, 16], "components are fitted by the processor");
    }

    #[test]
    fn deepspeed_is_told_what_it_keeps_whole_where_the_spec_says_so_and_else_has_its_own_default() {
        let told = |assignments: &[&str]| {
            let zero = ["engine.kind=deepspeed", "strategy.kind=zero", "strategy.stage=3"];
            let assignments: Vec<String> = zero.iter().chain(assignments).map(|&each| each.to_owned()).collect();
            let spec = ExperimentSpec::from_toml_with(&ExperimentSpec::default().to_toml(), &assignments);
            let spec = spec.expect("fields that exist").resolve().expect("no mistake");
            let told: serde_json::Value = serde_json::from_str(&spec.written_out(2)).expect("JSON");
            told["strategy"]["persistence_threshold"].clone()
        };
        assert_eq!(told(&[]), serde_json::Value::Null);
        assert_eq!(told(&["strategy.persistence_threshold=0"]), json!(0));
    }
}
