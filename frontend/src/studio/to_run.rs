//! What is set as an experiment that can be run.

use recspeed_plan::ScheduleKind;
use recspeed_plan::dense::MLP_INPUTS;
use recspeed_types::limits::MAX_PLANNED_RANKS;
use recspeed_types::spec::{
    Balance, BalanceBy, Optimizer, ParamValue, PipelineSchedule, RecommenderSpec, Recompute, StrategyKind, StrategySpec,
};
use recspeed_types::{ExperimentSpec, SpecErrors};

use super::model::widths;
use super::setup::Setup;

impl Setup {
    /// The recommender whose network is planned; `None` where that is the experiment's own.
    ///
    /// # Errors
    /// Layers by hand that are no network of a recommender, with what would be.
    pub(crate) fn recommender(&self) -> Result<Option<RecommenderSpec>, String> {
        let integer = |n: usize| ParamValue::Integer(n as i64);
        let mlp = |hidden: Vec<i64>| RecommenderSpec::new("mlp").with("hidden", ParamValue::Integers(hidden));
        Ok(Some(match self.model {
            "experiment" => return Ok(None),
            "mlp" => mlp(vec![self.width as i64; self.depth]),
            "layers" => match &widths(&self.widths)?[..] {
                [MLP_INPUTS, hidden @ .., 1] if !hidden.is_empty() => {
                    mlp(hidden.iter().map(|&width| width as i64).collect())
                }
                _ => {
                    return Err(format!(
                        "these layers are no recommender’s: the network “mlp” begins with {MLP_INPUTS} numbers, ends with 1 and has layers \
                         between them"
                    ));
                }
            },
            _ => {
                RecommenderSpec::new("densenet").with("layers", integer(self.depth)).with("growth", integer(self.width))
            }
        }))
    }

    /// The experiment `base`, whose recommender is the one that is planned, trained as is set. `counts`: the layers of each stage.
    ///
    /// # Errors
    /// Why it could not be run.
    pub(crate) fn written_into(&self, base: &ExperimentSpec, counts: &[usize]) -> Result<ExperimentSpec, String> {
        let spec = self.trained_as_set(base, counts, false);
        spec.resolve().map_err(|errors| told(&errors))?;
        Ok(spec)
    }

    /// The same to be planned and not run: it may have more ranks, and one rank that takes a batch in parts is written as such.
    ///
    /// # Errors
    /// Why it could not be planned.
    pub(super) fn written_to_plan(&self, base: &ExperimentSpec, counts: &[usize]) -> Result<ExperimentSpec, String> {
        let spec = self.trained_as_set(base, counts, true);
        spec.resolve_to_plan(MAX_PLANNED_RANKS).map_err(|errors| told(&errors))?;
        Ok(spec)
    }

    fn trained_as_set(&self, base: &ExperimentSpec, counts: &[usize], in_parts: bool) -> ExperimentSpec {
        let tensor = base.strategy.tensor.filter(|&tensor| tensor > 1 && self.model == "experiment");
        let (ranks, replicas) = (self.ranks as u32, self.replicas as u32);
        let whole = self.micro_batches * self.chunks == 1 && self.recompute == "never" && self.offload != "host";
        let one = ranks * replicas * tensor.unwrap_or(1) == 1 && (whole || !in_parts);
        let interleaved = self.schedule == "interleaved";
        let kind = match (one, replicas * tensor.unwrap_or(1)) {
            (true, _) => StrategyKind::Single,
            (false, 1) => StrategyKind::Pipeline,
            (false, _) => StrategyKind::Hybrid,
        };
        let mut spec = base.clone();
        spec.training.batch_size = Some((self.batch * self.replicas) as u32);
        spec.training.optimizer = match (self.optimizer, base.training.optimizer) {
            ("sgd", _) => Some(Optimizer::Sgd),
            (_, Some(Optimizer::Sgd)) => None,
            (_, other) => other,
        };
        spec.strategy = StrategySpec { kind, ..StrategySpec::default() };
        if !one {
            let hybrid = kind == StrategyKind::Hybrid;
            spec.strategy = StrategySpec {
                kind,
                ranks: hybrid.then(|| ranks * replicas * tensor.unwrap_or(1)),
                stages: Some(ranks),
                tensor,
                micro_batches: Some(self.micro_batches as u32),
                schedule: Some(match self.kind() {
                    ScheduleKind::Gpipe => PipelineSchedule::Gpipe,
                    ScheduleKind::OneForwardOneBackward => PipelineSchedule::OneForwardOneBackward,
                    ScheduleKind::Interleaved => PipelineSchedule::Interleaved,
                    ScheduleKind::ZeroBubbleH1 => PipelineSchedule::ZeroBubbleH1,
                }),
                chunks: interleaved.then_some(self.chunks as u32),
                recompute: match self.mode() {
                    recspeed_plan::Recompute::Never => None,
                    recspeed_plan::Recompute::ExceptLast => Some(Recompute::ExceptLast),
                    recspeed_plan::Recompute::Always => Some(Recompute::Always),
                },
                balance: (counts.len() > 1).then(|| self.balance(base, counts)).flatten(),
                stage: (hybrid && self.zero != "0").then(|| self.zero.parse().ok()).flatten(),
                offload: (self.offload == "host").then_some(true),
                tables: base.strategy.tables.filter(|_| self.model == "experiment"),
                ..StrategySpec::default()
            };
        }
        spec
    }

