//! Strategies for tests: whatever a test is not about is as plain as can be.
#![allow(dead_code, reason = "each test program uses a part")]

use recspeed_plan::dense::{Speed, mlp};
use recspeed_plan::sharding::{OptimizerState, ShardLevel};
use recspeed_plan::simulate::Link;
use recspeed_plan::{Assumed, Balance, Layer, Outlook, ProcessNeeds, Recompute, ScheduleKind, Strategy, of_spec};
use recspeed_types::ExperimentSpec;
use recspeed_types::spec::ResolvedSpec;

/// One rank that takes batches of so many rows through these layers at once, with Adam; links and updates take no time.
pub(crate) fn plain(layers: Vec<Layer>, batch: usize) -> Strategy {
    Strategy {
        layers,
        balance: Balance::Time { samples: batch },
        schedule: ScheduleKind::Gpipe,
        ranks: 1,
        chunks: 1,
        batch,
        micro_batches: 1,
        recompute: Recompute::Never,
        replicas: 1,
        tensor: 1,
        level: ShardLevel::DataParallel,
        optimizer: OptimizerState::TwoMoments,
        offload: false,
        link: Link::INSTANT,
        update_us: 0.0,
        beside: 0,
        tables_us: 0.0,
        needs: ProcessNeeds::default(),
        memories: Vec::new(),
    }
}

/// An experiment with these lines of `[recommender]`, `[training]` and `[strategy]`, measured by what its recommender predicts.
pub(crate) fn spec(recommender: &str, training: &str, strategy: &str) -> ResolvedSpec {
    let ranks_items = recommender.contains("dlrm") || recommender.contains("sasrec") || recommender.contains("als");
    let metric = if ranks_items { "ndcg@10" } else { "rmse" };
    let text = format!(
        "version = 1\n[dataset]\nsource = \"builtin\"\nid = \"beauty-synthetic-10k\"\n[recommender]\n{recommender}\n\
         [training]\n{training}\n[evaluation]\nmetrics = [\"{metric}\"]\n[strategy]\n{strategy}\n"
    );
    ExperimentSpec::from_toml(&text).unwrap().resolve().unwrap()
}

/// What such an experiment asks for, on ranks that reach 50 GFLOP/s.
pub(crate) fn of(recommender: &str, training: &str, strategy: &str) -> Strategy {
    of_spec(&spec(recommender, training, strategy), Assumed::threads(50.0)).unwrap()
}

pub(crate) const SPEED: Speed = Speed { flops_per_us: 1000.0, call_us: 0.0 };

/// A row of layers that are alike, 8 samples a micro-batch.
pub(crate) fn even(ranks: usize, micro_batches: usize) -> Strategy {
    let balance = Balance::Time { samples: 8 };
    Strategy { balance, ranks, micro_batches, ..plain(mlp(&[64; 49], SPEED), 8 * micro_batches) }
}

pub(crate) fn look(plan: &Strategy) -> Outlook {
    Outlook::of(plan).expect("the strategy is possible")
}
