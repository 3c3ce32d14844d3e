//! The plan of a run: what its spec says of model and strategy, as far as the studio has it.

use recspeed_plan::ScheduleKind;
use recspeed_plan::dense::MLP_INPUTS;
use recspeed_types::spec::{Balance, BalanceBy, Optimizer, PipelineSchedule, Recompute, ResolvedSpec, Strategy};
use recspeed_types::{ExperimentSpec, encode_permalink};

use super::setup::{Cut, Setup};

impl Setup {
    /// The setup of a run, with the run itself to be laid under it; `None` where [`Self::of_spec`] has none.
    pub(crate) fn of_run(spec: &ExperimentSpec, run: &str) -> Option<Self> {
        Some(Self { run: Some(run.to_owned()), ..Self::of_spec(spec)? })
    }

    /// The setup of an experiment; `None` where one device does everything, or where the recommender is no row of layers.
    pub(crate) fn of_spec(spec: &ExperimentSpec) -> Option<Self> {
        let written = spec;
        let spec = written.resolve().ok()?;
        let training = spec.training.as_ref().filter(|_| !spec.strategy.is_single())?;
        let mut setup = Self::default();
        setup.take_model(&spec, written)?;
        let strategy = &spec.strategy;
        setup.optimizer = if training.optimizer == Optimizer::Sgd { "sgd" } else { "adam" };
        setup.offload = if strategy.offload { "host" } else { "device" };
        setup.ranks = strategy.stages as usize;
        setup.replicas = strategy.replicas() as usize;
        // Replicas share a batch: the plan is that of the one that gets most of it.
        setup.batch = (training.batch_size as usize).div_ceil(setup.replicas.max(1));
        setup.micro_batches = strategy.micro_batches as usize;
        setup.chunks = strategy.chunks as usize;
        setup.schedule = schedule(strategy.schedule);
        setup.recompute = match strategy.recompute {
            Recompute::Never => "never",
            Recompute::ExceptLast => "except-last",
            Recompute::Always => "always",
        };
        setup.zero = ["0", "1", "2", "3"].get(strategy.zero as usize).copied()?;
        setup.cut = match &strategy.balance {
            Balance::ByHand(counts) => Cut::ByHand(counts.iter().map(|&count| count as usize).collect()),
            Balance::By(BalanceBy::Parameters) => Cut::Parameters,
            Balance::By(BalanceBy::Time) => Cut::Time,
            Balance::By(BalanceBy::Memory) => Cut::Memory,
        };
        Some(setup)
    }

    fn take_model(&mut self, spec: &ResolvedSpec, written: &ExperimentSpec) -> Option<()> {
        match spec.recommender.entry.kind {
            "mlp" | "densenet" if spec.strategy.tensor > 1 => self.take_whole(written)?,
            "dlrm" | "sasrec" => self.take_whole(written)?,
            "densenet" => {
                self.model = "densenet";
                self.depth = usize::try_from(spec.recommender.integer("layers")).ok()?;
                self.width = usize::try_from(spec.recommender.integer("growth")).ok()?;
            }
            "mlp" => {
                let hidden = spec.recommender.integers("hidden");
                let hidden: Vec<String> = hidden.iter().map(ToString::to_string).collect();
                self.model = "layers";
                self.widths = format!("{}, {}, 1", MLP_INPUTS, hidden.join(", "));
            }
            _ => return None,
        }
        Some(())
    }
}

impl Setup {
    /// A network that the studio's knobs cannot say is taken along with its experiment.
    fn take_whole(&mut self, written: &ExperimentSpec) -> Option<()> {
        self.model = "experiment";
        self.of = Some(encode_permalink(&ExperimentSpec { name: String::new(), ..written.clone() }).ok()?);
        Some(())
    }
}

/// A schedule's name in the address.
const fn schedule(schedule: PipelineSchedule) -> &'static str {
    match schedule {
        PipelineSchedule::Gpipe => "gpipe",
        PipelineSchedule::OneForwardOneBackward => "1f1b",
        PipelineSchedule::Interleaved => "interleaved",
        PipelineSchedule::ZeroBubbleH1 => "zb-h1",
    }
}

