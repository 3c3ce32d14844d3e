//! Where stages are best cut by what the passes of a run took.

use recspeed_plan::pace::GFLOPS;
use recspeed_plan::timeline::Bar;
use recspeed_plan::{Assumed, EvenCut, Layer, Layout, Measured, Outlook, Strategy, of_spec};
use recspeed_types::ExperimentSpec;

/// The layers of a run, as long as its passes took.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ByRun {
    layers: Vec<Layer>,
}

impl ByRun {
    /// Of what a run was asked for, and the bars of all steps that it told; `None` where these are not those of all its ranks.
    pub(crate) fn of(spec: &ExperimentSpec, bars: &[Bar]) -> Option<Self> {
        let spec = spec.resolve().ok()?;
        let strategy = of_spec(&spec, Assumed::threads(GFLOPS))?;
        let outlook = Outlook::of(&strategy).ok()?;
        let asked = &spec.strategy;
        let layout = Layout::new(asked.ranks as usize, asked.stages as usize, asked.tensor as usize).ok()?;
        let measured = Measured::of(&outlook, bars, layout).ok()?;
        Some(Self { layers: measured.applied(&strategy.layers).ok()? })
    }

    /// Layers of each stage of a plan; `None` where it has one stage, or another network than the run.
    pub(crate) fn cut(&self, strategy: &Strategy, outlook: &Outlook) -> Option<Vec<usize>> {
        let parameters = |layers: &[Layer]| layers.iter().map(|layer| layer.parameters).collect::<Vec<_>>();
        if outlook.stages.len() < 2 || parameters(&self.layers) != parameters(&strategy.layers) {
            return None;
        }
        let measured = Strategy { layers: self.layers.clone(), ..strategy.clone() };
        EvenCut::of(&measured, &outlook.partition).ok().map(|cut| cut.partition.counts())
    }
}

#[cfg(test)]
mod tests {
    use recspeed_plan::timeline::bars_of;

    use super::super::Setup;
    use super::*;

    fn spec(hidden: &str) -> ExperimentSpec {
        let text = format!(
            "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\nkind = \"mlp\"\n\
             hidden = {hidden}\n[training]\nbatch_size = 128\n[strategy]\nkind = \"pipeline\"\nstages = 2\nmicro_batches = 4\n\
             [evaluation]\nmetrics = [\"rmse\"]\n"
        );
        ExperimentSpec::from_toml(&text).unwrap()
    }

    #[test]
    fn a_stage_that_was_slow_gets_fewer_layers_in_every_plan_of_the_same_network_and_in_no_other() {
        let spec_of_run = spec("[32, 32, 32, 32, 32, 32, 32]");
        let setup = Setup::of_run(&spec_of_run, "r1").unwrap();
        let (strategy, outlook) = setup.plan().unwrap_or_else(|refusal| panic!("{refusal}"));
        let slower = |slow: usize| -> Vec<Bar> {
            let bars = bars_of(&strategy, &outlook);
            let stretch = |bar: Bar| {
                let times = if bar.rank == slow { 5.0 } else { 1.0 };
                Bar { end_us: bar.start_us + times * (bar.end_us - bar.start_us), ..bar }
            };
            bars.into_iter().map(stretch).collect()
        };
        let now = outlook.partition.counts();
        let [first, second] = [0, 1].map(|slow| ByRun::of(&spec_of_run, &slower(slow)).unwrap());
        let cuts = [&first, &second].map(|run| run.cut(&strategy, &outlook).unwrap());
        assert!(cuts[0][0] < now[0] && cuts[1][1] < now[1], "{now:?} {cuts:?}");
        // Also where there are more stages than the run had, at another speed.
        let more = Setup { ranks: 4, gflops: 7, ..setup.clone() };
        let (strategy, outlook) = more.plan().unwrap_or_else(|refusal| panic!("{refusal}"));
        let cut = second.cut(&strategy, &outlook).unwrap();
        assert_eq!((cut.len(), cut.iter().sum::<usize>()), (4, 8));
        for (setup, why) in [
            (Setup { ranks: 1, ..setup.clone() }, "one stage has no border"),
            (Setup::of_run(&spec("[32, 32, 16, 32, 32, 32, 32]"), "r1").unwrap(), "another network"),
        ] {
            let (strategy, outlook) = setup.plan().unwrap_or_else(|refusal| panic!("{refusal}"));
            assert_eq!(second.cut(&strategy, &outlook), None, "{why}");
        }
        assert_eq!(ByRun::of(&spec_of_run, &slower(0)[..3]), None, "half a run");
    }
}