    /// Where the borders lie, as a spec says it; `None` where that need not be said.
    fn balance(&self, base: &ExperimentSpec, counts: &[usize]) -> Option<Balance> {
        let by = self.cut.word();
        // What the layers of such a network cost depends on the attributes of the data, which the page has not read.
        let unknown = self.model == "experiment" && base.recommender.kind == "dlrm";
        match by {
            Some(BalanceBy::Parameters) => None,
            Some(by) if !unknown => Some(Balance::By(by)),
            _ => Some(Balance::ByHand(counts.iter().map(|&count| count as u32).collect())),
        }
    }
}

/// What is wrong with a spec, in one line.
fn told(errors: &SpecErrors) -> String {
    errors.to_string().lines().collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::super::setup::Cut;
    use super::*;
    use crate::form::with_kind;

    fn written(setup: &Setup) -> Result<ExperimentSpec, String> {
        let (_, outlook) = setup.plan().expect("it is possible");
        let base = match setup.recommender()? {
            Some(recommender) => {
                let base = with_kind(&ExperimentSpec::default(), "recommender.kind", &recommender.kind).unwrap();
                ExperimentSpec { recommender, ..base }
            }
            None => setup.experiment().unwrap(),
        };
        setup.written_into(&base, &outlook.partition.counts())
    }

    #[test]
    fn an_experiment_made_of_what_is_set_has_the_plan_that_is_shown() {
        for (schedule, ranks, replicas, zero, recompute) in [
            ("gpipe", 4, 1, "0", "never"),
            ("1f1b", 2, 2, "1", "always"),
            ("interleaved", 2, 3, "3", "except-last"),
            ("zb-h1", 4, 2, "2", "never"),
            ("gpipe", 1, 4, "3", "never"),
        ] {
            for (model, cut) in [("densenet", Cut::Time), ("mlp", Cut::Memory), ("layers", Cut::Parameters)] {
                let mut setup = Setup { model, cut, ranks, replicas, zero, recompute, depth: 11, ..Setup::default() };
                setup.widths = "3, 64*9, 32, 1".to_owned();
                setup.choose_schedule(schedule);
                let spec = written(&setup).unwrap_or_else(|why| panic!("{schedule} {model}: {why}"));
                let back = Setup::of_spec(&spec).unwrap();
                let (shown, run) = (setup.plan().unwrap(), back.plan().unwrap());
                assert_eq!(shown.1.partition, run.1.partition, "{schedule} {model}");
                assert_eq!((shown.0.level, shown.0.schedule), (run.0.level, run.0.schedule), "{schedule} {model}");
                assert_eq!(shown.1.simulation, run.1.simulation, "{schedule} {model}");
                // What was chosen goes along, not where it led to: the run's own page shows the same choice.
                let by = setup.cut.word().filter(|&by| by != BalanceBy::Parameters && ranks > 1);
                assert_eq!(spec.strategy.balance, by.map(Balance::By), "{schedule} {model}");
                assert!(ranks == 1 || back.cut == setup.cut, "{schedule} {model}");
            }
        }
        let alone = Setup { ranks: 1, micro_batches: 1, ..Setup::default() };
        assert!(written(&alone).unwrap().resolve().unwrap().strategy.is_single());
    }

    /// A run asks nobody how fast its ranks are: its borders lie where the studio draws them for any speed and link.
    #[test]
    fn borders_are_the_run_s_at_every_speed() {
        for (gflops, link, schedule) in [(1, "gigabit", "gpipe"), (50, "memory", "1f1b"), (5000, "nvlink", "zb-h1")] {
            for cut in [Cut::Time, Cut::Memory, Cut::Parameters] {
                let setup = Setup { gflops, link, schedule, cut, depth: 40, width: 8, batch: 64, ..Setup::default() };
                let spec = written(&setup).unwrap().resolve().unwrap();
                let run = recspeed_plan::of_spec(&spec, recspeed_plan::Assumed::threads(7.0)).unwrap();
                let run = recspeed_plan::Outlook::of(&run).unwrap();
                assert_eq!(setup.plan().unwrap().1.partition, run.partition, "{gflops} {:?}", setup.cut);
            }
        }
    }

    #[test]
    fn the_experiment_s_own_network_keeps_what_the_studio_does_not_set() {
        let text = "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"dlrm\"\n[training]\nbatch_size = \
                    128\n[evaluation]\nmetrics = [\"ndcg@10\"]\n[strategy]\nkind = \"pipeline\"\nstages = 2\ntables = \"column-wise\"\n";
        let mut setup = Setup::of_spec(&ExperimentSpec::from_toml(text).unwrap()).unwrap();
        setup.set_number("micro-batches", 16);
        let spec = written(&setup).unwrap().resolve().unwrap();
        assert_eq!((spec.recommender.entry.kind, spec.strategy.micro_batches), ("dlrm", 16));
        assert_eq!(spec.strategy.tables.as_str(), "column-wise");
    }

    /// What is shown of tables is what a run of what is set would be planned with, not what the experiment was opened with.
    #[test]
    fn tables_of_the_experiment_s_own_network_follow_every_knob() {
        type Turn = fn(&mut Setup);
        let turns: [(&str, Turn); 5] = [
            ("ranks", |setup| setup.ranks = 1),
            ("replicas", |setup| setup.replicas = 3),
            ("micro-batches", |setup| setup.micro_batches = 16),
            ("batch", |setup| setup.batch = 512),
            ("optimizer", |setup| setup.optimizer = "sgd"),
        ];
        for kind in ["dlrm", "sasrec"] {
            let text = format!(
                "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"{kind}\"\n[training]\nbatch_size = \
                 120\n[evaluation]\nmetrics = [\"ndcg@10\"]\n[strategy]\nkind = \"pipeline\"\nstages = 2\ntables = \"column-wise\"\n"
            );
            let opened = Setup::of_spec(&ExperimentSpec::from_toml(&text).unwrap()).unwrap();
            let first = opened.plan().unwrap().0;
            for (knob, turn) in turns {
                let mut setup = opened.clone();
                turn(&mut setup);
                let shown = setup.plan().unwrap_or_else(|why| panic!("{kind} {knob}: {why}")).0;
                let spec = written(&setup).unwrap().resolve().unwrap();
                let data = recspeed_types::Extent::foretold(&spec.dataset);
                let run = recspeed_plan::of_spec(
                    &spec,
                    recspeed_plan::Assumed::threads(recspeed_plan::pace::GFLOPS).on(data),
                )
                .unwrap();
                assert_eq!((shown.beside, shown.tables_us), (run.beside, run.tables_us), "{kind} {knob}");
                let stands = (shown.beside, shown.tables_us) == (first.beside, first.tables_us);
                // The slots of sequences are sent whole, in however many parts.
                assert_eq!(stands, knob == "micro-batches", "{kind} {knob}: {shown:?}");
            }
        }
    }

    #[test]
    fn layers_that_no_recommender_has_are_told() {
        let why = Setup { model: "layers", ..Setup::default() }.recommender().unwrap_err();
        assert!(why.contains("begins with 3 numbers, ends with 1"), "{why}");
    }
}