/// A strategy in one line, as a fact of a result.
pub(crate) fn strategy_in_words(strategy: &Strategy) -> String {
    let replicas = strategy.replicas();
    let mut parts = Vec::new();
    if strategy.stages > 1 {
        let chunks = if strategy.chunks > 1 { format!(" × {} on each rank", strategy.chunks) } else { String::new() };
        parts.push(format!(
            "pipeline of {} stages{chunks}, {}",
            strategy.stages,
            ScheduleKind::from(strategy.schedule).title()
        ));
    }
    if strategy.tensor > 1 {
        parts.push(format!("layers shared by {} ranks", strategy.tensor));
    }
    if replicas > 1 {
        let divided = if strategy.zero > 0 { format!(", ZeRO {}", strategy.zero) } else { String::new() };
        parts.push(format!("{replicas} replicas{divided}"));
    }
    if strategy.micro_batches > 1 {
        parts.push(format!("{} micro-batches", strategy.micro_batches));
    }
    match strategy.recompute {
        Recompute::Never => {}
        Recompute::ExceptLast => parts.push("all but the last recomputed".to_owned()),
        Recompute::Always => parts.push("all recomputed".to_owned()),
    }
    if parts.is_empty() { "one rank".to_owned() } else { parts.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(recommender: &str, strategy: &str) -> ExperimentSpec {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n\
             [training]\nbatch_size = 128\n[strategy]\n{strategy}\n[evaluation]\nmetrics = [\"{}\"]\n",
            if recommender.contains("dlrm") || recommender.contains("sasrec") { "ndcg@10" } else { "rmse" }
        );
        ExperimentSpec::from_toml(&text).unwrap()
    }

    #[test]
    fn a_run_whose_ranks_share_layers_is_told_in_words_and_drawn_with_its_own_layers() {
        let spec = spec("kind = \"mlp\"", "kind = \"hybrid\"\nranks = 4\nstages = 2\ntensor = 2");
        let setup = Setup::of_run(&spec, "r1").unwrap();
        let (strategy, outlook) = setup.plan().unwrap_or_else(|refusal| panic!("{refusal}"));
        let expected = recspeed_plan::of_spec(
            &spec.resolve().unwrap(),
            recspeed_plan::Assumed::threads(recspeed_plan::pace::GFLOPS),
        )
        .unwrap();
        assert_eq!((strategy.tensor, &strategy.layers, &strategy.balance), (2, &expected.layers, &expected.balance));
        assert_eq!(outlook.ranks, recspeed_plan::Outlook::of(&expected).unwrap().ranks);
        let words = strategy_in_words(&spec.resolve().unwrap().strategy);
        assert!(words.contains("layers shared by 2 ranks") && !words.contains("replicas"), "{words}");
    }

    #[test]
    fn a_run_of_several_ranks_has_a_plan_that_the_studio_can_draw() {
        for (recommender, strategy) in [
            ("kind = \"mlp\"\nhidden = [64, 32, 16]", "kind = \"pipeline\"\nbalance = [2, 2]\nschedule = \"gpipe\""),
            ("kind = \"mlp\"", "kind = \"zero\"\nranks = 4\nstage = 2"),
            ("kind = \"mlp\"\nhidden = [8, 8, 8, 8, 8]", "kind = \"hybrid\"\nranks = 4\nschedule = \"zb-h1\""),
            ("kind = \"densenet\"\nlayers = 9", "kind = \"hybrid\"\nranks = 4\nstages = 2\ntensor = 2"),
            ("kind = \"dlrm\"", "kind = \"pipeline\"\nstages = 2"),
            ("kind = \"sasrec\"", "kind = \"hybrid\"\nranks = 4\nstages = 2"),
        ] {
            let setup = Setup::of_run(&spec(recommender, strategy), "r1").unwrap();
            let (planned, _) = setup.plan().unwrap_or_else(|refusal| panic!("{strategy}: {refusal}"));
            assert!(!planned.layers.is_empty());
            assert_eq!(Setup::from_query(&setup.to_query()), setup, "{strategy}");
        }
    }

    #[test]
    fn the_setup_is_that_of_the_spec() {
        let mut spec = spec("kind = \"densenet\"\nlayers = 12\ngrowth = 4", "kind = \"pipeline\"\nmicro_batches = 8");
        spec.evaluation.metrics = vec!["auc".parse().unwrap()];
        let setup = Setup::of_run(&spec, "r1").unwrap();
        assert_eq!((setup.model, setup.depth, setup.width, setup.batch), ("densenet", 12, 4, 128));
        assert_eq!((setup.ranks, setup.replicas, setup.micro_batches, setup.schedule), (2, 1, 8, "1f1b"));
        assert_eq!((setup.cut, setup.run.as_deref()), (Cut::Parameters, Some("r1")));
        let strategy = spec.resolve().unwrap().strategy;
        assert_eq!(strategy_in_words(&strategy), "pipeline of 2 stages, 1F1B, 8 micro-batches");
        spec.strategy = recspeed_types::spec::StrategySpec::default();
        assert_eq!(Setup::of_run(&spec, "r1"), None, "one device has no schedule");
    }
}
